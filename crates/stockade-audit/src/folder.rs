//! The audit folder: its mode, and the lock that lets one process alone append to it.
//!
//! Must never: trust the lock file's content for anything but a message; the lock itself is the kernel's and ends with its
//! holder, also after kill -9.

use crate::files::FILE_MODE;
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::time::Duration;

/// The mode of the folder: its owner alone.
const FOLDER_MODE: u32 = 0o700;
const LOCK_FILE: &str = "lock";
/// How often the lock is tried for; `verify` holds a shared one for an instant.
const LOCK_TRIES: u32 = 4;
const LOCK_PAUSE: Duration = Duration::from_millis(5);
/// Bytes of the lock file that are read for a message.
const LOCK_TEXT_LIMIT: u64 = 32;

/// Why the folder cannot be had.
#[derive(Debug)]
pub(crate) enum FolderProblem {
    Io(io::Error),
    NotAFolder,
    OfAnotherUser { owner: u32 },
    Locked { holder: Option<u32> },
}

/// Having one tells you: no other process appends to the folder while this value lives.
#[derive(Debug)]
pub(crate) struct FolderLock {
    _file: File,
}

/// Makes the folder if it is missing, and its mode 0700 if it is laxer.
pub(crate) fn prepare(folder: &Path) -> Result<(), FolderProblem> {
    DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(folder).map_err(FolderProblem::Io)?;
    let metadata = std::fs::metadata(folder).map_err(FolderProblem::Io)?;
    if !metadata.is_dir() {
        return Err(FolderProblem::NotAFolder);
    }
    if metadata.uid() != rustix::process::geteuid().as_raw() {
        return Err(FolderProblem::OfAnotherUser { owner: metadata.uid() });
    }
    if metadata.mode() & 0o7777 != FOLDER_MODE {
        std::fs::set_permissions(folder, Permissions::from_mode(FOLDER_MODE)).map_err(FolderProblem::Io)?;
    }
    Ok(())
}

/// Takes the lock, or says who has it.
pub(crate) fn lock(folder: &Path) -> Result<FolderLock, FolderProblem> {
    let path = folder.join(LOCK_FILE);
    let options = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(FILE_MODE).open(path);
    let mut file = options.map_err(FolderProblem::Io)?;
    let mut tries = LOCK_TRIES;
    while let Err(error) = flock(&file, FlockOperation::NonBlockingLockExclusive) {
        tries -= 1;
        match error {
            Errno::WOULDBLOCK if tries > 0 => std::thread::sleep(LOCK_PAUSE),
            Errno::WOULDBLOCK => return Err(FolderProblem::Locked { holder: holder(&file) }),
            other => return Err(FolderProblem::Io(other.into())),
        }
    }
    let named = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
    named.map_err(FolderProblem::Io)?;
    Ok(FolderLock { _file: file })
}

/// Whether some process holds the lock now.
pub(crate) fn is_locked(folder: &Path) -> bool {
    let Ok(file) = File::open(folder.join(LOCK_FILE)) else { return false };
    // Taken for an instant where nobody has it; `lock` tries more than once for that reason.
    flock(&file, FlockOperation::NonBlockingLockShared) == Err(Errno::WOULDBLOCK)
}

fn holder(file: &File) -> Option<u32> {
    let mut text = String::new();
    file.take(LOCK_TEXT_LIMIT).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}
