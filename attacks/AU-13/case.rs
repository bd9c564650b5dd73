//! AU-13: tokens that are bound to a key.

use crate::issued::{ERAS, Issued, ROUTE};
use serde_json::{Value, json};
use testkit::authorization::{TokenKey, now};
use testkit::{Answer, Era};

const INVALID: &str = "invalid_dpop_proof";

struct Thief {
    issued: Issued,
    client: TokenKey,
    token: String,
}

impl Thief {
    fn open() -> Self {
        let (issued, client) = (Issued::open(""), TokenKey::new("client"));
        let token = issued.key.token(&issued.claims_with("cnf", json!({ "jkt": client.thumbprint() })));
        Self { issued, client, token }
    }

    fn claims(&self, id: &str) -> Value {
        self.client.proof_claims("POST", ROUTE, &self.token, id)
    }

    fn show(&self, era: Era, proof: &str) -> Answer {
        let outgoing = self.issued.first(era).header("Authorization", &format!("DPoP {}", self.token));
        self.issued.send(era, outgoing.header("DPoP", proof))
    }
}

/// Every proof that is wrong, by its name.
fn wrong_proofs(thief: &Thief) -> Vec<(String, String)> {
    let (client, other) = (&thief.client, TokenKey::new("other"));
    let header = client.proof_header();
    let mut proofs = Vec::new();
    for (claim, value) in [
        ("htm", json!("GET")),
        ("htm", json!("post")),
        ("htu", json!("https://gw.test/mcp")),
        ("htu", json!("https://gw.test/mcp/mail")),
        ("htu", json!("https://gw.test/mcp/files/")),
        ("htu", json!("http://gw.test/mcp/files")),
        ("ath", json!("AAAA")),
        ("ath", json!(null)),
        ("iat", json!(now() - 90)),
        ("iat", json!(now() + 90)),
        ("iat", json!("now")),
        ("jti", json!("")),
        ("jti", json!("j".repeat(129))),
    ] {
        let mut claims = thief.claims(&format!("{claim} {value}"));
        claims[claim] = value.clone();
        proofs.push((format!("{claim} = {value}"), client.sign(&header, &claims)));
    }
    let claims = |id: &str| thief.claims(id);
    proofs.push(("by another key".into(), other.proof("POST", ROUTE, &thief.token, "other")));
    proofs.push(("signed by another".into(), other.sign(&header, &claims("signed"))));
    for (member, value) in
        [("typ", json!("JWT")), ("alg", json!("none")), ("alg", json!("HS256")), ("crit", json!(["exp"]))]
    {
        let mut header = header.clone();
        header[member] = value.clone();
        proofs.push((format!("{member} = {value}"), client.sign(&header, &claims(member))));
    }
    let mut private = header.clone();
    private["jwk"]["d"] = json!("AAAA");
    proofs.push(("with a private key".into(), client.sign(&private, &claims("private"))));
    let mut keyless = header;
    keyless.as_object_mut().expect("a header").remove("jwk");
    proofs.push(("without a key".into(), client.sign(&keyless, &claims("keyless"))));
    proofs
}

#[test]
fn a_wrong_proof_proves_nothing() {
    let thief = Thief::open();
    let issued = &thief.issued;
    for (at, (what, proof)) in wrong_proofs(&thief).into_iter().enumerate() {
        issued.check_refusal(&what, &thief.show(ERAS[at % 2], &proof), INVALID, "proof");
    }
    for era in ERAS {
        // As any bearer's, with a right proof beside it or without.
        let bearer = issued.first(era).header("Authorization", &format!("Bearer {}", thief.token));
        issued.check_refusal("as bearer", &issued.send(era, bearer.clone()), "invalid_token", "proof");
        let proof = thief.client.proof("POST", ROUTE, &thief.token, "beside");
        let answer = issued.send(era, bearer.header("DPoP", &proof));
        issued.check_refusal("as bearer with a proof", &answer, "invalid_token", "proof");
        // Without a proof, and with two.
        let bare = issued.first(era).header("Authorization", &format!("DPoP {}", thief.token));
        issued.check_refusal("no proof", &issued.send(era, bare.clone()), INVALID, "proof");
        let two = bare.add("DPoP", &proof).add("DPoP", &proof);
        // The framing lets no second one through; behind it `Proofs::check` counts them too.
        let answer = issued.send(era, two);
        assert_eq!(answer.status(), 400, "{answer}");
    }
    issued.check_evidence();
}

#[test]
fn a_proof_is_good_once_and_a_restart_does_not_change_that() {
    let mut thief = Thief::open();
    let proofs: Vec<String> =
        (0..2).map(|at| thief.client.proof("POST", ROUTE, &thief.token, &format!("proof-{at}"))).collect();
    for (era, proof) in ERAS.into_iter().zip(&proofs) {
        assert_eq!(thief.show(era, proof).status(), 200);
        let again = thief.show(era, proof);
        assert_eq!(again.status(), 401, "{again}");
        assert!(again.header("WWW-Authenticate").is_some_and(|said| said.contains(INVALID)), "{again}");
    }
    thief.issued.gateway.kill9();
    thief.issued.gateway.restart();
    for (era, proof) in ERAS.into_iter().zip(&proofs) {
        let again = thief.show(era, proof);
        assert_eq!(again.status(), 401, "{again}");
    }
    let fresh = thief.client.proof("POST", ROUTE, &thief.token, "fresh");
    assert_eq!(thief.show(ERAS[0], &fresh).status(), 200);
}
