//! AD-06: the record cannot be written.

use crate::ground::{Attacker, LONG, STOCKADE, everything, lanes};
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use serde_json::json;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use testkit::{Answer, Caller, Invariants, Stage, TempFolder, Tool, WellBehaved, check_invariants, text, wait_until};

/// How soon a call must work again once there is room.
const BACK_WITHIN: Duration = Duration::from_secs(10);

/// The program, started so that a file over the limit is an error to it and not its end (setrlimit(2), SIGXFSZ).
fn program(folder: &TempFolder) -> PathBuf {
    let script = format!("#!/bin/sh\ntrap '' XFSZ\nexec '{STOCKADE}' \"$@\"\n");
    let path = folder.write("stockade", script);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("a script of ours");
    path
}

/// From now on no file of the process may grow over this; nothing stands for no limit. To the process that is a disk
/// without room: a part of what it writes may still fit.
fn limit_files(pid: u32, bytes: Option<u64>) {
    let pid = Pid::from_raw(i32::try_from(pid).expect("an id")).expect("an id");
    prlimit(Some(pid), Resource::Fsize, Rlimit { current: bytes, maximum: None }).expect("the process is ours");
}

/// The segment that is being written, and its length.
fn segment(data: &Path) -> (PathBuf, u64) {
    let entries =
        std::fs::read_dir(data.join("audit")).expect("the record's folder").map(|entry| entry.expect("an entry"));
    let sized = entries.map(|entry| (entry.path(), entry.metadata().expect("a file").len()));
    sized.max_by_key(|(_, length)| *length).expect("a segment")
}

fn server() -> WellBehaved {
    WellBehaved::files().tool(Tool::scripted("slow", |received, reply| {
        let mut result = text("secret of the server");
        result["resultType"] = json!("complete");
        let answer = json!({ "jsonrpc": "2.0", "id": received.id(), "result": result });
        reply.later(Duration::from_millis(700), move |reply| reply.json(&answer));
    }))
}

#[track_caller]
fn assert_unavailable(answer: &Answer) {
    answer.assert_error(-32603, "Service unavailable");
    assert!(answer.head.is_none() || answer.status() == 503, "{answer}");
}

fn works(client: &Attacker) -> bool {
    client.call("read_file", json!({ "path": "a" })).responses()[0].get("result").is_some()
}

/// A stage, its client and the process under attack, on each lane.
fn on_each(case: impl Fn(&Stage, &Attacker, u32)) {
    let folder = TempFolder::new();
    let program = program(&folder);
    for lane in lanes() {
        println!("on {lane:?}");
        let stage = Stage::open(&program, lane, server(), everything());
        let client = Attacker::of(&stage, "bob");
        assert!(works(&client));
        let pid = stage.subject(&client).pid();
        stage.recorder().clear();
        case(&stage, &client, pid);
    }
}

#[test]
fn nothing_is_done_while_there_is_no_room_and_everything_after() {
    on_each(|stage, client, pid| {
        let subject = stage.subject(client);
        let expected = Invariants::before(&*subject, || client.call("read_file", json!({ "path": "a" })));
        // No room at all, room for a part of a line, room for the most of one.
        for room in [0, 1, 60, 250] {
            limit_files(pid, Some(segment(&stage.data()).1 + room));
            for tool in ["write_file", "delete_file", "read_file"] {
                assert_unavailable(&client.call(tool, json!({ "path": "a", "content": "b" })));
            }
            assert_unavailable(&client.request("tools/list", json!({})));
            stage.recorder().assert_nothing();
            limit_files(pid, None);
            assert!(wait_until(BACK_WITHIN, || works(client)), "no service after there was room again");
            assert_eq!(stage.subject(client).audit_verify().0, 0);
            stage.recorder().clear();
        }
        check_invariants(&*subject, &expected);
    });
}

#[test]
fn an_answer_whose_outcome_cannot_be_written_is_not_released() {
    on_each(|stage, client, pid| {
        let message = client.prepare_call("slow", json!({}));
        let answer = std::thread::scope(|scope| {
            let asked = scope.spawn(|| client.send(&message));
            stage.recorder().wait_for("call", LONG, |received| received.name() == "slow");
            limit_files(pid, Some(segment(&stage.data()).1));
            asked.join().expect("an answer")
        });
        assert_unavailable(&answer);
        assert!(!String::from_utf8_lossy(&answer.raw).contains("secret"), "{answer}");
        limit_files(pid, None);
        assert!(wait_until(BACK_WITHIN, || works(client)), "no service after there was room again");
        assert_eq!(stage.subject(client).audit_verify().0, 0);
        let records = stage.audit();
        assert!(records.iter().any(|record| record.phase() == "intent" && record.target() == "slow"), "{records:#?}");
    });
}

#[test]
fn without_its_record_it_does_nothing_until_a_person_has_looked() {
    on_each(|stage, client, _| {
        std::fs::remove_file(segment(&stage.data()).0).expect("a segment");
        for _ in 0..3 {
            for tool in ["write_file", "read_file"] {
                assert_unavailable(&client.call(tool, json!({ "path": "a", "content": "b" })));
            }
        }
        stage.recorder().assert_nothing();
    });
}
