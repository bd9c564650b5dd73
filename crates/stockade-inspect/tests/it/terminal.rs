//! Terminal sequences and control characters.

use stockade_inspect::Severity::{Critical, High, Low, Medium};
use stockade_inspect::{MAX_CSI_CHARS, MAX_STRING_BODY_CHARS, TextKind};

use crate::{check, check_as, check_clean, screen};

#[test]
fn colour_is_cleaned_and_never_an_attack() {
    check("\x1b[31mred", &[("terminal-colour", Low, "\x1b[31m")], "red");
    check(
        "\x1b[1m\x1b[31mred\x1b[0m",
        &[("terminal-colour", Low, "\x1b[1m\x1b[31m"), ("terminal-colour", Low, "\x1b[0m")],
        "red",
    );
    check("\x1b[38;5;8mx", &[("terminal-colour", Low, "\x1b[38;5;8m")], "x");
    check("\x1b[m\x1b[Kx", &[("terminal-colour", Low, "\x1b[m"), ("terminal-erase-right", Low, "\x1b[K")], "x");
    check("\x1b(B\x1b[m", &[("terminal-charset", Low, "\x1b(B"), ("terminal-colour", Low, "\x1b[m")], "");
}

#[test]
fn a_style_that_hides_text_is_an_attack() {
    check("a\x1b[8mb\x1b[0mc", &[("terminal-conceal", High, "\x1b[8m"), ("terminal-colour", Low, "\x1b[0m")], "abc");
    check("\x1b[30;40mb", &[("terminal-conceal", High, "\x1b[30;40m")], "b");
}

#[test]
fn moving_and_erasing_is_an_attack() {
    for sequence in [
        "\x1b[2K", "\x1b[1K", "\x1b[1A", "\x1b[2J", "\x1b[H", "\x1b[6n", "\x1b[c", "\x1bc", "\x1bM", "\x1b7",
        "\u{9b}2J",
    ] {
        check(&format!("a{sequence}b"), &[("terminal-move", High, sequence)], "ab");
    }
    check("\x1b[?25lx", &[("terminal-mode", Medium, "\x1b[?25l")], "x");
    check("\x1b[>4;1mx", &[("terminal-mode", Medium, "\x1b[>4;1m")], "x");
    check("\x1b[!px", &[("terminal-other", Medium, "\x1b[!p")], "x");
}

#[test]
fn erasing_a_line_on_which_nothing_stands_is_no_attack() {
    check(
        "\x1b[2K\x1b[1Gx\n\x1b[1K\x1b[Gy",
        &[("terminal-erase-empty", Medium, "\x1b[2K\x1b[1G"), ("terminal-erase-empty", Medium, "\x1b[1K\x1b[G")],
        "x\ny",
    );
    check("x\r\x1b[2K", &[("terminal-move", High, "\x1b[2K")], "x\r");
    check(
        "x\n\x1b[2Ky\x1b[1G",
        &[("terminal-erase-empty", Medium, "\x1b[2K"), ("terminal-move", High, "\x1b[1G")],
        "x\ny",
    );
    check("\x1b[2G", &[("terminal-move", High, "\x1b[2G")], "");
}

#[test]
fn an_operating_system_command_goes_with_its_body() {
    for end in ["\x07", "\x1b\\", "\u{9c}"] {
        for begin in ["\x1b]", "\u{9d}"] {
            let text = |body: &str| format!("{begin}{body}{end}");
            let clipboard = text("52;c;ZXZpbA==");
            check(&format!("a{clipboard}b"), &[("terminal-clipboard", Critical, &clipboard)], "ab");
            let title = text("0;evil");
            check(&format!("a{title}b"), &[("terminal-title", Medium, &title)], "ab");
            let command = text("1337;File=name=eA==:eA==");
            check(&format!("a{command}b"), &[("terminal-command", High, &command)], "ab");
            let palette = text("4;1;red");
            check(&format!("a{palette}b"), &[("terminal-string", Medium, &palette)], "ab");
        }
    }
}

