//! AU-24: guessing keys.

use crate::ground::{Message, Scene, UNIDENTIFIED, everything, http_lanes, on_each};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use testkit::{Answer, Random, WellBehaved};

/// Wrong keys that one address may show in a minute, as configured.
const WRONG_PER_MINUTE: usize = 20;
const GUESSES: usize = 1000;
/// How often somebody with a right key is served in between.
const EVERY: usize = 50;

/// The id of a key that is there, and two sorts of guesses: at its secret, and at any key at all.
fn guesses(scene: &Scene) -> impl Iterator<Item = String> + use<> {
    let output = scene.gateway().command(&["keys", "add", "carol", "--json"]);
    let said: Value = serde_json::from_slice(&output.stdout).expect("a line of JSON");
    let key = said["api_key"].as_str().expect("a key").to_owned();
    let mut random = Random::new(24);
    let mut letters = move |count: usize| random.text("abcdefghijklmnopqrstuvwxyz", count);
    (0..GUESSES).map(move |number| match number % 4 {
        0 => format!("{}{}", key.split_at(13).0, letters(43)),
        1 => format!("{}x", key.split_at(key.len() - 1).0),
        2 => format!("stk_{}_{}", letters(8), letters(43)),
        _ => format!("stk_{}", letters(52)),
    })
}

/// Everything that a guesser can see, but for what is different in every answer.
fn seen(answer: &Answer) -> String {
    let head = answer.head.as_ref().expect("an answer over HTTP");
    let mut body: Value = answer.messages.first().cloned().unwrap_or_default();
    body["error"]["data"]["record"] = json!("");
    body["error"]["data"]["retryAfterMs"] = json!("");
    body["id"] = json!("");
    let headers: BTreeSet<String> = head
        .headers
        .iter()
        .filter(|(name, _)| !["date", "retry-after", "content-length"].contains(&name.to_ascii_lowercase().as_str()))
        .map(|(name, value)| format!("{name}: {value}"))
        .collect();
    format!("{} {headers:?} {body}", answer.status())
}

#[test]
fn guesses_are_slowed_down_and_learn_nothing_and_others_are_served() {
    let config = || everything().set(&["identity"], "wrong_per_minute", json!(WRONG_PER_MINUTE));
    on_each(http_lanes(), WellBehaved::files, config, |scene| {
        let (mut refused, mut slowed) = (BTreeSet::new(), BTreeSet::new());
        for (number, guess) in guesses(scene).enumerate() {
            let message: Message = scene.bob.prepare("tools/list", json!({}));
            let message = message.header("Authorization", &format!("Bearer {guess}"));
            let answer = scene.send(&message);
            if number < WRONG_PER_MINUTE {
                scene.assert_blocked(&message, &answer, UNIDENTIFIED, "identify", "no API key matches");
                refused.insert(seen(&answer));
            } else {
                assert_eq!(answer.status(), 429, "guess {number}: {answer}");
                let wait: u64 =
                    answer.header("Retry-After").and_then(|wait| wait.parse().ok()).expect("a time to wait");
                assert!((1..=60).contains(&wait), "{answer}");
                slowed.insert(seen(&answer));
            }
            if number % EVERY == 0 {
                let served = scene.correct_call("read_file", json!({ "path": "right" }));
                assert_eq!(served.text(), "read_file right", "whoever has a key is served");
                scene.stage.recorder().clear();
            }
        }
        // A guess at a key that is there looks like any other, before and after.
        assert_eq!((refused.len(), slowed.len()), (1, 1), "{refused:#?} {slowed:#?}");
        let told = scene.stage.audit();
        let guessed = told.iter().filter(|record| record.phase() == "refused" && record.rule().starts_with("identify"));
        assert_eq!(guessed.count(), GUESSES, "each is on record");
    });
}
