//! AU-10 for opaque tokens, and what an introspection endpoint may say.

use crate::world::{
    ISSUER, Key, RESOURCE, START, Says, World, authenticator, bearer, beside, by_token, check_of,
    identify_while_time_passes, right, settings, with,
};
use futures_util::future::join_all;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use stockade_core::identity::{Basis, IdentityError};
use stockade_core::ports::Identities;
use stockade_core::words::Secret;
use stockade_identity::{Authenticator, IntrospectionSettings, IssuerName, IssuerSettings};

const ENDPOINT: &str = "https://as.test/introspect";

fn introspection() -> Option<IntrospectionSettings> {
    Some(IntrospectionSettings {
        url: ENDPOINT.to_owned(),
        client_id: "gate&way".to_owned(),
        client_secret: Secret::new("se:cret".to_owned()),
        remember: Duration::from_secs(10),
    })
}

fn introspecting(world: &Arc<World>) -> Authenticator {
    let mut settings = settings();
    settings.issuers[0].introspection = introspection();
    authenticator(world, settings)
}

fn active(claims: &Value) -> Says {
    let mut answer = claims.clone();
    answer["active"] = json!(true);
    Says::Json(answer)
}

#[test]
fn an_active_token_proves_its_subject() {
    let world = World::new();
    world.says(ENDPOINT, active(&right()));
    let authenticator = introspecting(&world);
    let identity = by_token(&authenticator, "opaque+token/1==").unwrap();
    assert_eq!(identity.caller.name.as_str(), "corp:alice");
    assert!(matches!(&identity.standing.basis, Basis::Token { jti: Some(jti), .. } if jti == "one"));
    let posted = world.posted.lock().unwrap().clone();
    // base64 of `gate%26way:se%3Acret` (RFC 6749 §2.3.1).
    let authorization = "Basic Z2F0ZSUyNndheTpzZSUzQWNyZXQ=".to_owned();
    let body = "token_type_hint=access_token&token=opaque%2Btoken%2F1%3D%3D".to_owned();
    assert_eq!(posted, [(authorization, body)]);
}

#[test]
fn a_yes_is_believed_for_ten_seconds_and_never_beyond_its_expiry() {
    let world = World::new();
    world.says(ENDPOINT, active(&right()));
    let authenticator = introspecting(&world);
    let asked = |expected: usize| assert_eq!(world.asked().len(), expected);
    assert!(by_token(&authenticator, "opaque").is_ok());
    world.pass(9);
    assert!(by_token(&authenticator, "opaque").is_ok());
    asked(1);
    world.says(ENDPOINT, Says::Json(json!({ "active": false })));
    world.pass(1);
    assert_eq!(check_of(by_token(&authenticator, "opaque")), "introspection");
    asked(2);
    // A no is remembered too, for five seconds.
    world.says(ENDPOINT, active(&right()));
    world.pass(4);
    assert_eq!(check_of(by_token(&authenticator, "opaque")), "introspection");
    asked(2);
    world.pass(1);
    assert!(by_token(&authenticator, "opaque").is_ok());
    asked(3);
    world.says(ENDPOINT, active(&with("exp", world.now() - 27)));
    assert!(by_token(&authenticator, "short").is_ok());
    world.pass(3);
    assert_eq!(check_of(by_token(&authenticator, "short")), "expiry");
}

