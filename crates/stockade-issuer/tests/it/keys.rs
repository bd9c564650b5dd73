//! Signing keys: published before they sign, until their last token has ended.

use crate::browser::{Tokens, refresh, signed_in};
use crate::ground::{Ground, Scratch, member};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::collections::BTreeMap;
use std::time::Duration;
use stockade_issuer::{
    ACCESS_LIFE, Happening, IssuerStore, IssuerStoreError, KEY_LIFE, OVERLAP, Only, SIGNING_KEYS, SigningKeyError,
    SigningKeyRecord,
};

/// The published keys: id and public point.
fn published(ground: &Ground) -> BTreeMap<String, Vec<u8>> {
    let set = ground.issuer.key_set().unwrap();
    let decode = |value: &serde_json::Value| URL_SAFE_NO_PAD.decode(value.as_str().unwrap()).unwrap();
    let key = |key: &serde_json::Value| {
        let members: Vec<_> = key.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(members, ["kty", "crv", "x", "y", "kid", "use", "alg"], "nothing private");
        let point = [vec![4], decode(&key["x"]), decode(&key["y"])].concat();
        (key["kid"].as_str().unwrap().to_owned(), point)
    };
    set["keys"].as_array().unwrap().iter().map(key).collect()
}

fn key_of(token: &str) -> String {
    let header = URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap();
    let header: serde_json::Value = serde_json::from_slice(&header).unwrap();
    header["kid"].as_str().unwrap().to_owned()
}

/// As a resource server does: by the published key that the token names.
fn verifies(ground: &Ground, token: &str) -> bool {
    let keys = published(ground);
    let Some(point) = keys.get(&key_of(token)) else { return false };
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(signed.as_bytes(), &signature).is_ok()
}

#[test]
fn tokens_verify_by_the_published_keys_through_a_rotation() {
    for ground in [Ground::new(), Ground::with_database()] {
        let Tokens { client, access, refresh: mut token } = signed_in(&ground);
        let first = key_of(&access);
        assert!(verifies(&ground, &access));
        let (head, rest) = access.split_once('.').unwrap();
        let (claims, signature) = rest.split_once('.').unwrap();
        assert!(!verifies(&ground, &format!("{head}.{claims}A.{signature}")));
        let next = ground.issuer.rotate_key().unwrap();
        assert_eq!(published(&ground).len(), 2, "published before it signs");
        let mut renew = || {
            let answer = refresh(&ground, &client, &token);
            token = member(&answer, "refresh_token");
            member(&answer, "access_token")
        };
        ground.clock.pass(OVERLAP - Duration::from_secs(1));
        let last_of_first = renew();
        assert_eq!(key_of(&last_of_first), first);
        ground.clock.pass(Duration::from_secs(1));
        let first_of_next = renew();
        assert_eq!(key_of(&first_of_next), next);
        ground.clock.pass(ACCESS_LIFE);
        assert!(
            verifies(&ground, &last_of_first) && verifies(&ground, &first_of_next),
            "until the last token has ended"
        );
        ground.clock.pass(Duration::from_secs(120));
        assert!(!published(&ground).contains_key(&first));
        assert!(!verifies(&ground, &last_of_first));
        assert_eq!(ground.store.signing_keys().unwrap().len(), 1, "and then it is gone");
        assert_eq!(ground.count(Happening::KeyRotated), 1);
    }
}

#[test]
fn keys_rotate_by_themselves_after_a_month() {
    let ground = Ground::new();
    let before = published(&ground);
    ground.clock.pass(KEY_LIFE - Duration::from_secs(61));
    assert_eq!(ground.get("/jwks.json", None).status, 200);
    assert_eq!(published(&ground), before);
    ground.clock.pass(Duration::from_secs(61));
    assert_eq!(ground.get("/jwks.json", None).status, 200);
    assert_eq!(published(&ground).len(), 2);
    ground.clock.pass(Duration::from_secs(61));
    assert_eq!(ground.get("/jwks.json", None).status, 200);
    assert_eq!(published(&ground).len(), 2, "once");
}

#[test]
fn rotation_has_an_end() {
    for ground in [Ground::new(), Ground::with_database()] {
        for _ in 1..SIGNING_KEYS {
            ground.issuer.rotate_key().unwrap();
        }
        let error = ground.issuer.rotate_key().unwrap_err();
        assert!(matches!(error, SigningKeyError::Store { cause: IssuerStoreError::Full { .. } }), "{error:?}");
    }
}

#[test]
fn a_key_in_anothers_place_is_noticed() {
    let ground = Ground::new();
    let mut keys = ground.store.signing_keys().unwrap();
    let key = keys.remove(0);
    ground.store.forget_signing_key(&key.id).unwrap();
    let stolen = SigningKeyRecord { id: "A".repeat(43), ..key };
    ground.store.keep_signing_key(&stolen, Only::Always).unwrap();
    assert!(matches!(ground.issuer.key_set(), Err(SigningKeyError::Damaged { .. })));
    assert_eq!(ground.get("/jwks.json", None).status, 503);
}

#[test]
fn two_first_starts_make_one_key() {
    let scratch = Scratch::new();
    let store = scratch.database();
    let record = |id: &str| SigningKeyRecord {
        id: id.to_owned(),
        pkcs8: vec![1].into(),
        signs_from: stockade_core::ports::Timestamp(0),
    };
    assert!(store.keep_signing_key(&record("a"), Only::IfNone).unwrap());
    assert!(!store.keep_signing_key(&record("b"), Only::IfNone).unwrap());
    assert_eq!(store.signing_keys().unwrap().len(), 1);
}

#[test]
fn a_set_clock_that_stands_before_all_keys_signs_nothing() {
    let ground = Ground::new();
    let Tokens { client, refresh: token, .. } = signed_in(&ground);
    let key = ground.store.signing_keys().unwrap().remove(0);
    ground.store.forget_signing_key(&key.id).unwrap();
    let later = stockade_core::ports::Timestamp(i64::MAX);
    ground.store.keep_signing_key(&SigningKeyRecord { signs_from: later, ..key }, Only::Always).unwrap();
    assert_eq!(refresh(&ground, &client, &token).status, 503);
    assert!(ground.last_reason().contains("no signing key is in use"), "{}", ground.last_reason());
}
