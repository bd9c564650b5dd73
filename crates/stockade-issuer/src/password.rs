//! Passwords of users: Argon2id, and the same work for a user who does not exist.
//!
//! Must never: keep, show or log a password; take a short cut that tells whether a user exists.

use argon2::{Algorithm, Argon2, Params, Version};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use std::fmt;
use stockade_core::ports::Entropy;
use stockade_core::words::{CallerName, Secret};
use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

/// Characters of a password that is chosen (NIST SP 800-63B-4 §3.1.1.2, for a password that stands alone).
pub const SHORTEST: usize = 15;
/// Bytes of a password, chosen or presented, as it came.
pub const LONGEST_BYTES: usize = 1_024;
/// Memory of one computation, in KiB (OWASP, RFC 9106 §4: 19 MiB with two passes and one lane).
const MEMORY_KIB: u32 = 19 * 1_024;
const PASSES: u32 = 2;
const LANES: u32 = 1;
/// What a hash that was made elsewhere, or by a later version, may cost.
const MEMORY_KIB_CEILING: u32 = 128 * 1_024;
const PASSES_CEILING: u32 = 8;
const LANES_CEILING: u32 = 4;

/// Why a password cannot be chosen, or hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// Too short to stand alone.
    #[error("a password has at least {SHORTEST} characters; leave it out to have one made")]
    TooShort,
    /// Too long.
    #[error("a password has at most {LONGEST_BYTES} bytes")]
    TooLong,
    /// Nothing but the user's name, or one character repeated.
    #[error("a password is not the user's name and not one character repeated")]
    Guessable,
    /// It holds a control character, which no form can send.
    #[error("a password holds no control characters")]
    Control,
    /// The computation could not be done, for lack of memory for example.
    #[error("the password could not be hashed")]
    Failed,
}

/// A password as it is hashed: NFC (RFC 8265 §4.2.2), so that two keyboards write the same one.
pub struct Password(Zeroizing<String>);

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

impl Password {
    /// Takes a password that somebody has chosen for `user`.
    ///
    /// # Errors
    /// When it is too short or too long, or the first that anybody would try.
    pub fn choose(text: &Secret, user: &CallerName) -> Result<Self, PasswordError> {
        let password = Self::presented(text.expose()).ok_or(PasswordError::TooLong)?;
        if password.0.chars().any(char::is_control) {
            return Err(PasswordError::Control);
        }
        if password.0.chars().count() < SHORTEST {
            return Err(PasswordError::TooShort);
        }
        let first = password.0.chars().next();
        let repeated = password.0.chars().all(|character| Some(character) == first);
        if repeated || password.0.eq_ignore_ascii_case(user.as_str()) {
            return Err(PasswordError::Guessable);
        }
        Ok(password)
    }

    /// Makes a password of 132 random bits: 22 characters.
    #[must_use]
    pub fn random(entropy: &dyn Entropy) -> (Self, Secret) {
        let mut bytes = Zeroizing::new([0; 18]);
        entropy.fill(bytes.as_mut_slice());
        let mut text = URL_SAFE_NO_PAD.encode(bytes.as_slice());
        text.truncate(22);
        (Self(Zeroizing::new(text.clone())), Secret::new(text))
    }

    /// Takes what was typed into the sign-in page; nothing for what nobody can have chosen.
    pub(crate) fn presented(text: &str) -> Option<Self> {
        (text.len() <= LONGEST_BYTES).then(|| Self(Zeroizing::new(text.nfc().collect())))
    }

    /// Hashes it for the store.
    ///
    /// # Errors
    /// When the computation cannot be done.
    pub fn hash(&self, entropy: &dyn Entropy) -> Result<PasswordHash, PasswordError> {
        let mut hash = PasswordHash::of_nobody();
        entropy.fill(&mut hash.salt);
        hash.digest = hash.compute(self).ok_or(PasswordError::Failed)?;
        Ok(hash)
    }
}

/// A password's hash with what it was made with. Its text is the PHC string format.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
    salt: [u8; 16],
    digest: [u8; 32],
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(…)")
    }
}

impl PasswordHash {
    /// What is computed against where there is no user, so that it takes as long. No password has it.
    pub(crate) const fn of_nobody() -> Self {
        Self { memory_kib: MEMORY_KIB, passes: PASSES, lanes: LANES, salt: [0; 16], digest: [0; 32] }
    }

    /// True if `password` is the one that was hashed. Takes some tens of milliseconds and 19 MiB.
    pub(crate) fn is_of(&self, password: &Password) -> bool {
        let computed = self.compute(password);
        computed.is_some_and(|digest| verify_slices_are_equal(&digest, &self.digest).is_ok())
    }

