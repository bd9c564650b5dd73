//! The keys that sign access tokens: ES256, one in use, the next one published before it signs, the last one until its tokens
//! have ended.
//!
//! Must never: sign with a key that verifiers cannot have seen; publish a private part.

use crate::store::{IssuerStore, IssuerStoreError, Only, SigningKeyRecord, after};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, UnparsedPublicKey,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use std::time::Duration;
use stockade_core::ports::Timestamp;
use zeroize::Zeroizing;

/// How long a new key is published before it signs. Verifiers may keep the key set for at most [`KEY_SET_LIFE`].
pub const OVERLAP: Duration = Duration::from_secs(600);
/// How long a verifier may keep the key set.
pub const KEY_SET_LIFE: Duration = Duration::from_secs(300);
/// How long a key signs before the next one is made by itself.
pub const KEY_LIFE: Duration = Duration::from_secs(30 * 24 * 3_600);
/// How much longer than its last token a key is published: for clocks that differ.
const GRACE: Duration = Duration::from_secs(120);
const _: () = assert!(KEY_SET_LIFE.as_secs() < OVERLAP.as_secs(), "a verifier must see a key before it signs");

/// Why there is no key to sign with.
#[derive(Debug, thiserror::Error)]
pub enum SigningKeyError {
    /// The store failed.
    #[error("the signing keys cannot be used")]
    Store {
        /// What it said.
        #[source]
        cause: IssuerStoreError,
    },
    /// A key in the store is none.
    #[error("the signing key `{id}` is damaged; rotate the keys")]
    Damaged {
        /// Which one.
        id: String,
    },
    /// No key signs yet: the clock stands before all of them.
    #[error("no signing key is in use; check the clock")]
    NoneInUse,
    /// A key could not be made.
    #[error("a signing key could not be made")]
    Generator,
}

/// One key pair.
pub(crate) struct SigningKey {
    pub(crate) id: String,
    pair: EcdsaKeyPair,
    signs_from: Timestamp,
}

impl SigningKey {
    fn read(record: &SigningKeyRecord) -> Result<Self, SigningKeyError> {
        let damaged = || SigningKeyError::Damaged { id: record.id.clone() };
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &record.pkcs8).map_err(|_| damaged())?;
        let key = Self { id: record.id.clone(), pair, signs_from: record.signs_from };
        // The name is made from the key, so one that was put in another's place shows.
        if key.coordinates().map(|(x, y)| thumbprint(&x, &y)).as_deref() == Some(record.id.as_str()) {
            Ok(key)
        } else {
            Err(damaged())
        }
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SigningKeyError> {
        let signature = self.pair.sign(&SystemRandom::new(), message).map_err(|_| SigningKeyError::Generator)?;
        Ok(signature.as_ref().to_vec())
    }

    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, self.pair.public_key().as_ref());
        public.verify(message, signature).is_ok()
    }

    /// RFC 7517, RFC 7518 §6.2.1.
    fn to_jwk(&self) -> Option<Value> {
        let (x, y) = self.coordinates()?;
        Some(json!({ "kty": "EC", "crv": "P-256", "x": x, "y": y, "kid": self.id, "use": "sig", "alg": "ES256" }))
    }

    fn coordinates(&self) -> Option<(String, String)> {
        coordinates(&self.pair)
    }
}

fn coordinates(pair: &EcdsaKeyPair) -> Option<(String, String)> {
    // SEC 1 §2.3.3: 4, x, y.
    let (form, point) = pair.public_key().as_ref().split_first()?;
    let (x, y) = point.split_at_checked(32)?;
    (*form == 4 && y.len() == 32).then(|| (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y)))
}

/// RFC 7638 §3.
fn thumbprint(x: &str, y: &str) -> String {
    let members = format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#);
    URL_SAFE_NO_PAD.encode(digest(&SHA256, members.as_bytes()))
}

/// The keys that are published now, the one that signs from the earliest first.
pub(crate) struct SigningKeys(Vec<SigningKey>);

impl SigningKeys {
    /// Reads the keys that no time has ended; forgets the others.
    pub(crate) fn read(store: &dyn IssuerStore, now: Timestamp) -> Result<Self, SigningKeyError> {
        let failed = |cause| SigningKeyError::Store { cause };
        let records = store.signing_keys().map_err(failed)?;
        let mut kept = Vec::with_capacity(records.len());
        let mut next = records.iter().skip(1);
        for record in &records {
            let ended = next.next().is_some_and(|next| after(next.signs_from, crate::ACCESS_LIFE + GRACE) <= now);
            if ended {
                store.forget_signing_key(&record.id).map_err(failed)?;
            } else {
                kept.push(SigningKey::read(record)?);
            }
        }
        Ok(Self(kept))
    }

    /// The one that signs now: the newest of those that may.
    pub(crate) fn in_use(&self, now: Timestamp) -> Result<&SigningKey, SigningKeyError> {
        self.0.iter().rev().find(|key| key.signs_from <= now).ok_or(SigningKeyError::NoneInUse)
    }

    pub(crate) fn find(&self, id: &str) -> Option<&SigningKey> {
        self.0.iter().find(|key| key.id == id)
    }

    /// RFC 7517 §5.
    pub(crate) fn to_jwks(&self) -> Value {
        json!({ "keys": self.0.iter().filter_map(SigningKey::to_jwk).collect::<Vec<_>>() })
    }

    /// True if the newest key has signed for so long that the next one should be made.
    pub(crate) fn are_old(&self, now: Timestamp) -> bool {
        self.0.last().is_none_or(|newest| after(newest.signs_from, KEY_LIFE) <= now)
    }
}

/// Makes the first key, unless there is one; it signs at once, because nobody has a key set yet.
pub(crate) fn make_first(store: &dyn IssuerStore, now: Timestamp) -> Result<(), SigningKeyError> {
    let failed = |cause| SigningKeyError::Store { cause };
    if store.signing_keys().map_err(failed)?.is_empty() {
        store.keep_signing_key(&generate(now)?, Only::IfNone).map_err(failed)?;
    }
    Ok(())
}

/// Makes the next key, which signs after [`OVERLAP`]. Returns its id.
pub(crate) fn make_next(store: &dyn IssuerStore, now: Timestamp) -> Result<String, SigningKeyError> {
    let record = generate(after(now, OVERLAP))?;
    store.keep_signing_key(&record, Only::Always).map_err(|cause| SigningKeyError::Store { cause })?;
    Ok(record.id)
}

fn generate(signs_from: Timestamp) -> Result<SigningKeyRecord, SigningKeyError> {
    let made = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new());
    let pkcs8 = made.map_err(|_| SigningKeyError::Generator)?;
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref());
    let (x, y) = pair.ok().as_ref().and_then(coordinates).ok_or(SigningKeyError::Generator)?;
    Ok(SigningKeyRecord { id: thumbprint(&x, &y), pkcs8: Zeroizing::new(pkcs8.as_ref().to_vec()), signs_from })
}
