//! The stream of what a legacy upstream says outside of any request (MCP "Streamable HTTP", "Listening for Messages").
//!
//! Runs until its link stops it, its session is gone, or the upstream says that it has no such stream.

use super::HOUSEKEEPING;
use super::conversation::Conversation;
use super::events::{EventStream, Place, message_of};
use super::reply::{Reply, read_frame};
use bytes::Bytes;
use http::StatusCode;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;
use std::time::Duration;
use stockade_core::mcp::Envelope;
use stockade_core::ports::UpstreamError;
use tokio::time::Instant;

/// The first wait after a stream that brought nothing, doubled each time up to the last.
const BACKOFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
/// A stream that has lived this long was none that failed.
const SETTLED: Duration = Duration::from_secs(30);
/// Things on the streams of one session that do not belong there, before nobody listens any more.
const VIOLATIONS: u32 = 100;

/// What one attempt came to.
enum Heard {
    /// The stream has ended after it brought something.
    Something,
    /// It could not be opened, or brought nothing.
    Nothing,
    /// Not in this session (404). A request that finds the session gone opens another; opening it from here could turn
    /// round for ever before an upstream that has sessions and no such stream.
    NotHere,
    /// There is no such stream, or nobody should listen to it.
    Never,
}

struct Listener {
    conversation: Arc<Conversation>,
    place: Place,
    violations: u32,
}

/// Listens.
pub(super) async fn listen(conversation: Arc<Conversation>) {
    let mut opened = conversation.opened();
    let mut listener = Listener { conversation, place: Place::default(), violations: 0 };
    let mut failures = 0_u32;
    while listener.conversation.owner().session().is_some() {
        opened.mark_unchanged();
        let started = Instant::now();
        let heard = tokio::select! {
            heard = listener.once() => heard,
            _ = opened.changed() => {
                // Another session has other streams.
                listener.place = Place::default();
                continue;
            }
        };
        match heard {
            Heard::Never => return,
            Heard::NotHere => {
                if opened.changed().await.is_err() {
                    return;
                }
                listener.place = Place::default();
                continue;
            }
            Heard::Something => failures = 0,
            Heard::Nothing if started.elapsed() >= SETTLED => failures = 0,
            Heard::Nothing => failures = failures.saturating_add(1),
        }
        let wait = if failures == 0 { listener.place.wait() } else { backoff(failures) };
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            _ = opened.changed() => listener.place = Place::default(),
        }
    }
}

impl Listener {
    async fn once(&mut self) -> Heard {
        let is_in_session = self.conversation.opened().borrow().id.is_some();
        let server = self.conversation.owner().server.clone();
        match self.conversation.get(self.place.last_event_id()).await {
            Ok(Reply::Events(stream)) => self.hear(stream).await,
            Ok(Reply::Failure { status: StatusCode::NOT_FOUND, .. }) if is_in_session => Heard::NotHere,
            Ok(Reply::Failure { status, .. }) if is_passing(status) => Heard::Nothing,
            // An upstream that cannot go on from an event may still begin anew.
            Ok(Reply::Failure { .. }) if self.place.last_event_id().is_some() => {
                self.place = Place::default();
                Heard::Nothing
            }
            Ok(Reply::Failure { status, .. }) => {
                tracing::debug!(%server, status = status.as_u16(), "no stream beside requests");
                Heard::Never
            }
            Ok(Reply::Accepted | Reply::Message(_)) => Heard::Never,
            Err(error) => {
                tracing::debug!(%server, %error, "stream beside requests not opened");
                Heard::Nothing
            }
        }
    }

    async fn hear(&mut self, mut stream: EventStream) -> Heard {
        let mut heard = Heard::Nothing;
        loop {
            let message = match stream.next().await {
                Ok(None) => return heard,
                Ok(Some(event)) => {
                    self.place.note(&event);
                    message_of(event)
                }
                Err(error) => return self.misdeed(&error.to_string()).await.unwrap_or(Heard::Nothing),
            };
            if let Some(message) = message {
                heard = Heard::Something;
                if let Err(error) = self.take(message).await
                    && let Some(never) = self.misdeed(&error.to_string()).await
                {
                    return never;
                }
            }
        }
    }

    async fn take(&self, message: Bytes) -> Result<(), UpstreamError> {
        let frame = read_frame(message, self.conversation.limits())?;
        if matches!(frame.envelope(), Envelope::Result { .. } | Envelope::Error { .. }) {
            return Err(UpstreamError::PeerBroke { reason: "an answer beside requests".to_owned() });
        }
        if let Some(back) = self.conversation.owner().unsolicited(frame).await
            && let Err(error) = self.conversation.tell(back, HOUSEKEEPING).await
        {
            tracing::debug!(server = %self.conversation.owner().server, %error, "refusal not delivered");
        }
        Ok(())
    }

    /// Counts what does not belong on the stream; after too much of it nobody listens any more.
    async fn misdeed(&mut self, what: &str) -> Option<Heard> {
        let owner = self.conversation.owner();
        owner.note("server-violation", what).await;
        self.violations += 1;
        if self.violations <= 3 {
            tracing::warn!(server = %owner.server, what, "violation on the stream beside requests");
        }
        (self.violations >= VIOLATIONS).then_some(Heard::Never)
    }
}

/// Statuses after which another attempt may go better; 409 is what an upstream says that has not yet noticed the end of
/// the stream before.
fn is_passing(status: StatusCode) -> bool {
    status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED
        || matches!(status.as_u16(), 408 | 409 | 425 | 429)
}

/// Half of the wait is by chance, so that not all sessions come back at once.
fn backoff(failures: u32) -> Duration {
    let (first, last) = BACKOFF;
    let whole = first.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(last);
    let chance = RandomState::new().build_hasher().finish() % 1000;
    whole / 2 + whole.mul_f64(f64::from(u32::try_from(chance).unwrap_or(0)) / 2000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_their_limit_and_differ() {
        let mut seen = std::collections::HashSet::new();
        for failures in [1, 2, 3, 7, 40, u32::MAX] {
            let whole = Duration::from_secs(1_u64 << (failures - 1).min(16)).min(BACKOFF.1);
            for _ in 0..20 {
                let wait = backoff(failures);
                assert!(wait >= whole / 2 && wait <= whole, "{failures}: {wait:?}");
                seen.insert(wait);
            }
        }
        assert!(seen.len() > 20);
    }

    #[test]
    fn only_passing_statuses_are_tried_again() {
        let passing = |code: u16| is_passing(StatusCode::from_u16(code).unwrap());
        assert!([408, 409, 425, 429, 500, 502, 503, 504].into_iter().all(passing));
        assert!(![301, 400, 401, 403, 404, 405, 406, 501].into_iter().any(passing));
    }
}
