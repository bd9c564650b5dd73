//! Files that hold one secret: read only where nobody else can have read them, and only if the secret is one.
//!
//! Must never: show the secret or a part of it; take a placeholder for a secret.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use stockade_core::words::Secret;
use zeroize::Zeroizing;

/// Bytes of a secret at most: 64 KiB.
pub const SECRET_BYTES: u64 = 64 << 10;
/// What stands in examples, compared without case, digits and signs.
const PLACEHOLDERS: &[&str] = &[
    "changeme",
    "changethis",
    "changeit",
    "replaceme",
    "secret",
    "mysecret",
    "clientsecret",
    "yoursecret",
    "yourclientsecret",
    "password",
    "passw",
    "default",
    "example",
    "placeholder",
    "todo",
    "fixme",
    "test",
    "testing",
    "dummy",
    "none",
    "null",
    "admin",
    "root",
    "stockade",
    "key",
    "apikey",
    "token",
    "insertsecrethere",
    "supersecret",
    "verysecret",
];
/// Fewer different bytes than this are a pattern, whatever the length.
const DIFFERENT_BYTES: usize = 5;

/// What the secret is for, and so how strong it has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretUse {
    /// A key of ours: at least 32 bytes.
    Key,
    /// What somebody else has given us, such as a client secret: at least 16 bytes.
    Given,
}

impl SecretUse {
    /// Bytes at least.
    #[must_use]
    pub const fn least(self) -> usize {
        match self {
            Self::Key => 32,
            Self::Given => 16,
        }
    }
}

/// Why a secret cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SecretFileError {
    /// The file cannot be read.
    #[error("the secret file `{}` cannot be read", .path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        cause: io::Error,
    },
    /// It is no file.
    #[error("`{}` is no plain file", .path.display())]
    NotAFile {
        /// What is there.
        path: PathBuf,
    },
    /// Others could read it, so others may know it.
    #[error("the secret file `{}` can be read or changed by others (mode {mode:o}); make a new secret and `chmod 600` the file", .path.display())]
    Open {
        /// Which file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// Its owner can change it at any time.
    #[error("the secret file `{}` belongs to user {owner}, who is neither this user nor root", .path.display())]
    NotOurs {
        /// Which file.
        path: PathBuf,
        /// Its owner.
        owner: u32,
    },
    /// It is not worth being called one.
    #[error("the secret in `{}` is {what}; make one with `openssl rand -base64 32`", .path.display())]
    Weak {
        /// Which file.
        path: PathBuf,
        /// What it is.
        what: WeakSecret,
    },
}

/// Why a text is no secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WeakSecret {
    /// Empty, or only spaces.
    #[error("empty")]
    Empty,
    /// More than [`SECRET_BYTES`].
    #[error("longer than {SECRET_BYTES} bytes")]
    TooLong,
    /// No text, or with controls in it.
    #[error("not one line of printable ASCII characters")]
    NotText,
    /// The word of an example.
    #[error("a placeholder")]
    Placeholder,
    /// One byte or a few, again and again.
    #[error("a pattern of a few characters")]
    Pattern,
    /// Too short to be hard to guess.
    #[error("shorter than {least} bytes")]
    Short {
        /// What is asked for.
        least: usize,
    },
}

/// Reads the secret in `path`. A line end behind it is not part of it. Links are followed, for that is how secrets are mounted;
/// owner and mode are those of the file that was opened.
///
/// # Errors
/// When others could have read or changed the file, or what it holds is no secret.
pub fn read_secret_file(path: &Path, purpose: SecretUse) -> Result<Secret, SecretFileError> {
    let failed = |cause| SecretFileError::Io { path: path.to_owned(), cause };
    // Not blocking: a pipe that nobody writes to must not hold up the start.
    let flags = i32::try_from((rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::CLOEXEC).bits()).unwrap_or(0);
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path).map_err(failed)?;
    check_owner(&file, path)?;
    let mut bytes = Zeroizing::new(Vec::with_capacity(1024));
    file.take(SECRET_BYTES + 3).read_to_end(&mut bytes).map_err(failed)?;
    let weak = |what| SecretFileError::Weak { path: path.to_owned(), what };
    let text = std::str::from_utf8(&bytes).map_err(|_| weak(WeakSecret::NotText))?;
    let text = text.strip_suffix('\n').map_or(text, |text| text.strip_suffix('\r').unwrap_or(text));
    check_secret(text, purpose).map_err(weak)?;
    Ok(Secret::new(text.to_owned()))
}

fn check_owner(file: &File, path: &Path) -> Result<(), SecretFileError> {
    let facts = file.metadata().map_err(|cause| SecretFileError::Io { path: path.to_owned(), cause })?;
    if !facts.is_file() {
        return Err(SecretFileError::NotAFile { path: path.to_owned() });
    }
    let (owner, mode) = (facts.uid(), facts.mode() & 0o7777);
    if owner != 0 && owner != rustix::process::geteuid().as_raw() {
        return Err(SecretFileError::NotOurs { path: path.to_owned(), owner });
    }
    if mode & 0o077 != 0 {
        return Err(SecretFileError::Open { path: path.to_owned(), mode });
    }
    Ok(())
}

