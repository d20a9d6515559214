//! Identities of users at other providers, and the flows that sign users in with them.
//!
//! A batch redeems its flow first. The row of that is the condition of all statements behind it, so a flow has one effect,
//! also if two requests race, and a batch that is executed twice does the same once.

pub mod facts;
pub mod flows;
pub mod identities;
pub mod joining;
pub mod linking;
pub mod mailed;
pub mod sign_in;
pub mod step_up;
