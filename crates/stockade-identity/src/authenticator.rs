//! The one who recognises: from what was shown to who it is, by the means that what was shown calls for.
//!
//! For: the port [`Identities`], and `explain`, which is the same code with every check written down.
//! Must never: let one kind of credential stand in for another; answer a stranger in a way that tells which check refused;
//! skip a revocation because a token is remembered.

use crate::certificate;
use crate::check::{Check, Checks, Step, seen};
use crate::claims::{self, Against, Claims};
use crate::introspection::{self, Introspector};
use crate::key_source::KeySource;
use crate::ports::{Fetch, KeyBook, ReplayRegister, Revocations, Revoked};
use crate::proof::{Bound, Proofs};
use crate::recent::Recent;
use crate::scope;
use crate::settings::{DpopMode, IssuerName, IssuerSettings, Settings, SettingsError};
use crate::throttle::Throttle;
use crate::token::{self, SignedBy};
use futures_util::future::join_all;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use stockade_core::identity::{
    Basis, ChallengeError, Credential, Identity, IdentityError, PeerCertificate, Shown, Standing,
};
use stockade_core::ports::{Clock, Identities, Moment, PortFuture, Timestamp};
use stockade_core::wire::Digest;
use stockade_core::words::{Caller, Secret};
use zeroize::Zeroizing;

/// What an API key begins with.
const KEY_PREFIX: &str = "stk_";
/// Parts of the table of remembered tokens, each with a lock of its own.
const SHARDS: usize = 16;
/// Characters of a token's digest that an explanation shows.
const DIGEST_PREFIX: usize = 16;

/// What an [`Authenticator`] asks.
pub struct Parts {
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// API keys.
    pub keys: Arc<dyn KeyBook>,
    /// What was revoked.
    pub revocations: Arc<dyn Revocations>,
    /// Proofs that were seen.
    pub replays: Arc<dyn ReplayRegister>,
    /// Who fetches for each issuer.
    pub fetchers: BTreeMap<IssuerName, Arc<dyn Fetch>>,
    /// Seals nonces. The same for all processes that stand for one gateway.
    pub nonce_key: Zeroizing<[u8; 32]>,
}

impl std::fmt::Debug for Parts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Parts(…)")
    }
}

/// One sign-in with every check that was made.
#[derive(Debug)]
pub struct Explanation {
    /// The checks in their order; the last one refused, if one did.
    pub steps: Vec<Step>,
    /// Who it is, or why not.
    pub outcome: Result<Identity, IdentityError>,
}

/// Recognises callers.
pub struct Authenticator {
    settings: Settings,
    issuers: Vec<Issuer>,
    clock: Arc<dyn Clock>,
    keys: Arc<dyn KeyBook>,
    revocations: Arc<dyn Revocations>,
    replays: Arc<dyn ReplayRegister>,
    proofs: Proofs,
    throttle: Throttle,
    remembered: Vec<Mutex<Recent<[u8; 32], Arc<Verified>>>>,
}

impl std::fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authenticator").field("issuers", &self.issuers).finish_non_exhaustive()
    }
}

#[derive(Debug)]
struct Issuer {
    settings: IssuerSettings,
    keys: Option<KeySource>,
    introspector: Option<Introspector>,
}

/// A token that was right when it was verified. Who shows it, what was revoked, and its time are asked anew each time.
#[derive(Debug)]
struct Verified {
    issuer: usize,
    claims: Claims,
    means: Means,
}

#[derive(Debug, Clone, Copy)]
enum Means {
    Signature(SignedBy),
    /// Believed until then.
    Introspection(Moment),
}

/// How a token was shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scheme {
    Bearer,
    Dpop,
}

