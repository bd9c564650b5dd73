//! `state.db`: the one database of keys, revocations and what operators have done.
//!
//! For: making it whole or not at all, refusing a damaged one, bringing an older one up to date, and changing it in
//! transactions that are on the disk before anybody is told.
//! Must never: start empty where something was; let a reader wait for a writer.

mod schema;

use crate::data_folder::{DataFolder, draft_of, private};
use crate::dates::Dates;
use crate::operator_events::WAITING_LIMIT;
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};
use schema::SCHEMA;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use stockade_core::ports::Clock;

/// The longest that a change waits for another process's.
const BUSY: Duration = Duration::from_secs(5);

/// Why the state cannot be used. No text holds a key or a path.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The database failed.
    #[error("could not {what} the state database; if it is damaged, restore `state.db` from a backup")]
    Database {
        /// What was tried.
        what: &'static str,
        /// What SQLite said.
        #[source]
        cause: rusqlite::Error,
    },
    /// The database's file cannot be made.
    #[error("could not make the state database; check that the data folder is writable and the disk is not full")]
    Folder {
        /// What the operating system said.
        #[source]
        cause: std::io::Error,
    },
    /// The database is damaged.
    #[error(
        "the state database is damaged ({report}); restore `state.db` from a backup, or move it away and make new keys"
    )]
    Damaged {
        /// What SQLite found.
        report: String,
    },
    /// A newer version has made it.
    #[error("the state database has schema {found}, this version knows {SCHEMA}; use the newer version")]
    Newer {
        /// Its schema.
        found: i64,
    },
    /// There is no room for another note of what was done, so it is not done.
    #[error(
        "{WAITING_LIMIT} changes wait to be put on record, and none is made without a record; start the gateway, or see why its record cannot be written"
    )]
    RecordBehind,
}

/// The state database of one data folder.
pub struct State {
    path: PathBuf,
    /// For changes alone: who only reads has a connection of their own, and never waits for a change.
    writer: Mutex<Connection>,
    dates: Dates,
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("State(…)")
    }
}

/// For `map_err`: the database failed while `what` was tried.
pub(crate) fn failed(what: &'static str) -> impl FnOnce(rusqlite::Error) -> StateError {
    move |cause| StateError::Database { what, cause }
}

impl State {
    /// Opens the state, or makes an empty one where there is none. One of an older version is brought up to date.
    ///
    /// # Errors
    /// When the database is damaged, newer, or cannot be opened. A damaged one is never taken for an empty one.
    pub fn open(folder: &DataFolder, clock: Arc<dyn Clock>) -> Result<Arc<Self>, StateError> {
        let path = folder.database();
        if !path.try_exists().map_err(|cause| StateError::Folder { cause })? {
            make_database(&path)?;
        }
        let mut writer = open_existing(&path)?;
        let report: String =
            writer.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(failed("check"))?;
        if report != "ok" {
            return Err(StateError::Damaged { report });
        }
        check_schema(&mut writer)?;
        let settings = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;";
        writer.execute_batch(settings).map_err(failed("open"))?;
        Ok(Arc::new(Self { path, writer: Mutex::new(writer), dates: Dates::new(clock) }))
    }

    /// What day it is.
    pub(crate) const fn dates(&self) -> &Dates {
        &self.dates
    }

    /// A connection that only reads.
    pub(crate) fn reader(&self) -> Result<Connection, StateError> {
        let reader = open_existing(&self.path)?;
        reader.execute_batch("PRAGMA query_only = TRUE;").map_err(failed("open"))?;
        Ok(reader)
    }

    /// Changes something, as a whole or not at all. It is on the disk once this returns.
    ///
    /// # Errors
    /// What `change` returns, and when the database cannot be changed. Nothing has changed then.
    pub(crate) fn change<T, E: From<StateError>>(
        &self,
        change: impl FnOnce(&Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        // Immediate: what `change` reads is what it changes, whoever else wants to.
        let transaction =
            writer.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed("write to"))?;
        let changed = change(&transaction)?;
        transaction.commit().map_err(failed("write to"))?;
        Ok(changed)
    }
}

/// Makes an empty database beside `path` and links it into place: a start that is cut off leaves none, and of two starts at
/// once one wins.
fn make_database(path: &Path) -> Result<(), StateError> {
    let folder = |cause| StateError::Folder { cause };
    let beside = draft_of(path);
    // SQLite makes files by the process's mask, so the file is made before, for us alone.
    private().write(true).create_new(true).open(&beside).map_err(folder)?;
    let made = open_existing(&beside).and_then(|database| {
        database.execute_batch(&schema::make()).map_err(failed("make"))?;
        database.close().map_err(|(_, cause)| StateError::Database { what: "make", cause })
    });
    let linked = made.and_then(|()| match std::fs::hard_link(&beside, path) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(folder(error)),
        _ => Ok(()),
    });
    let removed = std::fs::remove_file(&beside).map_err(folder);
    linked.and(removed)
}

/// Brings an older schema up to date.
fn check_schema(database: &mut Connection) -> Result<(), StateError> {
    let version = |database: &Connection| -> Result<i64, StateError> {
        database.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(failed("check"))
    };
    match version(database)? {
        SCHEMA => Ok(()),
        1 => {
            let transaction = database
                .transaction_with_behavior(TransactionBehavior::Immediate)
                .map_err(failed("bring up to date"))?;
            // Another process may have done it while we waited.
            if version(&transaction)? == 1 {
                transaction.execute_batch(&schema::from_1()).map_err(failed("bring up to date"))?;
            }
            transaction.commit().map_err(failed("bring up to date"))
        }
        // A database that is there was made as a whole: an empty one has lost what it held.
        found @ i64::MIN..=0 => Err(StateError::Damaged { report: format!("it has no schema ({found})") }),
        found => Err(StateError::Newer { found }),
    }
}

/// Never makes a database; files of SQLite beside it get its mode.
fn open_existing(path: &Path) -> Result<Connection, StateError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let database = Connection::open_with_flags(path, flags).map_err(failed("open"))?;
    database.busy_timeout(BUSY).map_err(failed("open"))?;
    Ok(database)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Columns and indices of a database in memory, in an order that does not depend on how they came to be.
    fn shape(database: &Connection) -> Vec<String> {
        let text = "SELECT m.name || ' ' || c.name || ' ' || c.type || ' ' || c.\"notnull\" || ' ' || c.pk
             FROM sqlite_schema m, pragma_table_info(m.name) c WHERE m.type = 'table'
             UNION SELECT 'index ' || sql FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL ORDER BY 1";
        let mut statement = database.prepare(text).unwrap();
        let rows = statement.query_map([], |row| row.get(0)).unwrap();
        rows.collect::<Result<_, _>>().unwrap()
    }

    #[test]
    fn an_older_database_becomes_what_a_new_one_is() {
        let new = Connection::open_in_memory().unwrap();
        new.execute_batch(&schema::make()).unwrap();
        let mut old = Connection::open_in_memory().unwrap();
        old.execute_batch(
            "CREATE TABLE api_keys (
                id TEXT PRIMARY KEY, caller TEXT NOT NULL, digest BLOB NOT NULL,
                created INTEGER NOT NULL, expires INTEGER, revoked INTEGER
            ) STRICT; PRAGMA user_version = 1;",
        )
        .unwrap();
        assert_ne!(shape(&old), shape(&new));
        check_schema(&mut old).unwrap();
        assert_eq!(shape(&old), shape(&new));
        check_schema(&mut old).unwrap();
        assert!(shape(&new).iter().any(|row| row.starts_with("api_keys overlap_ends INTEGER")), "{:#?}", shape(&new));
    }
}