#[test]
fn a_link_is_an_attack_if_it_leads_elsewhere() {
    let (open, close) = ("\x1b]8;;https://evil.test/\x1b\\", "\x1b]8;;\x1b\\");
    check(&format!("{open}docs{close}"), &[("terminal-link", Medium, open), ("terminal-link", Medium, close)], "docs");
    check(
        &format!("{open}https://example.com{close}"),
        &[("terminal-link", High, open), ("terminal-link", Medium, close)],
        "https://example.com",
    );
}

#[test]
fn other_control_strings_end_at_their_terminator_only() {
    for begin in ["\x1bP", "\x1bX", "\x1b^", "\x1b_", "\u{90}", "\u{98}", "\u{9e}", "\u{9f}"] {
        let ended = format!("{begin}1$r\x07 body\x1b\\");
        check(&format!("a{ended}b"), &[("terminal-string", Medium, &ended)], "ab");
    }
    check("a\x1bPx\x18b", &[("terminal-string", Medium, "\x1bPx\x18")], "ab");
}

#[test]
fn a_string_without_end_takes_no_text_with_it() {
    check("a\x1b]0;all of this", &[("terminal-broken", Medium, "\x1b]")], "a0;all of this");
    check(
        "a\x1bPall\x1b[31mof",
        &[("terminal-broken", Medium, "\x1bP"), ("terminal-colour", Low, "\x1b[31m")],
        "aallof",
    );
    check(
        "\x1b]0;x\u{9b}1Ay\x07",
        &[
            ("terminal-broken", Medium, "\x1b]"),
            ("terminal-move", High, "\u{9b}1A"),
            ("control-character", Low, "\x07"),
        ],
        "0;xy",
    );
}

#[test]
fn a_strings_body_is_taken_up_to_its_limit() {
    let with_body = |chars: usize| format!("\x1b]{}\x07b", "x".repeat(chars));
    assert_eq!(screen(&with_body(MAX_STRING_BODY_CHARS)).cleaned(), "b");
    let past = with_body(MAX_STRING_BODY_CHARS + 1);
    assert_eq!(screen(&past).cleaned(), &format!("{}b", "x".repeat(MAX_STRING_BODY_CHARS + 1)));
}

#[test]
fn a_control_sequence_is_taken_up_to_its_limit() {
    let with_parameters = |chars: usize| format!("\x1b[{}mb", "1".repeat(chars));
    let within = with_parameters(MAX_CSI_CHARS);
    check(&within, &[("terminal-colour", Low, within.trim_end_matches('b'))], "b");
    let past = with_parameters(MAX_CSI_CHARS + 1);
    check(&past, &[("terminal-broken", Medium, past.trim_end_matches("mb"))], "mb");
}

#[test]
fn what_is_no_whole_sequence_is_broken() {
    check("a\x1b", &[("terminal-broken", Medium, "\x1b")], "a");
    check("a\x1b\nb", &[("terminal-broken", Medium, "\x1b")], "a\nb");
    check("a\x1b[31", &[("terminal-broken", Medium, "\x1b[31")], "a");
    check("a\x1b[3\nb", &[("terminal-broken", Medium, "\x1b[3")], "a\nb");
    check("a\x1b[3é", &[("terminal-broken", Medium, "\x1b[3")], "aé");
    check("a\x1b(", &[("terminal-broken", Medium, "\x1b")], "a(");
    check("a\x1b       b", &[("terminal-broken", Medium, "\x1b")], "a       b");
}

#[test]
fn control_characters_are_cleaned_but_for_tab_and_line_ends() {
    check_clean("a\tb\r\nc\n");
    for control in ["\0", "\u{1}", "\u{e}", "\u{7f}", "\u{80}", "\u{85}", "\u{92}"] {
        check(&format!("a{control}b"), &[("control-character", Medium, control)], "ab");
    }
    check("a\u{c}b\u{7}", &[("control-character", Low, "\u{c}"), ("control-character", Low, "\u{7}")], "ab");
    check("a\u{c}\u{0}b", &[("control-character", Medium, "\u{c}\u{0}")], "ab");
}

