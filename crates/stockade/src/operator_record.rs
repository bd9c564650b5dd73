//! Puts on record what operators did by commands: each change once, by whichever process may append.
//!
//! A running gateway does it within a moment. Where none runs, the command does it itself, and gives the record back.
//!
//! Must never: append a note a second time; make a command wait for ever.

use crate::output::{Complaint, say};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use stockade_audit::{AuditLog, AuditOptions, Filter, OpenError, OpenReport, QueryError};
use stockade_core::ports::{Durability, Record, RecordUnavailable, Timestamp};
use stockade_core::record::{Entry, Phase};
use stockade_core::words::CallerKind;
use stockade_store::{DataFolder, OperatorEvent, OperatorEvents, State, StateError};

/// How entries of commands came in.
const DOOR: &str = "command";
/// Notes that are handed over at once.
const GROUP: u32 = 64;
/// How often a command looks whether the gateway has put its note on record.
const LOOK_EVERY: Duration = Duration::from_millis(25);
/// How many times: about three seconds.
const LOOKS: u32 = 120;
/// How often a starting gateway tries to have the record, which a command may hold for an instant.
const OPEN_EVERY: Duration = Duration::from_millis(50);
/// How many times: two seconds.
const OPENS: u32 = 40;

/// Why notes are not on record yet. They stay where they are.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HandOverError {
    /// The notes cannot be read or marked.
    #[error("the notes of what was done cannot be read")]
    State(#[source] StateError),
    /// Whether a note is on record already cannot be seen.
    #[error("the record cannot be read")]
    Query(#[source] QueryError),
    /// The record cannot be written.
    #[error("the record cannot be written")]
    Record(#[source] RecordUnavailable),
    /// The work was cut off.
    #[error("the work was cut off")]
    CutOff,
}

/// The way from the notes to the record.
#[derive(Clone)]
pub(crate) struct OperatorRecord {
    events: Arc<OperatorEvents>,
    record: Arc<AuditLog>,
    folder: PathBuf,
}

impl OperatorRecord {
    /// `record` is the one in `folder`, and this process alone may append to it.
    pub(crate) const fn new(events: Arc<OperatorEvents>, record: Arc<AuditLog>, folder: PathBuf) -> Self {
        Self { events, record, folder }
    }

    /// Puts everything on record that waits; returns how many notes that were.
    ///
    /// # Errors
    /// At the first that cannot be put there.
    pub(crate) async fn hand_over(&self) -> Result<usize, HandOverError> {
        if self.events.waiting().map_err(HandOverError::State)? == 0 {
            return Ok(0);
        }
        let mut handed = 0;
        loop {
            let taken = self.blocking(|this| this.events.take(GROUP).map_err(HandOverError::State)).await?;
            if taken.is_empty() {
                return Ok(handed);
            }
            for event in taken {
                handed += self.put(event).await?;
            }
        }
    }

    async fn put(&self, event: OperatorEvent) -> Result<usize, HandOverError> {
        let event = Arc::new(event);
        let asked = Arc::clone(&event);
        let stands = event.is_doubtful && self.blocking(move |this| this.stands(&asked)).await?;
        if !stands {
            self.record.append(entry_of(&event), Durability::Disk).await.map_err(HandOverError::Record)?;
        }
        self.blocking(move |this| this.events.settle(&event).map_err(HandOverError::State)).await?;
        Ok(usize::from(!stands))
    }

    /// Whether a note is on record. Reads all of it, and only ever after a process was cut off in the middle of this.
    fn stands(&self, event: &OperatorEvent) -> Result<bool, HandOverError> {
        let filter = Filter { ticket: Some(event.ticket.to_string()), limit: Some(1), ..Filter::default() };
        let mut found = stockade_audit::query(&self.folder, filter).map_err(HandOverError::Query)?;
        found.next().transpose().map(|found| found.is_some()).map_err(HandOverError::Query)
    }

    /// Away from the threads that serve.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, HandOverError> + Send + 'static,
    ) -> Result<T, HandOverError> {
        let this = self.clone();
        tokio::task::spawn_blocking(move || work(&this)).await.unwrap_or(Err(HandOverError::CutOff))
    }
}

fn entry_of(event: &OperatorEvent) -> Entry {
    let mut entry = Entry::new(event.at, event.ticket, Phase::Event, DOOR, event.kind.as_str());
    entry.caller = Some(event.operator.to_string());
    entry.caller_kind = Some(CallerKind::LocalUser.as_str());
    entry.target = Some(event.target.clone());
    entry.reason = Some(event.reason.clone());
    entry
}

/// Opens the record for a gateway, whose data folder is locked: whoever has the record now is a command, and gives it back.
///
/// # Errors
/// As [`AuditLog::open`].
pub(crate) fn open_for_gateway(options: &AuditOptions) -> Result<(AuditLog, OpenReport), OpenError> {
    let mut tries = OPENS;
    loop {
        match AuditLog::open(options.clone()) {
            Err(OpenError::Locked { .. }) if tries > 1 => tries -= 1,
            opened => return opened,
        }
        std::thread::sleep(OPEN_EVERY);
    }
}

/// Sees to it that what a command has just done is on record: by the gateway if one runs, or by this process. What cannot
/// be put there now goes there later, and the operator is told so.
pub(crate) fn settle(folder: &DataFolder, state: &Arc<State>, now: Timestamp) {
    if let Err(complaint) = try_settle(folder, state, now) {
        say(complaint.fix("nothing is lost: it goes on record as soon as a gateway or a command can write there"));
    }
}

fn try_settle(folder: &DataFolder, state: &Arc<State>, now: Timestamp) -> Result<(), Complaint> {
    let late = || Complaint::new("the change is made, and not on record yet");
    let events = OperatorEvents::open(state).map_err(|error| late().because(error))?;
    for _ in 0..LOOKS {
        if events.waiting().map_err(|error| late().because(error))? == 0 {
            return Ok(());
        }
        match AuditLog::open(AuditOptions::new(folder.audit(), now)) {
            Ok((record, _)) => return hand_over(events, record, folder).map_err(|error| late().because(error)),
            // A gateway has it, and looks for notes all the time.
            Err(OpenError::Locked { .. }) => std::thread::sleep(LOOK_EVERY),
            Err(error) => return Err(late().because(error)),
        }
    }
    Err(late().because("another process has the record and does not put it there"))
}

fn hand_over(events: OperatorEvents, record: AuditLog, folder: &DataFolder) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    let record = Arc::new(record);
    let way = OperatorRecord::new(Arc::new(events), Arc::clone(&record), folder.audit());
    let handed = runtime.block_on(way.hand_over()).map_err(|error| error.to_string());
    let closed = record.close().map_err(|error| error.to_string());
    handed.and(closed)
}
