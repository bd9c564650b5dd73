//! The operations on files that the record is written with, behind a trait so that tests can make each of them fail.
//!
//! Must never: do more than one thing per method; what happens on a failure is the business of [`crate::writer`].

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

/// The mode of every file of the record: its owner alone.
pub(crate) const FILE_MODE: u32 = 0o600;

/// What a writer asks of the file system.
pub(crate) trait Files: Send + Sync {
    /// Makes a new file; one that exists is an error.
    fn create(&self, path: &Path) -> io::Result<File>;
    /// Opens a file that exists, for reading and writing.
    fn open(&self, path: &Path) -> io::Result<File>;
    /// Writes some of `bytes` at `offset` and says how many.
    fn write_at(&self, file: &File, bytes: &[u8], offset: u64) -> io::Result<usize>;
    /// Cuts the file.
    fn truncate(&self, file: &File, length: u64) -> io::Result<()>;
    /// Waits until the disk has the file's data and length.
    fn sync(&self, file: &File) -> io::Result<()>;
    /// Waits until the disk has the folder's list of files.
    fn sync_folder(&self, folder: &Path) -> io::Result<()>;
    /// Moves a file over another one.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Length and number of names of a file that is open.
    fn facts(&self, file: &File) -> io::Result<FileFacts>;
}

/// What tells whether somebody has cut or removed a file under us.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FileFacts {
    pub(crate) length: u64,
    pub(crate) names: u64,
}

/// The operating system's files.
#[derive(Debug)]
pub(crate) struct RealFiles;

impl Files for RealFiles {
    fn create(&self, path: &Path) -> io::Result<File> {
        OpenOptions::new().read(true).write(true).create_new(true).mode(FILE_MODE).open(path)
    }

    fn open(&self, path: &Path) -> io::Result<File> {
        OpenOptions::new().read(true).write(true).open(path)
    }

    fn write_at(&self, file: &File, bytes: &[u8], offset: u64) -> io::Result<usize> {
        file.write_at(bytes, offset)
    }

    fn truncate(&self, file: &File, length: u64) -> io::Result<()> {
        file.set_len(length)
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        file.sync_data()
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        File::open(folder)?.sync_all()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)
    }

    fn facts(&self, file: &File) -> io::Result<FileFacts> {
        file.metadata().map(|metadata| FileFacts { length: metadata.len(), names: metadata.nlink() })
    }
}

/// Writes the whole of `bytes` at `offset`.
pub(crate) fn write_all_at(files: &dyn Files, file: &File, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match files.write_at(file, bytes, offset) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => {
                bytes = bytes.get(written..).unwrap_or_default();
                offset += written as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
