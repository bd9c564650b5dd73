//! PA-19: oversized frames.

use crate::ground::{
    INVALID_REQUEST, LONG, Scene, TOO_LARGE, WITHHELD, Words, everything, http_lanes, is_long, lanes, on_each,
    peak_kib, restart_peak, stdio_lanes,
};
use serde_json::json;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;
use testkit::{Reply, Tool, Transport, WellBehaved, text};

/// The default limit of one message.
const LIMIT: usize = 4 << 20;
/// How much more memory than before may be resident, in KiB.
const GROWTH_KIB: u64 = 4 * (LIMIT as u64 >> 10);
/// One write of a flood.
const PIECE: usize = 64 << 10;

/// What a flood sends in all: 1 GiB in the case.
fn flood_bytes() -> usize {
    if is_long() { 1 << 30 } else { 64 << 20 }
}

/// `files`, with a tool that takes much and says little.
fn swallowing() -> WellBehaved {
    WellBehaved::files().tool(Tool::new("swallow", |_| text("swallowed")))
}

#[track_caller]
fn assert_little_memory(scene: &Scene, before_kib: u64) {
    let peak = peak_kib(scene.pid());
    assert!(peak <= before_kib + GROWTH_KIB, "{peak} KiB at the peak, {before_kib} KiB before");
}

#[test]
fn an_announced_size_over_every_limit_is_cut_off_at_once() {
    on_each(http_lanes(), WellBehaved::files, everything, |scene| {
        let before = restart_peak(scene.pid());
        for size in ["2147483648", "67108865", "18446744073709551615"] {
            let request = scene.call().outgoing().header("Content-Length", size).to_bytes();
            scene.assert_cut_off(request, 413, "too large: body");
        }
        scene.assert_cut_off(
            scene.call().outgoing().header("Content-Length", "18446744073709551616").to_bytes(),
            400,
            "",
        );
        scene.stage.recorder().assert_nothing();
        assert_little_memory(scene, before);
    });
}

