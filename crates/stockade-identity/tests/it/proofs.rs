//! AU-13: tokens that are bound to a key or a certificate.

use crate::world::{
    Key, RESOURCE, START, World, authenticator, bearer, beside, certificate, check_of, encode, identify, right,
    settings, with,
};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use stockade_core::identity::{ChallengeError, Credential, Identity, IdentityError, Shown};
use stockade_core::wire::Digest;
use stockade_core::words::Secret;
use stockade_identity::{Authenticator, DpopMode, Settings};

/// One client with its key, its token, and whom it speaks to.
struct Client {
    world: Arc<World>,
    authenticator: Authenticator,
    key: Key,
    token: String,
}

impl Client {
    fn new(change: impl FnOnce(&mut Settings)) -> Self {
        Self::with_key(Key::es256("client"), change)
    }

    fn with_key(key: Key, change: impl FnOnce(&mut Settings)) -> Self {
        let (world, issuer) = (World::new(), Key::eddsa("k"));
        world.publish(&[&issuer]);
        let mut settings = settings();
        change(&mut settings);
        let authenticator = authenticator(&world, settings);
        let token = issuer.token(&with("cnf", json!({ "jkt": key.thumbprint() })));
        Self { world, authenticator, key, token }
    }

    fn header(&self) -> Value {
        json!({ "alg": self.key.algorithm, "typ": "dpop+jwt", "jwk": self.key.bare() })
    }

    fn claims(&self) -> Value {
        let hash = encode(Digest::of(self.token.as_bytes()).as_bytes());
        json!({ "htm": "POST", "htu": RESOURCE, "iat": self.world.now(), "jti": "p-1", "ath": hash })
    }

    fn shown(&self, proofs: Vec<String>) -> Shown {
        Shown { credential: Credential::Dpop(Secret::new(self.token.clone())), proofs, ..bearer("") }
    }

    fn show(&self, header: &Value, claims: &Value) -> Result<Identity, IdentityError> {
        let proof = self.key.token_with(header, claims);
        identify(&self.authenticator, &self.shown(vec![proof]))
    }

    /// A right proof with one claim that is other.
    fn with(&self, claim: &str, value: impl Into<Value>) -> Result<Identity, IdentityError> {
        let mut claims = self.claims();
        claims[claim] = value.into();
        self.show(&self.header(), &claims)
    }

    /// A right proof with another id.
    fn numbered(&self, id: &str) -> Result<Identity, IdentityError> {
        self.with("jti", id)
    }
}

#[track_caller]
fn assert_proof(
    refused: &Result<Identity, IdentityError>,
    expected: ChallengeError,
    reason_part: &str,
) -> Option<String> {
    let Err(IdentityError::Proof { error, reason, nonce }) = refused else { panic!("{refused:?}") };
    assert_eq!(*error, expected, "{reason}");
    assert!(reason.contains(reason_part), "{reason}");
    nonce.clone()
}

const INVALID: ChallengeError = ChallengeError::InvalidDpopProof;

#[test]
fn a_right_proof_of_every_algorithm_proves_possession() {
    for key in [Key::es256("c"), Key::eddsa("c"), Key::rsa("c", "RS256"), Key::rsa("c", "PS256")] {
        let client = Client::with_key(key, |_| {});
        let identity = client.numbered("p-1");
        assert_eq!(identity.unwrap().caller.name.as_str(), "corp:alice", "{}", client.key.algorithm);
    }
}

#[test]
fn the_example_of_the_standard_is_read() {
    // RFC 9449 §4.1, figure 2: the proof is for a token request, so `ath` is what is missing.
    let proof = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg";
    let client = Client::new(|_| {});
    let issuer = Key::eddsa("k");
    client.world.publish(&[&issuer]);
    // The thumbprint of its key (RFC 9449 §6.1).
    let token = issuer.token(&with("cnf", json!({ "jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I" })));
    let mut shown = client.shown(vec![proof.to_owned()]);
    shown.credential = Credential::Dpop(Secret::new(token));
    shown.url = "https://SERVER.example.com:443/token?x".to_owned();
    assert_proof(&identify(&client.authenticator, &shown), INVALID, "`ath` to be the token's digest");
}

