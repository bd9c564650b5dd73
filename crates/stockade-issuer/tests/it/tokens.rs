//! The token endpoint, revocation, and what an access token says.

use crate::browser::{REDIRECT, Tokens, VERIFIER, asking, changed, code_for, redeem, refresh, signed_in, tokens_for};
use crate::ground::{Ground, ISSUER, RESOURCE, find, form_request, member, name};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use std::time::Duration;
use stockade_core::ports::Clock;
use stockade_core::wire::{Document, WireLimits};
use stockade_core::words::Secret;
use stockade_issuer::{
    CODE_LIFE, FAMILY_IDLE, FAMILY_LIFE, FamilyId, Happening, IssuerResponse, TokenId, TokenReference,
};

fn part(token: &str, place: usize) -> Document {
    let bytes = URL_SAFE_NO_PAD.decode(token.split('.').nth(place).unwrap()).unwrap();
    Document::read(Bytes::from(bytes), &WireLimits::DEFAULT).unwrap()
}

fn text(document: &Document, member: &str) -> String {
    let value = document.root().get(member).unwrap_or_else(|| panic!("no {member}"));
    value.as_str().map_or_else(|| value.raw().to_owned(), std::borrow::Cow::into_owned)
}

/// Whether the resource server would let the token in, as far as revocation goes.
fn stands(ground: &Ground, token: &str) -> bool {
    let claims = part(token, 1);
    let (id, family) =
        (TokenId::parse(&text(&claims, "jti")).unwrap(), FamilyId::parse(&text(&claims, "sid")).unwrap());
    let reference = TokenReference { token: &id, family: &family, subject: &text(&claims, "sub") };
    !ground.issuer.is_revoked(reference).unwrap()
}

fn error(answer: &IssuerResponse) -> (u16, String) {
    (answer.status, member(answer, "error"))
}

fn grant_refused() -> (u16, String) {
    (400, "invalid_grant".to_owned())
}

#[test]
fn an_access_token_says_what_the_standard_wants() {
    let ground = Ground::new();
    let Tokens { client, access, .. } = signed_in(&ground);
    let (header, claims) = (part(&access, 0), part(&access, 1));
    assert_eq!((text(&header, "alg").as_str(), text(&header, "typ").as_str()), ("ES256", "at+jwt"));
    let expected = [
        ("iss", ISSUER),
        ("sub", "alice"),
        ("aud", RESOURCE),
        ("client_id", client.as_str()),
        ("scope", "mcp"),
        ("env", "sandbox"),
    ];
    for (member, value) in expected {
        assert_eq!(text(&claims, member), value);
    }
    let issued: i64 = text(&claims, "iat").parse().unwrap();
    assert_eq!(issued, ground.clock.wall().0 / 1_000_000_000);
    assert_eq!(text(&claims, "exp"), (issued + 600).to_string());
    assert!(stands(&ground, &access));
}

#[test]
fn a_token_for_a_route_below_is_for_that_route() {
    let ground = Ground::new();
    let client = ground.client(&[REDIRECT]);
    let below = format!("{RESOURCE}/files");
    let code = code_for(&ground, &changed(&client, "resource", Some(&below)));
    let wrong = redeem(&ground, &client, &code);
    assert_eq!(error(&wrong), (400, "invalid_target".to_owned()), "the resource of the consent is the one");
    let code = code_for(&ground, &changed(&client, "resource", Some(&below)));
    let answer = ground.post(
        "/token",
        &[
            ("grant_type", "authorization_code"),
            ("client_id", &client),
            ("code", &code),
            ("redirect_uri", REDIRECT),
            ("code_verifier", VERIFIER),
        ],
    );
    assert_eq!(text(&part(&member(&answer, "access_token"), 1), "aud"), below);
}

