//! One root key, and everything that is derived from it.
//!
//! The root is 32 random bytes in `keys/root.key`, mode 0600. Purposes get keys of their own by HKDF-SHA-256 (RFC 5869), so
//! that none can stand for another. Sealing is AES-256-GCM-SIV (RFC 8452), which a repeated nonce does not break.

use crate::data_folder::{DataFolder, draft_of, private};
use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Prk, Salt};
use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::fs::MetadataExt;
use stockade_core::ports::{Entropy, Seals};
use zeroize::Zeroizing;

/// Why the root key cannot be used. No text names the path of it.
#[derive(Debug, thiserror::Error)]
pub enum KeyRingError {
    /// It could not be made or read.
    #[error("could not {what} the root key; check that the data folder is writable and the disk is not full")]
    Io {
        /// What was tried.
        what: &'static str,
        /// What the operating system said.
        #[source]
        cause: io::Error,
    },
    /// It is not 32 random bytes.
    #[error(
        "the root key is {what}; restore it from a backup, or move the data folder away to start anew with new API keys"
    )]
    Weak {
        /// What it is.
        what: &'static str,
    },
    /// Others could read it, so others may know it.
    #[error(
        "the root key can be read by others (mode {mode:o}); make new keys in a new data folder, or set mode 600 if nobody had access"
    )]
    Open {
        /// Its mode.
        mode: u32,
    },
}

/// The operating system's generator.
#[derive(Debug, Clone, Copy, Default)]
pub struct OsEntropy;

impl Entropy for OsEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        if SystemRandom::new().fill(bytes).is_err() {
            // There is no going on without randomness, and nothing that could be told to anybody in safety.
            std::process::abort();
        }
    }
}

/// All keys of one data folder.
pub struct KeyRing {
    root: Prk,
}

impl std::fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KeyRing(…)")
    }
}

impl KeyRing {
    /// Reads the root key, or makes one.
    ///
    /// # Errors
    /// When it cannot be read or made, is damaged or weak, or others could have read it.
    pub fn open(folder: &DataFolder) -> Result<Self, KeyRingError> {
        let failed = |what| move |cause| KeyRingError::Io { what, cause };
        let path = folder.root_key();
        let mut bytes = Zeroizing::new(Vec::with_capacity(64));
        match private().read(true).open(&path) {
            Ok(file) => {
                let mode = file.metadata().map_err(failed("read"))?.mode() & 0o777;
                if mode & 0o077 != 0 {
                    return Err(KeyRingError::Open { mode });
                }
                file.take(64).read_to_end(&mut bytes).map_err(failed("read"))?;
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                bytes.resize(32, 0);
                OsEntropy.fill(&mut bytes);
                // Written beside and linked into place: a start that is cut off leaves no half key, and of two starts at
                // once one wins.
                let beside = draft_of(&path);
                let file = private().write(true).create_new(true).open(&beside);
                let written = file.and_then(|mut file| file.write_all(&bytes).and_then(|()| file.sync_all()));
                let linked = written.and_then(|()| fs::hard_link(&beside, &path));
                let _ = fs::remove_file(&beside);
                match linked {
                    Ok(()) => {
                        if let Some(parent) = path.parent() {
                            fs::File::open(parent).and_then(|parent| parent.sync_all()).map_err(failed("write"))?;
                        }
                    }
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Self::open(folder),
                    Err(error) => return Err(failed("make")(error)),
                }
            }
            Err(error) => return Err(failed("read")(error)),
        }
        if bytes.len() != 32 {
            return Err(KeyRingError::Weak { what: "not 32 bytes long" });
        }
        if bytes.iter().all(|byte| Some(byte) == bytes.first()) {
            return Err(KeyRingError::Weak { what: "one byte repeated" });
        }
        if is_pattern(&bytes) {
            return Err(KeyRingError::Weak { what: "a pattern or readable text, not random bytes" });
        }
        Ok(Self { root: Salt::new(HKDF_SHA256, b"stockade root 1").extract(&bytes) })
    }