#[test]
fn the_limit_is_let_through_and_one_byte_more_is_not() {
    on_each(lanes(), swallowing, everything, |scene| {
        let call = scene.bob.prepare_call("swallow", json!({ "content": "" }));
        let filled = |size: usize| {
            let fill = "x".repeat(size - call.bytes.len());
            call.clone().replace(r#""content":"""#, &format!(r#""content":"{fill}""#))
        };
        let before = restart_peak(scene.pid());
        let message = filled(LIMIT + 1);
        let answer = scene.send(&message);
        scene.assert_blocked(&message, &answer, TOO_LARGE, "", "4194304");
        assert_little_memory(scene, before);
        assert_eq!(scene.send(&filled(LIMIT)).text(), "swallowed");
    });
}

#[test]
fn a_body_without_an_end_is_refused_before_more_than_the_limit_is_kept() {
    on_each(http_lanes(), WellBehaved::files, everything, |scene| {
        let call = scene.call();
        let head = call.outgoing().header("Transfer-Encoding", "chunked").body("").to_bytes();
        let chunk = [format!("{PIECE:x}\r\n").as_bytes(), &vec![b' '; PIECE], b"\r\n"].concat();
        let before = restart_peak(scene.pid());
        let connection = TcpStream::connect(scene.gateway().address()).unwrap();
        connection.set_read_timeout(Some(LONG)).unwrap();
        connection.set_write_timeout(Some(LONG)).unwrap();
        let mut reader = connection.try_clone().unwrap();
        let flooding = std::thread::spawn(move || {
            let mut writer = connection;
            let mut sent = 0;
            if writer.write_all(&head).is_ok() {
                while sent < flood_bytes() && writer.write_all(&chunk).is_ok() {
                    sent += PIECE;
                }
            }
            sent
        });
        let mut said = Vec::new();
        let mut piece = [0; 4096];
        while let Ok(count @ 1..) = reader.read(&mut piece) {
            said.extend_from_slice(&piece[..count]);
        }
        drop(reader.shutdown(Shutdown::Both));
        let sent = flooding.join().unwrap();
        scene.count(1);
        let said = String::from_utf8(said).unwrap();
        assert!(said.starts_with("HTTP/1.1 413 "), "after {sent} bytes: {said:?}");
        assert!(sent < flood_bytes(), "the whole flood was taken");
        scene.expect_refusal("door", "a body of more than 4194304 bytes");
        scene.stage.recorder().assert_nothing();
        assert_little_memory(scene, before);
    });
}

#[test]
fn a_line_without_an_end_is_refused_once_and_the_next_line_works() {
    on_each(stdio_lanes(), WellBehaved::files, everything, |scene| {
        let client = scene.bob.stdio();
        let before = restart_peak(scene.pid());
        let seen = client.lines().len();
        let piece = vec![b'x'; 1 << 20];
        for _ in 0..flood_bytes() >> 20 {
            assert!(client.send_raw(&piece), "the gateway goes on reading");
        }
        let good = scene.bob.prepare_call("read_file", json!({ "path": "a" }));
        client.send_raw([b"\n", &good.bytes[..], b"\n"].concat());
        scene.count(2);
        assert_eq!(client.answer(&good.id, seen).text(), "read_file a");
        let lines = client.lines();
        assert_eq!(lines.len(), seen + 2, "one refusal and one answer");
        let refusal: serde_json::Value = serde_json::from_slice(&lines[seen]).unwrap();
        assert_eq!((refusal.get("id"), &refusal["error"]["message"]), (None, &json!("Message too large")));
        scene.expect_refusal("door", "a line of more than 4194304 bytes");
        assert!(!scene.stage.recorder().saw("xxxx"));
        assert_little_memory(scene, before);
    });
}

fn flooded(tool: &'static str, words: Words, answer: fn(Reply)) {
    let server = move || WellBehaved::files().tool(Tool::scripted(tool, move |_, reply| answer(reply)));
    on_each(lanes(), server, everything, |scene| {
        let before = restart_peak(scene.pid());
        let message = scene.bob.prepare_call(tool, json!({}));
        let answer = scene.send(&message);
        scene.assert_withheld(&message, &answer, words, "4194304");
        assert_little_memory(scene, before);
        if scene.lane().upstream == Transport::Stdio {
            assert_eq!(scene.correct_call("read_file", json!({ "path": "a" })).text(), "read_file a");
            assert_eq!(scene.stage.recorder().starts().len(), 1, "the flooding process was replaced");
        }
    });
}

#[test]
fn a_server_that_floods_one_event_or_line_is_closed() {
    flooded("flood", WITHHELD, |reply| {
        reply.stream_raw("data: ");
        reply.flood(vec![b'x'; PIECE], flood_bytes(), Duration::ZERO);
    });
}

#[test]
fn a_server_that_floods_one_document_is_closed() {
    flooded("document", WITHHELD, |reply| {
        reply.open(200, &[("Content-Type", "application/json")]);
        reply.flood(vec![b' '; PIECE], flood_bytes(), Duration::ZERO);
    });
}

#[test]
fn a_message_may_not_hold_more_values_than_the_limit_either() {
    on_each(lanes(), swallowing, everything, |scene| {
        let many = |count: usize| vec!["0"; count].join(",");
        let call = scene.bob.prepare_call("swallow", json!({ "content": "MANY" }));
        let message = call.clone().replace(r#""MANY""#, &format!("[{}]", many((1 << 16) + 1)));
        let answer = scene.send(&message);
        scene.assert_blocked(&message, &answer, INVALID_REQUEST, "read", "more than 65536");
        let message = call.replace(r#""MANY""#, &format!("[{}]", many(1 << 16)));
        assert_eq!(scene.send(&message).text(), "swallowed");
    });
}
