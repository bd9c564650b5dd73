//! PA-06: a member that folds to another one in Unicode.

use crate::ground::{INVALID_PARAMS, INVALID_REQUEST, Message, lanes, on_each, readers_only};
use testkit::WellBehaved;

/// The same letter as it is, and as an escape.
fn spellings(name: &str) -> [String; 2] {
    let escaped = name.chars().map(|letter| match letter {
        plain if plain.is_ascii() => plain.to_string(),
        other => format!("\\u{:04x}", u32::from(other)),
    });
    [name.to_owned(), escaped.collect()]
}

#[test]
fn a_name_that_folds_to_a_member_of_the_protocol_is_refused() {
    on_each(lanes(), WellBehaved::files, readers_only, |scene| {
        let call = scene.call();
        // Long s, Cyrillic o and e, full-width n, a zero-width space inside.
        for name in ["param\u{17f}", "meth\u{43e}d", "r\u{435}sult", "js\u{43e}nrpc", "par\u{200b}ams"] {
            for spelling in spellings(name) {
                let beside = format!(r#""{spelling}":{{"name":"delete_file"}},"method":"#);
                let message = call.clone().replace(r#""method":"#, &beside);
                let answer = scene.send(&message);
                scene.assert_blocked(&message, &answer, INVALID_REQUEST, "read", "looks like");
            }
        }
        for name in ["n\u{430}me", "\u{ff4e}ame", "argument\u{17f}", "_m\u{435}ta"] {
            for spelling in spellings(name) {
                let beside = format!(r#""name":"read_file","{spelling}":"delete_file""#);
                let message = call.clone().replace(r#""name":"read_file""#, &beside);
                let answer = scene.send(&message);
                scene.assert_blocked(
                    &message,
                    &answer,
                    INVALID_PARAMS,
                    "validate",
                    "looks like a member of the protocol",
                );
            }
        }
    });
}

#[test]
fn a_kelvin_sign_beside_the_progress_token_is_refused() {
    on_each(lanes(), WellBehaved::files, readers_only, |scene| {
        let call = scene.call();
        let with_meta = |members: &str| -> Message {
            match scene.is_modern() {
                true => call.clone().replace(r#""_meta":{"#, &format!(r#""_meta":{{{members},"#)),
                false => call.clone().replace(r#""name":"#, &format!(r#""_meta":{{{members}}},"name":"#)),
            }
        };
        for spelling in spellings("progressTo\u{212a}en") {
            let message = with_meta(&format!(r#""progressToken":1,"{spelling}":2"#));
            let answer = scene.send(&message);
            scene.assert_blocked(&message, &answer, INVALID_PARAMS, "validate", "looks like a member of the protocol");
        }
    });
}
