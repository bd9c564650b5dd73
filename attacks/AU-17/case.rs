//! AU-17: another's session.

use crate::ground::{Attacker, LONG, Message, NO_SESSION, Scene, everything, legacy_http_lanes, on_each_with};
use serde_json::json;
use testkit::{EventStream, WellBehaved};

const CHANGED: &str = "notifications/tools/list_changed";

/// The next event of a stream that holds a message; its id and its data.
#[track_caller]
fn event(stream: &mut EventStream) -> (String, String) {
    loop {
        let event = stream.event(LONG).expect("an event in time").expect("an open stream");
        if !event.data.is_empty() {
            return (event.id.unwrap_or_default(), event.data);
        }
    }
}

fn in_session(message: Message, session: &str) -> Message {
    message.header("Mcp-Session-Id", session)
}

#[test]
fn a_session_serves_its_owner_alone() {
    let server = WellBehaved::files;
    on_each_with(&["alice"], legacy_http_lanes(), server, everything, |scene| {
        let alice = &scene.others[0];
        let session = alice.http().session().expect("a session");
        for message in attempts(scene, &session) {
            let answer = scene.send(&message);
            scene.assert_blocked(&message, &answer, NO_SESSION, "session-binding", "");
            assert_eq!(answer.header("Mcp-Session-Id"), None);
        }
        // Her session lives on, and so does bob's own.
        scene.count(1);
        assert_eq!(alice.send(&alice.prepare_call("read_file", json!({ "path": "hers" }))).text(), "read_file hers");
        assert_eq!(scene.correct_call("read_file", json!({ "path": "his" })).text(), "read_file his");
    });
}

/// Everything that can be done with a session.
fn attempts(scene: &Scene, session: &str) -> Vec<Message> {
    let bob = &scene.bob;
    let stream = || in_session(bob.prepare_bodiless("GET"), session);
    vec![
        in_session(scene.call(), session),
        in_session(bob.prepare("tools/list", json!({})), session),
        in_session(bob.prepare("ping", json!({})), session),
        stream(),
        stream().header("Last-Event-ID", "0"),
        stream().header("Last-Event-ID", "1-1"),
        in_session(bob.prepare_bodiless("DELETE"), session),
    ]
}

#[test]
fn no_event_of_anothers_stream_is_delivered() {
    let server = WellBehaved::files();
    let control = std::sync::Mutex::new(server.control());
    let fresh = || {
        let server = WellBehaved::files();
        *control.lock().unwrap() = server.control();
        server
    };
    drop(server);
    on_each_with(&["alice"], legacy_http_lanes(), fresh, everything, |scene| {
        let control = control.lock().unwrap().clone();
        let alice: &Attacker = &scene.others[0];
        let mut hers = alice.http().start(&alice.http().prepare_bodiless("GET")).expect("her stream");
        control.notify(CHANGED, &json!({}));
        let (id, data) = event(&mut hers);
        assert!(data.contains(CHANGED), "{data}");
        scene.stage.recorder().clear();
        let session = alice.http().session().expect("a session");
        for last in [id.as_str(), "0"] {
            let message = in_session(scene.bob.prepare_bodiless("GET"), &session).header("Last-Event-ID", last);
            let answer = scene.send(&message);
            scene.assert_blocked(&message, &answer, NO_SESSION, "session-binding", "");
            assert!(!String::from_utf8_lossy(&answer.raw).contains(CHANGED), "{answer}");
        }
        // In bob's own session her event is one that never was.
        let message = scene.bob.prepare_bodiless("GET").header("Last-Event-ID", &id);
        let answer = scene.bob.http().start(&message.outgoing()).expect("an answer");
        drop(answer);
        control.notify(CHANGED, &json!({}));
        assert!(event(&mut hers).1.contains(CHANGED), "her stream goes on");
    });
}
