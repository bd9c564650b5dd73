//! TLS on both sides: at the door, with or without client certificates, and to upstreams.
//!
//! For: transport that nobody on the way reads or changes, and certificates as values that rules can name.
//! Must never: speak a version, or believe a certificate, that the operator has not chosen; show a byte of a key.
//! On the road: before the framing at the door, below `forward` behind it.

mod certificate;
mod client_verifier;
mod files;
mod pin;
mod server;
mod trouble;
mod upstream;
mod version;

pub use certificate::{
    CertificateFacts, NAME_BYTES, NAMES_LIMIT, RevocationFacts, certificates_in, names_for_fuzz, revocation_lists_in,
};
pub use files::{FILE_BYTES, TlsFileError};
pub use pin::{KeyPin, KeyPinError};
pub(crate) use server::OpenCertificate;
pub use server::{ClientCertificates, ClientTrust, Reloaded, ServerTls, ServerTlsError, ServerTlsSettings};
pub(crate) use trouble::Trouble;
pub use upstream::{ClientIdentity, UpstreamTls, UpstreamTlsError};
pub use version::TlsVersion;
