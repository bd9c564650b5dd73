//! What operators have done by commands, on its way to the record.
//!
//! A command changes the state and notes what it did in one transaction; the note goes to the record afterwards, by whichever
//! process may append to it: the running gateway, or the command itself. So there is no change without its note, and no
//! note without its change.
//!
//! Each note reaches the record once. A note is marked before it is handed over and again when it stands; one that is found
//! marked and not settled may stand in the record already, and whoever hands it over has to look (`is_doubtful`).
//!
//! Must never: lose a note that was not settled; take a change whose note finds no room.

use crate::key_ring::OsEntropy;
use crate::mirror::Mirror;
use crate::state::{State, StateError, failed};
use rusqlite::{Connection, Transaction, params};
use std::fmt;
use std::sync::Arc;
use stockade_core::ports::{Entropy, Timestamp};
use stockade_core::words::{CallerName, TicketId, Untrusted};

/// Notes that may wait for the record. A command beyond that is refused.
pub const WAITING_LIMIT: i64 = 10_000;
/// Notes that are kept once they stand in the record.
const KEPT_LIMIT: i64 = 1000;
/// Characters of an operator's own words that are kept.
const REASON_CHARACTERS: usize = 256;

/// Who changes something, when, and why.
#[derive(Debug, Clone, Copy)]
pub struct Act<'a> {
    /// The operating system's user.
    pub operator: &'a CallerName,
    /// The wall clock.
    pub at: Timestamp,
    /// Their own words; nothing is asked of them.
    pub reason: Option<&'a str>,
}

impl Act<'_> {
    /// Their own words on one line, made harmless and cut.
    pub(crate) fn words(&self) -> String {
        let mut words = self.reason.map(|reason| Untrusted::new(reason).for_log()).unwrap_or_default();
        if let Some((cut, _)) = words.char_indices().nth(REASON_CHARACTERS) {
            words.truncate(cut);
        }
        words
    }
}

/// What an operator can do that goes on record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OperatorEventKind {
    /// Made an API key.
    KeyAdded,
    /// Replaced an API key.
    KeyRotated,
    /// Revoked an API key.
    KeyRevoked,
    /// Revoked something else.
    Revoked,
    /// Took a revocation back.
    RevocationLifted,
}

impl OperatorEventKind {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::KeyAdded, Self::KeyRotated, Self::KeyRevoked, Self::Revoked, Self::RevocationLifted];

    /// The event's name in the record.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::KeyAdded => "key-added",
            Self::KeyRotated => "key-rotated",
            Self::KeyRevoked => "key-revoked",
            Self::Revoked => "revoked",
            Self::RevocationLifted => "revocation-lifted",
        }
    }

    fn of_database(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// One note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperatorEvent {
    number: i64,
    /// When it was done.
    pub at: Timestamp,
    /// Names it in the record, the same at each try.
    pub ticket: TicketId,
    /// Who did it.
    pub operator: CallerName,
    /// What was done.
    pub kind: OperatorEventKind,
    /// To what: the id of a key, or what was revoked. On one line, without controls.
    pub target: String,
    /// What else there is to say, and the operator's own words. On one line, without controls.
    pub reason: String,
    /// It was handed over before and nobody said what came of it: it may stand in the record already.
    pub is_doubtful: bool,
}

/// What is noted with a change.
pub(crate) struct NewEvent {
    pub(crate) kind: OperatorEventKind,
    pub(crate) target: String,
    pub(crate) said: String,
}

/// Notes what the change of this transaction is. Called with every change that goes on record.
///
/// # Errors
/// When there is no room for it, or it cannot be written: the change must not be made then.
pub(crate) fn note(change: &Transaction<'_>, act: &Act<'_>, event: &NewEvent) -> Result<(), StateError> {
    let waiting: i64 = waiting(change).map_err(failed("read"))?;
    if waiting >= WAITING_LIMIT {
        return Err(StateError::RecordBehind);
    }
    let mut random = [0; 10];
    OsEntropy.fill(&mut random);
    let words = act.words();
    let reason = if words.is_empty() { event.said.clone() } else { format!("{}: {words}", event.said) };
    change
        .execute(
            "INSERT INTO operator_events (at, ticket_random, operator, kind, target, reason)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![act.at.0, random, act.operator.as_str(), event.kind.as_str(), event.target, reason],
        )
        .map_err(failed("write to"))?;
    Ok(())
}