#[test]
fn a_code_is_good_for_its_client_its_place_its_verifier_and_once() {
    for ground in [Ground::new(), Ground::with_database()] {
        let client = ground.client(&[REDIRECT]);
        let other = ground.client(&[REDIRECT]);
        let attempt = |change: (&str, Option<&str>)| {
            let code = code_for(&ground, &asking(&client));
            let good = [
                ("grant_type", "authorization_code"),
                ("client_id", client.as_str()),
                ("code", code.as_str()),
                ("redirect_uri", REDIRECT),
                ("code_verifier", VERIFIER),
                ("resource", RESOURCE),
            ];
            let (changed, value) = change;
            let mut parameters: Vec<_> = good.into_iter().filter(|(name, _)| *name != changed).collect();
            parameters.extend(value.map(|value| (changed, value)));
            let answer = ground.post("/token", &parameters);
            // Whatever was wrong with it, a code that was shown is over: the right request comes too late.
            let late = redeem(&ground, &client, &code);
            (answer, late)
        };
        let verifier_of_other = "x".repeat(43);
        for change in [
            ("client_id", Some(other.as_str())),
            ("redirect_uri", Some("http://127.0.0.1:33418/callback2")),
            ("redirect_uri", Some("http://127.0.0.1:33419/callback")),
            ("code_verifier", Some(verifier_of_other.as_str())),
            ("code_verifier", Some(&crate::browser::challenge())),
        ] {
            let (answer, late) = attempt(change);
            assert_eq!((error(&answer), error(&late)), (grant_refused(), grant_refused()), "{change:?}");
        }
        let (answer, late) = attempt(("resource", Some("http://127.0.0.1:8443/mcp/files")));
        assert_eq!((error(&answer).1.as_str(), error(&late)), ("invalid_target", grant_refused()));
        // What is not there is no attempt.
        for missing in ["code", "redirect_uri", "code_verifier", "grant_type"] {
            let (answer, late) = attempt((missing, None));
            assert_eq!((error(&answer).1.as_str(), late.status), ("invalid_request", 200), "{missing}");
        }
        let (answer, late) = attempt(("grant_type", Some("password")));
        assert_eq!((error(&answer).1.as_str(), late.status), ("unsupported_grant_type", 200));
        let (answer, late) = attempt(("code", Some("x")));
        assert_eq!((error(&answer), late.status), (grant_refused(), 200));
    }
}

#[test]
fn a_code_that_comes_twice_ends_what_came_of_it() {
    for ground in [Ground::new(), Ground::with_database()] {
        let client = ground.client(&[REDIRECT]);
        let code = code_for(&ground, &asking(&client));
        let first = redeem(&ground, &client, &code);
        let access = member(&first, "access_token");
        assert!(stands(&ground, &access));
        assert_eq!(error(&redeem(&ground, &client, &code)), grant_refused());
        assert!(!stands(&ground, &access));
        assert_eq!(error(&refresh(&ground, &client, &member(&first, "refresh_token"))), grant_refused());
        assert_eq!(ground.count(Happening::CodeReplayed), 1);
    }
}

#[test]
fn a_code_of_another_client_is_noticed() {
    let ground = Ground::new();
    let (client, thief) = (ground.client(&[REDIRECT]), ground.client(&[REDIRECT]));
    let code = code_for(&ground, &asking(&client));
    assert_eq!(error(&redeem(&ground, &thief, &code)), grant_refused());
    assert_eq!(ground.count(Happening::CodeReplayed), 1);
    assert_eq!(ground.last_reason(), "the code is another client's");
}

#[test]
fn a_code_has_sixty_seconds() {
    for ground in [Ground::new(), Ground::with_database()] {
        let client = ground.client(&[REDIRECT]);
        let code = code_for(&ground, &asking(&client));
        ground.clock.pass(CODE_LIFE - Duration::from_nanos(1));
        assert_eq!(redeem(&ground, &client, &code).status, 200);
        let code = code_for(&ground, &asking(&client));
        ground.clock.pass(CODE_LIFE);
        assert_eq!(error(&redeem(&ground, &client, &code)), grant_refused());
    }
}

#[test]
fn a_refresh_token_works_once_and_its_second_use_ends_the_family() {
    for ground in [Ground::new(), Ground::with_database()] {
        let Tokens { client, access, refresh: first } = signed_in(&ground);
        let answer = refresh(&ground, &client, &first);
        assert_eq!(answer.status, 200, "{answer:?}");
        let (second, renewed) = (member(&answer, "refresh_token"), member(&answer, "access_token"));
        assert_ne!(first, second);
        assert!(stands(&ground, &access) && stands(&ground, &renewed));
        let third = member(&refresh(&ground, &client, &second), "refresh_token");
        assert_eq!(error(&refresh(&ground, &client, &first)), grant_refused(), "there is no grace");
        assert!(!stands(&ground, &access) && !stands(&ground, &renewed));
        for token in [&third, &second, &first] {
            assert_eq!(error(&refresh(&ground, &client, token)), grant_refused());
        }
        assert_eq!(ground.count(Happening::RefreshReplayed), 1);
        // Another sign-in of the same user and client is another family.
        let tokens = tokens_for(&ground, &client);
        assert_eq!(refresh(&ground, &client, &tokens.refresh).status, 200);
    }
}

