//! Access tokens and proofs of possession: what nobody has signed proves nobody, and what was signed is held against every
//! check.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, OnceLock};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use stockade_core::identity::{Credential, Identity, IdentityError, Shown};
use stockade_core::ports::{Clock, Identities as _, Moment, PortFuture, Timestamp};
use stockade_core::wire::Digest;
use stockade_core::words::Secret;
use stockade_identity::{
    Authenticator, Fetch, FetchError, Fetched, Form, IssuerName, IssuerSettings, KeyBook, KeyLocation, Parts,
    ReplayRegister, Revocations, Revoked, Settings,
};
use zeroize::Zeroizing;

const RESOURCE: &str = "https://gw.test/mcp";
const ISSUER: &str = "https://as.test";
/// Seconds since 1970 by the clock that stands still.
const NOW: i64 = 1_800_000_000;
const SECOND: i64 = 1_000_000_000;
/// Seeds of the two keys that sign here.
const ISSUER_SEED: [u8; 32] = [1; 32];
const CLIENT_SEED: [u8; 32] = [2; 32];

/// The first byte says what the rest is: a token, a key set, a URL, signed claims, or a signed header.
pub fn fuzz_tokens(data: &[u8]) {
    let Some((kind, rest)) = data.split_first() else { return };
    let text = String::from_utf8_lossy(rest);
    match kind % 5 {
        0 => {
            assert_ne!(
                stockade_identity::reread_token_for_fuzz(&text),
                Some(false),
                "a token with two ways to write it"
            );
            assert!(recognise(&bearer(&text)).is_err(), "nobody signed it");
        }
        1 => assert!(stockade_identity::read_key_set_for_fuzz(rest).is_none_or(|keys| keys <= 64), "too many keys"),
        2 => {
            if let Some(once) = stockade_identity::normal_url_for_fuzz(&text) {
                let twice = stockade_identity::normal_url_for_fuzz(&once);
                assert_eq!(twice.as_ref(), Some(&once), "normal, and yet not normal");
            }
        }
        3 => check(rest, &recognise(&bearer(&signed(&ISSUER_SEED, HEADER.as_bytes(), rest)))),
        _ => {
            let token = signed(&ISSUER_SEED, rest, claims(None).to_string().as_bytes());
            // Whatever the header says beside it, these are its type, its algorithm and its key.
            if recognise(&bearer(&token)).is_ok() {
                let header: Value = serde_json::from_slice(rest).unwrap_or_default();
                let algorithm = header.get("alg").and_then(Value::as_str);
                assert!(matches!(algorithm, Some("EdDSA" | "Ed25519")), "{header}");
                assert!(header.get("kid").is_none_or(|id| id == "k"), "{header}");
                assert!(header.get("typ").is_some() && header.get("crit").is_none(), "{header}");
            }
        }
    }
}

/// The first byte says what the rest is: a proof, or the claims of one that is signed.
pub fn fuzz_proofs(data: &[u8]) {
    let Some((kind, rest)) = data.split_first() else { return };
    let client = json!({ "crv": "Ed25519", "kty": "OKP", "x": public(&CLIENT_SEED) });
    let thumbprint = encode(Digest::of(client.to_string().as_bytes()).as_bytes());
    let token = signed(&ISSUER_SEED, HEADER.as_bytes(), claims(Some(&thumbprint)).to_string().as_bytes());
    let proof = if kind % 2 == 0 {
        String::from_utf8_lossy(rest).into_owned()
    } else {
        let header = json!({ "alg": "EdDSA", "typ": "dpop+jwt", "jwk": client });
        signed(&CLIENT_SEED, header.to_string().as_bytes(), rest)
    };
    let credential = || Credential::Dpop(Secret::new(token.clone()));
    let shown = || Shown { credential: credential(), proofs: vec![proof.clone()], ..bearer("") };
    if recognise(&shown()).is_ok() {
        assert_eq!(kind % 2, 1, "nobody signed it");
        let claims: Value = serde_json::from_slice(rest).unwrap_or_default();
        assert_eq!(claims.get("htm"), Some(&json!("POST")), "{claims}");
        assert_eq!(claims.get("ath"), Some(&json!(encode(Digest::of(token.as_bytes()).as_bytes()))), "{claims}");
        let made = claims.get("iat").and_then(Value::as_f64).unwrap_or_default();
        assert!((made - NOW as f64).abs() <= 60.0, "{claims}");
        assert!(recognise(&shown()).is_err(), "a proof was good twice");
    }
}