#[test]
fn backspaces_that_take_text_back_are_an_attack_and_overstriking_is_not() {
    check("N\x08NA\x08A", &[("overstrike", Low, "\x08"), ("overstrike", Low, "\x08")], "NNAA");
    check("_\x08x", &[("overstrike", Low, "\x08")], "_x");
    check("a\x08b", &[("backspace", Medium, "\x08")], "ab");
    check("rm\x08\x08ls", &[("backspace", High, "\x08\x08")], "rmls");
}

#[test]
fn a_tool_definition_in_json_is_read_through_its_escapes() {
    let check =
        |text: &str, expected: &[_], cleaned: &str| check_as(TextKind::ToolDescription, text, expected, cleaned);
    check(
        r#"{"d": "a\u001b[8mb\u001b[0m"}"#,
        &[("terminal-conceal", High, r"\u001b[8m"), ("terminal-colour", Low, r"\u001b[0m")],
        r#"{"d": "ab"}"#,
    );
    check(r#"{"d": "\u202Eab"}"#, &[("bidi-override", High, r"\u202E")], r#"{"d": "ab"}"#);
    check(r#"{"d": "\uDB40\uDC41"}"#, &[("tag-characters", High, r"\uDB40\uDC41")], r#"{"d": ""}"#);
    check(r#"{"d": "a\u2028b"}"#, &[("line-separator", Low, r"\u2028")], r#"{"d": "a\nb"}"#);
    check(
        r#"{"d": "\u001b]52;c;eA==\u001b\\b"}"#,
        &[("terminal-clipboard", Critical, r"\u001b]52;c;eA==\u001b\\")],
        r#"{"d": "b"}"#,
    );
    // Nothing reaches over the end of a JSON string.
    check(
        r#"{"d": "\u001b]0;x", "e": "\u0007"}"#,
        &[("terminal-broken", Medium, r"\u001b]"), ("control-character", Low, r"\u0007")],
        r#"{"d": "0;x", "e": ""}"#,
    );
    check(r#"{"d": "\u001b[", "e": "m"}"#, &[("terminal-broken", Medium, r"\u001b[")], r#"{"d": "", "e": "m"}"#);
    // An escaped backslash, and text which is no JSON, mean what they say.
    check(r#"{"d": "\\u001b[8m"}"#, &[], r#"{"d": "\\u001b[8m"}"#);
    check(r"print \u001b[8m", &[], r"print \u001b[8m");
    check("{name} \\u001b[8m", &[], "{name} \\u001b[8m");
    // What is left never makes a new escape.
    check(
        "{\"d\": \"\\\u{200b}u001b[8m\"}",
        &[("malformed-escape", Medium, "\\"), ("zero-width", Medium, "\u{200b}")],
        "{\"d\": \"u001b[8m\"}",
    );
    check(
        "{\"d\": \"\\ud83d\u{200b}\\ude00\"}",
        &[
            ("malformed-escape", Medium, "\\ud83d"),
            ("zero-width", Medium, "\u{200b}"),
            ("malformed-escape", Medium, "\\ude00"),
        ],
        "{\"d\": \"\"}",
    );
    // A hidden character before the brace does not turn the reading off.
    check(
        "\u{200b}{\u{200b}\"d\": \"\\u001bc\"}",
        &[("zero-width", Medium, "\u{200b}"), ("zero-width", Medium, "\u{200b}"), ("terminal-move", High, "\\u001bc")],
        "{\"d\": \"\"}",
    );
}

#[test]
fn other_kinds_are_never_read_as_json() {
    check_clean(r#"{"d": "\u001b[8m"}"#);
}
