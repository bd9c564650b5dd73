//! One entry as one line: JSON in printable ASCII, keys in a fixed order, absent values left out.
//!
//! Must never: write a byte outside 0x20…0x7e. That is what keeps a peer's text from ending a line, moving a terminal's
//! cursor or hiding in a view of the file (AD-01), whatever the text is.

use crate::hash::{LineHash, push_hex};
use stockade_core::ports::Timestamp;
use stockade_core::record::{Entry, FindingNote, Outcome, Phase};

/// The format that this version writes and reads (`docs/audit-format.md`).
pub(crate) const FORMAT: u32 = 1;
/// Bytes of one text in one entry, before escaping; longer ones are cut with a visible mark. The entry's maker has cut
/// them far shorter already, this is the backstop.
pub(crate) const TEXT_LIMIT: usize = 2048;
/// Findings that one line lists; the number of the others stands beside them.
pub(crate) const FINDINGS_LIMIT: usize = 64;
/// Bytes of one line with its newline. The limits above and [`crate::writer::OPEN_INTENTS_LIMIT`] keep below it.
pub(crate) const LINE_LIMIT: usize = 2 * 1024 * 1024;

/// What one line says, borrowed from an entry or made by the record itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row<'a> {
    pub(crate) time: Timestamp,
    pub(crate) ticket: Option<&'a str>,
    pub(crate) phase: Phase,
    pub(crate) door: Option<&'a str>,
    pub(crate) kind: &'a str,
    pub(crate) caller: Option<&'a str>,
    pub(crate) caller_kind: Option<&'a str>,
    pub(crate) client: Option<&'a str>,
    pub(crate) session: Option<&'a str>,
    pub(crate) revision: Option<&'a str>,
    pub(crate) server: Option<&'a str>,
    pub(crate) method: Option<&'a str>,
    pub(crate) target: Option<&'a str>,
    pub(crate) arguments: Option<&'a [u8; 32]>,
    pub(crate) shape: Option<&'a str>,
    pub(crate) decision: Option<&'a str>,
    pub(crate) rule: Option<&'a str>,
    pub(crate) reason: Option<&'a str>,
    pub(crate) findings: &'a [FindingNote],
    pub(crate) outcome: Option<Outcome>,
    pub(crate) took_us: Option<u64>,
    pub(crate) released_bytes: Option<u64>,
    pub(crate) interim: Option<u64>,
}

impl<'a> Row<'a> {
    /// A row of the record's own making: something that happened to the record itself, or that it found.
    pub(crate) const fn own(time: Timestamp, phase: Phase, kind: &'a str) -> Self {
        Self {
            time,
            ticket: None,
            phase,
            door: None,
            kind,
            caller: None,
            caller_kind: None,
            client: None,
            session: None,
            revision: None,
            server: None,
            method: None,
            target: None,
            arguments: None,
            shape: None,
            decision: None,
            rule: None,
            reason: None,
            findings: &[],
            outcome: None,
            took_us: None,
            released_bytes: None,
            interim: None,
        }
    }
}

impl<'a> From<&'a Entry> for Row<'a> {
    fn from(entry: &'a Entry) -> Self {
        Self {
            time: entry.time,
            ticket: Some(entry.ticket.as_str()),
            phase: entry.phase,
            door: Some(entry.door),
            kind: entry.kind,
            caller: entry.caller.as_deref(),
            caller_kind: entry.caller_kind,
            client: entry.client.as_deref(),
            session: entry.session.as_deref(),
            revision: entry.revision,
            server: entry.server.as_deref(),
            method: entry.method.as_deref(),
            target: entry.target.as_deref(),
            arguments: entry.arguments.as_ref().map(stockade_core::wire::Digest::as_bytes),
            shape: entry.shape.as_deref(),
            decision: entry.decision,
            rule: entry.rule.as_deref(),
            reason: entry.reason.as_deref(),
            findings: &entry.findings,
            outcome: entry.outcome,
            took_us: entry.took_us,
            released_bytes: entry.released_bytes,
            interim: entry.interim,
        }
    }
}

