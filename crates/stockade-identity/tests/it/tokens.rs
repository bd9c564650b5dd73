//! AU-02 to AU-08 and AU-11: what a token may not be.

use crate::world::{
    ISSUER, Key, RESOURCE, START, World, authenticator, by_token, check_of, encode, right, settings, with,
};
use aws_lc_rs::hmac;
use serde_json::{Value, json};
use std::sync::Arc;
use stockade_core::identity::IdentityError;
use stockade_identity::{Algorithm, Authenticator};

fn world_with(keys: &[&Key]) -> (Arc<World>, Authenticator) {
    let world = World::new();
    world.publish(keys);
    let authenticator = authenticator(&world, settings());
    (world, authenticator)
}

#[test]
fn a_right_token_of_every_algorithm_proves_its_subject() {
    let keys = [Key::es256("e"), Key::eddsa("d"), Key::rsa("r", "RS256"), Key::rsa("p", "PS256")];
    let (_, authenticator) = world_with(&keys.iter().collect::<Vec<_>>());
    for key in &keys {
        let identity = by_token(&authenticator, &key.token(&right())).unwrap();
        assert_eq!(identity.caller.name.as_str(), "corp:alice", "{}", key.algorithm);
        let header = json!({ "alg": key.algorithm, "typ": "Application/AT+jwt", "kid": key.id() });
        assert!(by_token(&authenticator, &key.token_with(&header, &right())).is_ok());
    }
    // RFC 9864's name for the same algorithm.
    let header = json!({ "alg": "Ed25519", "typ": "at+jwt", "kid": "d" });
    assert!(by_token(&authenticator, &keys[1].token_with(&header, &right())).is_ok());
}

#[test]
fn au_02_an_unsigned_token_is_refused() {
    let key = Key::es256("k");
    let (_, authenticator) = world_with(&[&key]);
    let claims = encode(right().to_string());
    for algorithm in [json!("none"), json!("None"), json!("nOnE"), json!(""), json!(null), json!(["ES256"]), json!(0)] {
        let header = encode(json!({ "alg": algorithm, "typ": "at+jwt", "kid": "k" }).to_string());
        let without = format!("{header}.{claims}.");
        assert_eq!(check_of(by_token(&authenticator, &without)), "form", "{algorithm}");
        let signed = format!("{header}.{claims}");
        let with = format!("{signed}.{}", encode(key.sign(signed.as_bytes())));
        assert_eq!(check_of(by_token(&authenticator, &with)), "algorithm", "{algorithm}");
    }
    let header = encode(json!({ "typ": "at+jwt", "kid": "k" }).to_string());
    let signed = format!("{header}.{claims}");
    let missing = format!("{signed}.{}", encode(key.sign(signed.as_bytes())));
    assert_eq!(check_of(by_token(&authenticator, &missing)), "algorithm");
    assert_eq!(check_of(by_token(&authenticator, &format!("{header}.{claims}"))), "form");
}

#[test]
fn au_03_a_public_key_is_never_a_shared_secret() {
    let key = Key::rsa("r", "RS256");
    let (_, authenticator) = world_with(&[&key]);
    let modulus = key.public["n"].as_str().unwrap().to_owned();
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{modulus}\n-----END PUBLIC KEY-----\n");
    for secret in [pem.into_bytes(), modulus.clone().into_bytes(), modulus.into_bytes()[..64].to_vec()] {
        for (name, algorithm) in
            [("HS256", hmac::HMAC_SHA256), ("HS384", hmac::HMAC_SHA384), ("HS512", hmac::HMAC_SHA512)]
        {
            let header = json!({ "alg": name, "typ": "at+jwt", "kid": "r" });
            let signed = format!("{}.{}", encode(header.to_string()), encode(right().to_string()));
            let tag = hmac::sign(&hmac::Key::new(algorithm, &secret), signed.as_bytes());
            assert_eq!(check_of(by_token(&authenticator, &format!("{signed}.{}", encode(tag)))), "algorithm");
        }
    }
    // An allowed algorithm that is not of the key's type, and one that the key is not for.
    for (key, algorithm) in [(Key::es256("k"), "EdDSA"), (Key::es256("k"), "RS256"), (Key::eddsa("k"), "ES256")] {
        let (_, authenticator) = world_with(&[&key]);
        let header = json!({ "alg": algorithm, "typ": "at+jwt", "kid": "k" });
        assert_eq!(check_of(by_token(&authenticator, &key.token_with(&header, &right()))), "key");
    }
    // One that the issuer may not use.
    let (world, key) = (World::new(), Key::es256("k"));
    world.publish(&[&key]);
    let mut settings = settings();
    settings.issuers[0].algorithms = vec![Algorithm::Ed25519];
    let strict = crate::world::authenticator(&world, settings);
    assert_eq!(check_of(by_token(&strict, &key.token(&right()))), "algorithm");
}

