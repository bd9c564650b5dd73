//! The events of one response, and where a stream can be taken up again.

use crate::sse::{Decoder, SseDecodeError, SseEvent, SseLimits};
use bytes::{Buf, Bytes};
use http::HeaderValue;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use std::time::Duration;
use stockade_core::ports::UpstreamError;
use stockade_core::wire::WireLimits;

/// Bytes of an event's id and type, beside its data.
const FIELD_BYTES: usize = 4 << 10;
/// The longest event id that is sent back, in bytes.
const EVENT_ID_BYTES: usize = 1 << 10;

/// A response of the type `text/event-stream`.
pub(super) struct EventStream {
    body: Incoming,
    decoder: Decoder,
    /// What has arrived and is not yet decoded.
    rest: Bytes,
    limit: usize,
}

impl EventStream {
    pub(super) fn new(body: Incoming, limits: &WireLimits) -> Self {
        let limit = limits.message_bytes;
        let sse = SseLimits {
            line_limit_bytes: limit.saturating_add(FIELD_BYTES),
            event_limit_bytes: limit.saturating_add(FIELD_BYTES),
            ..SseLimits::default()
        };
        Self { body, decoder: Decoder::new(sse), rest: Bytes::new(), limit }
    }

    /// The next event; nothing at the stream's end, however it ended. Dropping the future loses nothing.
    ///
    /// # Errors
    /// When the stream breaks a limit or the format.
    pub(super) async fn next(&mut self) -> Result<Option<SseEvent>, UpstreamError> {
        loop {
            let mut input = self.rest.as_ref();
            let event = self.decoder.next_event(&mut input).map_err(|error| self.broke(error))?;
            let taken = self.rest.len() - input.len();
            self.rest.advance(taken);
            if event.is_some() {
                return Ok(event);
            }
            match self.body.frame().await {
                Some(Ok(frame)) => self.rest = frame.into_data().unwrap_or_default(),
                Some(Err(error)) => {
                    tracing::debug!(%error, "event stream broken off");
                    return Ok(None);
                }
                None => return Ok(None),
            }
        }
    }

    fn broke(&self, error: SseDecodeError) -> UpstreamError {
        match error {
            SseDecodeError::LineTooLong { .. } | SseDecodeError::EventTooLarge { .. } => {
                UpstreamError::TooLarge { limit: self.limit }
            }
            SseDecodeError::TooMuchFiller { .. } | SseDecodeError::NotUtf8 => {
                UpstreamError::PeerBroke { reason: format!("event stream: {error}") }
            }
        }
    }
}

/// The message in an event, if it is one: priming events have no data, and other types are none of ours.
pub(super) fn message_of(event: SseEvent) -> Option<Bytes> {
    let is_message = event.event.as_deref().is_none_or(|kind| matches!(kind, "" | "message"));
    event.data.filter(|data| is_message && !data.is_empty()).map(Bytes::from)
}

/// How far a stream was read, so that another one can go on from there (MCP 2025-11-25 "Resumability and Redelivery").
#[derive(Default)]
pub(super) struct Place {
    last_event_id: Option<HeaderValue>,
    retry: Option<Duration>,
}

impl Place {
    /// The longest wait that an upstream may ask for.
    const RETRY_MAX: Duration = Duration::from_secs(10);
    /// The wait where it asks for none.
    const RETRY: Duration = Duration::from_secs(1);

    pub(super) fn note(&mut self, event: &SseEvent) {
        if let Some(id) = &event.id {
            let id = (1..=EVENT_ID_BYTES).contains(&id.len()).then(|| HeaderValue::from_str(id).ok()).flatten();
            self.last_event_id = id;
        }
        if let Some(retry_ms) = event.retry {
            self.retry = Some(Duration::from_millis(retry_ms).min(Self::RETRY_MAX));
        }
    }

    pub(super) fn last_event_id(&self) -> Option<&HeaderValue> {
        self.last_event_id.as_ref()
    }

    /// What the upstream has asked for, cut to what we wait at most.
    pub(super) fn retry(&self) -> Option<Duration> {
        self.retry
    }

    pub(super) fn wait(&self) -> Duration {
        self.retry.unwrap_or(Self::RETRY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(id: Option<&str>, kind: Option<&str>, data: Option<&str>, retry: Option<u64>) -> SseEvent {
        SseEvent { id: id.map(str::to_owned), event: kind.map(str::to_owned), data: data.map(str::to_owned), retry }
    }

    #[test]
    fn only_message_events_with_data_are_messages() {
        for (kind, data, expected) in [
            (None, Some("{}"), true),
            (Some("message"), Some("{}"), true),
            (Some(""), Some("{}"), true),
            (Some("endpoint"), Some("{}"), false),
            (Some("Message"), Some("{}"), false),
            (None, Some(""), false),
            (None, None, false),
        ] {
            assert_eq!(message_of(event(None, kind, data, None)).is_some(), expected, "{kind:?} {data:?}");
        }
    }

    #[test]
    fn a_place_keeps_only_ids_that_can_be_sent_back_and_waits_within_bounds() {
        let mut place = Place::default();
        assert_eq!(place.wait(), Place::RETRY);
        place.note(&event(Some("7"), None, None, Some(u64::MAX)));
        assert_eq!(place.last_event_id().unwrap(), "7");
        assert_eq!((place.wait(), place.retry()), (Place::RETRY_MAX, Some(Place::RETRY_MAX)));
        place.note(&event(None, None, Some("{}"), Some(0)));
        assert_eq!(place.last_event_id().unwrap(), "7");
        assert_eq!(place.wait(), Duration::ZERO);
        for id in ["", "a\u{1}b", &"x".repeat(EVENT_ID_BYTES + 1)] {
            place.note(&event(Some("7"), None, None, None));
            place.note(&event(Some(id), None, None, None));
            assert!(place.last_event_id().is_none(), "{id:?}");
        }
    }
}
