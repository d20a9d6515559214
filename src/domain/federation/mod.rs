//! Signing in with others: the rules for identity providers, their documents and their tokens.

pub mod assertion;
pub mod decision;
pub mod destination;
pub mod flow;
pub mod github;
pub mod id_token;
pub mod key_set;
pub mod metadata;
pub mod provider;
pub mod provider_fault;
pub mod return_error;
pub mod sealed;
pub mod token_response;
