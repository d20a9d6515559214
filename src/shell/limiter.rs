//! Limits at the door: the platform's rate-limit bindings, which count where the request arrives.

use worker::Env;
use worker::js_sys::futures::JsFuture;
use worker::js_sys::{Object, Reflect};
use worker::send::SendFuture;
use worker::wasm_bindgen::{JsCast as _, JsValue};
use worker::worker_sys::RateLimiter;

use crate::domain::limits::Door;
use crate::ports::{Limiter, PortFuture};

/// The limiters of this deployment.
pub(super) struct DoorLimiter {
    env: Env,
}

impl DoorLimiter {
    pub(super) fn new(env: &Env) -> Self {
        Self { env: env.clone() }
    }
}

impl Limiter for DoorLimiter {
    fn admit(&self, door: Door, key: String) -> PortFuture<'_, bool> {
        Box::pin(SendFuture::new(async move {
            ask(&self.env, door, &key).await.unwrap_or_else(|cause| {
                let cause = format!("{cause:?}");
                tracing::error!(target: "app.errors", limiter = door.binding(), cause, "Rate limiter does not answer");
                true
            })
        }))
    }
}

async fn ask(env: &Env, door: Door, key: &str) -> Result<bool, JsValue> {
    let limiter: RateLimiter = Reflect::get(env, &JsValue::from_str(door.binding()))?.unchecked_into();
    let options = Object::new();
    Reflect::set(&options, &JsValue::from_str("key"), &JsValue::from_str(key))?;
    let outcome = JsFuture::from(limiter.limit(options)?).await?;
    Ok(Reflect::get(&outcome, &JsValue::from_str("success"))?.is_truthy())
}
