//! PA-02: a broken line, then a good one.

use crate::ground::{NOT_JSON, on_each, readers_only, stdio_lanes};
use serde_json::{Value, json};
use testkit::WellBehaved;

#[test]
fn a_broken_line_is_answered_and_the_line_after_it_works() {
    on_each(stdio_lanes(), WellBehaved::files, readers_only, |scene| {
        let good = scene.bob.prepare("tools/list", json!({}));
        for broken in [&br#"{"jsonrpc":"2.0","id":1,"#[..], br#"{"jsonrpc":"2.0","id":"broken-line""#, b"\xff\xfe{"] {
            scene.stage.recorder().clear();
            let client = scene.bob.stdio();
            let seen = client.lines().len();
            scene.count(2);
            assert!(client.send_raw([broken, b"\n", &good.bytes[..], b"\n"].concat()));

            let listed = client.answer(&good.id, seen);
            let names: Vec<&Value> =
                listed.result()["tools"].as_array().unwrap().iter().map(|tool| &tool["name"]).collect();
            assert_eq!(names, ["read_file", "list_dir"]);
            let lines = client.lines();
            let refusals = lines[seen..].iter().map(|line| serde_json::from_slice::<Value>(line).unwrap());
            let refusal = refusals.filter(|message| message.get("error").is_some()).collect::<Vec<_>>();
            assert_eq!(refusal.len(), 1, "one answer to the broken line: {refusal:?}");
            assert_eq!((refusal[0].get("id"), &refusal[0]["error"]["code"]), (None, &json!(-32700)));
            scene.expect_refusal("read", "the message cannot be read");

            // What the server read is one line, and it is the good one.
            let raw = scene.stage.recorder().raw();
            assert_eq!(raw.iter().filter(|byte| **byte == b'\n').count(), 1);
            let received: Value = serde_json::from_slice(&raw).expect("one message");
            assert_eq!(received["method"], "tools/list");
            assert!(!scene.stage.recorder().saw("broken-line"));
        }
    });
}

#[test]
fn the_refusal_of_a_broken_line_is_no_more_than_fixed_words() {
    on_each(stdio_lanes(), WellBehaved::files, readers_only, |scene| {
        let broken = scene.call().with(&b"{\"jsonrpc\":\"2.0\",\"id\":1,"[..]);
        let answer = scene.send(&broken);
        scene.assert_blocked(&broken, &answer, NOT_JSON, "read", "the message cannot be read");
    });
}
