//! EV-07: a session id in the era that has none.

use crate::ground::{DENIED, LONG, modern_http_lanes, on_each, roomy};
use serde_json::json;
use testkit::{Caller, Config, Era, Permit, WellBehaved, wait_until};

fn config() -> Config {
    let permit = |callers: &[&str], tools: &[&str]| Permit::new().callers(callers).servers(&["files"]).tools(tools);
    roomy(Config::new()).permit(permit(&["*"], &["read_file"])).permit(permit(&["alice"], &["delete_file"]))
}

#[test]
fn a_modern_request_with_somebodys_session_is_its_own_callers_and_stateless() {
    on_each(modern_http_lanes(), WellBehaved::files, config, |scene| {
        let alice = scene.gateway().client("files", "alice", Era::Legacy("2025-11-25"));
        assert_eq!(alice.call("delete_file", json!({ "path": "x" })).text(), "delete_file x");
        scene.count(2);
        let session = alice.session().expect("a session");
        scene.stage.recorder().clear();

        let message = scene.bob.prepare_call("delete_file", json!({ "path": "a" })).header("Mcp-Session-Id", &session);
        let answer = scene.send(&message);
        scene.assert_blocked(&message, &answer, DENIED, "policy", "");

        for named in [session.as_str(), "0", "not a session", &"f".repeat(64)] {
            let message = scene.call().header("Mcp-Session-Id", named);
            let answer = scene.send(&message);
            assert!(answer.text().starts_with("read_file "), "{answer}");
            assert_eq!(answer.header("Mcp-Session-Id"), None, "no session is minted or echoed");
        }
        let calls = scene.stage.recorder().calls("read_file");
        assert!(calls.iter().all(|call| call.header("mcp-session-id").is_none()), "the header goes no further");
        let told = || {
            let records = scene.stage.audit();
            let own =
                |caller: &str| records.iter().filter(|record| record.caller() == caller && record.is_request()).count();
            // Warm-up, denial and four calls; a handshake and a call.
            (own("bob"), own("alice")) == (6, 2)
        };
        assert!(wait_until(LONG, told), "{:#?}", scene.stage.audit());
        assert_eq!(alice.call("read_file", json!({ "path": "mine" })).text(), "read_file mine");
        scene.count(1);
        assert_eq!(alice.send(alice.prepare_bodiless("DELETE")).status(), 200);
    });
}
