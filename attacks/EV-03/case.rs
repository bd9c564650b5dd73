//! EV-03: a name behind the base64 sentinel.

use crate::ground::{DENIED, HEADER_MISMATCH, modern_http_lanes, on_each, readers_only};
use serde_json::json;
use testkit::{Transport, WellBehaved, mirrored_value};

/// `delete_file`
const DELETE: &str = "=?base64?ZGVsZXRlX2ZpbGU=?=";
/// `read_file`
const READ: &str = "=?base64?cmVhZF9maWxl?=";

#[test]
fn an_encoded_name_is_decoded_before_it_is_judged() {
    on_each(modern_http_lanes(), WellBehaved::files, readers_only, |scene| {
        let call =
            |tool: &str, header: &str| scene.bob.prepare_call(tool, json!({ "path": "a" })).header("Mcp-Name", header);
        let message = call("delete_file", DELETE);
        let answer = scene.send(&message);
        scene.assert_blocked(&message, &answer, DENIED, "policy", "");
        for message in [call("read_file", DELETE), call("delete_file", READ)] {
            let answer = scene.send(&message);
            scene.assert_blocked(&message, &answer, HEADER_MISMATCH, "validate", "Mcp-Name differs from the body");
        }
        // Nobody after the door has seen the encoded form.
        let told: Vec<_> = scene.stage.audit().iter().map(|record| record.target().to_owned()).collect();
        assert!(told.iter().any(|target| target == "delete_file"), "{told:?}");
        assert!(!told.iter().any(|target| target.contains("=?")), "{told:?}");
        // An encoded name that is right and allowed goes on in our own form.
        assert_eq!(scene.send(&call("read_file", READ)).text(), "read_file a");
        if scene.lane().upstream == Transport::Http {
            let calls = scene.stage.recorder().calls("read_file");
            assert_eq!(calls[0].header("mcp-name"), Some("read_file"));
        }
        assert!(!scene.stage.recorder().saw("=?base64?"));
    });
}

#[test]
fn what_is_not_encoded_as_it_should_be_is_refused() {
    on_each(modern_http_lanes(), WellBehaved::files, readers_only, |scene| {
        for header in [
            "=?base64?!!!?=",
            "=?BASE64?cmVhZF9maWxl?=",
            "=?Base64?cmVhZF9maWxl?=",
            "=?base64?cmVhZF9maWxl",
            "=?base64??=",
            // No padding, wrong padding, bits that are left over, the other alphabet, a line end inside.
            "=?base64?ZGVsZXRlX2ZpbGU?=",
            "=?base64?cmVhZF9maWxl=?=",
            "=?base64?ZGVsZXRlX2ZpbGV=?=",
            "=?base64?w7_Dvw==?=",
            "=?base64?cmVh ZF9maWxl?=",
            // Bytes that are no UTF-8, and the sentinel twice.
            "=?base64?/w==?=",
            "=?base64?PT9iYXNlNjQ/Y21WaFpGOW1hV3hsPz0=?=",
        ] {
            for tool in ["read_file", "delete_file"] {
                let message = scene.bob.prepare_call(tool, json!({ "path": "a" })).header("Mcp-Name", header);
                let answer = scene.send(&message);
                scene.assert_blocked(&message, &answer, HEADER_MISMATCH, "validate", "Mcp-Name");
            }
        }
    });
}

#[test]
fn a_name_that_looks_encoded_is_itself_once_it_is_encoded() {
    on_each(modern_http_lanes(), WellBehaved::files, readers_only, |scene| {
        // A tool of this very name is not allowed; `delete_file` must not be read out of it.
        let message = scene.bob.prepare_call(DELETE, json!({ "path": "a" })).header("Mcp-Name", DELETE);
        let answer = scene.send(&message);
        scene.assert_blocked(&message, &answer, HEADER_MISMATCH, "validate", "Mcp-Name differs from the body");
        let message = message.header("Mcp-Name", &mirrored_value(DELETE));
        let answer = scene.send(&message);
        scene.assert_blocked(&message, &answer, DENIED, "policy", "");
    });
}
