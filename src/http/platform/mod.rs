//! The service itself over HTTP: health, operation, description, pages.

pub(crate) mod description;
pub(in crate::http) mod document;
pub(in crate::http) mod etag;
pub(crate) mod health;
pub(crate) mod operator;
mod page_settings;
pub(crate) mod pages;
