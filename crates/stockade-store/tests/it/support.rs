//! A scratch folder.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use stockade_store::{ApiKeys, DataFolder, KeyRing};

/// A folder that goes when it is dropped; the data folder is inside.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let name = format!("stockade-store-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.0.join("data")
    }

    pub(crate) fn root_key(&self) -> PathBuf {
        self.data().join("keys/root.key")
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.data().join("state.db")
    }

    pub(crate) fn folder(&self) -> DataFolder {
        DataFolder::beside(&self.data()).unwrap()
    }

    pub(crate) fn ring(&self) -> KeyRing {
        KeyRing::open(&self.folder()).unwrap()
    }

    pub(crate) fn keys(&self) -> ApiKeys {
        ApiKeys::open(&self.folder(), &self.ring()).unwrap()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub(crate) fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
}

pub(crate) fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}