impl Authenticator {
    /// Takes settings and parts.
    ///
    /// # Errors
    /// When they do not go together.
    pub fn new(mut settings: Settings, parts: Parts) -> Result<Self, SettingsError> {
        settings.check()?;
        let Parts { clock, keys, revocations, replays, fetchers, nonce_key } = parts;
        let issuers = std::mem::take(&mut settings.issuers);
        let issuers = issuers.into_iter().map(|mut issuer| {
            let no_fetcher = || SettingsError::NoFetcher { issuer: issuer.name.to_string() };
            let fetch = fetchers.get(&issuer.name).ok_or_else(no_fetcher)?;
            let keys = issuer.keys.clone().map(|location| {
                let (fetch, clock) = (Arc::clone(fetch), Arc::clone(&clock));
                KeySource::new(issuer.issuer.clone(), location, fetch, clock, issuer.pace())
            });
            let introspector = issuer.introspection.take();
            let introspector =
                introspector.map(|settings| Introspector::new(settings, Arc::clone(fetch), Arc::clone(&clock)));
            Ok(Issuer { settings: issuer, keys, introspector })
        });
        let issuers = issuers.collect::<Result<Vec<_>, _>>()?;
        let proofs = Proofs::new(settings.dpop.clone(), &nonce_key);
        let throttle = Throttle::new(settings.throttle);
        let shard = || Mutex::new(Recent::new(settings.remembered_tokens.div_ceil(SHARDS)));
        let remembered = std::iter::repeat_with(shard).take(SHARDS).collect();
        Ok(Self { settings, issuers, clock, keys, revocations, replays, proofs, throttle, remembered })
    }

    /// Keeps the keys of all issuers fresh; does all the fetching of keys there is. Never ends. Somebody must own it: without
    /// it no signed token is recognised.
    pub async fn keep(&self) {
        join_all(self.issuers.iter().filter_map(|issuer| issuer.keys.as_ref()).map(KeySource::keep)).await;
    }

    /// Recognises like [`Identities::identify`] and tells every check. It counts nothing, remembers nothing, uses no proof up
    /// and takes nothing from what is remembered.
    pub async fn explain(&self, shown: &Shown) -> Explanation {
        let mut steps = Vec::new();
        let outcome = self.judge(shown, true, &mut Checks::told(&mut steps)).await;
        let outcome = outcome.map_err(|error| self.proofs.with_nonce(error, self.clock.wall()));
        Explanation { steps, outcome }
    }

    async fn recognise(&self, shown: &Shown) -> Result<Identity, IdentityError> {
        let now = self.clock.moment();
        let wait = shown.address.and_then(|address| self.throttle.wait(address, now));
        let error = match self.judge(shown, wait.is_none(), &mut Checks::silent()).await {
            Ok(identity) => return Ok(identity),
            Err(error) => error,
        };
        if !is_wrong(&error) {
            return Err(self.proofs.with_nonce(error, self.clock.wall()));
        }
        if let Some(retry_after) = wait {
            return Err(IdentityError::Throttled { retry_after });
        }
        if let Some(address) = shown.address {
            self.throttle.count(address, now);
        }
        Err(self.proofs.with_nonce(error, self.clock.wall()))
    }

    /// `may_fetch`: whether a credential that is not known yet may make us ask others.
    async fn judge(&self, shown: &Shown, may_fetch: bool, checks: &mut Checks<'_>) -> Result<Identity, IdentityError> {
        let now = self.clock.wall();
        let certificate = shown.certificate.as_deref();
        let identity = match &shown.credential {
            Credential::Malformed(reason) => {
                checks.require(Check::Scheme, false, || seen("a credential", *reason)).ok();
                return Err(IdentityError::Malformed { reason: (*reason).to_owned() });
            }
            // The guard takes the word of the door for these; nothing that is checked here proves them.
            Credential::LocalUser(_) => return Err(IdentityError::Missing),
            Credential::Nothing => match certificate {
                Some(certificate) => certificate::holder(certificate, &self.settings.certificates, now, checks)?,
                None => return Err(IdentityError::Missing),
            },
            Credential::Bearer(secret) if secret.expose().starts_with(KEY_PREFIX) => self.by_key(secret, checks)?,
            Credential::Bearer(secret) => self.by_token(secret, Scheme::Bearer, shown, may_fetch, checks).await?,
            Credential::Dpop(secret) if secret.expose().starts_with(KEY_PREFIX) => {
                checks.require(Check::Scheme, false, || seen("an API key as `Bearer`", "one as `DPoP`"))?;
                return Err(IdentityError::UnknownKey);
            }
            Credential::Dpop(secret) => self.by_token(secret, Scheme::Dpop, shown, may_fetch, checks).await?,
        };
        if let Some(certificate) = certificate {
            certificate::is_valid(certificate, now, checks)?;
            self.require_certificate(certificate, checks)?;
        }
        let revoked = self.revoked(&identity);
        checks.tell(Check::Revocation, "nothing of it to be revoked", &revoked);
        revoked?;
        Ok(of_connection(identity, certificate))
    }

