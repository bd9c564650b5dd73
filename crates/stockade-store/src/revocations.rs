//! What no longer holds, whatever its expiry says: tokens, subjects, issuers, certificates, callers.
//!
//! Asked for every message and several times a second for whatever is under way, from a copy in memory that follows the
//! database. A revocation is for good, until its time or until it is lifted; it is kept and listed after that.
//!
//! Must never: answer "not revoked" when that cannot be known; forget a revocation because it is old.

mod live;
mod target;

pub use live::LiveRevocations;
pub use target::{RevocationTarget, RevocationTargetError, VALUE_BYTES};

use crate::dates::before;
use crate::mirror::{FRESH, Mirror};
use crate::operator_events::{Act, NewEvent, OperatorEventKind, note};
use crate::state::{State, StateError, failed};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use stockade_core::identity::IdentityError;
use stockade_core::ports::Timestamp;
use stockade_core::words::{CallerName, Untrusted};
use stockade_identity::Revoked;
use target::{hexadecimal, plain_serial};

/// Revocations of one data folder at most, past ones with them.
pub const REVOCATIONS_LIMIT: i64 = 100_000;
/// How long a past one is kept where others need the room: 400 days.
const KEEP_PAST: Duration = Duration::from_secs(400 * 24 * 3600);

/// Why something cannot be revoked.
#[derive(Debug, thiserror::Error)]
pub enum RevocationsError {
    /// The state cannot be used.
    #[error(transparent)]
    State(StateError),
    /// There is no such revocation in force.
    #[error("there is no revocation {number} in force; `stockade revoke list` shows those there are")]
    NoSuchRevocation {
        /// What was asked for.
        number: i64,
    },
    /// It would be over before it begins.
    #[error("the revocation would have ended already; give a later time, or none for good")]
    Over,
    /// There are too many.
    #[error(
        "there are {REVOCATIONS_LIMIT} revocations, and no more are kept; revoke the subject, the issuer or the caller instead of single tokens, or give them an end"
    )]
    TooMany,
}

impl From<StateError> for RevocationsError {
    fn from(error: StateError) -> Self {
        Self::State(error)
    }
}

/// One revocation as a list shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revocation {
    /// Its number, to lift it by.
    pub number: i64,
    /// What is revoked.
    pub target: RevocationTarget,
    /// Since when.
    pub at: Timestamp,
    /// Until when; nothing for good.
    pub until: Option<Timestamp>,
    /// Who did it.
    pub by: String,
    /// Why, in their words.
    pub reason: String,
    /// When it was lifted.
    pub lifted: Option<Timestamp>,
}

impl Revocation {
    /// True if it holds at `now`. It holds from the moment it is there, whatever the clock says of its beginning.
    #[must_use]
    pub fn holds(&self, now: Timestamp) -> bool {
        self.lifted.is_none() && self.until.is_none_or(|until| now < until)
    }
}

/// One in force: for which issuer, and until when.
struct InForce {
    issuer: String,
    until: Option<Timestamp>,
}

/// By kind, then by value.
type Copy = HashMap<&'static str, HashMap<String, Vec<InForce>>>;

/// The revocations of one data folder.
pub struct RevocationList {
    state: Arc<State>,
    copy: Mirror<Copy>,
}

impl fmt::Debug for RevocationList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RevocationList(…)")
    }
}

impl RevocationList {
    /// # Errors
    /// When the state cannot be read.
    pub fn open(state: &Arc<State>) -> Result<Self, StateError> {
        Ok(Self { state: Arc::clone(state), copy: Mirror::new(Arc::clone(state), Box::new(in_force))? })
    }

    /// Says whether something stands in the list; true within 200 ms of its being so. Keys never do: they end in their own
    /// book, and [`LiveRevocations`] asks both.
    ///
    /// # Errors
    /// When it cannot be known. That denies as a revocation does.
    pub fn lists(&self, what: Revoked<'_>) -> Result<bool, IdentityError> {
        let copy = self.copy.within(FRESH);
        let copy = copy.map_err(|error| IdentityError::Unavailable { reason: error.to_string() })?;
        // A clock that was set forward ends no revocation.
        let now = self.state.dates().earliest();
        let holds = |kind: &str, value: &str, issuer: &str| {
            let found = copy.get(kind).and_then(|values| values.get(value));
            found.is_some_and(|found| {
                found.iter().any(|one| {
                    (one.issuer.is_empty() || one.issuer == issuer) && one.until.is_none_or(|until| now < until)
                })
            })
        };
        Ok(match what {
            // Keys are revoked in their own table, sign-ins where they were made.
            Revoked::Key { .. } | Revoked::SignIn { .. } => false,
            Revoked::Token { issuer, jti } => holds("token", jti, issuer),
            Revoked::Subject { issuer, subject } => holds("subject", subject, issuer),
            Revoked::Issuer { issuer } => holds("issuer", issuer, ""),
            Revoked::Certificate { thumbprint, serial } => {
                holds("thumbprint", &hexadecimal(thumbprint), "")
                    || serial.is_some_and(|serial| holds("serial", plain_serial(&serial.to_ascii_lowercase()), ""))
            }
            Revoked::Caller { name } => holds("caller", name.as_str(), ""),
        })
    }

