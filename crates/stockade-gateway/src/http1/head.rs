//! The head of a request: scanned line by line as it arrives, each byte once.
//!
//! A line is judged as soon as it is complete, so a head that ends its lines with a bare LF is refused at its first
//! line and not only when the deadline passes.

use std::collections::HashSet;

use super::{
    FIELD_COUNT_LIMIT, HEAD_LIMIT_BYTES, REQUEST_LINE_LIMIT_BYTES,
    request_line::{MethodKind, check_request_line, is_token},
    violation::{Feature, FieldFault, LengthFault, Part, RequestLineFault, Violation},
};

/// The longest name of [`once`], in bytes; a longer name is not in that table.
const KNOWN_NAME_LIMIT_BYTES: usize = 20;

/// Prefix of the headers that mirror tool arguments (MCP 2026-07-28); each of them may occur once.
const PARAMETER_PREFIX: &[u8] = b"mcp-param-";

/// How the body of a request is delimited (RFC 9112 §6.3, requests only).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BodyLength {
    Bytes(u64),
    Chunked,
}

/// A complete head that broke no rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    /// Bytes up to and with the empty line.
    pub(super) length: usize,
    pub(super) method: MethodKind,
    pub(super) body: BodyLength,
}

/// Scans one head across as many reads as it takes.
#[derive(Debug, Default)]
pub(super) struct HeadScan {
    searched: usize,
    line_start: usize,
    method: Option<MethodKind>,
    field_count: usize,
    fields: Fields,
}

impl HeadScan {
    /// Scans what is new in `window`, which always begins at the first byte of this head.
    pub(super) fn scan(&mut self, window: &[u8]) -> Result<Option<Head>, Violation> {
        // An empty line, a TLS record or an SSH banner is known by its first byte; nobody waits for more of it.
        if !is_token(window.get(..1).unwrap_or_default()) {
            return Err(Violation::MalformedRequestLine { fault: RequestLineFault::Shape });
        }
        while let Some(found) = window.get(self.searched..).and_then(|rest| memchr::memchr(b'\n', rest)) {
            let line_end = self.searched.saturating_add(found);
            let after = line_end.saturating_add(1);
            self.check_size(line_end, after)?;
            let line = window.get(self.line_start..line_end).unwrap_or_default();
            let line = line.strip_suffix(b"\r").ok_or(field_fault(FieldFault::BareLineFeed))?;
            self.searched = after;
            self.line_start = after;
            if line.is_empty() && self.method.is_some() {
                return self.finish(after).map(Some);
            }
            self.take_line(line)?;
        }
        self.searched = window.len();
        self.check_size(window.len(), window.len())?;
        Ok(None)
    }

    fn check_size(&self, line_end: usize, head_end: usize) -> Result<(), Violation> {
        if self.method.is_none() && line_end > REQUEST_LINE_LIMIT_BYTES {
            return Err(Violation::TooLarge { part: Part::RequestLine });
        }
        if head_end > HEAD_LIMIT_BYTES {
            return Err(Violation::TooLarge { part: Part::Head });
        }
        Ok(())
    }

    fn take_line(&mut self, line: &[u8]) -> Result<(), Violation> {
        if self.method.is_none() {
            self.method = Some(check_request_line(line)?);
            return Ok(());
        }
        self.field_count = self.field_count.saturating_add(1);
        if self.field_count > FIELD_COUNT_LIMIT {
            return Err(Violation::TooLarge { part: Part::Fields });
        }
        self.fields.take(line)
    }

    fn finish(&self, length: usize) -> Result<Head, Violation> {
        let method = self.method.ok_or(Violation::MalformedRequestLine { fault: RequestLineFault::Shape })?;
        if !self.fields.seen(Once::Host) {
            return Err(field_fault(FieldFault::MissingHost));
        }
        let body = match (self.fields.content_length, self.fields.seen(Once::TransferEncoding)) {
            (Some(_), true) => return Err(length_fault(LengthFault::Both)),
            (Some(bytes), false) => BodyLength::Bytes(bytes),
            (None, true) => BodyLength::Chunked,
            (None, false) => BodyLength::Bytes(0),
        };
        Ok(Head { length, method, body })
    }
}

