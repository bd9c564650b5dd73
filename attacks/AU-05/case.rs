//! AU-05: tokens of others.

use crate::issued::{ERAS, Issued};
use serde_json::json;
use testkit::authorization::{AuthorizationServer, METADATA, Says, TokenKey};

#[test]
fn an_issuer_is_the_one_that_is_configured() {
    let (other_key, key) = (TokenKey::new("k"), TokenKey::new("k"));
    let other = AuthorizationServer::start(&[&other_key]);
    let second = other.configured("").replace("\"corp\"", "\"other\"");
    let server = AuthorizationServer::start(&[&key]);
    let issued = Issued::open_with(server, key, "", |config| config.append(&second));
    let ours = issued.server.issuer().to_owned();
    for issuer in [
        format!("{ours}.evil.example"),
        ours.replace("http://", "https://"),
        format!("{ours}/"),
        ours.to_uppercase(),
        String::new(),
    ] {
        issued.assert_refused(&issuer, &issued.key.token(&issued.claims_with("iss", issuer.as_str())), "issuer");
    }
    issued.assert_refused("a list", &issued.key.token(&issued.claims_with("iss", json!([ours]))), "issuer");
    // Each key speaks for its own issuer.
    issued.assert_refused("ours by theirs", &other_key.token(&issued.claims()), "signature");
    let theirs = issued.claims_with("iss", other.issuer());
    issued.assert_refused("theirs by ours", &issued.key.token(&theirs), "signature");
    issued.check_evidence();
    issued.assert_granted("ours", &issued.key.token(&issued.claims()));
    issued.assert_granted("theirs", &other_key.token(&theirs));
}

#[test]
fn metadata_of_another_issuer_is_not_believed() {
    let key = TokenKey::new("k");
    let server = AuthorizationServer::start(&[&key]);
    server.says(METADATA, Says::Json(json!({ "issuer": "https://evil.test", "jwks_uri": server.url("/jwks") })));
    let issued = Issued::open_with(server, key, "", |config| config);
    for era in ERAS {
        let answer = issued.show(era, &issued.key.token(&issued.claims()));
        assert_eq!(answer.status(), 503, "{answer}");
    }
    assert_eq!(issued.server.count("/jwks"), 0);
    assert_eq!(issued.upstream.recorder().count(), 0);
}
