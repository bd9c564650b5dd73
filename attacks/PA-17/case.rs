//! PA-17: a header twice that decides something.

use crate::ground::{http_lanes, on_each, readers_only};
use testkit::{Outgoing, WellBehaved};

#[test]
fn a_header_that_decides_something_stands_once() {
    on_each(http_lanes(), WellBehaved::files, readers_only, |scene| {
        let alice = scene.gateway().key_for("alice");
        let call = scene.call();
        let right = call.outgoing();
        let length = right.body.len().to_string();
        let right = right.header("Content-Length", &length);
        let own = |name: &str| -> String {
            let found = right.headers.iter().find(|(held, _)| held.eq_ignore_ascii_case(name));
            found.map_or_else(|| "a".to_owned(), |(_, value)| value.clone())
        };
        let other_length = (right.body.len() + 1).to_string();
        let bearer = format!("Bearer {alice}");
        let session = "0".repeat(64);
        for (name, other) in [
            ("Content-Length", other_length.as_str()),
            ("Host", "gw.test"),
            ("Authorization", bearer.as_str()),
            ("Mcp-Name", "delete_file"),
            ("Mcp-Method", "tools/list"),
            ("MCP-Protocol-Version", "2025-06-18"),
            ("Mcp-Session-Id", session.as_str()),
            ("Mcp-Param-Path", "b"),
            ("Origin", "http://evil.test"),
            ("Content-Type", "text/plain"),
            ("Last-Event-ID", "b"),
        ] {
            let own = own(name);
            let twice = |first: &str, second: &str| -> Outgoing { right.clone().header(name, first).add(name, second) };
            for bent in [twice(&own, other), twice(other, &own), twice(&own, &own)] {
                scene.assert_cut_off(bent.to_bytes(), 400, "repeated header field");
            }
            let spelled = right.clone().header(name, &own).add(&name.to_ascii_uppercase(), other);
            scene.assert_cut_off(spelled.to_bytes(), 400, "repeated header field");
        }
        scene.stage.recorder().assert_nothing();
    });
}
