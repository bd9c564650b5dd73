//! AU-08: tokens that bring their key.

use crate::issued::Issued;
use serde_json::json;
use testkit::authorization::{AuthorizationServer, TokenKey};

#[test]
fn a_token_cannot_bring_its_key() {
    let issued = Issued::open("");
    let theirs = TokenKey::new("k");
    let evil = AuthorizationServer::start(&[&theirs]);
    for (member, value) in [
        ("jwk", theirs.public()),
        ("jku", json!(evil.url("/jwks"))),
        ("x5u", json!(evil.url("/certificate"))),
        ("x5c", json!(["MIIBszCCAVmgAwIBAgI"])),
    ] {
        let mut header = theirs.header();
        header[member] = value;
        issued.assert_refused(member, &theirs.sign(&header, &issued.claims()), "signature");
        header["kid"] = json!("theirs");
        issued.assert_refused(member, &theirs.sign(&header, &issued.claims()), "key");
    }
    issued.check_evidence();
    assert!(evil.asked().is_empty(), "{:?}", evil.asked());
}