#[test]
fn two_uses_at_the_same_time_do_not_both_count() {
    let ground = Ground::with_database();
    let Tokens { client, refresh: token, .. } = signed_in(&ground);
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let uses: Vec<_> = (0..4).map(|_| scope.spawn(|| refresh(&ground, &client, &token).status)).collect();
        uses.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert!(statuses.iter().filter(|status| **status == 200).count() <= 1, "{statuses:?}");
    assert!(ground.count(Happening::RefreshReplayed) >= 1);
}

#[test]
fn a_refresh_token_of_another_client_ends_the_family() {
    let ground = Ground::new();
    let Tokens { client, access, refresh: token } = signed_in(&ground);
    let thief = ground.client(&[REDIRECT]);
    assert_eq!(error(&refresh(&ground, &thief, &token)), grant_refused());
    assert!(!stands(&ground, &access));
    assert_eq!(error(&refresh(&ground, &client, &token)), grant_refused());
}

#[test]
fn what_is_no_refresh_token_ends_nothing() {
    let ground = Ground::new();
    let Tokens { client, access, refresh: token } = signed_in(&ground);
    let handle = token.split('.').next().unwrap();
    let family = text(&part(&access, 1), "sid");
    // The family's public id is no handle: who has seen an access token cannot end the family.
    let guesses =
        [format!("str_{family}.{}", "A".repeat(43)), format!("{handle}."), token.split_at(60).0.to_owned(), "x".into()];
    for guess in guesses {
        assert_eq!(error(&refresh(&ground, &client, &guess)), grant_refused(), "{guess}");
        assert!(stands(&ground, &access));
    }
    assert_eq!(refresh(&ground, &client, &token).status, 200);
}

#[test]
fn a_family_ends_after_a_week_without_use_and_after_a_month_whatever_happens() {
    for ground in [Ground::new(), Ground::with_database()] {
        let Tokens { client, refresh: token, .. } = signed_in(&ground);
        ground.clock.pass(FAMILY_IDLE - Duration::from_secs(1));
        let token = member(&refresh(&ground, &client, &token), "refresh_token");
        ground.clock.pass(FAMILY_IDLE);
        assert_eq!(error(&refresh(&ground, &client, &token)), grant_refused());
        let mut tokens = tokens_for(&ground, &client);
        let week = FAMILY_IDLE - Duration::from_secs(1);
        for _ in 0..FAMILY_LIFE.as_secs() / FAMILY_IDLE.as_secs() {
            ground.clock.pass(week);
            tokens.refresh = member(&refresh(&ground, &client, &tokens.refresh), "refresh_token");
        }
        ground.clock.pass(Duration::from_secs(2 * 24 * 3_600 + 4));
        assert_eq!(error(&refresh(&ground, &client, &tokens.refresh)), grant_refused());
    }
}

#[test]
fn a_renewal_may_ask_for_less_and_a_mistake_costs_nothing() {
    use stockade_issuer::{Given, ScopeSpec};
    let ground = Ground::with(|raw| {
        raw.scopes.push(ScopeSpec { name: "files".into(), description: String::new(), given: Given::WhenAsked });
    });
    let client = ground.client(&[REDIRECT]);
    let code = code_for(&ground, &changed(&client, "scope", Some("files mcp")));
    let answer = redeem(&ground, &client, &code);
    assert_eq!(member(&answer, "scope"), "files mcp");
    let token = member(&answer, "refresh_token");
    let ask = |token: &str, name: &str, value: &str| {
        let base = [("grant_type", "refresh_token"), ("client_id", client.as_str()), ("refresh_token", token)];
        ground.post("/token", &[base.as_slice(), &[(name, value)]].concat())
    };
    assert_eq!(error(&ask(&token, "scope", "files mcp admin")).1, "invalid_scope");
    assert_eq!(error(&ask(&token, "resource", "http://127.0.0.1:8443/mcp/files")).1, "invalid_target");
    let answer = ask(&token, "scope", "files");
    assert_eq!((answer.status, member(&answer, "scope").as_str()), (200, "files"));
    assert_eq!(text(&part(&member(&answer, "access_token"), 1), "scope"), "files");
    let answer = ask(&member(&answer, "refresh_token"), "resource", RESOURCE);
    assert_eq!((answer.status, member(&answer, "scope").as_str()), (200, "files mcp"), "the grant itself is whole");
}

