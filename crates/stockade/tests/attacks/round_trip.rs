//! Multi-round-trip requests (MCP 2026-07-28): a server with tools that ask the client first, and a client that answers.

use crate::ground::{Attacker, Message, STOCKADE, Scene, roomy};
use serde_json::{Value, json};
use testkit::{Config, Era, Gateway, HttpClient, Lane, Permit, Tool, Upstream, WellBehaved, text};

/// Everything is permitted, asking the client included.
pub(crate) fn config() -> Config {
    let asking = Permit::everything_on("files").from_server(&["elicitation", "roots", "sampling"]);
    roomy(Config::new()).permit(asking)
}

/// `files`, with two tools that ask for a form before they answer.
pub(crate) fn asking() -> WellBehaved {
    let schema = json!({ "type": "object", "properties": { "name": { "type": "string" } } });
    let question = json!({ "mode": "form", "message": "Who?", "requestedSchema": schema });
    let tool = |name: &str| {
        Tool::asking(name, "elicitation/create", question.clone(), |call, _| {
            text(&format!("answered {}", call.arguments["path"].as_str().unwrap_or_default()))
        })
    };
    WellBehaved::files().tool(tool("ask")).tool(tool("ask_again"))
}

/// Calls a tool that asks, counts the call, and gives the state that the client is to bring back.
#[track_caller]
pub(crate) fn ask(scene: &Scene, tool: &str, arguments: Value) -> String {
    ask_by(scene, &scene.bob, tool, arguments)
}

/// As [`ask`], by another client.
#[track_caller]
pub(crate) fn ask_by(scene: &Scene, client: &Attacker, tool: &str, arguments: Value) -> String {
    scene.count(1);
    let answer = client.send(&client.prepare_call(tool, arguments));
    assert_eq!(answer.result()["resultType"], "input_required", "{answer}");
    answer.result()["requestState"].as_str().expect("a state").to_owned()
}

/// The call again, with the client's answer and a state.
pub(crate) fn answered(scene: &Scene, tool: &str, arguments: Value, state: &str) -> Message {
    answered_by(&scene.bob, tool, arguments, state)
}

/// As [`answered`], by another client.
pub(crate) fn answered_by(client: &Attacker, tool: &str, arguments: Value, state: &str) -> Message {
    client.prepare("tools/call", second(tool, arguments, state))
}

fn second(tool: &str, arguments: Value, state: &str) -> Value {
    let responses = json!({ "ask": { "action": "accept", "content": { "name": "bob" } } });
    json!({ "name": tool, "arguments": arguments, "requestState": state, "inputResponses": responses })
}

/// Asks, starts the gateway again, and tries the state of before on it; nothing may arrive.
pub(crate) fn on_both_sides_of_a_restart(lane: Lane, attempt: impl FnOnce(&HttpClient, &str)) {
    let upstream = Upstream::over(lane.upstream, asking());
    let mut gateway = Gateway::start(STOCKADE, config().server("files", upstream.entry()));
    let key = gateway.key_for("bob");
    let client = HttpClient::unopened(&gateway.url_of("files"), Some(&key), Era::Modern);
    let asked = client.send(client.prepare_call("ask", json!({ "path": "a" })));
    let state = asked.result()["requestState"].as_str().expect("a state").to_owned();
    gateway.restart();
    let client = HttpClient::unopened(&gateway.url_of("files"), Some(&key), Era::Modern);
    upstream.recorder().clear();
    attempt(&client, &state);
    upstream.recorder().assert_no_act();
    assert_eq!(gateway.audit_verify().0, 0);
}
