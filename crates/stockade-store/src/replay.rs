//! `replay.db`: the proofs of possession that were seen (RFC 9449 §11.1), so that each is good once, also after a restart.
//!
//! Written without waiting for the disk: what is committed survives the end of the process, however it ends. Only when the
//! machine itself loses power may the proofs of the last moments be forgotten, and they are too old when it is up again.
//! Must never: say that a proof is new without having noted it; grow without limit; start empty where something is damaged.

use crate::data_folder::{DataFolder, draft_of, private};
use rusqlite::{Connection, OpenFlags, params};
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use stockade_core::identity::IdentityError;
use stockade_core::ports::{Clock, Timestamp};
use stockade_identity::ReplayRegister;

/// Proofs that are kept at most: at 1,000 requests a second a window of 16 minutes.
pub const PROOFS_LIMIT: u64 = 1_000_000;
/// How often those are forgotten that are too old.
const FORGET_EVERY: Duration = Duration::from_secs(1);
/// How many of them at once, so that no request waits long.
const FORGET_AT_ONCE: i64 = 4096;
/// The longest that a write waits. Nobody else writes here.
const BUSY: Duration = Duration::from_secs(1);
/// The schema that this version reads and writes.
const SCHEMA: i64 = 1;
/// Makes it.
const MAKE: &str = "BEGIN IMMEDIATE;
    CREATE TABLE proofs (hash BLOB PRIMARY KEY, until INTEGER NOT NULL) STRICT, WITHOUT ROWID;
    CREATE INDEX proofs_by_end ON proofs (until);
    PRAGMA user_version = 1;
    COMMIT;";

/// Why the register cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The database failed.
    #[error("could not {what} the register of proofs")]
    Database {
        /// What was tried.
        what: &'static str,
        /// What SQLite said.
        #[source]
        cause: rusqlite::Error,
    },
    /// The database's file cannot be made.
    #[error("could not make the register of proofs; check that the data folder is writable and the disk is not full")]
    Folder {
        /// What the operating system said.
        #[source]
        cause: std::io::Error,
    },
    /// The database is damaged.
    #[error(
        "the register of proofs is damaged ({report}); stop the gateway, move `replay.db` away, and start it again after ten minutes, when no proof of before is good any more"
    )]
    Damaged {
        /// What SQLite found.
        report: String,
    },
    /// A newer version has made it.
    #[error("the register of proofs has schema {found}, this version knows {SCHEMA}; use the newer version")]
    Newer {
        /// Its schema.
        found: i64,
    },
}

/// The register of one data folder.
pub struct ReplayDatabase {
    inner: Mutex<Inner>,
    clock: Arc<dyn Clock>,
    limit: u64,
}

struct Inner {
    database: Connection,
    /// How many proofs there are.
    count: u64,
    /// By the monotonic clock.
    forgot: Duration,
}

impl fmt::Debug for ReplayDatabase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReplayDatabase(…)")
    }
}

fn failed(what: &'static str) -> impl FnOnce(rusqlite::Error) -> ReplayError {
    move |cause| ReplayError::Database { what, cause }
}

impl ReplayDatabase {
    /// Opens the register, or makes an empty one where there is none.
    ///
    /// # Errors
    /// When it is damaged, newer, or cannot be opened.
    pub fn open(folder: &DataFolder, clock: Arc<dyn Clock>) -> Result<Self, ReplayError> {
        Self::open_with_limit(folder, clock, PROOFS_LIMIT)
    }

    /// The same with room for fewer proofs than [`PROOFS_LIMIT`].
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_with_limit(folder: &DataFolder, clock: Arc<dyn Clock>, limit: u64) -> Result<Self, ReplayError> {
        let path = folder.path().join("replay.db");
        if !path.try_exists().map_err(|cause| ReplayError::Folder { cause })? {
            make(&path)?;
        }
        let database = open_existing(&path)?;
        let number = |text: &str| -> Result<i64, ReplayError> {
            database.query_row(text, [], |row| row.get(0)).map_err(failed("check"))
        };
        let report: String =
            database.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(failed("check"))?;
        if report != "ok" {
            return Err(ReplayError::Damaged { report });
        }
        match number("PRAGMA user_version")? {
            SCHEMA => {}
            // A database that is there was made as a whole: an empty one has lost what it held.
            found @ i64::MIN..=0 => return Err(ReplayError::Damaged { report: format!("it has no schema ({found})") }),
            found => return Err(ReplayError::Newer { found }),
        }
        let settings = "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;";
        database.execute_batch(settings).map_err(failed("open"))?;
        let count = u64::try_from(number("SELECT count(*) FROM proofs")?).unwrap_or(u64::MAX);
        let forgot = clock.moment().0;
        Ok(Self { inner: Mutex::new(Inner { database, count, forgot }), clock, limit: limit.min(PROOFS_LIMIT) })
    }

    fn note(&self, hash: &[u8; 32], until: Timestamp) -> rusqlite::Result<Option<bool>> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let moment = self.clock.moment().0;
        if moment.saturating_sub(inner.forgot) >= FORGET_EVERY || inner.count >= self.limit {
            inner.forgot = moment;
            inner.forget(self.clock.wall())?;
        }
        if inner.count >= self.limit {
            return Ok(None);
        }
        let noted = inner
            .database
            .prepare_cached("INSERT INTO proofs (hash, until) VALUES (?1, ?2) ON CONFLICT DO NOTHING")?
            .execute(params![hash.as_slice(), until.0])?;
        inner.count = inner.count.saturating_add(noted as u64);
        Ok(Some(noted == 1))
    }
}

impl Inner {
    fn forget(&mut self, now: Timestamp) -> rusqlite::Result<()> {
        let forgotten = self
            .database
            .prepare_cached(
                "DELETE FROM proofs WHERE hash IN (SELECT hash FROM proofs WHERE until < ?1 ORDER BY until LIMIT ?2)",
            )?
            .execute(params![now.0, FORGET_AT_ONCE])?;
        self.count = self.count.saturating_sub(forgotten as u64);
        Ok(())
    }
}

impl ReplayRegister for ReplayDatabase {
    fn first_use(&self, jti_hash: [u8; 32], until: Timestamp) -> Result<bool, IdentityError> {
        let unavailable = |reason: String| IdentityError::Unavailable { reason };
        match self.note(&jti_hash, until) {
            Ok(Some(is_first)) => Ok(is_first),
            Ok(None) => Err(unavailable(format!("the register of proofs is full with {}", self.limit))),
            Err(cause) => Err(unavailable(format!("the register of proofs failed: {cause}"))),
        }
    }
}

/// Makes an empty database beside `path` and links it into place, for us alone.
fn make(path: &Path) -> Result<(), ReplayError> {
    let folder = |cause| ReplayError::Folder { cause };
    let beside = draft_of(path);
    private().write(true).create_new(true).open(&beside).map_err(folder)?;
    let made = open_existing(&beside).and_then(|database| {
        database.execute_batch(MAKE).map_err(failed("make"))?;
        database.close().map_err(|(_, cause)| ReplayError::Database { what: "make", cause })
    });
    let linked = made.and_then(|()| match std::fs::hard_link(&beside, path) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(folder(error)),
        _ => Ok(()),
    });
    let removed = std::fs::remove_file(&beside).map_err(folder);
    linked.and(removed)
}

/// Never makes a database; files of SQLite beside it get its mode.
fn open_existing(path: &Path) -> Result<Connection, ReplayError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let database = Connection::open_with_flags(path, flags).map_err(failed("open"))?;
    database.busy_timeout(BUSY).map_err(failed("open"))?;
    Ok(database)
}