    fn by_key(&self, key: &Secret, checks: &mut Checks<'_>) -> Result<Identity, IdentityError> {
        let holder = self.keys.holder(key);
        checks.tell(Check::ApiKey, "somebody to hold the key", &holder);
        let mut identity = holder?;
        if let Some(granted) = identity.standing.scopes.as_ref().filter(|_| !self.settings.implied_scopes.is_empty()) {
            let mut scopes = granted.clone();
            scope::expand(&mut scopes, &[&self.settings.implied_scopes]);
            identity.standing = Arc::new(Standing { scopes: Some(scopes), ..Standing::clone(&identity.standing) });
        }
        Ok(identity)
    }

    async fn by_token(
        &self,
        token: &Secret,
        scheme: Scheme,
        shown: &Shown,
        may_fetch: bool,
        checks: &mut Checks<'_>,
    ) -> Result<Identity, IdentityError> {
        let digest = Digest::of(token.expose().as_bytes());
        if checks.are_told() {
            let prefix = digest.to_string().get(..DIGEST_PREFIX).unwrap_or_default().to_owned();
            checks.require(Check::Scheme, true, || seen("a token", format!("the token with the digest {prefix}…")))?;
        }
        let digest = *digest.as_bytes();
        let verified = match self.recall(&digest, checks) {
            Some(verified) => verified,
            None => {
                let verified = Arc::new(self.verify(token, digest, may_fetch, checks).await?);
                if !checks.are_told() {
                    self.remember(digest, &verified);
                }
                verified
            }
        };
        self.bound(&verified.claims, &digest, scheme, shown, checks)?;
        Ok(Identity { caller: verified.claims.caller.clone(), standing: Arc::clone(&verified.claims.standing) })
    }

    /// Checks everything about a token that does not depend on who shows it.
    async fn verify(
        &self,
        token: &Secret,
        digest: [u8; 32],
        may_fetch: bool,
        checks: &mut Checks<'_>,
    ) -> Result<Verified, IdentityError> {
        let text = token.expose();
        let mut introspecting = self.issuers.iter().position(|issuer| issuer.introspector.is_some());
        if token::is_signed(text) {
            let jws = token::read(text, checks)?;
            let position = token::issuer_of(&jws, self.issuers.iter().map(|issuer| &issuer.settings), checks)?;
            if let Some(Issuer { settings, keys: Some(keys), .. }) = self.issuers.get(position) {
                let mut against = self.against(settings, digest);
                let (claims, by) = token::verify(&jws, keys, &mut against, may_fetch, checks).await?;
                return Ok(Verified { issuer: position, claims, means: Means::Signature(by) });
            }
            // This issuer does not publish keys: it is asked about its own tokens, and only about those.
            introspecting = Some(position);
        }
        let issuer = introspecting.and_then(|position| self.issuers.get(position).map(|issuer| (position, issuer)));
        let Some((position, Issuer { settings, introspector: Some(introspector), .. })) = issuer else {
            checks
                .require(Check::Form, false, || seen("a compact JWS", "an opaque text, and no issuer introspects"))?;
            return Err(IdentityError::Rejected { check: Check::Form.as_str(), reason: "opaque".to_owned() });
        };
        let asked = self.clock.moment();
        let answer = introspector.ask(token, digest, may_fetch, checks).await?;
        introspection::check_answer(answer.root(), &settings.issuer, checks)?;
        let mut against = self.against(settings, digest);
        // An endpoint for access tokens has said that this is one.
        against.is_typed = true;
        let claims = claims::read(answer.root(), &against, checks)?;
        let until = Moment(asked.0.saturating_add(introspector.remember()));
        Ok(Verified { issuer: position, claims, means: Means::Introspection(until) })
    }

    fn against<'a>(&'a self, issuer: &'a IssuerSettings, digest: [u8; 32]) -> Against<'a> {
        Against { settings: &self.settings, issuer, now: self.clock.wall(), digest, is_typed: false }
    }

