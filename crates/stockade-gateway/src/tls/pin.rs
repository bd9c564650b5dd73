//! Pins: the digest of a public key that an upstream must have.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::fmt;
use std::str::FromStr;
use stockade_core::wire::Digest;

const PREFIX: &str = "sha256/";

/// The SHA-256 of a certificate's SubjectPublicKeyInfo in DER (RFC 7469 §2.4). It stays the same when a certificate is
/// renewed with its key. Written `sha256/` and the digest in base64.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyPin([u8; 32]);

/// It is no pin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is no pin: that is `sha256/` and the SHA-256 of a public key in 44 characters of base64")]
pub struct KeyPinError;

impl KeyPin {
    /// The pin of a SubjectPublicKeyInfo.
    pub(super) fn of(public_key: &[u8]) -> Self {
        Self(*Digest::of(public_key).as_bytes())
    }
}

impl FromStr for KeyPin {
    type Err = KeyPinError;

    fn from_str(text: &str) -> Result<Self, KeyPinError> {
        let digest = text.strip_prefix(PREFIX).and_then(|digits| STANDARD.decode(digits).ok());
        digest.and_then(|digest| digest.try_into().ok()).map(Self).ok_or(KeyPinError)
    }
}

impl fmt::Display for KeyPin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", STANDARD.encode(self.0))
    }
}

impl fmt::Debug for KeyPin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_has_one_way_to_be_written() {
        let right = KeyPin::of(b"a key").to_string();
        assert_eq!(right.parse::<KeyPin>().unwrap(), KeyPin::of(b"a key"));
        assert_eq!(right.len(), PREFIX.len() + 44);
        let digits = right.strip_prefix(PREFIX).unwrap();
        for wrong in [
            digits.to_owned(),
            format!("sha1/{digits}"),
            format!("SHA256/{digits}"),
            format!("sha256/{}", digits.trim_end_matches('=')),
            format!("sha256/{digits}="),
            format!("sha256/ {digits}"),
            format!("sha256//{digits}"),
            "sha256/".to_owned(),
            format!("sha256/{}", STANDARD.encode([0; 31])),
            format!("sha256/{}", STANDARD.encode([0; 33])),
            String::new(),
        ] {
            assert_eq!(wrong.parse::<KeyPin>(), Err(KeyPinError), "{wrong}");
        }
    }
}
