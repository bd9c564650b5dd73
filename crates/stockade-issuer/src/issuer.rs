//! The authorization server: one request in, one response out.
//!
//! For: finding the route, its limit and its manner; everything else is in the file of the route.
//! Must never: answer on a path that is not in [`ROUTES`]; answer a script of an origin that is not listed.

use crate::authorize::reason_of;
use crate::documents::{Documents, Fetch};
use crate::event::{Happening, IssuerEvent, Witness};
use crate::http::{IssuerRequest, IssuerResponse};
use crate::metadata::{METADATA_LIFE, metadata, open_id_metadata};
use crate::pages::{self, Refused};
use crate::pending::{SIGN_IN_LIFE, SignIns};
use crate::routes::{Does, IssuerRoute, ROUTES, Scripts};
use crate::settings::{IssuerSettings, Offer};
use crate::sign_in::{SENDER_FAILURES, SENDER_WINDOW, USER_FAILURES, USER_WINDOW};
use crate::signing_key::{KEY_SET_LIFE, SigningKeyError, SigningKeys, make_first, make_next};
use crate::store::{IssuerStore, IssuerStoreError, TokenReference};
use crate::throttle::{Sender, Throttle, TooOften};
use serde_json::{Value, json};
use std::fmt;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use stockade_core::ports::{Clock, Entropy, Moment};
use stockade_core::wire::Digest;

/// How often the store is tidied at most.
const TIDY_INTERVAL: Duration = Duration::from_secs(60);
/// The window of the routes' limits.
const MINUTE: Duration = Duration::from_secs(60);

/// What the authorization server needs of the world.
pub struct IssuerPorts {
    /// Durable storage.
    pub store: Arc<dyn IssuerStore>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Random bytes.
    pub entropy: Arc<dyn Entropy>,
    /// The guarded fetcher of clients' documents.
    pub fetch: Arc<dyn Fetch>,
    /// Where the operator's lines go.
    pub witness: Arc<dyn Witness>,
}

/// The limits of one route.
struct RouteThrottle {
    per_sender: Throttle<Sender>,
    overall: Throttle<()>,
}

/// What is counted in memory.
struct Counts {
    routes: Vec<RouteThrottle>,
    guesses_at_user: Throttle<Digest>,
    guesses_of_sender: Throttle<Sender>,
    tidied: Option<Moment>,
}

/// The embedded authorization server.
pub struct Issuer {
    settings: IssuerSettings,
    ports: IssuerPorts,
    documents: Documents,
    sign_ins: Mutex<SignIns>,
    counts: Mutex<Counts>,
    computing: AtomicUsize,
}

impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Issuer({})", self.settings.issuer.as_str())
    }
}

impl Issuer {
    /// Starts the authorization server; makes its first signing key if there is none.
    ///
    /// # Errors
    /// When the signing keys cannot be read or made.
    pub fn new(settings: IssuerSettings, ports: IssuerPorts) -> Result<Self, SigningKeyError> {
        make_first(ports.store.as_ref(), ports.clock.wall())?;
        let route = |route: &IssuerRoute| RouteThrottle {
            per_sender: Throttle::new(route.limit.per_sender, MINUTE),
            overall: Throttle::new(route.limit.overall, MINUTE),
        };
        let counts = Counts {
            routes: ROUTES.iter().map(route).collect(),
            guesses_at_user: Throttle::new(USER_FAILURES, USER_WINDOW),
            guesses_of_sender: Throttle::new(SENDER_FAILURES, SENDER_WINDOW),
            tidied: None,
        };
        let documents = Documents::new(Arc::clone(&ports.fetch));
        let issuer = Self {
            settings,
            ports,
            documents,
            sign_ins: Mutex::default(),
            counts: Mutex::new(counts),
            computing: AtomicUsize::new(0),
        };
        issuer.keys()?;
        Ok(issuer)
    }

    /// Answers one request.
    ///
    /// Blocks: the store writes to the disk, and a password takes some tens of milliseconds. Run it where a thread may wait.
    /// Only the fetch of a client's document is awaited.
    pub async fn handle(&self, request: &IssuerRequest) -> IssuerResponse {
        let Some((place, route)) = ROUTES.iter().enumerate().find(|(_, route)| route.path == request.path) else {
            return IssuerResponse::bare(404);
        };
        let reader = self.reader(request, route);
        if request.method == "OPTIONS" {
            return preflight(request, route, reader);
        }
        if request.method != route.method {
            return IssuerResponse::bare(405).with("allow", route.method);
        }
        let response = match self.admit(request, place, route) {
            Some(refused) => refused,
            None => self.perform(request, route).await,
        };
        readable_by(response, reader)
    }

