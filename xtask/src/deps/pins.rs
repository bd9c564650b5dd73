//! The stamp of an installation: a digest of the files that pin it. Same digest, nothing to do.

use std::fmt::Write as _;
use std::io;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::{DepsError, file_error};

/// SHA-256 over names, lengths and bytes of the pinning files, in lower-case hexadecimal.
pub(super) fn digest(folder: &Path, names: &[&str]) -> Result<String, DepsError> {
    let mut hash = Sha256::new();
    for name in names {
        let path = folder.join(name);
        let bytes = std::fs::read(&path).map_err(|cause| file_error("read", &path, cause))?;
        hash.update(format!("{name}\0{}\0", bytes.len()));
        hash.update(&bytes);
    }
    Ok(hash.finalize().iter().fold(String::new(), |mut text, byte| {
        // Writing to a `String` cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    }))
}

pub(super) fn is_current(stamp: &Path, digest: &str) -> bool {
    std::fs::read_to_string(stamp).is_ok_and(|stamped| stamped.trim() == digest)
}

/// Before an installation begins, so that one that was interrupted is not taken for whole.
pub(super) fn forget(stamp: &Path) -> Result<(), DepsError> {
    match std::fs::remove_file(stamp) {
        Err(cause) if cause.kind() != io::ErrorKind::NotFound => Err(file_error("remove", stamp, cause)),
        _ => Ok(()),
    }
}

pub(super) fn write(stamp: &Path, digest: &str) -> Result<(), DepsError> {
    std::fs::write(stamp, format!("{digest}\n")).map_err(|cause| file_error("write", stamp, cause))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_pin_is_seen_and_an_interrupted_installation_is_not_whole() {
        let folder = std::env::temp_dir().join(format!("xtask-pins-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let stamp = folder.join("part.stamp");
        std::fs::write(folder.join("pins"), "a==1\n").unwrap();
        let first = digest(&folder, &["pins"]).unwrap();
        assert!(!is_current(&stamp, &first));
        write(&stamp, &first).unwrap();
        assert!(is_current(&stamp, &first));

        std::fs::write(folder.join("pins"), "a==2\n").unwrap();
        let second = digest(&folder, &["pins"]).unwrap();
        assert!(!is_current(&stamp, &second));

        forget(&stamp).unwrap();
        forget(&stamp).unwrap();
        assert!(!is_current(&stamp, &first));
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_missing_pin_file_is_named() {
        let error = digest(Path::new("no-such-folder"), &["pins"]).unwrap_err();
        assert_eq!(error.to_string(), "could not read `no-such-folder/pins`");
    }
}
