//! AU-07, AU-09 and AU-10: how often an issuer is asked, how its keys change, and what happens when it is down.

use crate::world::{
    ISSUER, Key, Says, World, authenticator, bearer, beside, by_token, check_of, identify, identify_while_time_passes,
    right, run, settings, turn,
};
use futures_util::future::{Either, join_all, select};
use serde_json::json;
use std::net::{IpAddr, Ipv4Addr};
use std::pin::pin;
use std::time::Duration;
use stockade_core::identity::IdentityError;
use stockade_core::ports::Identities;

fn jwks() -> String {
    format!("{ISSUER}/jwks")
}

fn fetches(world: &World) -> usize {
    world.asked().iter().filter(|url| **url == jwks()).count()
}

#[test]
fn au_07_ten_thousand_unknown_kids_cause_one_fetch_in_an_interval() {
    let (world, key) = (World::new(), Key::eddsa("k"));
    world.publish(&[&key]);
    let authenticator = authenticator(&world, settings());
    assert!(by_token(&authenticator, &key.token(&right())).is_ok());
    world.pass(31);
    let before = fetches(&world);
    beside(&authenticator, async {
        for at in 0..10_000_u32 {
            let header = json!({ "alg": "EdDSA", "typ": "at+jwt", "kid": format!("{at:x}") });
            let mut shown = bearer(&key.token_with(&header, &right()));
            // From everywhere, so that no address is over its limit.
            shown.address = Some(IpAddr::from(Ipv4Addr::from(at)));
            assert_eq!(check_of(authenticator.identify(&shown).await), "key");
        }
    });
    assert_eq!(fetches(&world) - before, 1);
    assert!(by_token(&authenticator, &key.token(&right())).is_ok());
}

#[test]
fn au_07_an_address_over_its_limit_causes_no_fetch_at_all() {
    let (world, key) = (World::new(), Key::eddsa("k"));
    world.publish(&[&key]);
    let authenticator = authenticator(&world, settings());
    let unknown = |at: usize| {
        let header = json!({ "alg": "EdDSA", "typ": "at+jwt", "kid": at.to_string() });
        by_token(&authenticator, &key.token_with(&header, &right()))
    };
    for at in 0..30 {
        assert_eq!(check_of(unknown(at)), "key");
    }
    world.pass(31);
    let before = fetches(&world);
    for at in 0..100 {
        assert!(matches!(unknown(at), Err(IdentityError::Throttled { .. })));
    }
    assert_eq!(fetches(&world), before);
}

#[test]
fn au_09_no_request_fails_while_keys_change() {
    let (world, old, new) = (World::new(), Key::eddsa("old"), Key::es256("new"));
    world.publish(&[&old]);
    let authenticator = authenticator(&world, settings());
    let numbered = |key: &Key, at: usize| {
        let mut claims = right();
        claims["jti"] = json!(at.to_string());
        key.token(&claims)
    };
    beside(&authenticator, async {
        for at in 0..10_000_usize {
            if at == 2000 {
                world.publish(&[&old, &new]);
            }
            // The new key is used at once: the first of its tokens finds it unknown and has it fetched.
            if at % 100 == 0 {
                world.pass(1);
            }
            let key = if at >= 4000 && at % 2 == 0 { &new } else { &old };
            let identified = authenticator.identify(&bearer(&numbered(key, at))).await;
            assert!(identified.is_ok(), "{at}: {identified:?}");
        }
    });
    // Withdrawn: its tokens fail within the period, those that are remembered too.
    let remembered = numbered(&old, 9999);
    world.publish(&[&new]);
    assert!(by_token(&authenticator, &remembered).is_ok());
    world.pass(300);
    beside(&authenticator, async {
        // The one who keeps the keys has its turn.
        turn().await;
        turn().await;
    });
    assert_eq!(check_of(by_token(&authenticator, &remembered)), "key");
    assert_eq!(check_of(by_token(&authenticator, &numbered(&old, 1))), "key");
    assert!(by_token(&authenticator, &numbered(&new, 1)).is_ok());
}