#[test]
fn a_user_who_goes_or_gets_another_password_takes_all_tokens_along_at_once() {
    for ground in [Ground::new(), Ground::with_database()] {
        let one = signed_in(&ground);
        let now = ground.clock.wall();
        assert!(stands(&ground, &one.access));
        ground.users().set_password(&name("alice"), Some(&Secret::new(crate::ground::PASSWORD.into())), now).unwrap();
        assert!(!stands(&ground, &one.access));
        assert_eq!(error(&refresh(&ground, &one.client, &one.refresh)), grant_refused());
        let two = signed_in(&ground);
        assert!(stands(&ground, &two.access), "in the very same second");
        ground.users().remove(&name("alice"), now).unwrap();
        assert!(!stands(&ground, &two.access));
        ground.users().add(&name("alice"), None, now).unwrap();
        assert!(!stands(&ground, &two.access), "another alice is another user");
        assert_eq!(error(&refresh(&ground, &two.client, &two.refresh)), grant_refused());
    }
}

#[test]
fn a_client_gives_back_its_own_and_nobody_elses() {
    for ground in [Ground::new(), Ground::with_database()] {
        let mine = signed_in(&ground);
        let thief = ground.client(&[REDIRECT]);
        let revoke = |client: &str, token: &str| {
            let answer = ground.post("/revoke", &[("client_id", client), ("token", token), ("token_type_hint", "x")]);
            assert_eq!((answer.status, answer.body.len()), (200, 0), "it is not told whether there was one");
        };
        revoke(&thief, &mine.access);
        revoke(&thief, &mine.refresh);
        revoke(&mine.client, "nothing");
        let broken = format!("{}A", mine.access);
        revoke(&mine.client, &broken);
        assert!(stands(&ground, &mine.access));
        let renewed = refresh(&ground, &mine.client, &mine.refresh);
        let (access, token) = (member(&renewed, "access_token"), member(&renewed, "refresh_token"));
        revoke(&mine.client, &mine.access);
        assert!(!stands(&ground, &mine.access) && stands(&ground, &access), "one access token alone");
        revoke(&mine.client, &token);
        assert!(!stands(&ground, &access), "all that came of the grant");
        assert_eq!(error(&refresh(&ground, &mine.client, &token)), grant_refused());
        assert_eq!(ground.count(Happening::TokenRevoked), 2);
        let answer = ground.post("/revoke", &[("client_id", &mine.client)]);
        assert_eq!(error(&answer), (400, "invalid_request".to_owned()));
    }
}

#[test]
fn a_token_of_nobody_we_know_is_revoked() {
    let ground = Ground::new();
    let access = signed_in(&ground).access;
    let claims = part(&access, 1);
    let (id, family) =
        (TokenId::parse(&text(&claims, "jti")).unwrap(), FamilyId::parse(&text(&claims, "sid")).unwrap());
    let other = FamilyId::parse("AAAAAAAAAAAAAAAAAAAAAA").unwrap();
    let revoked = |family: &FamilyId, subject: &str| {
        ground.issuer.is_revoked(TokenReference { token: &id, family, subject }).unwrap()
    };
    assert!(!revoked(&family, "alice"));
    assert!(revoked(&other, "alice") && revoked(&family, "bob"));
    ground.memory.as_ref().unwrap().is_down.store(true, std::sync::atomic::Ordering::Relaxed);
    assert!(ground.issuer.is_revoked(TokenReference { token: &id, family: &family, subject: "alice" }).is_err());
}

