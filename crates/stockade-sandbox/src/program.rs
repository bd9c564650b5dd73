//! From the name of a program to the one file that will run.
//!
//! **For:** the search happens once, here, by rules that can be read, and its result is absolute.
//!
//! **Never:** searches the working directory, an empty or relative entry of `PATH`, or the gateway's own `PATH`.
//!
//! **On the road:** before it, at the start of a server.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, AtFlags, CWD, accessat};

/// Most entries of a `PATH` that are searched.
const PATH_ENTRY_LIMIT: usize = 256;

/// Why a program was not found.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProgramError {
    /// The name is empty.
    #[error("the command is empty; name the program to run")]
    Empty,
    /// A relative path came with a base directory that is not absolute.
    #[error("`{}` is relative to `{}`, which is not an absolute path; give the command as an absolute path",
        .program.escape_debug(), .base_directory.display().to_string().escape_debug())]
    RelativeBase {
        /// What was asked for.
        program: String,
        /// What it should have been relative to.
        base_directory: PathBuf,
    },
    /// A path was given, and there is no such file.
    #[error("there is no file `{}`; correct the path of the command", .path.display().to_string().escape_debug())]
    Missing {
        /// The absolute path that was looked at.
        path: PathBuf,
    },
    /// The file is there, but it is a folder or this user may not execute it.
    #[error("`{}` is not an executable file; give the path of a program, or make it executable with `chmod +x`",
        .path.display().to_string().escape_debug())]
    NotExecutable {
        /// The absolute path that was looked at.
        path: PathBuf,
    },
    /// A bare name, and the server's environment has no `PATH` with an absolute entry.
    #[error("`{}` cannot be searched: the server's environment has no `PATH` with an absolute folder; \
        add one, or give the command as an absolute path", .program.escape_debug())]
    NoSearchPath {
        /// What was asked for.
        program: String,
    },
    /// A bare name that no folder of `PATH` holds.
    #[error("no program `{}` in {}; install it, or give the command as an absolute path",
        .program.escape_debug(), folders(.searched))]
    NotFound {
        /// What was asked for.
        program: String,
        /// The folders that were searched, in order.
        searched: Vec<PathBuf>,
    },
}

/// Finds the file for `program`, as an absolute path. Symbolic links stay as they are: tools like `busybox` and virtual
/// environments of Python depend on the name by which they are called.
///
/// - An absolute path is taken as it is.
/// - A path with a slash is relative to `base_directory` (the folder of the configuration, say).
/// - A bare name is searched in `search_path` (the value of the server's `PATH`), first match wins. Only absolute
///   entries count, at most 256 of them: empty and relative ones mean the working directory, where anybody can put a `node`.
///
/// # Errors
/// Says what was looked for, where, and what to do about it.
pub fn resolve_program(
    program: &OsStr,
    base_directory: &Path,
    search_path: Option<&OsStr>,
) -> Result<PathBuf, ProgramError> {
    if program.is_empty() {
        return Err(ProgramError::Empty);
    }
    if program.as_bytes().contains(&b'/') {
        if !Path::new(program).is_absolute() && !base_directory.is_absolute() {
            return Err(ProgramError::RelativeBase {
                program: program.to_string_lossy().into_owned(),
                base_directory: base_directory.to_owned(),
            });
        }
        return check_file(base_directory.join(program));
    }
    search(program, search_path)
}

fn check_file(path: PathBuf) -> Result<PathBuf, ProgramError> {
    // A dangling link, a missing folder and a folder without permission all mean the same here: nothing to run.
    match path.metadata() {
        Err(_) => Err(ProgramError::Missing { path }),
        Ok(_) if !is_executable_file(&path) => Err(ProgramError::NotExecutable { path }),
        Ok(_) => Ok(path),
    }
}

fn search(program: &OsStr, search_path: Option<&OsStr>) -> Result<PathBuf, ProgramError> {
    let folders: Vec<PathBuf> = search_path
        .map(OsStr::as_bytes)
        .unwrap_or_default()
        .split(|byte| *byte == b':')
        .filter(|entry| entry.starts_with(b"/"))
        .take(PATH_ENTRY_LIMIT)
        .map(|entry| PathBuf::from(OsString::from(OsStr::from_bytes(entry))))
        .collect();
    let name = program.to_string_lossy().into_owned();
    if folders.is_empty() {
        return Err(ProgramError::NoSearchPath { program: name });
    }
    // `.` and `..` are bare names too; joined to a folder they are folders and never pass as executable files.
    match folders.iter().map(|folder| folder.join(program)).find(|path| is_executable_file(path)) {
        Some(path) => Ok(path),
        None => Err(ProgramError::NotFound { program: name, searched: folders }),
    }
}

fn is_executable_file(path: &Path) -> bool {
    // With the effective identity, because that is the one `execve` looks at.
    path.is_file() && accessat(CWD, path, Access::EXEC_OK, AtFlags::EACCESS).is_ok()
}

fn folders(searched: &[PathBuf]) -> String {
    let quoted: Vec<String> =
        searched.iter().map(|folder| format!("`{}`", folder.display().to_string().escape_debug())).collect();
    quoted.join(", ")
}