#[test]
fn au_10_no_other_answer_grants_and_none_is_kept() {
    for (fault, says) in [
        ("500", Says::Raw(500, "application/json", br#"{"active":true}"#.to_vec())),
        ("401", Says::Raw(401, "application/json", br#"{"active":true}"#.to_vec())),
        ("201", Says::Raw(201, "application/json", br#"{"active":true}"#.to_vec())),
        ("302", Says::Raw(302, "application/json", Vec::new())),
        ("HTML", Says::Raw(200, "text/html", b"<html>active: true</html>".to_vec())),
        ("JSON as HTML", Says::Raw(200, "text/html", br#"{"active":true}"#.to_vec())),
        ("{}", Says::Json(json!({}))),
        ("a text", Says::Json(json!({ "active": "true" }))),
        ("a number", Says::Json(json!({ "active": 1 }))),
        ("a list", Says::Json(json!([{ "active": true }]))),
        ("twice", Says::Raw(200, "application/json", br#"{"active":false,"active":true}"#.to_vec())),
        ("huge", Says::Raw(200, "application/json", vec![b' '; (64 << 10) + 1])),
        ("hang", Says::Nothing),
        ("reset", Says::Broken),
    ] {
        let world = World::new();
        world.says(ENDPOINT, says);
        let authenticator = introspecting(&world);
        let refused = identify_while_time_passes(&authenticator, &world, &bearer("opaque"));
        assert!(matches!(refused, Err(IdentityError::Unavailable { .. })), "{fault}: {refused:?}");
        // It is asked again at once when it is back.
        world.says(ENDPOINT, active(&json_now(&world)));
        assert!(by_token(&authenticator, "opaque").is_ok(), "{fault}");
        // And what was believed is not, once it is down again.
        world.says(ENDPOINT, Says::Broken);
        world.pass(10);
        let refused = by_token(&authenticator, "opaque");
        assert!(matches!(refused, Err(IdentityError::Unavailable { .. })), "{fault}: {refused:?}");
    }
}

fn json_now(world: &World) -> Value {
    let mut claims = with("exp", world.now() + 60);
    claims["iat"] = json!(world.now());
    claims
}

#[test]
fn an_active_token_is_held_against_the_same_checks() {
    let without = |claim: &str| {
        let mut claims = right();
        claims.as_object_mut().unwrap().remove(claim);
        claims
    };
    for (claims, expected) in [
        (with("aud", "https://other.test"), "audience"),
        (without("aud"), "audience"),
        (with("exp", START - 31), "expiry"),
        (without("exp"), "expiry"),
        (without("sub"), "subject"),
        (with("nbf", START + 31), "not before"),
        (with("iss", "https://evil.test"), "issuer"),
        (with("iss", json!([ISSUER])), "issuer"),
        (with("token_type", "mac"), "type"),
        (with("token_type", "DPoP"), "type"),
        (with("env", "production"), "environment"),
        (with("cnf", json!({ "x5t#S256": "A".repeat(43) })), "binding"),
    ] {
        let world = World::new();
        world.says(ENDPOINT, active(&claims));
        assert_eq!(check_of(by_token(&introspecting(&world), "opaque")), expected, "{claims}");
    }
    for claims in [without("iss"), with("token_type", "bearer"), with("aud", json!([RESOURCE]))] {
        let world = World::new();
        world.says(ENDPOINT, active(&claims));
        assert!(by_token(&introspecting(&world), "opaque").is_ok(), "{claims}");
    }
}

#[test]
fn a_hundred_at_once_ask_once_and_too_many_tokens_are_not_asked_about() {
    let world = World::new();
    world.says(ENDPOINT, active(&right()));
    let authenticator = introspecting(&world);
    let shown: Vec<_> = (0..100).map(|_| bearer("opaque")).collect();
    let all = beside(&authenticator, join_all(shown.iter().map(|shown| authenticator.identify(shown))));
    assert!(all.iter().all(Result::is_ok));
    assert_eq!(world.asked().len(), 1);

    world.says(ENDPOINT, Says::Nothing);
    let shown: Vec<_> = (0..65).map(|at| bearer(&format!("opaque-{at}"))).collect();
    let mut waiting: Vec<_> = Vec::new();
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    for shown in &shown[..64] {
        let mut asking = authenticator.identify(shown);
        assert!(asking.as_mut().poll(&mut context).is_pending());
        waiting.push(asking);
    }
    let refused = beside(&authenticator, authenticator.identify(&shown[64]));
    assert!(matches!(refused, Err(IdentityError::Unavailable { .. })), "{refused:?}");
    // Who goes away makes room.
    waiting.pop();
    world.says(ENDPOINT, active(&right()));
    assert!(beside(&authenticator, authenticator.identify(&shown[64])).is_ok());
}

#[test]
fn a_token_is_shown_to_no_issuer_but_its_own() {
    let (world, key) = (World::new(), Key::eddsa("k"));
    world.publish(&[&key]);
    world.says(ENDPOINT, active(&right()));
    let authenticator = introspecting(&world);
    // Signed tokens are checked by their signature, whatever the endpoint would say of them.
    let foreign = Key::eddsa("k").token(&right());
    assert_eq!(check_of(by_token(&authenticator, &foreign)), "signature");
    let other = key.token(&with("iss", "https://other.test"));
    assert_eq!(check_of(by_token(&authenticator, &other)), "issuer");
    assert!(world.posted.lock().unwrap().is_empty());

    // An issuer without keys is asked about the signed tokens that name it, and the opaque ones.
    let mut settings = settings();
    let mut second = IssuerSettings::new(IssuerName::parse("second").unwrap(), "https://second.test");
    (second.keys, second.introspection) = (None, introspection());
    settings.issuers.push(second);
    let authenticator = crate::world::authenticator(&world, settings);
    world.says(ENDPOINT, active(&with("iss", "https://second.test")));
    let named = by_token(&authenticator, &foreign.replace(' ', "")).map(|identity| identity.caller.name.to_string());
    assert!(named.is_err());
    assert!(world.posted.lock().unwrap().is_empty());
    let theirs = key.token(&with("iss", "https://second.test"));
    assert_eq!(by_token(&authenticator, &theirs).unwrap().caller.name.as_str(), "second:alice");
    assert_eq!(by_token(&authenticator, "opaque").unwrap().caller.name.as_str(), "second:alice");
}

#[test]
fn an_address_over_its_limit_causes_no_question() {
    let world = World::new();
    world.says(ENDPOINT, Says::Json(json!({ "active": false })));
    let authenticator = introspecting(&world);
    for at in 0..30 {
        assert_eq!(check_of(by_token(&authenticator, &format!("guess-{at}"))), "introspection");
    }
    world.says(ENDPOINT, active(&right()));
    for at in 30..100 {
        let refused = by_token(&authenticator, &format!("guess-{at}"));
        assert!(matches!(refused, Err(IdentityError::Throttled { .. })), "{refused:?}");
    }
    assert_eq!(world.asked().len(), 30);
}
