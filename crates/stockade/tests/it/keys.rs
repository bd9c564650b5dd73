//! `stockade keys`, end to end.

use crate::program::{Program, Said};
use serde_json::{Value, json as value};
use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;
use std::time::Duration;
use testkit::{AuditRecord, Gateway, GatewayOptions, Subject, wait_until};

/// How long the record may take to tell what a command did.
const TOLD_WITHIN: Duration = Duration::from_secs(5);

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
    let second = listed.stdout.lines().nth(1).unwrap();
    assert!(second.contains("  0d old  production  all scopes  never used  valid until 20"), "{listed:?}");

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

/// A key with its id, made by the command.
fn add(program: &Program, caller: &str, more: &[&str]) -> (String, String) {
    let said = program.run(&[&["keys", "add", caller, "--json", "--data", "data"], more].concat());
    assert_eq!(said.code, Some(0), "{said:?}");
    let made = json(&said.stdout);
    (made["id"].as_str().unwrap().to_owned(), made["api_key"].as_str().unwrap().to_owned())
}

fn list(program: &Program, more: &[&str]) -> Vec<Value> {
    let said = program.run(&[&["keys", "list", "--json", "--data", "data"], more].concat());
    assert_eq!(said.code, Some(0), "{said:?}");
    said.stdout.lines().map(json).collect()
}

fn records(said: &Said) -> Vec<AuditRecord> {
    said.stdout.lines().map(|line| AuditRecord(json(line))).collect()
}

/// What commands did, by the record: kind and target, in order.
fn told(records: &[AuditRecord]) -> Vec<(String, String)> {
    let of_commands = records.iter().filter(|record| record.text("door") == "command");
    of_commands.map(|record| (record.kind().to_owned(), record.target().to_owned())).collect()
}

#[test]
fn a_key_has_scopes_an_environment_and_an_end() {
    let program = Program::new();
    let options = ["--scope", "files:read", "--scope", "mcp", "--expires", "30d", "--profile", "internal"];
    let (id, _) = add(&program, "ci", &options);
    let row = &list(&program, &["--profile", "internal"])[0];
    assert_eq!((&row["id"], &row["scopes"]), (&value!(id), &value!(["files:read", "mcp"])));
    assert_eq!(
        (&row["environment"], &row["state"], &row["age_days"]),
        (&value!("internal"), &value!("valid"), &value!(0))
    );
    assert!(row["expires"] == row["ends"] && row["expires"].is_string() && row["last_used"].is_null(), "{row}");
    // Elsewhere it is none.
    let row = &list(&program, &[])[0];
    assert_eq!(row["state"], "of-another-environment");
    let said = program.run(&["keys", "list", "--data", "data"]);
    assert!(
        said.stdout.contains("  internal  scopes files:read mcp  never used  refused here: of another environment"),
        "{said:?}"
    );
    let rotated = program.run(&["keys", "rotate", &id, "--data", "data"]);
    assert_eq!((rotated.code, rotated.stdout.as_str()), (Some(1), ""), "{rotated:?}");
    assert!(rotated.stderr.contains("it was made for another environment"), "{rotated:?}");
    for wrong in [&["--scope", "a b"][..], &["--scope", ""], &["--expires", "30"], &["--expires", "2001-01-01"]] {
        let said = program.run(&[&["keys", "add", "ci", "--data", "data"], wrong].concat());
        assert_eq!((said.code, said.stdout.as_str()), (Some(2), ""), "{wrong:?} {said:?}");
    }
    assert_eq!(list(&program, &[]).len(), 1);
}

#[test]
fn a_rotation_lists_both_keys_and_is_made_once() {
    let program = Program::new();
    let (old, _) = add(&program, "alice", &[]);
    let said = program.run(&["keys", "rotate", &old, "--overlap", "2h", "--json", "--data", "data"]);
    assert_eq!((said.code, said.stderr.as_str()), (Some(0), ""), "{said:?}");
    let made = json(&said.stdout);
    let new = made["id"].as_str().unwrap();
    assert_eq!((&made["caller"], &made["replaces"]), (&value!("alice"), &value!(old)));
    assert!(made["api_key"].as_str().unwrap().starts_with(&format!("stk_{new}_")));
    let rows = list(&program, &[]);
    assert_eq!((&rows[0]["state"], &rows[0]["rotated_to"]), (&value!("replaced"), &value!(new)));
    assert_eq!((&rows[1]["state"], &rows[1]["rotated_from"]), (&value!("valid"), &value!(old)));
    assert_eq!((&rows[0]["overlap_ends"], &rows[0]["ends"]), (&made["old_ends"], &made["old_ends"]));
    let again = program.run(&["keys", "rotate", &old, "--data", "data"]);
    assert_eq!((again.code, again.stdout.as_str()), (Some(1), ""), "{again:?}");
    assert!(again.stderr.contains(&format!("was replaced by `{new}` before")), "{again:?}");
    for (overlap, words) in [("31d", "at most 30 days"), ("2", "which is no span of time"), ("-1h", "")] {
        let overlap = format!("--overlap={overlap}");
        let said = program.run(&["keys", "rotate", new, &overlap, "--data", "data"]);
        assert!(said.code == Some(2) && said.stderr.contains(words), "{overlap} {said:?}");
    }
    assert_eq!(list(&program, &[]).len(), 2);
}

