//! AU-10: the authorization server is down.

use crate::ground::LONG;
use crate::issued::{ERAS, Issued};
use serde_json::json;
use testkit::TempFolder;
use testkit::authorization::{AuthorizationServer, INTROSPECTION, KEYS, Says, TokenKey};
use testkit::wait_until;

fn faults() -> Vec<(&'static str, Says)> {
    vec![
        ("500", Says::Raw(500, "application/json", br#"{"keys":[],"active":true}"#.to_vec())),
        ("HTML", Says::Raw(200, "text/html", b"<html>active: true</html>".to_vec())),
        ("{}", Says::Json(json!({}))),
        ("a redirect inside", Says::Redirect("http://127.0.0.1:1/".to_owned())),
        ("a redirect to the cloud", Says::Redirect("https://169.254.169.254/latest/meta-data".to_owned())),
        ("reset", Says::Reset),
        ("hang", Says::Hang),
    ]
}

#[test]
fn without_keys_nobody_is_recognised() {
    for (fault, says) in faults() {
        let key = TokenKey::new("k");
        let server = AuthorizationServer::start(&[&key]);
        server.says(KEYS, says);
        let issued = Issued::open_with(server, key, "", |config| config);
        let token = issued.key.token(&issued.claims());
        let answer = issued.show(ERAS[0], &token);
        assert_eq!(answer.status(), 503, "{fault}: {answer}");
        assert_eq!(issued.upstream.recorder().count(), 0, "{fault}");
        issued.server.publish(&[&issued.key]);
        assert!(wait_until(LONG, || issued.show(ERAS[0], &token).status() == 200), "{fault}: it does not recover");
    }
}

#[test]
fn known_keys_count_for_as_long_as_is_stated() {
    let issued = Issued::open("max_stale = \"3s\"");
    let token = issued.key.token(&issued.claims());
    issued.assert_granted("while it is up", &token);
    issued.server.says(KEYS, Says::Reset);
    issued.assert_granted("just after it went down", &token);
    assert!(wait_until(LONG, || issued.show(ERAS[0], &token).status() == 503), "stale keys count for ever");
    assert_eq!(issued.show(ERAS[1], &issued.key.token(&issued.claims_with("jti", "new"))).status(), 503);
    issued.server.publish(&[&issued.key]);
    assert!(wait_until(LONG, || issued.show(ERAS[0], &token).status() == 200), "it does not recover");
}

#[test]
fn introspection_that_fails_denies_at_once() {
    let key = TokenKey::new("k");
    let server = AuthorizationServer::start(&[&key]);
    let folder = TempFolder::new();
    let secret = folder.write("secret", "tHe-s3cret-0f-the-gateway-7c1e9a");
    std::fs::set_permissions(&secret, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("our own file");
    let more = format!(
        "introspection_url = \"{}\"\nintrospection_client_id = \"gateway\"\nintrospection_secret_file = {:?}\n\
         introspection_remember = \"1s\"",
        server.url(INTROSPECTION),
        secret.display().to_string()
    );
    let issued = Issued::open_with(server, key, &more, |config| config);
    let active = || {
        let mut claims = issued.claims();
        claims["active"] = json!(true);
        Says::Json(claims)
    };
    for (at, (fault, says)) in faults().into_iter().enumerate() {
        issued.server.says(INTROSPECTION, says);
        let answer = issued.show(ERAS[at % 2], &format!("opaque-{at}"));
        assert_eq!(answer.status(), 503, "{fault}: {answer}");
    }
    for (at, active) in [json!(false), json!("true"), json!(1), json!(null)].into_iter().enumerate() {
        issued.server.says(INTROSPECTION, Says::Json(json!({ "active": active })));
        let answer = issued.show(ERAS[at % 2], &format!("inactive-{at}"));
        assert!([401, 503].contains(&answer.status()), "{active}: {answer}");
    }
    assert_eq!(issued.upstream.recorder().count(), 0);
    issued.server.says(INTROSPECTION, active());
    issued.assert_granted("active", "opaque-active");
    issued.server.says(INTROSPECTION, Says::Reset);
    assert!(wait_until(LONG, || issued.show(ERAS[0], "opaque-active").status() == 503), "a yes is believed for ever");
    let asked = issued.server.asked();
    let question = asked.iter().find(|asked| asked.path == INTROSPECTION).expect("a question");
    assert!(question.text.contains("token_type_hint=access_token&token=opaque-0"), "{}", question.text);
}
