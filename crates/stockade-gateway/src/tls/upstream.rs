//! TLS to upstreams: whom we believe, and what we show.
//!
//! Must never: send a byte of a request before the upstream's certificate was verified; believe the system's authorities
//! where the operator has named others; take a pin instead of a verified certificate.
//! On the road: below `forward`.

use super::certificate::pin_of;
use super::files::{AUTHORITIES_LIMIT, CHAIN_LIMIT, PemFile, Secrecy, TlsFileError};
use super::pin::KeyPin;
use super::version::TlsVersion;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, OtherError, RootCertStore, SignatureScheme,
};
use std::path::PathBuf;
use std::sync::Arc;
use stockade_core::wire::Digest;

/// How one upstream is reached over TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamTls {
    /// A file of authorities, as PEM, in place of the system's.
    pub authorities: Option<PathBuf>,
    /// Its certificate must have one of these keys, beside being verified. None: any key.
    pub pins: Vec<KeyPin>,
    /// What we show when it asks for a client certificate.
    pub identity: Option<ClientIdentity>,
    /// The oldest version that is spoken.
    pub minimum: TlsVersion,
}

/// A client certificate of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientIdentity {
    /// The certificate chain, leaf first, as PEM.
    pub certificate: PathBuf,
    /// Its private key as PEM, for its owner only.
    pub key: PathBuf,
}

impl Default for UpstreamTls {
    /// The system's authorities, no pin, no certificate of ours, TLS 1.2 or newer.
    fn default() -> Self {
        Self { authorities: None, pins: Vec::new(), identity: None, minimum: TlsVersion::V1_2 }
    }
}

/// Why an upstream cannot be reached over TLS as configured.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamTlsError {
    /// A file is not what it should be.
    #[error(transparent)]
    File(TlsFileError),
    /// The system's authorities cannot be read.
    #[error("the system's certificate authorities cannot be read")]
    SystemAuthorities(#[source] Error),
    /// Something in the file of authorities is no certificate that could be one.
    #[error("`{}` holds a certificate that cannot be an authority", file.display())]
    Authority {
        /// The file.
        file: PathBuf,
        /// What rustls says.
        #[source]
        cause: Error,
    },
    /// The key is of another certificate, of a sort that is not known, or broken.
    #[error("the certificate `{}` and the key `{}` cannot be used together", certificate.display(), key.display())]
    KeyMismatch {
        /// The file of the certificate.
        certificate: PathBuf,
        /// The file of the key.
        key: PathBuf,
        /// What rustls says.
        #[source]
        cause: Error,
    },
    /// TLS cannot be set up.
    #[error("TLS cannot be set up")]
    Unsupported(#[source] Error),
}

impl UpstreamTls {
    /// Reads the files and looks whether they can be used.
    ///
    /// # Errors
    /// When one of them cannot.
    pub fn check(&self) -> Result<(), UpstreamTlsError> {
        self.client_config().map(|_| ())
    }

    /// Whether there are files that may be replaced.
    pub(crate) fn has_files(&self) -> bool {
        self.authorities.is_some() || self.identity.is_some()
    }

    /// The digest of the files as they are now.
    pub(crate) fn digest(&self) -> Result<Digest, UpstreamTlsError> {
        let mut all = Vec::new();
        let identity = self
            .identity
            .iter()
            .flat_map(|identity| [(&identity.certificate, Secrecy::Public), (&identity.key, Secrecy::OwnerOnly)]);
        for (path, secrecy) in self.authorities.iter().map(|path| (path, Secrecy::Public)).chain(identity) {
            let file = PemFile::read(path, secrecy).map_err(UpstreamTlsError::File)?;
            all.extend_from_slice(file.digest().as_bytes());
        }
        Ok(Digest::of(&all))
    }

    /// What a handshake needs. Reading the system's authorities takes milliseconds.
    pub(crate) fn client_config(&self) -> Result<ClientConfig, UpstreamTlsError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let verifier = Pinned { inner: self.verifier(&provider)?, pins: self.pins.clone() };
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(self.minimum.and_newer())
            .map_err(UpstreamTlsError::Unsupported)?;
        // "Dangerous" is only that the verifier is ours: it is rustls's own with the pins after it.
        let builder = builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier));
        let Some(identity) = &self.identity else { return Ok(builder.with_no_client_auth()) };
        let read = |path, secrecy| PemFile::read(path, secrecy).map_err(UpstreamTlsError::File);
        let key = read(&identity.key, Secrecy::OwnerOnly)?.key().map_err(UpstreamTlsError::File)?;
        let chain = read(&identity.certificate, Secrecy::Public)?.certificates(CHAIN_LIMIT);
        let chain = chain.map_err(UpstreamTlsError::File)?;
        builder.with_client_auth_cert(chain, key).map_err(|cause| UpstreamTlsError::KeyMismatch {
            certificate: identity.certificate.clone(),
            key: identity.key.clone(),
            cause,
        })
    }

    fn verifier(&self, provider: &Arc<CryptoProvider>) -> Result<Arc<dyn ServerCertVerifier>, UpstreamTlsError> {
        let Some(file) = &self.authorities else {
            let verifier = rustls_platform_verifier::Verifier::new(Arc::clone(provider));
            return Ok(Arc::new(verifier.map_err(UpstreamTlsError::SystemAuthorities)?));
        };
        let refused = |cause| UpstreamTlsError::Authority { file: file.clone(), cause };
        let certificates = PemFile::read(file, Secrecy::Public).and_then(|read| read.certificates(AUTHORITIES_LIMIT));
        let mut authorities = RootCertStore::empty();
        for der in certificates.map_err(UpstreamTlsError::File)? {
            authorities.add(der).map_err(refused)?;
        }
        let builder = WebPkiServerVerifier::builder_with_provider(Arc::new(authorities), Arc::clone(provider));
        let verifier = builder.build().map_err(|cause| refused(Error::General(cause.to_string())))?;
        Ok(verifier)
    }
}

/// A verifier, and after it the pins. Only the leaf's own key counts: a peer may send any certificates beside it, pinned
/// ones among them, that have no part in what was verified.
#[derive(Debug)]
struct Pinned {
    inner: Arc<dyn ServerCertVerifier>,
    pins: Vec<KeyPin>,
}

/// The certificate was verified and has another key.
#[derive(Debug, thiserror::Error)]
#[error("the pin differs: the certificate is valid, and its key is `{found}`, which `pin` does not list")]
struct PinDiffers {
    found: KeyPin,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified = self.inner.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)?;
        if self.pins.is_empty() {
            return Ok(verified);
        }
        let found = pin_of(end_entity).ok_or(Error::InvalidCertificate(CertificateError::BadEncoding))?;
        if self.pins.contains(&found) {
            return Ok(verified);
        }
        Err(Error::Other(OtherError(Arc::new(PinDiffers { found }))))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

#[cfg(test)]
mod tests;
