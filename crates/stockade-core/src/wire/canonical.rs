//! The form of a value that is the same however it was written, and its digest.
//!
//! Members sorted by name, no white space, strings with the fewest escapes, numbers as written. Two documents with the
//! same canonical form mean the same to every correct JSON reader; `1` and `1.0` stay apart on purpose.

use super::document::{Kind, Value};
use super::text::push_json_string;
use sha2::{Digest as _, Sha256};
use std::fmt;

/// A SHA-256 digest (FIPS 180-4).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of `bytes` as they are.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The 32 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{self}")
    }
}

/// The digest of the canonical form of `value`.
#[must_use]
pub fn canonical_digest(value: Value<'_>) -> Digest {
    let mut out = Vec::with_capacity(value.span().len());
    push_canonical(&mut out, value);
    Digest::of(&out)
}

/// Recursion is safe: the reader has limited the depth to `WireLimits::DEPTH_CEILING`.
fn push_canonical(out: &mut Vec<u8>, value: Value<'_>) {
    match value.kind() {
        Kind::Object => {
            let mut members: Vec<_> = value.as_object().into_iter().flat_map(|object| object.members()).collect();
            members.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
            out.push(b'{');
            for (position, (name, value)) in members.into_iter().enumerate() {
                if position > 0 {
                    out.push(b',');
                }
                push_json_string(out, &name);
                out.push(b':');
                push_canonical(out, value);
            }
            out.push(b'}');
        }
        Kind::Array => {
            out.push(b'[');
            for (position, value) in value.as_array().into_iter().flat_map(|array| array.elements()).enumerate() {
                if position > 0 {
                    out.push(b',');
                }
                push_canonical(out, value);
            }
            out.push(b']');
        }
        Kind::String => push_json_string(out, &value.as_str().unwrap_or_default()),
        Kind::Null | Kind::Bool | Kind::Number => out.extend_from_slice(value.raw().as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Document, WireLimits};
    use super::*;
    use bytes::Bytes;

    fn digest(text: &'static str) -> Digest {
        canonical_digest(Document::read(Bytes::from_static(text.as_bytes()), &WireLimits::DEFAULT).unwrap().root())
    }

    #[test]
    fn order_space_and_escapes_do_not_count_but_values_do() {
        let one = digest(r#"{"a":1,"b":["x",{"c":null,"d":true}]}"#);
        assert_eq!(one, digest("{ \"b\" : [ \"\\u0078\" , {\"d\":true,\"c\":null} ], \"a\":1 }"));
        for other in [r#"{"a":1,"b":["y",{"c":null,"d":true}]}"#, r#"{"a":1.0,"b":["x",{"c":null,"d":true}]}"#] {
            assert_ne!(one, digest(other));
        }
    }
}