#[test]
fn au_13_a_bound_token_is_no_bearer_token_and_the_reverse() {
    let client = Client::new(|_| {});
    let refused = identify(&client.authenticator, &bearer(&client.token));
    assert_proof(&refused, ChallengeError::InvalidToken, "to be shown with `DPoP`");
    // A proof beside it changes nothing.
    let proof = client.key.token_with(&client.header(), &client.claims());
    let shown = Shown { proofs: vec![proof.clone()], ..bearer(&client.token) };
    assert_proof(&identify(&client.authenticator, &shown), ChallengeError::InvalidToken, "shown as `Bearer`");
    // A token for any bearer is not made better by a proof.
    let issuer = Key::eddsa("k");
    client.world.publish(&[&issuer]);
    let mut shown = client.shown(vec![proof]);
    shown.credential = Credential::Dpop(Secret::new(issuer.token(&right())));
    let client = Client { authenticator: authenticator(&client.world, settings()), ..client };
    assert_proof(&identify(&client.authenticator, &shown), ChallengeError::InvalidToken, "one without");
    // Neither is an API key.
    shown.credential = Credential::Dpop(Secret::new("stk_aaaaaaaa_right".to_owned()));
    assert_eq!(check_of(identify(&client.authenticator, &shown)), "scheme");
}

#[test]
fn au_13_exactly_one_proof_is_shown() {
    let client = Client::new(|_| {});
    let proof = client.key.token_with(&client.header(), &client.claims());
    for proofs in [vec![], vec![proof.clone(), proof.clone()], vec![proof.clone(), String::new()]] {
        assert_proof(&identify(&client.authenticator, &client.shown(proofs)), INVALID, "exactly one `DPoP` header");
    }
    for text in [String::new(), "a.b".to_owned(), format!("{proof},{proof}"), format!("{proof} "), "a".repeat(9000)] {
        assert_proof(&identify(&client.authenticator, &client.shown(vec![text])), INVALID, "a compact JWS");
    }
    assert!(identify(&client.authenticator, &client.shown(vec![proof])).is_ok());
}

#[test]
fn au_13_the_proof_is_by_the_key_of_the_token() {
    let client = Client::new(|_| {});
    let thief = Key::es256("thief");
    let mut header = client.header();
    header["jwk"] = thief.bare();
    let proof = thief.token_with(&header, &client.claims());
    assert_proof(
        &identify(&client.authenticator, &client.shown(vec![proof])),
        INVALID,
        "the key that the token is bound to",
    );
    // Signed by another key than it names.
    let proof = thief.token_with(&client.header(), &client.claims());
    assert_proof(&identify(&client.authenticator, &client.shown(vec![proof])), INVALID, "the signature of that key");
    // The private key beside the public one.
    let mut header = client.header();
    header["jwk"]["d"] = json!(encode([7; 32]));
    let refused = client.show(&header, &client.claims());
    assert_proof(&refused, INVALID, "shows its private part");
    assert!(!format!("{refused:?}").contains(&encode([7; 32])));
    for (member, value, reason) in [
        ("jwk", json!(null), "wrong `kty`"),
        ("jwk", json!({ "kty": "oct", "k": "AA" }), "private part"),
        ("typ", json!("JWT"), "`typ` to be `dpop+jwt`"),
        ("typ", json!("at+jwt"), "`typ` to be `dpop+jwt`"),
        ("typ", json!(null), "`typ` to be `dpop+jwt`"),
        ("alg", json!("none"), "`alg` to be one of"),
        ("alg", json!("HS256"), "`alg` to be one of"),
        ("alg", json!("ES384"), "`alg` to be one of"),
        ("alg", json!("EdDSA"), "one of another type"),
        ("crit", json!(["exp"]), "no `crit`"),
    ] {
        let mut header = client.header();
        header[member] = value;
        assert_proof(&client.show(&header, &client.claims()), INVALID, reason);
    }
    let mut header = client.header();
    header.as_object_mut().unwrap().remove("jwk");
    assert_proof(&client.show(&header, &client.claims()), INVALID, "`jwk`, a public key");
}

