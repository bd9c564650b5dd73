//! PA-22: requests of the server's, in the revision that has none.

use crate::ground::{Scene, lanes, on_each};
use serde_json::{Value, json};
use std::time::Duration;
use testkit::{Config, Lane, Permit, Received, Reply, Tool, Transport, WellBehaved, text};

/// All that servers could ask for in earlier revisions.
fn questions() -> Vec<Value> {
    let message = json!([{ "role": "user", "content": { "type": "text", "text": "whose key is it" } }]);
    let schema = json!({ "type": "object", "properties": { "key": { "type": "string" } } });
    vec![
        json!({ "jsonrpc": "2.0", "id": 9, "method": "sampling/createMessage", "params": { "messages": message, "maxTokens": 10 } }),
        json!({ "jsonrpc": "2.0", "id": "nine", "method": "elicitation/create",
            "params": { "message": "your key", "requestedSchema": schema } }),
        json!({ "jsonrpc": "2.0", "id": 10, "method": "roots/list" }),
        json!({ "jsonrpc": "2.0", "id": 11, "method": "ping" }),
        json!({ "jsonrpc": "2.0", "id": 12, "method": "tools/call", "params": { "name": "read_file" } }),
    ]
}

/// The policy lets the server ask for everything, so that it is the revision which forbids it.
fn may_be_asked() -> Config {
    let permit = Permit::everything_on("files").from_server(&["sampling", "elicitation", "roots"]);
    Config::new().permit(permit)
}

fn modern_lanes() -> impl Iterator<Item = Lane> {
    lanes().into_iter().filter(|lane| lane.era.is_modern())
}

fn assert_all_are_on_record(scene: &Scene) {
    scene.expect_event("server-message-dropped", "not a message that a server may send in this revision");
    let records = scene.stage.audit();
    for question in questions() {
        let method = question["method"].as_str().unwrap();
        let told = records.iter().any(|record| record.kind() == "server-message-dropped" && record.method() == method);
        assert!(told, "no record of {method}: {records:#?}");
    }
}

#[test]
fn a_question_on_the_way_to_the_answer_is_dropped_and_recorded() {
    let ask = |received: &Received, reply: Reply| {
        reply.open_stream();
        questions().iter().for_each(|question| reply.json(question));
        let mut result = text("truth");
        result["resultType"] = json!("complete");
        reply.json(&json!({ "jsonrpc": "2.0", "id": received.id(), "result": result }));
        reply.finish();
    };
    let server = move || WellBehaved::files().tool(Tool::scripted("ask", ask));
    on_each(modern_lanes(), server, may_be_asked, |scene| {
        let answer = scene.correct_call("ask", json!({}));
        assert_eq!(answer.text(), "truth");
        assert_eq!(answer.messages.len(), 1, "nothing but the answer: {answer}");
        assert_all_are_on_record(scene);
        assert_eq!(scene.stage.recorder().count(), 1, "and nobody answers the server");
    });
}

#[test]
fn a_question_out_of_nowhere_is_dropped_and_recorded() {
    let over_stdio = modern_lanes().filter(|lane| lane.upstream == Transport::Stdio);
    on_each(over_stdio, WellBehaved::files, may_be_asked, |scene| {
        for child in scene.stage.upstream.children() {
            questions().iter().for_each(|question| child.json(question));
        }
        assert!(testkit::wait_until(Duration::from_secs(5), || {
            let dropped = |record: &testkit::AuditRecord| record.kind() == "server-message-dropped";
            scene.stage.audit().iter().filter(|record| dropped(record)).count() == questions().len()
        }));
        assert_all_are_on_record(scene);
        assert_eq!(scene.correct_call("read_file", json!({ "path": "a" })).messages.len(), 1);
        scene.stage.recorder().messages().iter().for_each(|message| assert_eq!(message.method(), "tools/call"));
    });
}
