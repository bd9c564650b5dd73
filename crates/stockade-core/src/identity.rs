//! The words of identity: what a message shows, whom it proves, and what a caller who proves nobody is told.
//!
//! For: the guard `identify`, the doors that fill in what was shown, and those who check it behind
//! [`Identities`](crate::ports::Identities).
//! Must never: keep a token or a proof once it was judged; let anything of them reach a caller or a record.

use crate::ports::Timestamp;
use crate::words::{Caller, Secret};
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// What the caller showed to prove who they are.
#[derive(Debug)]
pub enum Credential {
    /// Nothing.
    Nothing,
    /// `Authorization: Bearer …` (RFC 6750 §2.1): an API key or an access token.
    Bearer(Secret),
    /// `Authorization: DPoP …` (RFC 9449 §7.1).
    Dpop(Secret),
    /// Something that is no credential: two of them, another scheme, no token. Never the same as nothing.
    Malformed(&'static str),
    /// The operating system vouches: the process that started us over stdio.
    LocalUser(Caller),
}

/// A name in a certificate's subject alternative names (RFC 5280 §4.2.1.6). The common name is never one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CertificateName {
    /// A SPIFFE id, `spiffe://trust.domain/path`.
    Spiffe(String),
    /// A DNS name, lower-case.
    Dns(String),
    /// A mail address.
    Mail(String),
}

/// The certificate of a client whose chain and possession of the key TLS has verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerCertificate {
    /// SHA-256 of the DER encoding (`x5t#S256`, RFC 8705 §3.1).
    pub thumbprint: [u8; 32],
    /// The serial number, lower-case hexadecimal.
    pub serial: String,
    /// Whom it names.
    pub names: Vec<CertificateName>,
    /// The end of its validity.
    pub not_after: Timestamp,
}

/// What a door saw of the sender of one request.
#[derive(Debug)]
pub struct Shown {
    /// The credential.
    pub credential: Credential,
    /// The values of `DPoP` headers, as sent. More than one is a refusal (RFC 9449 §4.3).
    pub proofs: Vec<String>,
    /// The HTTP method, for `htm`; empty on stdio.
    pub http_method: &'static str,
    /// The URL as clients know it, without query and fragment, for `htu`; empty on stdio.
    pub url: String,
    /// The sender's address; nothing on stdio.
    pub address: Option<IpAddr>,
    /// The client certificate of the connection.
    pub certificate: Option<Arc<PeerCertificate>>,
}

impl Shown {
    /// Nothing but a credential, as on stdio.
    #[must_use]
    pub const fn only(credential: Credential) -> Self {
        Self { credential, proofs: Vec::new(), http_method: "", url: String::new(), address: None, certificate: None }
    }
}

/// What proved the caller, by names that can be revoked; none of them is a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Basis {
    /// The operating system, or a configuration that names the anonymous caller.
    Given,
    /// An API key, by its public id.
    Key {
        /// The id.
        id: String,
    },
    /// An access token.
    Token {
        /// `jti`, where there is one.
        jti: Option<String>,
        /// `sid`, where there is one: the sign-in that the token comes from.
        sign_in: Option<String>,
        /// SHA-256 of the token.
        digest: [u8; 32],
        /// When it was issued.
        issued: Option<Timestamp>,
    },
    /// A client certificate.
    Certificate {
        /// SHA-256 of its DER encoding.
        thumbprint: [u8; 32],
        /// Its serial number, lower-case hexadecimal.
        serial: String,
    },
}

/// What holds of a caller besides who they are: it may change with the next credential, and it ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The scopes that were granted, with all that they imply; nothing where scopes do not limit this caller.
    pub scopes: Option<BTreeSet<String>>,
    /// The groups and roles that the issuer names.
    pub groups: Vec<String>,
    /// When what was shown ends.
    pub expires: Option<Timestamp>,
    /// What proved the caller.
    pub basis: Basis,
    /// The certificate that the connection or the token is bound to (RFC 8705), by thumbprint.
    pub certificate: Option<[u8; 32]>,
}