#[test]
fn au_13_the_proof_is_for_this_request() {
    let client = Client::new(|_| {});
    for (claim, value, reason) in [
        ("htm", json!("GET"), "`htm` to be `POST`"),
        ("htm", json!("post"), "`htm` to be `POST`"),
        ("htm", json!(null), "`htm` to be `POST`"),
        ("htu", json!("https://gw.test/mcp/other"), "`htu` to be"),
        ("htu", json!("https://gw.test/mcp/"), "`htu` to be"),
        ("htu", json!("https://gw.test/MCP"), "`htu` to be"),
        ("htu", json!("http://gw.test/mcp"), "`htu` to be"),
        ("htu", json!("https://evil.test/mcp"), "`htu` to be"),
        ("htu", json!("https://gw.test@evil.test/mcp"), "`htu` to be"),
        ("htu", json!("/mcp"), "`htu` to be"),
        ("htu", json!(7), "`htu` to be"),
        ("ath", json!(encode([0; 32])), "`ath` to be"),
        ("ath", json!(null), "`ath` to be"),
        ("jti", json!(""), "`jti`, a text"),
        ("jti", json!("j".repeat(129)), "`jti`, a text"),
        ("jti", json!(1), "`jti`, a text"),
    ] {
        assert_proof(&client.with(claim, value), INVALID, reason);
    }
    for claim in ["htm", "htu", "ath", "jti", "iat"] {
        let mut claims = client.claims();
        claims.as_object_mut().unwrap().remove(claim);
        assert_proof(&client.show(&client.header(), &claims), INVALID, &format!("`{claim}`"));
    }
    // What a server must take for the same address (RFC 3986 §6.2), query and fragment aside (RFC 9449 §4.3 no. 9).
    for (at, url) in
        ["HTTPS://GW.test:443/mcp", "https://gw.test/%6Dcp?a=b", "https://gw.test/x/../mcp#y"].into_iter().enumerate()
    {
        let mut claims = client.claims();
        claims["htu"] = json!(url);
        claims["jti"] = json!(at.to_string());
        assert!(client.show(&client.header(), &claims).is_ok(), "{url}");
    }
    // On stdio there is no request that a proof could be for.
    let mut shown = client.shown(vec![client.key.token_with(&client.header(), &client.claims())]);
    (shown.http_method, shown.url) = ("", String::new());
    assert_proof(&identify(&client.authenticator, &shown), INVALID, "`htm` to be");
}

#[test]
fn au_13_the_proof_was_made_just_now() {
    let client = Client::new(|_| {});
    client.world.pass(1000);
    let now = client.world.now();
    for (at, is_right) in [(now - 60, true), (now + 60, true), (now - 61, false), (now + 61, false), (START, false)] {
        let mut claims = client.claims();
        (claims["iat"], claims["jti"]) = (json!(at), json!(at.to_string()));
        let shown = client.show(&client.header(), &claims);
        if is_right {
            assert!(shown.is_ok(), "{at}: {shown:?}")
        } else {
            drop(assert_proof(&shown, INVALID, "`iat` within 60 s"))
        }
    }
    for wrong in [json!("now"), json!(null), json!(-1)] {
        assert_proof(&client.with("iat", wrong), INVALID, "`iat`, a number");
    }
}

#[test]
fn au_13_a_proof_is_good_once() {
    let client = Client::new(|_| {});
    assert!(client.numbered("a").is_ok());
    assert_proof(&client.numbered("a"), INVALID, "not seen before");
    // It is the id that counts, not the bytes.
    client.world.pass(1);
    assert_proof(&client.numbered("a"), INVALID, "not seen before");
    assert!(client.numbered("b").is_ok());
    // A wrong proof uses no id up.
    let mut claims = client.claims();
    (claims["jti"], claims["htm"]) = (json!("c"), json!("GET"));
    assert_proof(&client.show(&client.header(), &claims), INVALID, "`htm`");
    assert!(client.numbered("c").is_ok());
    // What cannot be noted is not good.
    *client.world.register_is_down.lock().unwrap() = true;
    assert!(matches!(client.numbered("d"), Err(IdentityError::Unavailable { .. })));
    *client.world.register_is_down.lock().unwrap() = false;
    assert!(client.numbered("d").is_ok());
    // An explanation uses none up either.
    let mut claims = client.claims();
    claims["jti"] = json!("e");
    let shown = client.shown(vec![client.key.token_with(&client.header(), &claims)]);
    for _ in 0..2 {
        assert!(beside(&client.authenticator, client.authenticator.explain(&shown)).outcome.is_ok());
    }
    assert!(identify(&client.authenticator, &shown).is_ok());
}