    /// That the token is shown by whom it is bound to, and in the way that goes with that (RFC 8705 §3, RFC 9449 §7).
    fn bound(
        &self,
        claims: &Claims,
        digest: &[u8; 32],
        scheme: Scheme,
        shown: &Shown,
        checks: &mut Checks<'_>,
    ) -> Result<(), IdentityError> {
        let (binding, mode) = (claims.binding, self.proofs.settings().mode);
        if let Some(routes) = &claims.routes {
            checks.require(Check::Audience, routes.contains(&shown.url), || {
                seen(format!("a token for `{}`", shown.url), format!("one for {}", routes.join(", ")))
            })?;
        }
        if let Some(expected) = binding.certificate {
            let found = shown.certificate.as_ref().map(|certificate| certificate.thumbprint);
            checks.require(Check::Binding, found == Some(expected), || {
                seen("the certificate that the token is bound to", if found.is_some() { "another" } else { "none" })
            })?;
        }
        let wrong_way = ChallengeError::InvalidToken;
        match (binding.key, scheme) {
            (None, Scheme::Bearer) => {
                let is_enough = mode != DpopMode::Require || binding.certificate.is_some();
                checks.require_proof(wrong_way, Check::Binding, is_enough, || {
                    seen(
                        "a token that is bound to a key or certificate",
                        if is_enough { "one" } else { "one for any bearer" },
                    )
                })
            }
            (None, Scheme::Dpop) => checks.require_proof(wrong_way, Check::Binding, false, || {
                seen("a token with `cnf.jkt`, as it was shown with `DPoP`", "one without")
            }),
            (Some(_), Scheme::Bearer) => checks.require_proof(wrong_way, Check::Scheme, false, || {
                seen("a token that is bound to a key to be shown with `DPoP`", "one shown as `Bearer`")
            }),
            (Some(_), Scheme::Dpop) if mode == DpopMode::Off => {
                checks.require(Check::Scheme, false, || seen("no proofs of possession, which are turned off", "one"))
            }
            (Some(key), Scheme::Dpop) => self.proved(&Bound { digest, key: &key }, shown, checks),
        }
    }

    fn proved(&self, bound: &Bound<'_>, shown: &Shown, checks: &mut Checks<'_>) -> Result<(), IdentityError> {
        let used = self.proofs.check(shown, bound, self.clock.wall(), checks)?;
        if checks.are_told() {
            return checks.require(Check::Replay, true, || {
                seen("a proof that was not seen before", "not asked, to keep it good")
            });
        }
        let is_first = self.replays.first_use(used.hash, used.until)?;
        checks.require_proof(ChallengeError::InvalidDpopProof, Check::Replay, is_first, || {
            seen("a proof that was not seen before", if is_first { "one" } else { "one that was" })
        })
    }

    /// A token that was verified before, if what vouched for it still does.
    fn recall(&self, digest: &[u8; 32], checks: &Checks<'_>) -> Option<Arc<Verified>> {
        if checks.are_told() {
            return None;
        }
        let verified = self.shard(digest)?.lock().unwrap_or_else(PoisonError::into_inner).get(digest).cloned()?;
        let is_valid = self.clock.wall() < verified.claims.ends;
        let is_vouched = match verified.means {
            Means::Introspection(until) => self.clock.moment() < until,
            Means::Signature(SignedBy { key, generation }) => {
                let keys = self.issuers.get(verified.issuer).and_then(|issuer| issuer.keys.as_ref());
                let current = keys.and_then(|keys| keys.fresh().ok());
                current.is_some_and(|current| current.generation == generation || current.set.holds(&key))
            }
        };
        (is_valid && is_vouched).then_some(verified)
    }

    fn remember(&self, digest: [u8; 32], verified: &Arc<Verified>) {
        if let Some(shard) = self.shard(&digest) {
            shard.lock().unwrap_or_else(PoisonError::into_inner).put(digest, Arc::clone(verified));
        }
    }

    fn shard(&self, digest: &[u8; 32]) -> Option<&Mutex<Recent<[u8; 32], Arc<Verified>>>> {
        let [first, ..] = digest;
        self.remembered.get(usize::from(*first) % SHARDS)
    }

    fn require_certificate(&self, certificate: &PeerCertificate, checks: &mut Checks<'_>) -> Result<(), IdentityError> {
        let what = Revoked::Certificate { thumbprint: &certificate.thumbprint, serial: Some(&certificate.serial) };
        let revoked = self.not_revoked(what, || format!("the certificate {}", certificate.serial));
        checks.tell(Check::Revocation, "the certificate of the connection not to be revoked", &revoked);
        revoked
    }