    fn compute(&self, password: &Password) -> Option<[u8; 32]> {
        let mut digest = [0; 32];
        let params = Params::new(self.memory_kib, self.passes, self.lanes, Some(digest.len())).ok()?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        argon2.hash_password_into(password.0.as_bytes(), &self.salt, &mut digest).ok()?;
        Some(digest)
    }

    /// `$argon2id$v=19$m=…,t=…,p=…$salt$hash`.
    #[must_use]
    pub fn to_text(&self) -> String {
        let Self { memory_kib, passes, lanes, salt, digest } = self;
        let (salt, digest) = (STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(digest));
        format!("$argon2id$v=19$m={memory_kib},t={passes},p={lanes}${salt}${digest}")
    }

    /// Reads what [`Self::to_text`] writes; nothing for anything else, or for what would cost more than this version pays.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix("$argon2id$v=19$m=")?;
        let (memory_kib, rest) = rest.split_once(",t=")?;
        let (passes, rest) = rest.split_once(",p=")?;
        let (lanes, rest) = rest.split_once('$')?;
        let (salt, digest) = rest.split_once('$')?;
        let number = |text: &str, ceiling: u32| text.parse().ok().filter(|number| (1..=ceiling).contains(number));
        Some(Self {
            memory_kib: number(memory_kib, MEMORY_KIB_CEILING)?,
            passes: number(passes, PASSES_CEILING)?,
            lanes: number(lanes, LANES_CEILING)?,
            salt: STANDARD_NO_PAD.decode(salt).ok()?.try_into().ok()?,
            digest: STANDARD_NO_PAD.decode(digest).ok()?.try_into().ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Sevens;

    impl Entropy for Sevens {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(7);
        }
    }

    fn choose(text: &str) -> Result<Password, PasswordError> {
        Password::choose(&Secret::new(text.to_owned()), &CallerName::parse("alice-with-a-long-name").unwrap())
    }

    #[test]
    fn only_the_very_password_is_it() {
        let hash = choose("correct horse battery staple").unwrap().hash(&Sevens).unwrap();
        let is = |text: &str| hash.is_of(&Password::presented(text).unwrap());
        assert!(is("correct horse battery staple"));
        assert!(!is("correct horse battery staplE"));
        assert!(!is(""));
        let again = PasswordHash::parse(&hash.to_text()).unwrap();
        assert!(again.is_of(&Password::presented("correct horse battery staple").unwrap()));
        assert_eq!(format!("{hash:?} {:?}", Password::presented("x")), "PasswordHash(…) Some(Password(…))");
    }

    #[test]
    fn nobody_has_no_password() {
        assert!(!PasswordHash::of_nobody().is_of(&Password::presented("").unwrap()));
    }

    #[test]
    fn two_ways_to_write_a_letter_are_one_password() {
        let hash = choose("päßword of fifteen").unwrap().hash(&Sevens).unwrap();
        assert!(hash.is_of(&Password::presented("pa\u{308}ßword of fifteen").unwrap()));
    }

    #[test]
    fn a_chosen_password_can_stand_alone() {
        let check = |text: &str, expected: Option<PasswordError>| assert_eq!(choose(text).err(), expected, "{text}");
        check("123456789012345", None);
        check("12345678901234", Some(PasswordError::TooShort));
        check("ääääääääääääääb", None);
        check(&"x".repeat(40), Some(PasswordError::Guessable));
        check("Alice-With-A-Long-Name", Some(PasswordError::Guessable));
        check("fifteen letters\n", Some(PasswordError::Control));
        check(&"xy".repeat(LONGEST_BYTES / 2), None);
        check(&"xyz".repeat(LONGEST_BYTES / 2), Some(PasswordError::TooLong));
    }

    #[test]
    fn a_hash_that_is_not_ours_or_too_dear_is_none() {
        let text = choose("correct horse battery staple").unwrap().hash(&Sevens).unwrap().to_text();
        assert!(text.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{text}");
        for (from, to) in [
            ("argon2id", "argon2i"),
            ("v=19", "v=16"),
            ("m=19456", "m=131073"),
            ("m=19456", "m=0"),
            ("t=2", "t=9"),
            ("p=1", "p=5"),
            ("p=1$", "p=1$A"),
            ("$v", "v"),
        ] {
            assert_eq!(PasswordHash::parse(&text.replace(from, to)), None, "{to}");
        }
    }
}
