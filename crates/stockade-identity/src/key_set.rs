//! The keys of one issuer (RFC 7517 §5), and which of them a token means.
//!
//! Must never: guess between two keys; use one that is not in the set.

use crate::algorithm::Algorithm;
use crate::jwk::VerificationKey;
use bytes::Bytes;
use stockade_core::wire::{Document, ReadError, Value, WireLimits};

/// Bytes of one key set.
pub(crate) const KEY_SET_BYTES: usize = 256 << 10;
/// Keys in one set.
const KEYS: usize = 64;

const LIMITS: WireLimits = WireLimits {
    message_bytes: KEY_SET_BYTES,
    depth: 8,
    members: 256,
    values: 8192,
    string_bytes: 64 << 10,
    name_bytes: 256,
};

/// Why a document is no key set. Nothing of the one before is lost.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum KeySetError {
    #[error("it is not strict JSON ({cause})")]
    Json {
        #[source]
        cause: ReadError,
    },
    #[error("it has no list `keys`")]
    NoKeys,
    #[error("it has more than {limit} keys")]
    TooMany { limit: usize },
}

/// The keys that are used, out of all that a document holds.
#[derive(Debug)]
pub(crate) struct KeySet {
    keys: Vec<VerificationKey>,
    /// Keys of the document that are not used: for other purposes, of unknown types, broken.
    passed_over: usize,
}

/// Which key a token means.
#[derive(Debug)]
pub(crate) enum Choice<'k> {
    /// This one.
    Key(&'k VerificationKey),
    /// None of them has this id; perhaps a newer set has.
    Unknown,
    /// One has the id and does not fit the algorithm, or several fit.
    Wrong { fitting: usize },
}

impl KeySet {
    /// Reads a key set. An entry that cannot be used is passed over (RFC 7517 §5); an empty set is one that nobody's token
    /// fits.
    pub(crate) fn read(body: Bytes) -> Result<Self, KeySetError> {
        let document = Document::read(body, &LIMITS).map_err(|cause| KeySetError::Json { cause })?;
        let list = document.root().get("keys").and_then(Value::as_array).ok_or(KeySetError::NoKeys)?;
        let entries = list.elements().count();
        if entries > KEYS {
            return Err(KeySetError::TooMany { limit: KEYS });
        }
        let keys: Vec<_> = list.elements().filter_map(|entry| VerificationKey::read(entry).ok()).collect();
        let passed_over = entries.saturating_sub(keys.len());
        Ok(Self { keys, passed_over })
    }

    pub(crate) fn keys(&self) -> &[VerificationKey] {
        &self.keys
    }

    /// For operators.
    pub(crate) fn describe(&self) -> String {
        let ids: Vec<_> = self.keys.iter().map(|key| key.id().unwrap_or("(no id)")).collect();
        format!("{} keys that are used ({}), {} that are not", ids.len(), ids.join(", "), self.passed_over)
    }

    /// The one key that a header's `kid` and `alg` mean. Without an id exactly one key may fit the algorithm.
    pub(crate) fn choose(&self, id: Option<&str>, algorithm: Algorithm) -> Choice<'_> {
        let named: Vec<_> = match id {
            Some(id) => self.keys.iter().filter(|key| key.id() == Some(id)).collect(),
            None => self.keys.iter().collect(),
        };
        if named.is_empty() {
            return Choice::Unknown;
        }
        let mut fitting = named.into_iter().filter(|key| key.fits(algorithm));
        match (fitting.next(), fitting.next()) {
            (Some(key), None) => Choice::Key(key),
            (None, _) => Choice::Wrong { fitting: 0 },
            (Some(_), Some(_)) => Choice::Wrong { fitting: 2 + fitting.count() },
        }
    }

    /// True if `other` holds the same keys under the same ids.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        let name = |key: &VerificationKey| (key.id().map(str::to_owned), *key.thumbprint(), key.only());
        self.keys.len() == other.keys.len() && self.keys.iter().map(name).eq(other.keys.iter().map(name))
    }

    /// True if the set still holds the key.
    pub(crate) fn holds(&self, thumbprint: &[u8; 32]) -> bool {
        self.keys.iter().any(|key| key.thumbprint() == thumbprint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

    fn key(id: &str) -> String {
        format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{X}","kid":"{id}"}}"#)
    }

    fn set(keys: &[String]) -> Result<KeySet, KeySetError> {
        KeySet::read(Bytes::from(format!(r#"{{"keys":[{}]}}"#, keys.join(","))))
    }

    #[test]
    fn a_token_means_one_key_or_none() {
        let keys = set(&[key("a"), key("b"), key("b"), r#"{"kty":"oct","kid":"c"}"#.to_owned()]).unwrap();
        assert_eq!(keys.describe(), "3 keys that are used (a, b, b), 1 that are not");
        let chosen = |id, algorithm| match keys.choose(id, algorithm) {
            Choice::Key(key) => format!("key {:?}", key.id()),
            Choice::Unknown => "unknown".to_owned(),
            Choice::Wrong { fitting } => format!("{fitting} fit"),
        };
        assert_eq!(chosen(Some("a"), Algorithm::Ed25519), r#"key Some("a")"#);
        assert_eq!(chosen(Some("a"), Algorithm::Es256), "0 fit");
        assert_eq!(chosen(Some("b"), Algorithm::Ed25519), "2 fit");
        assert_eq!(chosen(Some("c"), Algorithm::Ed25519), "unknown");
        assert_eq!(chosen(Some(""), Algorithm::Ed25519), "unknown");
        assert_eq!(chosen(None, Algorithm::Ed25519), "3 fit");
    }

    #[test]
    fn what_is_no_key_set_is_refused_and_an_empty_one_means_nobody() {
        for (body, expected) in [
            ("{}", "no list `keys`"),
            (r#"{"keys":{}}"#, "no list `keys`"),
            ("[]", "no list `keys`"),
            ("<html></html>", "not strict JSON"),
            (r#"{"keys":[],"keys":[]}"#, "duplicate member name"),
        ] {
            let error = KeySet::read(Bytes::from_static(body.as_bytes())).unwrap_err().to_string();
            assert!(error.contains(expected), "{body}: {error}");
        }
        let many: Vec<_> = (0..=KEYS).map(|at| key(&at.to_string())).collect();
        assert_eq!(set(&many).unwrap_err(), KeySetError::TooMany { limit: KEYS });
        assert_eq!(set(&many[1..]).unwrap().keys().len(), KEYS);
        let empty = set(&[]).unwrap();
        assert!(matches!(empty.choose(None, Algorithm::Ed25519), Choice::Unknown));
    }
}
