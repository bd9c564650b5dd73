//! The compact form of signed tokens (RFC 7515 §3.1), read strictly before anything is believed or computed.
//!
//! Must never: take a token that can be written in a second way; touch a key.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use stockade_core::wire::{Document, Kind, ReadError, Value, WireLimits};

/// Characters of one token.
pub(crate) const TOKEN_BYTES: usize = 16 << 10;
/// Bytes of a token's header once decoded.
const HEADER_BYTES: usize = 4 << 10;
/// Bytes of a signature once decoded: RSA with 8192 bits.
const SIGNATURE_BYTES: usize = 1024;

/// What a header or the claims may cost.
const LIMITS: WireLimits = WireLimits {
    message_bytes: TOKEN_BYTES,
    depth: 16,
    members: 1024,
    values: 4096,
    string_bytes: TOKEN_BYTES,
    name_bytes: 1024,
};

/// Why a text is no signed token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum JwsError {
    #[error("a text of {bytes} bytes, over the limit of {limit}")]
    TooLong { bytes: usize, limit: usize },
    #[error("{parts} parts between dots")]
    Parts { parts: usize },
    #[error("a {part} that is not base64url without padding")]
    Encoding { part: &'static str },
    #[error("an empty signature")]
    Unsigned,
    #[error("a {part} that is not strict JSON ({cause})")]
    Json {
        part: &'static str,
        #[source]
        cause: ReadError,
    },
    #[error("a {part} that is no JSON object")]
    NotObject { part: &'static str },
}

/// Having one tells you: the text is one compact JWS, and its header and claims are strict JSON objects in which each name
/// stands once. Nothing is known about its signature yet.
#[derive(Debug)]
pub(crate) struct Jws<'t> {
    text: &'t str,
    header: Document,
    claims: Document,
    signature: Vec<u8>,
    /// Where the second dot stands.
    signed: usize,
}

impl<'t> Jws<'t> {
    /// Reads a token.
    pub(crate) fn read(text: &'t str) -> Result<Self, JwsError> {
        Self::read_within(text, TOKEN_BYTES)
    }

    /// Reads a token of at most `limit` characters.
    pub(crate) fn read_within(text: &'t str, limit: usize) -> Result<Self, JwsError> {
        if text.len() > limit {
            return Err(JwsError::TooLong { bytes: text.len(), limit });
        }
        let mut parts = text.split('.');
        let (Some(header), Some(claims), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(JwsError::Parts { parts: text.split('.').count() });
        };
        let signed = header.len() + 1 + claims.len();
        let header_bytes = decode("header", header)?;
        if header_bytes.len() > HEADER_BYTES {
            return Err(JwsError::TooLong { bytes: header_bytes.len(), limit: HEADER_BYTES });
        }
        let claims_bytes = decode("payload", claims)?;
        let signature = decode("signature", signature)?;
        match signature.len() {
            0 => return Err(JwsError::Unsigned),
            bytes if bytes > SIGNATURE_BYTES => return Err(JwsError::TooLong { bytes, limit: SIGNATURE_BYTES }),
            _ => {}
        }
        let (header, claims) = (object("header", header_bytes)?, object("payload", claims_bytes)?);
        Ok(Self { text, header, claims, signature, signed })
    }

    pub(crate) fn header(&self) -> Value<'_> {
        self.header.root()
    }

    pub(crate) fn claims(&self) -> Value<'_> {
        self.claims.root()
    }

    /// What was signed (RFC 7515 §5.1).
    pub(crate) fn signed(&self) -> &[u8] {
        self.text.as_bytes().get(..self.signed).unwrap_or_default()
    }

    pub(crate) fn signature(&self) -> &[u8] {
        &self.signature
    }
}

/// The standard alphabet of URLs, no padding, no bits left over: there is one way to write each value.
pub(crate) fn decode(part: &'static str, text: &str) -> Result<Vec<u8>, JwsError> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| JwsError::Encoding { part })
}

