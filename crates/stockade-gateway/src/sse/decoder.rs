//! Bytes in any pieces → events, by the event-stream rules of the WHATWG HTML standard (§9.2.6, "Interpreting an
//! event stream"), with limits and strict UTF-8.

use crate::room::capacity_for;

/// Limits of one stream. Exceeding one ends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SseLimits {
    /// The longest line, in bytes without its end. Default 8 MiB: a message is one `data` line.
    pub line_limit_bytes: usize,
    /// The most that the fields of one event may hold together, in bytes. Default 8 MiB.
    pub event_limit_bytes: usize,
    /// The most that may pass between two events without becoming one: comments, empty lines, unknown fields.
    /// Default 1 MiB: days of keep-alive comments.
    pub filler_limit_bytes: usize,
}

impl Default for SseLimits {
    fn default() -> Self {
        const MIB: usize = 1024 * 1024;
        Self { line_limit_bytes: 8 * MIB, event_limit_bytes: 8 * MIB, filler_limit_bytes: MIB }
    }
}

/// One event as it was sent. Everything in it is the sender's claim.
///
/// Unlike a browser we keep events without data when they carry an id or a retry time: MCP 2025-11-25 primes a
/// stream with such an event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SseEvent {
    /// The last `id` field of this event; not remembered from earlier events. Never holds NUL, CR or LF.
    pub id: Option<String>,
    /// The last `event` field.
    pub event: Option<String>,
    /// All `data` fields joined by LF; `None` when there was none.
    pub data: Option<String>,
    /// The last well-formed `retry` field, in milliseconds.
    pub retry: Option<u64>,
}

impl SseEvent {
    fn is_worth_telling(&self) -> bool {
        self.id.is_some() || self.data.is_some() || self.retry.is_some()
    }

    fn text_bytes(&self) -> usize {
        [&self.id, &self.event, &self.data]
            .into_iter()
            .flatten()
            .fold(0, |total, text| text.len().saturating_add(total))
    }
}

/// Why a stream cannot be read further.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SseDecodeError {
    /// A line over [`SseLimits::line_limit_bytes`].
    #[error("a line is longer than {limit_bytes} bytes")]
    LineTooLong {
        /// The limit.
        limit_bytes: usize,
    },
    /// An event over [`SseLimits::event_limit_bytes`].
    #[error("an event is larger than {limit_bytes} bytes")]
    EventTooLarge {
        /// The limit.
        limit_bytes: usize,
    },
    /// More than [`SseLimits::filler_limit_bytes`] between events.
    #[error("more than {limit_bytes} bytes without an event")]
    TooMuchFiller {
        /// The limit.
        limit_bytes: usize,
    },
    /// A line that is not UTF-8.
    #[error("a line is not UTF-8")]
    NotUtf8,
}

/// Takes a stream apart. One per stream; a resumed stream begins with a new one.
///
/// What is left in it when the stream ends is an incomplete event and is dropped with it, as the standard says.
#[derive(Debug)]
pub struct Decoder {
    limits: SseLimits,
    /// The incomplete last line.
    line: Vec<u8>,
    event: SseEvent,
    filler_bytes: usize,
    /// The last line ended in CR: an LF that follows belongs to it.
    after_carriage_return: bool,
    at_start: bool,
    failed: Option<SseDecodeError>,
}

impl Decoder {
    /// A decoder at the start of a stream.
    #[must_use]
    pub fn new(limits: SseLimits) -> Self {
        Self {
            limits,
            line: Vec::new(),
            event: SseEvent::default(),
            filler_bytes: 0,
            after_carriage_return: false,
            at_start: true,
            failed: None,
        }
    }

