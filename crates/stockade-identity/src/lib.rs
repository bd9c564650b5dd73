//! Whom a credential proves: the only crate that turns what was shown into a caller.
//!
//! For: access tokens (RFC 9068, RFC 7662), proofs of possession (RFC 9449, RFC 8705), client certificates, and API keys by
//! way of the [`KeyBook`]; behind the port [`Identities`](stockade_core::ports::Identities).
//! Must never: open a socket or a file, read a clock of its own, keep a token, or let anything but an explicit positive
//! answer grant. What it needs from the world it asks for through [`ports`](crate::Fetch).
//! On the road: guard 2, `identify`, and whatever asks later whether a caller still stands.

mod settings;
mod ports;
mod check;
mod algorithm;
mod jws;
mod jwk;
mod key_set;
mod discovery;
mod key_source;
mod quirks;
mod claims;
mod scope;
mod name;
mod token;
mod introspection;
mod url;
mod nonce;
mod proof;
mod certificate;
mod recent;
mod throttle;
mod authenticator;

pub use algorithm::Algorithm;
pub use authenticator::{Authenticator, Explanation, Parts};
pub use check::{Check, Step};
pub use claims::CallerClaim;
pub use jwk::{KeyError, VerificationKey};
pub use ports::{Fetch, FetchError, Fetched, Form, KeyBook, ReplayRegister, Revocations, Revoked};
pub use quirks::Preset;
pub use settings::{
    DpopMode, DpopSettings, IntrospectionSettings, IssuerName, IssuerSettings, KeyLocation, Settings, SettingsError,
    ThrottleSettings,
};

/// For the fuzz harness alone: what is read as a token is written back as the very text it was read from.
#[doc(hidden)]
#[must_use]
pub fn reread_token_for_fuzz(text: &str) -> Option<bool> {
    jws::reread(text)
}

/// For the fuzz harness alone: a URL that was made normal once is normal.
#[doc(hidden)]
#[must_use]
pub fn normal_url_for_fuzz(text: &str) -> Option<String> {
    url::normal(text)
}

/// For the fuzz harness alone: a key set is read or refused, and what is read fits at most what it says.
#[doc(hidden)]
#[must_use]
pub fn read_key_set_for_fuzz(body: &[u8]) -> Option<usize> {
    key_set::KeySet::read(bytes::Bytes::copy_from_slice(body)).ok().map(|set| set.keys().len())
}
