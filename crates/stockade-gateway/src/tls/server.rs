//! TLS at the door: the handshake, who came with which certificate, and replacing all of it while it runs.
//!
//! For: turning an admitted connection into one that nobody on the way can read, and its client certificate into a value.
//! Must never: go on with less than was configured; drop what works because what replaces it does not; let a connection
//! live on whose certificate has lost its standing.
//! On the road: before the framing, so before `read`.

mod build;
mod open;

pub use build::ServerTlsError;
pub(crate) use open::OpenCertificate;

use super::certificate::peer_certificate;
use super::client_verifier::ClientVerifier;
use super::trouble::Trouble;
use super::version::TlsVersion;
use crate::causes::describe;
use arc_swap::ArcSwap;
use build::Generation;
use open::{Chain, OpenCertificates};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::ClientCertVerifier;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use stockade_core::identity::PeerCertificate;
use stockade_core::ports::{Clock, Timestamp};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// How long a handshake may take, waiting for its turn included.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);
/// Handshakes at once; more wait within their time. Each holds some 100 KiB and costs about 0.3 ms of processor time.
const HANDSHAKES_LIMIT: usize = 128;
/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// At every how many looks the certificates of open connections are verified anew although no file has changed.
const JUDGE_AT: u32 = 60;

/// What the operator has configured.
#[derive(Debug, Clone)]
pub struct ServerTlsSettings {
    /// The certificate chain, leaf first, as PEM.
    pub certificate: PathBuf,
    /// Its private key as PEM, for its owner only.
    pub key: PathBuf,
    /// The oldest version that is spoken.
    pub minimum: TlsVersion,
    /// Whether clients show certificates.
    pub clients: ClientCertificates,
}

/// Whether clients show certificates.
#[derive(Debug, Clone)]
pub enum ClientCertificates {
    /// They are not asked.
    Off,
    /// They are asked and may have none; a wrong one ends the handshake.
    Optional(ClientTrust),
    /// No connection without one.
    Required(ClientTrust),
}

/// Which client certificates are believed.
#[derive(Debug, Clone)]
pub struct ClientTrust {
    /// Files of authorities, as PEM. None: nobody is believed.
    pub authorities: Vec<PathBuf>,
    /// Files of revocation lists, as PEM. With any, a certificate that none of them covers is refused.
    pub revocation_lists: Vec<PathBuf>,
}

impl ClientCertificates {
    fn trust(&self) -> Option<&ClientTrust> {
        match self {
            Self::Off => None,
            Self::Optional(trust) | Self::Required(trust) => Some(trust),
        }
    }
}

/// What a look at the files has led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reloaded {
    /// They are the same as before.
    Unchanged,
    /// New handshakes use what they hold now.
    Replaced,
}

/// TLS for a listener.
pub struct ServerTls {
    settings: ServerTlsSettings,
    clock: Arc<dyn Clock>,
    current: ArcSwap<Generation>,
    handshakes: Semaphore,
    open_certificates: OpenCertificates,
}

/// Why there is no connection. For operators; the peer gets an alert of TLS.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HandshakeError {
    #[error("the handshake took longer than {} s", HANDSHAKE_LIMIT.as_secs())]
    TooSlow,
    #[error("the handshake failed")]
    Failed(#[source] io::Error),
    #[error("the client's certificate was taken back during the handshake")]
    TakenBack,
    #[error("the client's certificate cannot be read")]
    UnreadableCertificate,
}

/// A connection after its handshake.
pub(crate) struct Secured<IO> {
    pub(crate) stream: TlsStream<IO>,
    /// The certificate that the client has proved to be its own.
    pub(crate) certificate: Option<OpenCertificate>,
}

impl ServerTls {
    /// Reads the files and is ready for handshakes.
    ///
    /// # Errors
    /// When a file cannot be used, the key is not the certificate's, or the certificate is not valid now.
    pub fn open(settings: ServerTlsSettings, clock: Arc<dyn Clock>) -> Result<Arc<Self>, ServerTlsError> {
        let generation = Generation::read(&settings, &clock)?;
        Ok(Arc::new(Self {
            settings,
            clock,
            current: ArcSwap::from_pointee(generation),
            handshakes: Semaphore::new(HANDSHAKES_LIMIT),
            open_certificates: OpenCertificates::new(),
        }))
    }

