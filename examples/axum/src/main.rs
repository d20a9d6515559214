//! A resource server with axum that accepts access tokens of edge-auth.
//!
//! `GET /profile` verifies the token offline, with the public keys of edge-auth. `POST /transfer` cannot be undone, so it
//! also asks edge-auth whether the session is still alive.

mod key_set;
mod user;

use std::env;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::FromRef;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Serialize;
use tokio::net::TcpListener;

use crate::key_set::KeySet;
use crate::user::{Introspection, LiveUser, Tokens, User};

#[derive(Clone)]
struct App {
    tokens: Arc<Tokens>,
    introspection: Arc<Introspection>,
}

impl FromRef<App> for Arc<Tokens> {
    fn from_ref(app: &App) -> Self {
        Arc::clone(&app.tokens)
    }
}

impl FromRef<App> for Arc<Introspection> {
    fn from_ref(app: &App) -> Self {
        Arc::clone(&app.introspection)
    }
}

#[derive(Serialize)]
struct Profile {
    user_id: u64,
    session_id: String,
}

#[derive(Serialize)]
struct Transfer {
    user_id: u64,
    transferred: bool,
}

async fn profile(user: User) -> Json<Profile> {
    Json(Profile { user_id: user.id, session_id: user.session_id })
}

async fn transfer(LiveUser(user): LiveUser) -> Json<Transfer> {
    Json(Transfer { user_id: user.id, transferred: true })
}

/// A setting from the environment.
fn setting(name: &str, default: &str) -> String {
    env::var(name).unwrap_or_else(|_| default.to_owned())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let http = reqwest::Client::builder()
        .timeout(Duration::from_secs(5))
        .redirect(reqwest::redirect::Policy::none())
        .build()?;
    // The defaults are those of edge-auth under `make dev`. Deployed, the issuer is its PUBLIC_URL, and the URLs begin
    // with it.
    let tokens = Tokens {
        keys: KeySet::new(http.clone(), setting("JWKS_URL", "http://127.0.0.1:8787/.well-known/jwks.json")),
        issuer: setting("ISSUER", "http://localhost:8787"),
        audience: setting("AUDIENCE", "edge-auth"),
    };
    let introspection = Introspection {
        http,
        url: setting("INTROSPECTION_URL", "http://127.0.0.1:8787/oauth/introspect"),
        // The service account of this server, with the scope `introspect`.
        client_id: setting("CLIENT_ID", ""),
        client_key: setting("CLIENT_KEY", ""),
    };
    let app = Router::new()
        .route("/profile", get(profile))
        .route("/transfer", post(transfer))
        .with_state(App { tokens: Arc::new(tokens), introspection: Arc::new(introspection) });
    let listener = TcpListener::bind(("127.0.0.1", setting("PORT", "3000").parse()?)).await?;
    println!("Listening on http://{}", listener.local_addr()?);
    Ok(axum::serve(listener, app).await?)
}
