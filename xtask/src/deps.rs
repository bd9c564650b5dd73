//! What the end-to-end tests need besides Rust, installed at pinned versions into `.test-deps`: Node, the public
//! conformance suite, official clients and stock servers from npm, the Python client and servers from PyPI.
//!
//! Must never install a version that is not written down in `fixtures`, or change anything outside `.test-deps` except
//! the Debian packages and the link that it names before it acts.

mod pins;
mod system;

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::place::Place;
use crate::process::{ProcessError, Program};
pub use system::SystemError;

/// Longest time for one installation, download included.
const INSTALL_LIMIT: Duration = Duration::from_secs(15 * 60);

/// Why the test dependencies are not there.
#[derive(Debug, thiserror::Error)]
pub enum DepsError {
    /// A program that installs the rest is missing and could not be had.
    #[error("`{tool}` is needed for {part} and is not on this machine")]
    ToolMissing {
        /// The program.
        tool: &'static str,
        /// What it is needed for.
        part: &'static str,
        /// Why it could not be installed.
        #[source]
        cause: SystemError,
    },
    /// npm or pip failed.
    #[error("could not install {part}; fix: {fix}; the whole log is {log}")]
    InstallFailed {
        /// What was to be installed.
        part: &'static str,
        /// What to do.
        fix: &'static str,
        /// Where everything it said is, from the workspace's folder.
        log: String,
        /// What it said last.
        #[source]
        cause: ProcessError,
    },
    /// The installation succeeded and yet what it is for is not there.
    #[error(
        "{part} was installed, but `{missing}` is not there: npm leaves out what it cannot fetch and what does not fit \
         this machine; fix: check that it reaches its npm registry and is Linux on x64 or arm64, then run \
         `cargo xtask deps` again"
    )]
    Incomplete {
        /// What was installed.
        part: &'static str,
        /// What should be there.
        missing: String,
    },
    /// A file could not be read or written.
    #[error("could not {act} `{path}`")]
    File {
        /// What was tried.
        act: &'static str,
        /// With which file.
        path: String,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
}

/// One thing that is installed as a whole: files that pin it, a folder it goes to, a file that proves it is there.
struct Part {
    name: &'static str,
    fixture: &'static str,
    pin_files: &'static [&'static str],
    folder: &'static str,
    proof: fn(&Place) -> PathBuf,
    install: fn(&Place, &Part) -> Result<(), DepsError>,
}

const NPM_PINS: &[&str] = &["package.json", "package-lock.json", ".npmrc"];

const PARTS: &[Part] = &[
    Part {
        name: "Node 22",
        fixture: "node-runtime",
        pin_files: NPM_PINS,
        folder: "node22",
        proof: Place::node,
        install: install_with_npm,
    },
    Part {
        name: "the conformance suite, clients and servers from npm",
        fixture: "node",
        pin_files: NPM_PINS,
        folder: "node",
        proof: |place| place.fixtures().join("node/node_modules/@modelcontextprotocol/conformance/dist/index.js"),
        install: install_node_packages,
    },
    Part {
        name: "the client and servers from PyPI",
        fixture: "python",
        pin_files: &["requirements.txt"],
        folder: "python",
        proof: Place::python,
        install: install_python_packages,
    },
];

/// Installs what is missing or whose pins changed; says nothing when there is nothing to do.
///
/// # Errors
/// [`DepsError`], with what happened, why and what to do; what was installed before it stays.
pub fn install(place: &Place) -> Result<(), DepsError> {
    system::need("openssl", &["version"], &["openssl"], "the tests of TLS")?;
    system::need("curl", &["--version"], &["curl"], "the tests of TLS")?;
    for part in PARTS {
        let digest = pins::digest(&place.fixtures().join(part.fixture), part.pin_files)?;
        let stamp = place.test_deps().join(format!("{}.stamp", part.folder));
        if pins::is_current(&stamp, &digest) && (part.proof)(place).exists() {
            continue;
        }
        let began = Instant::now();
        eprintln!("installing {} into .test-deps/{}", part.name, part.folder);
        pins::forget(&stamp)?;
        (part.install)(place, part)?;
        let proof = (part.proof)(place);
        if !proof.exists() {
            let missing = relative(place, &proof);
            return Err(DepsError::Incomplete { part: part.name, missing });
        }
        pins::write(&stamp, &digest)?;
        eprintln!("installed {} in {:.0} s", part.name, began.elapsed().as_secs_f64());
    }
    Ok(())
}

/// Copies the pins into the part's folder and lets npm install exactly what the lock file says.
fn install_with_npm(place: &Place, part: &Part) -> Result<(), DepsError> {
    system::need("npm", &["--version"], &["nodejs", "npm"], "what comes from npm")?;
    let folder = place.test_deps().join(part.folder);
    std::fs::create_dir_all(&folder).map_err(|cause| file_error("make the folder", &folder, cause))?;
    for name in part.pin_files {
        let from = place.fixtures().join(part.fixture).join(name);
        let to = folder.join(name);
        std::fs::copy(&from, &to).map_err(|cause| file_error("copy", &from, cause))?;
    }
    let npm = Program::new("npm", &["ci", "--no-progress", "--loglevel=error"]).inside(&folder);
    logged(place, part, npm, "check that this machine reaches its npm registry, then run `cargo xtask deps` again")
}

/// The drivers in `fixtures/node` import by package name, and Node looks for packages beside the importing file.
fn install_node_packages(place: &Place, part: &Part) -> Result<(), DepsError> {
    install_with_npm(place, part)?;
    let link = place.fixtures().join("node/node_modules");
    let target = Path::new("../../.test-deps/node/node_modules");
    if std::fs::read_link(&link).is_ok_and(|now| now == target) {
        return Ok(());
    }
    eprintln!("linking fixtures/node/node_modules to .test-deps/node/node_modules");
    std::os::unix::fs::symlink(target, &link).map_err(|cause| file_error("make the link", &link, cause))
}

/// A fresh virtual environment with exactly what `requirements.txt` says.
fn install_python_packages(place: &Place, part: &Part) -> Result<(), DepsError> {
    const FIX: &str = "check that this machine reaches its Python package index and has Python 3.10 or newer, then run `cargo xtask deps` again";
    system::need("python3", &["-c", "import ensurepip, venv"], &["python3", "python3-venv"], "what comes from PyPI")?;
    system::need("git", &["--version"], &["git"], "the server `mcp-server-git`")?;
    let folder = place.test_deps().join(part.folder);
    let wanted = place.fixtures().join(part.fixture).join("requirements.txt");
    let venv = Program::new("python3", &["-m", "venv", "--clear", &folder.to_string_lossy()]);
    logged(place, part, venv, FIX)?;
    let arguments = ["-m", "pip", "install", "--disable-pip-version-check", "--requirement", &wanted.to_string_lossy()];
    logged(place, part, Program::new(place.python(), &arguments), FIX)
}

fn logged(place: &Place, part: &Part, program: Program, fix: &'static str) -> Result<(), DepsError> {
    let log = place.test_deps().join(format!("logs/{}.log", part.folder));
    program.log(&log, INSTALL_LIMIT).map_err(|cause| DepsError::InstallFailed {
        part: part.name,
        fix,
        log: relative(place, &log),
        cause,
    })
}

fn relative(place: &Place, path: &Path) -> String {
    path.strip_prefix(place.root()).unwrap_or(path).display().to_string()
}

fn file_error(act: &'static str, path: &Path, cause: io::Error) -> DepsError {
    DepsError::File { act, path: path.display().to_string(), cause }
}
