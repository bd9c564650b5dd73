//! AU-02: unsigned tokens.

use crate::issued::Issued;
use serde_json::json;
use testkit::authorization::encode;

#[test]
fn an_unsigned_token_proves_nobody() {
    let issued = Issued::open("");
    let claims = issued.claims();
    let mut headers: Vec<_> =
        ["none", "None", "nOnE", "NONE", ""].map(|name| json!({ "alg": name, "typ": "at+jwt", "kid": "k" })).to_vec();
    headers.push(json!({ "typ": "at+jwt", "kid": "k" }));
    for header in &headers {
        let unsigned = format!("{}.{}.", encode(header.to_string()), encode(claims.to_string()));
        issued.assert_refused(&format!("{header} without a signature"), &unsigned, "form");
        issued.assert_refused(&format!("{header} with one"), &issued.key.sign(header, &claims), "algorithm");
    }
    issued.check_evidence();
    issued.assert_granted("the right one", &issued.key.token(&claims));
}
