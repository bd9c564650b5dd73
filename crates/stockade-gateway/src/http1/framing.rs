//! Where each request begins and ends, without any I/O: the one place that decides which bytes may go on.

use super::{
    chunk::ChunkScan,
    head::{BodyLength, HeadScan},
    request_line::MethodKind,
    violation::{Part, Violation},
};

/// What the next byte from the client belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Head,
    Body,
    /// The request is whole; the next byte belongs to another one.
    Complete,
}

#[derive(Debug)]
enum Phase {
    Head(HeadScan),
    Length { remaining: u64 },
    Chunked(ChunkScan),
    Complete,
}

/// Follows one request; made anew for the next.
#[derive(Debug)]
pub(super) struct RequestFraming {
    phase: Phase,
    method: MethodKind,
    body_limit_bytes: u64,
}

impl RequestFraming {
    pub(super) fn new(body_limit_bytes: u64) -> Self {
        Self { phase: Phase::Head(HeadScan::default()), method: MethodKind::Other, body_limit_bytes }
    }

    pub(super) const fn stage(&self) -> Stage {
        match self.phase {
            Phase::Head(_) => Stage::Head,
            Phase::Length { .. } | Phase::Chunked(_) => Stage::Body,
            Phase::Complete => Stage::Complete,
        }
    }

    pub(super) const fn method(&self) -> MethodKind {
        self.method
    }

    /// Says how many bytes at the front of `window` may be delivered.
    ///
    /// `window` begins at the first byte not yet released: while the head is incomplete nothing is released, and the
    /// next call gets the same bytes and those that came after. Nothing beyond the end of the request is released.
    pub(super) fn feed(&mut self, window: &[u8]) -> Result<usize, Violation> {
        let mut released = 0_usize;
        if let Phase::Head(scan) = &mut self.phase {
            let Some(head) = scan.scan(window)? else { return Ok(0) };
            released = head.length;
            self.method = head.method;
            self.phase = match head.body {
                BodyLength::Bytes(remaining) => {
                    if remaining > self.body_limit_bytes {
                        return Err(Violation::TooLarge { part: Part::Body });
                    }
                    Phase::Length { remaining }
                }
                BodyLength::Chunked => Phase::Chunked(ChunkScan::new(self.body_limit_bytes)),
            };
        }
        let body = window.get(released..).unwrap_or_default();
        Ok(released.saturating_add(self.feed_body(body)?))
    }

    fn feed_body(&mut self, body: &[u8]) -> Result<usize, Violation> {
        let (used, done) = match &mut self.phase {
            Phase::Length { remaining } => {
                let used = usize::try_from(*remaining).map_or(body.len(), |remaining| remaining.min(body.len()));
                *remaining = remaining.saturating_sub(u64::try_from(used).unwrap_or(u64::MAX));
                (used, *remaining == 0)
            }
            Phase::Chunked(scan) => {
                let used = scan.advance(body)?;
                (used, scan.is_done())
            }
            Phase::Head(_) | Phase::Complete => return Ok(0),
        };
        if done {
            self.phase = Phase::Complete;
        }
        Ok(used)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: u64 = 16;

    fn check(request: &str, expected: Result<(usize, Stage), Violation>) {
        let mut framing = RequestFraming::new(LIMIT);
        let fed = framing.feed(request.as_bytes()).map(|released| (released, framing.stage()));
        assert_eq!(fed, expected, "{request:?}");
    }

    #[test]
    fn nothing_beyond_the_end_of_the_request_is_released() {
        let head = "POST / HTTP/1.1\r\nHost: a\r\n";
        let get = format!("{head}\r\n");
        check(&format!("{get}GET /"), Ok((get.len(), Stage::Complete)));
        let sized = format!("{head}Content-Length: 3\r\n\r\nabc");
        check(&format!("{sized}GET /"), Ok((sized.len(), Stage::Complete)));
        let chunked = format!("{head}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n");
        check(&format!("{chunked}GET /"), Ok((chunked.len(), Stage::Complete)));
        check(head, Ok((0, Stage::Head)));
        let open = format!("{head}Content-Length: 3\r\n\r\nab");
        check(&open, Ok((open.len(), Stage::Body)));
    }

    #[test]
    fn a_body_over_the_limit_is_refused_by_what_it_announces() {
        let sized = |bytes: u64| format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {bytes}\r\n\r\n");
        check(&sized(LIMIT), Ok((sized(LIMIT).len(), Stage::Body)));
        check(&sized(LIMIT + 1), Err(Violation::TooLarge { part: Part::Body }));
        let chunks = |last: u64| {
            format!("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n01234567\r\n{last:x}\r\n")
        };
        check(&chunks(LIMIT - 8), Ok((chunks(LIMIT - 8).len(), Stage::Body)));
        check(&chunks(LIMIT - 7), Err(Violation::TooLarge { part: Part::Body }));
    }
}
