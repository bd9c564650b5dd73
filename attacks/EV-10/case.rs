//! EV-10: `requestState` that was tampered with.

use crate::ground::{INVALID_PARAMS, Scene, lanes, on_each};
use crate::round_trip::{answered, ask, asking, config};
use serde_json::json;
use testkit::{Lane, Transport};

/// The letters of base64url (RFC 4648 §5), each for six bits.
const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
/// Bits that are flipped, spread over the whole state.
const SAMPLES: usize = 64;

fn modern() -> impl Iterator<Item = Lane> {
    lanes().into_iter().filter(|lane| lane.era.is_modern())
}

/// The state with one of its bits flipped.
fn flipped(state: &str, bit: usize) -> String {
    let mut letters = state.as_bytes().to_vec();
    let value = LETTERS.iter().position(|letter| *letter == letters[bit / 6]).expect("base64url");
    letters[bit / 6] = LETTERS[value ^ (1 << (bit % 6))];
    String::from_utf8(letters).expect("letters")
}

#[track_caller]
fn assert_refused(scene: &Scene, state: &str) {
    let message = answered(scene, "ask", json!({ "path": "a" }), state);
    let answer = scene.send(&message);
    scene.assert_blocked(&message, &answer, INVALID_PARAMS, "request-state", "");
}

#[test]
fn the_servers_state_is_sealed_and_comes_back_as_it_was() {
    on_each(modern(), asking, config, |scene| {
        let state = ask(scene, "ask", json!({ "path": "a" }));
        assert!(!state.contains("state-"), "the server's own state shows: {state}");
        let answer = scene.send(&answered(scene, "ask", json!({ "path": "a" }), &state));
        assert_eq!(answer.text(), "answered a");
    });
}

#[test]
fn every_flipped_bit_is_noticed() {
    on_each(modern(), asking, config, |scene| {
        let state = ask(scene, "ask", json!({ "path": "a" }));
        scene.stage.recorder().clear();
        let bits = state.len() * 6;
        for sample in 0..SAMPLES {
            assert_refused(scene, &flipped(&state, sample * (bits - 1) / (SAMPLES - 1)));
        }
        // None of them has used it up.
        let answer = scene.send(&answered(scene, "ask", json!({ "path": "a" }), &state));
        assert_eq!(answer.text(), "answered a");
    });
}

#[test]
fn a_state_that_is_cut_forged_or_written_otherwise_is_refused() {
    on_each(modern(), asking, config, |scene| {
        let state = ask(scene, "ask", json!({ "path": "a" }));
        let other = ask(scene, "ask", json!({ "path": "other" }));
        scene.stage.recorder().clear();
        let (head, tail) = state.split_at(state.len() / 2);
        let (_, other_tail) = other.split_at(other.len() / 2);
        for bent in [
            state.split_at(state.len() - 1).0.to_owned(),
            head.to_owned(),
            state.split_at(1).1.to_owned(),
            String::new(),
            "A".to_owned(),
            format!("{head}{other_tail}"),
            other.clone(),
            format!("{state}{state}"),
            r#"{"user":"carol","approved":true}"#.to_owned(),
            "state-0000000000000001".to_owned(),
            "eyJhcHByb3ZlZCI6dHJ1ZX0".to_owned(),
            // The same bytes, written in other ways.
            format!("{state}="),
            format!("{state}=="),
            format!(" {state}"),
            format!("{state}\n"),
            format!("{head}\n{tail}"),
            state.replace('-', "+").replace('_', "/") + "=",
        ] {
            assert_refused(scene, &bent);
        }
        let answer = scene.send(&answered(scene, "ask", json!({ "path": "a" }), &state));
        assert_eq!(answer.text(), "answered a");
    });
}

#[test]
fn a_state_from_before_a_restart_is_no_state() {
    let over_http = modern().filter(|lane| lane.door == Transport::Http);
    for lane in over_http {
        crate::round_trip::on_both_sides_of_a_restart(lane, |client, state| {
            let answer = client.send(client.prepare(
                "tools/call",
                json!({ "name": "ask", "arguments": { "path": "a" }, "requestState": state,
                    "inputResponses": { "ask": { "action": "accept", "content": {} } } }),
            ));
            answer.assert_error(-32602, "Invalid request format");
        });
    }
}