/// The fields that may occur once. All of them decide who asks, what is asked or where the body ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Once {
    Host,
    Authorization,
    ProxyAuthorization,
    Dpop,
    ContentType,
    ContentLength,
    TransferEncoding,
    Expect,
    Origin,
    LastEventId,
    McpMethod,
    McpName,
    McpProtocolVersion,
    McpSessionId,
}

/// The table of singular fields: lower-case name → entry and the spelling for people.
const fn once(name: &[u8]) -> Option<(Once, &'static str)> {
    Some(match name {
        b"host" => (Once::Host, "Host"),
        b"authorization" => (Once::Authorization, "Authorization"),
        b"proxy-authorization" => (Once::ProxyAuthorization, "Proxy-Authorization"),
        b"dpop" => (Once::Dpop, "DPoP"),
        b"content-type" => (Once::ContentType, "Content-Type"),
        b"content-length" => (Once::ContentLength, "Content-Length"),
        b"transfer-encoding" => (Once::TransferEncoding, "Transfer-Encoding"),
        b"expect" => (Once::Expect, "Expect"),
        b"origin" => (Once::Origin, "Origin"),
        b"last-event-id" => (Once::LastEventId, "Last-Event-ID"),
        b"mcp-method" => (Once::McpMethod, "Mcp-Method"),
        b"mcp-name" => (Once::McpName, "Mcp-Name"),
        b"mcp-protocol-version" => (Once::McpProtocolVersion, "MCP-Protocol-Version"),
        b"mcp-session-id" => (Once::McpSessionId, "Mcp-Session-Id"),
        _ => return None,
    })
}

/// What the fields read so far say.
#[derive(Debug, Default)]
struct Fields {
    seen: u32,
    content_length: Option<u64>,
    /// Lower-case names. A set with a keyed hash: the names are the client's choice.
    parameters: HashSet<Box<[u8]>>,
}

impl Fields {
    const fn seen(&self, field: Once) -> bool {
        self.seen & (1 << field as u32) != 0
    }

    /// Takes one field line without its CRLF (RFC 9112 §5).
    fn take(&mut self, line: &[u8]) -> Result<(), Violation> {
        if matches!(line.first(), Some(b' ' | b'\t')) {
            return Err(field_fault(FieldFault::Folded));
        }
        let colon = memchr::memchr(b':', line).ok_or(field_fault(FieldFault::NoColon))?;
        let (name, value) = line.split_at_checked(colon).unwrap_or_default();
        let value = value.get(1..).unwrap_or_default();
        check_name(name)?;
        if !is_visible(value) {
            return Err(field_fault(FieldFault::Value));
        }
        let value = value.trim_ascii();

        let mut lower = [0_u8; KNOWN_NAME_LIMIT_BYTES];
        let Some(lower) = lower.get_mut(..name.len()) else { return self.take_parameter(name) };
        lower.copy_from_slice(name);
        lower.make_ascii_lowercase();
        match once(lower) {
            Some((field, spelling)) => self.take_once(field, spelling, value),
            None if &*lower == b"upgrade" => Err(Violation::RefusedFeature { feature: Feature::Upgrade }),
            None => self.take_parameter(name),
        }
    }

    fn take_once(&mut self, field: Once, spelling: &'static str, value: &[u8]) -> Result<(), Violation> {
        if self.seen(field) {
            return Err(Violation::RepeatedField { field: spelling });
        }
        self.seen |= 1 << field as u32;
        match field {
            Once::Host => check_host(value),
            Once::ContentLength => {
                self.content_length = Some(parse_content_length(value)?);
                Ok(())
            }
            Once::TransferEncoding if !value.eq_ignore_ascii_case(b"chunked") => Err(length_fault(LengthFault::Coding)),
            Once::Expect if !value.eq_ignore_ascii_case(b"100-continue") => {
                Err(Violation::RefusedFeature { feature: Feature::Expectation })
            }
            _ => Ok(()),
        }
    }