/// Says whether a text can be a secret at all.
///
/// # Errors
/// When it is empty, a placeholder, a pattern, too short, too long, or no single line of printable ASCII.
pub fn check_secret(text: &str, purpose: SecretUse) -> Result<(), WeakSecret> {
    if text.trim().is_empty() {
        return Err(WeakSecret::Empty);
    }
    if text.len() as u64 > SECRET_BYTES {
        return Err(WeakSecret::TooLong);
    }
    if !text.bytes().all(|byte| matches!(byte, 0x20..=0x7e)) {
        return Err(WeakSecret::NotText);
    }
    let letters: String = text.chars().filter(char::is_ascii_alphabetic).map(|c| c.to_ascii_lowercase()).collect();
    if PLACEHOLDERS.contains(&letters.as_str()) || is_repeated_placeholder(&letters) {
        return Err(WeakSecret::Placeholder);
    }
    let mut seen = [false; 256];
    text.bytes().for_each(|byte| {
        if let Some(seen) = seen.get_mut(usize::from(byte)) {
            *seen = true;
        }
    });
    if seen.iter().filter(|seen| **seen).count() < DIFFERENT_BYTES {
        return Err(WeakSecret::Pattern);
    }
    let least = purpose.least();
    if text.len() < least { Err(WeakSecret::Short { least }) } else { Ok(()) }
}

/// `changemechangemechangeme`: made long enough, and no better.
fn is_repeated_placeholder(letters: &str) -> bool {
    PLACEHOLDERS.iter().any(|word| {
        let times = letters.len() / word.len();
        times > 1 && letters.len() == times * word.len() && word.repeat(times) == letters
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn what_is_no_secret_is_refused() {
        let short = |least| Err(WeakSecret::Short { least });
        for (text, expected) in [
            ("8Jf2kQ0vXz91LmPw7RtYc3NdBs5HgUaE", Ok(())),
            ("", Err(WeakSecret::Empty)),
            ("   ", Err(WeakSecret::Empty)),
            ("changeme", Err(WeakSecret::Placeholder)),
            ("CHANGE_ME_1234567890-1234567890-1234567890", Err(WeakSecret::Placeholder)),
            ("changeme-changeme-changeme-changeme-changeme", Err(WeakSecret::Placeholder)),
            ("your-client-secret", Err(WeakSecret::Placeholder)),
            ("00000000000000000000000000000000", Err(WeakSecret::Pattern)),
            ("abcabcabcabcabcabcabcabcabcabcabcabcabc", Err(WeakSecret::Pattern)),
            ("xK3!q9Zt", short(32)),
            ("8Jf2kQ0vXz91LmPw7RtYc3NdBs5HgUa", short(32)),
            ("8Jf2kQ0vXz91LmPw\n7RtYc3NdBs5HgUaE", Err(WeakSecret::NotText)),
            ("8Jf2kQ0vXz91LmPw\u{e4}7RtYc3NdBs5HgUaE", Err(WeakSecret::NotText)),
        ] {
            assert_eq!(check_secret(text, SecretUse::Key), expected, "{text:?}");
        }
        assert_eq!(check_secret("8Jf2kQ0vXz91LmPw", SecretUse::Given), Ok(()));
        assert_eq!(check_secret("8Jf2kQ0vXz91LmP", SecretUse::Given), short(16));
        let long = "8Jf2kQ0vXz91LmPw".repeat(4096);
        assert_eq!(check_secret(&long, SecretUse::Key), Ok(()));
        assert_eq!(check_secret(&format!("{long}x"), SecretUse::Key), Err(WeakSecret::TooLong));
    }

    #[test]
    fn a_secret_comes_from_a_file_of_ours_alone() {
        let folder = std::env::temp_dir().join(format!("stockade-secret-{}", std::process::id()));
        fs::create_dir(&folder).unwrap();
        let path = folder.join("secret");
        let text = "8Jf2kQ0vXz91LmPw7RtYc3NdBs5HgUaE";
        for (content, mode, expected) in [
            (format!("{text}\n"), 0o600, "Secret(…)"),
            (format!("{text}\r\n"), 0o400, "Secret(…)"),
            (text.to_owned(), 0o600, "Secret(…)"),
            (text.to_owned(), 0o640, "Open"),
            (text.to_owned(), 0o604, "Open"),
            (text.to_owned(), 0o620, "Open"),
            ("changeme\n".to_owned(), 0o600, "Weak"),
            (format!("{text}\n\n"), 0o600, "Weak"),
        ] {
            fs::write(&path, &content).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let read = read_secret_file(&path, SecretUse::Key);
            let said = read.as_ref().map_or_else(|error| format!("{error:?}"), |secret| format!("{secret:?}"));
            assert!(said.starts_with(expected), "{content:?} {mode:o}: {said}");
            assert!(!said.contains("8Jf2"), "{said}");
            if let Ok(secret) = read {
                assert_eq!(secret.expose(), text);
            }
            fs::remove_file(&path).unwrap();
        }
        assert!(matches!(read_secret_file(&folder, SecretUse::Key), Err(SecretFileError::NotAFile { .. })));
        assert!(matches!(read_secret_file(&path, SecretUse::Key), Err(SecretFileError::Io { .. })));
        fs::remove_dir_all(&folder).unwrap();
    }
}
