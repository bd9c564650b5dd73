//! Verifying the whole record, from the first line to what `head.json` knows.
//!
//! Must never: change anything; report more than the first bad record, since behind it nothing can be judged.

use crate::folder;
use crate::head::{Head, HeadError};
use crate::segment::{self, ReadError, file_name};
use crate::walk::{BadRecord, Flaw, Step, Walk, WalkError, judge_list};
use std::path::Path;

/// Lines between two calls of the progress function.
const PROGRESS_LINES: u64 = 4096;

/// How far a verification is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VerifyProgress {
    /// Records so far.
    pub records: u64,
    /// Bytes so far.
    pub bytes: u64,
    /// Bytes in all segments at the start.
    pub bytes_in_all: u64,
}

/// A record without a flaw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VerifyReport {
    /// Records.
    pub records: u64,
    /// Segments.
    pub segments: u64,
    /// Bytes of all segments.
    pub bytes: u64,
    /// Records that `head.json` vouches for; up to there nothing can have been cut off.
    pub vouched: u64,
    /// Whether a process is appending now; an unfinished last line is not counted then.
    pub in_use: bool,
}

/// The record could not be verified, or is not as it was written.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// It is not as it was written.
    #[error("{bad}")]
    Bad {
        /// The first bad record.
        bad: BadRecord,
    },
    /// `head.json` is not usable.
    #[error("the end of the record cannot be checked")]
    Head {
        /// Why.
        #[source]
        cause: HeadError,
    },
    /// It could not be read.
    #[error("the record cannot be read")]
    Unreadable {
        /// Why.
        #[source]
        cause: ReadError,
    },
    /// There is none.
    #[error("there is no record in this folder")]
    Empty,
}

/// Verifies the record in `folder`; a process may be appending to it meanwhile. What can be found and what cannot is said in
/// `docs/audit-format.md`.
///
/// # Errors
/// The first bad record, or why it could not be read.
pub fn verify(folder: &Path, mut progress: impl FnMut(VerifyProgress)) -> Result<VerifyReport, VerifyError> {
    let unreadable = |cause| VerifyError::Unreadable { cause };
    let in_use = folder::is_locked(folder);
    // Before the segments are listed, so that it cannot know of more than they hold.
    let head = Head::read(folder).map_err(|cause| VerifyError::Head { cause })?;
    let segments = segment::list(folder).map_err(unreadable)?;
    let bytes_in_all = segments.iter().map(|segment| length(folder, *segment)).sum();
    let head = match (head, segments.is_empty()) {
        (None, true) => return Err(VerifyError::Empty),
        (None, false) => return Err(VerifyError::Head { cause: HeadError::Missing }),
        (Some(head), _) => head,
    };
    judge_list(&segments).map_err(|bad| VerifyError::Bad { bad })?;
    let mut walk = Walk::new(folder, segments, Some(head));
    let (mut lines, mut bytes) = (0, 0);
    loop {
        match walk.step() {
            Ok(Step::Line(line)) => {
                lines += 1;
                bytes += line.bytes.len() as u64 + 1;
            }
            Ok(Step::Torn(line)) if !in_use => {
                let due = walk.position().map_or(1, |position| position.sequence + 1);
                return Err(VerifyError::Bad { bad: BadRecord::at(line.place, due, Flaw::Unfinished) });
            }
            Ok(Step::Torn(_) | Step::End) => break,
            Err(WalkError::Read(cause)) => return Err(unreadable(cause)),
            Err(WalkError::Bad(bad)) => return Err(VerifyError::Bad { bad }),
        }
        if lines % PROGRESS_LINES == 0 {
            let records = walk.position().map_or(0, |position| position.sequence);
            progress(VerifyProgress { records, bytes, bytes_in_all });
        }
    }
    let (records, segments) = walk.position().map_or((0, 0), |position| (position.sequence, position.place.segment));
    progress(VerifyProgress { records, bytes, bytes_in_all });
    Ok(VerifyReport { records, segments, bytes, vouched: head.sequence, in_use })
}

fn length(folder: &Path, segment: u64) -> u64 {
    std::fs::metadata(folder.join(file_name(segment))).map_or(0, |metadata| metadata.len())
}