    fn take_parameter(&mut self, name: &[u8]) -> Result<(), Violation> {
        if name.get(..PARAMETER_PREFIX.len()).is_some_and(|prefix| prefix.eq_ignore_ascii_case(PARAMETER_PREFIX))
            && !self.parameters.insert(name.to_ascii_lowercase().into_boxed_slice())
        {
            return Err(Violation::RepeatedField { field: "Mcp-Param-*" });
        }
        Ok(())
    }
}

fn check_name(name: &[u8]) -> Result<(), Violation> {
    match name.last() {
        None => Err(field_fault(FieldFault::EmptyName)),
        Some(b' ' | b'\t') => Err(field_fault(FieldFault::SpaceBeforeColon)),
        Some(_) if is_token(name) => Ok(()),
        Some(_) => Err(field_fault(FieldFault::Name)),
    }
}

/// Only tab, space and visible ASCII. Written without branches, so that the compiler can look at many bytes at once.
fn is_visible(value: &[u8]) -> bool {
    const WIDTH: u8 = b'~' - b' ';
    value.iter().fold(0, |bad, byte| bad | (u8::from(byte.wrapping_sub(b' ') > WIDTH) & u8::from(*byte != b'\t'))) == 0
}

/// `uri-host [":" port]` without user information, percent escapes or sub-delimiters: a comma would be a list.
fn check_host(value: &[u8]) -> Result<(), Violation> {
    let legal =
        |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'-' | b'.' | b'_' | b':' | b'[' | b']');
    if value.is_empty() || !value.iter().all(legal) {
        return Err(field_fault(FieldFault::Host));
    }
    Ok(())
}

fn parse_content_length(value: &[u8]) -> Result<u64, Violation> {
    // `str::parse` takes a leading plus; RFC 9110 §8.6 does not.
    if !value.first().is_some_and(u8::is_ascii_digit) {
        return Err(length_fault(LengthFault::Number));
    }
    std::str::from_utf8(value).ok().and_then(|text| text.parse().ok()).ok_or(length_fault(LengthFault::Number))
}

const fn field_fault(fault: FieldFault) -> Violation {
    Violation::MalformedField { fault }
}