#[test]
fn a_key_that_is_too_old_is_shown_as_such() {
    let program = Program::new();
    program.folder.write("c.toml", "[gateway]\nprofile = \"sandbox\"\n[keys]\nmax_age = \"90d\"\n");
    let options = ["--config", "c.toml"];
    add(&program, "young", &options);
    add(&program, "aging", &options);
    add(&program, "old", &options);
    let database = program.folder.path().join("data/state.db");
    age(&database, "aging", 80);
    age(&database, "old", 91);
    let states: BTreeMap<String, String> = list(&program, &options)
        .iter()
        .map(|row| (row["caller"].as_str().unwrap().to_owned(), row["state"].as_str().unwrap().to_owned()))
        .collect();
    let expected = [("young", "valid"), ("aging", "aging"), ("old", "too-old")];
    assert_eq!(states, expected.map(|(caller, state)| (caller.to_owned(), state.to_owned())).into());
    let said = program.run(&["keys", "list", "--data", "data", "--config", "c.toml"]);
    assert!(said.stderr.contains("1 key will be too old soon"), "{said:?}");
    // Without a greatest age they all work.
    assert!(list(&program, &["--profile", "sandbox"]).iter().all(|row| row["state"] == "valid"));
}

/// Makes a key older than it is.
fn age(database: &std::path::Path, caller: &str, days: i64) {
    let database = rusqlite::Connection::open(database).unwrap();
    let nanoseconds = days * 86_400 * 1_000_000_000;
    let older = "UPDATE api_keys SET created = created - ?1 WHERE caller = ?2";
    assert_eq!(database.execute(older, rusqlite::params![nanoseconds, caller]).unwrap(), 1);
}

#[test]
fn a_whole_key_on_the_command_line_is_refused_and_not_repeated() {
    let program = Program::new();
    let (id, key) = add(&program, "alice", &[]);
    for command in [
        &["keys", "revoke", &key][..],
        &["keys", "rotate", &key],
        &["revoke", "caller", &key],
        &["revoke", "token", &key],
    ] {
        let said = program.run(&[command, &["--data", "data"]].concat());
        assert_eq!((said.code, said.stdout.as_str()), (Some(2), ""), "{said:?}");
        assert!(!said.stderr.contains(key.split_at(13).1), "{said:?}");
    }
    assert_eq!(list(&program, &[])[0]["state"], "valid");
    let said = program.run(&["keys", "revoke", &key, "--data", "data"]);
    assert!(said.stderr.contains(&format!("stockade keys rotate {id}")), "{said:?}");
}

#[test]
fn what_a_command_does_is_on_record_once_with_whoever_did_it() {
    let program = Program::new();
    let (old, _) = add(&program, "alice", &["--reason", "first\nday"]);
    let said = program.run(&["keys", "rotate", &old, "--json", "--data", "data"]);
    let new = json(&said.stdout)["id"].as_str().unwrap().to_owned();
    program.run(&["keys", "revoke", &old, "--data", "data"]);
    program.run(&["keys", "revoke", &old, "--data", "data"]);
    program.run(&["keys", "revoke", "nobody", "--data", "data"]);
    program.run(&["revoke", "caller", "mallory", "--data", "data"]);
    program.run(&["revoke", "lift", "1", "--data", "data"]);
    let said = program.run(&["audit", "query", "--json", "--data", "data"]);
    let records = records(&said);
    let expected = [
        ("key-added", old.as_str()),
        ("key-rotated", &new),
        ("key-revoked", &old),
        ("revoked", "caller mallory"),
        ("revocation-lifted", "caller mallory"),
    ];
    let expected = expected.map(|(kind, target)| (kind.to_owned(), target.to_owned()));
    assert_eq!(told(&records), expected, "{said:?}");
    assert_eq!(records[0].reason(), "for `alice` in `production`: first\\u{a}day");
    let operators: BTreeSet<&str> = records.iter().map(AuditRecord::caller).collect();
    assert_eq!(operators.len(), 1, "{said:?}");
    assert!(records.iter().all(|record| record.text("caller_kind") == "local-user" && record.phase() == "event"));
    assert_eq!(program.run(&["audit", "verify", "--data", "data"]).code, Some(0));
}

fn gateway(program: &Program) -> Gateway {
    let options = GatewayOptions { data: Some(program.folder.path().join("data")), ..GatewayOptions::default() };
    Gateway::start(env!("CARGO_BIN_EXE_stockade"), options)
}

