//! What a key looks like: `stk_` + id + `_` + 256 random bits in base64url.
//!
//! Must never: keep the text anywhere but in what it hands out.

use crate::key_ring::OsEntropy;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::fmt;
use stockade_core::ports::Entropy;
use stockade_core::words::Secret;
use zeroize::Zeroizing;

/// What every key begins with, so that scanners for leaked secrets find them.
pub const KEY_PREFIX: &str = "stk_";
/// What ids are made of: none begins with a `-`, which a command line would take for an option.
const ID_ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
const ID_CHARACTERS: usize = 8;

/// The public part of a key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct KeyId(String);

impl KeyId {
    /// The id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// An id that the database holds.
    pub(super) const fn of_database(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A new key: its id, and the whole text, which is handed out once.
pub(super) fn make() -> (KeyId, Secret) {
    let mut id = [0; ID_CHARACTERS];
    let mut secret = Zeroizing::new([0; 32]);
    OsEntropy.fill(&mut id);
    OsEntropy.fill(secret.as_mut_slice());
    let character = |byte: &u8| ID_ALPHABET.get(usize::from(byte & 31)).map(|letter| char::from(*letter));
    let id: String = id.iter().filter_map(character).collect();
    let secret = Zeroizing::new(URL_SAFE_NO_PAD.encode(secret.as_slice()));
    let text = format!("{KEY_PREFIX}{id}_{}", secret.as_str());
    (KeyId(id), Secret::new(text))
}

/// The id in a key's text. For a text that is no key it is one that no key has, so that both cost the same.
pub(super) fn id_of(text: &str) -> &str {
    let id = text.strip_prefix(KEY_PREFIX).and_then(|rest| rest.split_once('_')).map(|(id, _)| id);
    id.filter(|id| id.len() == ID_CHARACTERS).unwrap_or_default()
}
