//! Callers by API key and certificate, what was revoked, who guesses, and what holds after the sign-in.

use crate::world::{
    Key, START, World, authenticator, bearer, by_token, certificate, check_of, identify, right, settings, with,
};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use stockade_core::identity::{Basis, CertificateName, Credential, Identity, IdentityError, PeerCertificate, Shown};
use stockade_core::ports::{Identities, Timestamp};
use stockade_core::words::{Caller, CallerKind, CallerName, Secret};
use stockade_identity::{Authenticator, Settings, SettingsError};

/// Shows something anew each time.
type Showing<'t> = Box<dyn Fn() -> Shown + 't>;

const RIGHT_KEY: &str = "stk_aaaaaaaa_right";

fn from(address: [u8; 4], credential: &str) -> Shown {
    Shown { address: Some(IpAddr::from(address)), ..bearer(credential) }
}

fn named(name: &str) -> Shown {
    let names = vec![CertificateName::Spiffe(name.to_owned())];
    let certificate = PeerCertificate { names, ..PeerCertificate::clone(&certificate(5)) };
    Shown { credential: Credential::Nothing, certificate: Some(Arc::new(certificate)), ..bearer("") }
}

fn with_certificates(world: &Arc<World>) -> Authenticator {
    let mut settings = settings();
    let name = CertificateName::Spiffe("spiffe://corp/ci".to_owned());
    settings.certificates = BTreeMap::from([(name, CallerName::parse("ci").unwrap())]);
    authenticator(world, settings)
}

#[test]
fn what_shows_nothing_proves_nobody() {
    let world = World::new();
    let authenticator = authenticator(&world, settings());
    let nobody = |credential| identify(&authenticator, &Shown::only(credential));
    assert_eq!(nobody(Credential::Nothing).unwrap_err(), IdentityError::Missing);
    let reason = "two of them".to_owned();
    assert_eq!(nobody(Credential::Malformed("two of them")).unwrap_err(), IdentityError::Malformed { reason });
    // The word of a door is the guard's affair.
    let local = Caller::new(CallerName::parse("root").unwrap(), CallerKind::LocalUser);
    assert_eq!(nobody(Credential::LocalUser(local)).unwrap_err(), IdentityError::Missing);
}

#[test]
fn an_api_key_proves_its_holder_with_all_that_its_scopes_imply() {
    let world = World::new();
    let mut settings = settings();
    settings.implied_scopes = BTreeMap::from([("admin".to_owned(), vec!["files:read".to_owned()])]);
    let authenticator = authenticator(&world, settings);
    let identity = identify(&authenticator, &bearer(RIGHT_KEY)).unwrap();
    assert_eq!((identity.caller.name.as_str(), identity.caller.kind), ("alice", CallerKind::ApiKey));
    let scopes = BTreeSet::from(["admin".to_owned(), "files:read".to_owned()]);
    assert_eq!(identity.standing.scopes, Some(scopes));
    assert_eq!(identify(&authenticator, &bearer("stk_aaaaaaaa_wrong")).unwrap_err(), IdentityError::UnknownKey);
    assert_eq!(identify(&authenticator, &bearer("stk_")).unwrap_err(), IdentityError::UnknownKey);
    assert!(world.asked().is_empty());
}

