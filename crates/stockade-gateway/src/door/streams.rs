//! The event streams of one legacy session, and what a client that comes back may still have of them.
//!
//! Stream 0 is the session's own (`GET`); each request that needs one has another. Events are numbered within their
//! stream, so that an id names one place of one stream of one session, which only its caller can reach (MCP 2025-11-25
//! "Resumability and Redelivery": ids are per stream, no event goes over two streams).
//! Must never: keep more than its limits; hand an event to two readers.

use crate::session::lock;
use bytes::Bytes;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Mutex;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use stockade_core::guard::Released;

/// Events that one stream keeps; the oldest goes first.
const EVENTS: usize = 256;
/// Bytes of events that one stream keeps, but for its last event.
const EVENT_BYTES: usize = 8 << 20;
/// Finished streams that a session keeps for clients that come back.
const FINISHED: usize = 16;

/// One event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Event {
    /// `stream-number`, unique in the session.
    pub(crate) id: String,
    /// One message; empty in an event that only tells its id.
    pub(crate) data: Bytes,
    /// After how long to come back.
    pub(crate) retry: Option<Duration>,
}

#[derive(Default)]
struct Stream {
    events: VecDeque<Event>,
    bytes: usize,
    /// The number of the first event that is kept.
    first: u64,
    /// True once nothing more comes.
    is_done: bool,
    /// True while the client is to go away and come back.
    is_paused: bool,
    reader: u64,
    is_read: bool,
    waker: Option<Waker>,
}

#[derive(Default)]
struct Inner {
    streams: BTreeMap<u64, Stream>,
    last: u64,
    readers: u64,
    is_closed: bool,
}

/// The streams of one session.
#[derive(Default)]
pub(crate) struct Streams {
    inner: Mutex<Inner>,
}

/// A place in a stream, held by whoever writes it out.
#[derive(Debug)]
pub(crate) struct Reader {
    stream: u64,
    reader: u64,
    next: u64,
}

impl Streams {
    /// The session's own stream.
    pub(crate) const OWN: u64 = 0;

    /// Begins a stream for one request.
    pub(crate) fn begin(&self) -> u64 {
        let mut inner = lock(&self.inner);
        inner.last += 1;
        let number = inner.last;
        inner.streams.insert(number, Stream::default());
        let finished: Vec<_> = inner
            .streams
            .iter()
            .filter(|(_, stream)| stream.is_done && !stream.is_read)
            .map(|(number, _)| *number)
            .collect();
        for number in finished.iter().take(finished.len().saturating_sub(FINISHED)) {
            inner.streams.remove(number);
        }
        number
    }

    /// Adds an event to a stream.
    pub(crate) fn push(&self, number: u64, data: Bytes, retry: Option<Duration>) {
        let mut inner = lock(&self.inner);
        if inner.is_closed {
            return;
        }
        let stream = inner.streams.entry(number).or_default();
        let id = format!("{number}-{}", stream.first + stream.events.len() as u64);
        stream.bytes += data.len();
        stream.events.push_back(Event { id, data, retry });
        while stream.events.len() > EVENTS || (stream.bytes > EVENT_BYTES && stream.events.len() > 1) {
            if let Some(gone) = stream.events.pop_front() {
                stream.bytes -= gone.data.len();
                stream.first += 1;
            }
        }
        stream.wake();
    }

    /// Lets the reader go; it may come back with the id of the last event.
    pub(crate) fn pause(&self, number: u64, retry: Option<Duration>) {
        self.push(number, Bytes::new(), retry);
        self.change(number, |stream| stream.is_paused = true);
    }

    /// Ends a stream: nothing more comes.
    pub(crate) fn finish(&self, number: u64) {
        self.change(number, |stream| stream.is_done = true);
    }

    fn change(&self, number: u64, change: impl FnOnce(&mut Stream)) {
        if let Some(stream) = lock(&self.inner).streams.get_mut(&number) {
            change(stream);
            stream.wake();
        }
    }

    /// A message that belongs to no request.
    pub(crate) fn deliver(&self, message: Released) {
        self.push(Self::OWN, message.bytes().clone(), None);
    }

    /// Reads a stream from its start, or the session's own from what has not been read.
    pub(crate) fn read(&self, number: u64) -> Reader {
        let mut inner = lock(&self.inner);
        let stream = inner.streams.entry(number).or_default();
        let next = stream.first;
        Self::attach(&mut inner, number, next)
    }

    /// Goes on after the event `id`; nothing if no such stream is kept. Events that are no longer kept are lost.
    pub(crate) fn resume(&self, id: &str) -> Option<Reader> {
        let (number, event) = id.split_once('-')?;
        let (number, event): (u64, u64) = (number.parse().ok()?, event.parse().ok()?);
        let mut inner = lock(&self.inner);
        let stream = inner.streams.get_mut(&number)?;
        let end = stream.first + stream.events.len() as u64;
        if event >= end {
            return None;
        }
        stream.is_paused = false;
        let next = (event + 1).max(stream.first);
        Some(Self::attach(&mut inner, number, next))
    }

