//! The segments of a record as files, and their lines in order.
//!
//! Must never: write; follow a name that it did not make itself; hold more than one line in memory.

use crate::line::LINE_LIMIT;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

/// Bytes that one read asks of a segment.
const READ_BUFFER_BYTES: usize = 256 * 1024;

/// The record could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The folder's list of files.
    #[error("the audit folder `{folder}` cannot be read")]
    Folder {
        /// Which folder.
        folder: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// One segment.
    #[error("the audit file `{file}` cannot be read")]
    Segment {
        /// Which file.
        file: String,
        /// What the operating system said.
        source: std::io::Error,
    },
}

/// `record-00000001.jsonl`: eight digits at least, so that names sort as numbers do for a long time.
pub(crate) fn file_name(segment: u64) -> String {
    format!("record-{segment:08}.jsonl")
}

/// The numbers of the segments in `folder`, ascending. Files with other names are nobody's business.
pub(crate) fn list(folder: &Path) -> Result<Vec<u64>, ReadError> {
    let failed = |source| ReadError::Folder { folder: folder.to_owned(), source };
    let mut segments = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        segments.extend(name.to_str().and_then(number));
    }
    segments.sort_unstable();
    Ok(segments)
}

fn number(name: &str) -> Option<u64> {
    let number = name.strip_prefix("record-")?.strip_suffix(".jsonl")?.parse().ok()?;
    (file_name(number) == name).then_some(number)
}

/// Where a line stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) segment: u64,
    /// From 1; line 1 is the segment's header.
    pub(crate) line: u64,
}

impl Place {
    pub(crate) const fn next_line(self) -> Self {
        Self { segment: self.segment, line: self.line + 1 }
    }

    pub(crate) const fn next_segment(self) -> Self {
        Self { segment: self.segment + 1, line: 1 }
    }
}

/// One line as it was found.
#[derive(Debug, Clone)]
pub(crate) struct RawLine {
    pub(crate) place: Place,
    /// Where it starts, in bytes from the start of the file.
    pub(crate) offset: u64,
    /// Its bytes without the newline; cut at [`LINE_LIMIT`] when it is longer.
    pub(crate) bytes: Vec<u8>,
    pub(crate) end: LineEnd,
}

impl RawLine {
    /// Where the next line starts.
    pub(crate) fn end_offset(&self) -> u64 {
        self.offset + self.bytes.len() as u64 + 1
    }
}

/// How a line ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LineEnd {
    /// With a newline.
    Newline,
    /// With the end of the file.
    File,
    /// Not within [`LINE_LIMIT`].
    TooFar,
}

/// The lines of some segments, one after the other.
pub(crate) struct Lines {
    folder: PathBuf,
    waiting: std::vec::IntoIter<u64>,
    current: Option<OpenSegment>,
}

struct OpenSegment {
    reader: BufReader<File>,
    next: Place,
    offset: u64,
}

impl Lines {
    /// The lines of `segments`, which are numbers that [`list`] gave.
    pub(crate) fn new(folder: &Path, segments: Vec<u64>) -> Self {
        Self { folder: folder.to_owned(), waiting: segments.into_iter(), current: None }
    }

    /// The next line, also when it is the empty end of a segment without any.
    pub(crate) fn next_line(&mut self) -> Result<Option<RawLine>, ReadError> {
        loop {
            if self.current.is_none() {
                let Some(segment) = self.waiting.next() else { return Ok(None) };
                self.current = Some(self.open(segment)?);
            }
            let Some(current) = &mut self.current else { return Ok(None) };
            let line = current.read_line()?;
            let is_first = line.place.line == 1;
            if line.end != LineEnd::Newline {
                self.current = None;
            }
            if line.end != LineEnd::File || !line.bytes.is_empty() || is_first {
                return Ok(Some(line));
            }
        }
    }

    /// Whether nothing at all follows the line that was given last.
    pub(crate) fn is_at_end(&mut self) -> Result<bool, ReadError> {
        if self.waiting.len() > 0 {
            return Ok(false);
        }
        let Some(current) = &mut self.current else { return Ok(true) };
        let segment = current.next.segment;
        current.reader.fill_buf().map(<[u8]>::is_empty).map_err(|source| read_error(segment, source))
    }

    fn open(&self, segment: u64) -> Result<OpenSegment, ReadError> {
        let file = File::open(self.folder.join(file_name(segment))).map_err(|source| read_error(segment, source))?;
        let reader = BufReader::with_capacity(READ_BUFFER_BYTES, file);
        Ok(OpenSegment { reader, next: Place { segment, line: 1 }, offset: 0 })
    }
}

impl OpenSegment {
    fn read_line(&mut self) -> Result<RawLine, ReadError> {
        let (place, offset) = (self.next, self.offset);
        let mut bytes = Vec::new();
        let mut limited = self.reader.by_ref().take(LINE_LIMIT as u64);
        let read = limited.read_until(b'\n', &mut bytes).map_err(|source| read_error(place.segment, source))?;
        let end = match bytes.last() {
            Some(b'\n') => LineEnd::Newline,
            _ if read < LINE_LIMIT => LineEnd::File,
            _ => LineEnd::TooFar,
        };
        if end == LineEnd::Newline {
            bytes.pop();
        }
        self.offset += read as u64;
        self.next.line += 1;
        Ok(RawLine { place, offset, bytes, end })
    }
}

fn read_error(segment: u64, source: std::io::Error) -> ReadError {
    ReadError::Segment { file: file_name(segment), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_our_own_making_are_segments() {
        assert_eq!(number("record-00000001.jsonl"), Some(1));
        assert_eq!(number("record-123456789.jsonl"), Some(123_456_789));
        for name in ["record-1.jsonl", "record-000000001.jsonl", "record-.jsonl", "record-+0000001.jsonl", "head.json"]
        {
            assert_eq!(number(name), None, "{name}");
        }
    }
}
