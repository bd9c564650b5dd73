//! EV-08: `_meta` that is missing or no `_meta`.

use crate::ground::{INVALID_PARAMS, TOO_LARGE, lanes, modern_http_lanes, on_each, readers_only};
use serde_json::{Value, json};
use testkit::{Transport, WellBehaved};

const CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";
const VERSION: &str = "io.modelcontextprotocol/protocolVersion";

/// Changes of the right `_meta`; nothing stands for its absence.
fn bent(right: &Value) -> Vec<Option<Value>> {
    let without = |name: &str| {
        let mut meta = right.clone();
        meta.as_object_mut().unwrap().remove(name);
        Some(meta)
    };
    let with = |name: &str, value: Value| {
        let mut meta = right.clone();
        meta[name] = value;
        Some(meta)
    };
    vec![
        without(CAPABILITIES),
        without(VERSION),
        with(CAPABILITIES, json!([])),
        with(CAPABILITIES, json!(true)),
        with(CAPABILITIES, Value::Null),
        with(VERSION, json!(20_260_728)),
        with(VERSION, Value::Null),
        Some(json!([])),
        Some(json!([right])),
        Some(json!("_meta")),
        Some(Value::Null),
        Some(json!({})),
        None,
    ]
}

fn set_meta(message: &mut Value, meta: Option<Value>) {
    let params = message["params"].as_object_mut().expect("parameters");
    match meta {
        Some(meta) => drop(params.insert("_meta".to_owned(), meta)),
        None => drop(params.remove("_meta")),
    }
}

#[test]
fn a_modern_request_without_a_right_meta_is_refused() {
    on_each(modern_http_lanes(), WellBehaved::files, readers_only, |scene| {
        let right: Value = serde_json::from_slice(&scene.call().bytes).unwrap();
        for meta in bent(&right["params"]["_meta"]) {
            for message in [scene.call(), scene.bob.prepare("tools/list", json!({}))] {
                let message = message.edit(|message| set_meta(message, meta.clone()));
                let answer = scene.send(&message);
                scene.assert_blocked(&message, &answer, INVALID_PARAMS, "validate", "");
            }
        }
    });
}

#[test]
fn over_stdio_nothing_of_the_kind_reaches_the_server_either() {
    let modern_stdio = lanes().into_iter().filter(|lane| lane.door == Transport::Stdio && lane.era.is_modern());
    on_each(modern_stdio, WellBehaved::files, readers_only, |scene| {
        let right: Value = serde_json::from_slice(&scene.call().bytes).unwrap();
        for meta in bent(&right["params"]["_meta"]) {
            let message = scene.call().edit(|message| set_meta(message, meta));
            let answer = scene.send(&message);
            // What has no revision left is a legacy message outside of any session.
            assert!([-32600, -32602, -32022].contains(&answer.error_code()), "{answer}");
            scene.expect_refusal("validate", "");
            scene.stage.recorder().assert_nothing();
        }
    });
}

#[test]
fn a_meta_of_five_mebibytes_is_too_large() {
    let modern = lanes().into_iter().filter(|lane| lane.era.is_modern());
    on_each(modern, WellBehaved::files, readers_only, |scene| {
        let message =
            scene.call().edit(|message| message["params"]["_meta"]["x.test/fill"] = json!("x".repeat(5 << 20)));
        let answer = scene.send(&message);
        scene.assert_blocked(&message, &answer, TOO_LARGE, "", "4194304");
    });
}
