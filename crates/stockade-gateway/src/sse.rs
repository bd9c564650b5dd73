//! Server-sent events: reading what an upstream streams and writing what a client gets.
//!
//! Every event is taken apart by [`Decoder`] and put together anew by [`Encoder`]: no byte of an upstream's framing
//! reaches a client, so an upstream cannot forge an event inside another one (attack PA-20).
//!
//! It must never: put a CR or LF that it did not make itself into a stream; hold more than its limits; guess at text
//! that is not UTF-8.
//!
//! On the road [`Decoder`] stands behind `forward`, before `inspect`; [`Encoder`] after `release`.

mod decoder;
mod encoder;

pub use decoder::{Decoder, SseDecodeError, SseEvent, SseLimits};
pub use encoder::{Encoder, EventId, EventName, OutgoingEvent, SseEncodeError};

#[cfg(test)]
mod tests;
