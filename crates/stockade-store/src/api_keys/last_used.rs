//! When keys were last used: noted in memory on the way, written now and then by somebody who has time.
//!
//! Must never: write on a request's path; hold more than one note for each key.

use crate::state::{State, StateError, failed};
use rusqlite::params;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use stockade_core::ports::Timestamp;

/// How often the use of one key is noted, in nanoseconds: once a minute.
pub(super) const PRECISION: i64 = 60_000_000_000;

/// What has not been written yet: at most one entry for each key that there is.
#[derive(Debug, Default)]
pub(super) struct LastUsed {
    notes: Mutex<HashMap<String, Timestamp>>,
}

impl LastUsed {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Timestamp>> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a use. Called with ids of keys that there are.
    pub(super) fn note(&self, id: &str, now: Timestamp) {
        self.lock().insert(id.to_owned(), now);
    }

    /// Writes what was noted, all of it at once; returns how many keys that were.
    pub(super) fn write(&self, state: &State) -> Result<usize, StateError> {
        let notes = std::mem::take(&mut *self.lock());
        if notes.is_empty() {
            return Ok(0);
        }
        let written = state.change(|database| {
            let mut update = database
                .prepare_cached("UPDATE api_keys SET last_used = max(coalesce(last_used, 0), ?2) WHERE id = ?1")
                .map_err(failed("write to"))?;
            for (id, time) in &notes {
                update.execute(params![id, time.0]).map_err(failed("write to"))?;
            }
            Ok(notes.len())
        });
        if written.is_err() {
            let mut lock = self.lock();
            for (id, time) in notes {
                // What was noted meanwhile is newer.
                lock.entry(id).or_insert(time);
            }
        }
        written
    }
}
