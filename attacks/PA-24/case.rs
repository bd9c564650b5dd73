//! PA-24: a polluted standard output.

use crate::ground::{SERVER_FAILED, Scene, everything, lanes, on_each, peak_kib, restart_peak};
use serde_json::{Value, json};
use testkit::{Lane, Received, Reply, Tool, Transport, WellBehaved, text};

/// Things on its output that do not belong there, before a server is stopped.
const VIOLATIONS: usize = 100;
/// All that the server prints in the large form.
const FLOOD_BYTES: usize = 10_000_000;
/// What the gateway may say about all of it on its standard error.
const LOG_LIMIT_BYTES: usize = 64 << 10;
/// How much more memory than before may be resident, in KiB: four times the limit of one message.
const GROWTH_KIB: u64 = 16 << 10;

fn over_stdio() -> impl Iterator<Item = Lane> {
    lanes().into_iter().filter(|lane| lane.upstream == Transport::Stdio)
}

fn truth(received: &Received) -> Value {
    let mut result = text("truth");
    result["resultType"] = json!("complete");
    json!({ "jsonrpc": "2.0", "id": received.id(), "result": result })
}

fn chatty(received: &Received, reply: Reply) {
    for line in [
        "Server started on port 3000",
        "\u{1b}]0;owned\u{7}\u{1b}[2Jdebug",
        "{\"level\":\"info\"}",
        "",
        "[]",
        "null",
        "\r",
    ] {
        reply.raw(format!("{line}\n"));
    }
    reply.raw(b"\xff\xfe binary \x00\n");
    reply.json(&truth(received));
    reply.raw("bye\n");
}

fn flood(received: &Received, reply: Reply) {
    let line = "2026-01-01T00:00:00Z DEBUG \u{1b}[31mpolluted\u{1b}[0m connection pool has 10 idle connections left\n";
    reply.raw(line.repeat(FLOOD_BYTES / line.len()));
    reply.json(&truth(received));
}

fn server() -> WellBehaved {
    WellBehaved::files().tool(Tool::scripted("chatty", chatty)).tool(Tool::scripted("flood", flood))
}

/// Everything that the gateway has logged.
fn log_of(scene: &Scene) -> String {
    scene.stage.subject(&scene.bob).stderr()
}

#[test]
fn what_is_no_message_is_never_forwarded_and_the_calls_go_on() {
    on_each(over_stdio(), server, everything, |scene| {
        for _ in 0..3 {
            let answer = scene.correct_call("chatty", json!({}));
            assert_eq!(answer.text(), "truth");
            assert_eq!(answer.messages.len(), 1, "{answer}");
            let raw = String::from_utf8_lossy(&answer.raw).into_owned();
            assert!(!raw.contains("3000") && !raw.contains("bye") && !raw.contains("owned"), "{raw:?}");
        }
        scene.expect_event("server-violation", "a line that is no message");
        assert_eq!(scene.stage.recorder().starts().len(), 0, "a few lines do not end the server");
        assert!(!log_of(scene).contains("\u{1b}]0;"), "nothing acts on the operator's terminal");
    });
}

#[test]
fn a_flood_of_what_is_no_message_stops_the_server() {
    on_each(over_stdio(), server, everything, |scene| {
        let before = restart_peak(scene.pid());
        let message = scene.bob.prepare_call("flood", json!({}));
        let answer = scene.send(&message);
        scene.assert_withheld(&message, &answer, SERVER_FAILED, "100 things on its output that do not belong there");
        assert!(peak_kib(scene.pid()) <= before + GROWTH_KIB, "{} KiB, {before} KiB before", peak_kib(scene.pid()));
        let log = log_of(scene);
        assert!(log.len() <= LOG_LIMIT_BYTES, "{} bytes of log", log.len());
        assert!(!log.contains('\u{1b}'), "{log:?}");
        let told = scene.stage.audit().iter().filter(|record| record.kind() == "server-violation").count();
        assert!((1..=VIOLATIONS).contains(&told), "{told} entries about {VIOLATIONS} lines");
        // Another process takes its place for the next call.
        assert_eq!(scene.correct_call("read_file", json!({ "path": "a" })).text(), "read_file a");
        assert_eq!(scene.stage.recorder().starts().len(), 1);
    });
}
