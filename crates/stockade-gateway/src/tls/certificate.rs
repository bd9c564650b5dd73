//! What a certificate says, once its chain was verified: who it is for, until when, by which key.
//!
//! Must never: take the subject's common name for a name; guess at a name that can be read in two ways. One odd name makes
//! the certificate nameless: it may come in where nobody is asked for, and it is nobody.

use super::files::{AUTHORITIES_LIMIT, PemFile, Secrecy, TlsFileError};
use super::pin::KeyPin;
use std::path::Path;
use stockade_core::identity::{CertificateName, PeerCertificate};
use stockade_core::ports::Timestamp;
use stockade_core::wire::Digest;
use stockade_core::words::Untrusted;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;
use x509_parser::revocation_list::CertificateRevocationList;
use x509_parser::time::ASN1Time;

/// Alternative names of one certificate that are read; one that has more has no names.
pub const NAMES_LIMIT: usize = 64;
/// Bytes of one alternative name; SPIFFE ids have the same limit (SPIFFE-ID §2.3).
pub const NAME_BYTES: usize = 2048;
const SPIFFE: &str = "spiffe://";

/// The words of a leaf certificate whose chain was verified. Nothing if it is no certificate at all.
pub(super) fn peer_certificate(der: &[u8]) -> Option<PeerCertificate> {
    let certificate = parse(der)?;
    Some(PeerCertificate {
        thumbprint: *Digest::of(der).as_bytes(),
        serial: hexadecimal(certificate.raw_serial()),
        names: names(&certificate).unwrap_or_default(),
        not_after: timestamp(certificate.validity().not_after),
    })
}

/// True if the certificate says that its holder may authenticate as a client (RFC 5280 §4.2.1.12). A certificate that
/// says nothing about its use, or "any", is not enough.
pub(super) fn is_for_clients(der: &[u8]) -> bool {
    let usage = parse(der).and_then(|certificate| match certificate.extended_key_usage() {
        Ok(Some(usage)) => Some(usage.value.client_auth),
        _ => None,
    });
    usage == Some(true)
}

/// The pin of the certificate's key.
pub(super) fn pin_of(der: &[u8]) -> Option<KeyPin> {
    parse(der).map(|certificate| KeyPin::of(certificate.public_key().raw))
}

/// From when and until when it is valid.
pub(super) fn validity(der: &[u8]) -> Option<(Timestamp, Timestamp)> {
    let certificate = parse(der)?;
    Some((timestamp(certificate.validity().not_before), timestamp(certificate.validity().not_after)))
}

fn parse(der: &[u8]) -> Option<X509Certificate<'_>> {
    match X509Certificate::from_der(der) {
        Ok(([], certificate)) => Some(certificate),
        _ => None,
    }
}

/// The names of the subject, or nothing at all if one of them is not what it should be.
fn names(certificate: &X509Certificate<'_>) -> Option<Vec<CertificateName>> {
    let alternatives = certificate.subject_alternative_name().ok()??;
    let alternatives = &alternatives.value.general_names;
    if alternatives.len() > NAMES_LIMIT {
        return None;
    }
    let mut names = Vec::new();
    for alternative in alternatives {
        match alternative {
            GeneralName::URI(text) => names.extend(uri(plain(text)?)?),
            GeneralName::DNSName(text) => names.extend(dns(plain(text)?)?),
            GeneralName::RFC822Name(text) => names.push(mail(plain(text)?)?),
            GeneralName::Invalid(..) => return None,
            // An address or a directory entry names no caller.
            _ => {}
        }
    }
    // "An X.509 SVID MUST contain exactly one URI SAN" (X509-SVID §2): two identities are none.
    let spiffe_ids = names.iter().filter(|name| matches!(name, CertificateName::Spiffe(_))).count();
    (spiffe_ids <= 1).then_some(names)
}

/// Printable ASCII without spaces, within the limit: nothing that a rule or a record could show differently.
fn plain(text: &str) -> Option<&str> {
    let fits = !text.is_empty() && text.len() <= NAME_BYTES && text.bytes().all(|byte| byte.is_ascii_graphic());
    fits.then_some(text)
}

/// A SPIFFE id in its one form, or a URI of another scheme, which is no name.
fn uri(text: &str) -> Option<Option<CertificateName>> {
    if !text.get(..SPIFFE.len()).is_some_and(|scheme| scheme.eq_ignore_ascii_case(SPIFFE)) {
        return Some(None);
    }
    // Scheme and trust domain are lower-case, so that no two ids differ only by case (SPIFFE-ID §2.1, §2.2).
    let (domain, path) = text
        .strip_prefix(SPIFFE)?
        .split_once('/')
        .map_or_else(|| (text.strip_prefix(SPIFFE).unwrap_or_default(), None), |(domain, path)| (domain, Some(path)));
    let in_domain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-_".contains(&byte);
    let in_segment = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    let is_segment =
        |segment: &str| !segment.is_empty() && segment != "." && segment != ".." && segment.bytes().all(in_segment);
    let fits = !domain.is_empty()
        && domain.len() <= 255
        && domain.bytes().all(in_domain)
        && path.is_none_or(|path| path.split('/').all(is_segment));
    fits.then(|| Some(CertificateName::Spiffe(text.to_owned())))
}

