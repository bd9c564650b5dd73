//! EV-12: input that the client cannot give, and results that are none.

use crate::ground::{SERVER_FAILED, Scene, WITHHELD, Words, lanes, on_each};
use crate::round_trip::config;
use serde_json::{Value, json};
use testkit::{Config, Lane, Permit, Tool, WellBehaved};

fn modern() -> impl Iterator<Item = Lane> {
    lanes().into_iter().filter(|lane| lane.era.is_modern())
}

fn elicitation() -> Value {
    let schema = json!({ "type": "object", "properties": { "name": { "type": "string" } } });
    json!({ "method": "elicitation/create", "params": { "mode": "form", "message": "forbidden?", "requestedSchema": schema } })
}

fn input_required(requests: Value) -> Value {
    json!({ "resultType": "input_required", "requestState": "forbidden", "inputRequests": requests })
}

/// A server whose tool `odd`, list of tools and resource answer with this result.
fn answering(result: Value) -> WellBehaved {
    let (listed, read) = (result.clone(), result.clone());
    let odd = Tool::scripted("odd", move |received, reply| {
        reply.json(&json!({ "jsonrpc": "2.0", "id": received.id(), "result": result }));
    });
    WellBehaved::files()
        .tool(odd)
        .on("tools/list", move |received, reply| {
            reply.json(&json!({ "jsonrpc": "2.0", "id": received.id(), "result": listed }));
        })
        .on("resources/list", move |received, reply| {
            reply.json(&json!({ "jsonrpc": "2.0", "id": received.id(), "result": read }));
        })
}

#[track_caller]
fn assert_withheld(scene: &Scene, method: &str, params: Value, words: Words, reason: &str) {
    let message = scene.bob.prepare(method, params);
    let answer = scene.send(&message);
    scene.assert_withheld(&message, &answer, words, reason);
}

fn call() -> Value {
    json!({ "name": "odd", "arguments": {} })
}

#[test]
fn a_list_never_asks_for_input() {
    let server = || answering(input_required(json!({ "ask": elicitation() })));
    on_each(modern(), server, config, |scene| {
        for method in ["tools/list", "resources/list"] {
            assert_withheld(scene, method, json!({}), SERVER_FAILED, "broke the protocol");
        }
    });
}

#[test]
fn what_the_client_has_not_declared_is_not_asked_for() {
    let capabilities = "io.modelcontextprotocol/clientCapabilities";
    let requests = [(elicitation(), "elicitation"), (json!({ "method": "roots/list", "params": {} }), "roots")];
    for (request, named) in requests {
        let server = || answering(input_required(json!({ "ask": request.clone() })));
        on_each(modern(), server, config, |scene| {
            let mut params = call();
            params["_meta"] = json!({ capabilities: {} });
            assert_withheld(scene, "tools/call", params, SERVER_FAILED, &format!("asks for {named}, which"));
        });
    }
}

#[test]
fn what_the_policy_does_not_allow_is_not_asked_for() {
    let server = || answering(input_required(json!({ "ask": elicitation() })));
    let config = || crate::ground::roomy(Config::new()).permit(Permit::everything_on("files"));
    on_each(modern(), server, config, |scene| {
        assert_withheld(scene, "tools/call", call(), WITHHELD, "");
    });
}

#[test]
fn a_result_that_is_none_is_not_delivered() {
    let odd = [
        json!({ "resultType": "input_required" }),
        json!({ "resultType": "input_required", "content": [] }),
        json!({ "resultType": "evil_ext", "content": [{ "type": "text", "text": "forbidden" }] }),
        json!({ "resultType": "COMPLETE", "content": [{ "type": "text", "text": "forbidden" }] }),
        json!({ "resultType": 1, "content": [] }),
        input_required(json!({ "ask": { "method": "tools/call", "params": { "name": "delete_file" } } })),
        input_required(json!([])),
    ];
    let count = odd.len();
    let server = || {
        let odd = odd.clone();
        WellBehaved::files().tool(Tool::scripted("odd", move |received, reply| {
            let which = received.params()["arguments"]["which"].as_u64().expect("a number") as usize;
            reply.json(&json!({ "jsonrpc": "2.0", "id": received.id(), "result": odd[which] }));
        }))
    };
    on_each(modern(), server, config, |scene| {
        for which in 0..count {
            let params = json!({ "name": "odd", "arguments": { "which": which } });
            assert_withheld(scene, "tools/call", params, SERVER_FAILED, "");
        }
    });
}