/// What a recognised token must have said.
fn check(text: &[u8], recognised: &Result<Identity, IdentityError>) {
    let Ok(Identity { caller, standing }) = recognised else { return };
    let claims: Value = serde_json::from_slice(text).unwrap_or_default();
    let is_ours = |audience: &Value| audience == RESOURCE;
    let audience = claims.get("aud").unwrap_or(&Value::Null);
    let listed = audience.as_array().is_some_and(|audiences| audiences.iter().any(is_ours));
    assert!(is_ours(audience) || listed, "{claims}");
    assert_eq!(claims.get("iss"), Some(&json!(ISSUER)), "{claims}");
    let subject = claims.get("sub").and_then(Value::as_str).unwrap_or_default();
    let origin = caller.origin.as_ref().map(|origin| origin.subject.as_str());
    assert!(!subject.is_empty() && origin == Some(subject) && caller.name.as_str().starts_with("corp:"), "{caller:?}");
    let ends = standing.expires.map_or(i64::MAX, |ends| ends.0);
    assert!(ends > NOW * SECOND && ends <= (NOW + 24 * 3600 + 60) * SECOND, "{claims}");
    assert!(claims.get("cnf").is_none(), "a bound token passed for any bearer: {claims}");
}

const HEADER: &str = r#"{"alg":"EdDSA","typ":"at+jwt","kid":"k"}"#;

fn claims(thumbprint: Option<&str>) -> Value {
    let mut claims = json!({ "iss": ISSUER, "sub": "alice", "aud": RESOURCE, "exp": NOW + 600, "iat": NOW });
    if let (Some(thumbprint), Some(members)) = (thumbprint, claims.as_object_mut()) {
        members.insert("cnf".to_owned(), json!({ "jkt": thumbprint }));
    }
    claims
}

fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The public key of a seed. The seeds are right ones, so there is always one.
fn public(seed: &[u8; 32]) -> String {
    Ed25519KeyPair::from_seed_unchecked(seed).map(|pair| encode(pair.public_key().as_ref())).unwrap_or_default()
}

fn signed(seed: &[u8; 32], header: &[u8], claims: &[u8]) -> String {
    let message = format!("{}.{}", encode(header), encode(claims));
    let signature = Ed25519KeyPair::from_seed_unchecked(seed).map(|pair| pair.sign(message.as_bytes()));
    let signature = signature.map(|signature| encode(signature.as_ref())).unwrap_or_default();
    format!("{message}.{signature}")
}

fn bearer(token: &str) -> Shown {
    let credential = Credential::Bearer(Secret::new(token.to_owned()));
    Shown { http_method: "POST", url: RESOURCE.to_owned(), ..Shown::only(credential) }
}

/// Recognises by an authenticator that has the issuer's keys. Nothing here waits for anything.
fn recognise(shown: &Shown) -> Result<Identity, IdentityError> {
    static AUTHENTICATOR: OnceLock<Option<Authenticator>> = OnceLock::new();
    let nobody = || IdentityError::Unavailable { reason: "no authenticator".to_owned() };
    let authenticator = AUTHENTICATOR.get_or_init(authenticator).as_ref();
    assert!(authenticator.is_some(), "the settings are right");
    let authenticator = authenticator.ok_or_else(nobody)?;
    let mut context = Context::from_waker(Waker::noop());
    match authenticator.identify(shown).as_mut().poll(&mut context) {
        Poll::Ready(identified) => identified,
        // An unknown key would be asked for, and nobody asks here.
        Poll::Pending => Err(nobody()),
    }
}

