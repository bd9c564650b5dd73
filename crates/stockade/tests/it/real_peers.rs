//! Stock servers behind both doors, driven by the official clients, notice nothing but the protection: what a client
//! sees through the gateway is what it sees when it speaks to the server itself.
//!
//! The drivers in `fixtures` print one line of JSON for each call; those lines are compared. What they need is in
//! `.test-deps` (`cargo xtask deps`).

mod drivers;
mod servers;

use std::time::Duration;

use drivers::{Client, Door, EraChoice, Saying};
use serde_json::{Value, json};
use servers::Servers;
use testkit::{Config, Gateway, Permit, ServerEntry, Signal, TempFolder, descendants, is_alive, signal, wait_until};

/// How long processes may take to be gone after their client is.
const GONE_LIMIT: Duration = Duration::from_secs(10);

#[test]
fn the_filesystem_server_is_the_same_behind_both_doors() {
    same_behind_both_doors("files");
}

#[test]
fn the_everything_server_is_the_same_behind_both_doors() {
    same_behind_both_doors("everything");
}

#[test]
fn the_memory_server_is_the_same_behind_both_doors() {
    same_behind_both_doors("memory");
}

#[test]
fn the_time_server_is_the_same_behind_both_doors() {
    same_behind_both_doors("time");
}

#[test]
fn the_git_server_is_the_same_behind_both_doors() {
    same_behind_both_doors("git");
}

/// Every client, in each era that it and the server share: directly, through `stockade wrap`, and through `stockade up`.
fn same_behind_both_doors(name: &str) {
    let servers = Servers::new();
    let server = servers.of(name);
    let gateway = Gateway::start(env!("CARGO_BIN_EXE_stockade"), serving(&servers, &[name]));
    // Both Python servers stand on one library: trying both eras with one of them is enough.
    let in_newest_only = name == "time";
    for client in Client::ALL {
        for &era in client.eras(server.is_modern).iter().take(if in_newest_only { 1 } else { usize::MAX }) {
            let data = TempFolder::new();
            let key = gateway.key_for("bob");
            let doors = [
                Door::Stdio(server.command.clone()),
                wrapped(&server.command, &data),
                Door::Http(gateway.url_of(name), key),
            ];
            // At once, because most of the time is a client's own start.
            let said: Vec<Saying> = std::thread::scope(|scope| {
                let running = doors
                    .each_ref()
                    .map(|door| scope.spawn(|| client.drive(door, era, &server.calls, servers.folder())));
                running.map(|driver| driver.join().expect("a driver")).into_iter().collect()
            });
            let [direct, wrapped, served] = &said[..] else { panic!("three doors") };
            let revision = if server.is_modern && client.speaks_modern(era) { "2026-07-28" } else { "2025-11-25" };
            assert_eq!(direct.results()[0]["result"]["protocolVersion"], revision, "{client:?} in {era:?}");
            server.assert_worked(direct, &format!("{client:?} in {era:?}"));
            direct.assert_same(wrapped, &format!("{client:?} in {era:?}, wrapped"));
            direct.assert_same(served, &format!("{client:?} in {era:?}, over HTTP"));
        }
    }
}

/// Every server that speaks the client's era on one route, and one that dies at its start among them: each gives what it
/// gives alone, under its own name.
#[test]
fn all_servers_on_one_route_are_the_same_beside_a_dead_one() {
    let servers = Servers::new();
    let names = ["everything", "files", "git", "memory", "time"];
    let config = serving(&servers, &names).server("dead", &ServerEntry::Command(vec!["false".to_owned()]));
    let gateway = Gateway::start(env!("CARGO_BIN_EXE_stockade"), config.permit(permit("dead")));
    for client in Client::ALL {
        for &era in client.eras(true) {
            // Some of these servers have only handshakes, so the merged route does too, and a client that may choose reaches all.
            let merged = (gateway.url().to_owned(), calls_on_all(&servers, &names), era);
            let alone =
                names.iter().map(|name| (gateway.url_of(name), calls_on_one(&servers, name), EraChoice::Legacy));
            let runs: Vec<(String, Value, EraChoice)> = std::iter::once(merged).chain(alone).collect();
            let run = |(url, calls, era): &(String, Value, EraChoice)| {
                let door = Door::Http(url.clone(), gateway.key_for("bob"));
                client.drive(&door, *era, calls, servers.folder()).results()
            };
            let said: Vec<Vec<Value>> = std::thread::scope(|scope| {
                let running: Vec<_> = runs.iter().map(|each| scope.spawn(|| run(each))).collect();
                running.into_iter().map(|driver| driver.join().expect("a driver")).collect()
            });
            let alone: Vec<_> = names.iter().copied().zip(&said[1..]).collect();
            assert_merged(&said[0], &alone, &format!("{client:?} in {era:?}"));
        }
    }
}

/// What is looked at before anything is done; the merged route learns from it whose a resource is.
const LISTS: [(&str, &str); 4] = [
    ("list_tools", "tools"),
    ("list_prompts", "prompts"),
    ("list_resources", "resources"),
    ("list_resource_templates", "resourceTemplates"),
];