    /// Revokes something for good, or until a time; returns the number to lift it by. What is revoked already gets the later
    /// end of the two and keeps its number.
    ///
    /// # Errors
    /// When it cannot be written, or would be over before it begins.
    pub fn revoke(
        &self,
        target: &RevocationTarget,
        until: Option<Timestamp>,
        act: &Act<'_>,
    ) -> Result<i64, RevocationsError> {
        if until.is_some_and(|until| until <= act.at) {
            return Err(RevocationsError::Over);
        }
        let number = self.state.change(|change| -> Result<i64, RevocationsError> {
            make_room(change, act.at)?;
            let (kind, value, issuer) = target.to_columns();
            let words = act.words();
            let values = params![kind, value, issuer, act.at.0, until.map(|time| time.0), act.operator.as_str(), words];
            // One that is in force and over is begun anew; one that is not over never gets shorter by being said again.
            let number = change
                .query_row(
                    "INSERT INTO revocations (kind, value, issuer, at, until, revoked_by, reason)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
                     ON CONFLICT (kind, value, issuer) WHERE lifted IS NULL DO UPDATE SET
                        until = CASE WHEN until IS NULL OR excluded.until IS NULL THEN NULL
                                     ELSE max(until, excluded.until) END,
                        at = excluded.at, revoked_by = excluded.revoked_by, reason = excluded.reason
                     RETURNING number",
                    values,
                    |row| row.get(0),
                )
                .map_err(failed("write to"))?;
            let said = if until.is_some() { "for a time" } else { "for good" };
            let event = NewEvent {
                kind: OperatorEventKind::Revoked,
                target: target.to_string(),
                said: format!("number {number}, {said}"),
            };
            note(change, act, &event)?;
            Ok(number)
        })?;
        self.copy.now()?;
        Ok(number)
    }

    /// Takes a revocation back; returns what it was of.
    ///
    /// # Errors
    /// When there is none of this number in force, or it cannot be written.
    pub fn lift(&self, number: i64, act: &Act<'_>) -> Result<RevocationTarget, RevocationsError> {
        let target = self.state.change(|change| {
            let lifted = change
                .query_row(
                    "UPDATE revocations SET lifted = ?2, lifted_by = ?3 WHERE number = ?1 AND lifted IS NULL
                     RETURNING kind, value, issuer",
                    params![number, act.at.0, act.operator.as_str()],
                    target_of,
                )
                .optional()
                .map_err(failed("write to"))?;
            let target = lifted.flatten().ok_or(RevocationsError::NoSuchRevocation { number })?;
            let said = format!("number {number}");
            let event = NewEvent { kind: OperatorEventKind::RevocationLifted, target: target.to_string(), said };
            note(change, act, &event)?;
            Ok::<_, RevocationsError>(target)
        })?;
        self.copy.now()?;
        Ok(target)
    }

    /// All of them, oldest first, those that are over with them.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn list(&self) -> Result<Vec<Revocation>, RevocationsError> {
        let reader = self.state.reader()?;
        let mut select = reader
            .prepare(
                "SELECT kind, value, issuer, number, at, until, revoked_by, reason, lifted FROM revocations
                 ORDER BY number LIMIT ?1",
            )
            .map_err(failed("read"))?;
        let rows = select.query_map([REVOCATIONS_LIMIT], revocation_of).map_err(failed("read"))?;
        let rows = rows.collect::<Result<Vec<_>, _>>().map_err(failed("read"))?;
        Ok(rows.into_iter().flatten().collect())
    }

    /// The date that revocations are judged by: the earlier one of the wall clock and of the time counted since the start.
    #[must_use]
    pub fn today(&self) -> Timestamp {
        self.state.dates().earliest()
    }
}

fn in_force(database: &Connection) -> rusqlite::Result<Copy> {
    let mut select =
        database.prepare_cached("SELECT kind, value, issuer, until FROM revocations WHERE lifted IS NULL")?;
    let mut copy = Copy::new();
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        // What is not understood may be what somebody counts on: then nothing is known, and that denies.
        let target = target_of(row)?.ok_or_else(|| {
            rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, "it is no revocation".into())
        })?;
        let (kind, value, issuer) = target.to_columns();
        let until = row.get::<_, Option<i64>>(3)?.map(Timestamp);
        copy.entry(kind).or_default().entry(value).or_default().push(InForce { issuer: issuer.to_owned(), until });
    }
    Ok(copy)
}

/// From the first three columns.
fn target_of(row: &Row<'_>) -> rusqlite::Result<Option<RevocationTarget>> {
    let (kind, value, issuer): (String, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
    Ok(RevocationTarget::of_columns(&kind, &value, &issuer))
}

fn revocation_of(row: &Row<'_>) -> rusqlite::Result<Option<Revocation>> {
    let Some(target) = target_of(row)? else { return Ok(None) };
    let by: String = row.get(6)?;
    Ok(Some(Revocation {
        target,
        number: row.get(3)?,
        at: Timestamp(row.get(4)?),
        until: row.get::<_, Option<i64>>(5)?.map(Timestamp),
        by: CallerName::parse(&by).map_or_else(|_| String::from("?"), |by| by.to_string()),
        reason: Untrusted::new(row.get::<_, String>(7)?).for_log(),
        lifted: row.get::<_, Option<i64>>(8)?.map(Timestamp),
    }))
}

/// Where there is no room left, those go that are long over.
fn make_room(change: &Transaction<'_>, now: Timestamp) -> Result<(), RevocationsError> {
    let count = || -> Result<i64, RevocationsError> {
        Ok(change.query_row("SELECT count(*) FROM revocations", [], |row| row.get(0)).map_err(failed("read"))?)
    };
    if count()? < REVOCATIONS_LIMIT {
        return Ok(());
    }
    let long_ago = "DELETE FROM revocations WHERE lifted < ?1 OR until < ?1";
    change.execute(long_ago, [before(now, KEEP_PAST).0]).map_err(failed("write to"))?;
    if count()? < REVOCATIONS_LIMIT { Ok(()) } else { Err(RevocationsError::TooMany) }
}