/// Appends the line of `row`, without a newline.
pub(crate) fn push_row(out: &mut Vec<u8>, row: &Row<'_>, sequence: u64, previous: LineHash) {
    out.extend_from_slice(b"{\"sequence\":");
    push_number(out, sequence);
    out.extend_from_slice(b",\"time\":\"");
    push_time(out, row.time);
    out.extend_from_slice(b"\",\"previous\":\"");
    previous.push_hex(out);
    out.push(b'"');
    push_member(out, "ticket", row.ticket);
    push_member(out, "phase", Some(row.phase.as_str()));
    push_member(out, "door", row.door);
    push_member(out, "kind", Some(row.kind));
    push_member(out, "caller", row.caller);
    push_member(out, "caller_kind", row.caller_kind);
    push_member(out, "client", row.client);
    push_member(out, "session", row.session);
    push_member(out, "revision", row.revision);
    push_member(out, "server", row.server);
    push_member(out, "method", row.method);
    push_member(out, "target", row.target);
    if let Some(digest) = row.arguments {
        out.extend_from_slice(b",\"arguments\":\"");
        push_hex(out, digest);
        out.push(b'"');
    }
    push_member(out, "shape", row.shape);
    push_member(out, "decision", row.decision);
    push_member(out, "rule", row.rule);
    push_member(out, "reason", row.reason);
    push_findings(out, row.findings);
    push_member(out, "outcome", row.outcome.map(Outcome::as_str));
    push_count(out, "took_us", row.took_us);
    push_count(out, "released_bytes", row.released_bytes);
    push_count(out, "interim", row.interim);
    out.push(b'}');
}

/// What the first line of a segment says.
pub(crate) struct Header<'a> {
    pub(crate) segment: u64,
    pub(crate) first_sequence: u64,
    pub(crate) previous: LineHash,
    /// The tickets whose intent stands in an earlier segment and whose outcome does not.
    pub(crate) open: &'a mut dyn Iterator<Item = &'a str>,
}

/// Appends the header line of a segment, without a newline.
pub(crate) fn push_header(out: &mut Vec<u8>, header: Header<'_>) {
    out.extend_from_slice(b"{\"segment\":");
    push_number(out, header.segment);
    push_count(out, "format", Some(u64::from(FORMAT)));
    push_count(out, "first_sequence", Some(header.first_sequence));
    out.extend_from_slice(b",\"previous\":\"");
    header.previous.push_hex(out);
    out.extend_from_slice(b"\",\"open\":[");
    for (index, ticket) in header.open.enumerate() {
        if index > 0 {
            out.push(b',');
        }
        push_text(out, ticket);
    }
    out.extend_from_slice(b"]}");
}

fn push_member(out: &mut Vec<u8>, name: &str, value: Option<&str>) {
    let Some(value) = value else { return };
    push_name(out, name);
    push_text(out, value);
}

fn push_count(out: &mut Vec<u8>, name: &str, value: Option<u64>) {
    let Some(value) = value else { return };
    push_name(out, name);
    push_number(out, value);
}

/// Only for names of ours, which need no escaping.
fn push_name(out: &mut Vec<u8>, name: &str) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
}

fn push_findings(out: &mut Vec<u8>, findings: &[FindingNote]) {
    if findings.is_empty() {
        return;
    }
    push_name(out, "findings");
    out.push(b'[');
    for (index, finding) in findings.iter().take(FINDINGS_LIMIT).enumerate() {
        out.extend_from_slice(if index == 0 { b"{\"rule\":" } else { b",{\"rule\":" });
        push_text(out, finding.rule);
        push_member(out, "place", Some(&finding.place));
        push_count(out, "count", Some(u64::from(finding.count)));
        out.push(b'}');
    }
    out.push(b']');
    let left_out = findings.len().saturating_sub(FINDINGS_LIMIT);
    push_count(out, "findings_left_out", u64::try_from(left_out).ok().filter(|count| *count > 0));
}

