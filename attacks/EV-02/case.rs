//! EV-02: the name in the header is not the name in the body.

use crate::ground::{DENIED, HEADER_MISMATCH, http_lanes, modern_http_lanes, on_each, only_tools, readers_only};
use serde_json::json;
use testkit::{Caller, Config, Era, HttpClient, Permit, WellBehaved};

fn server() -> WellBehaved {
    WellBehaved::files()
        .resource("file:///a", "a", "alpha")
        .resource("file:///b", "b", "beta")
        .prompt("plain", "say it")
        .prompt("other", "say more")
}

fn config() -> Config {
    let reading = Permit::new().callers(&["*"]).servers(&["files"]).resources(&["file:///a"]).prompts(&["plain"]);
    only_tools(&["read_file"]).permit(reading)
}

#[test]
fn a_name_that_differs_from_the_body_is_refused_whichever_of_them_is_allowed() {
    on_each(modern_http_lanes(), server, config, |scene| {
        let call = |tool: &str| scene.bob.prepare_call(tool, json!({ "path": "a" }));
        let read = |uri: &str| scene.bob.prepare("resources/read", json!({ "uri": uri }));
        let get = |name: &str| scene.bob.prepare("prompts/get", json!({ "name": name }));
        for message in [
            call("delete_file").header("Mcp-Name", "read_file"),
            call("read_file").header("Mcp-Name", "delete_file"),
            call("read_file").header("Mcp-Name", "READ_FILE"),
            call("read_file").header("Mcp-Name", "read_file,delete_file"),
            call("read_file").header("Mcp-Name", "read_fil"),
            read("file:///b").header("Mcp-Name", "file:///a"),
            read("file:///a").header("Mcp-Name", "file:///b"),
            read("file:///a").header("Mcp-Name", "file:///%61"),
            get("other").header("Mcp-Name", "plain"),
            get("plain").header("Mcp-Name", "other"),
        ] {
            let answer = scene.send(&message);
            scene.assert_blocked(&message, &answer, HEADER_MISMATCH, "validate", "Mcp-Name differs from the body");
        }
        assert_eq!(scene.send(&read("file:///a")).result()["contents"][0]["text"], "alpha");
        assert!(scene.send(&get("plain")).result()["messages"].is_array());
    });
}

#[test]
fn the_merged_route_compares_the_names_that_it_gives() {
    on_each(modern_http_lanes(), server, config, |scene| {
        let key = scene.gateway().key_for("bob");
        let client = HttpClient::unopened(scene.gateway().url(), Some(&key), Era::Modern);
        let call = |tool: &str| client.prepare_call(tool, json!({ "path": "a" }));
        assert_eq!(client.send(call("files__read_file")).text(), "read_file a");
        scene.stage.recorder().clear();
        for (tool, header) in [
            ("files__delete_file", "files__read_file"),
            ("files__read_file", "read_file"),
            ("files__read_file", "files__delete_file"),
        ] {
            let answer = client.send(call(tool).header("Mcp-Name", header));
            answer.assert_error(-32020, "Header mismatch");
            assert_eq!(answer.status(), 400);
        }
        scene.stage.recorder().assert_nothing();
        scene.count(4);
        assert_eq!(client.call("files__read_file", json!({ "path": "b" })).text(), "read_file b");
        scene.count(1);
    });
}

#[test]
fn where_headers_mean_nothing_the_body_is_judged() {
    let legacy = http_lanes().into_iter().filter(|lane| !lane.era.is_modern());
    on_each(legacy, WellBehaved::files, readers_only, |scene| {
        let message = scene.bob.prepare_call("delete_file", json!({ "path": "a" }));
        let mut outgoing = message.outgoing();
        outgoing = outgoing.header("Mcp-Method", "tools/call").header("Mcp-Name", "read_file");
        scene.count(1);
        let answer = scene.bob.http().send(outgoing);
        scene.assert_blocked(&message, &answer, DENIED, "policy", "");
    });
}
