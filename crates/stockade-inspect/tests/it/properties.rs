//! Promises for every text, tried on texts made of the pieces that matter.

use core::ops::RangeInclusive;
use std::borrow::Cow;

use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop, prop_assert, prop_assert_eq, prop_oneof, proptest};
use stockade_inspect::{MAX_FINDINGS, Screen, TextKind, Verdict, escape, may_need_screening};

/// Pieces whose meaning depends on what stands beside them.
const PIECES: &[&str] = &[
    "a",
    "ab",
    "word ",
    " ",
    "\n",
    "\t",
    "1",
    "#",
    "{",
    "{\"",
    "\"",
    "\\",
    "\\\\",
    "u001b",
    "\\u001b",
    "\\u0",
    "01b",
    "\\ud83d",
    "\\ude00",
    "\\u200b",
    "\\u2028",
    "\\b",
    "\u{1b}",
    "\u{1b}[",
    "\u{1b}[31m",
    "\u{1b}[8m",
    "\u{1b}]",
    "\u{1b}]8;;https://a.test/",
    "\u{1b}\\",
    "\u{7}",
    "\u{8}",
    "\u{c}",
    "\u{0}",
    "\u{18}",
    "\u{7f}",
    "\u{85}",
    "\u{90}",
    "\u{9b}",
    "\u{9c}",
    "\u{9d}",
    "31",
    ";",
    "m",
    "K",
    "(",
    "B",
    "\u{ad}",
    "\u{34f}",
    "\u{301}",
    "\u{301}\u{301}\u{301}",
    "\u{5d0}",
    "\u{5b0}",
    "\u{627}",
    "\u{61c}",
    "\u{915}",
    "\u{94d}",
    "\u{e01}",
    "\u{e34}",
    "\u{115f}",
    "\u{1160}",
    "\u{17b4}",
    "\u{1820}",
    "\u{180b}",
    "\u{180e}",
    "\u{200b}",
    "\u{200c}",
    "\u{200d}",
    "\u{200e}",
    "\u{200f}",
    "\u{2028}",
    "\u{202a}",
    "\u{202c}",
    "\u{202e}",
    "\u{2060}",
    "\u{2066}",
    "\u{2069}",
    "\u{20e3}",
    "\u{2229}",
    "\u{26a0}",
    "\u{3164}",
    "\u{4e2d}",
    "\u{fe00}",
    "\u{fe0e}",
    "\u{fe0f}",
    "\u{feff}",
    "\u{fff9}",
    "\u{fffe}",
    "\u{1f3f4}",
    "\u{1f468}",
    "\u{1f3fd}",
    "\u{e0001}",
    "\u{e0067}",
    "\u{e0062}",
    "\u{e0065}\u{e006e}\u{e0067}",
    "\u{e007f}",
    "\u{e0100}",
    "\u{e0fff}",
    "é",
];

/// Some of what no eye sees, said apart from the code under test.
const INVISIBLE: [RangeInclusive<char>; 4] =
    ['\u{200b}'..='\u{200f}', '\u{2028}'..='\u{202e}', '\u{2060}'..='\u{206f}', '\u{e0000}'..='\u{e0fff}'];

fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        20 => prop::sample::select(PIECES).prop_map(str::to_owned),
        1 => any::<char>().prop_map(String::from),
    ];
    prop_oneof![
        8 => prop::collection::vec(piece.clone(), 0..24).prop_map(|pieces| pieces.concat()),
        1 => prop::collection::vec(piece.clone(), 100..400).prop_map(|pieces| pieces.concat()),
        4 => prop::collection::vec(piece, 0..24).prop_map(|pieces| format!("{{\"d\": \"{}", pieces.concat())),
        1 => any::<String>(),
    ]
}

