//! PA-16: anomalies of the chunked coding.

use crate::ground::{Scene, http_lanes, on_each, readers_only};
use testkit::WellBehaved;

/// A correct call of `bob`'s with this transfer coding and this body.
fn request(scene: &Scene, coding: &[u8], body: &[u8]) -> Vec<u8> {
    let head = scene.call().outgoing().header("Transfer-Encoding", "CODING").body("").to_bytes();
    let text = String::from_utf8(head).unwrap();
    let (before, after) = text.split_once("CODING").unwrap();
    [before.as_bytes(), coding, after.as_bytes(), body].concat()
}

fn chunked(body: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", body.len()).as_bytes(), body, b"\r\n0\r\n\r\n"].concat()
}

#[test]
fn a_transfer_coding_that_is_not_exactly_chunked_is_cut_off() {
    on_each(http_lanes(), WellBehaved::files, readers_only, |scene| {
        let body = chunked(&scene.call().bytes);
        for coding in [
            "xchunked",
            "chunked, identity",
            "identity, chunked",
            "chunked, chunked",
            "gzip, chunked",
            "chunked;q=1",
            "identity",
            "\"chunked\"",
        ] {
            let reason = "the transfer coding is not exactly chunked";
            scene.assert_cut_off(request(scene, coding.as_bytes(), &body), 400, reason);
        }
        for coding in [&b"\x0bchunked"[..], b"chunked\x00", b"\x0cchunked", b"chu\rnked", b"chunked\x85"] {
            scene.assert_cut_off(request(scene, coding, &body), 400, "a control or non-ASCII byte in a value");
        }
        for (coding, reason) in [
            (&b"\r\n chunked"[..], "the transfer coding is not exactly chunked"),
            (b"x\r\n\tchunked", "the transfer coding is not exactly chunked"),
            (b"chunked\r\n\tchunked", "a folded line"),
        ] {
            scene.assert_cut_off(request(scene, coding, &body), 400, reason);
        }
        scene.stage.recorder().assert_nothing();
    });
}

#[test]
fn a_chunk_that_can_be_read_in_two_ways_is_cut_off() {
    on_each(http_lanes(), WellBehaved::files, readers_only, |scene| {
        let call = scene.call().bytes;
        let size = format!("{:x}", call.len());
        let chunk = |line: &str| [line.as_bytes(), &call[..], b"\r\n0\r\n\r\n"].concat();
        let hexadecimal = "the size is not a hexadecimal number";
        for line in ["0x10\r\n", "-1\r\n", "+10\r\n", "fffffffffffffffff\r\n", " 10\r\n", "\r\n", "1_0\r\n", "g\r\n"] {
            scene.assert_cut_off(request(scene, b"chunked", &chunk(line)), 400, hexadecimal);
        }
        let long_extension = format!("{size};{}\r\n", "x".repeat(1 << 20));
        for (line, reason) in [
            (long_extension.as_str(), "an extension is too long"),
            (&format!("{size};a\x00b\r\n"), "an extension holds a control"),
            (&format!("{size};a\rb\r\n"), "malformed chunk"),
            (&format!("{size}\n"), "malformed chunk"),
            (&format!("{size};x\n"), "malformed chunk"),
        ] {
            scene.assert_cut_off(request(scene, b"chunked", &chunk(line)), 400, reason);
        }
        for (end, reason) in [
            ("\n0\r\n\r\n", "the data is not followed by CRLF"),
            ("X\r\n0\r\n\r\n", "the data is not followed by CRLF"),
            ("\r\n0\r\nX-Trailer: a\r\n\r\n", "a trailer field"),
            ("\r\n0\r\n\n", "malformed chunk"),
        ] {
            let body = [format!("{size}\r\n").as_bytes(), &call[..], end.as_bytes()].concat();
            scene.assert_cut_off(request(scene, b"chunked", &body), 400, reason);
        }
        scene.stage.recorder().assert_nothing();
    });
}

#[test]
fn a_head_whose_lines_end_in_a_bare_line_feed_is_cut_off() {
    on_each(http_lanes(), WellBehaved::files, readers_only, |scene| {
        let whole = String::from_utf8(scene.call().outgoing().to_bytes()).unwrap();
        let (head, body) = whole.split_once("\r\n\r\n").unwrap();
        let first_line = head.lines().next().unwrap();
        for bent in [
            format!("{}\n\n{body}", head.replace("\r\n", "\n")),
            whole.replacen("\r\n", "\n", 1),
            format!("{head}\r\n\n{body}"),
            format!("{head}\n\r\n{body}"),
            whole.replacen(first_line, &format!("{first_line}\r\nX: a\nTransfer-Encoding: chunked"), 1),
        ] {
            scene.assert_cut_off(bent.into_bytes(), 400, "");
        }
        scene.stage.recorder().assert_nothing();
    });
}

#[test]
fn a_right_chunked_request_is_served() {
    on_each(http_lanes(), WellBehaved::files, readers_only, |scene| {
        let call = scene.bob.prepare_call("read_file", serde_json::json!({ "path": "a" }));
        let (one, two) = call.bytes.split_at(call.bytes.len() / 2);
        let chunk = |bytes: &[u8]| [format!("{:X};x=y\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat();
        let body = [&chunk(one)[..], &chunk(two), b"0\r\n\r\n"].concat();
        scene.count(1);
        let answer = scene.bob.http().send(call.outgoing().header("Transfer-Encoding", "chunked").body(body));
        assert_eq!(answer.text(), "read_file a");
    });
}
