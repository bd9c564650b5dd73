//! EV-01: the method in the header is not the method in the body.

use crate::ground::{DENIED, HEADER_MISMATCH, modern_http_lanes, on_each, only_tools, readers_only};
use serde_json::json;
use testkit::WellBehaved;

#[test]
fn a_method_that_differs_from_the_body_is_refused_before_the_policy_is_asked() {
    on_each(modern_http_lanes(), WellBehaved::files, readers_only, |scene| {
        let said = "Mcp-Method differs from the body";
        for header in ["tools/list", "TOOLS/CALL", "tools/call, tools/list", "tools/cal", "ping", ""] {
            for tool in ["read_file", "delete_file"] {
                let message = scene.bob.prepare_call(tool, json!({ "path": "a" })).header("Mcp-Method", header);
                let answer = scene.send(&message);
                scene.assert_blocked(&message, &answer, HEADER_MISMATCH, "validate", said);
            }
        }
        let message = scene.bob.prepare("tools/list", json!({})).header("Mcp-Method", "tools/call");
        let answer = scene.send(&message.clone().header("Mcp-Name", "read_file"));
        scene.assert_blocked(&message, &answer, HEADER_MISMATCH, "validate", said);
        // The same call with its right header is the policy's to refuse.
        let message = scene.bob.prepare_call("delete_file", json!({ "path": "a" }));
        let answer = scene.send(&message);
        scene.assert_blocked(&message, &answer, DENIED, "policy", "");
    });
}

#[test]
fn a_mismatch_uses_nothing_of_the_budget() {
    let config = || only_tools(&["read_file"]).limit("calls_per_minute", json!(4));
    on_each(modern_http_lanes(), WellBehaved::files, config, |scene| {
        for _ in 0..20 {
            let message = scene.call().header("Mcp-Method", "tools/list");
            let answer = scene.send(&message);
            scene.assert_blocked(&message, &answer, HEADER_MISMATCH, "validate", "Mcp-Method");
        }
        // One of the four was the warm-up, one is for the check at the end.
        for _ in 0..2 {
            assert_eq!(scene.correct_call("read_file", json!({ "path": "a" })).text(), "read_file a");
        }
    });
}

#[test]
fn a_method_header_that_stands_twice_is_cut_off() {
    on_each(modern_http_lanes(), WellBehaved::files, readers_only, |scene| {
        for second in ["tools/call", "tools/list"] {
            let request = scene.call().outgoing().add("Mcp-Method", second).to_bytes();
            scene.assert_cut_off(request, 400, "Mcp-Method");
        }
        scene.stage.recorder().assert_nothing();
    });
}
