//! Which file a command means (LO-07).

use std::ffi::OsStr;
use std::path::Path;

use stockade_sandbox::resolve_program;

use crate::support::{Folder, spec, whole_output};

#[track_caller]
fn check(program: &str, base: &Path, path: Option<&str>, expected: Result<&Path, &str>) {
    let found = resolve_program(OsStr::new(program), base, path.map(OsStr::new)).map_err(|error| error.to_string());
    match (&found, expected) {
        (Ok(found), Ok(expected)) => assert_eq!(found, expected),
        (Err(error), Err(part)) => assert!(error.contains(part), "{error}"),
        _ => panic!("{found:?} instead of {expected:?}"),
    }
}

#[test]
fn the_first_folder_of_path_with_an_executable_file_wins() {
    let folder = Folder::new();
    let base = folder.0.as_path();
    folder.file("a/tool", "", 0o644);
    std::fs::create_dir_all(base.join("b/tool")).unwrap();
    let third = folder.file("c/tool", "", 0o755);
    folder.file("d/tool", "", 0o755);
    let path: Vec<String> = ["a", "b", "c", "d"].iter().map(|name| format!("{}/{name}", base.display())).collect();
    check("tool", base, Some(&path.join(":")), Ok(&third));
    check("other", base, Some(&path[..2].join(":")), Err("no program `other` in"));
    check("other", base, Some(&path[..2].join(":")), Err(&path[1]));
    check("..", base, Some(&path[0]), Err("no program"));
}

#[test]
fn empty_and_relative_entries_of_path_are_never_searched() {
    let folder = Folder::new();
    let base = folder.0.as_path();
    folder.file("tool", "", 0o755);
    for path in ["", ":", ".", "./", "::.:", "bin", ".."] {
        check("tool", base, Some(path), Err("no `PATH` with an absolute folder"));
    }
    check("tool", base, None, Err("no `PATH` with an absolute folder"));
    check("tool", base, Some("::/nowhere:."), Err("no program `tool` in `/nowhere`; install it"));
}

#[test]
fn a_path_is_relative_to_the_given_base_only() {
    let folder = Folder::new();
    let base = folder.0.as_path();
    let tool = folder.file("bin/tool", "", 0o755);
    let plain = folder.file("bin/plain", "", 0o644);
    check("bin/tool", base, None, Ok(&tool));
    check(tool.to_str().unwrap(), Path::new("relative"), None, Ok(&tool));
    check("bin/tool", Path::new("relative"), None, Err("not an absolute path"));
    check("bin/none", base, None, Err("there is no file"));
    check("bin/", base, None, Err("is not an executable file"));
    check(plain.to_str().unwrap(), base, None, Err("chmod +x"));
    check("", base, Some("/bin"), Err("the command is empty"));
    check("bin/\u{1b}[2J", base, None, Err("\\u{1b}[2J"));
}

#[tokio::test]
async fn the_working_directory_is_not_searched_at_start() {
    let folder = Folder::new();
    folder.file("pwd", "#!/bin/sh\necho hijacked\n", 0o755);
    let mut spec = spec("pwd", &[]);
    spec.environment = vec![("PATH".into(), ":.:/bin".into())];
    spec.working_directory = Some(folder.0.clone());
    spec.base_directory = folder.0.clone();
    assert_eq!(whole_output(&spec).await.trim_end(), folder.0.to_str().unwrap());
}

#[tokio::test]
async fn the_path_of_the_spec_counts_and_not_that_of_this_process() {
    let mut spec = spec("env", &[]);
    spec.environment = vec![("PATH".into(), "/nowhere".into())];
    let error = crate::support::launcher().start(&spec).await.unwrap_err();
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert_eq!(source, "no program `env` in `/nowhere`; install it, or give the command as an absolute path");
}