const fn length_fault(fault: LengthFault) -> Violation {
    Violation::AmbiguousLength { fault }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whole and byte by byte must agree, on the verdict and its reason.
    fn check(head: &[u8], expected: Result<Option<BodyLength>, Violation>) {
        let shown = String::from_utf8_lossy(head.get(..head.len().min(200)).unwrap()).into_owned();
        let whole = HeadScan::default().scan(head).map(|found| found.map(|head| head.body));
        assert_eq!(whole, expected, "whole: {shown:?}");
        let mut scan = HeadScan::default();
        let split = (1..=head.len()).map(|end| scan.scan(&head[..end])).find(|step| !matches!(step, Ok(None)));
        assert_eq!(split.unwrap_or(Ok(None)).map(|found| found.map(|head| head.body)), expected, "split: {shown:?}");
    }

    fn check_fields(fields: &str, expected: Result<BodyLength, Violation>) {
        check(format!("POST /mcp HTTP/1.1\r\nHost: gw.test\r\n{fields}\r\n").as_bytes(), expected.map(Some));
    }

    #[test]
    fn a_good_head_gives_the_length_of_its_body() {
        check_fields("", Ok(BodyLength::Bytes(0)));
        check_fields("Content-Length: 6\r\n", Ok(BodyLength::Bytes(6)));
        check_fields("content-length:\t18446744073709551615 \r\n", Ok(BodyLength::Bytes(u64::MAX)));
        check_fields("Transfer-Encoding:  CHUNKED\t\r\n", Ok(BodyLength::Chunked));
        check_fields("Expect: 100-Continue\r\nContent-Length: 1\r\n", Ok(BodyLength::Bytes(1)));
        check_fields("Accept: a/b\r\nAccept: c/d\r\nX:\r\nCookie: a\r\nCookie: b\r\n", Ok(BodyLength::Bytes(0)));
        check(b"GET / HTTP/1.1\r\nHost: [::1]:8443\r\n\r\n", Ok(Some(BodyLength::Bytes(0))));
        check(b"GET / HTTP/1.1\r\nHost: gw.test\r\n", Ok(None));
    }

    #[test]
    fn a_body_of_two_lengths_is_refused() {
        let both = Err(length_fault(LengthFault::Both));
        check_fields("Content-Length: 6\r\nTransfer-Encoding: chunked\r\n", both);
        check_fields("Transfer-Encoding: chunked\r\nContent-Length: 6\r\n", both);
        check_fields("Content-Length: 0\r\nTRANSFER-ENCODING: chunked\r\n", both);
    }

    #[test]
    fn a_transfer_coding_other_than_chunked_is_refused() {
        let codings = [
            "xchunked",
            "chunked, identity",
            "identity, chunked",
            "gzip, chunked",
            "identity",
            "chunked;q=1",
            "\"chunked\"",
            "",
            "chunked,",
            "chun ked",
        ];
        for coding in codings {
            check_fields(&format!("Transfer-Encoding: {coding}\r\n"), Err(length_fault(LengthFault::Coding)));
        }
        for coding in ["\x0bchunked", "chunked\x0c", "\0chunked", "chunked\u{a0}"] {
            check_fields(&format!("Transfer-Encoding: {coding}\r\n"), Err(field_fault(FieldFault::Value)));
        }
    }

    #[test]
    fn a_length_that_is_not_a_number_is_refused() {
        for length in
            ["+6", "-6", "0x6", "6,6", "6, 6", "", "6 6", "6.0", "18446744073709551616", "99999999999999999999999"]
        {
            check_fields(&format!("Content-Length: {length}\r\n"), Err(length_fault(LengthFault::Number)));
        }
    }

    #[test]
    fn a_repeated_singular_field_is_refused() {
        let cases = [
            ("Content-Length", "6"),
            ("Host", "gw.test"),
            ("Authorization", "Bearer x"),
            ("Proxy-Authorization", "Basic x"),
            ("DPoP", "x"),
            ("Content-Type", "application/json"),
            ("Transfer-Encoding", "chunked"),
            ("Expect", "100-continue"),
            ("Origin", "http://a.test"),
            ("Last-Event-ID", "1"),
            ("Mcp-Method", "tools/call"),
            ("Mcp-Name", "read_file"),
            ("MCP-Protocol-Version", "2026-07-28"),
            ("Mcp-Session-Id", "s"),
        ];
        for (field, value) in cases {
            let repeated = Err(Violation::RepeatedField { field });
            check_fields(&format!("{field}: {value}\r\n{}: {value}\r\n", field.to_ascii_lowercase()), repeated);
        }
        let repeated = Err(Violation::RepeatedField { field: "Mcp-Param-*" });
        check_fields("Mcp-Param-Path: /a\r\nA: b\r\nmcp-param-pATH: /b\r\n", repeated);
        let long = "x".repeat(100);
        check_fields(&format!("Mcp-Param-{long}: 1\r\nMCP-PARAM-{long}: 2\r\n"), repeated);
        check_fields("Mcp-Param-A: 1\r\nMcp-Param-B: 1\r\n", Ok(BodyLength::Bytes(0)));
    }

    #[test]
    fn a_malformed_field_is_refused() {
        let cases = [
            ("A: b\n", FieldFault::BareLineFeed),
            (" folded\r\n", FieldFault::Folded),
            ("A: b\r\n\tfolded\r\n", FieldFault::Folded),
            ("no colon\r\n", FieldFault::NoColon),
            (": value\r\n", FieldFault::EmptyName),
            ("Content-Length : 6\r\n", FieldFault::SpaceBeforeColon),
            ("Content-Length\t: 6\r\n", FieldFault::SpaceBeforeColon),
            ("Content Length: 6\r\n", FieldFault::Name),
            ("\0A: b\r\n", FieldFault::Name),
            ("A\u{e9}: b\r\n", FieldFault::Name),
            ("A: b\rC: d\r\n", FieldFault::Value),
            ("A: b\r\r\n", FieldFault::Value),
            ("A: \0\r\n", FieldFault::Value),
            ("A: \x7f\r\n", FieldFault::Value),
            ("A: \u{e9}\r\n", FieldFault::Value),
            ("A: \x1b[2K\r\n", FieldFault::Value),
        ];
        for (fields, expected) in cases {
            check_fields(fields, Err(field_fault(expected)));
        }
        check(b"GET / HTTP/1.1\nHost: gw.test\n\n", Err(field_fault(FieldFault::BareLineFeed)));
        check(b"GET / HTTP/1.1\r\nHost: gw.test\r\n\n", Err(field_fault(FieldFault::BareLineFeed)));
    }

    #[test]
    fn every_byte_of_a_name_and_of_a_value_is_judged() {
        for byte in 0..=u8::MAX {
            let name_byte = byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
            assert_eq!(is_token(&[b'a', byte]), name_byte, "{byte:#x}");
            assert_eq!(is_visible(&[b'a', byte]), matches!(byte, b'\t' | 0x20..=0x7e), "{byte:#x}");
        }
    }

    #[test]
    fn a_host_is_needed_and_plain() {
        check(b"GET / HTTP/1.1\r\nA: b\r\n\r\n", Err(field_fault(FieldFault::MissingHost)));
        for host in ["", " ", "a.test, b.test", "user@a.test", "a.test/x", "a test", "a.test?x"] {
            let head = format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n");
            check(head.as_bytes(), Err(field_fault(FieldFault::Host)));
        }
    }

    #[test]
    fn a_change_of_protocol_is_refused() {
        for value in ["h2c", "websocket", ""] {
            let refused = Err(Violation::RefusedFeature { feature: Feature::Upgrade });
            check_fields(&format!("Connection: Upgrade\r\nUPGRADE: {value}\r\n"), refused);
        }
        check_fields("Expect: 200-ok\r\n", Err(Violation::RefusedFeature { feature: Feature::Expectation }));
    }

    #[test]
    fn what_cannot_begin_a_request_is_refused_at_its_first_byte() {
        for first in [b"\r\nGET / HTTP/1.1\r\n".as_slice(), b"\x16\x03\x01", b"\n", b" ", b"\0"] {
            check(first, Err(Violation::MalformedRequestLine { fault: RequestLineFault::Shape }));
        }
    }

    #[test]
    fn each_limit_holds_at_its_boundary() {
        let line = |length: usize| format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(length - 15));
        check(line(REQUEST_LINE_LIMIT_BYTES).as_bytes(), Ok(Some(BodyLength::Bytes(0))));
        check(line(REQUEST_LINE_LIMIT_BYTES + 1).as_bytes(), Err(Violation::TooLarge { part: Part::RequestLine }));

        let fields = |count: usize| format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "A: b\r\n".repeat(count - 1));
        check(fields(FIELD_COUNT_LIMIT).as_bytes(), Ok(Some(BodyLength::Bytes(0))));
        check(fields(FIELD_COUNT_LIMIT + 1).as_bytes(), Err(Violation::TooLarge { part: Part::Fields }));

        let head = |length: usize| format!("GET / HTTP/1.1\r\nHost: a\r\nA: {}\r\n\r\n", "b".repeat(length - 32));
        assert_eq!(head(HEAD_LIMIT_BYTES).len(), HEAD_LIMIT_BYTES);
        check(head(HEAD_LIMIT_BYTES).as_bytes(), Ok(Some(BodyLength::Bytes(0))));
        check(head(HEAD_LIMIT_BYTES + 1).as_bytes(), Err(Violation::TooLarge { part: Part::Head }));
    }
}
