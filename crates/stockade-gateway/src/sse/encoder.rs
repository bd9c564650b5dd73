//! Events → bytes. What could break out of its line is refused, not escaped: there is no escape in this format.

use std::fmt::Write as _;

/// The longest event id of ours.
const ID_LIMIT_BYTES: usize = 128;
/// The longest event name of ours.
const NAME_LIMIT_BYTES: usize = 64;

/// An event id of our own making: 1 to 128 of `A–Z a–z 0–9 - . _ ~`, so that it passes any header and any stream.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct EventId(Box<str>);

impl EventId {
    /// Checks an id, for example one that came back in `Last-Event-ID`.
    ///
    /// # Errors
    /// [`SseEncodeError::Id`] for any other length or byte.
    pub fn parse(text: &str) -> Result<Self, SseEncodeError> {
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
        if text.is_empty() || text.len() > ID_LIMIT_BYTES || !text.bytes().all(legal) {
            return Err(SseEncodeError::Id);
        }
        Ok(Self(text.into()))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// An event name of our own making: 1 to 64 of `A–Z a–z 0–9 - _`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct EventName(Box<str>);

impl EventName {
    /// Checks a name.
    ///
    /// # Errors
    /// [`SseEncodeError::Name`] for any other length or byte.
    pub fn parse(text: &str) -> Result<Self, SseEncodeError> {
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if text.is_empty() || text.len() > NAME_LIMIT_BYTES || !text.bytes().all(legal) {
            return Err(SseEncodeError::Name);
        }
        Ok(Self(text.into()))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// An event to be written. Absent fields are not written.
#[derive(Debug, Clone, Copy, Default)]
pub struct OutgoingEvent<'event> {
    /// Lets the client resume after this event.
    pub id: Option<&'event EventId>,
    /// Absent means `message`.
    pub event: Option<&'event EventName>,
    /// One line: JSON that a strict reader passed holds no raw CR or LF.
    pub data: Option<&'event str>,
    /// How long the client waits before it connects again, in milliseconds.
    pub retry: Option<u64>,
}

/// Why an event was not written. Nothing of it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SseEncodeError {
    /// An id outside [`EventId`]'s alphabet.
    #[error("an event id may hold 1 to 128 letters, digits, `-`, `.`, `_` and `~`")]
    Id,
    /// A name outside [`EventName`]'s alphabet.
    #[error("an event name may hold 1 to 64 letters, digits, `-` and `_`")]
    Name,
    /// Data with a CR or LF: it would become further fields or events (attack PA-20).
    #[error("event data holds a line end")]
    LineEndInData,
    /// Neither id, data nor retry: a client would never see it.
    #[error("an event without content")]
    Empty,
}

/// Puts a stream together. It has no state: events do not depend on each other.
#[derive(Debug, Clone, Copy, Default)]
pub struct Encoder;

impl Encoder {
    /// A comment that keeps proxies from closing an idle stream. No event for any client.
    pub const KEEP_ALIVE: &'static [u8] = b":\n\n";

    /// Appends one event to `output`.
    ///
    /// # Errors
    /// [`SseEncodeError::LineEndInData`] or [`SseEncodeError::Empty`]; `output` is unchanged then.
    pub fn encode(self, event: OutgoingEvent<'_>, output: &mut String) -> Result<(), SseEncodeError> {
        if event.id.is_none() && event.data.is_none() && event.retry.is_none() {
            return Err(SseEncodeError::Empty);
        }
        if event.data.is_some_and(|data| memchr::memchr2(b'\r', b'\n', data.as_bytes()).is_some()) {
            return Err(SseEncodeError::LineEndInData);
        }
        const FRAMING_BYTES: usize = 64;
        output.reserve(event.data.map_or(0, str::len).saturating_add(FRAMING_BYTES));
        if let Some(EventId(id)) = event.id {
            push_line(output, "id", id);
        }
        if let Some(EventName(name)) = event.event {
            push_line(output, "event", name);
        }
        if let Some(milliseconds) = event.retry {
            // Writing to a string cannot fail.
            let _infallible = writeln!(output, "retry: {milliseconds}");
        }
        if let Some(data) = event.data {
            push_line(output, "data", data);
        }
        output.push('\n');
        Ok(())
    }
}

/// The space after the colon is always written: a reader strips one, so data that begins with a space keeps it.
fn push_line(output: &mut String, name: &str, value: &str) {
    for part in [name, ": ", value, "\n"] {
        output.push_str(part);
    }
}
