//! The checks by name, and what each of them saw.
//!
//! For: one way for every check to pass or to refuse, so that `explain` tells what really happens and not what should.
//! Must never: hold a secret; say to a caller which check it was.

use stockade_core::identity::{ChallengeError, IdentityError};
use stockade_core::words::Untrusted;

/// Steps of one explanation at most; a sign-in has far fewer.
const STEPS_LIMIT: usize = 128;

/// A check, in about the order in which they are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Check {
    /// How the credential was shown fits what it is.
    Scheme,
    /// Somebody holds the API key.
    ApiKey,
    /// The certificate names somebody who is listed, and is still valid.
    Certificate,
    /// The token is a compact JWS of strict JSON objects (RFC 7515 §3.1), or an opaque text.
    Form,
    /// The issuer is one of those that are configured, exactly.
    Issuer,
    /// The algorithm is allowed for this issuer.
    Algorithm,
    /// It is an access token (RFC 9068 §2.1) and nothing else.
    Type,
    /// No extension must be understood (`crit`, RFC 7515 §4.1.11).
    Critical,
    /// Exactly one key of the issuer fits.
    Key,
    /// The signature is right.
    Signature,
    /// The issuer's introspection endpoint says that the token is active (RFC 7662 §2.2).
    Introspection,
    /// The token is meant for this gateway (RFC 9068 §4).
    Audience,
    /// It has not expired.
    Expiry,
    /// It is valid already.
    NotBefore,
    /// It was not issued in the future.
    Issued,
    /// It does not live longer than allowed.
    Lifetime,
    /// Its own id, where it has one, is a text (`jti`): it can be revoked by it.
    TokenId,
    /// It says of whom it speaks.
    Subject,
    /// It says to which client it was issued, where that must be known.
    Client,
    /// It was made for this environment.
    Environment,
    /// Its scopes are scopes (RFC 6749 §3.3).
    Scopes,
    /// Its groups are a list of texts.
    Groups,
    /// A name for the caller can be made of it.
    Caller,
    /// It is shown by whom it is bound to (RFC 8705, RFC 9449).
    Binding,
    /// The proof of possession is right (RFC 9449 §4.3).
    Proof,
    /// The proof was not seen before.
    Replay,
    /// Nothing of it was revoked.
    Revocation,
}

impl Check {
    /// The word for records and explanations.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Scheme => "scheme",
            Self::ApiKey => "api key",
            Self::Certificate => "certificate",
            Self::Form => "form",
            Self::Issuer => "issuer",
            Self::Algorithm => "algorithm",
            Self::Type => "type",
            Self::Critical => "critical",
            Self::Key => "key",
            Self::Signature => "signature",
            Self::Introspection => "introspection",
            Self::Audience => "audience",
            Self::Expiry => "expiry",
            Self::NotBefore => "not before",
            Self::Issued => "issued",
            Self::Lifetime => "lifetime",
            Self::TokenId => "token id",
            Self::Subject => "subject",
            Self::Client => "client",
            Self::Environment => "environment",
            Self::Scopes => "scopes",
            Self::Groups => "groups",
            Self::Caller => "caller",
            Self::Binding => "binding",
            Self::Proof => "proof",
            Self::Replay => "replay",
            Self::Revocation => "revocation",
        }
    }
}

/// One check that was made. Nothing in it is a secret; texts of peers are escaped and cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Which.
    pub check: Check,
    /// What was expected.
    pub expected: String,
    /// What was there.
    pub found: String,
    /// Whether that is right.
    pub passed: bool,
}

/// What a check expected and what it found, made only when somebody wants to read it.
#[derive(Debug)]
pub(crate) struct Seen {
    expected: String,
    found: String,
}

/// `expected` in our words, `found` in words that may be a peer's: it is escaped and cut.
pub(crate) fn seen(expected: impl Into<String>, found: impl Into<String>) -> Seen {
    Seen { expected: expected.into(), found: Untrusted::new(found.into()).for_log() }
}

/// Takes the checks of one sign-in; writes them down where an explanation was asked for.
#[derive(Debug)]
pub(crate) struct Checks<'t> {
    steps: Option<&'t mut Vec<Step>>,
}

impl<'t> Checks<'t> {
    /// Nobody reads them.
    pub(crate) const fn silent() -> Self {
        Self { steps: None }
    }

    /// They are read; nothing that is remembered may take their place.
    pub(crate) const fn told(steps: &'t mut Vec<Step>) -> Self {
        Self { steps: Some(steps) }
    }

    /// True if an explanation was asked for.
    pub(crate) const fn are_told(&self) -> bool {
        self.steps.is_some()
    }

    /// Goes on if `passed`.
    pub(crate) fn require(
        &mut self,
        check: Check,
        passed: bool,
        seen: impl FnOnce() -> Seen,
    ) -> Result<(), IdentityError> {
        match self.note(check, passed, seen) {
            None => Ok(()),
            Some(reason) => Err(IdentityError::Rejected { check: check.as_str(), reason }),
        }
    }

    /// The same for proofs of possession, whose refusals have codes of their own (RFC 9449 §7.1).
    pub(crate) fn require_proof(
        &mut self,
        error: ChallengeError,
        check: Check,
        passed: bool,
        seen: impl FnOnce() -> Seen,
    ) -> Result<(), IdentityError> {
        match self.note(check, passed, seen) {
            None => Ok(()),
            Some(reason) => {
                let reason = format!("{}: {reason}", check.as_str());
                Err(IdentityError::Proof { error, reason, nonce: None })
            }
        }
    }

    /// Writes a check down that was made elsewhere.
    pub(crate) fn tell<T>(&mut self, check: Check, expected: &str, outcome: &Result<T, IdentityError>) {
        if self.are_told() {
            let found = outcome.as_ref().err().map_or_else(|| "so it is".to_owned(), ToString::to_string);
            // Reasons are escaped where they are made.
            let _reason = self.note(check, outcome.is_ok(), || Seen { expected: expected.to_owned(), found });
        }
    }

    /// The reason, if it did not pass.
    fn note(&mut self, check: Check, passed: bool, seen: impl FnOnce() -> Seen) -> Option<String> {
        if passed && self.steps.is_none() {
            return None;
        }
        let Seen { expected, found } = seen();
        let reason = (!passed).then(|| format!("{expected} was expected, {found} was there"));
        if let Some(steps) = self.steps.as_deref_mut().filter(|steps| steps.len() < STEPS_LIMIT) {
            steps.push(Step { check, expected, found, passed });
        }
        reason
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_what_was_expected_and_what_was_there() {
        let mut checks = Checks::silent();
        assert_eq!(checks.require(Check::Issuer, true, || panic!("nobody reads it")), Ok(()));
        let refused = checks.require(Check::Issuer, false, || seen("`a`", "b\u{1b}[2J"));
        let Err(IdentityError::Rejected { check: "issuer", reason }) = refused else { panic!("{refused:?}") };
        assert!(reason.starts_with("`a` was expected, b") && !reason.contains('\u{1b}'), "{reason}");
    }

    #[test]
    fn an_explanation_holds_what_passed_too_and_ends_somewhere() {
        let mut steps = Vec::new();
        let mut checks = Checks::told(&mut steps);
        for _ in 0..2 * STEPS_LIMIT {
            assert_eq!(checks.require(Check::Form, true, || seen("x", "x")), Ok(()));
        }
        assert_eq!(steps.len(), STEPS_LIMIT);
    }
}
