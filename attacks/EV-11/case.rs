//! EV-11: `requestState` that is replayed.

use crate::ground::{
    Attacker, INVALID_PARAMS, LONG, Message, Scene, UNIDENTIFIED, lanes, modern_http_lanes, on_each, on_each_with,
};
use crate::round_trip::{answered, answered_by, ask, ask_by, asking, config};
use serde_json::json;
use testkit::{Caller, Era, HttpClient, Lane, wait_until};

fn modern() -> impl Iterator<Item = Lane> {
    lanes().into_iter().filter(|lane| lane.era.is_modern())
}

#[track_caller]
fn assert_refused(scene: &Scene, message: &Message) {
    let answer = scene.send(message);
    scene.assert_blocked(message, &answer, INVALID_PARAMS, "request-state", "");
}

#[test]
fn a_state_serves_its_own_request_once_and_no_other() {
    on_each(modern(), asking, config, |scene| {
        let own = json!({ "path": "a" });
        let state = ask(scene, "ask", own.clone());
        scene.stage.recorder().clear();
        assert_refused(scene, &answered(scene, "ask_again", own.clone(), &state));
        for other in [json!({ "path": "b" }), json!({ "path": "a", "force": true }), json!({})] {
            assert_refused(scene, &answered(scene, "ask", other, &state));
        }
        let answer = scene.send(&answered(scene, "ask", own.clone(), &state));
        assert_eq!(answer.text(), "answered a");
        scene.stage.recorder().clear();
        for _ in 0..3 {
            assert_refused(scene, &answered(scene, "ask", own.clone(), &state));
        }
    });
}

#[test]
fn a_state_serves_nobody_else() {
    on_each_with(&["alice"], modern_http_lanes(), asking, config, |scene| {
        let alice = &scene.others[0];
        let own = json!({ "path": "a" });
        let state = ask_by(scene, alice, "ask", own.clone());
        scene.stage.recorder().clear();
        assert_refused(scene, &answered(scene, "ask", own.clone(), &state));
        scene.count(1);
        assert_eq!(alice.send(&answered_by(alice, "ask", own, &state)).text(), "answered a");
    });
}

#[test]
fn a_state_is_worth_nothing_once_its_callers_key_is_revoked() {
    on_each(modern_http_lanes(), asking, config, |scene| {
        let (id, key) = new_key(scene, "bob");
        let url = scene.gateway().url_of("files");
        let second = Attacker::Http(Box::new(HttpClient::unopened(&url, Some(&key), Era::Modern)));
        let own = json!({ "path": "a" });
        let state = ask_by(scene, &second, "ask", own.clone());
        scene.stage.recorder().clear();
        let revoked = scene.gateway().command(&["keys", "revoke", &id]);
        assert!(revoked.status.success(), "{revoked:?}");
        let is_refused = || {
            scene.count(1);
            second.send(&second.prepare("tools/list", json!({}))).status() == 401
        };
        assert!(wait_until(LONG, is_refused), "the key is revoked");
        scene.stage.recorder().clear();
        let message = answered_by(&second, "ask", own, &state);
        scene.count(1);
        let answer = second.send(&message);
        scene.assert_blocked(&message, &answer, UNIDENTIFIED, "identify", "");
    });
}

/// Another key of a caller's, and its id.
fn new_key(scene: &Scene, caller: &str) -> (String, String) {
    let output = scene.gateway().command(&["keys", "add", caller, "--json"]);
    let said: serde_json::Value = serde_json::from_slice(&output.stdout).expect("a line of JSON");
    let text = |member: &str| said[member].as_str().expect("text").to_owned();
    (text("id"), text("api_key"))
}

#[test]
fn a_request_that_wants_no_state_gains_nothing_by_bringing_one() {
    on_each(modern(), asking, config, |scene| {
        let state = ask(scene, "ask", json!({ "path": "a" }));
        scene.stage.recorder().clear();
        let message = answered(scene, "read_file", json!({ "path": "a" }), &state);
        assert_refused(scene, &message);
        assert_eq!(scene.bob.call("read_file", json!({ "path": "a" })).text(), "read_file a");
        scene.count(1);
    });
}
