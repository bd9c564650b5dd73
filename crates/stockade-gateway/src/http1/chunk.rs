//! The chunked transfer coding, one byte class at a time (RFC 9112 §7.1), without holding a byte of it.

use super::{
    CHUNK_EXTENSION_LIMIT_BYTES,
    violation::{ChunkFault, Part, Violation},
};

/// Digits of a chunk size: sixteen fill 64 bits, a seventeenth is an overflow or a disguise.
const SIZE_DIGITS: u8 = 16;

/// Where in the coding the next byte stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Size { digits: u8, value: u64 },
    Extension { length: usize, size: u64 },
    SizeLineFeed { size: u64 },
    Data { remaining: u64 },
    DataCarriageReturn,
    DataLineFeed,
    LastCarriageReturn,
    LastLineFeed,
    Done,
}

/// Follows one chunked body.
#[derive(Debug)]
pub(super) struct ChunkScan {
    place: Place,
    announced_bytes: u64,
    limit_bytes: u64,
}

impl ChunkScan {
    /// `limit_bytes` is for the sum of all chunk sizes.
    pub(super) const fn new(limit_bytes: u64) -> Self {
        Self { place: Place::Size { digits: 0, value: 0 }, announced_bytes: 0, limit_bytes }
    }

    pub(super) const fn is_done(&self) -> bool {
        matches!(self.place, Place::Done)
    }

    /// Follows `bytes` and says how many of them belong to this body; fewer than all only when it is done.
    pub(super) fn advance(&mut self, bytes: &[u8]) -> Result<usize, Violation> {
        let mut rest = bytes;
        while !self.is_done() {
            if let Place::Data { remaining } = self.place {
                let here = usize::try_from(remaining).map_or(rest.len(), |remaining| remaining.min(rest.len()));
                rest = rest.get(here..).unwrap_or_default();
                let remaining = remaining.saturating_sub(u64::try_from(here).unwrap_or(u64::MAX));
                self.place = if remaining == 0 { Place::DataCarriageReturn } else { Place::Data { remaining } };
            }
            let Some((byte, after)) = rest.split_first() else { break };
            self.place = self.step(*byte).map_err(|fault| Violation::MalformedChunk { fault })?;
            if self.announced_bytes > self.limit_bytes {
                return Err(Violation::TooLarge { part: Part::Body });
            }
            rest = after;
        }
        Ok(bytes.len().saturating_sub(rest.len()))
    }

