//! The client certificates of open connections, and whether each of them still stands.

use super::ServerTls;
use rustls::pki_types::CertificateDer;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use stockade_core::identity::PeerCertificate;
use stockade_core::ports::Timestamp;
use tokio::sync::watch;
use tracing::info;

/// What a client has shown: its certificate and those that lead up to an authority.
pub(super) type Chain = Arc<[CertificateDer<'static>]>;

/// A client certificate that at least one open connection came with.
struct Open {
    chain: Chain,
    not_after: Timestamp,
    connections: usize,
    has_standing: bool,
}

/// All of them: never more than there are connections.
pub(super) struct OpenCertificates {
    entries: Mutex<HashMap<[u8; 32], Open>>,
    /// Grows when one loses its standing.
    lost: watch::Sender<u64>,
}

impl OpenCertificates {
    pub(super) fn new() -> Self {
        Self { entries: Mutex::default(), lost: watch::Sender::new(0) }
    }

    /// Takes note of one more connection.
    fn enter(&self, certificate: &PeerCertificate, chain: Chain) {
        let mut entries = self.entries();
        let entry = entries.entry(certificate.thumbprint).or_insert_with(|| Open {
            chain,
            not_after: certificate.not_after,
            connections: 0,
            has_standing: true,
        });
        entry.connections = entry.connections.saturating_add(1);
    }

    fn leave(&self, certificate: &PeerCertificate) {
        let mut entries = self.entries();
        let Some(entry) = entries.get_mut(&certificate.thumbprint) else { return };
        entry.connections = entry.connections.saturating_sub(1);
        if entry.connections == 0 {
            entries.remove(&certificate.thumbprint);
        }
    }

    /// Whether a certificate is one of them and still stands.
    pub(super) fn has_standing(&self, certificate: &PeerCertificate) -> bool {
        self.entries().get(&certificate.thumbprint).is_some_and(|open| open.has_standing)
    }

    /// Judges each that still stands, by its chain and the end of its validity; those that do not any more lose their
    /// connections. Judging is done outside of the lock, which handshakes need: who enters meanwhile is judged by them.
    pub(super) fn judge(&self, has_standing: impl Fn(&[CertificateDer<'static>], Timestamp) -> bool) {
        let standing: Vec<_> = {
            let entries = self.entries();
            let standing = entries.iter().filter(|(_, open)| open.has_standing);
            standing.map(|(thumbprint, open)| (*thumbprint, Arc::clone(&open.chain), open.not_after)).collect()
        };
        let fallen: Vec<_> = standing.into_iter().filter(|(_, chain, end)| !has_standing(chain, *end)).collect();
        if fallen.is_empty() {
            return;
        }
        let mut connections = 0_usize;
        let mut entries = self.entries();
        for (thumbprint, ..) in fallen {
            if let Some(open) = entries.get_mut(&thumbprint) {
                open.has_standing = false;
                connections = connections.saturating_add(open.connections);
            }
        }
        drop(entries);
        info!(connections, "client certificates are not believed any more; their connections end");
        self.lost.send_modify(|count| *count = count.wrapping_add(1));
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.entries().is_empty()
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<[u8; 32], Open>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The certificate of an open connection; the connection is over when this goes.
pub(crate) struct OpenCertificate {
    tls: Arc<ServerTls>,
    certificate: Arc<PeerCertificate>,
}

impl OpenCertificate {
    pub(super) fn enter(tls: &Arc<ServerTls>, certificate: Arc<PeerCertificate>, chain: Chain) -> Self {
        tls.open_certificates.enter(&certificate, chain);
        Self { tls: Arc::clone(tls), certificate }
    }

    pub(crate) fn certificate(&self) -> &Arc<PeerCertificate> {
        &self.certificate
    }

    /// Resolves once the certificate has lost its standing.
    pub(crate) async fn lost(&self) {
        let mut lost = self.tls.open_certificates.lost.subscribe();
        while !self.tls.is_revoked(&self.certificate) {
            if lost.changed().await.is_err() {
                return;
            }
        }
    }
}

impl Drop for OpenCertificate {
    fn drop(&mut self) {
        self.tls.open_certificates.leave(&self.certificate);
    }
}
