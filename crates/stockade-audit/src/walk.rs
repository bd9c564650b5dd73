//! Walking along the chain: each line must be a record, carry the next sequence number, and name the hash of the line before it.
//!
//! For: opening, verifying, repairing; all three judge lines here and nowhere else.
//! Must never: skip a line; go on after the first bad one.

use crate::hash::LineHash;
use crate::head::{Closing, HEAD_FILE, Head};
use crate::line::FORMAT;
use crate::segment::{LineEnd, Lines, Place, RawLine, ReadError, file_name};
use crate::stored::{RecordLink, StoredHeader, previous_of};
use std::cmp::Ordering;
use std::path::Path;

/// What is wrong with a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// It is not a record of this format.
    #[error("it is not a record")]
    NotARecord,
    /// It has no newline.
    #[error("it is unfinished")]
    Unfinished,
    /// It was written by a newer version.
    #[error("it has a newer format than this program knows")]
    Newer,
    /// It carries another sequence number than the one that is due.
    #[error("it says that it is record {found}: a record was removed, added or moved")]
    WrongSequence {
        /// The number that it carries.
        found: u64,
    },
    /// The next line, or `head.json`, has another hash for it.
    #[error("it was changed after it was written")]
    Altered,
    /// The header of a segment does not fit the segments before it.
    #[error("it does not continue the segment before it")]
    WrongSegment,
    /// The next segment begins behind it.
    #[error("it is missing: the next file begins with a later one")]
    Removed,
    /// A whole segment is not there.
    #[error("the file is missing")]
    MissingSegment,
    /// `head.json` knows of more than there is.
    #[error("it is missing: `head.json` knows of records up to {known}")]
    CutOff {
        /// The last record that `head.json` knows.
        known: u64,
    },
    /// `head.json` says that the record was closed before this line.
    #[error("it was added after the record was closed")]
    AfterClosing,
    /// `head.json` contradicts a line that the next line vouches for.
    #[error("it contradicts the records")]
    FalseHead,
}

/// The first bad record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.describe())]
pub struct BadRecord {
    /// The file's name in the audit folder.
    pub file: String,
    /// The line, from 1; line 1 is the header of the segment.
    pub line: u64,
    /// The sequence number of the record that should stand there; nothing for a header.
    pub sequence: Option<u64>,
    /// What is wrong.
    pub flaw: Flaw,
}

impl BadRecord {
    fn describe(&self) -> String {
        let Self { file, line, sequence, flaw } = self;
        match sequence {
            _ if file == HEAD_FILE => format!("`{file}`: {flaw}"),
            Some(sequence) => format!("record {sequence} (`{file}`, line {line}): {flaw}"),
            None => format!("the header of `{file}`: {flaw}"),
        }
    }

    pub(crate) fn at(place: Place, sequence: u64, flaw: Flaw) -> Self {
        let sequence = (place.line > 1).then_some(sequence);
        Self { file: file_name(place.segment), line: place.line, sequence, flaw }
    }

    fn of_head() -> Self {
        Self { file: HEAD_FILE.to_owned(), line: 1, sequence: None, flaw: Flaw::FalseHead }
    }
}

/// Where a walk stands: behind the line at `place`, the last of `sequence` records so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) place: Place,
    /// Where the next line starts in the segment's file.
    pub(crate) offset: u64,
    pub(crate) sequence: u64,
    pub(crate) hash: LineHash,
}

/// What a step found.
#[derive(Debug)]
pub(crate) enum Step {
    /// A good line.
    Line(RawLine),
    /// The very last line was never finished.
    Torn(RawLine),
    /// No more lines, and `head.json` agrees.
    End,
}

/// Why a walk ended early.
#[derive(Debug)]
pub(crate) enum WalkError {
    Read(ReadError),
    Bad(BadRecord),
}

/// Whether `segments`, ascending, are all from the first on.
pub(crate) fn judge_list(segments: &[u64]) -> Result<(), BadRecord> {
    let missing = (1..).zip(segments).find(|(expected, found)| expected != *found);
    match missing {
        Some((segment, _)) => Err(BadRecord::at(Place { segment, line: 1 }, 0, Flaw::MissingSegment)),
        None => Ok(()),
    }
}

/// A walk over consecutive segments.
pub(crate) struct Walk {
    lines: Lines,
    /// A line that was read to judge the one before it.
    ahead: Option<RawLine>,
    head: Option<Head>,
    /// Nothing before the first line of a walk that starts in the middle of the record.
    position: Option<Position>,
}

impl Walk {
    /// A walk over `segments` of `folder`. From segment 1 on it starts with the genesis; from a later one it takes the first
    /// header's word.
    pub(crate) fn new(folder: &Path, segments: Vec<u64>, head: Option<Head>) -> Self {
        Self { lines: Lines::new(folder, segments), ahead: None, head, position: None }
    }

    /// Where the walk stands.
    pub(crate) const fn position(&self) -> Option<Position> {
        self.position
    }

    /// Judges the next line.
    pub(crate) fn step(&mut self) -> Result<Step, WalkError> {
        let Some(line) = self.next_raw()? else {
            return self.judge_end().map(|()| Step::End).map_err(WalkError::Bad);
        };
        match self.judge(&line) {
            Ok(next) => self.accept(line, next).map(Step::Line),
            Err(Flaw::Unfinished | Flaw::NotARecord) if self.is_torn(&line)? => Ok(Step::Torn(line)),
            Err(Flaw::Altered) => Err(WalkError::Bad(self.blame(&line)?)),
            Err(Flaw::Removed) => {
                let behind = self.position.map_or(line.place, |position| position.place.next_line());
                Err(WalkError::Bad(BadRecord::at(behind, self.due(), Flaw::Removed)))
            }
            Err(flaw) => Err(WalkError::Bad(BadRecord::at(line.place, self.due(), flaw))),
        }
    }

