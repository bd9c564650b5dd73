//! Routes: each is there, has its method, its limit, and answers no script that is not listed.

use crate::browser::REDIRECT;
use crate::ground::{Ground, ISSUER, find, form_request, member};
use std::time::Duration;
use stockade_issuer::{Authentication, Happening, IssuerHeaders, IssuerRequest, IssuerResponse, ROUTES, Scripts};

fn ask(ground: &Ground, method: &str, path: &str, headers: IssuerHeaders) -> IssuerResponse {
    ground.handle(&IssuerRequest { method: method.into(), path: path.into(), headers, ..IssuerRequest::default() })
}

fn from(origin: &str) -> IssuerHeaders {
    IssuerHeaders { origin: Some(origin.to_owned()), ..IssuerHeaders::default() }
}

#[test]
fn the_metadata_is_what_clients_look_for() {
    let ground = Ground::new();
    let metadata = ground.get("/.well-known/oauth-authorization-server", None);
    assert_eq!((metadata.status, metadata.header("content-type")), (200, Some("application/json")));
    let expected = [
        ("issuer", ISSUER),
        ("authorization_endpoint", "http://127.0.0.1:8443/authorize"),
        ("token_endpoint", "http://127.0.0.1:8443/token"),
        ("registration_endpoint", "http://127.0.0.1:8443/register"),
        ("revocation_endpoint", "http://127.0.0.1:8443/revoke"),
        ("jwks_uri", "http://127.0.0.1:8443/jwks.json"),
        ("response_types_supported", r#"["code"]"#),
        ("grant_types_supported", r#"["authorization_code","refresh_token"]"#),
        ("code_challenge_methods_supported", r#"["S256"]"#),
        ("authorization_response_iss_parameter_supported", "true"),
        ("client_id_metadata_document_supported", "true"),
        ("scopes_supported", r#"["mcp"]"#),
        ("token_endpoint_auth_methods_supported", r#"["none","client_secret_basic","client_secret_post"]"#),
    ];
    for (name, value) in expected {
        assert_eq!(member(&metadata, name), value);
    }
    let open_id = ground.get("/.well-known/openid-configuration", None);
    for (name, value) in expected {
        assert_eq!(member(&open_id, name), value);
    }
    assert_eq!(member(&open_id, "subject_types_supported"), r#"["public"]"#);
}

#[test]
fn every_endpoint_of_the_metadata_is_a_route() {
    let ground = Ground::new();
    let metadata = ground.get("/.well-known/oauth-authorization-server", None);
    for name in ["authorization_endpoint", "token_endpoint", "registration_endpoint", "revocation_endpoint", "jwks_uri"]
    {
        let path = member(&metadata, name).replace(ISSUER, "");
        assert!(ROUTES.iter().any(|route| route.path == path), "{path}");
    }
}

#[test]
fn other_paths_and_methods_are_not_there() {
    let ground = Ground::new();
    for path in
        ["/", "/oauth", "/token/", "/TOKEN", "/token?x", "//token", "/.well-known/oauth-authorization-server/mcp", ""]
    {
        assert_eq!(ask(&ground, "GET", path, IssuerHeaders::default()).status, 404, "{path}");
        assert_eq!(ask(&ground, "POST", path, IssuerHeaders::default()).status, 404, "{path}");
    }
    for route in ROUTES {
        for method in ["GET", "POST", "PUT", "DELETE", "HEAD", "TRACE", "get", ""] {
            let answer = ask(&ground, method, route.path, IssuerHeaders::default());
            assert_eq!(answer.status == 405, method != route.method, "{method} {}", route.path);
            assert_eq!(answer.header("allow").is_some(), method != route.method, "{method} {}", route.path);
        }
    }
}

#[test]
fn each_route_has_its_limit_for_one_sender_and_others_go_on() {
    for route in ROUTES {
        let ground = Ground::new();
        let send = |last: u8| {
            let content_type = Some("application/x-www-form-urlencoded".to_owned());
            let request = IssuerRequest {
                method: route.method.into(),
                path: route.path.into(),
                headers: IssuerHeaders { content_type, ..IssuerHeaders::default() },
                peer: Some(std::net::IpAddr::from([192, 0, 2, last])),
                ..IssuerRequest::default()
            };
            ground.handle(&request)
        };
        for _ in 0..route.limit.per_sender {
            assert_ne!(send(1).status, 429, "{}", route.path);
        }
        let refused = send(1);
        assert_eq!(refused.status, 429, "{}", route.path);
        assert!(refused.header("retry-after").is_some(), "{}", route.path);
        assert_ne!(send(2).status, 429, "{}", route.path);
        ground.clock.pass(Duration::from_secs(60));
        assert_ne!(send(1).status, 429, "{}", route.path);
        // All senders together.
        let mut sent = 0;
        let met = (3..=255).find(|last| {
            (0..route.limit.per_sender).any(|_| {
                sent += 1;
                send(*last).status == 429
            })
        });
        assert!(met.is_some(), "{}", route.path);
        assert_eq!(sent, route.limit.overall, "{} (one was taken by the sender before)", route.path);
        assert!(ground.count(Happening::LimitMet) >= 2);
    }
}

#[test]
fn no_script_of_another_origin_reads_anything_unless_it_is_listed() {
    let closed = Ground::new();
    let open = Ground::with(|raw| raw.origins.push("https://inspector.example".to_owned()));
    for route in ROUTES {
        for origin in ["https://inspector.example", "null", "http://127.0.0.1:8443", "https://evil.example"] {
            let answer = ask(&closed, route.method, route.path, from(origin));
            assert_eq!(answer.header("access-control-allow-origin"), None, "{origin} {}", route.path);
            let mut headers = from(origin);
            headers.wanted_method = Some(route.method.to_owned());
            let answer = ask(&closed, "OPTIONS", route.path, headers);
            assert_eq!((answer.status, answer.header("access-control-allow-origin")), (405, None), "{}", route.path);
        }
        let listed = route.scripts == Scripts::Listed;
        let answer = ask(&open, route.method, route.path, from("https://inspector.example"));
        let expected = listed.then_some("https://inspector.example");
        assert_eq!(answer.header("access-control-allow-origin"), expected, "{}", route.path);
        assert_eq!(answer.header("vary"), listed.then_some("origin"));
        assert_eq!(answer.header("access-control-allow-credentials"), None);
        let mut headers = from("https://inspector.example");
        headers.wanted_method = Some(route.method.to_owned());
        let answer = ask(&open, "OPTIONS", route.path, headers);
        assert_eq!(answer.status, if listed { 204 } else { 405 }, "{}", route.path);
        assert_eq!(answer.header("access-control-allow-methods"), listed.then_some(route.method));
        let answer = ask(&open, route.method, route.path, from("https://inspector.example.evil.example"));
        assert_eq!(answer.header("access-control-allow-origin"), None);
    }
}

#[test]
fn a_post_from_a_page_of_another_origin_does_nothing() {
    let ground = Ground::new();
    for route in ROUTES.iter().filter(|route| route.method == "POST") {
        let mut request = form_request(route.path, &[]);
        request.headers.origin = Some("https://evil.example".to_owned());
        assert_eq!(ground.handle(&request).status, 403, "{}", route.path);
    }
}

#[test]
fn bodies_are_bounded_by_their_route() {
    let ground = Ground::new();
    for route in ROUTES {
        let mut request = form_request(route.path, &[]);
        request.method = route.method.to_owned();
        request.body = vec![b'a'; route.limit.body_bytes].into();
        assert_ne!(ground.handle(&request).status, 413, "{}", route.path);
        request.body = vec![b'a'; route.limit.body_bytes + 1].into();
        assert_eq!(ground.handle(&request).status, 413, "{}", route.path);
    }
}

#[test]
fn whoever_needs_no_authentication_changes_nothing_but_by_registering() {
    let ground = Ground::new();
    let client = ground.client(&[REDIRECT]);
    let public: Vec<_> = ROUTES
        .iter()
        .filter(|route| matches!(route.authentication, Authentication::Public { .. }))
        .map(|route| (route.method, route.path))
        .collect();
    let expected = [
        ("GET", "/.well-known/oauth-authorization-server"),
        ("GET", "/.well-known/openid-configuration"),
        ("GET", "/jwks.json"),
        ("GET", "/authorize"),
        ("POST", "/register"),
    ];
    assert_eq!(public, expected);
    assert!(find(&ground.get("/jwks.json", None), "keys").is_some());
    assert!(client.starts_with("stc_"));
}
