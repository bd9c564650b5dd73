//! The end of a refused connection: one fixed answer where none was begun, then a closed door that does not slam.
//!
//! Closing a socket with unread bytes makes the kernel send a reset, which can take the answer away from the client
//! before it is read. So what still comes is read and thrown away for a moment.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::Instant,
};

use super::{pace::deadline, violation::Violation};

/// Time for writing the refusal and draining.
const LINGER: Duration = Duration::from_secs(1);
/// Bytes thrown away before the socket is closed.
const DRAIN_LIMIT_BYTES: usize = 2 * 1024 * 1024;

#[derive(Debug)]
enum Step {
    Write { unsent: &'static [u8] },
    Flush,
    Shutdown,
    Drain { drained: usize },
    Done,
}

/// A connection on its way out.
#[derive(Debug)]
pub(super) struct Refusal {
    violation: Violation,
    step: Step,
    /// Nothing of this lasts longer, whatever the client does.
    pub(super) due: Instant,
}

impl Refusal {
    /// `may_answer` is false once the server began an answer: a second one would be read as the answer to another
    /// request.
    pub(super) fn new(violation: Violation, may_answer: bool, transport: Transport) -> Self {
        let text = refusal_text(violation, transport);
        let step = if may_answer { Step::Write { unsent: text } } else { Step::Shutdown };
        Self { violation, step, due: deadline(LINGER) }
    }

    pub(super) const fn violation(&self) -> Violation {
        self.violation
    }

    /// Gives up what is left: the time is over.
    pub(super) fn abandon(&mut self) {
        self.step = Step::Done;
    }

    /// Goes on as far as the socket lets it. An I/O error ends it too: there is nobody left to tell.
    pub(super) fn poll_finish<IO>(&mut self, io: &mut IO, context: &mut Context<'_>) -> Poll<()>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        loop {
            self.step = match &mut self.step {
                Step::Write { unsent: [] } => Step::Flush,
                Step::Write { unsent } => match Pin::new(&mut *io).poll_write(context, unsent) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(Ok(sent @ 1..)) => Step::Write { unsent: unsent.get(sent..).unwrap_or_default() },
                    Poll::Ready(Ok(0) | Err(_)) => Step::Done,
                },
                Step::Flush => match Pin::new(&mut *io).poll_flush(context) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(Ok(())) => Step::Shutdown,
                    Poll::Ready(Err(_)) => Step::Done,
                },
                Step::Shutdown => match Pin::new(&mut *io).poll_shutdown(context) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(Ok(())) => Step::Drain { drained: 0 },
                    Poll::Ready(Err(_)) => Step::Done,
                },
                Step::Drain { drained } => {
                    let mut scratch = [0_u8; 4096];
                    let mut scratch = ReadBuf::new(&mut scratch);
                    match Pin::new(&mut *io).poll_read(context, &mut scratch) {
                        Poll::Pending => return Poll::Pending,
                        Poll::Ready(Err(_)) => Step::Done,
                        Poll::Ready(Ok(())) => {
                            let total = drained.saturating_add(scratch.filled().len());
                            let over = scratch.filled().is_empty() || total > DRAIN_LIMIT_BYTES;
                            if over { Step::Done } else { Step::Drain { drained: total } }
                        }
                    }
                }
                Step::Done => return Poll::Ready(()),
            };
        }
    }
}

/// How the client reaches us, as far as the words of a refusal depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Transport {
    Plain,
    Tls,
}

/// No version, no name, no reason: what was wrong is for the record, not for whoever probes. The headers are those of every
/// answer (`door/headers.rs`); a test compares them.
macro_rules! refusal_text {
    ($status:literal, $transport:literal) => {
        concat!(
            "HTTP/1.1 ",
            $status,
            "\r\nConnection: close\r\nContent-Length: 0\r\nCache-Control: no-store\r\n\
             Content-Security-Policy: default-src 'none'; frame-ancestors 'none'\r\n\
             Cross-Origin-Opener-Policy: same-origin\r\nCross-Origin-Resource-Policy: same-origin\r\n\
             Referrer-Policy: no-referrer\r\nX-Content-Type-Options: nosniff\r\nX-Frame-Options: DENY\r\n",
            $transport,
            "\r\n"
        )
        .as_bytes()
    };
}

macro_rules! refusal_texts {
    ($violation:expr, $transport:literal) => {
        match $violation.status() {
            408 => refusal_text!("408 Request Timeout", $transport),
            413 => refusal_text!("413 Content Too Large", $transport),
            414 => refusal_text!("414 URI Too Long", $transport),
            417 => refusal_text!("417 Expectation Failed", $transport),
            431 => refusal_text!("431 Request Header Fields Too Large", $transport),
            505 => refusal_text!("505 HTTP Version Not Supported", $transport),
            _ => refusal_text!("400 Bad Request", $transport),
        }
    };
}

const fn refusal_text(violation: Violation, transport: Transport) -> &'static [u8] {
    match transport {
        Transport::Plain => refusal_texts!(violation, ""),
        Transport::Tls => {
            refusal_texts!(violation, "Strict-Transport-Security: max-age=63072000; includeSubDomains\r\n")
        }
    }
}

/// For the comparison with the door's own headers.
#[cfg(test)]
pub(crate) fn refusal_headers(transport: &str) -> Vec<(String, String)> {
    let violation = Violation::TooSlow { part: super::Part::RequestLine };
    let transport = if transport == "tls" { Transport::Tls } else { Transport::Plain };
    let text = std::str::from_utf8(refusal_text(violation, transport)).unwrap();
    let lines = text.lines().skip(1).filter_map(|line| line.split_once(": "));
    lines.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect()
}