    pub(crate) fn derive(&self, purpose: &[u8]) -> Zeroizing<[u8; 32]> {
        let mut key = Zeroizing::new([0; 32]);
        let info = [purpose];
        let filled = self.root.expand(&info, Length).and_then(|okm| okm.fill(key.as_mut_slice()));
        if filled.is_err() {
            // 32 bytes are within what HKDF-SHA-256 gives; a zero key must never be used.
            std::process::abort();
        }
        key
    }

    /// The key that seals what clients keep for us.
    #[must_use]
    pub fn sealing_key(&self) -> SealingKey {
        SealingKey { key: self.derive(b"seal client state 1") }
    }

    /// The key of the nonces that proofs of possession need (RFC 9449 §8).
    #[must_use]
    pub fn nonce_key(&self) -> Zeroizing<[u8; 32]> {
        self.derive(b"dpop nonce 1")
    }

    /// A key that seals for one purpose of this crate's own.
    pub(crate) fn sealing_key_for(&self, purpose: &[u8]) -> SealingKey {
        SealingKey { key: self.derive(purpose) }
    }
}

/// Of 32 random bytes none in 10^13 is text, and none in 10^38 repeats itself.
fn is_pattern(bytes: &[u8]) -> bool {
    let is_text = bytes.iter().all(|byte| matches!(byte, 0x20..=0x7e | b'\n'));
    let repeats = |period: usize| bytes.iter().zip(bytes.iter().skip(period)).all(|(one, next)| one == next);
    is_text || (1..=bytes.len() / 2).any(repeats)
}

struct Length;

impl KeyType for Length {
    fn len(&self) -> usize {
        32
    }
}

/// Seals what clients keep for us: cursors and `requestState`.
///
/// The text is base64url without padding of: format byte 1, nonce of 12 bytes, ciphertext, tag of 16 bytes. The context is
/// authenticated and not contained.
pub struct SealingKey {
    key: Zeroizing<[u8; 32]>,
}

impl std::fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SealingKey(…)")
    }
}

impl SealingKey {
    const FORMAT: u8 = 1;

    fn cipher(&self) -> Option<LessSafeKey> {
        UnboundKey::new(&AES_256_GCM_SIV, self.key.as_slice()).ok().map(LessSafeKey::new)
    }
}

impl Seals for SealingKey {
    fn seal(&self, context: &[u8], plain: &[u8]) -> String {
        let mut nonce = [0; NONCE_LEN];
        OsEntropy.fill(&mut nonce);
        let mut sealed = plain.to_vec();
        let cipher = self.cipher();
        let done = cipher.map(|cipher| {
            cipher.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(context), &mut sealed)
        });
        if !matches!(done, Some(Ok(()))) {
            // The key has the right length and the text fits; nothing unsealed must ever leave.
            std::process::abort();
        }
        let mut all = Vec::with_capacity(1 + NONCE_LEN + sealed.len());
        all.push(Self::FORMAT);
        all.extend_from_slice(&nonce);
        all.append(&mut sealed);
        URL_SAFE_NO_PAD.encode(all)
    }

    fn open(&self, context: &[u8], sealed: &str) -> Option<Vec<u8>> {
        // The strict engine refuses padding, other alphabets and left-over bits, so that one text opens to one value.
        let all = URL_SAFE_NO_PAD.decode(sealed).ok()?;
        let (format, rest) = all.split_first()?;
        let (nonce, sealed) = rest.split_first_chunk::<NONCE_LEN>()?;
        if *format != Self::FORMAT {
            return None;
        }
        let mut sealed = sealed.to_vec();
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let plain = self.cipher()?.open_in_place(nonce, Aad::from(context), &mut sealed).ok()?;
        Some(plain.to_vec())
    }
}