    /// Takes bytes off the front of `input` up to the end of the next event and returns that event, or takes all of
    /// them and returns `None`. Call it until it returns `None`, then read more.
    ///
    /// # Errors
    /// A limit was exceeded or a line is not UTF-8. The stream is over: every later call returns the same error.
    pub fn next_event(&mut self, input: &mut &[u8]) -> Result<Option<SseEvent>, SseDecodeError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let outcome = self.advance(input);
        if let Err(error) = &outcome {
            self.failed = Some(*error);
            self.line = Vec::new();
            self.event = SseEvent::default();
        }
        outcome
    }

    fn advance(&mut self, input: &mut &[u8]) -> Result<Option<SseEvent>, SseDecodeError> {
        while let Some((first, after_first)) = input.split_first() {
            if std::mem::take(&mut self.after_carriage_return) && *first == b'\n' {
                *input = after_first;
                continue;
            }
            let line_end = memchr::memchr2(b'\r', b'\n', input);
            let (part, after) = input.split_at_checked(line_end.unwrap_or(input.len())).unwrap_or_default();
            if self.line.len().saturating_add(part.len()) > self.limits.line_limit_bytes {
                return Err(SseDecodeError::LineTooLong { limit_bytes: self.limits.line_limit_bytes });
            }
            let Some((end, after)) = after.split_first() else {
                let wanted = self.line.len().saturating_add(part.len());
                if wanted > self.line.capacity() {
                    let capacity = capacity_for(wanted, self.limits.line_limit_bytes);
                    self.line.reserve_exact(capacity.saturating_sub(self.line.len()));
                }
                self.line.extend_from_slice(part);
                *input = after;
                return Ok(None);
            };
            *input = after;
            self.after_carriage_return = *end == b'\r';
            let told = if self.line.is_empty() {
                self.take_line(part)?
            } else {
                let mut line = std::mem::take(&mut self.line);
                line.extend_from_slice(part);
                self.take_line(&line)?
            };
            if told.is_some() {
                return Ok(told);
            }
        }
        Ok(None)
    }

    fn take_line(&mut self, line: &[u8]) -> Result<Option<SseEvent>, SseDecodeError> {
        let text = std::str::from_utf8(line).map_err(|_| SseDecodeError::NotUtf8)?;
        // One leading byte order mark is not part of the stream; any other is text.
        let text =
            if std::mem::take(&mut self.at_start) { text.strip_prefix('\u{feff}').unwrap_or(text) } else { text };
        if text.is_empty() {
            let event = std::mem::take(&mut self.event);
            if event.is_worth_telling() {
                self.filler_bytes = 0;
                return Ok(Some(event));
            }
            return self.count_filler(line.len()).map(|()| None);
        }
        let (name, value) = text.split_once(':').unwrap_or((text, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        let used = self.take_field(name, value);
        if self.event.text_bytes() > self.limits.event_limit_bytes {
            return Err(SseDecodeError::EventTooLarge { limit_bytes: self.limits.event_limit_bytes });
        }
        if !used {
            self.count_filler(line.len())?;
        }
        Ok(None)
    }

    /// Takes a field; false when it adds nothing: a comment (an empty name), an unknown field, a value to be ignored,
    /// or one that takes the place of an earlier one, so that endless `id` lines are filler too.
    fn take_field(&mut self, name: &str, value: &str) -> bool {
        match name {
            "data" => {
                match &mut self.event.data {
                    Some(data) => {
                        data.push('\n');
                        data.push_str(value);
                    }
                    None => self.event.data = Some(value.to_owned()),
                }
                true
            }
            "id" if !value.contains('\0') => self.event.id.replace(value.to_owned()).is_none(),
            "event" => self.event.event.replace(value.to_owned()).is_none(),
            "retry" if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) => match value.parse() {
                Ok(milliseconds) => self.event.retry.replace(milliseconds).is_none(),
                // More than 64 bits: nobody waits that long.
                Err(_) => false,
            },
            _ => false,
        }
    }

    /// Counts a line that added nothing, with its end.
    fn count_filler(&mut self, line_bytes: usize) -> Result<(), SseDecodeError> {
        self.filler_bytes = self.filler_bytes.saturating_add(line_bytes).saturating_add(1);
        if self.filler_bytes > self.limits.filler_limit_bytes {
            return Err(SseDecodeError::TooMuchFiller { limit_bytes: self.limits.filler_limit_bytes });
        }
        Ok(())
    }
}
