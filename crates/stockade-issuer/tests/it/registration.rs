//! Dynamic registration: an id, and no right.

use crate::browser::{Browser, REDIRECT, asking, signed_in};
use crate::ground::{Ground, find, form_request, member};
use bytes::Bytes;
use std::time::Duration;
use stockade_issuer::{Happening, IDLE_CLIENT, IssuerHeaders, IssuerRequest, METADATA_BYTES, Offer, UNUSED_CLIENT};

#[test]
fn a_client_learns_what_was_registered() {
    let ground = Ground::new();
    let answer = ground.register(
        r#"{"redirect_uris":["http://127.0.0.1:33418/","https://vscode.dev/redirect"],"client_name":"Editor",
            "token_endpoint_auth_method":"none","response_types":["code"],"application_type":"native",
            "grant_types":["authorization_code","refresh_token","urn:ietf:params:oauth:grant-type:device_code"]}"#,
    );
    assert_eq!((answer.status, answer.header("cache-control")), (201, Some("no-store")), "{answer:?}");
    let expected = [
        ("redirect_uris", r#"["http://127.0.0.1:33418/","https://vscode.dev/redirect"]"#),
        ("grant_types", r#"["authorization_code","refresh_token"]"#),
        ("response_types", r#"["code"]"#),
        ("token_endpoint_auth_method", "none"),
        ("client_name", "Editor"),
    ];
    for (name, value) in expected {
        assert_eq!(member(&answer, name), value);
    }
    assert_eq!(find(&answer, "client_secret"), None);
    assert!(member(&answer, "client_id").starts_with("stc_"));
    let answer = ground.register(&format!(r#"{{"redirect_uris":["{REDIRECT}"]}}"#));
    assert_eq!(member(&answer, "client_secret").len(), 43);
    assert_eq!(member(&answer, "client_secret_expires_at"), "0");
}

#[test]
fn what_cannot_be_registered_is_refused_in_the_words_of_the_standard() {
    let ground = Ground::new();
    let check = |body: &str, error: &str| {
        let answer = ground.register(body);
        assert_eq!((answer.status, member(&answer, "error").as_str()), (400, error), "{body}");
        ground.clock.pass(Duration::from_secs(10));
    };
    check("", "invalid_client_metadata");
    check("[]", "invalid_client_metadata");
    check(
        r#"{"redirect_uris":["https://a.example/cb"],"redirect_uris":["https://b.example/cb"]}"#,
        "invalid_client_metadata",
    );
    check(r#"{"redirect_uris":["http://a.example/cb"]}"#, "invalid_redirect_uri");
    check(r#"{"redirect_uris":["javascript:alert(1)"]}"#, "invalid_redirect_uri");
    check(r#"{"redirect_uris":["https://a.example/cb#f"]}"#, "invalid_redirect_uri");
    check(r#"{"redirect_uris":[]}"#, "invalid_redirect_uri");
    check("{}", "invalid_redirect_uri");
    check(
        r#"{"redirect_uris":["https://a.example/cb"],"token_endpoint_auth_method":"tls"}"#,
        "invalid_client_metadata",
    );
    assert_eq!(ground.count(Happening::ClientRegistered), 0);
}

#[test]
fn only_json_of_a_bounded_size_registers() {
    let ground = Ground::new();
    let body = format!(r#"{{"redirect_uris":["{REDIRECT}"]}}"#);
    let send = |content_type: &str, body: String| {
        let headers = IssuerHeaders { content_type: Some(content_type.to_owned()), ..IssuerHeaders::default() };
        let (method, path) = ("POST".to_owned(), "/register".to_owned());
        let request = IssuerRequest { method, path, headers, body: Bytes::from(body), ..IssuerRequest::default() };
        ground.handle(&request).status
    };
    assert_eq!(send("application/json;charset=utf-8", body.clone()), 201);
    assert_eq!(send("text/plain", body.clone()), 400);
    assert_eq!(send("", body.clone()), 400);
    let padded = |length: usize| format!("{body}{}", " ".repeat(length - body.len()));
    assert_eq!(send("application/json", padded(METADATA_BYTES)), 201);
    assert_eq!(send("application/json", padded(METADATA_BYTES + 1)), 413);
}

#[test]
fn a_gateway_without_registration_does_not_offer_it() {
    let ground = Ground::with(|raw| raw.registration = Offer::Closed);
    assert_eq!(ground.register("{}").status, 404);
    let metadata = ground.get("/.well-known/oauth-authorization-server", None);
    assert_eq!(find(&metadata, "registration_endpoint"), None);
    assert_eq!(member(&metadata, "token_endpoint_auth_methods_supported"), r#"["none"]"#);
}

#[test]
fn a_client_that_nobody_uses_goes_and_one_in_use_stays() {
    for ground in [Ground::new(), Ground::with_database()] {
        let unused = ground.client(&[REDIRECT]);
        let used = signed_in(&ground).client;
        let is_known = |client: &str| Browser::open(&ground, &asking(client)).page.status == 200;
        ground.clock.pass(UNUSED_CLIENT);
        assert!(is_known(&unused));
        ground.clock.pass(Duration::from_secs(61));
        assert!(!is_known(&unused) && is_known(&used));
        ground.clock.pass(IDLE_CLIENT);
        assert!(!is_known(&used));
    }
}

#[test]
fn an_unknown_client_at_the_token_endpoint_learns_to_register_again() {
    let ground = Ground::new();
    let form = [("grant_type", "refresh_token"), ("client_id", "stc_AAAAAAAAAAAAAAAAAAAAAA"), ("refresh_token", "x")];
    let answer = ground.handle(&form_request("/token", &form));
    assert_eq!((answer.status, member(&answer, "error").as_str()), (401, "invalid_client"));
}
