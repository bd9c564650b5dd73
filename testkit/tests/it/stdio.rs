//! The same scripts through the relay, as a child process.

use std::sync::Mutex;
use std::time::Duration;

use serde_json::{Value, json};
use testkit::{
    Caller, Era, Received, Reply, Script, Signal, StdioClient, Tool, Transport, Upstream, WellBehaved, is_alive, text,
    wait_until,
};

use crate::{LONG, relay};

#[test]
fn every_method_works_in_every_era() {
    for era in Era::OVER_STDIO {
        let server = WellBehaved::files().resource("file:///a", "a", "content of a").progress(2);
        let upstream = Upstream::stdio_by(relay(), server);
        let client = StdioClient::connect(upstream.command(), &[], era);
        assert_eq!(client.request("tools/list", json!({})).result()["tools"].as_array().expect("tools").len(), 4);
        assert_eq!(client.call("read_file", json!({ "path": "x" })).text(), "read_file x");
        let read = client.request("resources/read", json!({ "uri": "file:///a" }));
        assert_eq!(read.result()["contents"][0]["text"], "content of a");
        let params = json!({ "name": "read_file", "arguments": { "path": "a" }, "_meta": { "progressToken": 1 } });
        let answer = client.request("tools/call", params);
        assert_eq!((answer.notifications("notifications/progress").len(), answer.text().as_str()), (2, "read_file a"));
        let call = &upstream.recorder().calls("read_file")[0];
        assert_eq!((call.transport, call.http.is_none()), (Transport::Stdio, true));
        client.close_input();
        assert_eq!(client.exit(LONG).and_then(|status| status.code()), Some(0));
    }
}

#[test]
fn a_legacy_server_wants_the_handshake_first() {
    let upstream = Upstream::stdio_by(relay(), WellBehaved::files());
    let client = StdioClient::unopened(upstream.command(), &[], Era::Legacy("2025-06-18"));
    client.call("read_file", json!({ "path": "a" })).assert_error(-32600, "Not initialised");
}

#[test]
fn bytes_go_through_the_relay_unchanged_both_ways() {
    let upstream = Upstream::stdio_by(relay(), |received: &Received, reply: Reply| {
        reply.raw([&b"<"[..], &received.bytes, b">\n"].concat());
    });
    let client = StdioClient::unopened(upstream.command(), &[], Era::Modern);
    let odd = b"{\"a\":\xff\x00\r\n{\"jsonrpc\":\"2.0\",\"id\":1,\n";
    assert!(client.send_raw(odd));
    assert_eq!(client.line(0, LONG).expect("a line"), b"<{\"a\":\xff\x00\r>\n");
    assert_eq!(client.line(1, LONG).expect("a line"), b"<{\"jsonrpc\":\"2.0\",\"id\":1,>\n");
    assert_eq!(upstream.recorder().raw(), odd);
    let big = vec![b'x'; 5 << 20];
    assert!(client.send_raw(&big) && client.send_raw("\n"));
    let back = client.line(2, LONG).expect("a line");
    assert_eq!((back.len(), upstream.recorder().messages()[2].bytes.len()), (big.len() + 3, big.len()));
}

#[test]
fn a_child_says_what_it_was_given() {
    let upstream = Upstream::stdio_by(relay(), WellBehaved::files());
    let environment = [("PLANTED".to_owned(), "yes".to_owned())];
    let client = StdioClient::unopened(upstream.command(), &environment, Era::Modern);
    assert!(wait_until(LONG, || !upstream.recorder().starts().is_empty()));
    let start = &upstream.recorder().starts()[0];
    assert_eq!(start["pid"], client.pid());
    assert_eq!((&start["environment"]["PLANTED"], &start["environment"]["USER"]), (&json!("yes"), &Value::Null));
    let descriptors: Vec<u64> = serde_json::from_value(start["descriptors"].clone()).expect("numbers");
    let (standard, others) = descriptors.split_at(3);
    assert_eq!(standard, [0, 1, 2]);
    // Whoever runs the tests may have left descriptors open; then this process holds them, too.
    let ours = |number: &u64| std::fs::symlink_metadata(format!("/proc/self/fd/{number}")).is_ok();
    assert!(others.iter().all(ours), "the kit opened {others:?} in the child");
}

