//! An authorization server whose faults are scripted, a clock that stands still, and keys that really sign.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RSA_PSS_SHA256,
    RsaEncoding, RsaKeyPair,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use futures_util::future::{Either, select};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::IpAddr;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;
use stockade_core::identity::{Basis, Credential, Identity, IdentityError, PeerCertificate, Shown, Standing};
use stockade_core::ports::{Clock, Identities, Moment, PortFuture, Timestamp};
use stockade_core::wire::Digest;
use stockade_core::words::{Caller, CallerKind, CallerName, Secret};
use stockade_identity::{
    Authenticator, Fetch, FetchError, Fetched, Form, IssuerName, IssuerSettings, KeyBook, Parts, ReplayRegister,
    Revocations, Revoked, Settings,
};
use zeroize::Zeroizing;

pub(crate) const RESOURCE: &str = "https://gw.test/mcp";
pub(crate) const ISSUER: &str = "https://as.test";
/// The second at which every test begins.
pub(crate) const START: i64 = 1_800_000_000;

/// How an authorization server answers.
#[derive(Debug, Clone)]
pub(crate) enum Says {
    Json(Value),
    /// Status, content type, body.
    Raw(u16, &'static str, Vec<u8>),
    /// It may be kept for so long.
    Kept(Value, Duration),
    Nothing,
    Broken,
}

/// The world as the test has it.
#[derive(Default)]
pub(crate) struct World {
    pub(crate) elapsed: Mutex<Duration>,
    /// What is answered at which address; anything else is 404.
    pub(crate) documents: Mutex<HashMap<String, Says>>,
    /// What was asked for, in order.
    pub(crate) asked: Mutex<Vec<String>>,
    /// Forms that were posted: authorization and body.
    pub(crate) posted: Mutex<Vec<(String, String)>>,
    pub(crate) revoked: Mutex<HashSet<String>>,
    pub(crate) revocations_are_down: Mutex<bool>,
    pub(crate) proofs: Mutex<HashSet<[u8; 32]>>,
    pub(crate) register_is_down: Mutex<bool>,
}

impl World {
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }

    pub(crate) fn pass(&self, seconds: u64) {
        *self.elapsed.lock().unwrap() += Duration::from_secs(seconds);
    }

    /// The second that it is now.
    pub(crate) fn now(&self) -> i64 {
        START + i64::try_from(self.elapsed.lock().unwrap().as_secs()).unwrap()
    }

    pub(crate) fn says(&self, url: &str, says: Says) {
        self.documents.lock().unwrap().insert(url.to_owned(), says);
    }

    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    /// Publishes keys where [`ISSUER`]'s metadata says.
    pub(crate) fn publish(&self, keys: &[&Key]) {
        let metadata = json!({ "issuer": ISSUER, "jwks_uri": format!("{ISSUER}/jwks") });
        self.says(&format!("{ISSUER}/.well-known/oauth-authorization-server"), Says::Json(metadata));
        let keys: Vec<Value> = keys.iter().map(|key| key.public.clone()).collect();
        self.says(&format!("{ISSUER}/jwks"), Says::Json(json!({ "keys": keys })));
    }

    fn answer(&self, url: &str) -> Says {
        self.asked.lock().unwrap().push(url.to_owned());
        let documents = self.documents.lock().unwrap();
        documents.get(url).cloned().unwrap_or(Says::Raw(404, "text/plain", b"no".to_vec()))
    }
}

/// A handle that is every port.
#[derive(Clone)]
pub(crate) struct Handle(pub(crate) Arc<World>);

impl Clock for Handle {
    fn wall(&self) -> Timestamp {
        let elapsed = i64::try_from(self.0.elapsed.lock().unwrap().as_nanos()).unwrap();
        Timestamp(START * 1_000_000_000 + elapsed)
    }
    fn moment(&self) -> Moment {
        Moment(*self.0.elapsed.lock().unwrap())
    }
    fn sleep_until(&self, moment: Moment) -> PortFuture<'static, ()> {
        let world = Arc::clone(&self.0);
        Box::pin(std::future::poll_fn(move |context| {
            if *world.elapsed.lock().unwrap() >= moment.0 {
                return Poll::Ready(());
            }
            context.waker().wake_by_ref();
            Poll::Pending
        }))
    }
}

async fn fetched(says: Says, limit: usize) -> Result<Fetched, FetchError> {
    let (status, content_type, body, max_age) = match says {
        Says::Json(value) => (200, "application/json", value.to_string().into_bytes(), None),
        Says::Kept(value, max_age) => (200, "application/json", value.to_string().into_bytes(), Some(max_age)),
        Says::Raw(status, content_type, body) => (status, content_type, body, None),
        Says::Nothing => std::future::pending().await,
        Says::Broken => return Err(FetchError::Unreachable { reason: "connection reset".to_owned() }),
    };
    if body.len() > limit {
        return Err(FetchError::TooLarge { limit });
    }
    Ok(Fetched { status, content_type: Some(content_type.to_owned()), body: Bytes::from(body), max_age })
}

