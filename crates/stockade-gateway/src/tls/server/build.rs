//! From files to what a handshake needs: all of it at once, so that no handshake mixes old and new.

use super::{ClientCertificates, ClientTrust, ServerTlsSettings, unix_time};
use crate::tls::certificate::validity;
use crate::tls::client_verifier::{ClientVerifier, Demand};
use crate::tls::files::{AUTHORITIES_LIMIT, CHAIN_LIMIT, PemFile, Secrecy, TlsFileError};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::{NoServerSessionStorage, VerifierBuilderError};
use rustls::time_provider::TimeProvider;
use rustls::{RootCertStore, ServerConfig};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use stockade_core::ports::Clock;
use stockade_core::wire::Digest;

/// What the door speaks inside TLS (RFC 7301).
const PROTOCOL: &[u8] = b"http/1.1";

/// Why the files cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ServerTlsError {
    /// A file is not what it should be.
    #[error(transparent)]
    File(TlsFileError),
    /// The key is of another certificate, of a sort that is not known, or broken.
    #[error("the certificate `{}` and the key `{}` cannot be used together", certificate.display(), key.display())]
    KeyMismatch {
        /// The file of the certificate.
        certificate: PathBuf,
        /// The file of the key.
        key: PathBuf,
        /// What rustls says.
        #[source]
        cause: rustls::Error,
    },
    /// The first certificate of the file is not a certificate.
    #[error("the first section of `{}` is no certificate", certificate.display())]
    NoCertificate {
        /// The file.
        certificate: PathBuf,
    },
    /// Its time is over or has not come.
    #[error("the certificate `{}` {what}", certificate.display())]
    NotValidNow {
        /// The file.
        certificate: PathBuf,
        /// Which of the two.
        what: &'static str,
    },
    /// Something in a file of authorities is no certificate that could be one.
    #[error("`{}` holds a certificate that cannot be an authority", file.display())]
    Authority {
        /// The file.
        file: PathBuf,
        /// What rustls says.
        #[source]
        cause: rustls::Error,
    },
    /// The authorities or revocation lists cannot be used.
    #[error("the authorities or revocation lists for client certificates cannot be used")]
    ClientTrust(#[source] VerifierBuilderError),
    /// The provider of cryptography does not speak these versions.
    #[error("TLS cannot be set up")]
    Unsupported(#[source] rustls::Error),
}

/// One state of the files, and what was made of it.
pub(super) struct Generation {
    pub(super) config: Arc<ServerConfig>,
    pub(super) verifier: Option<Arc<ClientVerifier>>,
    /// Of the files' content.
    pub(super) digest: Digest,
}

/// The files of one look.
struct Files {
    certificate: PemFile,
    key: PemFile,
    authorities: Vec<(PathBuf, PemFile)>,
    revocation_lists: Vec<PemFile>,
}

impl Files {
    fn read(settings: &ServerTlsSettings) -> Result<Self, ServerTlsError> {
        let read = |path: &PathBuf, secrecy| PemFile::read(path, secrecy).map_err(ServerTlsError::File);
        let nothing = ClientTrust { authorities: Vec::new(), revocation_lists: Vec::new() };
        let trust = settings.clients.trust().unwrap_or(&nothing);
        let authority = |path: &PathBuf| Ok((path.clone(), read(path, Secrecy::Public)?));
        Ok(Self {
            key: read(&settings.key, Secrecy::OwnerOnly)?,
            certificate: read(&settings.certificate, Secrecy::Public)?,
            authorities: trust.authorities.iter().map(authority).collect::<Result<_, _>>()?,
            revocation_lists: {
                let lists = trust.revocation_lists.iter();
                lists.map(|path| read(path, Secrecy::Public)).collect::<Result<_, _>>()?
            },
        })
    }

    fn digest(&self) -> Digest {
        let files = [&self.certificate, &self.key].into_iter();
        let files = files.chain(self.authorities.iter().map(|(_, file)| file)).chain(&self.revocation_lists);
        let all: Vec<u8> = files.flat_map(|file| *file.digest().as_bytes()).collect();
        Digest::of(&all)
    }
}

impl Generation {
    /// The digest of the files as they are now.
    pub(super) fn digest_of(settings: &ServerTlsSettings) -> Result<Digest, ServerTlsError> {
        Ok(Files::read(settings)?.digest())
    }

    /// Reads everything and makes it ready.
    pub(super) fn read(settings: &ServerTlsSettings, clock: &Arc<dyn Clock>) -> Result<Self, ServerTlsError> {
        let files = Files::read(settings)?;
        let chain = files.certificate.certificates(CHAIN_LIMIT).map_err(ServerTlsError::File)?;
        check_validity(settings, &chain, clock)?;
        let key = files.key.key().map_err(ServerTlsError::File)?;
        // X25519MLKEM768 goes before X25519 and the curves of NIST (feature `prefer-post-quantum`).
        let provider = Arc::new(aws_lc_rs::default_provider());
        let verifier = verifier(settings, &files, &provider)?.map(Arc::new);
        let config = config(settings, provider, verifier.clone(), (chain, key), clock)?;
        Ok(Self { config: Arc::new(config), verifier, digest: files.digest() })
    }
}

fn check_validity(
    settings: &ServerTlsSettings,
    chain: &[CertificateDer<'_>],
    clock: &Arc<dyn Clock>,
) -> Result<(), ServerTlsError> {
    let certificate = || settings.certificate.clone();
    let validity = chain.first().and_then(|leaf| validity(leaf));
    let (from, until) = validity.ok_or_else(|| ServerTlsError::NoCertificate { certificate: certificate() })?;
    let now = clock.wall();
    let refuse = |what| Err(ServerTlsError::NotValidNow { certificate: certificate(), what });
    match now {
        now if now > until => refuse("has expired"),
        now if now < from => refuse("is not valid yet"),
        _ => Ok(()),
    }
}

fn verifier(
    settings: &ServerTlsSettings,
    files: &Files,
    provider: &Arc<CryptoProvider>,
) -> Result<Option<ClientVerifier>, ServerTlsError> {
    let demand = match settings.clients {
        ClientCertificates::Off => return Ok(None),
        ClientCertificates::Optional(_) => Demand::Optional,
        ClientCertificates::Required(_) => Demand::Required,
    };
    let mut authorities = RootCertStore::empty();
    for (path, file) in &files.authorities {
        for der in file.certificates(AUTHORITIES_LIMIT).map_err(ServerTlsError::File)? {
            let refused = |cause| ServerTlsError::Authority { file: path.clone(), cause };
            authorities.add(der).map_err(refused)?;
        }
    }
    let mut lists = Vec::new();
    for file in &files.revocation_lists {
        lists.extend(file.revocation_lists().map_err(ServerTlsError::File)?);
    }
    let verifier = ClientVerifier::new(Arc::clone(provider), authorities, lists, demand);
    verifier.map(Some).map_err(ServerTlsError::ClientTrust)
}

fn config(
    settings: &ServerTlsSettings,
    provider: Arc<CryptoProvider>,
    verifier: Option<Arc<ClientVerifier>>,
    (chain, key): (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>),
    clock: &Arc<dyn Clock>,
) -> Result<ServerConfig, ServerTlsError> {
    let time = Arc::new(PortTime(Arc::clone(clock)));
    let builder = ServerConfig::builder_with_details(provider, time);
    let builder = builder.with_protocol_versions(settings.minimum.and_newer()).map_err(ServerTlsError::Unsupported)?;
    let asks_for_certificates = verifier.is_some();
    let builder = match verifier {
        Some(verifier) => builder.with_client_cert_verifier(verifier),
        None => builder.with_no_client_auth(),
    };
    let mismatch = |cause| ServerTlsError::KeyMismatch {
        certificate: settings.certificate.clone(),
        key: settings.key.clone(),
        cause,
    };
    let mut config = builder.with_single_cert(chain, key).map_err(mismatch)?;
    config.alpn_protocols = vec![PROTOCOL.to_vec()];
    // Without the extended master secret TLS 1.2 sessions can be confused with each other (RFC 7627).
    config.require_ems = true;
    if asks_for_certificates {
        // A resumed session brings its certificate along unverified, so each connection shows it anew.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
    }
    Ok(config)
}

/// The clock of the road as rustls wants it.
struct PortTime(Arc<dyn Clock>);

impl TimeProvider for PortTime {
    fn current_time(&self) -> Option<UnixTime> {
        unix_time(self.0.wall())
    }
}

impl fmt::Debug for PortTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PortTime")
    }
}