#[test]
fn au_24_guessing_is_slowed_and_nobody_else_is() {
    let (world, key) = (World::new(), Key::eddsa("k"));
    world.publish(&[&key]);
    let authenticator = authenticator(&world, settings());
    let guess = |at: usize| identify(&authenticator, &from([192, 0, 2, 9], &format!("stk_aaaaaaaa_{at}"))).unwrap_err();
    for at in 0..30 {
        assert_eq!(guess(at), IdentityError::UnknownKey, "{at}");
    }
    for at in 30..1000 {
        assert_eq!(guess(at), IdentityError::Throttled { retry_after: Duration::from_secs(60) }, "{at}");
    }
    // Unknown ids, wrong secrets, bad tokens and broken ones look the same then.
    for credential in ["stk_bbbbbbbb_x", "stk_", "x.y.z", "opaque"] {
        let refused = identify(&authenticator, &from([192, 0, 2, 9], credential)).unwrap_err();
        assert!(matches!(refused, IdentityError::Throttled { .. }), "{credential}: {refused:?}");
    }
    // Another at the same address goes on, with a key, with a new token, with one that was seen.
    assert!(identify(&authenticator, &from([192, 0, 2, 9], RIGHT_KEY)).is_ok());
    assert!(identify(&authenticator, &from([192, 0, 2, 10], RIGHT_KEY)).is_ok());
    assert!(by_token(&authenticator, &key.token(&right())).is_ok());
    assert!(identify(&authenticator, &from([192, 0, 2, 9], &key.token(&with("jti", "new")))).is_ok());
    world.pass(60);
    assert_eq!(guess(0), IdentityError::UnknownKey);
}

#[test]
fn what_has_merely_ended_is_not_a_guess() {
    let (world, key) = (World::new(), Key::eddsa("k"));
    world.publish(&[&key]);
    let authenticator = authenticator(&world, settings());
    let expired = key.token(&with("exp", START - 31));
    for _ in 0..100 {
        assert_eq!(check_of(by_token(&authenticator, &expired)), "expiry");
        assert_eq!(
            identify(&authenticator, &Shown { credential: Credential::Nothing, ..bearer("") }).unwrap_err(),
            IdentityError::Missing
        );
    }
}

#[test]
fn a_certificate_proves_whom_the_list_names() {
    let world = World::new();
    let authenticator = with_certificates(&world);
    let identity = identify(&authenticator, &named("spiffe://corp/ci")).unwrap();
    assert_eq!((identity.caller.name.as_str(), identity.caller.kind), ("ci", CallerKind::Certificate));
    assert!(matches!(identity.standing.basis, Basis::Certificate { .. }));
    assert_eq!(check_of(identify(&authenticator, &named("spiffe://corp/other"))), "certificate");
    // A credential that is wrong is not made good by the certificate of its connection.
    let shown = Shown { credential: Credential::Bearer(Secret::new("stk_x".to_owned())), ..named("spiffe://corp/ci") };
    assert_eq!(identify(&authenticator, &shown).unwrap_err(), IdentityError::UnknownKey);
    // It ends during the connection.
    world.pass(7200);
    assert_eq!(check_of(identify(&authenticator, &named("spiffe://corp/ci"))), "certificate");
    assert!(matches!(authenticator.stands(&identity), Err(IdentityError::Rejected { check: "expiry", .. })));
}