    /// What stands before every route: limits, size, origin, type.
    fn admit(&self, request: &IssuerRequest, place: usize, route: &IssuerRoute) -> Option<IssuerResponse> {
        if let Err(TooOften { wait }) = self.take_request(place, Sender::of(request.peer)) {
            self.tell(IssuerEvent::new(Happening::LimitMet, format!("requests to {}", route.path)));
            return Some(match route.scripts {
                Scripts::Never => pages::refused(Refused::TooOften { wait }),
                Scripts::Listed => {
                    IssuerResponse::json(429, &json!({ "error": "temporarily_unavailable" })).retry_after(wait)
                }
            });
        }
        if request.body.len() > route.limit.body_bytes {
            return Some(IssuerResponse::bare(413));
        }
        if route.method == "GET" {
            return None;
        }
        // A browser says where a POST comes from. Forms are our own pages' only; scripts those of the listed origins.
        let origin = request.headers.origin.as_deref();
        let is_own = |origin: &str| origin == self.settings.issuer.as_str();
        let is_listed = |origin: &str| self.settings.origins.contains(origin) && route.scripts == Scripts::Listed;
        if origin.is_some_and(|origin| !is_own(origin) && !is_listed(origin)) {
            self.tell(IssuerEvent::new(Happening::Refused, format!("a POST to {} from another origin", route.path)));
            return Some(match route.scripts {
                Scripts::Never => pages::refused(Refused::OtherOrigin),
                Scripts::Listed => IssuerResponse::bare(403),
            });
        }
        let is_form = request.is_of_type("application/x-www-form-urlencoded");
        (route.does != Does::Register && !is_form).then(|| IssuerResponse::bare(415))
    }

    async fn perform(&self, request: &IssuerRequest, route: &IssuerRoute) -> IssuerResponse {
        self.tend();
        match route.does {
            Does::Metadata => IssuerResponse::public_json(&metadata(&self.settings), METADATA_LIFE),
            Does::OpenIdMetadata => IssuerResponse::public_json(&open_id_metadata(&self.settings), METADATA_LIFE),
            Does::Keys => match self.key_set() {
                Ok(keys) => IssuerResponse::public_json(&keys, KEY_SET_LIFE),
                Err(error) => {
                    self.tell(IssuerEvent::new(Happening::Failed, reason_of(&error)));
                    IssuerResponse::bare(503)
                }
            },
            Does::Authorize => self.authorize(request).await,
            Does::SignIn => self.sign_in(request),
            Does::Consent => self.consent(request),
            Does::Token => self.token(request),
            Does::Register if self.settings.registration == Offer::Closed => IssuerResponse::bare(404),
            Does::Register => self.register(request),
            Does::Revoke => self.revoke(request),
        }
    }

    /// The key set (RFC 7517 §5), for a resource server in the same process.
    ///
    /// # Errors
    /// When the keys cannot be read.
    pub fn key_set(&self) -> Result<Value, SigningKeyError> {
        Ok(self.keys()?.to_jwks())
    }

    /// Says whether an access token of ours, whose signature and claims were verified, is good for nothing. Asks the store
    /// each time: what another process revokes counts at once.
    ///
    /// # Errors
    /// When the store cannot say; the token must then count as revoked.
    pub fn is_revoked(&self, token: TokenReference<'_>) -> Result<bool, IssuerStoreError> {
        self.store().is_revoked(token)
    }

    /// Makes the next signing key. It signs after [`OVERLAP`](crate::OVERLAP); the present one is published until
    /// its last token has ended. Returns the new key's id.
    ///
    /// # Errors
    /// When it cannot be made or kept, or too many keys wait.
    pub fn rotate_key(&self) -> Result<String, SigningKeyError> {
        let id = make_next(self.store(), self.clock().wall())?;
        self.tell(IssuerEvent::new(Happening::KeyRotated, format!("key `{id}` is published and signs later")));
        Ok(id)
    }

    /// The settings.
    #[must_use]
    pub const fn settings(&self) -> &IssuerSettings {
        &self.settings
    }

    pub(crate) fn store(&self) -> &dyn IssuerStore {
        self.ports.store.as_ref()
    }

    pub(crate) fn clock(&self) -> &dyn Clock {
        self.ports.clock.as_ref()
    }

    pub(crate) fn entropy(&self) -> &dyn Entropy {
        self.ports.entropy.as_ref()
    }