    /// Asks about everything that an identity rests on.
    fn revoked(&self, identity: &Identity) -> Result<(), IdentityError> {
        let Identity { caller, standing } = identity;
        let Caller { name, origin, .. } = caller;
        self.not_revoked(Revoked::Caller { name }, || format!("the caller `{name}`"))?;
        match &standing.basis {
            Basis::Given => {}
            Basis::Key { id } => self.not_revoked(Revoked::Key { id }, || format!("the API key `{id}`"))?,
            Basis::Certificate { thumbprint, serial } => {
                let what = Revoked::Certificate { thumbprint, serial: Some(serial) };
                self.not_revoked(what, || format!("the certificate {serial}"))?;
            }
            Basis::Token { jti, sign_in, .. } => {
                let origin = origin.as_deref().ok_or(IdentityError::Missing)?;
                let (issuer, subject) = (origin.issuer.as_str(), origin.subject.as_str());
                self.not_revoked(Revoked::Issuer { issuer }, || "the issuer of the token".to_owned())?;
                self.not_revoked(Revoked::Subject { issuer, subject }, || "the subject of the token".to_owned())?;
                if let Some(jti) = jti {
                    self.not_revoked(Revoked::Token { issuer, jti }, || "the token".to_owned())?;
                }
                let what = Revoked::SignIn { issuer, subject, sign_in: sign_in.as_deref(), jti: jti.as_deref() };
                self.not_revoked(what, || "the sign-in that the token comes from".to_owned())?;
            }
        }
        Ok(())
    }

    fn not_revoked(&self, what: Revoked<'_>, name: impl FnOnce() -> String) -> Result<(), IdentityError> {
        if self.revocations.is_revoked(what)? {
            return Err(IdentityError::Revoked { what: name() });
        }
        Ok(())
    }
}

/// The identity with the certificate of its connection, so that both end together.
fn of_connection(identity: Identity, certificate: Option<&PeerCertificate>) -> Identity {
    let Some(certificate) = certificate else { return identity };
    let Identity { caller, standing } = identity;
    let expires = standing.expires.map_or(certificate.not_after, |ends| ends.min(certificate.not_after));
    let standing =
        Standing { certificate: Some(certificate.thumbprint), expires: Some(expires), ..Standing::clone(&standing) };
    Identity { caller, standing: Arc::new(standing) }
}

/// True for what counts against an address. What has merely ended, cannot be known, or needs a nonce does not.
fn is_wrong(error: &IdentityError) -> bool {
    match error {
        IdentityError::Malformed { .. } | IdentityError::UnknownKey | IdentityError::Revoked { .. } => true,
        IdentityError::Rejected { check, .. } => *check != Check::Expiry.as_str(),
        IdentityError::Proof { error, .. } => *error != ChallengeError::UseDpopNonce,
        IdentityError::Missing
        | IdentityError::EndedKey { .. }
        | IdentityError::Throttled { .. }
        | IdentityError::Unavailable { .. } => false,
    }
}

impl Identities for Authenticator {
    fn identify<'a>(&'a self, shown: &'a Shown) -> PortFuture<'a, Result<Identity, IdentityError>> {
        Box::pin(self.recognise(shown))
    }

    fn stands(&self, identity: &Identity) -> Result<(), IdentityError> {
        let Identity { caller, standing } = identity;
        if standing.expires.is_some_and(|ends: Timestamp| ends <= self.clock.wall()) {
            return Err(match &standing.basis {
                Basis::Key { id } => IdentityError::EndedKey { id: id.clone() },
                _ => {
                    IdentityError::Rejected { check: Check::Expiry.as_str(), reason: "it has expired since".to_owned() }
                }
            });
        }
        let is_configured = |issuer: &str| self.issuers.iter().any(|configured| configured.settings.issuer == issuer);
        if caller.origin.as_deref().is_some_and(|origin| !is_configured(&origin.issuer)) {
            let reason = "it is no longer configured".to_owned();
            return Err(IdentityError::Rejected { check: Check::Issuer.as_str(), reason });
        }
        if let Some(thumbprint) = &standing.certificate {
            let what = Revoked::Certificate { thumbprint, serial: None };
            self.not_revoked(what, || "the certificate of the connection".to_owned())?;
        }
        self.revoked(identity)
    }
}