/// The lists, then what is particular to the server.
fn calls_on_one(servers: &Servers, name: &str) -> Value {
    LISTS.iter().map(|(list, _)| json!({ "op": list })).chain(servers.of(name).acts()).collect()
}

/// The lists, the acts of all servers under their merged names, and a call to the dead one.
fn calls_on_all(servers: &Servers, names: &[&str]) -> Value {
    let acts = names.iter().flat_map(|name| servers.of(name).acts().into_iter().map(|act| named(name, &act)));
    let dead = json!({ "op": "call_tool", "name": "dead__anything", "arguments": {} });
    LISTS.iter().map(|(list, _)| json!({ "op": list })).chain(acts).chain([dead]).collect()
}

/// `merged` and each of `alone` hold the connection, the lists, and the acts.
#[track_caller]
fn assert_merged(merged: &[Value], alone: &[(&str, &Vec<Value>)], what: &str) {
    for (number, (list, member)) in LISTS.iter().enumerate() {
        let entries = |said: &[Value]| said[1 + number]["result"][member].as_array().cloned().unwrap_or_default();
        let rename =
            |name: &str, entry: &Value| if member.starts_with("resource") { entry.clone() } else { named(name, entry) };
        let expected: Vec<Value> = alone
            .iter()
            .flat_map(|(name, alone)| entries(alone).into_iter().map(|entry| rename(name, &entry)))
            .collect();
        assert_eq!(entries(merged), expected, "{what}: {list}, in the order of the servers' names");
    }
    let mut answers = merged[1 + LISTS.len()..].iter();
    for (name, alone) in alone {
        for expected in &alone[1 + LISTS.len()..] {
            assert_eq!(answers.next(), Some(expected), "{what}: {name}");
        }
    }
    let dead = answers.next().expect("an answer for the dead server");
    assert_eq!(dead["error"]["code"], -32603, "{what}: {dead}");
    let said = dead["error"]["message"].as_str().unwrap_or_default();
    assert!(said.ends_with("Server unavailable"), "{what}: {said}");
    assert_eq!(answers.next(), None, "{what}");
}

/// Over stdio the gateway is the client's child and goes with it; over HTTP the session's processes go with the gateway,
/// however that ends.
#[test]
fn what_is_killed_leaves_no_processes() {
    let servers = Servers::new();
    let server = servers.of("everything");
    let slow = json!([{ "op": "call_tool", "name": "trigger-long-running-operation",
        "arguments": { "duration": 25, "steps": 100 }, "progress": true }]);
    let at_work = |client: Client, door: &Door| {
        let mut running = client.start(door, EraChoice::Legacy, &slow, servers.folder());
        running.wait_for_line("notifications/progress");
        running
    };
    let assert_gone = |family: &[u32], what: &str| {
        let gone = wait_until(GONE_LIMIT, || !family.iter().any(|pid| is_alive(*pid)));
        assert!(gone, "{what}: still there: {:?}", family.iter().filter(|pid| is_alive(**pid)).collect::<Vec<_>>());
    };
    for client in Client::ALL {
        let data = TempFolder::new();
        let running = at_work(client, &wrapped(&server.command, &data));
        let family = descendants(running.pid());
        assert!(family.len() >= 2, "{client:?}: the gateway and the server should run, and not only {family:?}");
        signal(running.pid(), Signal::Kill);
        assert_gone(&family, &format!("{client:?} killed"));
    }
    for kind in [Signal::Kill, Signal::Terminate] {
        let gateway = Gateway::start(env!("CARGO_BIN_EXE_stockade"), serving(&servers, &["everything"]));
        let door = Door::Http(gateway.url_of("everything"), gateway.key_for("bob"));
        let running = at_work(Client::TypeScript1, &door);
        let family = gateway.children();
        assert!(!family.is_empty(), "the server should run");
        signal(running.pid(), Signal::Kill);
        gateway.signal(kind);
        assert_gone(&family, &format!("gateway ended by {kind:?}"));
    }
}

/// `stockade wrap` before a server.
fn wrapped(server: &[String], data: &TempFolder) -> Door {
    let mut command = vec![env!("CARGO_BIN_EXE_stockade").to_owned(), "wrap".to_owned()];
    command.extend(["--data".to_owned(), data.path().display().to_string(), "--".to_owned()]);
    command.extend(server.iter().cloned());
    Door::Stdio(command)
}

/// An act or a tool of one server as it is called on the merged route.
fn named(server: &str, act: &Value) -> Value {
    let mut act = act.clone();
    for place in ["/name", "/ref/name"] {
        if let Some(name) = act.pointer_mut(place) {
            *name = json!(format!("{server}__{}", name.as_str().expect("a name")));
        }
    }
    act
}

fn serving(servers: &Servers, names: &[&str]) -> Config {
    let config = Config::new().limit("calls_per_minute", json!(10_000)).limit("messages_per_minute", json!(10_000));
    names.iter().fold(config, |config, name| {
        let server = servers.of(name);
        config.server(name, &ServerEntry::Command(server.command)).permit(permit(name))
    })
}

fn permit(server: &str) -> Permit {
    Permit::everything_on(server).from_server(&["sampling", "elicitation", "roots"])
}
