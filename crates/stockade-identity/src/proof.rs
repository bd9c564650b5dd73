//! Proofs of possession by DPoP (RFC 9449 §4.3), every check of them, each time anew.
//!
//! Must never: remember that a proof was right; take one for another request, token or key; let a stranger fill the register
//! of proofs, which is asked last.

use crate::check::{Check, Checks, Seen, seen};
use crate::claims::{instant, nanoseconds, shown};
use crate::jwk::VerificationKey;
use crate::jws::Jws;
use crate::nonce::Nonces;
use crate::settings::DpopSettings;
use crate::token;
use crate::url;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use stockade_core::identity::{ChallengeError, IdentityError, Shown};
use stockade_core::ports::Timestamp;
use stockade_core::wire::{Digest, Value};

/// Characters of one proof.
const PROOF_BYTES: usize = 8 << 10;
/// Characters of a proof's `jti`.
const ID_CHARACTERS: usize = 128;

/// What proofs are held against besides the request.
#[derive(Debug)]
pub(crate) struct Proofs {
    settings: DpopSettings,
    nonces: Option<Nonces>,
}

/// A proof that is right if it was not seen before.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Use {
    /// Names the proof and its key.
    pub(crate) hash: [u8; 32],
    /// When the proof is too old to be right.
    pub(crate) until: Timestamp,
}

/// The token that a proof goes with.
pub(crate) struct Bound<'a> {
    /// SHA-256 of the token.
    pub(crate) digest: &'a [u8; 32],
    /// The thumbprint of the key that it is bound to.
    pub(crate) key: &'a [u8; 32],
}

impl Proofs {
    pub(crate) fn new(settings: DpopSettings, nonce_key: &[u8; 32]) -> Self {
        let nonces = settings.nonce_life.map(|life| Nonces::new(nonce_key, life));
        Self { settings, nonces }
    }

    pub(crate) const fn settings(&self) -> &DpopSettings {
        &self.settings
    }

    /// Adds a fresh nonce to a refusal where nonces are asked for, so that the next proof can be right.
    pub(crate) fn with_nonce(&self, error: IdentityError, now: Timestamp) -> IdentityError {
        match (error, &self.nonces) {
            (IdentityError::Proof { error, reason, nonce: None }, Some(nonces)) => {
                IdentityError::Proof { error, reason, nonce: Some(nonces.fresh(now)) }
            }
            (error, _) => error,
        }
    }

    /// Makes all checks of RFC 9449 §4.3 but the last, that the proof was not seen before.
    pub(crate) fn check(
        &self,
        shown: &Shown,
        bound: &Bound<'_>,
        now: Timestamp,
        checks: &mut Checks<'_>,
    ) -> Result<Use, IdentityError> {
        let mut checks = ProofChecks { checks, error: ChallengeError::InvalidDpopProof };
        let count = shown.proofs.len();
        checks.require(count == 1, || seen("exactly one `DPoP` header", format!("{count}")))?;
        let text = shown.proofs.first().map(String::as_str).unwrap_or_default();
        let read = Jws::read_within(text, PROOF_BYTES);
        let reason = read.as_ref().err().map(ToString::to_string);
        checks.require(read.is_ok(), || seen("a compact JWS", reason.clone().unwrap_or_else(|| "one".to_owned())))?;
        let jws = read.map_err(|error| checks.refusal(error.to_string()))?;
        let key = self.signed_by(&jws, &mut checks)?;
        let thumbprint = key.thumbprint();
        checks.require(thumbprint == bound.key, || {
            let names = |thumbprint: &[u8; 32]| URL_SAFE_NO_PAD.encode(thumbprint);
            seen(
                format!("the key that the token is bound to, `{}`", names(bound.key)),
                format!("`{}`", names(thumbprint)),
            )
        })?;
        same_request(&jws, shown, &mut checks)?;
        let hash = text_of(&jws, "ath");
        let expected = URL_SAFE_NO_PAD.encode(bound.digest);
        checks.require(hash.as_deref() == Some(expected.as_str()), || {
            seen(format!("`ath` to be the token's digest, `{expected}`"), self::shown(jws.claims().get("ath")))
        })?;
        let until = self.time(&jws, now, &mut checks)?;
        let id = text_of(&jws, "jti").filter(|id| !id.is_empty() && id.chars().count() <= ID_CHARACTERS);
        checks.require(id.is_some(), || {
            seen(format!("`jti`, a text of at most {ID_CHARACTERS} characters"), self::shown(jws.claims().get("jti")))
        })?;
        // Of the key as well: nobody can use up the ids of others.
        let named = [b"dpop\0".as_slice(), thumbprint, id.unwrap_or_default().as_bytes()].concat();
        Ok(Use { hash: *Digest::of(&named).as_bytes(), until })
    }