#[test]
fn au_16_what_was_revoked_ends_at_once_remembered_or_not() {
    let (world, key) = (World::new(), Key::eddsa("k"));
    world.publish(&[&key]);
    let authenticator = with_certificates(&world);
    let token = key.token(&right());
    let cases: [(&str, Showing<'_>); 9] = [
        ("token https://as.test one", Box::new(|| bearer(&token))),
        ("subject https://as.test alice", Box::new(|| bearer(&token))),
        ("issuer https://as.test", Box::new(|| bearer(&token))),
        ("caller corp:alice", Box::new(|| bearer(&token))),
        ("certificate 5", Box::new(|| Shown { certificate: Some(certificate(5)), ..bearer(&token) })),
        ("key aaaaaaaa", Box::new(|| bearer(RIGHT_KEY))),
        ("caller alice", Box::new(|| bearer(RIGHT_KEY))),
        ("certificate 5", Box::new(|| named("spiffe://corp/ci"))),
        ("caller ci", Box::new(|| named("spiffe://corp/ci"))),
    ];
    for (what, shown) in &cases {
        let identity = identify(&authenticator, &shown()).unwrap();
        assert_eq!(authenticator.stands(&identity), Ok(()), "{what}");
        world.revoked.lock().unwrap().insert((*what).to_owned());
        let refused = identify(&authenticator, &shown());
        assert!(matches!(refused, Err(IdentityError::Revoked { .. })), "{what}: {refused:?}");
        let fallen = authenticator.stands(&identity);
        assert!(matches!(fallen, Err(IdentityError::Revoked { .. })), "{what}: {fallen:?}");
        world.revoked.lock().unwrap().clear();
        assert!(identify(&authenticator, &shown()).is_ok() && authenticator.stands(&identity).is_ok(), "{what}");
        // What cannot be asked about does not stand.
        *world.revocations_are_down.lock().unwrap() = true;
        assert!(matches!(identify(&authenticator, &shown()), Err(IdentityError::Unavailable { .. })), "{what}");
        assert!(matches!(authenticator.stands(&identity), Err(IdentityError::Unavailable { .. })), "{what}");
        *world.revocations_are_down.lock().unwrap() = false;
    }
}

#[test]
fn who_comes_from_an_issuer_that_is_no_longer_there_does_not_stand() {
    let (world, key) = (World::new(), Key::eddsa("k"));
    world.publish(&[&key]);
    let identity = by_token(&authenticator(&world, settings()), &key.token(&right())).unwrap();
    let mut without = settings();
    without.issuers.clear();
    let refused = authenticator(&world, without).stands(&identity);
    assert!(matches!(refused, Err(IdentityError::Rejected { check: "issuer", .. })), "{refused:?}");
}

#[test]
fn a_new_token_of_the_same_three_is_the_same_caller() {
    let (world, key) = (World::new(), Key::eddsa("k"));
    world.publish(&[&key]);
    let authenticator = authenticator(&world, settings());
    let caller = |claim: &str, value: &str| by_token(&authenticator, &key.token(&with(claim, value))).unwrap().caller;
    let first = caller("jti", "one");
    assert_eq!(first, caller("jti", "two"));
    assert_ne!(first, caller("sub", "bob"));
    assert_ne!(first, caller("client_id", "other"));
}

#[test]
fn the_table_of_tokens_is_bounded_and_right_in_every_place() {
    let (world, key) = (World::new(), Key::eddsa("k"));
    world.publish(&[&key]);
    let mut settings = settings();
    settings.remembered_tokens = 16;
    let authenticator = authenticator(&world, settings);
    let tokens: Vec<(String, String)> =
        (0..200).map(|at| (format!("corp:user-{at}"), key.token(&with("sub", format!("user-{at}"))))).collect();
    for _ in 0..3 {
        for (name, token) in &tokens {
            assert_eq!(by_token(&authenticator, token).unwrap().caller.name.as_str(), name);
        }
    }
}

#[test]
fn an_identity_ends_with_its_connection_or_its_token_whichever_is_first() {
    let (world, key) = (World::new(), Key::eddsa("k"));
    world.publish(&[&key]);
    let authenticator = authenticator(&world, settings());
    let ends = |exp: i64| {
        let shown = Shown { certificate: Some(certificate(5)), ..bearer(&key.token(&with("exp", exp))) };
        let Identity { standing, .. } = identify(&authenticator, &shown).unwrap();
        standing.expires
    };
    assert_eq!(ends(START + 60), Some(Timestamp((START + 90) * 1_000_000_000)));
    assert_eq!(ends(START + 10_000), Some(Timestamp((START + 7200) * 1_000_000_000)));
}

#[test]
fn settings_without_their_parts_are_refused() {
    let world = World::new();
    let made = |settings: Settings, fetchers| {
        let handle = Arc::new(crate::world::Handle(Arc::clone(&world)));
        let parts = stockade_identity::Parts {
            clock: handle.clone(),
            keys: handle.clone(),
            revocations: handle.clone(),
            replays: handle,
            fetchers,
            nonce_key: zeroize::Zeroizing::new([0; 32]),
        };
        Authenticator::new(settings, parts).map(|_| ())
    };
    assert_eq!(made(settings(), BTreeMap::new()), Err(SettingsError::NoFetcher { issuer: "corp".to_owned() }));
    assert_eq!(made(Settings::nobody("https://gw.test/mcp", "test"), BTreeMap::new()), Ok(()));
    assert_eq!(made(Settings::nobody("", "test"), BTreeMap::new()), Err(SettingsError::NoResource));
}