impl Fetch for Handle {
    fn get<'a>(&'a self, url: &'a str, body_bytes: usize) -> PortFuture<'a, Result<Fetched, FetchError>> {
        Box::pin(fetched(self.0.answer(url), body_bytes))
    }
    fn post_form<'a>(
        &'a self,
        url: &'a str,
        form: Form,
        body_bytes: usize,
    ) -> PortFuture<'a, Result<Fetched, FetchError>> {
        let posted = (form.authorization.expose().to_owned(), form.body.expose().to_owned());
        self.0.posted.lock().unwrap().push(posted);
        Box::pin(fetched(self.0.answer(url), body_bytes))
    }
}

impl KeyBook for Handle {
    fn holder(&self, key: &Secret) -> Result<Identity, IdentityError> {
        match key.expose() {
            "stk_aaaaaaaa_right" => {
                let basis = Basis::Key { id: "aaaaaaaa".to_owned() };
                let scopes = Some(["admin".to_owned()].into());
                let caller = Caller::new(CallerName::parse("alice").unwrap(), CallerKind::ApiKey);
                Ok(Identity { caller, standing: Arc::new(Standing { scopes, basis, ..Standing::given() }) })
            }
            _ => Err(IdentityError::UnknownKey),
        }
    }
}

impl Revocations for Handle {
    fn is_revoked(&self, what: Revoked<'_>) -> Result<bool, IdentityError> {
        if *self.0.revocations_are_down.lock().unwrap() {
            return Err(IdentityError::Unavailable { reason: "revocations".to_owned() });
        }
        let name = match what {
            Revoked::Key { id } => format!("key {id}"),
            Revoked::Token { issuer, jti } => format!("token {issuer} {jti}"),
            Revoked::Subject { issuer, subject } => format!("subject {issuer} {subject}"),
            Revoked::Issuer { issuer } => format!("issuer {issuer}"),
            Revoked::Certificate { thumbprint, .. } => format!("certificate {}", thumbprint[0]),
            Revoked::SignIn { issuer, sign_in, .. } => format!("sign-in {issuer} {}", sign_in.unwrap_or("-")),
            Revoked::Caller { name } => format!("caller {name}"),
        };
        Ok(self.0.revoked.lock().unwrap().contains(&name))
    }
}

impl ReplayRegister for Handle {
    fn first_use(&self, jti_hash: [u8; 32], _: Timestamp) -> Result<bool, IdentityError> {
        if *self.0.register_is_down.lock().unwrap() {
            return Err(IdentityError::Unavailable { reason: "register".to_owned() });
        }
        Ok(self.0.proofs.lock().unwrap().insert(jti_hash))
    }
}

/// A key that signs.
pub(crate) struct Key {
    pair: Pair,
    pub(crate) algorithm: &'static str,
    /// The public key as a JWK.
    pub(crate) public: Value,
}

enum Pair {
    P256(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Rsa(RsaKeyPair, &'static dyn RsaEncoding),
}

pub(crate) fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

impl Key {
    pub(crate) fn es256(id: &str) -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let point = pair.public_key().as_ref();
        let public = json!({ "kty": "EC", "crv": "P-256", "kid": id, "use": "sig", "alg": "ES256",
            "x": encode(&point[1..33]), "y": encode(&point[33..]) });
        Self { pair: Pair::P256(pair), algorithm: "ES256", public }
    }

    pub(crate) fn eddsa(id: &str) -> Self {
        let pair = Ed25519KeyPair::generate().unwrap();
        let public = json!({ "kty": "OKP", "crv": "Ed25519", "kid": id, "x": encode(pair.public_key().as_ref()) });
        Self { pair: Pair::Ed25519(pair), algorithm: "EdDSA", public }
    }

    pub(crate) fn rsa(id: &str, algorithm: &'static str) -> Self {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        // RFC 8017 A.1.1: a sequence of two integers; of 2048 bits the first stands behind 9 bytes, one of them its sign.
        let der = pair.public_key().as_ref();
        let (n, e) = (&der[9..265], &der[der.len() - 3..]);
        let public = json!({ "kty": "RSA", "kid": id, "n": encode(n), "e": encode(e) });
        let encoding: &'static dyn RsaEncoding = if algorithm == "PS256" { &RSA_PSS_SHA256 } else { &RSA_PKCS1_SHA256 };
        Self { pair: Pair::Rsa(pair, encoding), algorithm, public }
    }

    pub(crate) fn id(&self) -> &str {
        self.public["kid"].as_str().unwrap()
    }

    /// The public key without what only key sets have.
    pub(crate) fn bare(&self) -> Value {
        let mut bare = self.public.clone();
        for member in ["kid", "use", "alg"] {
            bare.as_object_mut().unwrap().remove(member);
        }
        bare
    }

    /// RFC 7638: the members that make the key, sorted, without spaces.
    pub(crate) fn thumbprint(&self) -> String {
        let members: BTreeMap<String, Value> = serde_json::from_value(self.bare()).unwrap();
        encode(Digest::of(serde_json::to_string(&members).unwrap().as_bytes()).as_bytes())
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.pair {
            Pair::P256(pair) => pair.sign(&random, message).unwrap().as_ref().to_vec(),
            Pair::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
            Pair::Rsa(pair, encoding) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(*encoding, &random, message, &mut signature).unwrap();
                signature
            }
        }
    }