/// A host name in lower case. A wildcard stands for many and names none of them.
fn dns(text: &str) -> Option<Option<CertificateName>> {
    let host = text.strip_prefix("*.").unwrap_or(text);
    let name = host_name(host)?;
    Some((host.len() == text.len()).then_some(CertificateName::Dns(name)))
}

fn host_name(text: &str) -> Option<String> {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    (text.len() <= 253 && text.split('.').all(is_label)).then(|| text.to_ascii_lowercase())
}

/// An address with one `@`; its host in lower case (RFC 5280 §7.5).
fn mail(text: &str) -> Option<CertificateName> {
    let (local, host) = text.split_once('@')?;
    let in_local = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~.".contains(&byte);
    let fits = (1..=64).contains(&local.len()) && local.bytes().all(in_local);
    let host = host_name(host).filter(|_| fits)?;
    Some(CertificateName::Mail(format!("{local}@{host}")))
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Times that nanoseconds cannot hold become the last or first that they can.
fn timestamp(time: ASN1Time) -> Timestamp {
    Timestamp(time.timestamp().saturating_mul(1_000_000_000))
}

/// What an operator wants to know of a certificate in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFacts {
    /// The subject, made harmless.
    pub subject: String,
    /// The alternative names, made harmless, as the certificate writes them.
    pub names: Vec<String>,
    /// The serial number in hexadecimal.
    pub serial: String,
    /// From when it is valid.
    pub not_before: Timestamp,
    /// Until when.
    pub not_after: Timestamp,
    /// The pin of its key.
    pub pin: KeyPin,
}

/// What an operator wants to know of a revocation list in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevocationFacts {
    /// Whose certificates it is about, made harmless.
    pub issuer: String,
    /// When the next one was promised; from then on this one says nothing any more.
    pub next_update: Option<Timestamp>,
    /// How many certificates it revokes.
    pub revoked: usize,
}

/// Reads the certificates of a file, in its order.
///
/// # Errors
/// When it is not there, not PEM, over a limit, or holds something that is no certificate.
pub fn certificates_in(path: &Path) -> Result<Vec<CertificateFacts>, TlsFileError> {
    let broken = || TlsFileError::NotPem { path: path.to_owned() };
    let certificates = PemFile::read(path, Secrecy::Public)?.certificates(AUTHORITIES_LIMIT)?;
    certificates.iter().map(|der| parse(der).map(|certificate| facts(&certificate)).ok_or_else(broken)).collect()
}

/// Reads the revocation lists of a file, in its order.
///
/// # Errors
/// As [`certificates_in`].
pub fn revocation_lists_in(path: &Path) -> Result<Vec<RevocationFacts>, TlsFileError> {
    let broken = || TlsFileError::NotPem { path: path.to_owned() };
    let lists = PemFile::read(path, Secrecy::Public)?.revocation_lists()?;
    let facts = lists.iter().map(|der| {
        let (_, list) = CertificateRevocationList::from_der(der.as_ref()).map_err(|_| broken())?;
        Ok(RevocationFacts {
            issuer: Untrusted::new(list.issuer().to_string()).for_log(),
            next_update: list.next_update().map(timestamp),
            revoked: list.iter_revoked_certificates().count(),
        })
    });
    facts.collect()
}

fn facts(certificate: &X509Certificate<'_>) -> CertificateFacts {
    let alternatives = certificate.subject_alternative_name().ok().flatten();
    let alternatives = alternatives.map(|found| found.value.general_names.as_slice()).unwrap_or_default();
    let shown = |name: &GeneralName<'_>| match name {
        GeneralName::URI(text) | GeneralName::DNSName(text) | GeneralName::RFC822Name(text) => {
            Untrusted::new(*text).for_log()
        }
        other => Untrusted::new(other.to_string()).for_log(),
    };
    CertificateFacts {
        subject: Untrusted::new(certificate.subject().to_string()).for_log(),
        names: alternatives.iter().take(NAMES_LIMIT).map(shown).collect(),
        serial: hexadecimal(certificate.raw_serial()),
        not_before: timestamp(certificate.validity().not_before),
        not_after: timestamp(certificate.validity().not_after),
        pin: KeyPin::of(certificate.public_key().raw),
    }
}

/// For the fuzz harness alone: the names that are read from a certificate.
#[doc(hidden)]
#[must_use]
pub fn names_for_fuzz(der: &[u8]) -> Option<Vec<CertificateName>> {
    peer_certificate(der).map(|certificate| certificate.names)
}

#[cfg(test)]
mod tests;