fn kind() -> impl Strategy<Value = TextKind> {
    prop_oneof![Just(TextKind::ToolResult), Just(TextKind::ToolDescription), Just(TextKind::Unknown)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4096, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn cleaned_text_is_clean(text in text(), kind in kind()) {
        let screen = Screen::default();
        let report = screen.screen(&text, kind);
        let again = screen.screen(report.cleaned(), kind);
        prop_assert!(again.is_clean(), "{:?} left {:?}", again.findings(), report.cleaned());
    }

    #[test]
    fn nothing_found_means_the_very_text(text in text(), kind in kind()) {
        let report = Screen::default().screen(&text, kind);
        prop_assert_eq!(report.is_clean(), report.verdict() == Verdict::Clean);
        match report.cleaned() {
            Cow::Borrowed(cleaned) => {
                prop_assert!(report.is_clean());
                prop_assert_eq!((cleaned.as_ptr(), cleaned.len()), (text.as_ptr(), text.len()));
            }
            Cow::Owned(_) => prop_assert!(!report.is_clean()),
        }
    }

    #[test]
    fn what_is_outside_the_findings_is_kept_and_nothing_else(text in text(), kind in kind()) {
        // Line separators are replaced; what by, the tables test.
        let text = text.replace(['\u{2028}', '\u{2029}'], "").replace("\\u2028", "");
        let report = Screen::default().screen(&text, kind);
        prop_assert!(report.findings().len() <= MAX_FINDINGS + 1);
        prop_assert!((0.0..=1.0).contains(&report.score()));
        let mut kept = String::new();
        let mut end = 0;
        for finding in report.findings().iter().take(MAX_FINDINGS) {
            prop_assert!(finding.span.end > finding.span.start);
            kept.push_str(text.get(end..finding.span.start).unwrap());
            end = finding.span.end;
        }
        match report.findings().get(MAX_FINDINGS) {
            None => {
                kept.push_str(text.get(end..).unwrap());
                prop_assert_eq!(report.cleaned(), &kept);
            }
            Some(rest) => {
                kept.push_str(text.get(end..rest.span.start).unwrap());
                prop_assert!(report.cleaned().starts_with(&kept));
                prop_assert!(report.cleaned().ends_with(text.get(rest.span.end..).unwrap()));
            }
        }
    }

    #[test]
    fn the_gate_never_says_no_to_a_finding(text in text(), kind in kind()) {
        let report = Screen::default().screen(&text, kind);
        let raw = serde_json::to_vec(&text).unwrap();
        prop_assert!(report.is_clean() || may_need_screening(&raw));
        prop_assert!(report.is_clean() || may_need_screening(text.as_bytes()));
        // The same text written with as few non-ASCII bytes as JSON allows.
        let ascii: String = text.encode_utf16().map(|unit| match u8::try_from(unit) {
            Ok(b'"') => "\\\"".to_owned(),
            Ok(b'\\') => "\\\\".to_owned(),
            Ok(8) => "\\b".to_owned(),
            Ok(12) => "\\f".to_owned(),
            Ok(byte @ 0x20..=0x7f) => char::from(byte).to_string(),
            _ => format!("\\u{unit:04x}"),
        }).collect();
        prop_assert!(report.is_clean() || may_need_screening(ascii.as_bytes()));
    }

    #[test]
    fn cleaned_tool_definitions_stay_json(text in text()) {
        let definition = serde_json::json!({ "name": "n", "description": text }).to_string();
        let report = Screen::default().screen(&definition, TextKind::ToolDescription);
        let cleaned: serde_json::Value = serde_json::from_str(report.cleaned()).unwrap();
        let description = cleaned["description"].as_str().unwrap();
        let again = Screen::default().screen(&definition, TextKind::ToolDescription);
        prop_assert_eq!(again.cleaned(), report.cleaned());
        let harmful = description.contains(['\u{1b}', '\u{202e}', '\u{2028}', '\u{8}']);
        prop_assert!(!harmful, "{description:?}");
    }

    #[test]
    fn escaped_text_is_one_harmless_line(text in text(), max_chars in 0..80_usize) {
        for line in [escape::for_terminal(&text).into_owned(), escape::for_log(&text, max_chars)] {
            let harmful = |c: char| c.is_control() || INVISIBLE.iter().any(|range| range.contains(&c));
            prop_assert!(!line.contains(harmful), "{line:?}");
            prop_assert!(Screen::default().screen(&line, TextKind::Unknown).is_clean());
        }
        prop_assert!(escape::for_log(&text, max_chars).chars().count() <= max_chars);
        let markup = escape::for_html(&text).contains(['<', '>', '"', '\'']);
        prop_assert!(!markup);
        let control = escape::for_terminal_lines(&text).contains(|c: char| c.is_control() && c != '\n');
        prop_assert!(!control);
    }
}
