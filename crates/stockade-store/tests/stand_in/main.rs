//! Stands in for the gateway in the tests of this crate: takes a data folder, says `held` or why not, and keeps the folder
//! until its standard input ends or it is killed.

use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use stockade_store::DataFolder;

fn main() -> ExitCode {
    let Some(path) = std::env::args_os().nth(1).map(PathBuf::from) else { return ExitCode::from(2) };
    let folder = DataFolder::open(&path);
    let word = folder.as_ref().map_or_else(ToString::to_string, |_| "held".to_owned());
    if folder.is_err() || writeln!(std::io::stdout(), "{word}").is_err() {
        let _ = writeln!(std::io::stderr(), "{word}");
        return ExitCode::FAILURE;
    }
    let _ = std::io::stdin().read(&mut [0; 1]);
    drop(folder);
    ExitCode::SUCCESS
}
