//! EV-09: a client that says itself who it is.

use crate::ground::{DENIED, LONG, lanes, on_each, roomy};
use serde_json::{Value, json};
use testkit::{Config, Permit, Transport, WellBehaved, wait_until};

const CLIENT: &str = "io.modelcontextprotocol/clientInfo";
const USER: &str = "io.modelcontextprotocol/user";

/// Only `carol` and `admin-console` may delete, if anybody is either of them.
fn config() -> Config {
    let permit = |callers: &[&str], tools: &[&str]| Permit::new().callers(callers).servers(&["files"]).tools(tools);
    roomy(Config::new())
        .permit(permit(&["*"], &["read_file"]))
        .permit(permit(&["carol", "admin-console", "admin"], &["delete_file"]))
}

/// Adds every claim that there is to a right message.
fn claim(message: &mut Value) {
    let params = message["params"].as_object_mut().expect("parameters");
    let meta = params.entry("_meta").or_insert_with(|| json!({}));
    meta[CLIENT] = json!({ "name": "admin-console", "version": "9.9" });
    meta[USER] = json!("carol");
    meta["io.modelcontextprotocol/roles"] = json!(["admin"]);
    meta["dev.mcp/scopes"] = json!("*");
    meta["com.example/roles"] = json!(["admin"]);
    meta["baggage"] = json!("tenant=other");
}

#[test]
fn claims_change_no_decision() {
    on_each(lanes(), WellBehaved::files, config, |scene| {
        let message = scene.bob.prepare_call("delete_file", json!({ "path": "a" })).edit(claim);
        let message = message.header("X-User", "carol").header("X-Forwarded-User", "carol");
        let answer = scene.send(&message);
        scene.assert_blocked(&message, &answer, DENIED, "policy: default deny", "");
    });
}

#[test]
fn claims_are_recorded_as_claims_and_those_in_reserved_names_go_no_further() {
    on_each(lanes(), WellBehaved::files, config, |scene| {
        let answer = scene.send(&scene.bob.prepare_call("read_file", json!({ "path": "a" })).edit(claim));
        assert_eq!(answer.text(), "read_file a");
        let call = scene.stage.recorder().calls("read_file").pop().expect("it arrived");
        for reserved in [USER, "io.modelcontextprotocol/roles", "dev.mcp/scopes"] {
            assert!(call.meta(reserved).is_null(), "{reserved} reached the server");
        }
        // What belongs to nobody's protocol passes as it is, and nothing of ours believes it.
        assert_eq!(call.meta("com.example/roles"), &json!(["admin"]));
        let told = || {
            let records = scene.stage.audit();
            let of_call = records.iter().rfind(|record| record.phase() == "outcome" && record.target() == "read_file");
            of_call.is_some_and(|record| {
                let is_claimed = !scene.is_modern() || record.text("client") == "admin-console 9.9";
                // Over stdio the caller is the local user, whom no message names.
                let is_own = scene.lane().door == Transport::Stdio || record.caller() == "bob";
                is_claimed && is_own && record.caller() != "carol"
            })
        };
        assert!(wait_until(LONG, told), "{:#?}", scene.stage.audit());
    });
}
