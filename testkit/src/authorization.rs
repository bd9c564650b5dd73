//! A small authorization server on loopback that signs with real keys and fails as it is told.
//!
//! For: metadata, keys and introspection; tokens are made here and handed to the test, without any flow.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use aws_lc_rs::{digest, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

/// Where metadata is (RFC 8414 §3).
pub const METADATA: &str = "/.well-known/oauth-authorization-server";
/// Where keys are.
pub const KEYS: &str = "/jwks";
/// Where opaque tokens are asked about.
pub const INTROSPECTION: &str = "/introspect";
/// Bytes of a request that are read.
const REQUEST_BYTES: usize = 64 << 10;

/// How one address answers.
#[derive(Debug, Clone)]
pub enum Says {
    /// 200 with JSON.
    Json(Value),
    /// Status, content type and body.
    Raw(u16, &'static str, Vec<u8>),
    /// A redirect.
    Redirect(String),
    /// Nothing, for as long as the server lives.
    Hang,
    /// The end of the connection.
    Reset,
}

/// What was asked for.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The path.
    pub path: String,
    /// The whole request.
    pub text: String,
}

#[derive(Default)]
struct Shared {
    answers: Mutex<HashMap<String, Says>>,
    asked: Mutex<Vec<Asked>>,
    is_over: AtomicBool,
}

/// The server; it ends when it is dropped.
pub struct AuthorizationServer {
    issuer: String,
    shared: Arc<Shared>,
    serving: Option<JoinHandle<()>>,
}

impl AuthorizationServer {
    /// Starts one on a free port of 127.0.0.1 that publishes these keys.
    ///
    /// # Panics
    /// When no port is free.
    #[must_use]
    pub fn start(keys: &[&TokenKey]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let issuer = format!("http://{}", listener.local_addr().expect("an address"));
        let shared = Arc::<Shared>::default();
        let serving = std::thread::spawn({
            let shared = Arc::clone(&shared);
            move || serve(&listener, &shared)
        });
        let server = Self { issuer, shared, serving: Some(serving) };
        let metadata = json!({ "issuer": server.issuer, "jwks_uri": server.url(KEYS) });
        server.says(METADATA, Says::Json(metadata));
        server.publish(keys);
        server
    }

    /// Its identifier.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The URL of one of its addresses.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.issuer)
    }

    /// Publishes these keys and no others.
    pub fn publish(&self, keys: &[&TokenKey]) {
        let keys: Vec<Value> = keys.iter().map(|key| key.public()).collect();
        self.says(KEYS, Says::Json(json!({ "keys": keys })));
    }

    /// From now on it answers so at this address.
    ///
    /// # Panics
    /// When a thread of the server has panicked.
    pub fn says(&self, path: &str, says: Says) {
        self.shared.answers.lock().expect("answers").insert(path.to_owned(), says);
    }

    /// What was asked so far.
    ///
    /// # Panics
    /// When a thread of the server has panicked.
    #[must_use]
    pub fn asked(&self) -> Vec<Asked> {
        self.shared.asked.lock().expect("asked").clone()
    }

    /// How often one address was asked.
    #[must_use]
    pub fn count(&self, path: &str) -> usize {
        self.asked().iter().filter(|asked| asked.path == path).count()
    }

    /// The table of the configuration that trusts it, under the name `corp`; `more` are further lines of it. Keys are asked
    /// for every second, unless `more` says something else about that.
    #[must_use]
    pub fn configured(&self, more: &str) -> String {
        let pace = if more.contains("refresh_") { "" } else { "refresh_interval = \"1s\"\nrefresh_period = \"1s\"\n" };
        let issuer = &self.issuer;
        format!("[[issuers]]\nname = \"corp\"\nissuer = \"{issuer}\"\nallow_private = \"yes\"\n{pace}{more}\n")
    }

    /// The claims of a right token for `subject`, meant for `audience`.
    #[must_use]
    pub fn claims(&self, subject: &str, audience: &str) -> Value {
        let now = now();
        json!({ "iss": self.issuer, "sub": subject, "aud": audience, "iat": now, "exp": now + 600, "client_id": "cli",
            "jti": format!("{subject}-{now}"), "scope": "files:read" })
    }
}

impl Drop for AuthorizationServer {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Relaxed);
        let address = self.issuer.trim_start_matches("http://");
        // Wakes the one who accepts.
        drop(TcpStream::connect(address));
        if let Some(serving) = self.serving.take() {
            drop(serving.join());
        }
    }
}

fn serve(listener: &TcpListener, shared: &Arc<Shared>) {
    for stream in listener.incoming() {
        if shared.is_over.load(Ordering::Relaxed) {
            return;
        }
        let (Ok(stream), shared) = (stream, Arc::clone(shared)) else { continue };
        std::thread::spawn(move || answer(stream, &shared));
    }
}