    /// The position behind `line`, if it is the line that is due.
    fn judge(&self, line: &RawLine) -> Result<Position, Flaw> {
        if line.end != LineEnd::Newline {
            return Err(Flaw::Unfinished);
        }
        let sequence = if line.place.line == 1 { self.judge_header(line)? } else { self.judge_record(line)? };
        let hash = LineHash::of(&line.bytes);
        Ok(Position { place: line.place, offset: line.end_offset(), sequence, hash })
    }

    fn judge_header(&self, line: &RawLine) -> Result<u64, Flaw> {
        let header = StoredHeader::parse(&line.bytes).ok_or(Flaw::NotARecord)?;
        if header.format > FORMAT {
            return Err(Flaw::Newer);
        }
        let previous = LineHash::parse(header.previous).ok_or(Flaw::NotARecord)?;
        let before = header.first_sequence.checked_sub(1).ok_or(Flaw::NotARecord)?;
        let (sequence, hash) = match self.position {
            Some(position) => (position.sequence, position.hash),
            None if line.place.segment == 1 => (0, LineHash::GENESIS),
            None => (before, previous),
        };
        let fits = header.format == FORMAT && header.segment == line.place.segment;
        match (fits, before.cmp(&sequence), previous == hash) {
            (true, Ordering::Equal, true) => Ok(sequence),
            (true, Ordering::Equal, false) => Err(Flaw::Altered),
            // The line before it has gone, and more with it, unless the header itself was changed.
            (true, Ordering::Greater, false) if self.position.is_some() => Err(Flaw::Removed),
            _ => Err(Flaw::WrongSegment),
        }
    }

    fn judge_record(&self, line: &RawLine) -> Result<u64, Flaw> {
        let link = RecordLink::parse(&line.bytes).ok_or(Flaw::NotARecord)?;
        let previous = LineHash::parse(link.previous).ok_or(Flaw::NotARecord)?;
        if link.sequence != self.due() {
            return Err(Flaw::WrongSequence { found: link.sequence });
        }
        let fits = self.position.is_some_and(|position| position.hash == previous);
        if fits { Ok(link.sequence) } else { Err(Flaw::Altered) }
    }

    /// The sequence number of the record that is due.
    fn due(&self) -> u64 {
        self.position.map_or(1, |position| position.sequence + 1)
    }

    /// Takes the line, unless `head.json` says otherwise.
    fn accept(&mut self, line: RawLine, next: Position) -> Result<RawLine, WalkError> {
        if let Some(head) = self.head {
            if head.place == line.place && (head.hash, head.sequence) != (next.hash, next.sequence) {
                let vouched = self.peek()?.is_some_and(|after| previous_of(&after.bytes) == Some(next.hash));
                let bad = if vouched || head.hash == next.hash {
                    BadRecord::of_head()
                } else {
                    BadRecord::at(line.place, next.sequence, Flaw::Altered)
                };
                return Err(WalkError::Bad(bad));
            }
            if head.closing == Closing::Closed && head.place < line.place {
                return Err(WalkError::Bad(BadRecord::at(line.place, next.sequence, Flaw::AfterClosing)));
            }
        }
        self.position = Some(next);
        Ok(line)
    }

    /// `line` does not name the hash of the line before it: one of the two was changed. It is the one before, if the line
    /// itself is as the next one, or `head.json`, says.
    fn blame(&mut self, line: &RawLine) -> Result<BadRecord, WalkError> {
        let own = LineHash::of(&line.bytes);
        let due = self.due();
        let said = match self.peek()?.and_then(|after| previous_of(&after.bytes)) {
            Some(said) => Some(said),
            None => self.head.filter(|head| head.place == line.place).map(|head| head.hash),
        };
        match (said, self.position) {
            (Some(said), _) if said != own => Ok(BadRecord::at(line.place, due, Flaw::Altered)),
            (_, Some(before)) => Ok(BadRecord::at(before.place, before.sequence, Flaw::Altered)),
            (_, None) => Ok(BadRecord::at(line.place, due, Flaw::Altered)),
        }
    }

    /// Nothing may be missing at the end.
    fn judge_end(&self) -> Result<(), BadRecord> {
        let Some(head) = self.head else { return Ok(()) };
        match self.position {
            Some(position) if position.place >= head.place => Ok(()),
            Some(Position { place, .. }) => {
                let same = place.segment == head.place.segment;
                let next = if same { place.next_line() } else { place.next_segment() };
                Err(BadRecord::at(next, self.due(), Flaw::CutOff { known: head.sequence }))
            }
            None => Err(BadRecord::at(Place { segment: 1, line: 1 }, 1, Flaw::CutOff { known: head.sequence })),
        }
    }

    /// A bad line is torn, and not damaged, when nothing follows it and `head.json` does not know it.
    fn is_torn(&mut self, line: &RawLine) -> Result<bool, WalkError> {
        let unknown = self.head.is_none_or(|head| head.place < line.place && head.closing == Closing::Open);
        let last = self.ahead.is_none() && self.lines.is_at_end().map_err(WalkError::Read)?;
        Ok(unknown && last && line.end != LineEnd::TooFar)
    }

    fn next_raw(&mut self) -> Result<Option<RawLine>, WalkError> {
        match self.ahead.take() {
            Some(line) => Ok(Some(line)),
            None => self.lines.next_line().map_err(WalkError::Read),
        }
    }

    fn peek(&mut self) -> Result<Option<&RawLine>, WalkError> {
        if self.ahead.is_none() {
            self.ahead = self.lines.next_line().map_err(WalkError::Read)?;
        }
        Ok(self.ahead.as_ref())
    }
}
