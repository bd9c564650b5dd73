//! OP-12: API keys are replaced while everybody works.

use crate::ground::{STOCKADE, everything};
use serde_json::{Value, json};
use std::sync::RwLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use testkit::{Caller, Era, Gateway, HttpClient, Permit, Upstream, WellBehaved, wait_until};

/// How often the key is replaced.
const ROUNDS: usize = 5;
/// How long both keys work.
const OVERLAP: Duration = Duration::from_secs(8);
const LONG: Duration = Duration::from_secs(20);

/// A key and its id, as a command has printed them.
fn made(output: &std::process::Output) -> (String, String) {
    let said: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
    let text = |member: &str| said[member].as_str().expect("a text").to_owned();
    (text("id"), text("api_key"))
}

/// Works with whatever key is the newest, until it is told to stop. The first failure ends the test.
fn work(url: &str, key: &RwLock<(String, String)>, is_over: &AtomicBool, answered: &AtomicUsize) {
    while !is_over.load(Ordering::Relaxed) {
        let text = key.read().expect("a key").1.clone();
        let client = HttpClient::connect(url, &text, Era::OVER_HTTP[0]);
        for number in 0..5 {
            let answer = client.call("read_file", json!({ "path": number.to_string() }));
            assert_eq!(answer.text(), format!("read_file {number}"), "{answer}");
            answered.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[test]
fn keys_are_replaced_without_a_failed_request_and_the_old_ones_end() {
    let server = Upstream::http(WellBehaved::files());
    let config = everything().server("files", server.entry()).permit(Permit::everything_on("files"));
    let gateway = Gateway::start(STOCKADE, config);
    let url = gateway.url_of("files");
    let key = RwLock::new(made(&gateway.command(&["keys", "add", "ci", "--json"])));
    let (is_over, answered) = (AtomicBool::new(false), AtomicUsize::new(0));
    let overlap = format!("{}s", OVERLAP.as_secs());
    let mut old = Vec::new();
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..3).map(|_| scope.spawn(|| work(&url, &key, &is_over, &answered))).collect();
        for _ in 0..ROUNDS {
            let (id, text) = key.read().expect("a key").clone();
            let replaced = Instant::now();
            *key.write().expect("a key") =
                made(&gateway.command(&["keys", "rotate", &id, "--overlap", &overlap, "--json"]));
            old.push((text, replaced));
            let before = answered.load(Ordering::Relaxed);
            assert!(wait_until(LONG, || answered.load(Ordering::Relaxed) > before + 30), "the work goes on");
        }
        is_over.store(true, Ordering::Relaxed);
        workers.into_iter().for_each(|worker| worker.join().expect("no request has failed"));
    });
    // One message for each question: a key may end between two.
    let status = |text: &str| {
        let client = HttpClient::unopened(&url, Some(text), Era::OVER_HTTP[0]);
        client.send(client.prepare("tools/list", json!({}))).status()
    };
    for (text, replaced) in old {
        let is_refused = || status(&text) == 401;
        assert!(
            wait_until(OVERLAP.saturating_sub(replaced.elapsed()) + Duration::from_secs(2), is_refused),
            "the old key still opens"
        );
    }
    // Recognised, and without the session that the message needs.
    assert_eq!(status(&key.read().expect("a key").1), 400);
    // The ages are there to be seen.
    let listed = gateway.command(&["keys", "list", "--json"]);
    let rows: Vec<Value> =
        String::from_utf8_lossy(&listed.stdout).lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let of_ci: Vec<&Value> = rows.iter().filter(|row| row["caller"] == "ci").collect();
    assert_eq!(of_ci.len(), ROUNDS + 1);
    assert!(of_ci.iter().all(|row| row["age_days"] == 0 && row["created"].is_string()), "{rows:#?}");
    assert_eq!(of_ci.iter().filter(|row| row["state"] == "overlap-ended").count(), ROUNDS, "{rows:#?}");
    // Most keys were used; when is written once a minute and at the end.
    assert!(gateway.sigterm().is_some());
    let listed = gateway.command(&["keys", "list", "--json"]);
    let used =
        String::from_utf8_lossy(&listed.stdout).lines().filter(|line| !line.contains("\"last_used\":null")).count();
    assert!(used >= ROUNDS, "{listed:?}");
}
