//! Strict HTTP/1.1 between socket and server: what a request smuggler needs does not arrive.
//!
//! hyper 1.12 with httparse 1.10 takes `Content-Length` beside `Transfer-Encoding` (the coding wins), any list of
//! codings that ends in `chunked`, repeated equal lengths, lines ended by a bare LF, empty lines before a request,
//! HTTP/1.0, bytes above 0x7f in values, white space and 16 KiB of extensions after a chunk size, and trailers. Each
//! is a place where two parsers can disagree on where a request ends. [`StrictHttp1`] follows the same bytes with no
//! such freedom and stops the connection before hyper sees the end of an offending head or chunk line.
//!
//! It must never: change, add or reorder a byte of a legal request; deliver a byte of a request before the answer to
//! the one before it was written; write into an answer that has begun; tell the client what was wrong.
//!
//! On the road it comes before `read`: it knows where requests end and nothing of what they mean.

mod chunk;
mod framing;
mod head;
mod held;
mod limits;
mod pace;
mod refusal;
mod request_line;
mod response;
mod violation;

use std::{
    fmt,
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use framing::{RequestFraming, Stage};
use held::Held;
pub use limits::Http1Limits;
use pace::{Expired, Pace};
#[cfg(test)]
pub(crate) use refusal::refusal_headers;
use refusal::{Refusal, Transport};
use response::ResponseWatch;
pub use violation::{ChunkFault, Feature, FieldFault, LengthFault, Part, RequestLineFault, Violation};

/// The longest request head, in bytes with its empty line. Over it the client gets 431.
pub const HEAD_LIMIT_BYTES: usize = 32 * 1024;
/// The longest request line, in bytes with its CR. Over it the client gets 414.
pub const REQUEST_LINE_LIMIT_BYTES: usize = 8 * 1024;
/// The most field lines of a head. Over it the client gets 431.
pub const FIELD_COUNT_LIMIT: usize = 100;
/// The longest extension of one chunk, in bytes after the first semicolon.
pub const CHUNK_EXTENSION_LIMIT_BYTES: usize = 256;
/// What to give hyper as `max_buf_size`. What a connection holds here is at most a head and one such buffer.
pub const SERVER_BUFFER_BYTES: usize = 64 * 1024;

/// Called at most once per connection, on the connection's task: it must not block.
pub type ViolationObserver = Arc<dyn Fn(Violation) + Send + Sync>;

/// A socket that delivers only well-framed requests, one at a time.
///
/// Pipelined requests are held back until the answer before them was written whole, so at a violation at most one
/// answer is under way: the one to the offending request itself. If that has not begun, the client gets a fixed
/// refusal; if it has, the connection is cut. Reading and writing fail afterwards with an error that holds the
/// [`Violation`].
pub struct StrictHttp1<IO> {
    io: IO,
    framing: RequestFraming,
    response: ResponseWatch,
    held: Held,
    pace: Pace,
    limits: Http1Limits,
    transport: Transport,
    refusal: Option<Refusal>,
    held_reader: Option<Waker>,
    observer: ViolationObserver,
}

impl<IO> StrictHttp1<IO> {
    /// Wraps a fresh connection. The time of the first head starts now, so this must be called within a tokio runtime.
    pub fn new(io: IO, limits: Http1Limits, observer: ViolationObserver) -> Self {
        Self {
            io,
            framing: RequestFraming::new(limits.body_limit_bytes),
            response: ResponseWatch::new(),
            held: Held::default(),
            pace: Pace::start(limits),
            limits,
            transport: Transport::Plain,
            refusal: None,
            held_reader: None,
            observer,
        }
    }

    /// For a connection inside TLS: refusals say that this host is to be reached in no other way (RFC 6797).
    #[must_use]
    pub fn over_tls(mut self) -> Self {
        self.transport = Transport::Tls;
        self
    }

    /// What the client did wrong, if it did.
    pub fn violation(&self) -> Option<Violation> {
        self.refusal.as_ref().map(Refusal::violation)
    }
}

impl<IO> fmt::Debug for StrictHttp1<IO> {
    /// Shows no byte of the peer's.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = formatter.debug_struct("StrictHttp1");
        shown.field("stage", &self.framing.stage()).field("violation", &self.violation()).finish_non_exhaustive()
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin> AsyncRead for StrictHttp1<IO> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, target: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if target.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        if this.refusal.is_none() {
            match ready!(this.poll_request(context, target)) {
                Ok(()) => return Poll::Ready(Ok(())),
                Err(ReadFault::Io(error)) => return Poll::Ready(Err(error)),
                Err(ReadFault::Violation(violation)) => this.refuse(violation),
            }
        }
        this.poll_refusal(context).map(Err)
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin> AsyncWrite for StrictHttp1<IO> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(context, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if let Some(violation) = this.violation() {
            return Poll::Ready(Err(refused(violation)));
        }
        let written = match slices {
            [single] => ready!(Pin::new(&mut this.io).poll_write(context, single))?,
            many => ready!(Pin::new(&mut this.io).poll_write_vectored(context, many))?,
        };
        this.observe_written(context, slices, written);
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.refusal.is_some() {
            return this.poll_refusal(context).map(|_| Ok(()));
        }
        Pin::new(&mut this.io).poll_shutdown(context)
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin> StrictHttp1<IO> {
    /// Delivers what may be delivered. No bytes and no error is the end: of the client, or of our patience with an
    /// idle one.
    fn poll_request(&mut self, context: &mut Context<'_>, target: &mut ReadBuf<'_>) -> Poll<Result<(), ReadFault>> {
        // Bounded: every turn takes new bytes from the socket, and a head ends at its limit.
        loop {
            if self.held.deliver(target) {
                return Poll::Ready(Ok(()));
            }
            if self.framing.stage() == Stage::Complete {
                if !self.response.is_done() {
                    return self.poll_answer_pending(context, target);
                }
                self.framing = RequestFraming::new(self.limits.body_limit_bytes);
                self.response = ResponseWatch::new();
                self.pace.our_turn_is_over();
            }
            if self.feed_held()? {
                continue;
            }
            let before = target.filled().len();
            match Pin::new(&mut self.io).poll_read(context, target) {
                Poll::Ready(read) => read.map_err(ReadFault::Io)?,
                Poll::Pending => match ready!(self.pace.poll_expired(context)) {
                    Expired::Idle => return Poll::Ready(Ok(())),
                    Expired::Slow(part) => return Poll::Ready(Err(Violation::TooSlow { part }.into())),
                },
            }
            if target.filled().len() == before {
                return Poll::Ready(Ok(()));
            }
            if self.take_arrived(target, before)? {
                return Poll::Ready(Ok(()));
            }
        }
    }

    /// Judges what was read into `target` past `before`, keeps there what may go on and holds the rest.
    ///
    /// A whole request in one read, the common case, is never copied.
    fn take_arrived(&mut self, target: &mut ReadBuf<'_>, before: usize) -> Result<bool, Violation> {
        let arrived = target.filled().get(before..).unwrap_or_default();
        if !self.held.is_empty() {
            self.held.append(arrived);
            target.set_filled(before);
            return Ok(false);
        }
        let released = match self.framing.feed(arrived) {
            Ok(released) => released,
            Err(violation) => {
                target.set_filled(before);
                return Err(violation);
            }
        };
        self.pace.arrived(self.framing.stage(), arrived.len());
        self.held.append(arrived.get(released..).unwrap_or_default());
        target.set_filled(before.saturating_add(released));
        Ok(released > 0)
    }

    /// Judges what is held; true when some of it may now be delivered.
    fn feed_held(&mut self) -> Result<bool, Violation> {
        let window = self.held.waiting();
        if window.is_empty() {
            return Ok(false);
        }
        let released = self.framing.feed(window)?;
        self.pace.arrived(self.framing.stage(), window.len());
        self.held.release(released);
        Ok(released > 0)
    }

    /// While an answer is under way the client may only leave. What it sends instead waits.
    fn poll_answer_pending(
        &mut self,
        context: &mut Context<'_>,
        target: &mut ReadBuf<'_>,
    ) -> Poll<Result<(), ReadFault>> {
        if self.response.is_endless() {
            let error = io::Error::other("an answer without a known end was written");
            return Poll::Ready(Err(ReadFault::Io(error)));
        }
        if self.held.is_empty() {
            let before = target.filled().len();
            ready!(Pin::new(&mut self.io).poll_read(context, target)).map_err(ReadFault::Io)?;
            let arrived = target.filled().get(before..).unwrap_or_default();
            if arrived.is_empty() {
                return Poll::Ready(Ok(()));
            }
            self.held.append(arrived);
            target.set_filled(before);
        }
        self.held_reader = Some(context.waker().clone());
        Poll::Pending
    }

    fn observe_written(&mut self, context: &mut Context<'_>, slices: &[IoSlice<'_>], written: usize) {
        let was_done = self.response.is_done();
        let mut left = written;
        for slice in slices {
            let part = slice.get(..left.min(slice.len())).unwrap_or_default();
            self.response.observe(part, self.framing.method());
            left = left.saturating_sub(part.len());
        }
        if self.response.is_done() && !was_done && self.framing.stage() == Stage::Complete {
            self.pace.our_turn_is_over();
            // The server may not read again before something wakes it: the idle timer is set here, on its task.
            if self.pace.poll_expired(context).is_ready() {
                context.waker().wake_by_ref();
            }
            if let Some(reader) = self.held_reader.take() {
                reader.wake();
            }
        }
    }

    fn refuse(&mut self, violation: Violation) {
        self.held = Held::default();
        self.refusal = Some(Refusal::new(violation, self.response.is_untouched(), self.transport));
        (self.observer)(violation);
    }

    /// Ready with the error for the server once the client was told and the socket is done with.
    fn poll_refusal(&mut self, context: &mut Context<'_>) -> Poll<io::Error> {
        let Some(refusal) = &mut self.refusal else { return Poll::Ready(io::ErrorKind::NotConnected.into()) };
        if refusal.poll_finish(&mut self.io, context).is_pending() {
            ready!(self.pace.poll_until(context, refusal.due));
            refusal.abandon();
        }
        Poll::Ready(refused(refusal.violation()))
    }
}

/// The error the server sees: its source is the [`Violation`].
fn refused(violation: Violation) -> io::Error {
    let kind = match violation {
        Violation::TooSlow { .. } => io::ErrorKind::TimedOut,
        _ => io::ErrorKind::InvalidData,
    };
    io::Error::new(kind, violation)
}

#[derive(Debug)]
enum ReadFault {
    Io(io::Error),
    Violation(Violation),
}

impl From<Violation> for ReadFault {
    fn from(violation: Violation) -> Self {
        Self::Violation(violation)
    }
}

#[cfg(test)]
mod tests;
