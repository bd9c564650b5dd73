//! AU-11: a right token in a wrong place.

use crate::issued::{ERAS, Issued};
use serde_json::json;
use testkit::{Answer, Outgoing};

#[test]
fn a_token_counts_in_one_place_alone() {
    let issued = Issued::open("");
    let token = issued.key.token(&issued.claims());
    let (_, signature) = token.rsplit_once('.').expect("a signature");
    let in_header = |outgoing: Outgoing, value: &str| outgoing.header("Authorization", value);
    for era in ERAS {
        let first = || issued.first(era);
        let mut in_query = first();
        in_query.path = format!("{}?access_token={token}", in_query.path);
        let attempts = [
            ("in the query", in_query),
            ("in the body", first().edit(|message| message["access_token"] = json!(token))),
            ("in the parameters", first().edit(|message| message["params"]["access_token"] = json!(token))),
            ("in a cookie", first().header("Cookie", &format!("access_token={token}"))),
            ("as Basic", in_header(first(), &format!("Basic {token}"))),
            ("after two spaces", in_header(first(), &format!("Bearer  {token}"))),
            ("without a scheme", in_header(first(), &token)),
            ("with a comma", in_header(first(), &format!("Bearer {token}, Bearer {token}"))),
            (
                "twice",
                first()
                    .add("Authorization", &format!("Bearer {token}"))
                    .add("Authorization", &format!("Bearer {token}")),
            ),
            ("as X-Api-Key", first().header("X-Api-Key", &token)),
            ("with more behind it", in_header(first(), &format!("Bearer {token} x"))),
            ("of 64 KiB", in_header(first(), &format!("Bearer {}", token.repeat((64 << 10) / token.len() + 1)))),
        ];
        for (what, outgoing) in attempts {
            let answer: Answer = issued.client(era).try_send(&outgoing).expect("an answer");
            assert!([400, 401, 404, 431].contains(&answer.status()), "{what}: {answer}");
            assert!(!String::from_utf8_lossy(&answer.raw).contains(signature), "{what}: {answer}");
        }
        // A right one, however the scheme is written (RFC 9110 §11.1).
        let answer = issued.send(era, in_header(first(), &format!("bEaReR {token}")));
        assert_eq!(answer.status(), 200, "{answer}");
    }
    assert!(!issued.upstream.recorder().saw(signature), "the token travels on");
    assert!(!issued.gateway.stderr().contains(signature), "the token is in the log");
    assert!(!format!("{:?}", issued.gateway.audit()).contains(signature), "the token is in the record");
}
