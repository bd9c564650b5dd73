//! AU-07: names of keys.

use crate::ground::is_long;
use crate::issued::{ERAS, Issued};
use serde_json::json;
use testkit::authorization::{AuthorizationServer, KEYS, TokenKey};

#[test]
fn a_key_id_is_compared_and_nothing_else() {
    let (key, other) = (TokenKey::new("k"), TokenKey::new("other"));
    let server = AuthorizationServer::start(&[&key, &other]);
    let issued = Issued::open_with(server, key, "", |config| config);
    for id in
        [json!("../../../../dev/null"), json!("' UNION SELECT 'x"), json!(""), json!(7), json!("k\u{0}"), json!("K")]
    {
        let header = json!({ "alg": "ES256", "typ": "at+jwt", "kid": id });
        issued.assert_refused(&id.to_string(), &issued.key.sign(&header, &issued.claims()), "key");
    }
    let header = json!({ "alg": "ES256", "typ": "at+jwt" });
    issued.assert_refused("two keys would fit", &issued.key.sign(&header, &issued.claims()), "key");
    // Larger than a head may be: the connection ends before anybody looks at it.
    let header = json!({ "alg": "ES256", "typ": "at+jwt", "kid": "k".repeat(64 << 10) });
    for era in ERAS {
        let outgoing = issued
            .first(era)
            .header("Authorization", &format!("Bearer {}", issued.key.sign(&header, &issued.claims())));
        let answer = issued.client(era).try_send(&outgoing);
        assert!(answer.as_ref().is_ok_and(|answer| [400, 401, 431].contains(&answer.status())), "{answer:?}");
    }
    assert_eq!(issued.upstream.recorder().count(), 0);
}

#[test]
fn unknown_keys_do_not_make_the_gateway_ask_again_and_again() {
    let key = TokenKey::new("k");
    let server = AuthorizationServer::start(&[&key]);
    // The interval of the defaults in place of the second of other cases.
    let issued = Issued::open_with(server, key, "refresh_interval = \"30s\"", |config| config);
    issued.assert_granted("the right one", &issued.key.token(&issued.claims()));
    let before = issued.server.count(KEYS);
    let count = if is_long() { 10_000 } else { 200 };
    let client = issued.client(ERAS[0]);
    for at in 0..count {
        let header = json!({ "alg": "ES256", "typ": "at+jwt", "kid": format!("{at:x}") });
        let token = issued.key.sign(&header, &issued.claims());
        let answer = client.send(issued.first(ERAS[0]).header("Authorization", &format!("Bearer {token}")));
        assert_eq!(answer.status(), 401, "{answer}");
    }
    let fetches = issued.server.count(KEYS) - before;
    assert!(fetches <= 1, "{fetches} fetches");
    issued.assert_granted("the right one still", &issued.key.token(&issued.claims()));
}