fn waiting(database: &Connection) -> rusqlite::Result<i64> {
    database
        .prepare_cached("SELECT count(*) FROM operator_events WHERE recorded IS NULL")?
        .query_row([], |row| row.get(0))
}

/// The notes of one data folder. Only who may append to the record takes them.
pub struct OperatorEvents {
    state: Arc<State>,
    waiting: Mirror<i64>,
}

impl fmt::Debug for OperatorEvents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OperatorEvents(…)")
    }
}

impl OperatorEvents {
    /// # Errors
    /// When the state cannot be read.
    pub fn open(state: &Arc<State>) -> Result<Self, StateError> {
        Ok(Self { state: Arc::clone(state), waiting: Mirror::new(Arc::clone(state), Box::new(waiting))? })
    }

    /// How many notes wait. Costs little: the database is read only if it has changed.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn waiting(&self) -> Result<usize, StateError> {
        Ok(usize::try_from(**self.waiting.now()?).unwrap_or(0))
    }

    /// Takes the oldest notes, at most `limit`, to hand them over; they are marked before this returns. Whoever takes them
    /// must be the one process that may append to the record.
    ///
    /// # Errors
    /// When the state cannot be read or changed.
    pub fn take(&self, limit: u32) -> Result<Vec<OperatorEvent>, StateError> {
        self.state.change(|database| {
            let mut select = database
                .prepare_cached(
                    "SELECT number, at, ticket_random, operator, kind, target, reason, handed IS NOT NULL
                     FROM operator_events WHERE recorded IS NULL ORDER BY number LIMIT ?1",
                )
                .map_err(failed("read"))?;
            let rows = select.query_map([limit], event_of).map_err(failed("read"))?;
            let events = rows.collect::<Result<Vec<_>, _>>().map_err(failed("read"))?;
            let now = self.state.dates().latest().0;
            for event in &events {
                let mark = "UPDATE operator_events SET handed = ?2 WHERE number = ?1";
                database.execute(mark, params![event.number, now]).map_err(failed("write to"))?;
            }
            Ok(events)
        })
    }

    /// Says that a note stands in the record.
    ///
    /// # Errors
    /// When the state cannot be changed. The note is doubtful then.
    pub fn settle(&self, event: &OperatorEvent) -> Result<(), StateError> {
        self.state.change(|database| {
            let now = self.state.dates().latest().0;
            let settle = "UPDATE operator_events SET recorded = ?2 WHERE number = ?1";
            database.execute(settle, params![event.number, now]).map_err(failed("write to"))?;
            let trim = "DELETE FROM operator_events WHERE recorded IS NOT NULL AND number <= ?1";
            database.execute(trim, [event.number - KEPT_LIMIT]).map_err(failed("write to"))?;
            Ok(())
        })
    }
}

fn event_of(row: &rusqlite::Row<'_>) -> rusqlite::Result<OperatorEvent> {
    let at = Timestamp(row.get(1)?);
    let broken = |column: usize, what: &'static str| {
        rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, what.into())
    };
    let (operator, kind): (String, String) = (row.get(3)?, row.get(4)?);
    let milliseconds = u64::try_from(at.0 / 1_000_000).unwrap_or(0);
    Ok(OperatorEvent {
        number: row.get(0)?,
        at,
        ticket: TicketId::new(milliseconds, row.get(2)?),
        operator: CallerName::parse(&operator).map_err(|_| broken(3, "it names no operator"))?,
        kind: OperatorEventKind::of_database(&kind).ok_or_else(|| broken(4, "it is no kind of event"))?,
        target: Untrusted::new(row.get::<_, String>(5)?).for_log(),
        reason: Untrusted::new(row.get::<_, String>(6)?).for_log(),
        is_doubtful: row.get(7)?,
    })
}
