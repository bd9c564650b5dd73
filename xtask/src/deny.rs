//! `cargo xtask deny`: licences, bans, sources and the floors of versions, by cargo-deny and `deny.toml`; and the list of all
//! that is built in, for those who keep a bill of materials.
//!
//! Must never: go on as if all were well when the tool is not there.

use crate::place::Place;
use crate::process::{ProcessError, Program};

/// The version that `deny.toml` was written for.
const VERSION: &str = "0.20.2";

/// Installs the tool into `.test-deps` where it is missing, and runs its checks. Advisories need a database from outside and
/// are checked only with `--advisories`.
pub(crate) fn run(place: &Place, with_advisories: bool) -> Result<(), ProcessError> {
    let home = place.root().join(".test-deps").join("cargo-deny");
    let program = home.join("bin").join("cargo-deny");
    if !Program::new(&program, &["--version"]).succeeds() {
        println!("installing cargo-deny {VERSION}, which takes some minutes");
        let root = home.to_string_lossy();
        let words = ["install", "cargo-deny", "--version", VERSION, "--locked", "--root", &root];
        Program::new("cargo", &words).inside(place.root()).show()?;
    }
    let mut words = vec!["check", "bans", "licenses", "sources"];
    if with_advisories {
        words.push("advisories");
    }
    Program::new(&program, &words).inside(place.root()).show()
}
