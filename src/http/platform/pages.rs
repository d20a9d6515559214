//! The pages: the API description in `/docs` (Swagger UI) and `/redoc`, `/`, which leads to it, and those that links in
//! mails open, `/verify`, `/reset`, `/undo`, `/not-me` and `/invite`.
//!
//! They are files of the deployment, streamed to the client unchanged. The API description does not list them, because
//! they are not operations of the API.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, LOCATION};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use axum::routing::{MethodRouter, get};

use crate::http::kit::access::noted;
use crate::http::kit::context::Configured;
use crate::http::kit::refusal::Refusal;
use crate::http::platform::etag;

/// A file of the deployment that the service serves to browsers.
#[derive(Debug, Clone, Copy)]
pub struct Page {
    /// URL path, below the base path.
    pub path: &'static str,
    /// Path of the file in the static assets.
    asset: &'static str,
    content_type: &'static str,
}

const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";

/// Every file that is served; no other can be requested.
pub const PAGES: [Page; 22] = [
    Page { path: "/docs", asset: "/docs/index.html", content_type: HTML },
    Page { path: "/docs/docs.css", asset: "/docs/docs.css", content_type: STYLE },
    Page { path: "/docs/docs.js", asset: "/docs/docs.js", content_type: SCRIPT },
    Page { path: "/docs/swagger-ui.css", asset: "/docs/swagger-ui.css", content_type: STYLE },
    Page { path: "/docs/swagger-ui-bundle.js", asset: "/docs/swagger-ui-bundle.js", content_type: SCRIPT },
    Page { path: "/docs/favicon-32x32.png", asset: "/docs/favicon-32x32.png", content_type: "image/png" },
    Page { path: "/verify", asset: "/mail/verify.html", content_type: HTML },
    Page { path: "/reset", asset: "/mail/reset.html", content_type: HTML },
    Page { path: "/undo", asset: "/mail/undo.html", content_type: HTML },
    Page { path: "/not-me", asset: "/mail/not-me.html", content_type: HTML },
    Page { path: "/invite", asset: "/mail/invite.html", content_type: HTML },
    Page { path: "/mail/mail.css", asset: "/mail/mail.css", content_type: STYLE },
    Page { path: "/mail/page.js", asset: "/mail/page.js", content_type: SCRIPT },
    Page { path: "/mail/link.js", asset: "/mail/link.js", content_type: SCRIPT },
    Page { path: "/mail/verify.js", asset: "/mail/verify.js", content_type: SCRIPT },
    Page { path: "/mail/reset.js", asset: "/mail/reset.js", content_type: SCRIPT },
    Page { path: "/mail/undo.js", asset: "/mail/undo.js", content_type: SCRIPT },
    Page { path: "/mail/not-me.js", asset: "/mail/not-me.js", content_type: SCRIPT },
    Page { path: "/mail/invite.js", asset: "/mail/invite.js", content_type: SCRIPT },
    Page { path: "/redoc", asset: "/redoc/index.html", content_type: HTML },
    Page { path: "/redoc/redoc.js", asset: "/redoc/redoc.js", content_type: SCRIPT },
    Page { path: "/redoc/redoc.standalone.js", asset: "/redoc/redoc.standalone.js", content_type: SCRIPT },
];

/// Allows the page's own files, and requests to the service itself. Styles may be inline, because Swagger UI and
/// `ReDoc` generate them; scripts may not.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
                      font-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

pub(in crate::http) fn router() -> Router {
    let router = Router::new().route("/", root());
    // The URLs in the pages are relative, so a slash at the end would change them.
    let router = router.route("/docs/", redirect("/docs")).route("/redoc/", redirect("/redoc"));
    let router = router.route("/verify/", redirect("/verify")).route("/reset/", redirect("/reset"));
    let router = router.route("/undo/", redirect("/undo")).route("/not-me/", redirect("/not-me"));
    let router = router.route("/invite/", redirect("/invite"));
    PAGES.iter().fold(router, |router, page| {
        router.route(page.path, noted(get(move |request: Request| show(request.into_parts().0, page))))
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
    let tag = etag::of(&configured, page.asset).await?;
    if etag::is_known(&parts.headers, &tag) {
        return Ok(etag::not_modified(tag));
    }
    let stream = configured.assets().stream(page.asset).await?;
    let mut response = Response::new(Body::empty());
    response.extensions_mut().insert(Arc::new(stream));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(page.content_type));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(CACHE_CONTROL, etag::CACHED);
    headers.insert(ETAG, tag);
    Ok(response)
}

fn to_page(parts: &Parts, path: &'static str) -> Result<Response, Refusal> {
    let location = format!("{}{path}", Configured::of(parts)?.settings().presentation.base_path);
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::TEMPORARY_REDIRECT;
    let location = HeaderValue::try_from(location).map_err(|error| Refusal::internal(error.to_string()))?;
    response.headers_mut().insert(LOCATION, location);
    Ok(response)
}
