//! AU-03: a public key as a shared secret.

use crate::issued::Issued;
use serde_json::json;
use testkit::authorization::shared_secret_token;

#[test]
fn a_public_key_is_no_shared_secret() {
    let issued = Issued::open("");
    let public = issued.key.public();
    let (x, y) = (public["x"].as_str().expect("x"), public["y"].as_str().expect("y"));
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{x}{y}\n-----END PUBLIC KEY-----\n");
    for secret in [x.to_owned(), y.to_owned(), format!("{x}{y}"), public.to_string(), pem] {
        for algorithm in ["HS256", "hs256", "ES256"] {
            let header = json!({ "alg": algorithm, "typ": "at+jwt", "kid": "k" });
            let token = shared_secret_token(secret.as_bytes(), &header, &issued.claims());
            let check = if algorithm == "ES256" { "signature" } else { "algorithm" };
            issued.assert_refused(&format!("{algorithm} with {secret}"), &token, check);
        }
    }
    // A right signature under the name of another algorithm.
    for algorithm in ["RS256", "PS256", "EdDSA"] {
        let header = json!({ "alg": algorithm, "typ": "at+jwt", "kid": "k" });
        issued.assert_refused(algorithm, &issued.key.sign(&header, &issued.claims()), "key");
    }
    issued.check_evidence();
}
