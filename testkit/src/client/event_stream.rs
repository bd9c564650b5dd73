//! A response as it comes: event streams, endless bodies, slow readers.

use std::io::Result;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::raw::{RawHttp, Rest};
use crate::http_text::Head;
use crate::sse::{SseEvent, SseParser};

/// A response whose body is read as it comes. Dropping it closes the connection.
#[derive(Debug)]
pub struct EventStream {
    connection: RawHttp,
    /// Status line and headers.
    pub head: Head,
    rest: Rest,
    parser: Option<SseParser>,
    waiting: Vec<SseEvent>,
    cut_off: Option<Instant>,
    ended: bool,
}

impl EventStream {
    pub(super) fn new(connection: RawHttp, head: Head) -> Self {
        let is_stream = head.header("content-type").is_some_and(|kind| kind.starts_with("text/event-stream"));
        let rest = Rest::of(&head);
        let parser = is_stream.then(SseParser::default);
        Self { connection, head, rest, parser, waiting: Vec::new(), cut_off: None, ended: false }
    }

    /// The next event; `None` when the stream ended.
    ///
    /// # Errors
    /// When none came within `limit`, or the connection broke.
    pub fn event(&mut self, limit: Duration) -> Result<Option<SseEvent>> {
        let deadline = Instant::now() + limit;
        while self.waiting.is_empty() {
            let left = deadline.saturating_duration_since(Instant::now());
            let Some(piece) = self.piece(left)? else { return Ok(None) };
            self.waiting = self.events_in(&piece);
        }
        Ok(Some(self.waiting.remove(0)))
    }

    /// The next message.
    ///
    /// # Panics
    /// When none came within `limit`, the stream ended, or it was not JSON.
    #[track_caller]
    pub fn message(&mut self, limit: Duration) -> Value {
        match self.event(limit) {
            Ok(Some(event)) => serde_json::from_str(&event.data).expect("an event of JSON"),
            other => panic!("expected a message within {limit:?}, got {other:?}"),
        }
    }

    /// The next bytes of the body as they come; `None` at its end.
    ///
    /// # Errors
    /// When none came within `limit`, or the connection broke.
    pub fn piece(&mut self, limit: Duration) -> Result<Option<Vec<u8>>> {
        let deadline = Instant::now() + limit;
        match self
            .connection
            .piece_until(&mut self.rest, self.cut_off.map_or(deadline, |cut_off| cut_off.min(deadline)))
        {
            Ok(piece) => {
                self.ended = piece.is_none();
                Ok(piece)
            }
            Err(_) if self.cut_off.is_some() => Ok(None),
            Err(cause) => Err(cause),
        }
    }

    pub(super) fn events_in(&mut self, piece: &[u8]) -> Vec<SseEvent> {
        self.parser.as_mut().map(|parser| parser.feed(piece)).unwrap_or_default()
    }

    pub(super) fn is_stream(&self) -> bool {
        self.parser.is_some()
    }

    /// The connection, if the body ended as it should and another request may follow.
    pub(super) fn into_reusable(self) -> Option<RawHttp> {
        let says_close = self.head.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
        (self.ended && !says_close).then_some(self.connection)
    }

    /// From now on the body ends by itself after `limit`, whatever the server does.
    pub(super) fn read_on_for(&mut self, limit: Duration) {
        self.cut_off.get_or_insert(Instant::now() + limit);
    }
}
