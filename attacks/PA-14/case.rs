//! PA-14: NUL and other controls in names.

use crate::ground::{INVALID_PARAMS, INVALID_REQUEST, Scene, lanes, on_each, readers_only};
use testkit::{Answer, WellBehaved};

/// The one entry about an answer's record id, as the text that `audit query` prints.
fn entry_of(scene: &Scene, answer: &Answer) -> String {
    let ticket = answer.error()["data"]["record"].as_str().unwrap().to_owned();
    let output = scene.stage.command(&["audit", "query", "--json"]);
    let lines = String::from_utf8(output.stdout).expect("text");
    let own: Vec<&str> = lines.lines().filter(|line| line.contains(&ticket)).collect();
    assert_eq!(own.len(), 1, "{ticket}: {lines}");
    own[0].to_owned()
}

#[test]
fn a_name_with_a_control_is_refused_and_recorded_in_its_escaped_form() {
    on_each(lanes(), WellBehaved::files, readers_only, |scene| {
        let call = scene.call();
        let method = r#""method":"tools/call""#;
        let name = r#""name":"read_file""#;
        let cases = [
            (method, r#""method":"tools/call\u0000""#, r"tools/call\\u{0}", INVALID_REQUEST, "read"),
            (method, r#""method":"tools\n/call""#, r"tools\\u{a}/call", INVALID_REQUEST, "read"),
            (name, r#""name":"read_file\u0000.bak""#, r"read_file\\u{0}.bak", INVALID_PARAMS, "validate"),
            (name, r#""name":"read_file\u001b[2K""#, r"read_file\\u{1b}[2K", INVALID_PARAMS, "validate"),
            (name, r#""name":"read_file\u007f""#, r"read_file\\u{7f}", INVALID_PARAMS, "validate"),
            (name, r#""name":"read_file\u0085""#, r"read_file\\u{85}", INVALID_PARAMS, "validate"),
        ];
        for (piece, by, escaped, words, rule) in cases {
            let message = call.clone().replace(piece, by);
            let answer = scene.send(&message);
            scene.assert_blocked(&message, &answer, words, rule, "control characters");
            let entry = entry_of(scene, &answer);
            assert!(entry.contains(escaped), "{escaped} in {entry}");
            assert!(entry.bytes().all(|byte| (0x20..0x7f).contains(&byte)), "{entry:?}");
        }
    });
}
