//! PA-12: other encodings.

use crate::ground::{NOT_JSON, UNSUPPORTED_MEDIA, http_lanes, lanes, on_each, readers_only};
use testkit::WellBehaved;

fn utf16le(text: &str) -> Vec<u8> {
    "\u{feff}".encode_utf16().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect()
}

fn utf16be(text: &str) -> Vec<u8> {
    "\u{feff}".encode_utf16().chain(text.encode_utf16()).flat_map(u16::to_be_bytes).collect()
}

/// What RFC 2152 calls optional direct characters goes in base64, as smugglers like it.
fn utf7(text: &str) -> Vec<u8> {
    text.replace('{', "+AHs-").replace('}', "+AH0-").replace('"', "+ACI-").into_bytes()
}

fn with_mark(text: &str) -> Vec<u8> {
    [b"\xef\xbb\xbf", text.as_bytes()].concat()
}

fn latin1(text: &str) -> Vec<u8> {
    text.replacen("read_file", "read_file\u{e9}", 1)
        .chars()
        .map(|letter| u8::try_from(u32::from(letter)).unwrap())
        .collect()
}

#[test]
fn bytes_in_another_encoding_are_no_message() {
    on_each(lanes(), WellBehaved::files, readers_only, |scene| {
        let call = scene.call();
        for encode in [utf16le, utf16be, utf7, with_mark, latin1] {
            let message = call.clone().with(encode(call.text()));
            let answer = scene.send(&message);
            scene.assert_blocked(&message, &answer, NOT_JSON, "read", "the message cannot be read");
        }
    });
}

#[test]
fn another_charset_is_refused_whatever_the_bytes_are() {
    on_each(http_lanes(), WellBehaved::files, readers_only, |scene| {
        for charset in ["iso-8859-1", "utf-7", "utf-16", "utf-16le", "us-ascii", "utf8x", "\"utf-7\"", ""] {
            let call = scene.call();
            let outgoing = call.outgoing().header("Content-Type", &format!("application/json; charset={charset}"));
            scene.count(1);
            let answer = scene.bob.http().send(outgoing);
            scene.assert_blocked(&call, &answer, UNSUPPORTED_MEDIA, "door", "the charset is not UTF-8");
        }
        for coding in ["gzip", "deflate", "br", "identity, gzip"] {
            let call = scene.call();
            scene.count(1);
            let answer = scene.bob.http().send(call.outgoing().header("Content-Encoding", coding));
            scene.assert_blocked(&call, &answer, UNSUPPORTED_MEDIA, "door", "the body is compressed");
        }
    });
}
