//! AU-20: a session of one route on another.

use crate::ground::{DENIED, LONG, Message, NO_SESSION, legacy_http_lanes, on_each, roomy};
use serde_json::json;
use testkit::{Caller, Config, Era, HttpClient, Permit, Recorder, Transport, Upstream, WellBehaved, wait_until};

#[test]
fn a_session_serves_the_route_where_it_was_opened() {
    let closed = Upstream::http(WellBehaved::files());
    // Of the closed server bob sees nothing but that it is there.
    let config = || {
        roomy(Config::new())
            .server("closed", closed.entry())
            .permit(Permit::everything_on("files"))
            .permit(Permit::new().callers(&["bob"]).servers(&["closed"]))
    };
    on_each(legacy_http_lanes(), WellBehaved::files, config, |scene| {
        let Era::Legacy(revision) = scene.lane().era else { panic!("a legacy lane") };
        let key = scene.gateway().key_for("bob");
        let open = |url: &str| {
            scene.count(1);
            HttpClient::connect(url, &key, Era::Legacy(revision))
        };
        let of_closed = open(&scene.gateway().url_of("closed"));
        let of_all = open(scene.gateway().url());
        let of_files = scene.bob.http();
        let clients = [("closed", &of_closed), ("all", &of_all), ("files", of_files)];
        // What belongs to the handshakes arrives when it arrives, and must not fall into the case.
        let settled = |recorder: &Recorder, sessions: usize, has_streams: bool| {
            let messages = recorder.messages();
            let streams =
                messages.iter().filter(|message| message.http.as_ref().is_some_and(|http| http.method == "GET"));
            let told = recorder.of_method("notifications/initialized").len();
            told >= sessions && (!has_streams || streams.count() >= sessions)
        };
        let is_settled = || {
            let over_http = scene.lane().upstream == Transport::Http;
            settled(closed.recorder(), 2, true) && settled(scene.stage.recorder(), 1, over_http)
        };
        assert!(wait_until(LONG, is_settled), "the sessions are open");
        closed.recorder().clear();
        scene.stage.recorder().clear();
        for (here, client) in &clients {
            for (there, other) in clients.iter().filter(|(there, _)| there != here) {
                let session = other.session().expect("a session");
                for message in attempts(scene, client) {
                    let message = message.header("Mcp-Session-Id", &session);
                    scene.count(1);
                    let answer = client.send(message.outgoing());
                    println!("the session of {there} on the route of {here}");
                    scene.assert_blocked(&message, &answer, NO_SESSION, "session-binding", "");
                }
            }
        }
        closed.recorder().assert_nothing();
        // Each still serves its own route, under its own rules.
        let message = message(&of_closed, "tools/call", json!({ "name": "read_file", "arguments": { "path": "a" } }));
        scene.count(1);
        let answer = of_closed.send(message.outgoing());
        scene.assert_blocked(&message, &answer, DENIED, "policy: default deny", "");
        scene.count(1);
        assert_eq!(of_all.call("files__read_file", json!({ "path": "a" })).text(), "read_file a");
        for client in [&of_closed, &of_all] {
            assert_eq!(client.send(client.prepare_bodiless("DELETE")).status(), 200);
        }
    });
}

fn message(client: &HttpClient, method: &str, params: serde_json::Value) -> Message {
    Message::of(client.prepare(method, params))
}

/// What can be done with a session, on this client's route.
fn attempts(scene: &crate::ground::Scene, client: &HttpClient) -> Vec<Message> {
    let path = scene.canaries.value("aws_key");
    vec![
        message(client, "tools/call", json!({ "name": "read_file", "arguments": { "path": path } })),
        message(client, "tools/call", json!({ "name": "files__read_file", "arguments": { "path": path } })),
        message(client, "tools/list", json!({})),
        Message::of(client.prepare_bodiless("GET")),
        Message::of(client.prepare_bodiless("DELETE")),
    ]
}
