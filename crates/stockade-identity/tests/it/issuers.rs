//! AU-05: who issued a token, and whose keys count.

use crate::world::{ISSUER, Key, Says, World, authenticator, by_token, check_of, right, settings, with};
use serde_json::json;
use stockade_core::identity::IdentityError;
use stockade_identity::{IssuerName, IssuerSettings, KeyLocation};

#[test]
fn au_05_an_issuer_is_the_one_that_is_configured_letter_for_letter() {
    let (world, key) = (World::new(), Key::es256("k"));
    world.publish(&[&key]);
    let authenticator = authenticator(&world, settings());
    for issuer in [
        "https://as.test.evil.example",
        "http://as.test",
        "https://as.test/",
        "https://AS.test",
        "https://as.test#",
        "",
        "as.test",
    ] {
        assert_eq!(check_of(by_token(&authenticator, &key.token(&with("iss", issuer)))), "issuer", "{issuer}");
    }
    for issuer in [json!([ISSUER]), json!(null), json!({ "iss": ISSUER })] {
        assert_eq!(check_of(by_token(&authenticator, &key.token(&with("iss", issuer)))), "issuer");
    }
    assert!(by_token(&authenticator, &key.token(&right())).is_ok());
}

#[test]
fn au_05_keys_of_one_issuer_do_not_count_for_another() {
    let (world, ours, theirs) = (World::new(), Key::es256("k"), Key::es256("k"));
    world.publish(&[&ours]);
    let mut settings = settings();
    let mut other = IssuerSettings::new(IssuerName::parse("other").unwrap(), "https://other.test");
    other.keys = Some(KeyLocation::Address("https://other.test/keys".to_owned()));
    settings.issuers.push(other);
    world.says("https://other.test/keys", Says::Json(json!({ "keys": [theirs.public] })));
    let authenticator = authenticator(&world, settings);
    let by = |key: &Key, issuer: &str| by_token(&authenticator, &key.token(&with("iss", issuer)));
    assert_eq!(by(&ours, ISSUER).unwrap().caller.name.as_str(), "corp:alice");
    assert_eq!(by(&theirs, "https://other.test").unwrap().caller.name.as_str(), "other:alice");
    assert_eq!(check_of(by(&theirs, ISSUER)), "signature");
    assert_eq!(check_of(by(&ours, "https://other.test")), "signature");
    // The same subject of two issuers is two callers.
    let (one, two) = (by(&ours, ISSUER).unwrap().caller, by(&theirs, "https://other.test").unwrap().caller);
    assert_ne!(one.binding(), two.binding());
}

#[test]
fn metadata_counts_only_for_the_issuer_that_it_names() {
    let (world, key) = (World::new(), Key::es256("k"));
    world.publish(&[&key]);
    let place = format!("{ISSUER}/.well-known/oauth-authorization-server");
    for issuer in ["https://evil.test", "https://as.test/", ""] {
        world.says(&place, Says::Json(json!({ "issuer": issuer, "jwks_uri": format!("{ISSUER}/jwks") })));
        let authenticator = authenticator(&world, settings());
        let refused = by_token(&authenticator, &key.token(&right()));
        let Err(IdentityError::Unavailable { reason }) = refused else { panic!("{refused:?}") };
        assert!(reason.contains("speaks for the issuer"), "{reason}");
    }
    // Where OAuth's metadata is missing, OpenID Connect's is looked at.
    world.says(&place, Says::Raw(404, "text/html", Vec::new()));
    let metadata = json!({ "issuer": ISSUER, "jwks_uri": format!("{ISSUER}/jwks") });
    world.says(&format!("{ISSUER}/.well-known/openid-configuration"), Says::Json(metadata));
    assert!(by_token(&authenticator(&world, settings()), &key.token(&right())).is_ok());
}

#[test]
fn no_issuer_means_nobody() {
    let (world, key) = (World::new(), Key::es256("k"));
    world.publish(&[&key]);
    let mut settings = settings();
    settings.issuers.clear();
    let authenticator = authenticator(&world, settings);
    assert_eq!(check_of(by_token(&authenticator, &key.token(&right()))), "issuer");
    assert_eq!(check_of(by_token(&authenticator, "opaque")), "form");
    assert!(world.asked().is_empty());
}

#[test]
fn an_audience_that_a_provider_gave_counts_for_its_tokens_only() {
    let (world, key) = (World::new(), Key::es256("k"));
    world.publish(&[&key]);
    let mut settings = settings();
    settings.issuers[0].audiences = vec!["api://gateway".to_owned()];
    let authenticator = authenticator(&world, settings);
    assert!(by_token(&authenticator, &key.token(&with("aud", "api://gateway"))).is_ok());
    assert_eq!(check_of(by_token(&authenticator, &key.token(&with("aud", "api://gateway/")))), "audience");
}