#[test]
fn a_client_with_a_secret_shows_it_in_one_place() {
    let ground = Ground::new();
    let body = format!(r#"{{"redirect_uris":["{REDIRECT}"],"grant_types":["authorization_code","refresh_token"]}}"#);
    let registered = ground.register(&body);
    assert_eq!(member(&registered, "token_endpoint_auth_method"), "client_secret_basic");
    let (client, secret) = (member(&registered, "client_id"), member(&registered, "client_secret"));
    let redeem_with = |in_body: &[(&str, &str)], header: Option<String>| {
        let code = code_for(&ground, &asking(&client));
        let grant = [
            ("grant_type", "authorization_code"),
            ("code", code.as_str()),
            ("redirect_uri", REDIRECT),
            ("code_verifier", VERIFIER),
        ];
        let mut request = form_request("/token", &[grant.as_slice(), in_body].concat());
        request.headers.authorization = header.map(Secret::new);
        ground.handle(&request)
    };
    let basic = |id: &str, secret: &str| Some(format!("Basic {}", STANDARD.encode(format!("{id}:{secret}"))));
    let id = ("client_id", client.as_str());
    assert_eq!(redeem_with(&[], basic(&client, &secret)).status, 200);
    assert_eq!(redeem_with(&[id], basic(&client, &secret)).status, 200);
    assert_eq!(redeem_with(&[id, ("client_secret", &secret)], None).status, 200);
    let refused = (401, "invalid_client".to_owned());
    let wrong = redeem_with(&[], basic(&client, "wrong"));
    assert_eq!((error(&wrong), wrong.header("www-authenticate")), (refused.clone(), Some("Basic realm=\"token\"")));
    assert_eq!(error(&redeem_with(&[id], None)), refused);
    assert_eq!(error(&redeem_with(&[id, ("client_secret", "wrong")], None)), refused);
    assert_eq!(error(&redeem_with(&[], Some("Bearer x".to_owned()))), refused);
    assert_eq!(error(&redeem_with(&[], None)), refused);
    assert_eq!(error(&redeem_with(&[("client_secret", &secret)], basic(&client, &secret))).1, "invalid_request");
    assert_eq!(error(&redeem_with(&[("client_id", "other")], basic(&client, &secret))).1, "invalid_request");
    // A public client has none.
    let public = signed_in(&ground);
    let with_secret = [
        ("grant_type", "refresh_token"),
        ("client_id", public.client.as_str()),
        ("refresh_token", public.refresh.as_str()),
        ("client_secret", "x"),
    ];
    assert_eq!(error(&ground.post("/token", &with_secret)), refused);
    assert_eq!(refresh(&ground, &public.client, &public.refresh).status, 200);
}

#[test]
fn repeated_parameters_and_other_bodies_are_refused() {
    let ground = Ground::new();
    let Tokens { client, refresh: token, .. } = signed_in(&ground);
    let doubled =
        [("grant_type", "refresh_token"), ("client_id", &client), ("refresh_token", &token), ("refresh_token", &token)];
    assert_eq!(error(&ground.post("/token", &doubled)), (400, "invalid_request".to_owned()));
    let mut request = form_request("/token", &doubled[..3]);
    request.headers.content_type = Some("application/json".to_owned());
    assert_eq!(ground.handle(&request).status, 415);
    request.headers.content_type = Some("application/x-www-form-urlencoded;charset=UTF-8".to_owned());
    assert_eq!(ground.handle(&request).status, 200);
    // In the query there are no parameters at all.
    let mut request = form_request("/token", &[]);
    request.query = Some("grant_type=refresh_token".to_owned());
    assert_eq!(error(&ground.handle(&request)).1, "invalid_client");
}

#[test]
fn ten_thousand_tokens_have_ten_thousand_ids() {
    let ground = Ground::new();
    let Tokens { client, refresh: mut token, .. } = signed_in(&ground);
    let (mut ids, mut secrets) = (std::collections::HashSet::new(), std::collections::HashSet::new());
    for _ in 0..10_000 {
        ground.clock.pass(Duration::from_millis(251));
        let answer = refresh(&ground, &client, &token);
        assert_eq!(answer.status, 200, "{answer:?}");
        token = member(&answer, "refresh_token");
        assert!(ids.insert(text(&part(&member(&answer, "access_token"), 1), "jti")));
        assert!(secrets.insert(token.clone()));
    }
}

#[test]
fn no_answer_says_which_part_of_a_grant_was_wrong() {
    let ground = Ground::new();
    let client = ground.client(&[REDIRECT]);
    let code = code_for(&ground, &asking(&client));
    let first = redeem(&ground, &client, &code);
    let answers = [
        redeem(&ground, &client, "no code at all"),
        redeem(&ground, &client, &code),
        refresh(&ground, &client, "str_x"),
        refresh(&ground, &client, &member(&first, "refresh_token")),
    ];
    let bodies: std::collections::HashSet<_> = answers.iter().map(|answer| answer.body.clone()).collect();
    assert_eq!(bodies.len(), 1);
    assert!(find(&answers[0], "error_description").is_some());
}
