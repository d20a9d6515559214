//! The assets binding: the static files deployed with the Worker.

use worker::js_sys::futures::JsFuture;
use worker::js_sys::{Promise, Reflect};
use worker::send::{SendFuture, SendWrapper};
use worker::wasm_bindgen::{JsCast, JsValue};
use worker::worker_sys::types::Fetcher;
use worker::{Env, web_sys};

use crate::ports::{AssetError, AssetStream, Assets, PortFuture};

/// The static files of this deployment.
///
/// The binding is called directly. The `Fetcher` of the `worker` crate takes a parsed URL, which would add the tables
/// of internationalised host names to the Wasm.
pub(super) struct DeployedAssets(Env);

impl DeployedAssets {
    pub(super) fn new(env: &Env) -> Self {
        Self(env.clone())
    }

    async fn fetch(&self, path: &'static str) -> Result<web_sys::Response, AssetError> {
        let error = |cause: String| AssetError { path, cause };
        let binding = Reflect::get(&self.0, &JsValue::from_str("ASSETS")).ok().filter(JsValue::is_object);
        let fetcher: Fetcher = binding.ok_or_else(|| error("no ASSETS binding".to_owned()))?.unchecked_into();
        // The binding uses only the path, but a URL needs a host.
        let response = settle(fetcher.fetch_with_str(&format!("https://assets.invalid{path}"))).await;
        let response: web_sys::Response = response.map_err(error)?.unchecked_into();
        if response.status() == 200 { Ok(response) } else { Err(error(format!("status {}", response.status()))) }
    }
}

impl Assets for DeployedAssets {
    fn text(&self, path: &'static str) -> PortFuture<'_, Result<String, AssetError>> {
        Box::pin(SendFuture::new(async move {
            let error = |cause: String| AssetError { path, cause };
            let text = settle(self.fetch(path).await?.text()).await.map_err(error)?;
            text.as_string().ok_or_else(|| error("no text".to_owned()))
        }))
    }

    fn stream(&self, path: &'static str) -> PortFuture<'_, Result<AssetStream, AssetError>> {
        Box::pin(SendFuture::new(async move {
            let content = SendWrapper::new(self.fetch(path).await?.body());
            Ok(AssetStream(Box::new(content)))
        }))
    }
}

/// The content that `stream` put into an [`AssetStream`], for the writer of the response.
pub(super) fn content(stream: &AssetStream) -> Option<web_sys::ReadableStream> {
    stream.0.downcast_ref::<SendWrapper<Option<web_sys::ReadableStream>>>()?.0.clone()
}

async fn settle(promise: Result<Promise, JsValue>) -> Result<JsValue, String> {
    let settled = JsFuture::from(promise.map_err(|error| format!("{error:?}"))?).await;
    settled.map_err(|error| format!("{error:?}"))
}