    pub(crate) fn tell(&self, event: IssuerEvent) {
        self.ports.witness.see(event);
    }

    pub(crate) const fn documents(&self) -> &Documents {
        &self.documents
    }

    pub(crate) const fn computing(&self) -> &AtomicUsize {
        &self.computing
    }

    pub(crate) fn sign_ins(&self) -> MutexGuard<'_, SignIns> {
        self.sign_ins.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn keys(&self) -> Result<SigningKeys, SigningKeyError> {
        SigningKeys::read(self.store(), self.clock().wall())
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take_request(&self, place: usize, sender: Sender) -> Result<(), TooOften> {
        let now = self.clock().moment();
        let mut counts = self.counts();
        let Some(route) = counts.routes.get_mut(place) else { return Err(TooOften { wait: MINUTE }) };
        // The sender first: one who asks too often must not use up what all have.
        route.per_sender.take(sender, now)?;
        route.overall.take((), now)
    }

    /// Takes one guess at a user's password, of a sender. Given back when it was none.
    pub(crate) fn admit_guess(&self, sender: Sender, user: Digest) -> Result<(), TooOften> {
        let now = self.clock().moment();
        let mut counts = self.counts();
        counts.guesses_of_sender.take(sender, now)?;
        counts.guesses_at_user.take(user, now)
    }

    pub(crate) fn forget_guesses(&self, sender: Sender, user: Digest) {
        let mut counts = self.counts();
        counts.guesses_of_sender.give_back(sender);
        counts.guesses_at_user.forget(&user);
    }

    /// Takes out what has ended, and makes the next key when it is time. At most once in [`TIDY_INTERVAL`], on the way of some
    /// request: what has ended is refused whether or not it was taken out.
    fn tend(&self) {
        let now = self.clock().moment();
        {
            let mut counts = self.counts();
            if counts.tidied.is_some_and(|tidied| now.0.saturating_sub(tidied.0) < TIDY_INTERVAL) {
                return;
            }
            counts.tidied = Some(now);
        }
        let wall = self.clock().wall();
        if let Err(error) = self.store().tidy(wall) {
            self.tell(IssuerEvent::new(Happening::Failed, reason_of(&error)));
        }
        let rotated = match self.keys() {
            Ok(keys) if keys.are_old(wall) => self.rotate_key().map(drop),
            Ok(_) => Ok(()),
            Err(error) => Err(error),
        };
        if let Err(error) = rotated {
            self.tell(IssuerEvent::new(Happening::Failed, reason_of(&error)));
        }
    }

    /// `__Host-` wherever there is TLS: such a cookie cannot be planted by another host (RFC 6265bis §4.1.3.2). Without TLS,
    /// which is on loopback only, browsers do not take the prefix.
    pub(crate) fn cookie_name(&self) -> &'static str {
        if self.settings.issuer.is_secure() { "__Host-stockade-sign-in" } else { "stockade-sign-in" }
    }

    pub(crate) fn cookie(&self, value: &str) -> String {
        let (name, life) = (self.cookie_name(), SIGN_IN_LIFE.as_secs());
        let secure = if self.settings.issuer.is_secure() { "; Secure" } else { "" };
        format!("{name}={value}; Path=/; Max-Age={life}; HttpOnly; SameSite=Lax{secure}")
    }

    /// The origin that may read the answer, if it is one of those listed.
    fn reader<'r>(&self, request: &'r IssuerRequest, route: &IssuerRoute) -> Option<&'r str> {
        let origin = request.headers.origin.as_deref()?;
        (route.scripts == Scripts::Listed && self.settings.origins.contains(origin)).then_some(origin)
    }
}

/// CORS, for the listed origins only; never with credentials (there are none that a browser would add).
fn readable_by(response: IssuerResponse, reader: Option<&str>) -> IssuerResponse {
    match reader {
        Some(origin) => response.with("access-control-allow-origin", origin).with("vary", "origin"),
        None => response,
    }
}

fn preflight(request: &IssuerRequest, route: &IssuerRoute, reader: Option<&str>) -> IssuerResponse {
    let wanted = request.headers.wanted_method.as_deref();
    if reader.is_none() || wanted != Some(route.method) {
        return IssuerResponse::bare(405).with("allow", route.method);
    }
    let response = IssuerResponse::bare(204)
        .with("access-control-allow-methods", route.method)
        .with("access-control-allow-headers", "authorization, content-type, mcp-protocol-version")
        .with("access-control-max-age", "600");
    readable_by(response, reader)
}
