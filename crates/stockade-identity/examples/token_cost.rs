//! What it costs to recognise a caller: signatures of each algorithm, a remembered token, an API key, a certificate, a proof.
//!
//! `cargo run --release -p stockade-identity --example measure`. Each figure is the median of many rounds on one thread.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use futures_util::future::{Either, select};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::error::Error;
use std::io::{self, Write as _};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};
use stockade_core::identity::{
    Basis, CertificateName, Credential, Identity, IdentityError, PeerCertificate, Shown, Standing,
};
use stockade_core::ports::{Clock, Identities, Moment, PortFuture, Timestamp};
use stockade_core::wire::Digest;
use stockade_core::words::{Caller, CallerKind, CallerName, Secret};
use stockade_identity::{
    Authenticator, Fetch, FetchError, Fetched, Form, IssuerName, IssuerSettings, KeyBook, KeyLocation, Parts,
    ReplayRegister, Revocations, Revoked, Settings,
};
use zeroize::Zeroizing;

const RESOURCE: &str = "https://gw.example.com/mcp";
const ISSUER: &str = "https://id.example.com";
/// Seconds since 1970 by the clock that stands still.
const NOW: i64 = 1_800_000_000;
/// Rounds of what is cheap.
const ROUNDS: usize = 20_000;
/// Rounds of what computes a signature.
const SIGNATURES: usize = 2_000;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Every port, answering from memory.
struct World {
    keys: Value,
}

impl Clock for World {
    fn wall(&self) -> Timestamp {
        Timestamp(NOW * 1_000_000_000)
    }
    fn moment(&self) -> Moment {
        Moment(Duration::ZERO)
    }
    fn sleep_until(&self, _: Moment) -> PortFuture<'static, ()> {
        Box::pin(std::future::pending())
    }
}

impl Fetch for World {
    fn get<'a>(&'a self, _: &'a str, _: usize) -> PortFuture<'a, Result<Fetched, FetchError>> {
        let body = Bytes::from(self.keys.to_string());
        let content_type = Some("application/json".to_owned());
        Box::pin(std::future::ready(Ok(Fetched { status: 200, content_type, body, max_age: None })))
    }
    fn post_form<'a>(&'a self, url: &'a str, _: Form, limit: usize) -> PortFuture<'a, Result<Fetched, FetchError>> {
        self.get(url, limit)
    }
}

impl KeyBook for World {
    /// Stands for the store's, whose own lookup is measured there.
    fn holder(&self, _: &Secret) -> Result<Identity, IdentityError> {
        let name = CallerName::parse("alice").map_err(|_| IdentityError::UnknownKey)?;
        let standing = Standing { basis: Basis::Key { id: "aaaaaaaa".to_owned() }, ..Standing::given() };
        Ok(Identity { caller: Caller::new(name, CallerKind::ApiKey), standing: Arc::new(standing) })
    }
}

impl Revocations for World {
    fn is_revoked(&self, _: Revoked<'_>) -> Result<bool, IdentityError> {
        Ok(false)
    }
}

impl ReplayRegister for World {
    fn first_use(&self, _: [u8; 32], _: Timestamp) -> Result<bool, IdentityError> {
        Ok(true)
    }
}

enum Signer {
    P256(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Rsa(RsaKeyPair),
}

impl Signer {
    fn algorithm(&self) -> &'static str {
        match self {
            Self::P256(_) => "ES256",
            Self::Ed25519(_) => "EdDSA",
            Self::Rsa(_) => "RS256",
        }
    }

    fn public(&self) -> Value {
        match self {
            Self::P256(pair) => {
                let point = pair.public_key().as_ref();
                let (x, y) = point.get(1..).unwrap_or_default().split_at(32);
                json!({ "kty": "EC", "crv": "P-256", "x": encode(x), "y": encode(y) })
            }
            Self::Ed25519(pair) => json!({ "kty": "OKP", "crv": "Ed25519", "x": encode(pair.public_key().as_ref()) }),
            Self::Rsa(pair) => {
                // RFC 8017 A.1.1: of 2048 bits, the modulus stands behind 9 bytes, the exponent in the last 3.
                let der = pair.public_key().as_ref();
                let n = der.get(9..265).unwrap_or_default();
                let e = der.last_chunk::<3>().copied().unwrap_or_default();
                json!({ "kty": "RSA", "n": encode(n), "e": encode(&e) })
            }
        }
    }

    fn sign(&self, message: &[u8]) -> Outcome<Vec<u8>> {
        let random = SystemRandom::new();
        Ok(match self {
            Self::P256(pair) => pair.sign(&random, message)?.as_ref().to_vec(),
            Self::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
            Self::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature)?;
                signature
            }
        })
    }

    fn token(&self, header: &Value, claims: &Value) -> Outcome<String> {
        let signed = format!("{}.{}", encode(header.to_string().as_bytes()), encode(claims.to_string().as_bytes()));
        let signature = self.sign(signed.as_bytes())?;
        Ok(format!("{signed}.{}", encode(&signature)))
    }

    fn access_token(&self, id: usize, more: Option<Value>) -> Outcome<String> {
        let mut claims = json!({ "iss": ISSUER, "sub": "248289761001", "aud": RESOURCE, "exp": NOW + 600, "iat": NOW,
            "client_id": "s6BhdRkqt3", "scope": "files:read files:write", "jti": id.to_string() });
        if let (Some(more), Some(claims)) = (more, claims.as_object_mut()) {
            claims.insert("cnf".to_owned(), more);
        }
        self.token(&json!({ "alg": self.algorithm(), "typ": "at+jwt", "kid": self.algorithm() }), &claims)
    }
}

fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn main() -> Outcome<()> {
    let signers = [
        Signer::P256(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)?),
        Signer::Ed25519(Ed25519KeyPair::generate()?),
        Signer::Rsa(RsaKeyPair::generate(KeySize::Rsa2048)?),
    ];
    let authenticator = authenticator(&signers)?;
    let [p256, ..] = &signers;
    // The first one fetches the keys.
    recognise(&authenticator, &bearer(p256.access_token(0, None)?))?;
    for signer in &signers {
        let tokens: Vec<Shown> =
            (0..SIGNATURES).map(|at| signer.access_token(at + 1, None).map(bearer)).collect::<Outcome<_>>()?;
        report(&format!("{} token, seen for the first time", signer.algorithm()), tokens.iter(), &authenticator)?;
    }
    let remembered = bearer(p256.access_token(0, None)?);
    report("ES256 token, remembered", std::iter::repeat_n(&remembered, ROUNDS), &authenticator)?;
    let key = bearer("stk_aaaaaaaa_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA".to_owned());
    report("API key, the store's lookup apart", std::iter::repeat_n(&key, ROUNDS), &authenticator)?;
    let certificate = PeerCertificate {
        thumbprint: [1; 32],
        serial: "0a".to_owned(),
        names: vec![CertificateName::Spiffe("spiffe://corp/ci".to_owned())],
        not_after: Timestamp(i64::MAX),
    };
    let certificate = Shown { certificate: Some(Arc::new(certificate)), ..Shown::only(Credential::Nothing) };
    report("client certificate", std::iter::repeat_n(&certificate, ROUNDS), &authenticator)?;
    let proofs = proofs(p256)?;
    report("ES256 proof with a remembered token", proofs.iter(), &authenticator)
}

/// A bound token with one proof after the other.
fn proofs(signer: &Signer) -> Outcome<Vec<Shown>> {
    let members: BTreeMap<String, Value> = serde_json::from_value(signer.public())?;
    let thumbprint = encode(Digest::of(serde_json::to_string(&members)?.as_bytes()).as_bytes());
    let token = signer.access_token(0, Some(json!({ "jkt": thumbprint })))?;
    let hash = encode(Digest::of(token.as_bytes()).as_bytes());
    let header = json!({ "alg": signer.algorithm(), "typ": "dpop+jwt", "jwk": signer.public() });
    let proof = |at: usize| {
        let claims = json!({ "htm": "POST", "htu": RESOURCE, "iat": NOW, "jti": at.to_string(), "ath": hash });
        let proofs = vec![signer.token(&header, &claims)?];
        Ok(Shown { credential: Credential::Dpop(Secret::new(token.clone())), proofs, ..bearer(String::new()) })
    };
    (0..SIGNATURES).map(proof).collect()
}

fn authenticator(signers: &[Signer]) -> Outcome<Authenticator> {
    let keys: Vec<Value> = signers
        .iter()
        .map(|signer| {
            let mut key = signer.public();
            if let Some(members) = key.as_object_mut() {
                members.insert("kid".to_owned(), json!(signer.algorithm()));
            }
            key
        })
        .collect();
    let world = Arc::new(World { keys: json!({ "keys": keys }) });
    let name = IssuerName::parse("corp")?;
    let mut settings = Settings::nobody(RESOURCE, "production");
    let mut issuer = IssuerSettings::new(name.clone(), ISSUER);
    issuer.keys = Some(KeyLocation::Address(format!("{ISSUER}/jwks")));
    settings.issuers = vec![issuer];
    let spiffe = CertificateName::Spiffe("spiffe://corp/ci".to_owned());
    settings.certificates = BTreeMap::from([(spiffe, CallerName::parse("ci")?)]);
    let parts = Parts {
        clock: world.clone(),
        keys: world.clone(),
        revocations: world.clone(),
        replays: world.clone(),
        fetchers: BTreeMap::from([(name, world as Arc<dyn Fetch>)]),
        nonce_key: Zeroizing::new([0; 32]),
    };
    Ok(Authenticator::new(settings, parts)?)
}

fn bearer(token: String) -> Shown {
    Shown {
        http_method: "POST",
        url: RESOURCE.to_owned(),
        address: Some([192, 0, 2, 1].into()),
        ..Shown::only(Credential::Bearer(Secret::new(token)))
    }
}

/// Recognises, beside the one who keeps the keys.
fn recognise(authenticator: &Authenticator, shown: &Shown) -> Outcome<Identity> {
    let mut both = pin!(select(authenticator.identify(shown), Box::pin(authenticator.keep())));
    let mut context = Context::from_waker(Waker::noop());
    loop {
        match both.as_mut().poll(&mut context) {
            Poll::Ready(Either::Left((identified, _))) => return Ok(identified?),
            Poll::Ready(Either::Right(_)) => return Err("who keeps the keys went away".into()),
            Poll::Pending => {}
        }
    }
}

fn report<'s>(what: &str, all: impl Iterator<Item = &'s Shown>, authenticator: &Authenticator) -> Outcome<()> {
    let mut times = Vec::new();
    let mut context = Context::from_waker(Waker::noop());
    for shown in all {
        let begun = Instant::now();
        let Poll::Ready(identified) = authenticator.identify(shown).as_mut().poll(&mut context) else {
            return Err("it waits for something".into());
        };
        times.push(begun.elapsed());
        identified?;
    }
    times.sort_unstable();
    let at = |share: usize| times.get(times.len() * share / 100).copied().unwrap_or_default();
    writeln!(io::stdout(), "{what:44} median {:>10.2?}   99 % {:>10.2?}", at(50), at(99))?;
    Ok(())
}
