//! PA-03: deep nesting.

use crate::ground::{
    INVALID_REQUEST, SERVER_FAILED, TIMED_OUT, everything, lanes, on_each, processor_time, readers_only,
};
use serde_json::json;
use std::time::Duration;
use testkit::{Reply, Tool, Transport, WellBehaved};

/// Containers inside containers in the case.
const DEEP: usize = 100_000;
/// The default limit of the strict reader.
const LIMIT: usize = 64;
/// What refusing one such message may cost.
const PROCESSOR_LIMIT: Duration = Duration::from_millis(50);

fn nest(depth: usize) -> String {
    ["[".repeat(depth), "]".repeat(depth)].concat()
}

#[test]
fn a_deep_request_is_refused_cheaply_wherever_the_nest_sits() {
    on_each(lanes(), WellBehaved::files, readers_only, |scene| {
        let call = scene.bob.prepare_call("read_file", json!({ "path": "NEST", "more": "NEST-2" }));
        let in_arguments = call.clone().replace(r#"{"path":"NEST","more":"NEST-2"}"#, &nest(DEEP));
        let in_one_argument = call.clone().replace(r#""NEST-2""#, &nest(DEEP));
        let with_meta =
            |text: &str| call.clone().replace(r#""name":"read_file""#, &format!(r#""name":"read_file",{text}"#));
        let in_meta = match scene.is_modern() {
            true => call.clone().replace(r#""_meta":{"#, &format!(r#""_meta":{{"x.test/nest":{},"#, nest(DEEP))),
            false => with_meta(&format!(r#""_meta":{{"x.test/nest":{}}}"#, nest(DEEP))),
        };
        let in_responses = with_meta(&format!(r#""inputResponses":{{"ask":{}}}"#, nest(DEEP)));
        let beside = call.clone().replace(r#""jsonrpc":"2.0""#, &format!(r#""jsonrpc":"2.0","extra":{}"#, nest(DEEP)));
        for message in [in_arguments, in_one_argument, in_meta, in_responses, beside] {
            let before = processor_time(scene.pid());
            let answer = scene.send(&message);
            let cost = processor_time(scene.pid()) - before;
            scene.assert_blocked(&message, &answer, INVALID_REQUEST, "read", "nested deeper than 64");
            assert!(cost <= PROCESSOR_LIMIT, "{cost:?}");
        }
    });
}

#[test]
fn the_limit_itself_is_let_through_and_one_more_is_not() {
    on_each(lanes(), WellBehaved::files, readers_only, |scene| {
        // The message, its parameters and their arguments are three of them.
        let call = scene.bob.prepare_call("read_file", json!({ "path": "a", "nest": "NEST" }));
        let bent = |depth: usize| call.clone().replace(r#""NEST""#, &nest(depth - 3));
        let message = bent(LIMIT + 1);
        let answer = scene.send(&message);
        scene.assert_blocked(&message, &answer, INVALID_REQUEST, "read", "nested deeper than 64");
        assert_eq!(scene.send(&bent(LIMIT)).text(), "read_file a");
        assert!(scene.stage.recorder().saw(nest(LIMIT - 3)));
    });
}

#[test]
fn a_deep_result_and_a_deep_schema_are_not_delivered() {
    let result = |received: &testkit::Received, reply: Reply| {
        let meta = format!(r#"{{"x.test/nest":{}}}"#, nest(DEEP));
        let content = r#"[{"type":"text","text":"forbidden"}]"#;
        let result = format!(r#"{{"resultType":"complete","content":{content},"_meta":{meta}}}"#);
        reply.message(format!(r#"{{"jsonrpc":"2.0","id":{},"result":{result}}}"#, received.id()));
    };
    let list = |received: &testkit::Received, reply: Reply| {
        let schema = format!(r#"{{"type":"object","properties":{{"nest":{{"default":{}}}}}}}"#, nest(DEEP));
        let tools = format!(r#"[{{"name":"read_file","inputSchema":{schema}}}]"#);
        let caching = r#""resultType":"complete","ttlMs":0,"cacheScope":"private""#;
        let result = format!(r#"{{{caching},"tools":{tools}}}"#);
        reply.message(format!(r#"{{"jsonrpc":"2.0","id":{},"result":{result}}}"#, received.id()));
    };
    let server = || WellBehaved::files().tool(Tool::scripted("deep", result)).on("tools/list", list);
    // Over stdio an answer that cannot be read names nobody, so it is the deadline that ends the waiting.
    let config = || everything().server_setting("files", "deadline", json!("1s"));
    on_each(lanes(), server, config, |scene| {
        let (words, reason) = match scene.lane().upstream {
            Transport::Http => (SERVER_FAILED, "nested deeper than 64"),
            Transport::Stdio => (TIMED_OUT, "no answer before the deadline"),
        };
        for message in [scene.bob.prepare_call("deep", json!({})), scene.bob.prepare("tools/list", json!({}))] {
            let before = processor_time(scene.pid());
            let answer = scene.send(&message);
            let cost = processor_time(scene.pid()) - before;
            scene.assert_withheld(&message, &answer, words, reason);
            assert!(cost <= PROCESSOR_LIMIT, "{cost:?}");
        }
        if scene.lane().upstream == Transport::Stdio {
            scene.expect_event("server-violation", "a line that is no message");
        }
    });
}
