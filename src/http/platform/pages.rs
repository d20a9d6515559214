//! The pages: the API description in `/docs` (Swagger UI) and `/redoc`, `/`, which leads to it; those that links in mails
//! open, `/verify`, `/reset`, `/undo`, `/not-me` and `/invite`; and those for people, `/account` and `/console`.
//!
//! They are files of the deployment, streamed to the client unchanged. The API description does not list them, because
//! they are not operations of the API. `page_settings` owns the one file that depends on the settings.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HeaderName, LOCATION};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use axum::routing::{MethodRouter, get};

use crate::domain::settings::PageSettings;
use crate::http::kit::context::Configured;
use crate::http::kit::matched_path::noted;
use crate::http::kit::refusal::Refusal;
use crate::http::platform::{etag, page_settings};

/// The use of a page. A deployment can leave out the first and the last kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Shows the API description.
    Api,
    /// Opened by a link of a mail.
    Mail,
    /// The account, or the console.
    People,
}

/// A file of the deployment that the service serves to browsers.
#[derive(Debug, Clone, Copy)]
pub struct Page {
    /// URL path, below the base path.
    pub path: &'static str,
    kind: Kind,
    /// Path of the file in the static assets.
    asset: &'static str,
    content_type: &'static str,
}

const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";

/// Every file that is served; no other can be requested.
pub const PAGES: [Page; 28] = [
    Page { path: "/docs", kind: Kind::Api, asset: "/docs/index.html", content_type: HTML },
    Page { path: "/docs/docs.css", kind: Kind::Api, asset: "/docs/docs.css", content_type: STYLE },
    Page { path: "/docs/docs.js", kind: Kind::Api, asset: "/docs/docs.js", content_type: SCRIPT },
    Page { path: "/docs/swagger-ui.css", kind: Kind::Api, asset: "/docs/swagger-ui.css", content_type: STYLE },
    Page {
        path: "/docs/swagger-ui-bundle.js",
        kind: Kind::Api,
        asset: "/docs/swagger-ui-bundle.js",
        content_type: SCRIPT,
    },
    Page {
        path: "/docs/favicon-32x32.png",
        kind: Kind::Api,
        asset: "/docs/favicon-32x32.png",
        content_type: "image/png",
    },
    Page { path: "/verify", kind: Kind::Mail, asset: "/mail/verify.html", content_type: HTML },
    Page { path: "/reset", kind: Kind::Mail, asset: "/mail/reset.html", content_type: HTML },
    Page { path: "/undo", kind: Kind::Mail, asset: "/mail/undo.html", content_type: HTML },
    Page { path: "/not-me", kind: Kind::Mail, asset: "/mail/not-me.html", content_type: HTML },
    Page { path: "/invite", kind: Kind::Mail, asset: "/mail/invite.html", content_type: HTML },
    Page { path: "/mail/mail.css", kind: Kind::Mail, asset: "/mail/mail.css", content_type: STYLE },
    Page { path: "/mail/page.js", kind: Kind::Mail, asset: "/mail/page.js", content_type: SCRIPT },
    Page { path: "/mail/link.js", kind: Kind::Mail, asset: "/mail/link.js", content_type: SCRIPT },
    Page { path: "/mail/verify.js", kind: Kind::Mail, asset: "/mail/verify.js", content_type: SCRIPT },
    Page { path: "/mail/reset.js", kind: Kind::Mail, asset: "/mail/reset.js", content_type: SCRIPT },
    Page { path: "/mail/undo.js", kind: Kind::Mail, asset: "/mail/undo.js", content_type: SCRIPT },
    Page { path: "/mail/not-me.js", kind: Kind::Mail, asset: "/mail/not-me.js", content_type: SCRIPT },
    Page { path: "/mail/invite.js", kind: Kind::Mail, asset: "/mail/invite.js", content_type: SCRIPT },
    Page { path: "/redoc", kind: Kind::Api, asset: "/redoc/index.html", content_type: HTML },
    Page { path: "/redoc/redoc.js", kind: Kind::Api, asset: "/redoc/redoc.js", content_type: SCRIPT },
    Page {
        path: "/redoc/redoc.standalone.js",
        kind: Kind::Api,
        asset: "/redoc/redoc.standalone.js",
        content_type: SCRIPT,
    },
    Page { path: "/account", kind: Kind::People, asset: "/account/index.html", content_type: HTML },
    Page { path: "/account/account.css", kind: Kind::People, asset: "/account/account.css", content_type: STYLE },
    Page { path: "/account/account.js", kind: Kind::People, asset: "/account/account.js", content_type: SCRIPT },
    Page { path: "/console", kind: Kind::People, asset: "/console/index.html", content_type: HTML },
    Page { path: "/console/console.css", kind: Kind::People, asset: "/console/console.css", content_type: STYLE },
    Page { path: "/console/console.js", kind: Kind::People, asset: "/console/console.js", content_type: SCRIPT },
];

