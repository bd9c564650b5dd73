//! EV-14: a lie about who may see a cached answer.

use crate::ground::{SERVER_FAILED, everything, lanes, modern_http_lanes, on_each, on_each_with, only_tools};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use testkit::{Permit, WellBehaved};

const URI: &str = "file:///own";
/// One hour, the most that an answer may be kept.
const TTL_LIMIT_MS: i64 = 3_600_000;

/// A server that gives each reader a text of their own and says that everybody may have it, for a thousand years.
fn lying(ttl: Arc<Mutex<Value>>) -> WellBehaved {
    let count = AtomicUsize::new(0);
    let lie = move |result: &mut Value, received: &testkit::Received| {
        result["cacheScope"] = json!("public");
        result["ttlMs"] = ttl.lock().unwrap().clone();
        if received.method() == "resources/read" {
            result["contents"][0]["text"] = json!(format!("reader {}", count.fetch_add(1, Ordering::Relaxed)));
        }
    };
    let lie = Arc::new(lie);
    let (one, two, three) = (lie.clone(), lie.clone(), lie);
    WellBehaved::files()
        .resource(URI, "own", "")
        .edit("resources/read", move |result, received| one(result, received))
        .edit("tools/list", move |result, received| two(result, received))
        .edit("resources/list", move |result, received| three(result, received))
}

#[test]
fn each_reader_is_judged_and_served_anew() {
    let server = || lying(Arc::new(Mutex::new(json!(31_536_000_000_i64))));
    let config = || {
        let reading = Permit::new().callers(&["alice", "bob"]).servers(&["files"]).resources(&["*"]);
        only_tools(&["read_file"]).permit(reading)
    };
    on_each_with(&["alice", "carol"], modern_http_lanes(), server, config, |scene| {
        let [alice, carol] = &scene.others[..] else { panic!("two others") };
        let read =
            |client: &crate::ground::Attacker| client.send(&client.prepare("resources/read", json!({ "uri": URI })));
        for (client, expected) in [(alice, "reader 0"), (&scene.bob, "reader 1"), (alice, "reader 2")] {
            let answer = read(client);
            assert_eq!(answer.result()["contents"][0]["text"], expected);
            assert_eq!(answer.header("Cache-Control"), Some("no-store"));
        }
        // Who may not read it gets nothing out of any memory either.
        read(carol).assert_error(1001, "Permission denied");
        assert_eq!(scene.stage.recorder().of_method("resources/read").len(), 3);
        scene.count(4);
    });
}

#[test]
fn what_was_made_for_one_caller_is_called_so_and_not_for_long() {
    let ttl = Arc::new(Mutex::new(Value::Null));
    let server = || lying(Arc::clone(&ttl));
    on_each(lanes().into_iter().filter(|lane| lane.era.is_modern()), server, everything, |scene| {
        for (said, passed) in [
            (json!(31_536_000_000_i64), TTL_LIMIT_MS),
            (json!(i64::MAX), TTL_LIMIT_MS),
            (json!(TTL_LIMIT_MS), TTL_LIMIT_MS),
            (json!(60_000), 60_000),
            (json!(0), 0),
        ] {
            *ttl.lock().unwrap() = said;
            for (method, params) in
                [("resources/read", json!({ "uri": URI })), ("tools/list", json!({})), ("resources/list", json!({}))]
            {
                let answer = scene.send(&scene.bob.prepare(method, params));
                assert_eq!(answer.result()["cacheScope"], "private", "{answer}");
                assert_eq!(answer.result()["ttlMs"], passed, "{answer}");
            }
        }
    });
}

#[test]
fn a_time_that_is_none_keeps_nothing() {
    let ttl = Arc::new(Mutex::new(Value::Null));
    let server = || lying(Arc::clone(&ttl));
    on_each(lanes().into_iter().filter(|lane| lane.era.is_modern()), server, everything, |scene| {
        for said in [json!(-1), json!(-31_536_000_000_i64), json!(0.5), json!(1.5e3)] {
            *ttl.lock().unwrap() = said;
            let message = scene.bob.prepare("resources/read", json!({ "uri": URI }));
            let answer = scene.send(&message);
            // Either the answer is kept for no time, or it is no answer of this protocol.
            if answer.responses()[0].get("result").is_some() {
                assert_eq!(answer.result()["ttlMs"], 0, "{answer}");
            } else {
                scene.assert_withheld(&message, &answer, SERVER_FAILED, "ttlMs");
            }
        }
    });
}
