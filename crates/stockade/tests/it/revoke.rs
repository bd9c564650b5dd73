//! `stockade revoke`, end to end.

use crate::program::Program;
use serde_json::{Value, json};

fn list(program: &Program, more: &[&str]) -> Vec<Value> {
    let said = program.run(&[&["revoke", "list", "--json", "--data", "data"], more].concat());
    assert_eq!(said.code, Some(0), "{said:?}");
    said.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn revoke(program: &Program, what: &[&str]) -> Value {
    let said = program.run(&[&["revoke"], what, &["--json", "--data", "data"]].concat());
    assert_eq!((said.code, said.stderr.as_str()), (Some(0), ""), "{said:?}");
    serde_json::from_str(&said.stdout).unwrap()
}

#[test]
fn everything_that_can_be_revoked_is_listed_and_lifted() {
    let program = Program::new();
    let said = program.run(&["revoke", "list", "--data", "data"]);
    assert_eq!((said.code, said.stdout.as_str(), said.stderr.as_str()), (Some(0), "", "nothing is revoked\n"));
    let thumbprint = "AB:".repeat(31) + "AB";
    let issuer = "https://login.example.com/";
    for (what, expected) in [
        (&["token", "8c1d", "--issuer", issuer][..], "token 8c1d of https://login.example.com/".to_owned()),
        (&["token", "8c1d"], "token 8c1d".to_owned()),
        (&["subject", "auth0|5f7", "--issuer", issuer], "subject auth0|5f7 of https://login.example.com/".to_owned()),
        (&["issuer", issuer], "issuer https://login.example.com/".to_owned()),
        (&["certificate", "00:04:d2"], "serial 4d2".to_owned()),
        (&["certificate", &thumbprint], format!("thumbprint {}", "ab".repeat(32))),
        (&["caller", "corp:alice", "--until", "30d", "--reason", "left the\ncompany"], "caller corp:alice".to_owned()),
    ] {
        let number = revoke(&program, what)["number"].clone();
        let row = list(&program, &[]).pop().unwrap();
        assert_eq!((&row["number"], &row["revoked"], &row["in_force"]), (&number, &json!(expected), &json!(true)));
    }
    let last = list(&program, &[]).pop().unwrap();
    assert_eq!(last["reason"], "left the\\u{a}company");
    assert!(last["until"].is_string() && last["by"].is_string(), "{last}");
    let said = program.run(&["revoke", "lift", "7", "--data", "data"]);
    assert_eq!((said.code, said.stderr.as_str()), (Some(0), "no longer revoked: caller corp:alice\n"));
    assert_eq!((list(&program, &[]).len(), list(&program, &["--all"]).len()), (6, 7));
    let again = program.run(&["revoke", "lift", "7", "--data", "data"]);
    assert!(again.code == Some(1) && again.stderr.contains("there is no revocation 7 in force"), "{again:?}");
    let people = program.run(&["revoke", "list", "--all", "--data", "data"]);
    assert_eq!(people.stdout.lines().count(), 7);
    assert!(people.stdout.contains("  caller corp:alice  20") && people.stdout.contains("  lifted 20"), "{people:?}");
}

#[test]
fn what_names_nothing_is_refused_and_a_token_is_not_repeated() {
    let program = Program::new();
    let token = "eyJhbGciOiJFUzI1NiJ9.eyJqdGkiOiJDQU5BUlkifQ.CANARYCANARY";
    for (what, words) in [
        (&["token", token][..], "that is the secret itself"),
        (&["subject", token], "that is the secret itself"),
        (&["token", ""], "is no token id"),
        (&["token", "a\nb"], "is no token id"),
        (&["token", "a", "--issuer", " x"], "is no issuer"),
        (&["certificate", "xyz"], "names no certificate"),
        (&["caller", "a b"], "caller name `a b` is not allowed"),
        (&["caller", "a", "--until", "soon"], "which is no end"),
        (&["caller", "a", "--until", "2001-01-01"], "would have ended already"),
    ] {
        let said = program.run(&[&["revoke"], what, &["--data", "data"]].concat());
        assert_eq!((said.code, said.stdout.as_str()), (Some(2), ""), "{what:?} {said:?}");
        assert!(said.stderr.contains(words) && !said.stderr.contains("CANARY"), "{what:?} {said:?}");
    }
    assert_eq!(list(&program, &["--all"]), Vec::<Value>::new());
}
