//! EV-04: mirrored headers that are missing.

use crate::ground::{HEADER_MISMATCH, modern_http_lanes, on_each, readers_only};
use serde_json::json;
use testkit::{Config, Permit, WellBehaved};

fn server() -> WellBehaved {
    WellBehaved::files().resource("file:///a", "a", "alpha").prompt("plain", "say it")
}

fn config() -> Config {
    let reading = Permit::new().callers(&["*"]).servers(&["files"]).resources(&["*"]).prompts(&["*"]);
    readers_only().permit(reading)
}

#[test]
fn each_mirrored_header_must_be_there() {
    on_each(modern_http_lanes(), server, config, |scene| {
        let messages = [
            scene.bob.prepare_call("read_file", json!({ "path": "a" })),
            scene.bob.prepare("resources/read", json!({ "uri": "file:///a" })),
            scene.bob.prepare("prompts/get", json!({ "name": "plain" })),
            scene.bob.prepare("tools/list", json!({})),
        ];
        for right in messages {
            for (header, said) in [
                ("MCP-Protocol-Version", "MCP-Protocol-Version is missing"),
                ("Mcp-Method", "Mcp-Method is missing"),
                ("Mcp-Name", "Mcp-Name is missing"),
            ] {
                if header == "Mcp-Name" && right.text().contains("tools/list") {
                    continue;
                }
                let message = right.clone().without_header(header);
                let answer = scene.send(&message);
                scene.assert_blocked(&message, &answer, HEADER_MISMATCH, "validate", said);
            }
            let message = right.clone().without_header("MCP-Protocol-Version").without_header("Mcp-Method");
            let message = message.without_header("Mcp-Name");
            let answer = scene.send(&message);
            scene.assert_blocked(&message, &answer, HEADER_MISMATCH, "validate", "is missing");
        }
    });
}

#[test]
fn an_empty_header_is_not_the_right_one() {
    on_each(modern_http_lanes(), server, config, |scene| {
        for header in ["Mcp-Method", "Mcp-Name"] {
            let message = scene.call().header(header, "");
            let answer = scene.send(&message);
            scene.assert_blocked(&message, &answer, HEADER_MISMATCH, "validate", header);
        }
    });
}
