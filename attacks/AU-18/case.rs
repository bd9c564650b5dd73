//! AU-18: a session is not a login.

use crate::ground::{Attacker, MALFORMED_CREDENTIAL, Message, Scene, UNIDENTIFIED, everything, http_lanes, on_each};
use serde_json::{Value, json};
use testkit::{HttpClient, WellBehaved, wait_until};

/// How long the gateway may take to see that a key was revoked.
const REVOKED_WITHIN: std::time::Duration = std::time::Duration::from_secs(1);

/// Everything that a client does, in its session where it has one.
fn messages(scene: &Scene, client: &Attacker) -> Vec<Message> {
    let mut all = vec![
        client.prepare_call("read_file", json!({ "path": scene.canaries.value("aws_key") })),
        client.prepare("tools/list", json!({})),
    ];
    if !scene.is_modern() {
        all.extend(["GET", "DELETE"].map(|method| client.prepare_bodiless(method)));
    }
    all
}

#[track_caller]
fn assert_unidentified(scene: &Scene, client: &Attacker, message: &Message) {
    scene.count(1);
    let answer = client.send(message);
    scene.assert_blocked(message, &answer, UNIDENTIFIED, "identify", "");
    assert!(answer.header("WWW-Authenticate").is_some_and(|asked| asked.starts_with("Bearer")));
}

#[test]
fn a_session_without_a_right_key_opens_nothing() {
    // Guessing is slowed down elsewhere (AU-24); here each guess must be looked at.
    let patient = || everything().set(&["identity"], "wrong_per_minute", json!(1000));
    on_each(http_lanes(), WellBehaved::files, patient, |scene| {
        let other = scene.gateway().key_for("alice");
        for right in messages(scene, &scene.bob) {
            let as_key = |key: &str| right.clone().header("Authorization", &format!("Bearer {key}"));
            assert_unidentified(scene, &scene.bob, &right.clone().without_header("Authorization"));
            for key in ["wrong", other.split_at(other.len() - 1).0, &other.to_uppercase(), &format!("{other}x")] {
                assert_unidentified(scene, &scene.bob, &as_key(key));
            }
            for whole in ["Basic Ym9iOmJvYg==", "Bearer", "bearer", "Bearer ", "Bearer  two-spaces", &other] {
                let message = right.clone().header("Authorization", whole);
                scene.count(1);
                let answer = scene.bob.send(&message);
                scene.assert_blocked(&message, &answer, MALFORMED_CREDENTIAL, "identify", "malformed");
            }
        }
        assert_eq!(scene.correct_call("read_file", json!({ "path": "a" })).text(), "read_file a");
    });
}

#[test]
fn a_session_outlives_no_key() {
    on_each(http_lanes(), WellBehaved::files, everything, |scene| {
        let output = scene.gateway().command(&["keys", "add", "bob", "--json"]);
        let said: Value = serde_json::from_slice(&output.stdout).expect("a line of JSON");
        let (id, key) = (said["id"].as_str().expect("an id"), said["api_key"].as_str().expect("a key"));
        let url = scene.gateway().url_of("files");
        let second = Attacker::Http(Box::new(HttpClient::connect(&url, key, scene.lane().era)));
        scene.count(usize::from(!scene.is_modern()));
        let session = second.http().session();
        let ping = || {
            scene.count(1);
            second.send(&second.prepare("tools/list", json!({}))).status()
        };
        assert_eq!(ping(), 200);
        let revoked = scene.gateway().command(&["keys", "revoke", id]);
        assert!(revoked.status.success(), "{revoked:?}");
        assert!(wait_until(REVOKED_WITHIN, || ping() == 401), "the key still opens");
        scene.stage.recorder().clear();
        for message in messages(scene, &second) {
            assert_unidentified(scene, &second, &message);
        }
        // What the revoked key has opened ends with it, within a moment; until then the caller's other key may end it.
        if let Some(session) = session {
            let end = scene.bob.prepare_bodiless("DELETE").header("Mcp-Session-Id", &session);
            let status = scene.bob.http().send(end.outgoing()).status();
            assert!(matches!(status, 200 | 404), "{status}");
        }
    });
}