fn answer(mut stream: TcpStream, shared: &Shared) {
    let Some(text) = read(&mut stream) else { return };
    let path = text.split(' ').nth(1).unwrap_or_default().to_owned();
    let says = shared.answers.lock().expect("answers").get(&path).cloned();
    shared.asked.lock().expect("asked").push(Asked { path, text });
    let (status, kind, extra, body) = match says {
        Some(Says::Json(value)) => (200, "application/json", String::new(), value.to_string().into_bytes()),
        Some(Says::Raw(status, kind, body)) => (status, kind, String::new(), body),
        Some(Says::Redirect(to)) => (302, "text/plain", format!("Location: {to}\r\n"), Vec::new()),
        Some(Says::Hang) => {
            while !shared.is_over.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(20));
            }
            return;
        }
        Some(Says::Reset) => return,
        None => (404, "text/plain", String::new(), Vec::new()),
    };
    let head = format!(
        "HTTP/1.1 {status} Scripted\r\nContent-Type: {kind}\r\n{extra}Content-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    drop(stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body)));
}

/// One request, its body included.
fn read(stream: &mut TcpStream) -> Option<String> {
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    let mut bytes = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
            });
            if body.len() >= length.unwrap_or_default() {
                return Some(text);
            }
        }
        let read = stream.read(&mut piece).ok().filter(|read| *read > 0)?;
        bytes.extend_from_slice(piece.get(..read)?);
        if bytes.len() > REQUEST_BYTES {
            return None;
        }
    }
}

/// Seconds since 1970 by the system's clock, which the gateway goes by too.
///
/// # Panics
/// When the clock stands before 1970.
#[must_use]
pub fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970");
    i64::try_from(since.as_secs()).expect("a time that fits")
}

/// Base64url without padding (RFC 7515 §2).
#[must_use]
pub fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// SHA-256 in base64url: `ath`, `jkt`, `x5t#S256`.
#[must_use]
pub fn hash(bytes: impl AsRef<[u8]>) -> String {
    encode(digest::digest(&digest::SHA256, bytes.as_ref()))
}

/// A token that is "signed" with a shared secret by HS256, as an enemy makes one of a public key.
#[must_use]
pub fn shared_secret_token(secret: &[u8], header: &Value, claims: &Value) -> String {
    let signed = format!("{}.{}", encode(header.to_string()), encode(claims.to_string()));
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), signed.as_bytes());
    format!("{signed}.{}", encode(tag))
}

/// A key that signs by ES256.
pub struct TokenKey {
    pair: EcdsaKeyPair,
    id: String,
}

impl TokenKey {
    /// A new one.
    ///
    /// # Panics
    /// When the system has no randomness.
    #[must_use]
    pub fn new(id: &str) -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key");
        Self { pair, id: id.to_owned() }
    }

    /// The public key without an id (RFC 7517), as in the header of a proof.
    #[must_use]
    pub fn bare(&self) -> Value {
        // SEC 1 §2.3.3: a byte, then both coordinates.
        let point = self.pair.public_key().as_ref();
        let (x, y) = point.get(1..).unwrap_or_default().split_at(32);
        json!({ "crv": "P-256", "kty": "EC", "x": encode(x), "y": encode(y) })
    }

    /// The public key with its id, as in a key set.
    #[must_use]
    pub fn public(&self) -> Value {
        let mut public = self.bare();
        public["kid"] = json!(self.id);
        public
    }

    /// The thumbprint (RFC 7638): the bare key's members stand in their order already.
    #[must_use]
    pub fn thumbprint(&self) -> String {
        hash(self.bare().to_string())
    }

    /// The header of an access token.
    #[must_use]
    pub fn header(&self) -> Value {
        json!({ "alg": "ES256", "typ": "at+jwt", "kid": self.id })
    }

    /// An access token.
    #[must_use]
    pub fn token(&self, claims: &Value) -> String {
        self.sign(&self.header(), claims)
    }

    /// A signed token of any header and claims.
    ///
    /// # Panics
    /// When the system has no randomness.
    #[must_use]
    pub fn sign(&self, header: &Value, claims: &Value) -> String {
        let signed = format!("{}.{}", encode(header.to_string()), encode(claims.to_string()));
        let signature = self.pair.sign(&SystemRandom::new(), signed.as_bytes()).expect("a signature");
        format!("{signed}.{}", encode(signature))
    }

    /// A proof of possession for one request (RFC 9449 §4.2).
    #[must_use]
    pub fn proof(&self, method: &str, url: &str, token: &str, id: &str) -> String {
        self.sign(&self.proof_header(), &self.proof_claims(method, url, token, id))
    }

    /// The header of a proof.
    #[must_use]
    pub fn proof_header(&self) -> Value {
        json!({ "alg": "ES256", "typ": "dpop+jwt", "jwk": self.bare() })
    }

    /// The claims of a proof.
    #[must_use]
    pub fn proof_claims(&self, method: &str, url: &str, token: &str, id: &str) -> Value {
        json!({ "htm": method, "htu": url, "iat": now(), "jti": id, "ath": hash(token) })
    }
}
