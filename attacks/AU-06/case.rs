//! AU-06: tokens out of their time.

use crate::issued::{ERAS, Issued};
use serde_json::{Value, json};
use testkit::authorization::now;

#[test]
fn a_token_has_its_time() {
    let issued = Issued::open("");
    let now = now();
    for (claim, value, check) in [
        ("exp", json!(now - 31), "expiry"),
        ("exp", json!((now + 600).to_string()), "expiry"),
        ("exp", json!(null), "expiry"),
        ("exp", json!(now + 10 * 365 * 24 * 3600), "lifetime"),
        ("nbf", json!(now + 120), "not before"),
        ("nbf", json!("later"), "not before"),
        ("iat", json!(now + 120), "issued"),
        ("iat", json!(now - 25 * 3600), "lifetime"),
    ] {
        let token = issued.key.token(&issued.claims_with(claim, value.clone()));
        issued.assert_refused(&format!("{claim} = {value}"), &token, check);
    }
    let mut without: Value = issued.claims();
    without.as_object_mut().expect("claims").remove("exp");
    issued.assert_refused("no expiry", &issued.key.token(&without), "expiry");
    issued.check_evidence();
    issued.assert_granted("within the skew", &issued.key.token(&issued.claims_with("exp", now - 10)));
}

#[test]
fn a_token_that_was_right_is_refused_once_it_has_ended() {
    let issued = Issued::open("");
    // It ends for us thirty seconds after its expiry: a few seconds from here.
    let token = issued.key.token(&issued.claims_with("exp", now() - 26));
    issued.assert_granted("still", &token);
    for era in ERAS {
        let ended = testkit::wait_until(crate::ground::LONG, || issued.show(era, &token).status() == 401);
        assert!(ended, "it never ended");
    }
}
