//! RX-04: a server that hangs.

use crate::ground::{Scene, TIMED_OUT, everything, is_long, lanes, on_each};
use serde_json::json;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use testkit::{Config, Received, Reply, Tool, Transport, WellBehaved, wait_until};

/// The deadline of the tool: 5 s in the case and with `STOCKADE_LONG=1`.
fn deadline() -> Duration {
    if is_long() { Duration::from_secs(5) } else { Duration::from_secs(1) }
}

/// How far from its deadline a timeout may be told.
const SLACK: Duration = Duration::from_millis(250);
/// Calls at once: the fastest of them is measured, so that a busy machine is not taken for a late gateway.
const AT_ONCE: usize = 8;
/// Calls that hang in all.
fn many() -> usize {
    if is_long() { 1000 } else { 64 }
}

fn config() -> Config {
    let milliseconds = format!("{}ms", deadline().as_millis());
    everything()
        .tool("files", "hang", "deadline", json!(milliseconds))
        .tool("files", "late", "deadline", json!(milliseconds))
        .limit("in_flight", json!(256))
}

fn late(received: &Received, reply: Reply) {
    let result = json!({ "resultType": "complete", "content": [{ "type": "text", "text": "too late" }] });
    let answer = json!({ "jsonrpc": "2.0", "id": received.id(), "result": result });
    reply.later(deadline() + Duration::from_millis(500), move |reply| reply.json(&answer));
}

fn server() -> WellBehaved {
    let held = Arc::new(Mutex::new(Vec::new()));
    // Keeping the replies keeps the connections open.
    let hang = move |_: &Received, reply: Reply| held.lock().unwrap().push(reply);
    WellBehaved::files().tool(Tool::scripted("hang", hang)).tool(Tool::scripted("late", late))
}

/// Was the server told that nobody waits any more: by the end of the stream (2026-07-28 over HTTP), else by a notification?
fn was_cancelled(scene: &Scene, call: &Received) -> bool {
    if scene.is_modern() && scene.lane().upstream == Transport::Http {
        return scene.stage.recorder().disconnects().iter().any(|(link, _)| *link == call.link);
    }
    let cancelled = scene.stage.recorder().of_method("notifications/cancelled");
    cancelled.iter().any(|notice| notice.params()["requestId"] == *call.id())
}

#[test]
fn a_call_that_hangs_ends_at_its_deadline_and_is_cancelled() {
    on_each(lanes(), server, config, |scene| {
        let messages: Vec<_> = (0..AT_ONCE).map(|_| scene.bob.prepare_call("hang", json!({}))).collect();
        let started = Instant::now();
        let answers = scene.bob.send_together(&messages);
        let took = started.elapsed();
        scene.count(AT_ONCE);
        for (message, answer) in messages.iter().zip(&answers) {
            scene.assert_withheld(message, answer, TIMED_OUT, "no answer before the deadline");
        }
        assert!(took >= deadline(), "{took:?}");
        let times = || -> Vec<u64> {
            let records = scene.stage.audit();
            let ended = records.iter().filter(|record| record.outcome() == "timed-out");
            ended.filter_map(|record| record.0["took_us"].as_u64()).collect()
        };
        assert!(wait_until(crate::ground::LONG, || times().len() == AT_ONCE), "{:?}", times());
        let fastest = Duration::from_micros(times().into_iter().min().unwrap());
        assert!(fastest >= deadline() && fastest <= deadline() + SLACK, "{fastest:?}");
        let calls = scene.stage.recorder().calls("hang");
        assert_eq!(calls.len(), AT_ONCE);
        let told = || calls.iter().all(|call| was_cancelled(scene, call));
        assert!(wait_until(Duration::from_secs(2), told), "the server was not told to stop");
    });
}

#[test]
fn an_answer_after_the_deadline_is_dropped() {
    on_each(lanes(), server, config, |scene| {
        let message = scene.bob.prepare_call("late", json!({}));
        let answer = scene.send(&message);
        scene.assert_withheld(&message, &answer, TIMED_OUT, "no answer before the deadline");
        std::thread::sleep(Duration::from_millis(800));
        // Whatever comes next is the answer to what is asked next.
        let answer = scene.correct_call("read_file", json!({ "path": "a" }));
        assert_eq!(answer.text(), "read_file a");
        assert_eq!(answer.messages.len(), 1, "{answer}");
    });
}

#[test]
fn many_calls_that_hang_leave_nothing_behind() {
    on_each(lanes(), server, config, |scene| {
        let mut left = many();
        while left > 0 {
            let now = left.min(128);
            let messages: Vec<_> = (0..now).map(|_| scene.bob.prepare_call("hang", json!({}))).collect();
            for answer in scene.bob.send_together(&messages) {
                answer.assert_error(1004, "Timeout");
            }
            scene.count(now);
            left -= now;
        }
    });
}
