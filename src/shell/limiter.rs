//! Rate limits per client network: the platform's rate-limit bindings, which count per location.

use std::pin::pin;
use std::time::Duration;

use futures_util::future::{Either, select};
use worker::js_sys::futures::JsFuture;
use worker::js_sys::{Object, Reflect};
use worker::send::SendFuture;
use worker::wasm_bindgen::{JsCast as _, JsValue};
use worker::worker_sys::RateLimiter;
use worker::{Delay, Env};

use crate::domain::limits::RateLimit;
use crate::ports::{Limiter, PortFuture};

/// The binding counts in local memory, so a longer wait means that it has failed.
const DEADLINE: Duration = Duration::from_millis(250);

/// The rate-limit bindings of this deployment.
pub(super) struct BindingLimiter {
    env: Env,
}

impl BindingLimiter {
    pub(super) fn new(env: &Env) -> Self {
        Self { env: env.clone() }
    }
}

impl Limiter for BindingLimiter {
    fn admit(&self, rate_limit: RateLimit, key: String) -> PortFuture<'_, bool> {
        Box::pin(SendFuture::new(async move {
            let answer = pin!(ask(&self.env, rate_limit, &key));
            let cause = match select(answer, pin!(Delay::from(DEADLINE))).await {
                Either::Left((Ok(admitted), _)) => return admitted,
                Either::Left((Err(cause), _)) => format!("{cause:?}"),
                Either::Right(_) => "no answer in time".to_owned(),
            };
            tracing::error!(target: "app.errors", limiter = rate_limit.binding(), cause, "Rate limiter does not answer");
            true
        }))
    }
}

async fn ask(env: &Env, rate_limit: RateLimit, key: &str) -> Result<bool, JsValue> {
    let limiter: RateLimiter = Reflect::get(env, &JsValue::from_str(rate_limit.binding()))?.unchecked_into();
    let options = Object::new();
    Reflect::set(&options, &JsValue::from_str("key"), &JsValue::from_str(key))?;
    let outcome = JsFuture::from(limiter.limit(options)?).await?;
    Ok(Reflect::get(&outcome, &JsValue::from_str("success"))?.is_truthy())
}