fn object(part: &'static str, bytes: Vec<u8>) -> Result<Document, JwsError> {
    let document = Document::read(Bytes::from(bytes), &LIMITS).map_err(|cause| JwsError::Json { part, cause })?;
    if document.root().kind() != Kind::Object {
        return Err(JwsError::NotObject { part });
    }
    Ok(document)
}

/// Whether what was read gives the same text again; nothing for what is not read.
pub(crate) fn reread(text: &str) -> Option<bool> {
    let jws = Jws::read(text).ok()?;
    let (header, claims) = (jws.header.bytes(), jws.claims.bytes());
    let parts = [header.as_ref(), claims.as_ref(), jws.signature()].map(|part| URL_SAFE_NO_PAD.encode(part));
    Some(parts.join(".") == text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn encode(bytes: &[u8]) -> String {
        URL_SAFE_NO_PAD.encode(bytes)
    }

    fn check(text: &str, expected: Result<(), &str>) {
        let read = Jws::read(text).map(|_| ()).map_err(|error| error.to_string());
        match expected {
            Ok(()) => assert_eq!(read, Ok(()), "{text}"),
            Err(reason) => assert!(read.as_ref().is_err_and(|error| error.contains(reason)), "{text}: {read:?}"),
        }
    }

    #[test]
    fn a_token_has_three_parts_written_in_the_only_way() {
        let (header, claims, signature) = (encode(br#"{"alg":"ES256"}"#), encode(br#"{"a":1}"#), encode(&[7; 64]));
        check(&format!("{header}.{claims}.{signature}"), Ok(()));
        for (text, reason) in [
            (String::new(), "1 parts"),
            ("..".to_owned(), "empty signature"),
            (format!("{header}.{claims}."), "empty signature"),
            (format!("{header}.{claims}"), "2 parts"),
            (format!("{header}.{claims}.{signature}."), "4 parts"),
            (format!("{header}=.{claims}.{signature}"), "header that is not base64url"),
            (format!("{header}.{claims} .{signature}"), "payload that is not base64url"),
            (format!("{header}.{claims}.{signature}\n"), "signature that is not base64url"),
            (format!("{header}.{claims}.+/+/"), "signature that is not base64url"),
            // The same 64 bytes with bits left over at the end.
            (format!("{header}.{claims}.{}", signature.replace("Bw", "Bx")), "signature that is not base64url"),
            (format!("{}.{claims}.{signature}", encode(b"[]")), "header that is no JSON object"),
            (format!("{}.{claims}.{signature}", encode(b"{} {}")), "header that is not strict JSON"),
            (format!("{header}.{}.{signature}", encode(br#"{"a":1,"\u0061":2}"#)), "duplicate member name"),
            (format!("{header}.{}.{signature}", encode(b"{\"a\":\"\xff\"}")), "not UTF-8"),
            (format!("{header}.{}.{signature}", encode(&b"[".repeat(20))), "nested deeper"),
            (format!("{}.{claims}.{signature}", encode(&[b' '; HEADER_BYTES + 1])), "over the limit of 4096"),
            (format!("{header}.{claims}.{}", encode(&[1; 1025])), "over the limit of 1024"),
            ("a".repeat(TOKEN_BYTES + 1), "over the limit of 16384"),
        ] {
            check(&text, Err(reason));
        }
    }

    proptest! {
        #[test]
        fn whatever_is_read_is_written_back_letter_for_letter(
            header in "\\PC{0,40}", claims in "\\PC{0,40}", signature in prop::collection::vec(any::<u8>(), 0..80), cut in 0_usize..300,
        ) {
            let object = |text: &str| format!("{{{}:1}}", serde_json::json!(text));
            let text = format!("{}.{}.{}", encode(object(&header).as_bytes()), encode(object(&claims).as_bytes()), encode(&signature));
            prop_assert_eq!(reread(&text), (!signature.is_empty()).then_some(true));
            let cut = text.get(..cut.min(text.len())).unwrap_or_default();
            prop_assert_ne!(reread(cut), Some(false));
        }

        #[test]
        fn no_text_makes_the_reader_fall(text in "[A-Za-z0-9_.=-]{0,200}") {
            prop_assert_ne!(reread(&text), Some(false));
        }
    }
}
