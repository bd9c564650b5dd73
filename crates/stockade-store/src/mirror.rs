//! A copy in memory of a part of the database, which follows it: what another process changes holds here within
//! [`FRESH`].
//!
//! Must never: answer from a copy that could not be compared with the database in time. Whoever asks then gets an error,
//! and an error denies.

use crate::state::{State, StateError, failed};
use arc_swap::{ArcSwap, Guard};
use rusqlite::Connection;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How old a copy may be.
pub(crate) const FRESH: Duration = Duration::from_millis(200);
/// How often something that is not known may make us look at the database ahead of time.
pub(crate) const EARLY_LOOK: Duration = Duration::from_millis(20);

/// Reads the part.
type Read<T> = Box<dyn Fn(&Connection) -> rusqlite::Result<T> + Send + Sync>;

/// The copy.
pub(crate) struct Mirror<T> {
    state: Arc<State>,
    read: Read<T>,
    current: ArcSwap<T>,
    /// Nanoseconds of the monotonic clock when the copy was last known to be the database's content.
    looked: AtomicU64,
    reader: Mutex<Reader>,
}

struct Reader {
    database: Connection,
    version: i64,
}

impl<T> Mirror<T> {
    /// Makes the first copy.
    pub(crate) fn new(state: Arc<State>, read: Read<T>) -> Result<Self, StateError> {
        let database = state.reader()?;
        let looked = AtomicU64::new(nanoseconds(state.dates().moment()));
        let version = data_version(&database).map_err(failed("read"))?;
        let first = read_whole(&database, &read)?;
        let reader = Mutex::new(Reader { database, version });
        Ok(Self { state, read, current: ArcSwap::from_pointee(first), looked, reader })
    }

    /// The copy as it was at some time: only to decide how fresh it has to be.
    pub(crate) fn stale(&self) -> Guard<Arc<T>> {
        self.current.load()
    }

    /// The copy, at most `patience` old.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub(crate) fn within(&self, patience: Duration) -> Result<Guard<Arc<T>>, StateError> {
        if self.is_older_than(patience) {
            let mut reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
            // Others may have looked while we waited for our turn.
            if self.is_older_than(patience) {
                self.look(&mut reader)?;
            }
        }
        Ok(self.current.load())
    }

    /// The database's content now.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub(crate) fn now(&self) -> Result<Guard<Arc<T>>, StateError> {
        self.look(&mut self.reader.lock().unwrap_or_else(PoisonError::into_inner))?;
        Ok(self.current.load())
    }

    fn is_older_than(&self, patience: Duration) -> bool {
        let looked = self.looked.load(Ordering::Acquire);
        nanoseconds(self.state.dates().moment()).saturating_sub(looked) > nanoseconds(patience)
    }

    fn look(&self, reader: &mut Reader) -> Result<(), StateError> {
        let looked = nanoseconds(self.state.dates().moment());
        // The version is asked before the content, and kept only with it: what changes in between, or cannot be read, is
        // asked for again, and nobody gets in by an older copy.
        let version = data_version(&reader.database).map_err(failed("read"))?;
        if version != reader.version {
            self.current.store(Arc::new(read_whole(&reader.database, &self.read)?));
            reader.version = version;
        }
        self.looked.store(looked, Ordering::Release);
        Ok(())
    }
}

/// Reads from one state of the database, however many statements that takes.
fn read_whole<T>(database: &Connection, read: &Read<T>) -> Result<T, StateError> {
    let transaction = database.unchecked_transaction().map_err(failed("read"))?;
    let whole = read(&transaction).map_err(failed("read"))?;
    transaction.finish().map_err(failed("read"))?;
    Ok(whole)
}

/// Changes when another connection has changed the database (SQLite `PRAGMA data_version`).
fn data_version(database: &Connection) -> rusqlite::Result<i64> {
    database.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get(0))
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