    fn step(&mut self, byte: u8) -> Result<Place, ChunkFault> {
        match (self.place, byte) {
            (Place::Size { digits: 1.., value }, b'\r') => Ok(Place::SizeLineFeed { size: value }),
            (Place::Size { digits: 1.., value }, b';') => Ok(Place::Extension { length: 0, size: value }),
            (Place::Size { digits, value }, _) => {
                let digit = char::from(byte).to_digit(16).ok_or(match byte {
                    b'\n' if digits > 0 => ChunkFault::LineEnd,
                    _ => ChunkFault::Size,
                })?;
                if digits >= SIZE_DIGITS {
                    return Err(ChunkFault::Size);
                }
                Ok(Place::Size { digits: digits.saturating_add(1), value: (value << 4) | u64::from(digit) })
            }
            (Place::Extension { size, .. }, b'\r') => Ok(Place::SizeLineFeed { size }),
            (Place::Extension { .. }, b'\n') => Err(ChunkFault::LineEnd),
            (Place::Extension { length, size }, b'\t' | b' '..=b'~') => {
                if length >= CHUNK_EXTENSION_LIMIT_BYTES {
                    return Err(ChunkFault::ExtensionLength);
                }
                Ok(Place::Extension { length: length.saturating_add(1), size })
            }
            (Place::Extension { .. }, _) => Err(ChunkFault::ExtensionByte),
            (Place::SizeLineFeed { size: 0 }, b'\n') => Ok(Place::LastCarriageReturn),
            (Place::SizeLineFeed { size }, b'\n') => {
                self.announced_bytes = self.announced_bytes.saturating_add(size);
                Ok(Place::Data { remaining: size })
            }
            (Place::SizeLineFeed { .. }, _) => Err(ChunkFault::LineEnd),
            (Place::DataCarriageReturn, b'\r') => Ok(Place::DataLineFeed),
            (Place::DataLineFeed, b'\n') => Ok(Place::Size { digits: 0, value: 0 }),
            (Place::DataCarriageReturn | Place::DataLineFeed | Place::Data { .. }, _) => Err(ChunkFault::DataEnd),
            (Place::LastCarriageReturn, b'\r') => Ok(Place::LastLineFeed),
            (Place::LastLineFeed, b'\n') => Ok(Place::Done),
            (Place::LastCarriageReturn | Place::LastLineFeed | Place::Done, _) => Err(ChunkFault::Trailer),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whole and byte by byte must agree.
    fn check(body: &[u8], expected: Result<(usize, bool), ChunkFault>) {
        let expected = expected.map_err(|fault| Violation::MalformedChunk { fault });
        let mut scan = ChunkScan::new(u64::MAX);
        let whole = scan.advance(body).map(|used| (used, scan.is_done()));
        assert_eq!(whole, expected, "whole: {:?}", String::from_utf8_lossy(body));
        let mut scan = ChunkScan::new(u64::MAX);
        let mut used = 0;
        let split = body.iter().try_for_each(|byte| scan.advance(std::slice::from_ref(byte)).map(|one| used += one));
        assert_eq!(split.map(|()| (used, scan.is_done())), expected, "split: {:?}", String::from_utf8_lossy(body));
    }

    #[test]
    fn a_well_formed_body_ends_at_its_last_crlf() {
        check(b"0\r\n\r\n", Ok((5, true)));
        check(b"5\r\nhello\r\n0\r\n\r\nGET /", Ok((15, true)));
        check(b"A;name=\"value\"\r\n0123456789\r\n00\r\n\r\n", Ok((34, true)));
        check(b"5\r\nhel", Ok((6, false)));
        check(b"ffffffffffffffff\r\nx", Ok((19, false)));
    }

    #[test]
    fn a_size_that_is_not_plain_hexadecimal_is_refused() {
        for size in ["0x10", "-1", "+1", "fffffffffffffffff", "00000000000000000", "", "g", " 5", "5 ", "5\t;x", "1_0"]
        {
            check(format!("{size}\r\nhello").as_bytes(), Err(ChunkFault::Size));
        }
    }

    #[test]
    fn a_line_end_that_is_not_crlf_is_refused() {
        check(b"5\nhello", Err(ChunkFault::LineEnd));
        check(b"5\rhello", Err(ChunkFault::LineEnd));
        check(b"5;a\nhello", Err(ChunkFault::LineEnd));
        check(b"5\r\nhello\n0\r\n\r\n", Err(ChunkFault::DataEnd));
        check(b"5\r\nhellohello\r\n", Err(ChunkFault::DataEnd));
        check(b"5\r\nhello\r0", Err(ChunkFault::DataEnd));
        check(b"0\r\n\n", Err(ChunkFault::Trailer));
    }

    #[test]
    fn an_extension_has_a_limit_and_holds_no_controls() {
        let extension = |length: usize| format!("1;{}\r\nx\r\n0\r\n\r\n", "a".repeat(length));
        check(extension(CHUNK_EXTENSION_LIMIT_BYTES).as_bytes(), Ok((CHUNK_EXTENSION_LIMIT_BYTES + 12, true)));
        check(extension(CHUNK_EXTENSION_LIMIT_BYTES + 1).as_bytes(), Err(ChunkFault::ExtensionLength));
        check(b"1;\x00\r\n", Err(ChunkFault::ExtensionByte));
        check(b"1;\xff\r\n", Err(ChunkFault::ExtensionByte));
    }

    #[test]
    fn a_trailer_is_refused() {
        check(b"0\r\nHost: evil.test\r\n\r\n", Err(ChunkFault::Trailer));
    }
}
