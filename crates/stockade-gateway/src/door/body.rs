//! The bodies of answers: one message, or a stream of events.

use super::streams::{Event, Reader, Streams};
use crate::line::one_line;
use crate::session::Session;
use crate::sse::{Encoder, EventId, OutgoingEvent};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use http_body::{Body, Frame, SizeHint};
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use stockade_core::guard::Released;
use tokio::sync::mpsc;
use tokio::time::{Interval, MissedTickBehavior, interval};

/// How often a stream says that it lives.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// The body of an answer.
pub(crate) enum DoorBody {
    /// All of it.
    Whole(Option<Bytes>),
    /// The events of a stream of a legacy session.
    Kept(Kept),
    /// The events of one request that ends with its connection.
    Live(Box<Live>),
}

impl DoorBody {
    pub(crate) const fn empty() -> Self {
        Self::Whole(None)
    }
}

/// Reads a kept stream.
pub(crate) struct Kept {
    session: Arc<Session>,
    reader: Reader,
    alive: Interval,
}

impl Kept {
    pub(crate) fn new(session: Arc<Session>, reader: Reader) -> Self {
        Self { session, reader, alive: keep_alive() }
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.session.streams.leave(&self.reader);
        self.session.touch();
    }
}

/// Carries a request while its connection lives; dropping it cancels the request.
pub(crate) struct Live {
    pub(crate) work: Option<BoxFuture<'static, Released>>,
    pub(crate) messages: mpsc::Receiver<Bytes>,
    pub(crate) first: Option<Bytes>,
    pub(crate) last: Option<Bytes>,
    alive: Interval,
}

impl Live {
    pub(crate) fn new(work: BoxFuture<'static, Released>, messages: mpsc::Receiver<Bytes>, first: Bytes) -> Self {
        Self { work: Some(work), messages, first: Some(first), last: None, alive: keep_alive() }
    }

    fn poll_message(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if let Some(first) = self.first.take().filter(|first| !first.is_empty()) {
            return Poll::Ready(Some(first));
        }
        if let Some(work) = &mut self.work
            && let Poll::Ready(released) = work.as_mut().poll(context)
        {
            self.work = None;
            self.last = Some(released.bytes().clone());
        }
        // What came before the answer goes before it.
        while let Poll::Ready(Some(message)) = self.messages.poll_recv(context) {
            if !message.is_empty() {
                return Poll::Ready(Some(message));
            }
        }
        if self.work.is_some() { Poll::Pending } else { Poll::Ready(self.last.take()) }
    }
}

fn keep_alive() -> Interval {
    let mut alive = interval(KEEP_ALIVE);
    alive.reset();
    alive.set_missed_tick_behavior(MissedTickBehavior::Delay);
    alive
}

fn encode(id: Option<&str>, data: &[u8], retry: Option<Duration>) -> Option<Bytes> {
    let id = id.and_then(|id| EventId::parse(id).ok());
    let data = std::str::from_utf8(data).ok()?;
    let retry = retry.and_then(|retry| u64::try_from(retry.as_millis()).ok());
    let mut text = String::with_capacity(data.len() + 32);
    let event = OutgoingEvent { id: id.as_ref(), event: None, data: Some(data), retry };
    Encoder.encode(event, &mut text).ok()?;
    Some(Bytes::from(text))
}

impl Body for DoorBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let (bytes, alive) = match self.get_mut() {
            Self::Whole(bytes) => return Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Kept(Kept { session, reader, alive }) => match session.streams.poll(reader, context) {
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Ready(Some(Event { id, data, retry })) => {
                    (Some(encode(Some(&id), &one_line(data), retry)), alive)
                }
                Poll::Pending => (None, alive),
            },
            Self::Live(live) => match live.poll_message(context) {
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Ready(Some(data)) => (Some(encode(None, &one_line(data), None)), &mut live.alive),
                Poll::Pending => (None, &mut live.alive),
            },
        };
        match bytes {
            Some(Some(bytes)) => {
                alive.reset();
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            // What cannot be written as an event ends the stream; a released message always can.
            Some(None) => Poll::Ready(None),
            None => {
                ready!(alive.poll_tick(context));
                Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(Encoder::KEEP_ALIVE)))))
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Self::Kept(_) | Self::Live(_) => SizeHint::default(),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(None))
    }
}

/// A whole stream of events from a session.
pub(crate) fn kept(session: &Arc<Session>, reader: Reader) -> DoorBody {
    DoorBody::Kept(Kept::new(Arc::clone(session), reader))
}

/// The session's own stream.
pub(crate) fn own_stream(session: &Arc<Session>) -> DoorBody {
    kept(session, session.streams.read(Streams::OWN))
}