#[test]
fn a_process_that_does_not_read_does_not_hang_the_test() {
    let command = ["sleep".to_owned(), "30".to_owned()];
    let mut client = StdioClient::unopened(&command, &[], Era::Modern);
    client.patience = Duration::from_millis(200);
    assert!(client.send_raw("fits the pipe\n"));
    assert!(!client.send_raw(vec![b'x'; 1 << 20]));
}

/// Says more than it was asked, then falls silent, then dies.
struct Rude {
    kept: Mutex<Option<Reply>>,
}

impl Script for Rude {
    fn on_start(&self, reply: &Reply) {
        reply.raw("Server started on port 3000\n");
        reply.stderr("starting\n");
        *self.kept.lock().expect("reply") = Some(reply.clone());
    }

    fn on_message(&self, received: &Received, reply: Reply) {
        match received.method() {
            "die" => reply.die(3),
            "mute" => reply.close(),
            _ => {}
        }
    }
}

#[test]
fn a_child_can_misbehave() {
    let rude = std::sync::Arc::new(Rude { kept: Mutex::default() });
    let upstream = Upstream::stdio_by(relay(), std::sync::Arc::clone(&rude));
    let client = StdioClient::unopened(upstream.command(), &[], Era::Modern);
    assert_eq!(client.line(0, LONG).expect("a line"), b"Server started on port 3000\n");
    assert!(wait_until(LONG, || client.stderr() == "starting\n"));
    rude.kept.lock().expect("reply").as_ref().expect("started").json(&json!({ "unasked": true }));
    assert_eq!(client.line(1, LONG).expect("a line"), b"{\"unasked\":true}\n");
    client.notify("mute", json!({}));
    assert_eq!(client.line(2, LONG), None);
    client.notify("die", json!({}));
    assert_eq!(client.exit(LONG).and_then(|status| status.code()), Some(3));
    assert!(upstream.recorder().wait_for_disconnect(1, LONG).is_some());
    let again = StdioClient::unopened(upstream.command(), &[], Era::Modern);
    assert!(again.line(0, LONG).is_some() && upstream.recorder().links() == 2);
}

#[test]
fn a_grandchild_outlives_its_parent_and_is_known_by_id() {
    let server = WellBehaved::new("forks").tool(Tool::scripted("fork", |received, reply| {
        reply.start_grandchild(30);
        reply.json(&json!({ "jsonrpc": "2.0", "id": received.id(), "result": text("done") }));
    }));
    let upstream = Upstream::stdio_by(relay(), server);
    let client = StdioClient::connect(upstream.command(), &[], Era::Modern);
    assert_eq!(client.call("fork", json!({})).text(), "done");
    let grandchild = || upstream.recorder().starts().iter().find_map(|said| said["grandchild"].as_u64());
    assert!(wait_until(LONG, || grandchild().is_some()));
    let pid = grandchild().and_then(|pid| u32::try_from(pid).ok()).expect("an id");
    assert_eq!(testkit::descendants(client.pid()), [pid]);
    client.signal(Signal::Kill);
    assert!(client.exit(LONG).is_some());
    assert!(is_alive(pid), "nobody reaps it here; the gateway must");
    testkit::signal(pid, Signal::Kill);
    assert!(wait_until(LONG, || !is_alive(pid)));
}

#[test]
fn pings_pass_before_the_handshake_and_notifications_reach_a_child() {
    let server = WellBehaved::files();
    let control = server.control();
    let upstream = Upstream::stdio_by(relay(), server);
    let client = StdioClient::connect(upstream.command(), &[], Era::Legacy("2024-11-05"));
    assert_eq!(client.request("ping", json!({})).result(), &json!({}));
    let seen = client.lines().len();
    control.notify("notifications/tools/list_changed", &json!({}));
    let line = client.line(seen, LONG).expect("a line");
    assert!(String::from_utf8_lossy(&line).contains("list_changed"));

    let modern = StdioClient::connect(upstream.command(), &[], Era::Modern);
    let listen = modern.prepare("subscriptions/listen", json!({ "notifications": { "toolsListChanged": true } }));
    assert!(modern.send(&listen));
    assert!(String::from_utf8_lossy(&modern.line(0, LONG).expect("a line")).contains("acknowledged"));
    control.notify("notifications/tools/list_changed", &json!({}));
    let told: Value = serde_json::from_slice(&modern.line(1, LONG).expect("a line")).expect("JSON");
    assert_eq!(told["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"], listen["id"]);
    modern.notify("notifications/cancelled", json!({ "requestId": listen["id"] }));
    assert!(wait_until(Duration::from_secs(5), || control.listening() == 1));
}
