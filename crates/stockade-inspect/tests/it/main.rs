//! Promises of the screening engine, tested from outside.

mod properties;
mod terminal;
mod unicode;

use stockade_inspect::{Report, Screen, Severity, TextKind, Verdict};

/// Rule, severity and the piece of the text that it covers.
type Expected<'e> = (&'e str, Severity, &'e str);

/// Screens `text` and compares findings and cleaned text; the verdict must follow from the severities.
fn check_as(kind: TextKind, text: &str, expected: &[Expected<'_>], cleaned: &str) {
    let report = Screen::default().screen(text, kind);
    let found: Vec<Expected<'_>> = report
        .findings()
        .iter()
        .map(|finding| {
            let piece = text.get(finding.span.clone()).unwrap_or("(not on character boundaries)");
            (finding.rule.trim_start_matches("unicode."), finding.severity, piece)
        })
        .collect();
    assert_eq!(found, expected, "{}", text.escape_debug());
    assert_eq!(report.cleaned(), cleaned, "{}", text.escape_debug());
    let verdict = match expected.iter().map(|(_, severity, _)| *severity).max() {
        None => Verdict::Clean,
        Some(Severity::Low | Severity::Medium) => Verdict::Suspicious,
        Some(Severity::High | Severity::Critical) => Verdict::Attack,
    };
    assert_eq!(report.verdict(), verdict, "{}", text.escape_debug());
}

fn check(text: &str, expected: &[Expected<'_>], cleaned: &str) {
    check_as(TextKind::ToolResult, text, expected, cleaned);
}

fn check_clean(text: &str) {
    check(text, &[], text);
}

fn screen(text: &str) -> Report<'_> {
    Screen::default().screen(text, TextKind::ToolResult)
}