    /// Looks at the files. What is new in them holds for new handshakes, and open connections whose certificate it does not
    /// believe any more end.
    ///
    /// # Errors
    /// When what is new cannot be used; what was in use goes on.
    pub fn reload(&self) -> Result<Reloaded, ServerTlsError> {
        let before = self.current.load().digest;
        let digest = Generation::digest_of(&self.settings)?;
        if digest == before {
            return Ok(Reloaded::Unchanged);
        }
        let generation = Arc::new(Generation::read(&self.settings, &self.clock)?);
        if generation.digest == before {
            return Ok(Reloaded::Unchanged);
        }
        self.current.store(generation);
        self.judge_open();
        Ok(Reloaded::Replaced)
    }

    /// Looks at the files every second, for as long as it is polled. Certificates that run out lose their standing within
    /// that time too; authorities and lists that run out are noticed within a minute.
    pub async fn watch(self: Arc<Self>) {
        let mut trouble = Trouble::default();
        let mut looks = tokio::time::interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        for look in (0..JUDGE_AT).cycle() {
            looks.tick().await;
            let tls = Arc::clone(&self);
            let looking = tokio::task::spawn_blocking(move || {
                let looked = tls.reload();
                let now = tls.clock.wall();
                tls.open_certificates.judge(|_, not_after| now <= not_after);
                if look == 0 {
                    tls.judge_open();
                }
                looked
            });
            let Ok(looked) = looking.await else { continue };
            trouble.tell("the gateway", looked.map_err(|error| describe(&error)));
        }
    }

    /// Whether a certificate has lost its standing: revoked, run out, or of an authority that is not believed any more. One
    /// that no open connection came with has none.
    #[must_use]
    pub fn is_revoked(&self, certificate: &PeerCertificate) -> bool {
        self.clock.wall() > certificate.not_after || !self.open_certificates.has_standing(certificate)
    }

    /// Performs the handshake.
    pub(crate) async fn accept<IO>(self: &Arc<Self>, io: IO) -> Result<Secured<IO>, HandshakeError>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        let generation = self.current.load_full();
        let handshake = async {
            let turn = self.handshakes.acquire().await;
            let acceptor = TlsAcceptor::from(Arc::clone(&generation.config));
            let stream = acceptor.accept(io).await;
            drop(turn);
            stream
        };
        let stream = tokio::time::timeout(HANDSHAKE_LIMIT, handshake).await;
        let stream = stream.map_err(|_| HandshakeError::TooSlow)?.map_err(HandshakeError::Failed)?;
        let chain = stream.get_ref().1.peer_certificates().unwrap_or_default();
        let certificate = match chain.first() {
            None => None,
            Some(leaf) => {
                let certificate = peer_certificate(leaf).ok_or(HandshakeError::UnreadableCertificate)?;
                Some(self.register(Arc::new(certificate), chain, &generation)?)
            }
        };
        Ok(Secured { stream, certificate })
    }

    /// Takes note of a connection that came with a certificate. Judged again if the files were replaced meanwhile: either
    /// that reload has found it here, or this sees that reload.
    fn register(
        self: &Arc<Self>,
        certificate: Arc<PeerCertificate>,
        chain: &[CertificateDer<'_>],
        generation: &Arc<Generation>,
    ) -> Result<OpenCertificate, HandshakeError> {
        let chain: Chain = chain.iter().map(|der| der.clone().into_owned()).collect();
        let registered = OpenCertificate::enter(self, Arc::clone(&certificate), Arc::clone(&chain));
        let now = self.current.load_full();
        let is_believed =
            Arc::ptr_eq(&now, generation) || is_believed(now.verifier.as_deref(), &chain, self.clock.wall());
        if is_believed && !self.is_revoked(&certificate) { Ok(registered) } else { Err(HandshakeError::TakenBack) }
    }

    /// Verifies the certificates of all open connections anew. Each costs about 0.1 ms for each certificate of its chain.
    fn judge_open(&self) {
        let (generation, now) = (self.current.load_full(), self.clock.wall());
        self.open_certificates.judge(|chain, _| is_believed(generation.verifier.as_deref(), chain, now));
    }
}

fn is_believed(verifier: Option<&ClientVerifier>, chain: &[CertificateDer<'_>], now: Timestamp) -> bool {
    let (Some(verifier), Some((leaf, rest)), Some(now)) = (verifier, chain.split_first(), unix_time(now)) else {
        return false;
    };
    verifier.verify_client_cert(leaf, rest, now).is_ok()
}

/// Nothing before 1970: then no certificate is valid.
fn unix_time(time: Timestamp) -> Option<UnixTime> {
    u64::try_from(time.0).ok().map(|nanoseconds| UnixTime::since_unix_epoch(Duration::from_nanos(nanoseconds)))
}

impl fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerTls").field("settings", &self.settings).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