#[test]
fn a_running_gateway_puts_it_on_record_and_a_killed_one_loses_nothing() {
    let program = Program::new();
    add(&program, "before", &[]);
    let mut gateway = gateway(&program);
    let told_now = |gateway: &Gateway| told(&Subject::audit(gateway));
    let during = gateway.key_for("during");
    assert!(during.starts_with("stk_"));
    let is_told = || told_now(&gateway).len() == 2;
    assert!(wait_until(TOLD_WITHIN, is_told), "{:?}", told_now(&gateway));
    gateway.kill9();
    let (after, _) = add(&program, "after", &[]);
    let expected = told_now(&gateway);
    assert_eq!((expected.len(), &expected[2]), (3, &("key-added".to_owned(), after)));
    gateway.restart();
    let last = gateway.key_for("last");
    assert!(wait_until(TOLD_WITHIN, || told_now(&gateway).len() == 4), "{:?}", told_now(&gateway));
    assert_eq!(told_now(&gateway)[..3], expected);
    assert!(gateway.sigterm().is_some());
    assert_eq!((gateway.audit_verify().0, told_now(&gateway).len()), (0, 4));
    assert_eq!(list(&program, &[]).len(), 4, "{last}");
}

#[test]
fn commands_at_once_each_do_what_they_say_and_each_is_on_record_once() {
    let program = Program::new();
    // Half of them find no gateway, half of them one that starts meanwhile.
    for with_gateway in [false, true] {
        let running = with_gateway.then(|| gateway(&program));
        let ids: Vec<String> = std::thread::scope(|scope| {
            let starts: Vec<_> = (0..6).map(|_| scope.spawn(|| add(&program, "alice", &[]).0)).collect();
            starts.into_iter().map(|start| start.join().unwrap()).collect()
        });
        drop(running);
        let said = program.run(&["audit", "query", "--json", "--data", "data"]);
        let told = told(&records(&said));
        for id in ids {
            assert_eq!(told.iter().filter(|(_, target)| *target == id).count(), 1, "{id} {told:?}");
        }
    }
    assert_eq!(list(&program, &[]).len(), 12);
    assert_eq!(program.run(&["audit", "verify", "--data", "data"]).code, Some(0));
}

#[test]
fn a_rotation_that_is_killed_is_whole_or_was_never_made() {
    let program = Program::new();
    let (first, _) = add(&program, "alice", &[]);
    let mut newest = first;
    let mut made = 0;
    for round in 0..24 {
        let mut rotation = program.command(&["keys", "rotate", &newest, "--data", "data"]);
        let mut child = rotation.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // From before its start to after its end.
        std::thread::sleep(Duration::from_millis(round * 3));
        child.kill().unwrap();
        child.wait().unwrap();
        let rows = list(&program, &[]);
        let by_id: BTreeMap<&str, &Value> = rows.iter().map(|row| (row["id"].as_str().unwrap(), row)).collect();
        let old = by_id[newest.as_str()];
        match old["rotated_to"].as_str() {
            None => assert_eq!((&old["state"], &old["overlap_ends"]), (&value!("valid"), &Value::Null)),
            Some(new) => {
                assert_eq!((&old["state"], &by_id[new]["rotated_from"]), (&value!("replaced"), &value!(newest)));
                assert_eq!(by_id[new]["state"], "valid");
                made += 1;
                newest = new.to_owned();
            }
        }
        assert_eq!(rows.len(), made + 1);
    }
    // The next command puts on record what the killed ones could not.
    add(&program, "bob", &[]);
    let said = program.run(&["audit", "query", "--json", "--data", "data"]);
    let told = told(&records(&said));
    let distinct: BTreeSet<&(String, String)> = told.iter().collect();
    assert_eq!((told.len(), distinct.len()), (made + 2, made + 2), "{told:?}");
    assert_eq!(program.run(&["audit", "verify", "--data", "data"]).code, Some(0));
}

#[test]
fn without_a_record_the_change_is_made_and_waits() {
    let program = Program::new();
    add(&program, "alice", &[]);
    let audit = program.folder.path().join("data/audit");
    // Something else stands where the head of the record is.
    std::fs::rename(audit.join("head.json"), program.folder.path().join("head")).unwrap();
    let said = program.run(&["keys", "add", "bob", "--data", "data"]);
    assert_eq!((said.code, said.stdout.lines().count()), (Some(0), 1), "{said:?}");
    assert!(
        said.stderr.contains("the change is made, and not on record yet") && said.stderr.contains("nothing is lost")
    );
    std::fs::rename(program.folder.path().join("head"), audit.join("head.json")).unwrap();
    add(&program, "carol", &[]);
    let said = program.run(&["audit", "query", "--json", "--data", "data"]);
    assert_eq!(told(&records(&said)).len(), 3, "{said:?}");
}
