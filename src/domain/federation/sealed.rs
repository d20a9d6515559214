//! The text of an identity that a provider asserted, between the callback and the exchange, or while a mailed code is awaited.
//! It is encrypted and in the hands of the client, so nothing personal is stored before there is an account.

use crate::domain::account::email::Email;
use crate::domain::account::full_name::FullName;
use crate::domain::federation::assertion::Assertion;
use crate::domain::ids::{FlowId, ProofId};
use crate::domain::json::JsonText;
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

/// The members in the text, in this order; an absent one is empty.
const MEMBERS: usize = 11;

impl SealedAssertion {
    /// The text to be encrypted: a list of texts, because it stands in a URL.
    #[must_use]
    pub fn text(&self) -> String {
        let Assertion { issuer, subject, email, is_email_verified, name, hosted_domain, auth_time } = &self.assertion;
        let members: [String; MEMBERS] = [
            self.flow_id.to_string(),
            self.proof_id.map(|id| id.to_string()).unwrap_or_default(),
            self.ends_at.millis().to_string(),
            self.provider.clone(),
            issuer.clone(),
            subject.clone(),
            email.as_ref().map(|email| email.as_str().to_owned()).unwrap_or_default(),
            u8::from(*is_email_verified).to_string(),
            name.as_ref().map(|name| name.as_str().to_owned()).unwrap_or_default(),
            hosted_domain.clone().unwrap_or_default(),
            auth_time.map(|at| at.millis().to_string()).unwrap_or_default(),
        ];
        // Texts: serialization cannot fail.
        serde_json::to_string(&members.as_slice()).unwrap_or_default()
    }

    /// Reads a decrypted text, unless its time is over.
    #[must_use]
    pub fn read(text: &str, now: Timestamp) -> Option<Self> {
        let members: [String; MEMBERS] = JsonText::parse_texts(text)?.try_into().ok()?;
        let [flow, proof, end, provider, issuer, subject, email, verified, name, hosted_domain, auth_time] = members;
        let time = |text: &str| text.parse().ok().map(Timestamp::from_millis);
        let present = |text: String| (!text.is_empty()).then_some(text);
        let assertion = Assertion {
            issuer,
            subject,
            email: present(email).map(Email::stored),
            is_email_verified: verified == "1",
            name: FullName::parse(&name).ok().flatten(),
            hosted_domain: present(hosted_domain),
            auth_time: time(&auth_time),
        };
        let (flow_id, ends_at) = (FlowId::parse(&flow)?, time(&end)?);
        let sealed = Self { flow_id, proof_id: ProofId::parse(&proof), provider, assertion, ends_at };
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
        let text = r#"["7","8","1800000001000","acme","https://id.example.com","4711","ada@example.com","1","Ada","example.com","1800000000000"]"#;
        assert_eq!(sealed.text(), text);
        let read = SealedAssertion::read(text, NOW).unwrap();
        assert_eq!(read.text(), text);
        assert!(SealedAssertion::read(text, NOW.plus_seconds(1)).is_none(), "its time is over");
        let least = r#"["7","","1800000001000","acme","i","s","","0","","",""]"#;
        let read = SealedAssertion::read(least, NOW).unwrap();
        assert_eq!(read.text(), least);
        assert!(read.proof_id.is_none() && read.assertion.email.is_none() && read.assertion.auth_time.is_none());
        for text in ["", "{}", "[]", r#"["0","","1800000001000","acme","i","s","","0","","",""]"#] {
            assert!(SealedAssertion::read(text, NOW).is_none(), "{text}");
        }
    }
}
