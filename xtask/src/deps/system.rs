//! Programs that the installation itself needs. Taken from the machine; else from Debian packages, after saying so.

use std::time::Duration;

use super::DepsError;
use crate::process::{ProcessError, Program};

/// Longest time for apt-get, download included.
const APT_LIMIT: Duration = Duration::from_secs(10 * 60);

/// Why a program could not be had from Debian packages.
#[derive(Debug, thiserror::Error)]
pub enum SystemError {
    /// Another kind of system.
    #[error("this machine has no apt-get; fix: install `{packages}` the way this system does, then try again")]
    NoApt {
        /// What Debian calls them.
        packages: String,
    },
    /// We may not install.
    #[error("installing needs root; fix: run `apt-get install {packages}` as root, then try again")]
    NotRoot {
        /// What Debian calls them.
        packages: String,
    },
    /// apt-get failed.
    #[error("apt-get could not install `{packages}`; fix: run `apt-get update`, check the network, then try again")]
    AptFailed {
        /// What Debian calls them.
        packages: String,
        /// What it said last.
        #[source]
        cause: ProcessError,
    },
    /// apt-get succeeded and the program still does not work.
    #[error("`{packages}` are installed, but the program still does not run; fix: try it by hand")]
    StillBroken {
        /// What Debian calls them.
        packages: String,
    },
}

/// Makes sure that `tool` with `probe` as its arguments succeeds.
pub(super) fn need(tool: &'static str, probe: &[&str], packages: &[&str], part: &'static str) -> Result<(), DepsError> {
    if Program::new(tool, probe).succeeds() {
        return Ok(());
    }
    eprintln!("`{tool}` is missing; installing the Debian packages {} with apt-get", packages.join(", "));
    from_debian(tool, probe, packages).map_err(|cause| DepsError::ToolMissing { tool, part, cause })
}

fn from_debian(tool: &str, probe: &[&str], packages: &[&str]) -> Result<(), SystemError> {
    let named = packages.join(" ");
    if !Program::new("apt-get", &["--version"]).succeeds() {
        return Err(SystemError::NoApt { packages: named });
    }
    let root = Program::new("id", &["-u"]).read().is_ok_and(|id| id.trim() == "0");
    if !root && !Program::new("sudo", &["-n", "true"]).succeeds() {
        return Err(SystemError::NotRoot { packages: named });
    }
    let log = std::env::temp_dir().join(format!("xtask-apt-{}.log", std::process::id()));
    let mut install = vec!["apt-get", "install", "--yes", "--no-install-recommends"];
    install.extend_from_slice(packages);
    let outcome = as_root(root, &["apt-get", "update"], &log).and_then(|()| as_root(root, &install, &log));
    // The log's end is in the error; the file itself is of no more use.
    let _ = std::fs::remove_file(&log);
    outcome.map_err(|cause| SystemError::AptFailed { packages: named.clone(), cause })?;
    if Program::new(tool, probe).succeeds() { Ok(()) } else { Err(SystemError::StillBroken { packages: named }) }
}

fn as_root(root: bool, words: &[&str], log: &std::path::Path) -> Result<(), ProcessError> {
    let mut all = if root { vec!["env"] } else { vec!["sudo", "-n", "env"] };
    all.push("DEBIAN_FRONTEND=noninteractive");
    all.extend_from_slice(words);
    let (program, arguments) = all.split_first().unwrap_or((&"env", &[]));
    Program::new(program, arguments).log(log, APT_LIMIT)
}
