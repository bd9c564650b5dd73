//! AD-07: killed between act and record.

use crate::ground::{STOCKADE, is_long, roomy};
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use testkit::{
    AuditRecord, Caller, Config, Era, Gateway, HttpClient, Lane, Permit, Random, Received, Reply, Signal, Stage,
    Transport, Upstream, WellBehaved, text,
};

/// Clients that call at the same time.
const CLIENTS: usize = 4;
/// Latest moment of a kill after the calls have begun, in milliseconds.
const KILL_WITHIN_MS: u64 = 150;

/// Kills on each lane: 500 in the case.
fn kills() -> usize {
    if is_long() { 500 } else { 8 }
}

fn config() -> Config {
    roomy(Config::new()).permit(Permit::everything_on("files"))
}

/// Answers a call of whatever tool: each call has a name of its own, which the record tells.
fn server() -> WellBehaved {
    WellBehaved::files().on("tools/call", |received: &Received, reply: Reply| {
        let mut result = text(received.name());
        result["resultType"] = json!("complete");
        reply.json(&json!({ "jsonrpc": "2.0", "id": received.id(), "result": result }));
    })
}

fn name(number: usize) -> String {
    format!("act_{number}")
}

/// What the record must say after all kills: of everything that the server saw there is an intent, every intent has one
/// outcome, and what a client was told stands there as delivered.
fn check(records: &[AuditRecord], arrived: &HashSet<String>, delivered: &HashSet<String>) {
    let mut outcomes: HashMap<&str, Vec<&str>> = HashMap::new();
    for record in records.iter().filter(|record| record.phase() == "outcome") {
        outcomes.entry(record.ticket()).or_default().push(record.outcome());
    }
    let intents: HashMap<&str, &str> = records
        .iter()
        .filter(|record| record.phase() == "intent" && record.method() == "tools/call")
        .map(|record| (record.target(), record.ticket()))
        .collect();
    let unrecorded: Vec<_> = arrived.iter().filter(|name| !intents.contains_key(name.as_str())).collect();
    assert!(unrecorded.is_empty(), "the server saw what the record does not know: {unrecorded:?}");
    for (target, ticket) in &intents {
        let ends = outcomes.get(ticket).map(Vec::as_slice).unwrap_or_default();
        assert_eq!(ends.len(), 1, "{target} ended as {ends:?}");
    }
    for name in delivered {
        let ticket = intents.get(name.as_str()).copied().unwrap_or_default();
        assert_eq!(outcomes.get(ticket).map(Vec::as_slice), Some(&["delivered"][..]), "{name}");
    }
    assert!(delivered.len() >= kills(), "the load was real: {} were delivered", delivered.len());
}

fn arrived(upstream: &Upstream) -> HashSet<String> {
    upstream.recorder().of_method("tools/call").iter().map(|call| call.name().to_owned()).collect()
}

#[test]
fn of_whatever_was_done_before_a_kill_the_record_knows() {
    for lane in Lane::typical().into_iter().filter(|lane| lane.door == Transport::Http) {
        println!("on {lane:?}");
        let upstream = Upstream::over(lane.upstream, server());
        let config = config().server("files", upstream.entry());
        let mut gateway = Gateway::start(STOCKADE, config);
        let key = gateway.key_for("bob");
        let (next, delivered) = (AtomicUsize::new(0), Mutex::new(HashSet::new()));
        let mut random = Random::new(7);
        for _ in 0..kills() {
            let client = HttpClient::connect(&gateway.url_of("files"), &key, lane.era);
            std::thread::scope(|scope| {
                for _ in 0..CLIENTS {
                    scope.spawn(|| call_until_the_end(&client, &next, &delivered));
                }
                std::thread::sleep(Duration::from_millis(random.below(KILL_WITHIN_MS)));
                gateway.kill9();
            });
            gateway.restart();
        }
        assert_eq!(gateway.audit_verify().0, 0);
        check(&gateway.audit(), &arrived(&upstream), &delivered.lock().unwrap());
    }
}

fn call_until_the_end(client: &HttpClient, next: &AtomicUsize, delivered: &Mutex<HashSet<String>>) {
    loop {
        let name = name(next.fetch_add(1, Ordering::Relaxed));
        let Ok(answer) = client.try_send(&client.prepare_call(&name, json!({}))) else { return };
        if answer.responses().first().is_some_and(|response| response["result"]["content"][0]["text"] == name) {
            delivered.lock().unwrap().insert(name);
        } else {
            return;
        }
    }
}

#[test]
fn a_wrapped_server_that_is_killed_leaves_as_whole_a_record() {
    for era in [Era::Legacy("2025-11-25"), Era::Modern] {
        let lane = Lane { door: Transport::Stdio, upstream: Transport::Stdio, era };
        let stage = Stage::open(STOCKADE, lane, server(), config());
        let mut delivered = HashSet::new();
        let mut random = Random::new(9);
        let mut next = 0;
        for _ in 0..kills() {
            let client = stage.stdio_client();
            // Warm: the first answer says that the server runs.
            assert_eq!(client.call("read_file", json!({ "path": "a" })).text(), "read_file");
            let seen = client.lines().len();
            let end = std::time::Instant::now() + Duration::from_millis(random.below(KILL_WITHIN_MS));
            while std::time::Instant::now() < end && next < 100_000 {
                let call = json!({ "name": name(next), "arguments": {} });
                client.send(&client.prepare("tools/call", call));
                next += 1;
            }
            client.signal(Signal::Kill);
            assert!(client.exit(Duration::from_secs(10)).is_some(), "it is gone");
            for line in &client.lines()[seen..] {
                let message: Value = serde_json::from_slice(line).unwrap_or_default();
                delivered.extend(message["result"]["content"][0]["text"].as_str().map(str::to_owned));
            }
        }
        // The next one closes what the last one left open.
        assert_eq!(stage.stdio_client().call("read_file", json!({ "path": "a" })).text(), "read_file");
        let verified = stage.command(&["audit", "verify", "--json"]);
        assert!(verified.status.success(), "{verified:?}");
        check(
            &stage.audit(),
            &arrived(&stage.upstream).into_iter().filter(|name| name != "read_file").collect(),
            &delivered,
        );
    }
}