#[test]
fn au_04_only_our_own_audience_is_ours() {
    let key = Key::es256("k");
    let (_, authenticator) = world_with(&[&key]);
    let others: Vec<String> = (0..1000).map(|at| format!("https://{at}.test")).collect();
    for audience in [
        json!("https://other.test/mcp"),
        json!([]),
        json!("https://gw.test/mcp.evil.example"),
        json!("https://gw.test"),
        json!("https://GW.test/mcp/"),
        json!(others),
    ] {
        let token = key.token(&with("aud", audience.clone()));
        // A thousand audiences make the token too long to be one.
        let expected = if audience == json!(others) { "form" } else { "audience" };
        assert_eq!(check_of(by_token(&authenticator, &token)), expected, "{audience}");
    }
    let mut claims = right();
    claims.as_object_mut().unwrap().remove("aud");
    assert_eq!(check_of(by_token(&authenticator, &key.token(&claims))), "audience");
    assert!(by_token(&authenticator, &key.token(&with("aud", json!([RESOURCE, "https://other.test"])))).is_ok());
    // A token for one route is good on that route alone, seen before or not.
    let token = key.token(&with("aud", "https://gw.test/mcp/files"));
    let on = |url: &str| {
        let shown = stockade_core::identity::Shown { url: url.to_owned(), ..crate::world::bearer(&token) };
        crate::world::identify(&authenticator, &shown)
    };
    for _ in 0..2 {
        assert!(on("https://gw.test/mcp/files").is_ok());
        for other in ["https://gw.test/mcp", "https://gw.test/mcp/mail", "https://gw.test/mcp/files/", ""] {
            assert_eq!(check_of(on(other)), "audience", "{other}");
        }
    }
}

#[test]
fn au_06_a_token_has_its_time() {
    let key = Key::es256("k");
    let (world, authenticator) = world_with(&[&key]);
    let mut without = right();
    without.as_object_mut().unwrap().remove("exp");
    for (claims, expected) in [
        (with("exp", START - 31), "expiry"),
        (with("nbf", START + 31), "not before"),
        (without, "expiry"),
        (with("exp", (START + 60).to_string()), "expiry"),
        (with("exp", START + 10 * 365 * 24 * 3600), "lifetime"),
        (with("iat", START + 31), "issued"),
    ] {
        assert_eq!(check_of(by_token(&authenticator, &key.token(&claims))), expected, "{claims}");
    }
    // A token that was right is refused once its time is over, remembered or not.
    let token = key.token(&with("exp", START + 60));
    let identity = by_token(&authenticator, &token).unwrap();
    let stands = |identity| stockade_core::ports::Identities::stands(&authenticator, identity);
    world.pass(89);
    assert!(by_token(&authenticator, &token).is_ok() && stands(&identity).is_ok());
    world.pass(1);
    assert_eq!(check_of(by_token(&authenticator, &token)), "expiry");
    assert!(matches!(stands(&identity), Err(IdentityError::Rejected { check: "expiry", .. })));
}

