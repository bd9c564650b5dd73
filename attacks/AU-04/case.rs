//! AU-04: tokens that are meant for others.

use crate::issued::{ERAS, Issued, RESOURCE, ROUTE};
use serde_json::{Value, json};

#[test]
fn a_token_for_others_is_not_for_us() {
    let issued = Issued::open("");
    let many: Vec<String> = (0..300).map(|at| format!("https://{at}.test")).collect();
    let mut wrong = vec![
        json!("https://other.test/mcp"),
        json!([]),
        json!(null),
        json!("https://gw.test/mcp.evil.example"),
        json!("https://gw.test"),
        json!("https://GW.test/mcp"),
        json!("https://gw.test/mcp/"),
        json!("http://gw.test/mcp"),
        json!([RESOURCE, 7]),
    ];
    wrong.push(json!(many));
    for audience in &wrong {
        issued.assert_refused(
            &audience.to_string(),
            &issued.key.token(&issued.claims_with("aud", audience.clone())),
            "audience",
        );
    }
    let mut without: Value = issued.claims();
    without.as_object_mut().expect("claims").remove("aud");
    issued.assert_refused("no audience", &issued.key.token(&without), "audience");
    // A token for another route is for another server.
    let other = issued.key.token(&issued.claims_with("aud", "https://gw.test/mcp/mail"));
    issued.assert_refused("another route", &other, "audience");
    issued.check_evidence();
    issued.assert_granted(
        "one of several",
        &issued.key.token(&issued.claims_with("aud", json!([RESOURCE, "https://other.test"]))),
    );
    let ours = issued.key.token(&issued.claims_with("aud", ROUTE));
    issued.assert_granted("our route", &ours);
    // Not on the merged route.
    for era in ERAS {
        let client = testkit::HttpClient::unopened(issued.gateway.url(), Some(&ours), era);
        let answer = client.send(client.prepare("tools/list", json!({})));
        assert_eq!(answer.status(), 401, "{answer}");
    }
}
