//! Watches what the server writes, to know when an answer has begun and when it is over.
//!
//! The server is ours and trusted, its framing is plain. What this cannot follow makes the connection unusable for
//! another request, never the other way round.

use super::{chunk::ChunkScan, request_line::MethodKind};

/// The longest answer head that is followed. Ours are below 2 KiB.
const ANSWER_HEAD_LIMIT_BYTES: usize = 64 * 1024;

#[derive(Debug)]
enum Phase {
    /// Holds the part of an answer head that was written so far; empty as long as nothing was.
    Head(Vec<u8>),
    Length {
        remaining: u64,
    },
    Chunked(ChunkScan),
    Done,
    /// The end cannot be known: no length, or a head that is not one.
    Endless,
}

/// Follows the answer to one request.
#[derive(Debug)]
pub(super) struct ResponseWatch {
    phase: Phase,
}

impl ResponseWatch {
    pub(super) const fn new() -> Self {
        Self { phase: Phase::Head(Vec::new()) }
    }

    /// Whether not one byte of a final answer was written, so that another answer can take its place.
    pub(super) const fn is_untouched(&self) -> bool {
        matches!(&self.phase, Phase::Head(held) if held.is_empty())
    }

    pub(super) const fn is_done(&self) -> bool {
        matches!(self.phase, Phase::Done)
    }

    /// Whether no end of this answer will ever be seen.
    pub(super) const fn is_endless(&self) -> bool {
        matches!(self.phase, Phase::Endless)
    }

    /// Takes note of bytes that went out.
    pub(super) fn observe(&mut self, written: &[u8], method: MethodKind) {
        let mut rest = written;
        while !rest.is_empty() {
            let used = match &mut self.phase {
                Phase::Head(_) => self.observe_head(rest, method),
                Phase::Length { remaining } => {
                    let used = usize::try_from(*remaining).map_or(rest.len(), |remaining| remaining.min(rest.len()));
                    *remaining = remaining.saturating_sub(u64::try_from(used).unwrap_or(u64::MAX));
                    if *remaining == 0 {
                        self.phase = Phase::Done;
                    }
                    used
                }
                Phase::Chunked(scan) => {
                    let used = scan.advance(rest);
                    if used.is_err() {
                        self.phase = Phase::Endless;
                    } else if scan.is_done() {
                        self.phase = Phase::Done;
                    }
                    used.unwrap_or(rest.len())
                }
                Phase::Done | Phase::Endless => rest.len(),
            };
            rest = rest.get(used..).unwrap_or_default();
        }
    }

    /// Takes the bytes of a head and says how many that were.
    fn observe_head(&mut self, rest: &[u8], method: MethodKind) -> usize {
        let Phase::Head(held) = &mut self.phase else { return 0 };
        if held.is_empty()
            && let Some(length) = head_length(rest)
        {
            self.phase = after_head(rest.get(..length).unwrap_or_default(), method);
            return length;
        }
        let before = held.len();
        held.extend_from_slice(rest);
        match head_length(held) {
            Some(length) => {
                let next = after_head(held.get(..length).unwrap_or_default(), method);
                self.phase = next;
                length.saturating_sub(before)
            }
            None => {
                if held.len() > ANSWER_HEAD_LIMIT_BYTES {
                    self.phase = Phase::Endless;
                }
                rest.len()
            }
        }
    }
}

/// The length of a head with its empty line, once that is there.
fn head_length(bytes: &[u8]) -> Option<usize> {
    memchr::memmem::find(bytes, b"\r\n\r\n").map(|at| at.saturating_add(4))
}

/// What follows an answer head (RFC 9112 §6.3).
fn after_head(head: &[u8], method: MethodKind) -> Phase {
    let mut lines = head.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    let status = lines.next().and_then(|line| line.strip_prefix(b"HTTP/1.1 ")).and_then(|line| line.get(..3));
    match status {
        // An interim answer: the final one is still to come.
        Some([b'1', ..]) => return Phase::Head(Vec::new()),
        Some(b"204" | b"304") => return Phase::Done,
        Some(_) if method == MethodKind::Head => return Phase::Done,
        Some(_) => {}
        None => return Phase::Endless,
    }
    for line in lines {
        let Some(colon) = memchr::memchr(b':', line) else { continue };
        let (name, value) = line.split_at_checked(colon).unwrap_or_default();
        let value = value.get(1..).unwrap_or_default().trim_ascii();
        if name.eq_ignore_ascii_case(b"transfer-encoding") && value.eq_ignore_ascii_case(b"chunked") {
            return Phase::Chunked(ChunkScan::new(u64::MAX));
        }
        if name.eq_ignore_ascii_case(b"content-length") {
            return match std::str::from_utf8(value).ok().and_then(|value| value.parse().ok()) {
                Some(0) => Phase::Done,
                Some(remaining) => Phase::Length { remaining },
                None => Phase::Endless,
            };
        }
    }
    Phase::Endless
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whole and byte by byte must agree: the answer is over exactly at the end of `answer`.
    fn check_ends(answer: &str, method: MethodKind) {
        let mut whole = ResponseWatch::new();
        whole.observe(answer.as_bytes(), method);
        assert!(whole.is_done(), "whole: {answer:?}");
        let mut split = ResponseWatch::new();
        for byte in answer.as_bytes() {
            assert!(!split.is_done(), "too early: {answer:?}");
            split.observe(std::slice::from_ref(byte), method);
        }
        assert!(split.is_done(), "split: {answer:?}");
    }

    #[test]
    fn an_answer_is_over_where_its_framing_says() {
        check_ends("HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n", MethodKind::Other);
        check_ends("HTTP/1.1 200 OK\r\nContent-Length: 5\r\ndate: now\r\n\r\nhello", MethodKind::Other);
        check_ends("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", MethodKind::Other);
        check_ends("HTTP/1.1 204 No Content\r\n\r\n", MethodKind::Other);
        check_ends("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n", MethodKind::Head);
        check_ends("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nx", MethodKind::Other);
    }

    #[test]
    fn an_interim_answer_leaves_room_for_the_final_one() {
        let mut watch = ResponseWatch::new();
        watch.observe(b"HTTP/1.1 100 Continue\r\n\r\n", MethodKind::Other);
        assert!(watch.is_untouched());
        watch.observe(b"H", MethodKind::Other);
        assert!(!watch.is_untouched());
    }

    #[test]
    fn an_answer_without_a_known_end_is_endless() {
        for answer in [
            "HTTP/1.1 200 OK\r\n\r\n",
            "HTTP/1.0 200 OK\r\ncontent-length: 0\r\n\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz",
        ] {
            let mut watch = ResponseWatch::new();
            watch.observe(answer.as_bytes(), MethodKind::Other);
            assert!(watch.is_endless(), "{answer:?}");
        }
        let mut watch = ResponseWatch::new();
        watch.observe(&vec![b'x'; ANSWER_HEAD_LIMIT_BYTES + 1], MethodKind::Other);
        assert!(watch.is_endless());
    }
}
