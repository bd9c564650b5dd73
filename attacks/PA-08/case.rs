//! PA-08: strange ids.

use crate::ground::{INVALID_REQUEST, everything, lanes, on_each, readers_only};
use serde_json::{Value, json};
use std::time::Duration;
use testkit::{Reply, Tool, WellBehaved, text};

#[test]
fn only_short_strings_and_exact_integers_are_ids() {
    on_each(lanes(), WellBehaved::files, readers_only, |scene| {
        let call = scene.call();
        let own = format!(r#""id":{}"#, call.id);
        let long = format!("{:?}", "x".repeat(1 << 20));
        let just_over = format!("{:?}", "x".repeat(1025));
        for id in [
            "1e400",
            "9007199254740993",
            "9007199254740992",
            "-9007199254740992",
            "1.0",
            "1e0",
            "-0",
            "null",
            "true",
            "{}",
            "[1]",
            r#""a\u0000b""#,
            &long,
            &just_over,
        ] {
            let message = call.clone().replace(&own, &format!(r#""id":{id}"#));
            let answer = scene.send(&message);
            assert_eq!(answer.responses()[0].get("id"), None, "{answer}");
            scene.assert_blocked(
                &message,
                &answer,
                INVALID_REQUEST,
                "read",
                "`id` is not a string of at most 1024 bytes",
            );
        }
    });
}

#[test]
fn an_id_within_the_limits_comes_back_as_it_was_written() {
    on_each(lanes(), WellBehaved::files, readers_only, |scene| {
        let call = scene.bob.prepare_call("read_file", json!({ "path": "a" }));
        let own = format!(r#""id":{}"#, call.id);
        let longest = format!("{:?}", "x".repeat(1024));
        for id in ["9007199254740991", "-9007199254740991", "0", r#""""#, r#""1""#, r#""\u0031\/""#, &longest] {
            let message = call.clone().replace(&own, &format!(r#""id":{id}"#));
            let answer = scene.send(&message);
            assert_eq!(answer.text(), "read_file a");
            let raw = String::from_utf8_lossy(&answer.raw).into_owned();
            assert!(raw.contains(&format!(r#""id":{id}"#)), "{id}: {raw}");
        }
    });
}

#[test]
fn the_number_one_and_the_string_one_get_their_own_answers() {
    let slow = |received: &testkit::Received, reply: Reply| {
        let who = received.params()["arguments"]["who"].as_str().unwrap_or_default().to_owned();
        let mut result = text(&who);
        result["resultType"] = json!("complete");
        let answer = json!({ "jsonrpc": "2.0", "id": received.id(), "result": result });
        // The number's answer comes last although it was asked first.
        let delay = if who == "number" { Duration::from_millis(300) } else { Duration::from_millis(100) };
        reply.later(delay, move |reply| reply.json(&answer));
    };
    let server = || WellBehaved::files().tool(Tool::scripted("slow", slow));
    on_each(lanes(), server, everything, |scene| {
        let ask = |who: &str, id: Value| {
            let mut call = scene.bob.prepare_call("slow", json!({ "who": who }));
            call = call.clone().replace(&format!(r#""id":{}"#, call.id), &format!(r#""id":{id}"#));
            call.id = id;
            call
        };
        let asked = [ask("number", json!(1)), ask("string", json!("1"))];
        scene.count(2);
        let answers = scene.bob.send_together(&asked);
        for (answer, (who, id)) in answers.iter().zip([("number", json!(1)), ("string", json!("1"))]) {
            assert_eq!((answer.text().as_str(), &answer.responses()[0]["id"]), (who, &id), "{answer}");
        }
        let numbers = scene.stage.recorder().calls("slow");
        assert_ne!(numbers[0].id(), numbers[1].id(), "the server is asked under two ids of ours");
    });
}
