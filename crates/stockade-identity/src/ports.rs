//! What this crate asks of the world besides time. The binary plugs the real things in; tests plug in others.
//!
//! Must never: name a socket, a file or a database.

use bytes::Bytes;
use std::time::Duration;
use stockade_core::identity::{Identity, IdentityError};
use stockade_core::ports::{PortFuture, Timestamp};
use stockade_core::words::{CallerName, Secret};

/// What an authorization server answered.
#[derive(Debug, Clone)]
pub struct Fetched {
    /// The HTTP status.
    pub status: u16,
    /// `Content-Type`, as sent.
    pub content_type: Option<String>,
    /// The whole body, within the limit that was asked for.
    pub body: Bytes,
    /// For how long the answer says it may be kept (`Cache-Control: max-age`, RFC 9111 §5.2.2.1).
    pub max_age: Option<Duration>,
}

/// Why nothing was fetched. The texts are for operators.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// The address may not be asked: not https, not public, a redirect that is not followed.
    #[error("refused: {reason}")]
    Refused {
        /// Why.
        reason: String,
    },
    /// No connection, or it broke.
    #[error("not reachable: {reason}")]
    Unreachable {
        /// Why.
        reason: String,
    },
    /// The whole answer did not come in time.
    #[error("no whole answer within {} s", limit.as_secs())]
    TimedOut {
        /// How long it could take.
        limit: Duration,
    },
    /// The answer is larger than was asked for.
    #[error("the answer is larger than {limit} bytes")]
    TooLarge {
        /// How many bytes there could be.
        limit: usize,
    },
}

/// A form that is posted (`application/x-www-form-urlencoded`). It holds secrets, so it is one.
#[derive(Debug)]
pub struct Form {
    /// The value of `Authorization`.
    pub authorization: Secret,
    /// The body.
    pub body: Secret,
}

/// Asks authorization servers. The gateway's guarded fetcher is the real one: https, pinned public addresses, bounded.
pub trait Fetch: Send + Sync {
    /// Gets a document of at most `body_bytes`. Redirects may be followed within the guard's rules.
    fn get<'a>(&'a self, url: &'a str, body_bytes: usize) -> PortFuture<'a, Result<Fetched, FetchError>>;
    /// Posts a form and takes an answer of at most `body_bytes`. Redirects are never followed.
    fn post_form<'a>(
        &'a self,
        url: &'a str,
        form: Form,
        body_bytes: usize,
    ) -> PortFuture<'a, Result<Fetched, FetchError>>;
}

/// The API keys: whose this one is. Answered from memory.
pub trait KeyBook: Send + Sync {
    /// Finds the holder.
    ///
    /// # Errors
    /// [`IdentityError::UnknownKey`] whether the id or the secret is wrong, [`IdentityError::EndedKey`], or
    /// [`IdentityError::Unavailable`].
    fn holder(&self, key: &Secret) -> Result<Identity, IdentityError>;
}

/// Something that can be revoked, by its public name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Revoked<'a> {
    /// An API key. Also revoked when the key has expired or is gone.
    Key {
        /// The public part of the key.
        id: &'a str,
    },
    /// One access token.
    Token {
        /// Who issued it.
        issuer: &'a str,
        /// Its `jti`.
        jti: &'a str,
    },
    /// The sign-in that a token comes from. Asked for every token, also where the token does not name it.
    SignIn {
        /// Who issued the token.
        issuer: &'a str,
        /// `sub`.
        subject: &'a str,
        /// `sid`.
        sign_in: Option<&'a str>,
        /// `jti`.
        jti: Option<&'a str>,
    },
    /// Everything that an issuer says of one subject.
    Subject {
        /// Who says it.
        issuer: &'a str,
        /// `sub`.
        subject: &'a str,
    },
    /// Everything that an issuer says.
    Issuer {
        /// `iss`.
        issuer: &'a str,
    },
    /// A client certificate.
    Certificate {
        /// SHA-256 of its DER encoding.
        thumbprint: &'a [u8; 32],
        /// Its serial number, lower-case hexadecimal; nothing where only the thumbprint is known.
        serial: Option<&'a str>,
    },
    /// A caller, whatever proves them.
    Caller {
        /// The name that rules use.
        name: &'a CallerName,
    },
}

/// What has been revoked. Answered from memory that is at most a second old.
pub trait Revocations: Send + Sync {
    /// Says whether `what` is revoked now.
    ///
    /// # Errors
    /// When it cannot be known, which is a deny.
    fn is_revoked(&self, what: Revoked<'_>) -> Result<bool, IdentityError>;
}

/// The proofs that were seen (RFC 9449 §11.1). It outlives the process.
pub trait ReplayRegister: Send + Sync {
    /// Notes a proof and says whether this is the first time. `jti_hash` names the proof and its key; after `until` it may be
    /// forgotten, because the proof is too old by then.
    ///
    /// # Errors
    /// When it cannot be known or noted, also because the register is full. An error is a deny.
    fn first_use(&self, jti_hash: [u8; 32], until: Timestamp) -> Result<bool, IdentityError>;
}
