//! `stockade users`, end to end.

use crate::program::Program;
use serde_json::Value;
use std::os::unix::fs::PermissionsExt;

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn a_user_is_added_listed_and_removed_and_their_password_is_shown_once() {
    let program = Program::new();
    let made = program.run(&["users", "add", "alice", "--json", "--data", "data"]);
    assert_eq!((made.code, made.stderr.as_str()), (Some(0), ""), "{made:?}");
    let password = json(&made.stdout)["password"].as_str().unwrap().to_owned();
    assert_eq!(password.len(), 22, "{made:?}");
    let second = program.run_with(
        &["users", "add", "bob", "--password-stdin", "--data", "data"],
        b"correct horse battery staple\nnot this line\n",
    );
    assert_eq!((second.code, second.stdout.as_str()), (Some(0), ""), "{second:?}");
    assert!(second.stderr.contains("user `bob` was added"), "{second:?}");
    let third = program.run(&["users", "password", "alice", "--data", "data"]);
    assert_eq!((third.code, third.stdout.trim().len()), (Some(0), 22), "{third:?}");
    assert_ne!(third.stdout.trim(), password);

    let listed = program.run(&["users", "list", "--json", "--data", "data"]);
    let names: Vec<Value> = listed.stdout.lines().map(|line| json(line)["name"].clone()).collect();
    assert_eq!(names, ["alice", "bob"], "{listed:?}");
    let removed = program.run(&["users", "remove", "bob", "--data", "data"]);
    assert_eq!((removed.code, removed.stdout.as_str()), (Some(0), ""), "{removed:?}");
    let listed = program.run(&["users", "list", "--data", "data"]);
    assert_eq!(listed.stdout.lines().count(), 1, "{listed:?}");
    assert!(listed.stdout.starts_with("alice  added 20"), "{listed:?}");

    let database = program.folder.path().join("data/issuer.db");
    assert_eq!(std::fs::metadata(&database).unwrap().permissions().mode() & 0o777, 0o600);
    let content = std::fs::read(&database).unwrap();
    for secret in [password.as_bytes(), b"correct horse battery staple"] {
        assert!(!content.windows(secret.len()).any(|part| part == secret));
    }
}

#[test]
fn what_is_wrong_with_a_user_is_explained() {
    let program = Program::new();
    let check = |arguments: &[&str], input: &[u8], code: i32, words: &str| {
        let said = program.run_with(&[arguments, &["--data", "data"]].concat(), input);
        assert_eq!((said.code, said.stdout.as_str()), (Some(code), ""), "{said:?}");
        assert!(said.stderr.contains(words), "{said:?}");
    };
    check(&["users", "list"], b"", 0, "stockade users add NAME");
    check(&["users", "add", "a b"], b"", 2, "caller name `a b` is not allowed");
    check(&["users", "add", "alice", "--password-stdin"], b"short\n", 2, "at least 15 characters");
    check(&["users", "add", "alice", "--password-stdin"], b"", 2, "at least 15 characters");
    check(&["users", "add", "alice", "--password-stdin"], b"\xff\n", 2, "cannot be read");
    check(&["users", "remove", "alice"], b"", 1, "there is no user `alice`");
    check(&["users", "password", "alice"], b"", 1, "there is no user `alice`");
    check(&["users", "add", "alice", "--password-stdin"], b"correct horse battery staple\n", 0, "was added");
    check(&["users", "add", "alice"], b"", 1, "there is a user `alice` already");
}