impl Standing {
    /// The standing of whom the operating system or the configuration vouches for: nothing ends, nothing is limited.
    #[must_use]
    pub const fn given() -> Self {
        Self { scopes: None, groups: Vec::new(), expires: None, basis: Basis::Given, certificate: None }
    }

    /// True if the scopes allow an operation that needs all of `needed`.
    #[must_use]
    pub fn covers(&self, needed: &[String]) -> bool {
        self.scopes.as_ref().is_none_or(|granted| needed.iter().all(|scope| granted.contains(scope)))
    }
}

/// A caller with the standing of this one message.
#[derive(Debug, Clone)]
pub struct Identity {
    /// Who it is.
    pub caller: Caller,
    /// What holds of them now.
    pub standing: Arc<Standing>,
}

/// The error codes of challenges (RFC 6750 §3.1, RFC 9449 §7.1 and §9).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChallengeError {
    /// The request is malformed.
    InvalidRequest,
    /// The token is expired, revoked, meant for others, or not what it says.
    InvalidToken,
    /// The token lacks scopes that the operation needs.
    InsufficientScope,
    /// The proof of possession is wrong.
    InvalidDpopProof,
    /// The proof needs a nonce of ours, or a newer one.
    UseDpopNonce,
}

impl ChallengeError {
    /// The code on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::InvalidToken => "invalid_token",
            Self::InsufficientScope => "insufficient_scope",
            Self::InvalidDpopProof => "invalid_dpop_proof",
            Self::UseDpopNonce => "use_dpop_nonce",
        }
    }
}

/// What a refused caller is asked for in `WWW-Authenticate`. It never says which check failed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Challenge {
    /// The code; nothing when no credential was shown (RFC 6750 §3.1).
    pub error: Option<ChallengeError>,
    /// The scopes that would be enough; empty for the gateway's own minimal set.
    pub scopes: Vec<String>,
    /// True if the caller used DPoP, or must.
    pub dpop: bool,
    /// A fresh nonce for the next proof (RFC 9449 §9).
    pub nonce: Option<String>,
}

/// Nobody could be recognised. The caller learns no more than the kind of it; the operator gets the reason.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// Nothing was shown that proves anybody.
    #[error("the request carries no credential")]
    Missing,
    /// What was shown is no credential at all.
    #[error("the credential is malformed: {reason}")]
    Malformed {
        /// What is wrong with it, in words of ours.
        reason: String,
    },
    /// No key of this id and digest.
    #[error("no API key matches")]
    UnknownKey,
    /// The key was revoked, has expired, or is too old.
    #[error("the API key `{id}` is no longer valid")]
    EndedKey {
        /// The public part of the key.
        id: String,
    },
    /// The token or certificate proves nobody here.
    #[error("{check}: {reason}")]
    Rejected {
        /// Which check refused: `audience`, `signature`, `expiry` …
        check: &'static str,
        /// What was expected and what was there; texts of peers escaped, secrets never.
        reason: String,
    },
    /// The DPoP proof is missing, wrong, or needs a nonce.
    #[error("proof of possession: {reason}")]
    Proof {
        /// [`ChallengeError::InvalidDpopProof`] or [`ChallengeError::UseDpopNonce`].
        error: ChallengeError,
        /// Why.
        reason: String,
        /// The nonce to use next.
        nonce: Option<String>,
    },
    /// What was shown has been revoked.
    #[error("revoked: {what}")]
    Revoked {
        /// What was revoked, by its public name.
        what: String,
    },
    /// Too many wrong credentials from this address.
    #[error("too many wrong credentials from this address")]
    Throttled {
        /// When the next one is looked at.
        retry_after: Duration,
    },
    /// It cannot be known now: the store, the key set or the introspection endpoint does not answer.
    #[error("it cannot be checked who calls: {reason}")]
    Unavailable {
        /// What failed, without paths.
        reason: String,
    },
}
