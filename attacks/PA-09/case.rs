//! PA-09: two clients, the same ids.

use crate::ground::{Attacker, Message, everything, is_long, lanes, on_each_with};
use serde_json::json;
use std::time::Duration;
use testkit::{Call, Tool, WellBehaved, text};

/// Ids of one round, from 0, in the short form and in the case.
const SHORT_IDS: u64 = 200;
const LONG_IDS: u64 = 1000;
/// Rounds: 100 of them are the 100,000 pairs of the case.
const LONG_ROUNDS: u64 = 100;
/// Requests of one client that are under way at once.
const TOGETHER: usize = 16;

fn round(client: &Attacker, name: &str, round: u64, ids: u64) {
    let ask = |id: u64| -> Message {
        let mut call = client.prepare_call("whoami", json!({ "who": format!("{name} {round} {id}") }));
        call = call.clone().replace(&format!(r#""id":{},"method""#, call.id), &format!(r#""id":{id},"method""#));
        call.id = json!(id);
        call
    };
    let asked: Vec<Message> = (0..ids).map(ask).collect();
    for (chunk, together) in asked.chunks(TOGETHER).enumerate() {
        for (place, answer) in client.send_together(together).iter().enumerate() {
            let id = chunk * TOGETHER + place;
            assert_eq!(answer.text(), format!("{name} {round} {id}"));
            assert_eq!(answer.responses()[0]["id"], json!(id));
        }
    }
}

#[test]
fn nobody_gets_the_answer_to_another_ones_request() {
    let (rounds, ids) = if is_long() { (LONG_ROUNDS, LONG_IDS) } else { (1, SHORT_IDS) };
    let whoami = |call: &Call| text(call.arguments["who"].as_str().unwrap_or_default());
    let server = || WellBehaved::files().tool(Tool::new("whoami", whoami)).delays(Duration::from_millis(4));
    let config = || everything().tool("files", "whoami", "effect", json!("read"));
    on_each_with(&["alice"], lanes(), server, config, |scene| {
        let calls = usize::try_from(rounds * ids).unwrap();
        let callers = [("bob", &scene.bob)].into_iter().chain(scene.others.iter().map(|alice| ("alice", alice)));
        std::thread::scope(|scope| {
            for (name, client) in callers {
                scope.spawn(move || (0..rounds).for_each(|number| round(client, name, number, ids)));
            }
        });
        let calls = calls * (1 + scene.others.len());
        scene.count(calls);
        assert_eq!(scene.stage.recorder().calls("whoami").len(), calls);
    });
}
