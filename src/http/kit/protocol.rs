//! The refusals of HTTP itself: such requests never reach a use case.

/// The reason for a refusal that precedes every operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProtocolError {
    /// The path exists, but not for this method (RFC 9110 §15.5.6).
    MethodNotAllowed,
    /// The body was not complete in time (RFC 9110 §15.5.9).
    RequestTimeout,
    /// The body is larger than the service reads (RFC 9110 §15.5.14).
    PayloadTooLarge,
    /// An import is larger, or has more lines, than the service reads. It has the code of the former.
    ImportTooLarge,
    /// The `Content-Type` is not JSON (RFC 9110 §15.5.16).
    UnsupportedMediaType,
    /// The `Content-Type` is no form, at an endpoint that takes one. It has the code of the former.
    FormExpected,
    /// The `Content-Type` is not that of lines of JSON, at an endpoint that takes them. It has the code of the former.
    LinesExpected,
    /// The body is compressed, or coded otherwise (RFC 9110 §15.5.16). It has the code of the former.
    UnsupportedContentCoding,
}

impl ProtocolError {
    /// One error per code, in the order of the contract.
    pub const ALL: [Self; 4] =
        [Self::MethodNotAllowed, Self::RequestTimeout, Self::PayloadTooLarge, Self::UnsupportedMediaType];

    /// The row of the table: wire code, HTTP status, message.
    const fn row(self) -> (&'static str, u16, &'static str) {
        match self {
            Self::MethodNotAllowed => ("METHOD_NOT_ALLOWED", 405, "Method not allowed"),
            Self::RequestTimeout => ("REQUEST_TIMEOUT", 408, "Request body did not arrive in time"),
            Self::PayloadTooLarge => ("PAYLOAD_TOO_LARGE", 413, "Request body is larger than 16 KiB"),
            Self::ImportTooLarge => ("PAYLOAD_TOO_LARGE", 413, "An import has at most 500 lines and 1 MiB"),
            Self::UnsupportedMediaType => ("UNSUPPORTED_MEDIA_TYPE", 415, "Content-Type must be application/json"),
            Self::FormExpected => {
                ("UNSUPPORTED_MEDIA_TYPE", 415, "Content-Type must be application/x-www-form-urlencoded")
            }
            Self::LinesExpected => ("UNSUPPORTED_MEDIA_TYPE", 415, "Content-Type must be application/x-ndjson"),
            Self::UnsupportedContentCoding => ("UNSUPPORTED_MEDIA_TYPE", 415, "Content-Encoding must be identity"),
        }
    }

    /// The code in the response, part of the wire contract.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.row().0
    }

    /// The HTTP status of the response.
    #[must_use]
    pub const fn status(self) -> u16 {
        self.row().1
    }

    /// The message of the response.
    #[must_use]
    pub const fn message(self) -> &'static str {
        self.row().2
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn wire_codes_and_statuses_unchanged() {
        let table = ProtocolError::ALL.map(|error| (error.as_str(), error.status()));
        let contract = [
            ("METHOD_NOT_ALLOWED", 405),
            ("REQUEST_TIMEOUT", 408),
            ("PAYLOAD_TOO_LARGE", 413),
            ("UNSUPPORTED_MEDIA_TYPE", 415),
        ];
        assert_eq!(table, contract);
    }
}
