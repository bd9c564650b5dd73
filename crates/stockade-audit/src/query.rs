//! Reading the record: the records that match, in order, also while a process appends.
//!
//! Must never: hold more than one line; vouch for what it reads, which is what [`crate::verify`] is for.

use crate::segment::{self, LineEnd, Lines, ReadError};
use crate::stored::StoredRecord;
use crate::walk::{BadRecord, Flaw};
use std::path::Path;
use stockade_core::ports::Timestamp;

/// Which records are wanted; what is not set is not asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Not before.
    pub since: Option<Timestamp>,
    /// Before; exclusive.
    pub until: Option<Timestamp>,
    /// Exactly this caller.
    pub caller: Option<String>,
    /// Exactly this server.
    pub server: Option<String>,
    /// `refused`, `intent`, `outcome` or `event`.
    pub phase: Option<String>,
    /// `allow`, `ask` or `deny`.
    pub decision: Option<String>,
    /// Exactly this ticket.
    pub ticket: Option<String>,
    /// At most so many, the first ones.
    pub limit: Option<usize>,
}

/// The record could not be read further.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// The operating system refused it.
    #[error("the record cannot be read")]
    Unreadable {
        /// Why.
        #[source]
        cause: ReadError,
    },
    /// A line is no record; `verify` tells more.
    #[error("{bad}")]
    Bad {
        /// Which one.
        bad: BadRecord,
    },
}

/// The matching records; ends after the first error.
pub struct Records {
    lines: Option<Lines>,
    filter: Filter,
    left: usize,
    due: u64,
}

/// The records in `folder` that match `filter`, in the order of their sequence numbers. A line that is being written at the end
/// is left out.
///
/// # Errors
/// When the folder cannot be read.
pub fn query(folder: &Path, filter: Filter) -> Result<Records, QueryError> {
    let segments = segment::list(folder).map_err(|cause| QueryError::Unreadable { cause })?;
    let left = filter.limit.unwrap_or(usize::MAX);
    Ok(Records { lines: Some(Lines::new(folder, segments)), filter, left, due: 1 })
}

impl Iterator for Records {
    type Item = Result<StoredRecord, QueryError>;

    fn next(&mut self) -> Option<Self::Item> {
        let found = self.find().transpose();
        if !matches!(found, Some(Ok(_))) {
            self.lines = None;
        }
        found
    }
}

impl Records {
    fn find(&mut self) -> Result<Option<StoredRecord>, QueryError> {
        let unreadable = |cause| QueryError::Unreadable { cause };
        let Some(lines) = self.lines.as_mut().filter(|_| self.left > 0) else { return Ok(None) };
        while let Some(line) = lines.next_line().map_err(unreadable)? {
            if line.end == LineEnd::File && lines.is_at_end().map_err(unreadable)? {
                return Ok(None);
            }
            if line.place.line == 1 && line.end == LineEnd::Newline {
                continue;
            }
            let Some(record) = StoredRecord::parse(&line.bytes) else {
                return Err(QueryError::Bad { bad: BadRecord::at(line.place, self.due, Flaw::NotARecord) });
            };
            self.due = record.sequence + 1;
            if self.filter.matches(&record) {
                self.left -= 1;
                return Ok(Some(record));
            }
        }
        Ok(None)
    }
}

impl Filter {
    fn matches(&self, record: &StoredRecord) -> bool {
        let same = |wanted: &Option<String>, found: Option<&String>| wanted.is_none() || wanted.as_ref() == found;
        same(&self.ticket, record.ticket.as_ref())
            && same(&self.caller, record.caller.as_ref())
            && same(&self.server, record.server.as_ref())
            && same(&self.phase, Some(&record.phase))
            && same(&self.decision, record.decision.as_ref())
            && self.matches_time(&record.time)
    }

    fn matches_time(&self, text: &str) -> bool {
        if self.since.is_none() && self.until.is_none() {
            return true;
        }
        let parsed = text.parse::<jiff::Timestamp>().ok();
        let Some(time) = parsed.and_then(|time| i64::try_from(time.as_nanosecond()).ok()).map(Timestamp) else {
            return false;
        };
        self.since.is_none_or(|since| since <= time) && self.until.is_none_or(|until| time < until)
    }
}