#[test]
fn au_09_a_key_that_is_published_when_it_is_used_works_after_one_refresh() {
    let (world, old, new) = (World::new(), Key::eddsa("old"), Key::eddsa("new"));
    world.publish(&[&old]);
    let authenticator = authenticator(&world, settings());
    assert!(by_token(&authenticator, &old.token(&right())).is_ok());
    world.publish(&[&old, &new]);
    world.pass(30);
    assert!(by_token(&authenticator, &new.token(&right())).is_ok());
    assert!(by_token(&authenticator, &old.token(&right())).is_ok());
    assert_eq!(fetches(&world), 2);
}

#[test]
fn a_thousand_who_wait_cause_one_fetch() {
    let (world, key) = (World::new(), Key::eddsa("k"));
    world.publish(&[&key]);
    let authenticator = authenticator(&world, settings());
    let shown: Vec<_> = (0..1000).map(|_| bearer(&key.token(&right()))).collect();
    let all = beside(&authenticator, join_all(shown.iter().map(|shown| authenticator.identify(shown))));
    assert!(all.iter().all(Result::is_ok));
    assert_eq!(fetches(&world), 1);
}

#[test]
fn who_goes_away_does_not_stop_the_refresh() {
    let (world, key) = (World::new(), Key::eddsa("k"));
    world.publish(&[&key]);
    let authenticator = authenticator(&world, settings());
    let shown = bearer(&key.token(&right()));
    // Asks, and is gone before anything could be fetched.
    let mut asking = authenticator.identify(&shown);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(asking.as_mut().poll(&mut context).is_pending());
    drop(asking);
    assert_eq!(fetches(&world), 0);
    assert!(identify(&authenticator, &shown).is_ok());
    assert_eq!(fetches(&world), 1);
}

#[test]
fn without_the_one_who_keeps_the_keys_nobody_is_recognised_and_nobody_waits_for_ever() {
    let (world, key) = (World::new(), Key::eddsa("k"));
    world.publish(&[&key]);
    let authenticator = authenticator(&world, settings());
    let shown = bearer(&key.token(&right()));
    let refused = run(async {
        let later = async {
            turn().await;
            world.pass(13);
            std::future::pending::<()>().await;
        };
        match select(authenticator.identify(&shown), pin!(later)).await {
            Either::Left((refused, _)) => refused,
            Either::Right(_) => panic!("it never ends"),
        }
    });
    assert!(matches!(refused, Err(IdentityError::Unavailable { .. })), "{refused:?}");
    assert!(world.asked().is_empty());
}

