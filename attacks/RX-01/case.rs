//! RX-01: the limit itself.

use crate::ground::{Attacker, LONG, STOCKADE, is_long, only_tools, stdio_lanes};
use serde_json::json;
use std::time::{Duration, Instant};
use testkit::{
    Answer, Caller, Config, Era, Gateway, HttpClient, Invariants, Permit, Random, Recorder, Stage, Upstream,
    WellBehaved, check_invariants, wait_until,
};

/// The default: calls of one caller in any window.
const LIMIT: usize = 100;
const WINDOW: Duration = Duration::from_secs(60);
/// Sessions and clients that share one caller.
const CLIENTS: usize = 10;

/// The product's own limits, which no configuration weakens here.
fn config() -> Config {
    Config::new().permit(Permit::everything_on("files"))
}

/// Ten clients of one caller: of three revisions, each legacy one with a session of its own.
fn clients(gateway: &Gateway, key: &str) -> Vec<HttpClient> {
    let eras = [Era::Legacy("2025-06-18"), Era::Legacy("2025-11-25"), Era::Modern];
    let url = gateway.url_of("files");
    (0..CLIENTS).map(|client| HttpClient::connect(&url, key, eras[client % eras.len()])).collect()
}

fn call(client: &HttpClient, number: usize) -> Answer {
    client.call("read_file", json!({ "path": number.to_string() }))
}

/// The most calls in any window of 60 seconds that reached the server. The gateway counts what it sends, so what arrives
/// within one of its windows may arrive a little closer together.
fn most_in_a_window(recorder: &Recorder) -> usize {
    let jitter = Duration::from_millis(500);
    let times: Vec<Instant> = recorder.calls("read_file").iter().map(|call| call.at).collect();
    let within = |start: &Instant| times.iter().filter(|at| *at >= start && **at < *start + WINDOW - jitter).count();
    times.iter().map(within).max().unwrap_or_default()
}

#[test]
fn the_hundred_and_first_call_is_refused_whatever_it_comes_by_and_told_when_to_come_back() {
    let files = Upstream::http(WellBehaved::files());
    let gateway = Gateway::start(STOCKADE, config().server("files", files.entry()));
    let alice = clients(&gateway, &gateway.key_for("alice"));
    let bob = gateway.client("files", "bob", Era::Modern);
    assert_eq!(call(&bob, 0).text(), "read_file 0");
    let expected = Invariants::before(&gateway, || call(&bob, 0));
    files.recorder().clear();

    let started = Instant::now();
    for number in 0..LIMIT {
        assert_eq!(call(&alice[number % CLIENTS], number).text(), format!("read_file {number}"));
    }
    assert_eq!(files.recorder().calls("read_file").len(), LIMIT);
    // Every one of the clients is refused now, and nobody else is.
    let mut wait = Duration::ZERO;
    for client in &alice {
        let answer = call(client, LIMIT);
        answer.assert_error(1002, "Rate limit exceeded");
        assert_eq!(answer.status(), 429, "{answer}");
        let seconds: u64 = answer.header("Retry-After").and_then(|value| value.parse().ok()).expect("seconds");
        let milliseconds = answer.error()["data"]["retryAfterMs"].as_u64().expect("milliseconds");
        assert_eq!(seconds, milliseconds.div_ceil(1000));
        wait = Duration::from_millis(milliseconds);
        // A slice of 10 ms is full until all of it has left the window.
        assert!(wait <= WINDOW + Duration::from_millis(10), "{wait:?}");
        assert!(started.elapsed() + wait >= WINDOW, "{wait:?} after {:?}", started.elapsed());
    }
    assert_eq!(call(&bob, 1).text(), "read_file 1");
    assert_eq!(files.recorder().calls("read_file").len(), LIMIT + 1);
    // Not before that time, and then again.
    let told = Instant::now();
    std::thread::sleep(wait.saturating_sub(Duration::from_secs(2)));
    let answer = call(&alice[0], LIMIT);
    if told.elapsed() < wait {
        answer.assert_error(1002, "Rate limit exceeded");
    }
    std::thread::sleep((wait + Duration::from_millis(50)).saturating_sub(told.elapsed()));
    assert_eq!(call(&alice[0], LIMIT).text(), format!("read_file {LIMIT}"));
    drop(alice);
    let legacy = (0..CLIENTS).filter(|client| client % 3 != 2).count();
    // Handshakes, all calls of alice's, two of bob's.
    check_invariants(&gateway, &expected.requests(legacy + LIMIT + CLIENTS + 2 + 2));
}

#[test]
fn over_stdio_the_refusal_says_when_to_come_back() {
    let config = || only_tools(&["read_file"]).limit("calls_per_minute", json!(5));
    for lane in stdio_lanes() {
        let stage = Stage::open(STOCKADE, lane, WellBehaved::files(), config());
        let client = Attacker::of(&stage, "local");
        for _ in 0..5 {
            assert_eq!(client.call("read_file", json!({ "path": "a" })).text(), "read_file a");
        }
        stage.recorder().clear();
        for _ in 0..3 {
            let answer = client.call("read_file", json!({ "path": "a" }));
            answer.assert_error(1002, "Rate limit exceeded");
            assert!((1..=60_010).contains(&answer.error()["data"]["retryAfterMs"].as_u64().expect("a time")));
        }
        stage.recorder().assert_nothing();
        // What is no call has a budget of its own.
        assert!(client.request("tools/list", json!({})).result()["tools"].is_array());
        let refused = || stage.audit().iter().filter(|record| record.rule() == "limit").count() == 3;
        assert!(wait_until(LONG, refused), "{:#?}", stage.audit());
    }
}

#[test]
fn random_arrivals_never_put_more_than_the_limit_into_a_window() {
    if !is_long() {
        return;
    }
    let files = Upstream::http(WellBehaved::files());
    let gateway = Gateway::start(STOCKADE, config().server("files", files.entry()));
    let alice = clients(&gateway, &gateway.key_for("alice"));
    let mut random = Random::new(1);
    let started = Instant::now();
    let mut number = 0;
    while started.elapsed() < 10 * WINDOW {
        call(&alice[number % CLIENTS], number);
        number += 1;
        std::thread::sleep(Duration::from_millis(random.below(400)));
    }
    assert!(most_in_a_window(files.recorder()) <= LIMIT);
    assert!(files.recorder().calls("read_file").len() >= 9 * LIMIT, "the limit lets through what it allows");
}
