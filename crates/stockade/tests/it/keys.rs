//! `stockade keys`, end to end.

use crate::program::Program;
use serde_json::Value;
use std::os::unix::fs::PermissionsExt;

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn a_key_is_made_listed_and_revoked_and_shown_once() {
    let program = Program::new();
    let made = program.run(&["keys", "add", "alice", "--json", "--data", "data"]);
    assert_eq!((made.code, made.stderr.as_str()), (Some(0), ""), "{made:?}");
    let made = json(&made.stdout);
    let (id, key) = (made["id"].as_str().unwrap(), made["api_key"].as_str().unwrap());
    assert_eq!(made["caller"], "alice");
    assert!(key.len() >= 43 && key.bytes().all(|byte| byte.is_ascii_graphic()), "256 bits, one word: {key}");
    let second = program.run(&["keys", "add", "bob", "--data", "data"]);
    assert_eq!(second.stdout.lines().count(), 1, "the key alone is data: {second:?}");
    assert!(second.stderr.contains("it is shown only now"), "{second:?}");
    let bob = second.stdout.trim();

    let listed = program.run(&["keys", "list", "--json", "--data", "data"]);
    let rows: Vec<Value> = listed.stdout.lines().map(json).collect();
    assert_eq!(rows.len(), 2, "{listed:?}");
    assert_eq!((&rows[0]["id"], &rows[0]["caller"], &rows[0]["revoked"]), (&id.into(), &"alice".into(), &Value::Null));
    let revoked = program.run(&["keys", "revoke", id, "--data", "data"]);
    assert_eq!(revoked.code, Some(0), "{revoked:?}");
    let listed = program.run(&["keys", "list", "--data", "data"]);
    assert!(listed.stdout.lines().next().unwrap().contains("  alice  made 20"), "{listed:?}");
    assert!(listed.stdout.lines().next().unwrap().contains("  revoked 20"), "{listed:?}");
    assert!(listed.stdout.lines().nth(1).unwrap().ends_with("  valid"), "{listed:?}");

    // Neither key stands in any file of the folder, in whole or in its secret half.
    let data = program.folder.path().join("data");
    assert_eq!(std::fs::metadata(&data).unwrap().permissions().mode() & 0o777, 0o700);
    for file in files(&data) {
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o077, 0, "{}", file.display());
        let content = std::fs::read(&file).unwrap();
        for key in [key, bob] {
            let secret = &key.as_bytes()[key.len() - 20..];
            assert!(!content.windows(secret.len()).any(|part| part == secret), "{}", file.display());
        }
    }
}

fn files(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[test]
fn wrong_names_and_ids_are_explained() {
    let program = Program::new();
    let said = program.run(&["keys", "add", "a b", "--data", "data"]);
    assert_eq!((said.code, said.stdout.as_str()), (Some(2), ""), "{said:?}");
    assert!(said.stderr.contains("caller name `a b` is not allowed"), "{said:?}");
    let said = program.run(&["keys", "revoke", "nobody", "--data", "data"]);
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.stderr.contains("there is no API key `nobody`"), "{said:?}");
    let said = program.run(&["keys", "list", "--data", "data"]);
    assert_eq!((said.code, said.stdout.as_str()), (Some(0), ""), "{said:?}");
    assert!(said.stderr.contains("stockade keys add CALLER"), "{said:?}");
}
