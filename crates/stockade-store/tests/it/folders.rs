//! The data folder: private, of one process, of one format.

use crate::support::{Scratch, add, mode, set_mode};
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{chown, symlink};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use stockade_store::{DataFolder, DataFolderError};

/// Folders 0700, files 0600, whatever there is.
fn check_private(path: &Path) -> usize {
    let facts = fs::symlink_metadata(path).unwrap();
    assert_eq!(mode(path), if facts.is_dir() { 0o700 } else { 0o600 }, "{path:?}");
    let inner = if facts.is_dir() { fs::read_dir(path).unwrap().collect() } else { Vec::new() };
    1 + inner.into_iter().map(|entry| check_private(&entry.unwrap().path())).sum::<usize>()
}

#[test]
fn everything_in_a_new_folder_is_its_owners_alone() {
    let scratch = Scratch::new();
    let folder = DataFolder::open(&scratch.data()).unwrap();
    assert!(!folder.was_tightened());
    let keys = scratch.keys();
    add(&keys, "alice", 1);
    // The database has files beside it while it is open.
    let seen = check_private(&scratch.data());
    assert!(seen >= 9, "{seen} files and folders");
    drop(keys);
    check_private(&scratch.data());
    assert!(folder.audit().is_dir());
}

#[test]
fn a_folder_that_others_can_read_is_closed_to_them() {
    for inner in ["", "keys", "audit"] {
        let scratch = Scratch::new();
        drop(DataFolder::open(&scratch.data()).unwrap());
        set_mode(&scratch.data().join(inner), 0o755);
        let folder = DataFolder::open(&scratch.data()).unwrap();
        assert!(folder.was_tightened());
        assert_eq!(mode(&scratch.data().join(inner)), 0o700);
    }
}

#[test]
fn a_folder_that_others_can_write_is_refused_and_left_alone() {
    for (inner, open) in [("", 0o1777), ("", 0o770), ("keys", 0o702), ("audit", 0o720)] {
        let scratch = Scratch::new();
        drop(DataFolder::open(&scratch.data()).unwrap());
        let path = scratch.data().join(inner);
        set_mode(&path, open);
        let refused = DataFolder::open(&scratch.data()).unwrap_err();
        assert!(matches!(refused, DataFolderError::OpenToOthers { mode, .. } if mode == open), "{refused}");
        assert_eq!(mode(&path), open);
    }
}

#[test]
fn what_is_no_folder_of_ours_is_refused() {
    let scratch = Scratch::new();
    fs::write(scratch.data(), "a file").unwrap();
    assert!(DataFolder::open(&scratch.data()).is_err());
    fs::remove_file(scratch.data()).unwrap();
    symlink(scratch.path(), scratch.data()).unwrap();
    assert!(matches!(DataFolder::open(&scratch.data()), Err(DataFolderError::NotAFolder { .. })));
    fs::remove_file(scratch.data()).unwrap();
    drop(DataFolder::open(&scratch.data()).unwrap());
    fs::remove_dir(scratch.data().join("keys")).unwrap();
    symlink(scratch.path(), scratch.data().join("keys")).unwrap();
    assert!(matches!(DataFolder::open(&scratch.data()), Err(DataFolderError::NotAFolder { .. })));
}

#[test]
fn a_folder_of_another_user_is_refused() {
    // Somebody else's folder: one that we give away, or, without the right to, the root of the file system.
    let scratch = Scratch::new();
    fs::create_dir(scratch.data()).unwrap();
    let path = if chown(scratch.data(), Some(12345), None).is_ok() { scratch.data() } else { "/".into() };
    assert!(matches!(DataFolder::open(&path), Err(DataFolderError::NotOurs { .. })));
}

#[test]
fn an_unknown_format_is_refused_and_an_unfinished_start_is_finished() {
    let scratch = Scratch::new();
    drop(DataFolder::open(&scratch.data()).unwrap());
    let format = scratch.data().join("format");
    let ours = fs::read(&format).unwrap();
    for theirs in ["stockade data folder, format 2\n", "something else"] {
        fs::write(&format, theirs).unwrap();
        assert!(matches!(DataFolder::open(&scratch.data()), Err(DataFolderError::UnknownFormat { .. })));
    }
    fs::write(&format, "").unwrap();
    DataFolder::open(&scratch.data()).unwrap();
    assert_eq!(fs::read(&format).unwrap(), ours);
}

#[expect(clippy::disallowed_methods, reason = "the test needs a second process, and one that it can kill")]
fn hold(path: &Path) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_store-stand-in"));
    command.arg(path).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

#[test]
fn one_process_has_the_folder_until_it_ends_however_it_ends() {
    let scratch = Scratch::new();
    let mut first = hold(&scratch.data());
    let mut line = String::new();
    BufReader::new(first.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "held\n");
    let Err(DataFolderError::InUse { process, .. }) = DataFolder::open(&scratch.data()) else { panic!("held twice") };
    assert_eq!(process, Some(first.id()));
    let second = hold(&scratch.data()).wait_with_output().unwrap();
    let words = String::from_utf8(second.stderr).unwrap();
    assert!(!second.status.success() && words.contains("stop that one"), "{words}");
    // A command may look into it meanwhile.
    DataFolder::beside(&scratch.data()).unwrap();
    first.kill().unwrap();
    first.wait().unwrap();
    drop(DataFolder::open(&scratch.data()).unwrap());
    DataFolder::open(&scratch.data()).unwrap();
}
