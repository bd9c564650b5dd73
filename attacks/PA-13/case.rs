//! PA-13: invalid UTF-8.

use crate::ground::{NOT_JSON, lanes, on_each, only_tools};
use testkit::{Tool, WellBehaved, text};

/// What a reader that repairs would make of the names below; permitted, so that only not reading them stops them.
const REPAIRED: [&str; 4] =
    ["read\u{fffd}file", "read\u{fffd}\u{fffd}file", "read\u{fffd}\u{fffd}\u{fffd}file", "read/file"];

#[test]
fn nothing_is_repaired_and_then_allowed() {
    let server = || {
        REPAIRED.iter().fold(WellBehaved::files(), |server, name| server.tool(Tool::new(name, |_| text("forbidden"))))
    };
    let config = || only_tools(&[&["read_file"][..], &REPAIRED[..]].concat());
    on_each(lanes(), server, config, |scene| {
        let call = scene.call();
        let text = call.text();
        let at = text.find("read_file").unwrap();
        let bad: [(&[u8], &str); 8] = [
            (b"\xff", "not UTF-8"),
            (b"\xc0\xaf", "not UTF-8"),
            (b"\xed\xa0\x80", "not UTF-8"),
            (b"\xf4\x90\x80\x80", "not UTF-8"),
            (b"\xe2\x82", "not UTF-8"),
            (br"\ud800", "lone surrogate"),
            (br"\udc00\ud800", "lone surrogate"),
            (br"\ud800\u0041", "lone surrogate"),
        ];
        for (bytes, reason) in bad {
            let bent = [&text.as_bytes()[..at + 4], bytes, &text.as_bytes()[at + 5..]].concat();
            let message = call.clone().with(bent);
            let answer = scene.send(&message);
            scene.assert_blocked(&message, &answer, NOT_JSON, "read", reason);
        }
    });
}