    /// A token of any header and claims.
    pub(crate) fn token_with(&self, header: &Value, claims: &Value) -> String {
        let signed = format!("{}.{}", encode(header.to_string()), encode(claims.to_string()));
        format!("{signed}.{}", encode(self.sign(signed.as_bytes())))
    }

    /// A token with the header that access tokens have.
    pub(crate) fn token(&self, claims: &Value) -> String {
        self.token_with(&self.header(), claims)
    }

    pub(crate) fn header(&self) -> Value {
        json!({ "alg": self.algorithm, "typ": "at+jwt", "kid": self.id() })
    }
}

/// The claims of a right token at the start.
pub(crate) fn right() -> Value {
    json!({ "iss": ISSUER, "sub": "alice", "aud": RESOURCE, "exp": START + 3600, "iat": START, "client_id": "cli",
        "scope": "files:read", "jti": "one" })
}

/// The right claims with one that is other.
pub(crate) fn with(claim: &str, value: impl Into<Value>) -> Value {
    let mut claims = right();
    claims[claim] = value.into();
    claims
}

/// One issuer with keys by discovery.
pub(crate) fn settings() -> Settings {
    let mut settings = Settings::nobody(RESOURCE, "test");
    settings.issuers = vec![IssuerSettings::new(IssuerName::parse("corp").unwrap(), ISSUER)];
    settings
}

pub(crate) fn authenticator(world: &Arc<World>, settings: Settings) -> Authenticator {
    let handle = Arc::new(Handle(Arc::clone(world)));
    let fetch: Arc<dyn Fetch> = Arc::clone(&handle) as Arc<dyn Fetch>;
    let fetchers = settings.issuers.iter().map(|issuer| (issuer.name.clone(), Arc::clone(&fetch))).collect();
    let parts = Parts {
        clock: Arc::clone(&handle) as Arc<dyn Clock>,
        keys: Arc::clone(&handle) as Arc<dyn KeyBook>,
        revocations: Arc::clone(&handle) as Arc<dyn Revocations>,
        replays: handle,
        fetchers,
        nonce_key: Zeroizing::new([9; 32]),
    };
    Authenticator::new(settings, parts).unwrap()
}

pub(crate) fn bearer(token: &str) -> Shown {
    Shown {
        http_method: "POST",
        url: RESOURCE.to_owned(),
        address: Some(IpAddr::from([192, 0, 2, 1])),
        ..Shown::only(Credential::Bearer(Secret::new(token.to_owned())))
    }
}

pub(crate) fn certificate(first: u8) -> Arc<PeerCertificate> {
    let not_after = Timestamp((START + 7200) * 1_000_000_000);
    Arc::new(PeerCertificate { thumbprint: [first; 32], serial: "0a".to_owned(), names: Vec::new(), not_after })
}

/// Runs a future beside the one who keeps the keys.
pub(crate) fn beside<T>(authenticator: &Authenticator, future: impl Future<Output = T>) -> T {
    run(async {
        match select(pin!(future), pin!(authenticator.keep())).await {
            Either::Left((done, _)) => done,
            Either::Right(_) => panic!("who keeps the keys went away"),
        }
    })
}

/// Lets the others have their turn.
pub(crate) async fn turn() {
    let mut is_first = true;
    std::future::poll_fn(|context| {
        context.waker().wake_by_ref();
        if std::mem::take(&mut is_first) { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
}

/// Recognises while time goes on by a second at each turn.
pub(crate) fn identify_while_time_passes(
    authenticator: &Authenticator,
    world: &World,
    shown: &Shown,
) -> Result<Identity, IdentityError> {
    beside(authenticator, async {
        let passing = async {
            for _ in 0..1000 {
                turn().await;
                turn().await;
                world.pass(1);
            }
        };
        match select(authenticator.identify(shown), pin!(passing)).await {
            Either::Left((identified, _)) => identified,
            Either::Right(((), _)) => panic!("it never ends"),
        }
    })
}

/// Recognises, beside the one who keeps the keys.
pub(crate) fn identify(authenticator: &Authenticator, shown: &Shown) -> Result<Identity, IdentityError> {
    beside(authenticator, authenticator.identify(shown))
}

/// Recognises the bearer of a token.
pub(crate) fn by_token(authenticator: &Authenticator, token: &str) -> Result<Identity, IdentityError> {
    identify(authenticator, &bearer(token))
}

/// Polls until it is done; the clock of these tests wakes at once.
pub(crate) fn run<T>(future: impl Future<Output = T>) -> T {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let mut future = pin!(future);
    for _ in 0..1_000_000 {
        if let Poll::Ready(done) = future.as_mut().poll(&mut context) {
            return done;
        }
    }
    panic!("it never ends");
}

/// The check that refused.
#[track_caller]
pub(crate) fn check_of(refused: Result<Identity, IdentityError>) -> &'static str {
    match refused {
        Err(IdentityError::Rejected { check, .. }) => check,
        other => panic!("not refused by a check: {other:?}"),
    }
}
