//! The text of an identity that a provider asserted, between the callback and the exchange, or while a mailed code is awaited.
//! It is encrypted and in the hands of the client, so nothing personal is stored before there is an account.

use serde::{Deserialize, Serialize};

use crate::domain::account::email::Email;
use crate::domain::account::full_name::FullName;
use crate::domain::federation::id_token::Assertion;
use crate::domain::ids::{FlowId, ProofId};
use crate::domain::time::Timestamp;

/// An asserted identity, and the flow that it belongs to.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "the names say it")]
pub struct SealedAssertion {
    pub flow_id: FlowId,
    /// The proof whose code was mailed to the address, if one was.
    pub proof_id: Option<ProofId>,
    /// The id of the provider.
    pub provider: String,
    pub assertion: Assertion,
    pub ends_at: Timestamp,
}

/// One letter for each member, because the text stands in a URL.
#[derive(Serialize, Deserialize)]
struct Wire {
    f: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    m: Option<i64>,
    p: String,
    i: String,
    s: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    e: Option<String>,
    v: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    n: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    h: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    t: Option<i64>,
    x: i64,
}

impl SealedAssertion {
    /// The text to be encrypted.
    #[must_use]
    pub fn text(&self) -> String {
        let assertion = &self.assertion;
        let wire = Wire {
            f: self.flow_id.get(),
            m: self.proof_id.map(ProofId::get),
            p: self.provider.clone(),
            i: assertion.issuer.clone(),
            s: assertion.subject.clone(),
            e: assertion.email.as_ref().map(|email| email.as_str().to_owned()),
            v: assertion.is_email_verified,
            n: assertion.name.as_ref().map(|name| name.as_str().to_owned()),
            h: assertion.hosted_domain.clone(),
            t: assertion.auth_time.map(Timestamp::millis),
            x: self.ends_at.millis(),
        };
        // Texts and numbers: serialization cannot fail.
        serde_json::to_string(&wire).unwrap_or_default()
    }

    /// Reads a decrypted text, unless its time is over.
    #[must_use]
    pub fn read(text: &str, now: Timestamp) -> Option<Self> {
        let wire: Wire = serde_json::from_str(text).ok()?;
        let ends_at = Timestamp::from_millis(wire.x);
        let assertion = Assertion {
            issuer: wire.i,
            subject: wire.s,
            email: wire.e.map(Email::stored),
            is_email_verified: wire.v,
            name: wire.n.and_then(|name| FullName::parse(&name).ok().flatten()),
            hosted_domain: wire.h,
            auth_time: wire.t.map(Timestamp::from_millis),
        };
        let proof_id = wire.m.map(|id| ProofId::new(id).ok_or(())).transpose().ok()?;
        let sealed = Self { flow_id: FlowId::new(wire.f)?, proof_id, provider: wire.p, assertion, ends_at };
        (ends_at > now).then_some(sealed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

    #[test]
    fn format_unchanged() {
        let assertion = Assertion {
            issuer: "https://id.example.com".into(),
            subject: "4711".into(),
            email: Some(Email::stored("ada@example.com")),
            is_email_verified: true,
            name: FullName::parse("Ada").unwrap(),
            hosted_domain: Some("example.com".into()),
            auth_time: Some(NOW),
        };
        let (flow_id, proof_id) = (FlowId::new(7).unwrap(), ProofId::new(8));
        let sealed =
            SealedAssertion { flow_id, proof_id, provider: "acme".into(), assertion, ends_at: NOW.plus_seconds(1) };
        let text = r#"{"f":7,"m":8,"p":"acme","i":"https://id.example.com","s":"4711","e":"ada@example.com","v":true,"n":"Ada","h":"example.com","t":1800000000000,"x":1800000001000}"#;
        assert_eq!(sealed.text(), text);
        let read = SealedAssertion::read(text, NOW).unwrap();
        assert_eq!(read.text(), text);
        assert!(SealedAssertion::read(text, NOW.plus_seconds(1)).is_none(), "its time is over");
        let least = r#"{"f":7,"p":"acme","i":"i","s":"s","v":false,"x":1800000001000}"#;
        assert_eq!(SealedAssertion::read(least, NOW).unwrap().text(), least);
        for text in ["", "{}", r#"{"f":0,"p":"a","i":"i","s":"s","v":false,"x":1800000001000}"#] {
            assert!(SealedAssertion::read(text, NOW).is_none(), "{text}");
        }
    }
}
