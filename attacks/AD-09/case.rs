//! AD-09: completeness.

use crate::ground::{LONG, Message, Scene, is_long, lanes, on_each, only_tools};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;
use testkit::{AuditRecord, Caller, RawHttp, Received, Reply, Tool, Transport, WellBehaved, wait_until};

/// Requests on each lane: 10,000 in the case.
fn requests() -> usize {
    if is_long() { 10_000 } else { 192 }
}

/// Requests that are under way at once.
const AT_ONCE: usize = 64;
/// Calls that the client gives up.
const CANCELLED: usize = 8;
/// The deadline of the tool that never answers.
const DEADLINE: Duration = Duration::from_secs(1);

fn server() -> WellBehaved {
    let held = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let hold = move |_: &Received, reply: Reply| held.lock().unwrap().push(reply);
    let hang = hold.clone();
    WellBehaved::files().tool(Tool::scripted("hold", hold)).tool(Tool::scripted("hang", hang))
}

/// What is sent, by its number: a third is denied, some time out, the others pass.
fn kind(number: usize) -> &'static str {
    match number % 12 {
        0..4 => "delete_file",
        4 => "hang",
        5..9 => "read_file",
        _ => "list_dir",
    }
}

fn message(scene: &Scene, number: usize) -> Message {
    scene.bob.prepare_call(kind(number), json!({ "path": number.to_string(), "deep": { "list": [number] } }))
}

/// Calls and gives up: by hanging up in the stateless era over HTTP, else by a notification.
fn cancel(scene: &Scene, number: usize) {
    let path = number.to_string();
    let message = scene.bob.prepare_call("hold", json!({ "path": path }));
    let is_it = |received: &Received| received.name() == "hold" && received.params()["arguments"]["path"] == *path;
    let given_up = json!({ "requestId": message.id, "reason": "enough" });
    if scene.lane().door == Transport::Stdio {
        assert!(scene.bob.stdio().send_raw([&message.bytes[..], b"\n"].concat()));
        scene.stage.recorder().wait_for("call", LONG, is_it);
        scene.bob.notify("notifications/cancelled", given_up);
        return;
    }
    let mut connection = RawHttp::connect(scene.gateway().address()).expect("the gateway listens");
    connection.send(message.outgoing().to_bytes()).expect("it is taken");
    scene.stage.recorder().wait_for("call", LONG, is_it);
    if !scene.is_modern() {
        scene.bob.notify("notifications/cancelled", given_up);
    }
}

#[test]
fn every_request_is_in_the_record_with_all_that_is_known_of_it() {
    let config = || {
        only_tools(&["read_file", "list_dir", "hold", "hang"]).limit("in_flight", json!(256)).tool(
            "files",
            "hang",
            "deadline",
            json!(format!("{}ms", DEADLINE.as_millis())),
        )
    };
    on_each(lanes(), server, config, |scene| {
        let first = scene.stage.audit().iter().filter_map(AuditRecord::sequence).max().unwrap_or_default();
        for start in (0..requests()).step_by(AT_ONCE) {
            let end = requests().min(start + AT_ONCE);
            let messages: Vec<_> = (start..end).map(|number| message(scene, number)).collect();
            let answers = scene.bob.send_together(&messages);
            for (number, answer) in (start..end).zip(answers) {
                match kind(number) {
                    "delete_file" => answer.assert_error(1001, "Permission denied"),
                    "hang" => answer.assert_error(1004, "Timeout"),
                    tool => assert_eq!(answer.text(), format!("{tool} {number}")),
                }
            }
        }
        (0..CANCELLED).for_each(|number| cancel(scene, number));
        scene.count(requests() + CANCELLED);
        let calls = || -> Vec<AuditRecord> {
            let all = scene.stage.audit().into_iter();
            let of_case = all.filter(|record| record.sequence() > Some(first) && record.method() == "tools/call");
            of_case.filter(|record| record.phase() != "event").collect()
        };
        let expected: Vec<&str> = (0..requests()).map(kind).collect();
        let denied = expected.iter().filter(|tool| **tool == "delete_file").count();
        let lines = 2 * (requests() - denied + CANCELLED) + denied;
        assert!(wait_until(LONG, || calls().len() == lines), "{} lines, {lines} expected", calls().len());
        let records = calls();
        check_members(scene, &records);
        check_outcomes(&records, &expected);
        check_usage(scene, &records);
    });
}

/// Every record has what the case asks for.
fn check_members(scene: &Scene, records: &[AuditRecord]) {
    let mut last = 0;
    for record in records {
        let sequence = record.sequence().expect("a sequence");
        assert!(sequence > last, "{record:?}");
        last = sequence;
        let time = record.text("time");
        assert!(time.len() == 30 && time.ends_with('Z') && time.as_bytes()[10] == b'T', "{record:?}");
        let door = if scene.lane().door == Transport::Stdio { "stdio" } else { "http" };
        assert_eq!((record.text("door"), record.text("server")), (door, "files"), "{record:?}");
        assert_eq!(record.text("revision"), scene.lane().era.revision(), "{record:?}");
        assert_eq!(record.text("client"), "testkit 1.0.0", "{record:?}");
        assert!(!record.caller().is_empty() && !record.ticket().is_empty() && !record.rule().is_empty(), "{record:?}");
        assert!(record.text("arguments").len() >= 64, "{record:?}");
        assert!(record.text("shape").starts_with("path:string("), "{record:?}");
        let has_ended = record.phase() != "intent";
        assert_eq!(record.0.get("took_us").is_some_and(Value::is_u64), has_ended, "{record:?}");
        assert_eq!(record.decision(), if record.phase() == "refused" { "deny" } else { "allow" }, "{record:?}");
        if scene.lane().door == Transport::Http {
            assert_eq!((record.caller(), record.text("session").is_empty()), ("bob", scene.is_modern()), "{record:?}");
        }
    }
}

/// As many of each end as there were.
fn check_outcomes(records: &[AuditRecord], expected: &[&str]) {
    let mut ends: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for record in records.iter().filter(|record| record.phase() != "intent") {
        let end = if record.phase() == "refused" { "refused" } else { record.outcome() };
        *ends.entry((record.target(), end)).or_default() += 1;
    }
    let mut wanted: BTreeMap<(&str, &str), usize> = BTreeMap::from([(("hold", "cancelled"), CANCELLED)]);
    for tool in expected {
        let end = match *tool {
            "delete_file" => "refused",
            "hang" => "timed-out",
            _ => "delivered",
        };
        *wanted.entry((tool, end)).or_default() += 1;
    }
    assert_eq!(ends, wanted);
    let intents = records.iter().filter(|record| record.phase() == "intent");
    let outcomes =
        |ticket: &str| records.iter().filter(|record| record.phase() == "outcome" && record.ticket() == ticket).count();
    if expected.len() <= 1000 {
        assert!(intents.clone().all(|intent| outcomes(intent.ticket()) == 1));
    }
}

/// What the record counts for each tool is what the server saw.
fn check_usage(scene: &Scene, records: &[AuditRecord]) {
    for tool in ["read_file", "list_dir", "hang", "hold", "delete_file"] {
        let intents = records.iter().filter(|record| record.phase() == "intent" && record.target() == tool).count();
        let arrived = scene.stage.recorder().calls(tool).len();
        // On a busy machine a deadline may end a call that was recorded and not yet sent.
        let is_explained = if tool == "hang" { (1..=intents).contains(&arrived) } else { arrived == intents };
        assert!(is_explained, "{tool}: {intents} in the record, {arrived} at the server");
    }
}