/// Appends a JSON string (RFC 8259 §7) in printable ASCII: all else becomes `\uXXXX`, beyond the basic plane a pair of them.
fn push_text(out: &mut Vec<u8>, text: &str) {
    let kept = cut(text);
    out.push(b'"');
    let mut rest = kept;
    while let Some(place) = rest.bytes().position(|byte| !is_plain(byte)) {
        let (plain, special) = rest.split_at(place);
        out.extend_from_slice(plain.as_bytes());
        let mut characters = special.chars();
        match characters.next() {
            Some(character @ ('"' | '\\')) => out.extend([b'\\', character as u8]),
            Some(character) => {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    out.extend_from_slice(b"\\u");
                    push_hex(out, &unit.to_be_bytes());
                }
            }
            None => {}
        }
        rest = characters.as_str();
    }
    out.extend_from_slice(rest.as_bytes());
    if kept.len() < text.len() {
        out.extend_from_slice(b"\\u2026");
    }
    out.push(b'"');
}

const fn is_plain(byte: u8) -> bool {
    matches!(byte, 0x20..=0x7e) && byte != b'"' && byte != b'\\'
}

/// The longest start of `text` within [`TEXT_LIMIT`] that ends between two characters.
fn cut(text: &str) -> &str {
    let end = (0..=TEXT_LIMIT.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    end.and_then(|end| text.get(..end)).unwrap_or_default()
}

fn push_number(out: &mut Vec<u8>, value: u64) {
    push_padded(out, value, 1);
}

/// Decimal digits with leading zeros up to `width`.
fn push_padded(out: &mut Vec<u8>, mut value: u64, width: usize) {
    let start = out.len();
    while value > 0 || out.len() - start < width {
        let digit = u8::try_from(value % 10).unwrap_or_default();
        out.push(b'0' + digit);
        value /= 10;
    }
    if let Some(digits) = out.get_mut(start..) {
        digits.reverse();
    }
}

/// RFC 3339 in UTC with nanoseconds, always 30 characters: the years that [`Timestamp`] can hold are 1677 to 2262.
fn push_time(out: &mut Vec<u8>, time: Timestamp) {
    const SECOND: i64 = 1_000_000_000;
    const DAY: i64 = 86_400;
    let seconds = time.0.div_euclid(SECOND);
    let of_day = seconds.rem_euclid(DAY);
    let (year, month, day) = civil(seconds.div_euclid(DAY));
    let parts = [
        (year, 4, b'-'),
        (month, 2, b'-'),
        (day, 2, b'T'),
        (of_day / 3600, 2, b':'),
        (of_day / 60 % 60, 2, b':'),
        (of_day % 60, 2, b'.'),
        (time.0.rem_euclid(SECOND), 9, b'Z'),
    ];
    for (value, width, after) in parts {
        push_padded(out, value.unsigned_abs(), width);
        out.push(after);
    }
}

/// Year, month and day of a number of days since 1970-01-01 in the proleptic Gregorian calendar. Years are counted from March,
/// so that the leap day is the last of its year, in cycles of 400 years.
const fn civil(days: i64) -> (i64, i64, i64) {
    const DAYS_OF_CYCLE: i64 = 146_097;
    const DAYS_FROM_MARCH_OF_YEAR_0: i64 = 719_468;
    let days = days + DAYS_FROM_MARCH_OF_YEAR_0;
    let day_of_cycle = days.rem_euclid(DAYS_OF_CYCLE);
    let leap_days = day_of_cycle / 1460 - day_of_cycle / 36_524 + day_of_cycle / (DAYS_OF_CYCLE - 1);
    let year_of_cycle = (day_of_cycle - leap_days) / 365;
    let day_of_year = day_of_cycle - (365 * year_of_cycle + year_of_cycle / 4 - year_of_cycle / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = days.div_euclid(DAYS_OF_CYCLE) * 400 + year_of_cycle + if month <= 2 { 1 } else { 0 };
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stored::StoredRecord;
    use proptest::prelude::{any, proptest};
    use stockade_core::words::TicketId;

    fn entry(target: &str) -> Entry {
        let mut entry = Entry::new(Timestamp(0), TicketId::new(1, [7; 10]), Phase::Refused, "http", "request");
        entry.target = Some(target.to_owned());
        entry.client = Some(target.to_owned());
        entry.findings = vec![FindingNote { rule: "U-1", place: target.to_owned(), count: 3 }];
        entry
    }

    fn line_of(entry: &Entry) -> String {
        let mut line = Vec::new();
        push_row(&mut line, &Row::from(entry), 7, LineHash::GENESIS);
        String::from_utf8(line).unwrap()
    }

    fn check_text(text: &str) {
        let line = line_of(&entry(text));
        assert!(line.bytes().all(|byte| (0x20..0x7f).contains(&byte)), "{line}");
        let stored = StoredRecord::parse(line.as_bytes()).unwrap();
        assert_eq!(stored.target.as_deref(), Some(text));
        assert_eq!(stored.client.as_deref(), Some(text));
        assert_eq!(stored.findings[0].place, text);
        assert_eq!((stored.sequence, stored.decision), (7, None));
    }

    #[test]
    fn no_text_can_forge_a_line_or_a_member() {
        for text in [
            "\n{\"decision\":\"allow\"}",
            "\r\n",
            "\u{2028}\u{2029}\u{85}",
            "\u{1b}[2K\u{1b}]8;;https://evil.test\u{7}",
            "\",\"decision\":\"allow",
            "\\\",\"decision\":\"allow",
            "\u{202e}\u{200b}\u{feff}\u{e0041}",
            "\0\u{7f}\u{9b}",
            "",
            "plain",
            "naïve 😀",
        ] {
            check_text(text);
        }
    }

    proptest! {
        #[test]
        fn any_text_comes_back_from_one_line(text in any::<String>()) {
            check_text(&text);
        }

        #[test]
        fn times_are_those_of_the_calendar(nanoseconds in any::<i64>()) {
            check_time(nanoseconds);
        }
    }

    fn check_time(nanoseconds: i64) {
        let mut ours = Vec::new();
        push_time(&mut ours, Timestamp(nanoseconds));
        let theirs = jiff::Timestamp::from_nanosecond(i128::from(nanoseconds)).unwrap();
        assert_eq!(String::from_utf8(ours).unwrap(), format!("{theirs:.9}"));
    }

    #[test]
    fn times_at_the_edges_of_the_calendar() {
        const DAY: i64 = 86_400_000_000_000;
        for nanoseconds in [i64::MIN, -1, 0, 1, 951_782_400 * 1_000_000_000, i64::MAX] {
            check_time(nanoseconds);
        }
        (-400..800).for_each(|day| check_time(day * DAY + DAY - 1));
    }

    #[test]
    fn the_longest_entry_stays_within_the_limit_of_a_line() {
        let long = "\u{1}".repeat(TEXT_LIMIT * 3);
        let mut entry = entry(&long);
        let texts = [
            &mut entry.caller,
            &mut entry.session,
            &mut entry.server,
            &mut entry.method,
            &mut entry.shape,
            &mut entry.rule,
            &mut entry.reason,
        ];
        texts.into_iter().for_each(|text| *text = Some(long.clone()));
        entry.findings = vec![FindingNote { rule: "U-1", place: long.clone(), count: u32::MAX }; FINDINGS_LIMIT + 5];
        let line = line_of(&entry);
        assert!(line.len() < LINE_LIMIT, "{}", line.len());
        let stored = StoredRecord::parse(line.as_bytes()).unwrap();
        assert_eq!((stored.findings.len(), stored.findings_left_out), (FINDINGS_LIMIT, 5));
        assert_eq!(stored.reason.unwrap().chars().last(), Some('…'));
    }

    #[test]
    fn a_line_looks_like_the_document_says() {
        let mut entry = Entry::new(Timestamp(1), TicketId::new(0, [0; 10]), Phase::Outcome, "stdio", "request");
        entry.outcome = Some(Outcome::Delivered);
        entry.took_us = Some(0);
        let zeros = "0".repeat(64);
        assert_eq!(
            line_of(&entry),
            format!(
                "{{\"sequence\":7,\"time\":\"1970-01-01T00:00:00.000000001Z\",\"previous\":\"{zeros}\",\
                 \"ticket\":\"00000000000000000000000000\",\"phase\":\"outcome\",\"door\":\"stdio\",\"kind\":\"request\",\
                 \"outcome\":\"delivered\",\"took_us\":0}}"
            )
        );
    }
}
