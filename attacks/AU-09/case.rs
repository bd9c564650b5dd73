//! AU-09: keys that change under load.

use crate::ground::LONG;
use crate::issued::{ERAS, Issued};
use serde_json::json;
use testkit::authorization::TokenKey;
use testkit::wait_until;

#[test]
fn keys_change_without_a_failed_request() {
    let issued = Issued::open("");
    let new = TokenKey::new("new");
    let client = issued.client(ERAS[0]);
    let numbered = |key: &TokenKey, at: usize| key.token(&issued.claims_with("jti", at.to_string()));
    for at in 0..300 {
        if at == 100 {
            issued.server.publish(&[&issued.key, &new]);
            // A real server waits for its caches too before it signs with a new key; this one waits for one interval.
            std::thread::sleep(std::time::Duration::from_millis(1100));
        }
        let key = if at > 100 && at % 2 == 0 { &new } else { &issued.key };
        let outgoing = issued.first(ERAS[0]).header("Authorization", &format!("Bearer {}", numbered(key, at)));
        let answer = client.send(outgoing);
        assert_eq!(answer.status(), 200, "{at}: {answer}");
    }
    let remembered = numbered(&issued.key, 0);
    issued.server.publish(&[&new]);
    assert!(wait_until(LONG, || issued.show(ERAS[0], &remembered).status() == 401), "a withdrawn key still counts");
    assert_eq!(issued.show(ERAS[0], &issued.key.token(&issued.claims_with("jti", json!("last")))).status(), 401);
    issued.assert_granted("the new one", &numbered(&new, 300));
}
