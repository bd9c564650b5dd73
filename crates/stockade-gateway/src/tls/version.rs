//! The versions of TLS that are spoken.

use rustls::SupportedProtocolVersion;
use rustls::version::{TLS12, TLS13};

static FROM_1_2: &[&SupportedProtocolVersion] = &[&TLS13, &TLS12];
static ONLY_1_3: &[&SupportedProtocolVersion] = &[&TLS13];

/// A version of TLS. Older ones do not exist here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsVersion {
    /// TLS 1.2 (RFC 5246), with forward secrecy, AEAD and the extended master secret only.
    V1_2,
    /// TLS 1.3 (RFC 8446).
    V1_3,
}

impl TlsVersion {
    /// This version and the newer ones.
    pub(super) fn and_newer(self) -> &'static [&'static SupportedProtocolVersion] {
        match self {
            Self::V1_2 => FROM_1_2,
            Self::V1_3 => ONLY_1_3,
        }
    }
}
