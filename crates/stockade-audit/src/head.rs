//! `head.json`: how far the record had reached on the disk, kept outside the segments, so that a tail that was cut off at the
//! end of a line is missed.
//!
//! Must never: run ahead of what `fdatasync` has confirmed; a power cut would otherwise look like tampering.

use crate::hash::LineHash;
use crate::line::FORMAT;
use crate::segment::Place;
use serde::Deserialize;
use std::io::Read;
use std::path::Path;

/// The file's name in the audit folder.
pub(crate) const HEAD_FILE: &str = "head.json";
/// Where the next one is written before it takes the place of the last.
pub(crate) const HEAD_DRAFT: &str = "head.json.new";
/// Bytes that are read of it.
const HEAD_LIMIT: u64 = 1024;

/// `head.json` is not usable.
#[derive(Debug, thiserror::Error)]
pub enum HeadError {
    /// The operating system refused it.
    #[error("`head.json` cannot be read")]
    Unreadable {
        /// What the operating system said.
        source: std::io::Error,
    },
    /// It is not what this program writes.
    #[error("`head.json` is not what this program writes; it was changed by somebody else")]
    Malformed,
    /// There are records, but it is gone.
    #[error("`head.json` is missing although there are records; it was removed by somebody else")]
    Missing,
    /// It was written by a newer version.
    #[error("`head.json` has format {format}, this program knows {FORMAT}; use the newer version that wrote it")]
    Newer {
        /// The format that it states.
        format: u32,
    },
}

/// Whether the record was closed in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Closing {
    /// A process was appending, or ended without a word.
    Open,
    /// Nothing was appended after this.
    Closed,
}

/// What `head.json` says: the line at `place` is the last one, has `hash`, and `sequence` is the last record up to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) place: Place,
    pub(crate) sequence: u64,
    pub(crate) hash: LineHash,
    pub(crate) closing: Closing,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredHead<'a> {
    format: u32,
    segment: u64,
    line: u64,
    sequence: u64,
    hash: &'a str,
    closed: bool,
}

impl Head {
    /// The bytes of the file.
    pub(crate) fn to_json(self) -> Vec<u8> {
        let Place { segment, line } = self.place;
        let mut json = format!(
            "{{\"format\":{FORMAT},\"segment\":{segment},\"line\":{line},\"sequence\":{},\"hash\":\"",
            self.sequence
        )
        .into_bytes();
        self.hash.push_hex(&mut json);
        let closed = self.closing == Closing::Closed;
        json.extend_from_slice(format!("\",\"closed\":{closed}}}\n").as_bytes());
        json
    }

    /// Reads the file; nothing when there is none.
    pub(crate) fn read(folder: &Path) -> Result<Option<Self>, HeadError> {
        let unreadable = |source| HeadError::Unreadable { source };
        let file = match std::fs::File::open(folder.join(HEAD_FILE)) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            other => other.map_err(unreadable)?,
        };
        let mut bytes = Vec::new();
        file.take(HEAD_LIMIT).read_to_end(&mut bytes).map_err(unreadable)?;
        Self::parse(&bytes).map(Some)
    }

    fn parse(bytes: &[u8]) -> Result<Self, HeadError> {
        #[derive(Deserialize)]
        struct Format {
            format: u32,
        }
        let Format { format } = serde_json::from_slice(bytes).map_err(|_| HeadError::Malformed)?;
        if format > FORMAT {
            return Err(HeadError::Newer { format });
        }
        let stored: StoredHead<'_> = serde_json::from_slice(bytes).map_err(|_| HeadError::Malformed)?;
        let head = Self {
            place: Place { segment: stored.segment, line: stored.line },
            sequence: stored.sequence,
            hash: LineHash::parse(stored.hash).ok_or(HeadError::Malformed)?,
            closing: if stored.closed { Closing::Closed } else { Closing::Open },
        };
        // One spelling: whatever differs from what we would write was not written by us.
        if stored.format == FORMAT && head.to_json() == bytes { Ok(head) } else { Err(HeadError::Malformed) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_spelling_is_a_head() {
        let head = Head {
            place: Place { segment: 2, line: 9 },
            sequence: 40,
            hash: LineHash::of(b"line"),
            closing: Closing::Closed,
        };
        let json = head.to_json();
        assert_eq!(Head::parse(&json).unwrap(), head);
        let text = String::from_utf8(json).unwrap();
        let newer = text.replace("\"format\":1", "\"format\":2");
        assert!(matches!(Head::parse(newer.as_bytes()), Err(HeadError::Newer { format: 2 })));
        for wrong in [
            text.replace(',', ", "),
            text.replace("40", "040"),
            format!("{text} "),
            String::new(),
            text.replace('}', ""),
        ] {
            assert!(matches!(Head::parse(wrong.as_bytes()), Err(HeadError::Malformed)), "{wrong}");
        }
    }
}