/// Allows the page's own files, and requests to the service itself. Styles may be inline, because Swagger UI and
/// `ReDoc` generate them; scripts may not.
const API_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
                          font-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; \
                          frame-ancestors 'none'";
/// The same for pages of our own, without inline styles, and with text that becomes HTML by one library only (Trusted Types).
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; \
                      trusted-types lit-html";
/// A page of another origin that opens one of these has no handle on its window.
const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");

impl Page {
    const fn is_in(&self, settings: &PageSettings) -> bool {
        match self.kind {
            Kind::Api => settings.has_api,
            Kind::Mail => true,
            Kind::People => settings.has_people,
        }
    }

    const fn policy(&self) -> &'static str {
        match self.kind {
            Kind::Api => API_POLICY,
            Kind::Mail | Kind::People => POLICY,
        }
    }
}

pub(in crate::http) fn router(settings: &PageSettings) -> Router {
    let router = Router::new().route(page_settings::PATH, noted(get(page_settings::show)));
    let router = if settings.has_api { router.route("/", root()) } else { router };
    PAGES.iter().filter(|page| page.is_in(settings)).fold(router, |router, page| {
        let file = noted(get(move |request: Request| show(request.into_parts().0, page)));
        let router = router.route(page.path, file);
        if page.content_type == HTML {
            // The URLs in the pages are relative, so a slash at the end would change them.
            router.route(&format!("{}/", page.path), redirect(page.path))
        } else {
            router
        }
    })
}

/// Redirects the root of the service to `/docs`.
pub(in crate::http) fn root() -> MethodRouter {
    redirect("/docs")
}

fn redirect(path: &'static str) -> MethodRouter {
    noted(get(async move |request: Request| to_page(&request.into_parts().0, path)))
}

async fn show(parts: Parts, page: &'static Page) -> Result<Response, Refusal> {
    let configured = Configured::of(&parts)?;
    let digest = etag::digest_of(&configured, page.asset).await?;
    let tag = etag::of(&configured, digest)?;
    let cached = if page.content_type == HTML { etag::CACHED } else { cached(&parts, digest) };
    if etag::is_known(&parts.headers, &tag) {
        return Ok(etag::not_modified(tag, cached));
    }
    let stream = configured.assets().stream(page.asset).await?;
    let mut response = Response::new(Body::empty());
    response.extensions_mut().insert(Arc::new(stream));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(page.content_type));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(page.policy()));
    headers.insert(OPENER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert(CACHE_CONTROL, cached);
    headers.insert(ETAG, tag);
    Ok(response)
}

/// A URL that names the digest of this very content has no other content, ever.
fn cached(parts: &Parts, digest: &str) -> HeaderValue {
    let version = parts.uri.query().and_then(|query| query.strip_prefix("v="));
    let is_named = version.is_some_and(|version| version.len() == VERSION_LENGTH && digest.starts_with(version));
    if is_named { etag::IMMUTABLE } else { etag::CACHED }
}

/// Hexadecimal digits of a digest in the URLs that the build writes.
const VERSION_LENGTH: usize = 16;

fn to_page(parts: &Parts, path: &'static str) -> Result<Response, Refusal> {
    let location = format!("{}{path}", Configured::of(parts)?.settings().presentation.base_path);
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::TEMPORARY_REDIRECT;
    let location = HeaderValue::try_from(location).map_err(|error| Refusal::internal(error.to_string()))?;
    response.headers_mut().insert(LOCATION, location);
    Ok(response)
}
