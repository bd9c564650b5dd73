//! Certificates, keys and revocation lists as they stand in files: PEM, bounded, keys for their owner only.
//!
//! Must never: read a private key that others can read; put a byte of a file into an error.

use rustls::pki_types::pem::{Error as PemError, PemObject};
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use stockade_core::wire::Digest;
use zeroize::Zeroizing;

/// Bytes of one file at most: 4 MiB, which is a revocation list of about a hundred thousand entries.
pub const FILE_BYTES: usize = 4 << 20;
/// Certificates of one chain at most; rustls takes no longer ones from peers either.
pub(super) const CHAIN_LIMIT: usize = 16;
/// Certificates of one file of authorities at most; the lists of operating systems have about 150.
pub(super) const AUTHORITIES_LIMIT: usize = 1000;
/// Revocation lists of one file at most.
pub(super) const REVOCATION_LISTS_LIMIT: usize = 64;
/// The permission bits of group and others.
const OTHERS: u32 = 0o077;

/// Why a file cannot be used. For operators: it names the path and nothing of what is inside.
#[derive(Debug, thiserror::Error)]
pub enum TlsFileError {
    /// It is not there, or not for us.
    #[error("`{}` cannot be read", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// A folder, a pipe, a device.
    #[error("`{}` is no regular file", path.display())]
    NotAFile {
        /// The file.
        path: PathBuf,
    },
    /// Over [`FILE_BYTES`].
    #[error("`{}` is larger than {FILE_BYTES} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// A private key that group or others could read.
    #[error("the private key `{}` is open to others (mode {mode:03o}); `chmod 600` it, and take a new key if it was ever exposed", path.display())]
    KeyOpenToOthers {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A section that begins and does not end, or is no base64.
    #[error("`{}` is not PEM", path.display())]
    NotPem {
        /// The file.
        path: PathBuf,
    },
    /// PEM, and not what was looked for.
    #[error("`{}` holds no {what}", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
        /// What was looked for.
        what: &'static str,
    },
    /// More than the limit.
    #[error("`{}` holds more than {most} {what}", path.display())]
    TooMany {
        /// The file.
        path: PathBuf,
        /// What of.
        what: &'static str,
        /// The limit.
        most: usize,
    },
}

/// Who may read a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Secrecy {
    /// Everybody: what it holds is shown to every peer anyway.
    Public,
    /// Its owner alone.
    OwnerOnly,
}

/// The content of one file, wiped when it goes.
pub(super) struct PemFile {
    path: PathBuf,
    bytes: Zeroizing<Vec<u8>>,
}

impl PemFile {
    /// Reads the file as it is now. The permissions are those of the very file that was opened.
    pub(super) fn read(path: &Path, secrecy: Secrecy) -> Result<Self, TlsFileError> {
        let owned = || path.to_owned();
        let unreadable = |cause| TlsFileError::Unreadable { path: owned(), cause };
        // Asked before opening too: opening a pipe would wait for its writer.
        if !std::fs::metadata(path).map_err(unreadable)?.is_file() {
            return Err(TlsFileError::NotAFile { path: owned() });
        }
        let file = File::open(path).map_err(unreadable)?;
        let facts = file.metadata().map_err(unreadable)?;
        if !facts.is_file() {
            return Err(TlsFileError::NotAFile { path: owned() });
        }
        let mode = facts.permissions().mode() & 0o777;
        if secrecy == Secrecy::OwnerOnly && mode & OTHERS != 0 {
            return Err(TlsFileError::KeyOpenToOthers { path: owned(), mode });
        }
        let too_large = || TlsFileError::TooLarge { path: owned() };
        let size = usize::try_from(facts.len()).ok().filter(|size| *size <= FILE_BYTES).ok_or_else(too_large)?;
        // Room for all of it at once: a buffer that grows leaves copies of a key behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(size.saturating_add(1)));
        file.take(FILE_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(unreadable)?;
        if bytes.len() > FILE_BYTES {
            return Err(too_large());
        }
        Ok(Self { path: owned(), bytes })
    }

    /// The digest of the content, for seeing that it changed.
    pub(super) fn digest(&self) -> Digest {
        Digest::of(&self.bytes)
    }

    /// The certificates, in the order of the file; at least one.
    pub(super) fn certificates(&self, most: usize) -> Result<Vec<CertificateDer<'static>>, TlsFileError> {
        self.sections("certificate", most)
    }

    /// The revocation lists; at least one.
    pub(super) fn revocation_lists(&self) -> Result<Vec<CertificateRevocationListDer<'static>>, TlsFileError> {
        self.sections("revocation list", REVOCATION_LISTS_LIMIT)
    }

    /// The one private key. PKCS #8, PKCS #1 or SEC 1, not encrypted.
    pub(super) fn key(&self) -> Result<PrivateKeyDer<'static>, TlsFileError> {
        let mut keys = self.sections("unencrypted private key", 1)?;
        keys.pop().ok_or_else(|| TlsFileError::Missing { path: self.path.clone(), what: "unencrypted private key" })
    }

    fn sections<T: PemObject>(&self, what: &'static str, most: usize) -> Result<Vec<T>, TlsFileError> {
        let path = || self.path.clone();
        let mut found = Vec::new();
        for section in T::pem_slice_iter(&self.bytes) {
            // What the error says could be a line of the file.
            found.push(section.map_err(|_: PemError| TlsFileError::NotPem { path: path() })?);
            if found.len() > most {
                return Err(TlsFileError::TooMany { path: path(), what, most });
            }
        }
        if found.is_empty() { Err(TlsFileError::Missing { path: path(), what }) } else { Ok(found) }
    }
}