    /// The key in the proof's own header, with which it is signed.
    fn signed_by(&self, jws: &Jws<'_>, checks: &mut ProofChecks<'_, '_>) -> Result<VerificationKey, IdentityError> {
        let header = jws.header();
        let kind = header.get("typ");
        let is_proof = kind.and_then(Value::as_str).is_some_and(|text| {
            let text = text.to_ascii_lowercase();
            text.strip_prefix("application/").unwrap_or(&text) == "dpop+jwt"
        });
        checks.require(is_proof, || seen("`typ` to be `dpop+jwt`", self::shown(kind)))?;
        let critical = header.get("crit");
        checks.require(critical.is_none(), || seen("no `crit`", self::shown(critical)))?;
        let algorithm = token::algorithm(header, &self.settings.algorithms, checks.checks);
        let algorithm = algorithm.map_err(|error| checks.refusal(error.to_string()))?;
        let Some(jwk) = header.get("jwk") else {
            checks.require(false, || seen("`jwk`, a public key", "nothing"))?;
            return Err(checks.refusal("no `jwk`".to_owned()));
        };
        let key = VerificationKey::read(jwk);
        // Whatever a private key was in is told to nobody.
        let reason = key.as_ref().err().map(ToString::to_string);
        checks
            .require(key.is_ok(), || seen("`jwk`, a public key", reason.clone().unwrap_or_else(|| "one".to_owned())))?;
        let key = key.map_err(|error| checks.refusal(error.to_string()))?;
        checks.require(key.fits(algorithm), || {
            seen(format!("a key for {}", algorithm.as_str()), "one of another type")
        })?;
        let is_right = key.verifies(algorithm, jws.signed(), jws.signature());
        checks.require(is_right, || seen("the signature of that key", if is_right { "it" } else { "another" }))?;
        Ok(key)
    }

    /// That the proof was made just now: by its nonce where we ask for one, otherwise by its own word (RFC 9449 §4.3 no. 11).
    fn time(
        &self,
        jws: &Jws<'_>,
        now: Timestamp,
        checks: &mut ProofChecks<'_, '_>,
    ) -> Result<Timestamp, IdentityError> {
        let found = jws.claims().get("iat");
        let made = found.and_then(instant);
        checks.require(made.is_some(), || seen("`iat`, a number", self::shown(found)))?;
        if let Some(nonces) = &self.nonces {
            let nonce = text_of(jws, "nonce");
            let until = nonce.as_deref().and_then(|nonce| nonces.good_until(nonce, now));
            let error = std::mem::replace(&mut checks.error, ChallengeError::UseDpopNonce);
            checks.require(until.is_some(), || {
                seen("`nonce`, one of ours that is still good", if nonce.is_some() { "another" } else { "nothing" })
            })?;
            checks.error = error;
            return until.ok_or_else(|| checks.refusal("no nonce".to_owned()));
        }
        let window = nanoseconds(self.settings.window);
        let made = made.unwrap_or(Timestamp(i64::MAX)).0;
        let is_now = made.saturating_sub(now.0).saturating_abs() <= window;
        checks.require(is_now, || {
            let seconds = self.settings.window.as_secs();
            seen(format!("`iat` within {seconds} s of {}", now.0 / 1_000_000_000), self::shown(found))
        })?;
        // One nanosecond more, because at the end of the window it is still right.
        Ok(Timestamp(made.saturating_add(window).saturating_add(1)))
    }
}

/// That the proof is for this very request.
fn same_request(jws: &Jws<'_>, shown: &Shown, checks: &mut ProofChecks<'_, '_>) -> Result<(), IdentityError> {
    let method = text_of(jws, "htm");
    let is_same = !shown.http_method.is_empty() && method.as_deref() == Some(shown.http_method);
    checks.require(is_same, || {
        seen(format!("`htm` to be `{}`", shown.http_method), self::shown(jws.claims().get("htm")))
    })?;
    let expected = url::normal(&shown.url);
    let found = text_of(jws, "htu").and_then(|text| url::normal(&text));
    checks.require(expected.is_some() && found == expected, || {
        seen(format!("`htu` to be `{}`", expected.clone().unwrap_or_default()), self::shown(jws.claims().get("htu")))
    })
}

fn text_of(jws: &Jws<'_>, claim: &str) -> Option<String> {
    jws.claims().get(claim)?.as_str().map(std::borrow::Cow::into_owned)
}

/// Checks of a proof, which all refuse with the same code but one.
struct ProofChecks<'c, 't> {
    checks: &'c mut Checks<'t>,
    error: ChallengeError,
}

impl ProofChecks<'_, '_> {
    fn require(&mut self, passed: bool, seen: impl FnOnce() -> Seen) -> Result<(), IdentityError> {
        self.checks.require_proof(self.error, Check::Proof, passed, seen)
    }

    fn refusal(&self, reason: String) -> IdentityError {
        IdentityError::Proof { error: self.error, reason, nonce: None }
    }
}