    fn attach(inner: &mut Inner, number: u64, next: u64) -> Reader {
        inner.readers += 1;
        let reader = inner.readers;
        if let Some(stream) = inner.streams.get_mut(&number) {
            stream.reader = reader;
            stream.is_read = true;
            // Whoever read it before has lost it, and ends.
            stream.wake();
        }
        Reader { stream: number, reader, next }
    }

    /// The reader's next event; `None` when the reader is to end.
    pub(crate) fn poll(&self, reader: &mut Reader, context: &mut Context<'_>) -> Poll<Option<Event>> {
        let mut inner = lock(&self.inner);
        let is_closed = inner.is_closed;
        let Some(stream) = inner.streams.get_mut(&reader.stream).filter(|stream| stream.reader == reader.reader) else {
            return Poll::Ready(None);
        };
        reader.next = reader.next.max(stream.first);
        let place = usize::try_from(reader.next - stream.first).unwrap_or(usize::MAX);
        if let Some(event) = stream.events.get(place) {
            reader.next += 1;
            let event = event.clone();
            if reader.stream == Self::OWN {
                stream.forget_read(reader.next);
            }
            return Poll::Ready(Some(event));
        }
        if stream.is_done || stream.is_paused || is_closed {
            return Poll::Ready(None);
        }
        stream.waker = Some(context.waker().clone());
        Poll::Pending
    }

    /// The reader has gone.
    pub(crate) fn leave(&self, reader: &Reader) {
        if let Some(stream) = lock(&self.inner).streams.get_mut(&reader.stream)
            && stream.reader == reader.reader
        {
            stream.is_read = false;
        }
    }

    /// True while somebody reads.
    pub(crate) fn is_open(&self) -> bool {
        lock(&self.inner).streams.values().any(|stream| stream.is_read)
    }

    /// Ends all of them.
    pub(crate) fn close(&self) {
        let mut inner = lock(&self.inner);
        inner.is_closed = true;
        inner.streams.values_mut().for_each(Stream::wake);
    }
}

impl Stream {
    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    /// The session's own stream lives as long as the session: of what was read, it keeps a little for those who come back.
    fn forget_read(&mut self, next: u64) {
        const KEPT: u64 = 32;
        while self.first + KEPT < next {
            match self.events.pop_front() {
                Some(gone) => {
                    self.bytes -= gone.data.len();
                    self.first += 1;
                }
                None => return,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(streams: &Streams, reader: &mut Reader) -> Option<Option<(String, Bytes)>> {
        match streams.poll(reader, &mut Context::from_waker(Waker::noop())) {
            Poll::Ready(event) => Some(event.map(|event| (event.id, event.data))),
            Poll::Pending => None,
        }
    }

    #[test]
    fn a_reader_gets_what_is_there_and_then_waits() {
        let streams = Streams::default();
        let number = streams.begin();
        streams.push(number, Bytes::from_static(b"1"), None);
        let mut reader = streams.read(number);
        assert_eq!(next(&streams, &mut reader), Some(Some(("1-0".to_owned(), Bytes::from_static(b"1")))));
        assert_eq!(next(&streams, &mut reader), None);
        streams.finish(number);
        assert_eq!(next(&streams, &mut reader), Some(None));
    }

    #[test]
    fn who_comes_back_gets_the_rest_and_the_first_reader_ends() {
        let streams = Streams::default();
        let number = streams.begin();
        let mut first = streams.read(number);
        streams.push(number, Bytes::from_static(b"1"), None);
        streams.push(number, Bytes::from_static(b"2"), None);
        assert!(next(&streams, &mut first).is_some());
        let mut second = streams.resume("1-0").unwrap();
        assert_eq!(next(&streams, &mut first), Some(None));
        assert_eq!(next(&streams, &mut second), Some(Some(("1-1".to_owned(), Bytes::from_static(b"2")))));
        for unknown in ["1-2", "9-0", "x", "1", "-", "1--1"] {
            assert!(streams.resume(unknown).is_none(), "{unknown}");
        }
    }

    #[test]
    fn a_stream_keeps_no_more_than_its_limits() {
        let streams = Streams::default();
        let number = streams.begin();
        for _ in 0..EVENTS + 10 {
            streams.push(number, Bytes::from_static(b"x"), None);
        }
        let mut reader = streams.read(number);
        assert_eq!(next(&streams, &mut reader).flatten().unwrap().0, "1-10");
        streams.push(number, Bytes::from(vec![b'x'; EVENT_BYTES + 1]), None);
        assert_eq!(next(&streams, &mut reader).flatten().unwrap().1.len(), EVENT_BYTES + 1);
    }

    #[test]
    fn a_pause_sends_the_reader_away_until_it_comes_back() {
        let streams = Streams::default();
        let number = streams.begin();
        let mut reader = streams.read(number);
        streams.pause(number, Some(Duration::from_millis(5)));
        assert!(next(&streams, &mut reader).flatten().is_some());
        assert_eq!(next(&streams, &mut reader), Some(None));
        let mut reader = streams.resume("1-0").unwrap();
        assert_eq!(next(&streams, &mut reader), None);
    }
}
