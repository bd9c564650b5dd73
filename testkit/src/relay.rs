//! The wire between a test and `testkit-relay`, the child that stands for a stdio server.
//!
//! A frame is one byte of kind, four bytes of length (big endian), and the payload. The relay reports what it is and
//! what its standard input says; the test orders what it writes and when it ends.

use std::io::{Error, ErrorKind, Read, Result};

/// Changes with the frames; a relay built from older sources is refused with a clear message.
pub const VERSION: u64 = 1;
/// Longest payload of one frame, in bytes.
pub const FRAME_LIMIT_BYTES: usize = 1 << 20;

/// What a relay tells the test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Report {
    /// JSON about the started process.
    Hello = b'H',
    /// Bytes of standard input.
    Input = b'I',
    /// Standard input ended.
    EndOfInput = b'E',
}

/// What the test tells a relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Order {
    /// Write to standard output.
    Output = b'O',
    /// Write to standard error.
    Diagnostics = b'D',
    /// Close standard output.
    CloseOutput = b'C',
    /// Exit with the code in the payload.
    Exit = b'X',
    /// Start a grandchild that sleeps for the number of seconds in the payload.
    StartGrandchild = b'G',
}

impl Report {
    /// The report of that byte.
    #[must_use]
    pub fn parse(byte: u8) -> Option<Self> {
        [Self::Hello, Self::Input, Self::EndOfInput].into_iter().find(|report| *report as u8 == byte)
    }
}

impl Order {
    /// The order of that byte.
    #[must_use]
    pub fn parse(byte: u8) -> Option<Self> {
        let all = [Self::Output, Self::Diagnostics, Self::CloseOutput, Self::Exit, Self::StartGrandchild];
        all.into_iter().find(|order| *order as u8 == byte)
    }
}

/// One report as bytes. The payload must fit a frame.
#[must_use]
pub fn report(kind: Report, payload: &[u8]) -> Vec<u8> {
    frame(kind as u8, payload)
}

/// An order as bytes, cut into as many frames as it needs.
pub fn frames(kind: Order, payload: &[u8]) -> impl Iterator<Item = Vec<u8>> + '_ {
    let empty = payload.is_empty().then(|| frame(kind as u8, &[]));
    empty.into_iter().chain(payload.chunks(FRAME_LIMIT_BYTES).map(move |piece| frame(kind as u8, piece)))
}

/// Reads one frame: its kind and payload.
///
/// # Errors
/// When the other side is gone or announces more than [`FRAME_LIMIT_BYTES`].
pub fn read_frame(source: &mut impl Read) -> Result<(u8, Vec<u8>)> {
    let mut head = [0; 5];
    source.read_exact(&mut head)?;
    let [kind, length @ ..] = head;
    let length = u32::from_be_bytes(length) as usize;
    if length > FRAME_LIMIT_BYTES {
        return Err(Error::new(ErrorKind::InvalidData, "frame longer than the limit"));
    }
    let mut payload = vec![0; length];
    source.read_exact(&mut payload)?;
    Ok((kind, payload))
}

fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a frame is below its limit");
    [&[kind][..], &length.to_be_bytes(), payload].concat()
}
