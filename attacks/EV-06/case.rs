//! EV-06: an older revision, to get past a check that only the newer one has.

use crate::ground::{
    DENIED, HEADER_MISMATCH, SESSION_MISSING, UNSUPPORTED_VERSION, http_lanes, legacy_http_lanes, modern_http_lanes,
    on_each, readers_only,
};
use serde_json::{Value, json};
use testkit::{Caller, Era, HttpClient, Lane, WellBehaved};

const VERSIONS: [&str; 5] = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05", "1999-01-01"];

/// The error without the id of its record.
fn told(error: &Value) -> (Value, Value) {
    (error["code"].clone(), error["message"].clone())
}

#[test]
fn every_revision_gives_the_same_denial() {
    on_each(Lane::all(), WellBehaved::files, readers_only, |scene| {
        for tool in ["delete_file", "write_file", "no_such_tool"] {
            let message = scene.bob.prepare_call(tool, json!({ "path": "a", "content": "b" }));
            let answer = scene.send(&message);
            scene.assert_blocked(&message, &answer, DENIED, "policy: default deny", "");
        }
    });
}

#[test]
fn a_handshake_in_any_revision_opens_nothing_more() {
    on_each(legacy_http_lanes(), WellBehaved::files, readers_only, |scene| {
        let key = scene.gateway().key_for("bob");
        for version in VERSIONS {
            let client = HttpClient::unopened(&scene.gateway().url_of("files"), Some(&key), Era::Legacy(version));
            let opened = client.open_session();
            assert!(opened.result()["protocolVersion"].is_string(), "{opened}");
            let answer = client.call("delete_file", json!({ "path": "a" }));
            assert_eq!(told(answer.error()), (json!(1001), json!("Permission denied")), "{version}: {answer}");
            assert_eq!(client.call("read_file", json!({ "path": "a" })).text(), "read_file a");
            scene.count(3);
            assert_eq!(client.send(client.prepare_bodiless("DELETE")).status(), 200);
        }
        assert!(scene.stage.recorder().calls("delete_file").is_empty());
    });
}

#[test]
fn a_header_alone_makes_no_message_of_another_revision() {
    on_each(http_lanes(), WellBehaved::files, readers_only, |scene| {
        let right = scene.bob.prepare_call("delete_file", json!({ "path": "a" })).without_header("Mcp-Session-Id");
        for version in VERSIONS {
            let message = right.clone().header("MCP-Protocol-Version", version);
            let (words, said) = match (version, scene.is_modern()) {
                ("1999-01-01", _) => (UNSUPPORTED_VERSION, "is no known revision"),
                (_, true) => (HEADER_MISMATCH, "MCP-Protocol-Version differs from the body"),
                (_, false) => (SESSION_MISSING, "outside of any session"),
            };
            let answer = scene.send(&message);
            scene.assert_blocked(&message, &answer, words, "validate", said);
        }
        let message = right.without_header("MCP-Protocol-Version");
        let answer = scene.send(&message);
        let words = if scene.is_modern() { HEADER_MISMATCH } else { SESSION_MISSING };
        scene.assert_blocked(&message, &answer, words, "validate", "");
    });
}

#[test]
fn a_modern_request_stripped_of_its_marks_is_a_legacy_one_without_session() {
    on_each(modern_http_lanes(), WellBehaved::files, readers_only, |scene| {
        let bare = scene.bob.prepare_call("delete_file", json!({ "path": "a" }));
        let bare = bare.edit(|message| drop(message["params"].as_object_mut().unwrap().remove("_meta")));
        for version in VERSIONS.into_iter().filter(|version| *version != "1999-01-01") {
            let message = bare.clone().header("MCP-Protocol-Version", version);
            let answer = scene.send(&message);
            scene.assert_blocked(&message, &answer, SESSION_MISSING, "validate", "outside of any session");
        }
    });
}

#[test]
fn what_is_below_the_configured_floor_is_refused_in_every_form() {
    let config = || readers_only().gateway("oldest_revision", json!("2025-11-25"));
    on_each(legacy_http_lanes(), WellBehaved::files, config, |scene| {
        let key = scene.gateway().key_for("carol");
        for version in ["2025-06-18", "2025-03-26", "2024-11-05"] {
            let client = HttpClient::unopened(&scene.gateway().url_of("files"), Some(&key), Era::Legacy(version));
            let answer = client.open_session();
            scene.count(1);
            assert_eq!(told(answer.error()), (json!(-32022), json!("Unsupported protocol version")), "{answer}");
            assert_eq!(answer.status(), 400);
            assert_eq!(answer.error()["data"]["supported"], json!(["2025-11-25", "2026-07-28"]));
            assert_eq!(client.session(), None);
            assert_eq!(answer.header("Mcp-Session-Id"), None);
        }
        scene.stage.recorder().assert_no_act();
        assert_eq!(scene.correct_call("read_file", json!({ "path": "a" })).text(), "read_file a");
    });
}
