//! The failures of a provider, by the party that can act.

/// Why a provider could not be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProviderFault {
    /// It does not answer, or says that it cannot. A later attempt may succeed.
    Unavailable,
    /// Its answer breaks the rules of the protocol. The browser can cause that, by a changed request.
    Broken,
    /// It describes itself wrongly, or does not accept the client: the operator has to act.
    Misconfigured,
    /// It refused the code.
    RefusedCode,
}
