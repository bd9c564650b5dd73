//! The data folder: made private, kept private, used by one process at a time.

use crate::key_ring::OsEntropy;
use rustix::fs::{FlockOperation, Mode, OFlags, flock};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use stockade_core::ports::Entropy;

/// What the `format` file says.
const FORMAT: &str = "stockade data folder, format 1\n";

/// Why a data folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DataFolderError {
    /// Something could not be made or read.
    #[error("could not {what} `{}`; check that the folder is writable and the disk is not full", .path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        cause: io::Error,
    },
    /// It belongs to somebody else, who could read and change what is in it.
    #[error("`{}` belongs to user {owner}, not to user {us}; choose another folder with --data or change its owner", .path.display())]
    NotOurs {
        /// The folder.
        path: PathBuf,
        /// Its owner.
        owner: u32,
        /// Who we are.
        us: u32,
    },
    /// Others could have put something in it, or could do so.
    #[error(
        "others can write to `{}` (mode {mode:o}); look whether everything in it is yours, then `chmod 700` it, or choose another folder with --data",
        .path.display()
    )]
    OpenToOthers {
        /// The folder.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// It is a link or no folder at all.
    #[error("`{}` is not a folder; choose another one with --data", .path.display())]
    NotAFolder {
        /// What is there.
        path: PathBuf,
    },
    /// Another process uses it.
    #[error("`{}` is in use by another stockade{}; stop that one or choose another folder with --data", .path.display(), .process.map(|id| format!(" (process {id})")).unwrap_or_default())]
    InUse {
        /// The folder.
        path: PathBuf,
        /// The other process, if it has said so.
        process: Option<u32>,
    },
    /// It was made by another version.
    #[error("`{}` has a format that this version does not know; use the version that made it, or another folder", .path.display())]
    UnknownFormat {
        /// The folder.
        path: PathBuf,
    },
}

/// A data folder, locked for this process while the value lives.
#[derive(Debug)]
pub struct DataFolder {
    path: PathBuf,
    /// Nothing for a folder that is only looked into.
    _lock: Option<File>,
    tightened: bool,
}

impl DataFolder {
    /// Makes the folder if it is missing and takes it for this process. Folders get mode 0700, files 0600; a folder that
    /// others could read is closed to them. One that others can write is refused and left as it is: it may be `/tmp`.
    ///
    /// # Errors
    /// When it is not ours alone, is in use, or has an unknown format.
    pub fn open(path: &Path) -> Result<Self, DataFolderError> {
        let mut folder = Self::prepare(path)?;
        let file = folder.path.join("lock");
        let mut lock = private().read(true).write(true).create(true).truncate(false).open(&file);
        let lock = lock.as_mut().map_err(|error| failed("open", &file, copy(error)))?;
        if flock(&*lock, FlockOperation::NonBlockingLockExclusive).is_err() {
            let mut text = String::new();
            let _ = lock.take(20).read_to_string(&mut text);
            return Err(DataFolderError::InUse { path: folder.path, process: text.trim().parse().ok() });
        }
        let written = lock.set_len(0).and_then(|()| write!(lock, "{}", std::process::id()));
        written.map_err(|error| failed("write", &file, error))?;
        folder._lock = Some(lock.try_clone().map_err(|error| failed("open", &file, error))?);
        Ok(folder)
    }

    /// The same folder for a command beside the process that holds it: made if missing, not locked.
    ///
    /// # Errors
    /// As [`Self::open`], but for being in use.
    pub fn beside(path: &Path) -> Result<Self, DataFolderError> {
        Self::prepare(path)
    }

    fn prepare(path: &Path) -> Result<Self, DataFolderError> {
        let path = std::path::absolute(path).map_err(|error| failed("find", path, error))?;
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(&path);
        made.map_err(|error| failed("make", &path, error))?;
        let facts = fs::symlink_metadata(&path).map_err(|error| failed("read", &path, error))?;
        if !facts.is_dir() {
            return Err(DataFolderError::NotAFolder { path });
        }
        let mut tightened = tighten(&path, &facts)?;
        check_format(&path)?;
        for name in ["keys", "audit"] {
            let inner = path.join(name);
            match fs::DirBuilder::new().mode(0o700).create(&inner) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    let facts = fs::symlink_metadata(&inner).map_err(|error| failed("read", &inner, error))?;
                    if !facts.is_dir() {
                        return Err(DataFolderError::NotAFolder { path: inner });
                    }
                    tightened |= tighten(&inner, &facts)?;
                }
                Err(error) => return Err(failed("make", &inner, error)),
            }
        }
        Ok(Self { path, _lock: None, tightened })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The folder of the record.
    #[must_use]
    pub fn audit(&self) -> PathBuf {
        self.path.join("audit")
    }

    /// True if the folder was open to others and is no longer.
    #[must_use]
    pub const fn was_tightened(&self) -> bool {
        self.tightened
    }

    pub(crate) fn root_key(&self) -> PathBuf {
        self.path.join("keys").join("root.key")
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.path.join("state.db")
    }
}

/// Closes a folder of ours to those who could read it.
fn tighten(path: &Path, facts: &fs::Metadata) -> Result<bool, DataFolderError> {
    let (us, mode) = (rustix::process::geteuid().as_raw(), facts.mode() & 0o7777);
    if facts.uid() != us {
        return Err(DataFolderError::NotOurs { path: path.to_owned(), owner: facts.uid(), us });
    }
    if mode & 0o022 != 0 {
        return Err(DataFolderError::OpenToOthers { path: path.to_owned(), mode });
    }
    if mode & 0o077 == 0 {
        return Ok(false);
    }
    let private = fs::Permissions::from_mode(0o700);
    fs::set_permissions(path, private).map_err(|error| failed("close to others", path, error))?;
    Ok(true)
}

fn check_format(folder: &Path) -> Result<(), DataFolderError> {
    let path = folder.join("format");
    match fs::read_to_string(&path) {
        Ok(text) if text == FORMAT => Ok(()),
        // A file that was made and not yet written is one of a start that was cut off.
        Ok(text) if !text.is_empty() => Err(DataFolderError::UnknownFormat { path: folder.to_owned() }),
        Ok(_) => write_format(&path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => write_format(&path),
        Err(error) => Err(failed("read", &path, error)),
    }
}

fn write_format(path: &Path) -> Result<(), DataFolderError> {
    let file = private().write(true).create(true).truncate(true).open(path);
    let written = file.and_then(|mut file| file.write_all(FORMAT.as_bytes()).and_then(|()| file.sync_all()));
    written.map_err(|error| failed("write", path, error))
}

/// Options for files that nobody else may read, and that are never reached through a link.
pub(crate) fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    let flags = i32::try_from((OFlags::NOFOLLOW | OFlags::CLOEXEC).bits()).unwrap_or(0);
    let mode = (Mode::RUSR | Mode::WUSR).bits();
    options.mode(mode).custom_flags(flags);
    options
}

/// A name beside `path` that nobody else uses, for a file that is linked into its place once it is whole.
pub(crate) fn draft_of(path: &Path) -> PathBuf {
    let mut random = [0; 8];
    OsEntropy.fill(&mut random);
    path.with_extension(format!("{:016x}.new", u64::from_le_bytes(random)))
}

fn failed(what: &'static str, path: &Path, cause: io::Error) -> DataFolderError {
    DataFolderError::Io { what, path: path.to_owned(), cause }
}

fn copy(error: &io::Error) -> io::Error {
    io::Error::from(error.kind())
}