#[test]
fn where_nonces_are_wanted_a_proof_holds_one_of_ours() {
    let client = Client::new(|settings| settings.dpop.nonce_life = Some(Duration::from_secs(300)));
    let wanted = ChallengeError::UseDpopNonce;
    let nonce = assert_proof(&client.numbered("1"), wanted, "`nonce`, one of ours").expect("a nonce to use");
    let with = |id: &str, nonce: &str, iat: i64| {
        let mut claims = client.claims();
        (claims["jti"], claims["nonce"], claims["iat"]) = (json!(id), json!(nonce), json!(iat));
        client.show(&client.header(), &claims)
    };
    assert!(with("1", &nonce, START).is_ok());
    // The client's own clock does not matter then.
    assert!(with("2", &nonce, START - 86_400).is_ok());
    assert_proof(&with("2", &nonce, START), INVALID, "not seen before");
    assert_proof(&with("3", &nonce.replace(|c: char| c.is_ascii_lowercase(), "x"), START), wanted, "another");
    client.world.pass(299);
    assert!(with("4", &nonce, START).is_ok());
    client.world.pass(1);
    let newer = assert_proof(&with("5", &nonce, START), wanted, "another").expect("a newer one");
    assert_ne!(newer, nonce);
    assert!(with("5", &newer, START).is_ok());
    // Other refusals bring a nonce too.
    assert!(assert_proof(&client.with("htm", "GET"), INVALID, "`htm`").is_some());
    // Who has to fetch a nonce first is not counted as a guesser.
    for at in 0..100 {
        assert_proof(&client.numbered(&format!("n{at}")), wanted, "nothing");
    }
    assert!(with("6", &newer, START).is_ok());
}

#[test]
fn the_operator_decides_about_dpop() {
    let client = Client::new(|settings| settings.dpop.mode = DpopMode::Off);
    assert_eq!(check_of(client.numbered("1")), "scheme");
    assert_proof(&identify(&client.authenticator, &bearer(&client.token)), ChallengeError::InvalidToken, "DPoP");

    let client = Client::new(|settings| settings.dpop.mode = DpopMode::Require);
    assert!(client.numbered("1").is_ok());
    let (world, issuer) = (World::new(), Key::eddsa("k"));
    world.publish(&[&issuer]);
    let mut settings = settings();
    settings.dpop.mode = DpopMode::Require;
    let strict = authenticator(&world, settings);
    let refused = identify(&strict, &bearer(&issuer.token(&right())));
    assert_proof(&refused, ChallengeError::InvalidToken, "bound to a key or certificate");
    // Bound to the certificate of the connection is bound.
    let token = issuer.token(&with("cnf", json!({ "x5t#S256": encode([5; 32]) })));
    let shown = Shown { certificate: Some(certificate(5)), ..bearer(&token) };
    assert!(identify(&strict, &shown).is_ok());
}

#[test]
fn a_token_that_is_bound_to_a_certificate_is_shown_with_it() {
    let (world, issuer) = (World::new(), Key::eddsa("k"));
    world.publish(&[&issuer]);
    let authenticator = authenticator(&world, settings());
    let token = issuer.token(&with("cnf", json!({ "x5t#S256": encode([5; 32]) })));
    let with = |certificate| identify(&authenticator, &Shown { certificate, ..bearer(&token) });
    let identity = with(Some(certificate(5))).unwrap();
    assert_eq!(identity.standing.certificate, Some([5; 32]));
    assert_eq!(check_of(with(Some(certificate(6)))), "binding");
    assert_eq!(check_of(with(None)), "binding");
    // Once verified and remembered, all the same.
    assert!(with(Some(certificate(5))).is_ok());
    assert_eq!(check_of(with(None)), "binding");
    // Bound to both, both are wanted.
    let client = Key::es256("c");
    let both = json!({ "x5t#S256": encode([5; 32]), "jkt": client.thumbprint() });
    let token = issuer.token(&crate::world::with("cnf", both));
    let shown = Shown { certificate: Some(certificate(5)), ..bearer(&token) };
    assert_proof(&identify(&authenticator, &shown), ChallengeError::InvalidToken, "DPoP");
}
