//! EV-05: header and body name different revisions.

use crate::ground::{
    HEADER_MISMATCH, INVALID_REQUEST, UNSUPPORTED_VERSION, legacy_http_lanes, modern_http_lanes, on_each, readers_only,
};
use serde_json::json;
use testkit::WellBehaved;

const VERSION: &str = "io.modelcontextprotocol/protocolVersion";
const LEGACY: [&str; 4] = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"];

#[test]
fn a_revision_that_differs_from_the_body_is_refused() {
    on_each(modern_http_lanes(), WellBehaved::files, readers_only, |scene| {
        let said = "MCP-Protocol-Version differs from the body";
        for legacy in LEGACY {
            let in_body = scene.call().edit(|message| message["params"]["_meta"][VERSION] = json!(legacy));
            let in_header = scene.call().header("MCP-Protocol-Version", legacy);
            for message in [in_body, in_header] {
                let answer = scene.send(&message);
                scene.assert_blocked(&message, &answer, HEADER_MISMATCH, "validate", said);
            }
        }
        for nonsense in ["1999-01-01", "2026-07-28 ", "2026-7-28", ""] {
            let message = scene.call().edit(|message| message["params"]["_meta"][VERSION] = json!(nonsense));
            let answer = scene.send(&message);
            scene.assert_blocked(&message, &answer, HEADER_MISMATCH, "validate", said);
        }
        let message = scene.call().header("MCP-Protocol-Version", "1999-01-01");
        let answer = scene.send(&message);
        scene.assert_blocked(&message, &answer, UNSUPPORTED_VERSION, "validate", "is no known revision");
    });
}

#[test]
fn a_legacy_header_must_be_the_one_that_the_session_agreed_on() {
    on_each(legacy_http_lanes(), WellBehaved::files, readers_only, |scene| {
        let own = scene.lane().era.revision();
        for other in LEGACY.into_iter().filter(|other| *other != own) {
            let message = scene.call().header("MCP-Protocol-Version", other);
            let answer = scene.send(&message);
            let said = "MCP-Protocol-Version differs from the session";
            scene.assert_blocked(&message, &answer, INVALID_REQUEST, "validate", said);
        }
    });
}
