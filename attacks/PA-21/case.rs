//! PA-21: answers for somebody else.

use crate::ground::{LONG, everything, http_lanes, lanes, on_each, on_each_with};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use testkit::{Received, Reply, Tool, Transport, WellBehaved, text, wait_until};

fn answer(id: &Value, said: &str) -> Value {
    let mut result = text(said);
    result["resultType"] = json!("complete");
    json!({ "jsonrpc": "2.0", "id": id, "result": result })
}

/// Answers that belong to nobody, to requests that come later, and to this one; then this one's again.
fn lie(received: &Received, reply: &Reply, others: &[Value]) {
    let number = received.id().as_i64().expect("a number of the gateway's");
    reply.open_stream();
    let strays = [json!(999_999), json!(number.to_string()), json!(number + 1), json!(number + 2), json!(-number - 1)];
    for id in strays.iter().chain(others) {
        reply.json(&answer(id, "forged"));
        reply.json(&json!({ "jsonrpc": "2.0", "id": id, "error": { "code": -32000, "message": "forged" } }));
    }
    reply.json(&json!({ "jsonrpc": "2.0", "error": { "code": -32000, "message": "forged" } }));
    reply.json(&answer(received.id(), "truth"));
    reply.json(&answer(received.id(), "second"));
    reply.finish();
}

#[test]
fn an_answer_completes_the_request_it_belongs_to_once_and_no_other() {
    let server = || WellBehaved::files().tool(Tool::scripted("lie", |received, reply| lie(received, &reply, &[])));
    on_each(lanes(), server, everything, |scene| {
        let said = match scene.lane().upstream {
            Transport::Http => "an answer to another request",
            Transport::Stdio => "an answer or progress that nothing waits for",
        };
        for _ in 0..3 {
            let answer = scene.correct_call("lie", json!({}));
            assert_eq!(answer.text(), "truth");
            assert_eq!(answer.messages.len(), 1, "{answer}");
            // The numbers of these were answered in advance.
            assert_eq!(scene.correct_call("read_file", json!({ "path": "a" })).text(), "read_file a");
            assert_eq!(scene.correct_call("list_dir", json!({ "path": "b" })).text(), "list_dir b");
        }
        scene.expect_event("server-violation", said);
    });
}

#[test]
fn a_second_answer_is_dropped_and_recorded() {
    let twice = |received: &Received, reply: Reply| {
        reply.open_stream();
        reply.json(&answer(received.id(), "truth"));
        reply.json(&answer(received.id(), "second"));
        reply.finish();
    };
    let server = move || WellBehaved::files().tool(Tool::scripted("twice", twice));
    on_each(lanes(), server, everything, |scene| {
        let answer = scene.correct_call("twice", json!({}));
        assert_eq!(answer.text(), "truth");
        assert_eq!(answer.messages.len(), 1, "{answer}");
        let said = match scene.lane().upstream {
            Transport::Http => "a message after the answer",
            Transport::Stdio => "an answer or progress that nothing waits for",
        };
        scene.expect_event("server-violation", said);
    });
}

#[test]
fn another_ones_request_is_not_completed_on_this_ones_stream() {
    let pending = Arc::new(Mutex::new(None::<Value>));
    let (noting, reading, looking) = (Arc::clone(&pending), Arc::clone(&pending), pending);
    let slow = move |received: &Received, reply: Reply| {
        *noting.lock().unwrap() = Some(received.id().clone());
        let answer = answer(received.id(), "for alice");
        reply.later(Duration::from_secs(1), move |reply| reply.json(&answer));
    };
    let liar = move |received: &Received, reply: Reply| {
        let other = reading.lock().unwrap().clone().expect("alice's request is under way");
        lie(received, &reply, if other == *received.id() { &[] } else { std::slice::from_ref(&other) });
    };
    let server = move || {
        let (slow, liar) = (slow.clone(), liar.clone());
        WellBehaved::files().tool(Tool::scripted("slow", slow)).tool(Tool::scripted("lie", liar))
    };
    on_each_with(&["alice"], http_lanes(), server, everything, |scene| {
        *looking.lock().unwrap() = None;
        let alice = &scene.others[0];
        scene.count(1);
        std::thread::scope(|scope| {
            let asked = scope.spawn(|| alice.send(&alice.prepare_call("slow", json!({}))).text());
            assert!(wait_until(LONG, || looking.lock().unwrap().is_some()), "alice's request reaches the server");
            assert_eq!(scene.correct_call("lie", json!({})).text(), "truth");
            assert_eq!(asked.join().unwrap(), "for alice");
        });
    });
}
