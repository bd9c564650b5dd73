//! Where things are in this checkout. Must never name a place outside it.

use std::path::{Path, PathBuf};

/// The folders of one checkout.
#[derive(Debug, Clone)]
pub struct Place {
    root: PathBuf,
}

impl Place {
    /// The checkout that this program was built from.
    #[must_use]
    pub fn of_this_workspace() -> Self {
        let package = Path::new(env!("CARGO_MANIFEST_DIR"));
        Self { root: package.parent().unwrap_or(package).to_path_buf() }
    }

    /// A checkout somewhere else, for tests.
    #[must_use]
    pub fn at(root: PathBuf) -> Self {
        Self { root }
    }

    /// The folder of the workspace.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Our own peers and their pins, committed.
    #[must_use]
    pub fn fixtures(&self) -> PathBuf {
        self.root.join("fixtures")
    }

    /// What was downloaded or made for tests; ignored by git, safe to delete.
    #[must_use]
    pub fn test_deps(&self) -> PathBuf {
        self.root.join(".test-deps")
    }

    /// The pinned Node.
    #[must_use]
    pub fn node(&self) -> PathBuf {
        let package = format!("node-linux-{}", if cfg!(target_arch = "aarch64") { "arm64" } else { "x64" });
        self.test_deps().join("node22/node_modules").join(package).join("bin/node")
    }

    /// The pinned Python environment's interpreter; the stock Python servers are beside it.
    #[must_use]
    pub fn python(&self) -> PathBuf {
        self.test_deps().join("python/bin/python")
    }
}
