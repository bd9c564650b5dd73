//! `stockade audit`, end to end, over a record that the audit crate has written.

use crate::program::Program;
use serde_json::{Value, json};
use stockade_audit::{AuditLog, AuditOptions};
use stockade_core::ports::{Record, Timestamp};
use stockade_core::record::{Entry, FindingNote, Outcome, Phase};
use stockade_core::words::TicketId;

const SECOND: i64 = 1_000_000_000;
/// 2026-01-01T00:00:00Z.
const NEW_YEAR: i64 = 1_767_225_600 * SECOND;

/// Three requests: of alice, delivered; of bob, refused; of alice, a day later, timed out.
fn record(program: &Program) {
    program.run(&["keys", "list", "--data", "data"]);
    let folder = program.folder.path().join("data").join("audit");
    let (log, _) = AuditLog::open(AuditOptions::new(folder, Timestamp(NEW_YEAR))).unwrap();
    let ticket = |number: u8| TicketId::new(u64::from(number), [number; 10]);
    let entry = |number: u8, phase: Phase, caller: &str, seconds: i64| {
        let mut entry = Entry::new(Timestamp(NEW_YEAR + seconds * SECOND), ticket(number), phase, "http", "request");
        entry.caller = Some(caller.to_owned());
        entry.server = Some("files".to_owned());
        entry.method = Some("tools/call".to_owned());
        entry.target = Some("read\u{1b}[2J".to_owned());
        entry
    };
    let mut delivered = entry(1, Phase::Outcome, "alice", 2);
    delivered.outcome = Some(Outcome::Delivered);
    delivered.took_us = Some(7);
    delivered.findings = vec![FindingNote { rule: "U-1", place: "/result".to_owned(), count: 3 }];
    let mut refused = entry(2, Phase::Refused, "bob", 3);
    refused.decision = Some("deny");
    refused.reason = Some("no rule allows it".to_owned());
    let mut late = entry(3, Phase::Outcome, "alice", 86_400);
    late.outcome = Some(Outcome::TimedOut);
    let entries =
        [entry(1, Phase::Intent, "alice", 1), delivered, refused, entry(3, Phase::Intent, "alice", 86_400), late];
    for entry in entries {
        log.append_detached(entry);
    }
    log.close().unwrap();
}

fn query(program: &Program, options: &[&str]) -> Vec<Value> {
    let said = program.run(&[&["audit", "query", "--json", "--data", "data"], options].concat());
    assert_eq!((said.code, said.stderr.as_str()), (Some(0), ""), "{options:?}: {said:?}");
    let records = said.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    // What the record tells of itself is its own business.
    records.filter(|record| record.get("caller").is_some()).collect()
}

#[test]
fn records_are_found_by_what_they_say() {
    let program = Program::new();
    record(&program);
    let first = TicketId::new(1, [1; 10]);
    for (options, expected) in [
        (&[][..], 5),
        (&["--caller", "alice"], 4),
        (&["--caller", "ALICE"], 0),
        (&["--server", "files", "--phase", "intent"], 2),
        (&["--decision", "deny"], 1),
        (&["--ticket", first.as_str()], 2),
        (&["--since", "2026-01-02"], 2),
        (&["--until", "2026-01-02T00:00:00Z"], 3),
        (&["--since", "2026-01-01T00:00:02Z", "--until", "2026-01-01T00:00:03Z"], 1),
        (&["--caller", "alice", "--limit", "3"], 3),
    ] {
        assert_eq!(query(&program, options).len(), expected, "{options:?}");
    }
}

#[test]
fn a_record_is_printed_whole() {
    let program = Program::new();
    record(&program);
    let found = query(&program, &["--phase", "outcome", "--limit", "1"]);
    let mut found = found[0].clone();
    let previous = found.as_object_mut().unwrap().shift_remove("previous").unwrap();
    assert_eq!(previous.as_str().unwrap().len(), 64);
    assert!(found.as_object_mut().unwrap().shift_remove("sequence").unwrap().is_u64());
    let expected = json!({
        "time": "2026-01-01T00:00:02.000000000Z",
        "ticket": TicketId::new(1, [1; 10]).as_str(),
        "phase": "outcome",
        "door": "http",
        "kind": "request",
        "caller": "alice",
        "server": "files",
        "method": "tools/call",
        "target": "read\u{1b}[2J",
        "findings": [{ "rule": "U-1", "place": "/result", "count": 3 }],
        "outcome": "delivered",
        "took_us": 7,
    });
    assert_eq!(found, expected);
}

#[test]
fn people_get_one_line_for_each_record_and_nothing_that_moves_the_cursor() {
    let program = Program::new();
    record(&program);
    let said = program.run(&["audit", "query", "--decision", "deny", "--data", "data"]);
    let ticket = TicketId::new(2, [2; 10]);
    let expected = format!(
        "2026-01-01T00:00:03  refused  bob  tools/call  files  read\\u{{1b}}[2J  deny  {ticket}  (no rule allows it)\n"
    );
    assert_eq!((said.code, said.stdout), (Some(0), expected));
}

#[test]
fn a_whole_record_is_whole_and_a_changed_one_is_named() {
    let program = Program::new();
    record(&program);
    let said = program.run(&["audit", "verify", "--json", "--data", "data"]);
    assert_eq!((said.code, said.stderr.as_str()), (Some(0), ""), "{said:?}");
    let whole: Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!((&whole["whole"], &whole["in_use"]), (&json!(true), &json!(false)));
    assert!(whole["records"].as_u64().unwrap() >= 5, "{whole}");
    let said = program.run(&["audit", "verify", "--data", "data"]);
    assert!(said.stdout.starts_with("whole: "), "{said:?}");

    let audit = program.folder.path().join("data").join("audit");
    let mut segments: Vec<_> = std::fs::read_dir(&audit).unwrap().map(|entry| entry.unwrap().path()).collect();
    segments.retain(|path| std::fs::read(path).unwrap().starts_with(b"{\"segment\""));
    let text = std::fs::read_to_string(&segments[0]).unwrap();
    std::fs::write(&segments[0], text.replace("\"caller\":\"bob\"", "\"caller\":\"eve\"")).unwrap();
    let said = program.run(&["audit", "verify", "--json", "--data", "data"]);
    assert_eq!(said.code, Some(1), "{said:?}");
    let bad: Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!(bad["whole"], false);
    assert!(bad["problem"].as_str().unwrap().contains("it was changed after it was written"), "{bad}");
    let sequence = query(&program, &["--decision", "deny"])[0]["sequence"].clone();
    assert_eq!(bad["sequence"], sequence, "{bad}");
    assert!(said.stderr.contains("fix:"), "{said:?}");
}

#[test]
fn what_is_not_there_is_explained() {
    let program = Program::new();
    for command in ["query", "verify"] {
        let said = program.run(&["audit", command, "--data", "missing"]);
        assert_eq!((said.code, said.stdout.as_str()), (Some(2), ""), "{said:?}");
        assert!(said.stderr.contains("there is no data folder"), "{said:?}");
        assert!(!program.folder.path().join("missing").exists(), "looking makes nothing");
    }
    record(&program);
    let said = program.run(&["audit", "query", "--since", "yesterday", "--data", "data"]);
    assert_eq!(said.code, Some(2), "{said:?}");
    assert!(said.stderr.contains("`--since` is `yesterday`, which is no time"), "{said:?}");
}