/// Every way in which an authorization server can fail.
fn faults() -> Vec<(&'static str, Says)> {
    vec![
        ("500", Says::Raw(500, "application/json", br#"{"keys":[]}"#.to_vec())),
        ("302", Says::Raw(302, "application/json", Vec::new())),
        ("204", Says::Raw(204, "application/json", Vec::new())),
        ("HTML", Says::Raw(200, "text/html", b"<html>maintenance</html>".to_vec())),
        ("HTML that calls itself JSON", Says::Raw(200, "application/json", b"<html></html>".to_vec())),
        ("{}", Says::Json(json!({}))),
        ("too many keys", Says::Json(json!({ "keys": vec![json!({ "kty": "EC" }); 65] }))),
        ("huge", Says::Raw(200, "application/json", vec![b' '; (256 << 10) + 1])),
        ("cut", Says::Raw(200, "application/json", br#"{"keys":["#.to_vec())),
        ("hang", Says::Nothing),
        ("reset", Says::Broken),
    ]
}

#[test]
fn au_10_known_keys_count_while_the_issuer_is_down_and_no_longer_than_stated() {
    for (fault, says) in faults() {
        let (world, key) = (World::new(), Key::eddsa("k"));
        world.publish(&[&key]);
        let authenticator = authenticator(&world, settings());
        let remembered = key.token(&right());
        assert!(by_token(&authenticator, &remembered).is_ok(), "{fault}");
        world.says(&jwks(), says);
        world.says(&format!("{ISSUER}/.well-known/oauth-authorization-server"), Says::Broken);
        world.says(&format!("{ISSUER}/.well-known/openid-configuration"), Says::Broken);
        for minute in 1..=60 {
            world.pass(60);
            let fresh = key.token(&json_with_times(world.now(), minute));
            assert!(by_token(&authenticator, &fresh).is_ok(), "{fault}: {minute}");
        }
        world.pass(1);
        let fresh = key.token(&json_with_times(world.now(), 61));
        for token in [&remembered, &fresh] {
            let refused = identify_while_time_passes(&authenticator, &world, &bearer(token));
            // The remembered one has expired meanwhile or not: without keys nothing is said about either.
            assert!(matches!(refused, Err(IdentityError::Unavailable { .. })), "{fault}: {refused:?}");
        }
        // It recovers by itself.
        world.publish(&[&key]);
        world.pass(30);
        assert!(by_token(&authenticator, &key.token(&json_with_times(world.now(), 62))).is_ok(), "{fault}");
    }
}

fn json_with_times(now: i64, at: i64) -> serde_json::Value {
    let mut claims = right();
    claims["iat"] = json!(now);
    claims["exp"] = json!(now + 3600);
    claims["jti"] = json!(at.to_string());
    claims
}

#[test]
fn au_10_an_issuer_that_never_answered_lets_nobody_in() {
    for (fault, says) in faults() {
        let (world, key) = (World::new(), Key::eddsa("k"));
        world.publish(&[&key]);
        world.says(&jwks(), says);
        let authenticator = authenticator(&world, settings());
        let refused = identify_while_time_passes(&authenticator, &world, &bearer(&key.token(&right())));
        assert!(matches!(refused, Err(IdentityError::Unavailable { .. })), "{fault}: {refused:?}");
    }
}

#[test]
fn an_issuer_that_is_down_is_asked_ever_more_seldom() {
    let (world, key) = (World::new(), Key::eddsa("k"));
    world.publish(&[&key]);
    world.says(&jwks(), Says::Broken);
    let authenticator = authenticator(&world, settings());
    let token = key.token(&right());
    for _ in 0..600 {
        assert!(by_token(&authenticator, &token).is_err());
        world.pass(1);
    }
    // At 0, 1, 3, 7, 15, 31 s, and then every 30 s.
    let asked = fetches(&world);
    assert!((20..=30).contains(&asked), "{asked}");
}

#[test]
fn max_age_makes_keys_live_shorter_and_never_longer() {
    for (max_age, expected) in [(1, 30), (60, 60), (300, 300), (86_400, 300)] {
        let (world, key) = (World::new(), Key::eddsa("k"));
        world.publish(&[&key]);
        let keys = json!({ "keys": [key.public] });
        world.says(&jwks(), Says::Kept(keys, Duration::from_secs(max_age)));
        let authenticator = authenticator(&world, settings());
        let token = key.token(&right());
        assert!(by_token(&authenticator, &token).is_ok());
        let after = |seconds| {
            world.pass(seconds);
            beside(&authenticator, async {
                turn().await;
                turn().await;
            });
            fetches(&world)
        };
        assert_eq!(after(expected - 1), 1, "{max_age}");
        assert_eq!(after(1), 2, "{max_age}");
    }
}

#[test]
fn an_empty_key_set_means_nobody() {
    let (world, key) = (World::new(), Key::eddsa("k"));
    world.publish(&[&key]);
    let authenticator = authenticator(&world, settings());
    let token = key.token(&right());
    assert!(by_token(&authenticator, &token).is_ok());
    world.publish(&[]);
    world.pass(300);
    beside(&authenticator, async {
        turn().await;
        turn().await;
    });
    assert_eq!(check_of(by_token(&authenticator, &token)), "key");
}