#[test]
fn au_07_a_hostile_kid_names_nothing() {
    let (one, other) = (Key::es256("one"), Key::es256("other"));
    let (world, authenticator) = world_with(&[&one, &other]);
    for id in
        [json!("../../../../dev/null"), json!("' UNION SELECT 'x"), json!(""), json!(7), json!(["one"]), json!(null)]
    {
        let header = json!({ "alg": "ES256", "typ": "at+jwt", "kid": id });
        assert_eq!(check_of(by_token(&authenticator, &one.token_with(&header, &right()))), "key", "{id}");
    }
    let header = json!({ "alg": "ES256", "typ": "at+jwt", "kid": "k".repeat(64 << 10) });
    assert_eq!(check_of(by_token(&authenticator, &one.token_with(&header, &right()))), "form");
    // Which of two keys is meant is not guessed.
    let header = json!({ "alg": "ES256", "typ": "at+jwt" });
    assert_eq!(check_of(by_token(&authenticator, &one.token_with(&header, &right()))), "key");
    let metadata = world.asked().iter().filter(|url| url.contains("well-known")).count();
    assert_eq!((metadata, world.asked().len()), (1, 2), "{:?}", world.asked());
    // One key of its type needs no name.
    let (_, authenticator) = world_with(&[&one, &Key::eddsa("e")]);
    assert!(by_token(&authenticator, &one.token_with(&header, &right())).is_ok());
}

#[test]
fn au_08_a_token_cannot_bring_its_key() {
    let (ours, theirs) = (Key::es256("k"), Key::es256("k"));
    let (world, authenticator) = world_with(&[&ours]);
    assert!(by_token(&authenticator, &ours.token(&right())).is_ok());
    let asked = world.asked();
    for (member, value) in [
        ("jwk", theirs.public.clone()),
        ("jku", json!("https://evil.test/jwks")),
        ("x5u", json!("https://evil.test/cert")),
        ("x5c", json!(["MIIB"])),
    ] {
        let mut header = theirs.header();
        header[member] = value;
        assert_eq!(check_of(by_token(&authenticator, &theirs.token_with(&header, &right()))), "signature", "{member}");
        // With an id of its own there is no key at all.
        header["kid"] = json!("theirs");
        assert_eq!(check_of(by_token(&authenticator, &theirs.token_with(&header, &right()))), "key", "{member}");
    }
    assert_eq!(world.asked(), asked, "nothing was fetched for them");
}

#[test]
fn only_access_tokens_are_taken() {
    let key = Key::es256("k");
    let (world, authenticator) = world_with(&[&key]);
    let header = |kind: Value| json!({ "alg": "ES256", "typ": kind, "kid": "k" });
    for kind in [json!("JWT"), json!("dpop+jwt"), json!("logout+jwt"), json!("oauth-id-jag+jwt"), json!(""), json!(7)] {
        assert_eq!(
            check_of(by_token(&authenticator, &key.token_with(&header(kind.clone()), &right()))),
            "type",
            "{kind}"
        );
    }
    let mut bare = key.header();
    bare.as_object_mut().unwrap().remove("typ");
    assert_eq!(check_of(by_token(&authenticator, &key.token_with(&bare, &right()))), "type");
    let mut critical = key.header();
    critical["crit"] = json!(["b64"]);
    critical["b64"] = json!(false);
    assert_eq!(check_of(by_token(&authenticator, &key.token_with(&critical, &right()))), "critical");

    let mut settings = settings();
    settings.issuers[0].accept_typ_jwt = true;
    let lenient = crate::world::authenticator(&world, settings);
    assert!(by_token(&lenient, &key.token_with(&header(json!("JWT")), &right())).is_ok());
    assert_eq!(check_of(by_token(&lenient, &key.token_with(&bare, &right()))), "type");
    // What only ID and logout tokens have is no claim of an access token, unless its type says that it is one.
    for claim in ["nonce", "at_hash", "c_hash", "events"] {
        let claims = with(claim, "x");
        assert_eq!(check_of(by_token(&lenient, &key.token_with(&header(json!("JWT")), &claims))), "type", "{claim}");
        assert!(by_token(&lenient, &key.token(&claims)).is_ok());
    }
}