fn authenticator() -> Option<Authenticator> {
    let name = IssuerName::parse("corp").ok()?;
    let mut settings = Settings::nobody(RESOURCE, "test");
    let mut issuer = IssuerSettings::new(name.clone(), ISSUER);
    issuer.keys = Some(KeyLocation::Address(format!("{ISSUER}/jwks")));
    settings.issuers = vec![issuer];
    settings.remembered_tokens = 16;
    let world = Arc::new(World::default());
    let parts = Parts {
        clock: world.clone(),
        keys: world.clone(),
        revocations: world.clone(),
        replays: world.clone(),
        fetchers: BTreeMap::from([(name, world as Arc<dyn Fetch>)]),
        nonce_key: Zeroizing::new([0; 32]),
    };
    let authenticator = Authenticator::new(settings, parts).ok()?;
    let mut context = Context::from_waker(Waker::noop());
    // One turn of the one who keeps the keys fetches them.
    let is_pending = std::pin::pin!(authenticator.keep()).poll(&mut context).is_pending();
    is_pending.then_some(authenticator)
}

/// Every port; the clock stands still.
#[derive(Default)]
struct World {
    proofs: Mutex<HashSet<[u8; 32]>>,
}

impl Clock for World {
    fn wall(&self) -> Timestamp {
        Timestamp(NOW * SECOND)
    }
    fn moment(&self) -> Moment {
        Moment(Duration::ZERO)
    }
    fn sleep_until(&self, _: Moment) -> PortFuture<'static, ()> {
        Box::pin(std::future::pending())
    }
}

impl Fetch for World {
    fn get<'a>(&'a self, _: &'a str, _: usize) -> PortFuture<'a, Result<Fetched, FetchError>> {
        let keys = json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "kid": "k", "x": public(&ISSUER_SEED) }] });
        let content_type = Some("application/json".to_owned());
        let body = Bytes::from(keys.to_string());
        Box::pin(std::future::ready(Ok(Fetched { status: 200, content_type, body, max_age: None })))
    }
    fn post_form<'a>(&'a self, _: &'a str, _: Form, _: usize) -> PortFuture<'a, Result<Fetched, FetchError>> {
        Box::pin(std::future::ready(Err(FetchError::Refused { reason: "nothing is introspected".to_owned() })))
    }
}

impl KeyBook for World {
    fn holder(&self, _: &Secret) -> Result<Identity, IdentityError> {
        Err(IdentityError::UnknownKey)
    }
}

impl Revocations for World {
    fn is_revoked(&self, _: Revoked<'_>) -> Result<bool, IdentityError> {
        Ok(false)
    }
}

impl ReplayRegister for World {
    fn first_use(&self, hash: [u8; 32], _: Timestamp) -> Result<bool, IdentityError> {
        let full = || IdentityError::Unavailable { reason: "poisoned".to_owned() };
        Ok(self.proofs.lock().map_err(|_| full())?.insert(hash))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_right_token_and_a_right_proof_are_recognised() {
        let token = signed(&ISSUER_SEED, HEADER.as_bytes(), claims(None).to_string().as_bytes());
        assert!(recognise(&bearer(&token)).is_ok());
        let client = json!({ "crv": "Ed25519", "kty": "OKP", "x": public(&CLIENT_SEED) });
        let thumbprint = encode(Digest::of(client.to_string().as_bytes()).as_bytes());
        let token = signed(&ISSUER_SEED, HEADER.as_bytes(), claims(Some(&thumbprint)).to_string().as_bytes());
        let hash = encode(Digest::of(token.as_bytes()).as_bytes());
        let proof = json!({ "htm": "POST", "htu": RESOURCE, "iat": NOW, "jti": "in the test alone", "ath": hash });
        let header = json!({ "alg": "EdDSA", "typ": "dpop+jwt", "jwk": client });
        let proof = signed(&CLIENT_SEED, header.to_string().as_bytes(), proof.to_string().as_bytes());
        let shown = Shown { credential: Credential::Dpop(Secret::new(token)), proofs: vec![proof], ..bearer("") };
        assert!(recognise(&shown).is_ok());
    }
}
