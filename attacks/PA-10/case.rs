//! PA-10: batches.

use crate::ground::{INVALID_REQUEST, SERVER_FAILED, TIMED_OUT, everything, on_each, readers_only};
use serde_json::json;
use testkit::{Lane, Reply, Tool, Transport, WellBehaved};

#[test]
fn a_batch_is_refused_and_nothing_in_it_runs() {
    // Every revision, as one of them once had batches.
    on_each(Lane::all(), WellBehaved::files, readers_only, |scene| {
        let call = scene.call();
        let read = call.text().to_owned();
        let delete = call.clone().replace(r#""name":"read_file""#, r#""name":"delete_file""#);
        let delete = delete.replace(&format!(r#""id":{}"#, call.id), r#""id":"second""#).text().to_owned();
        let notification = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
        for batch in [
            format!("[{read},{delete}]"),
            format!("[{read}]"),
            format!("[{delete},{notification}]"),
            format!("[{notification}]"),
            format!("[[{read}]]"),
            "[]".to_owned(),
        ] {
            let message = call.clone().with(batch);
            let answer = scene.send(&message);
            assert_eq!(answer.responses()[0].get("id"), None, "{answer}");
            scene.assert_blocked(&message, &answer, INVALID_REQUEST, "read", "batches are not accepted");
        }
    });
}

#[test]
fn an_answer_in_a_batch_is_not_delivered() {
    let batch = |received: &testkit::Received, reply: Reply| {
        let result = json!({ "resultType": "complete", "content": [{ "type": "text", "text": "forbidden" }] });
        reply.message(json!([{ "jsonrpc": "2.0", "id": received.id(), "result": result }]).to_string());
    };
    let server = || WellBehaved::files().tool(Tool::scripted("batch", batch));
    let config = || everything().server_setting("files", "deadline", json!("1s"));
    on_each(Lane::typical(), server, config, |scene| {
        let (words, reason) = match scene.lane().upstream {
            Transport::Http => (SERVER_FAILED, "batches are not accepted"),
            Transport::Stdio => (TIMED_OUT, "no answer before the deadline"),
        };
        let message = scene.bob.prepare_call("batch", json!({}));
        let answer = scene.send(&message);
        scene.assert_withheld(&message, &answer, words, reason);
    });
}