#[test]
fn au_11_a_token_of_64_kib_or_none_at_all_is_refused() {
    let key = Key::es256("k");
    let (_, authenticator) = world_with(&[&key]);
    let token = key.token(&with("padding", "x".repeat(48 << 10)));
    assert!(token.len() > 64 << 10);
    assert_eq!(check_of(by_token(&authenticator, &token)), "form");
    let right = key.token(&right());
    for bent in [
        String::new(),
        " ".to_owned(),
        format!(" {right}"),
        format!("{right} "),
        format!("Bearer {right}"),
        format!("{right}.{right}"),
        right.replace('.', ".."),
    ] {
        assert_eq!(check_of(by_token(&authenticator, &bent)), "form", "{bent:?}");
    }
}

#[test]
fn every_byte_of_a_token_matters() {
    let key = Key::eddsa("k");
    let (_, authenticator) = world_with(&[&key]);
    let token = key.token(&right());
    assert!(by_token(&authenticator, &token).is_ok());
    for at in 0..token.len() {
        let mut bent = token.clone().into_bytes();
        bent[at] = if bent[at] == b'A' { b'B' } else { b'A' };
        let bent = String::from_utf8(bent).unwrap();
        assert!(by_token(&authenticator, &bent).is_err(), "{at}: {bent}");
    }
    assert!(by_token(&authenticator, &token).is_ok());
}

#[test]
fn no_refusal_holds_the_token() {
    let key = Key::es256("k");
    let (_, authenticator) = world_with(&[&key]);
    for claims in [with("aud", "https://other.test"), with("exp", 1), with("sub", 7)] {
        let token = key.token(&claims);
        let (_, signature) = token.rsplit_once('.').unwrap();
        let explained = crate::world::beside(&authenticator, authenticator.explain(&crate::world::bearer(&token)));
        let said = format!("{explained:?} {}", explained.outcome.as_ref().unwrap_err());
        assert!(!said.contains(signature) && !said.contains(&encode(claims.to_string())), "{said}");
    }
    let stolen = "not-a-token-but-a-secret";
    let refused = by_token(&authenticator, stolen).unwrap_err().to_string();
    assert!(!refused.contains(stolen), "{refused}");
}

#[test]
fn an_explanation_tells_every_check_and_is_the_same_code() {
    let key = Key::es256("k");
    let (world, authenticator) = world_with(&[&key]);
    let explain = |claims: &Value| {
        let token = key.token(claims);
        crate::world::beside(&authenticator, authenticator.explain(&crate::world::bearer(&token)))
    };
    let right_one = explain(&right());
    assert!(right_one.steps.iter().all(|step| step.passed));
    assert_eq!(right_one.outcome.unwrap().caller.name.as_str(), "corp:alice");
    let checks: Vec<_> = right_one.steps.iter().map(|step| step.check.as_str()).collect();
    for check in ["issuer", "algorithm", "type", "key", "signature", "audience", "expiry", "lifetime", "subject"] {
        assert!(checks.contains(&check), "{check}: {checks:?}");
    }
    let wrong = explain(&with("aud", "https://other.test\u{1b}[2J"));
    let last = wrong.steps.last().unwrap();
    assert_eq!((last.check.as_str(), last.passed), ("audience", false));
    assert!(last.expected.contains(RESOURCE) && last.found.contains("https://other.test"), "{last:?}");
    assert!(!last.found.contains('\u{1b}'));
    assert_eq!(
        check_of(wrong.outcome),
        check_of(by_token(&authenticator, &key.token(&with("aud", "https://other.test"))))
    );
    // It counts nothing against the address.
    for _ in 0..100 {
        assert!(explain(&with("aud", "x")).outcome.is_err());
    }
    assert!(!world.asked().is_empty() && by_token(&authenticator, &key.token(&with("iss", ISSUER))).is_ok());
    assert_eq!(check_of(by_token(&authenticator, &key.token(&with("aud", "x")))), "audience");
}
