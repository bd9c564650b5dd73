//! What a gateway does by the clock besides serving: puts on record what operators did, writes when keys were used, and
//! tells of keys that will soon be too old.
//!
//! Must never: stop because one of these fails; do any of it on a request's path.

use crate::operator_record::OperatorRecord;
use std::sync::Arc;
use std::time::Duration;
use stockade_store::{ApiKeys, KeyRow, KeyState};
use tokio::time::Instant;

/// How often it is looked for notes of commands.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// The longest wait after failures.
const LOOK_RARELY: Duration = Duration::from_secs(30);
/// How often the use of keys is written.
const WRITE_EVERY: Duration = Duration::from_secs(60);
/// How often old keys are told of.
const TELL_EVERY: Duration = Duration::from_secs(24 * 3600);
/// Keys that are told of one by one; the rest is a number.
const TOLD_LIMIT: usize = 50;

/// What it needs.
pub(crate) struct Upkeep {
    pub(crate) keys: Arc<ApiKeys>,
    pub(crate) record: OperatorRecord,
}

impl Upkeep {
    /// Goes on until it is aborted, which it may be at any time.
    pub(crate) async fn run(self: Arc<Self>) {
        let start = Instant::now();
        let (mut write, mut tell, mut look) = (start + WRITE_EVERY, start, start);
        let mut wait = LOOK_EVERY;
        loop {
            let now = Instant::now();
            if now >= tell {
                self.tell_of_old_keys();
                tell = now + TELL_EVERY;
            }
            if now >= write {
                self.write_last_used().await;
                write = now + WRITE_EVERY;
            }
            if now >= look {
                wait = match self.record.hand_over().await {
                    Ok(_) => LOOK_EVERY,
                    Err(error) => {
                        tracing::error!(
                            error = &error as &dyn std::error::Error,
                            "what operators did is not on record yet"
                        );
                        wait.saturating_mul(2).min(LOOK_RARELY)
                    }
                };
                look = now + wait;
            }
            tokio::time::sleep_until(look.min(write).min(tell)).await;
        }
    }

    /// The last round, once nothing is served any more and [`Self::run`] has been aborted.
    pub(crate) async fn close(&self) {
        self.write_last_used().await;
        if let Err(error) = self.record.hand_over().await {
            tracing::error!(error = &error as &dyn std::error::Error, "what operators did is not on record yet");
        }
    }

    /// Writes when keys were used since the last time. What cannot be written now is tried again later.
    pub(crate) async fn write_last_used(&self) {
        let keys = Arc::clone(&self.keys);
        let written = tokio::task::spawn_blocking(move || keys.write_last_used()).await;
        if let Ok(Err(error)) = written {
            tracing::warn!(error = &error as &dyn std::error::Error, "the use of API keys could not be written");
        }
    }

    fn tell_of_old_keys(&self) {
        let rows = match self.keys.list() {
            Ok(rows) => rows,
            Err(error) => {
                return tracing::warn!(error = &error as &dyn std::error::Error, "the ages of API keys cannot be seen");
            }
        };
        let today = self.keys.today();
        let old = |row: &&KeyRow| matches!(row.state(self.keys.rules(), today), KeyState::Aging { .. });
        let old: Vec<&KeyRow> = rows.iter().filter(old).collect();
        for row in old.iter().take(TOLD_LIMIT) {
            let days = row.age(today).as_secs() / (24 * 3600);
            let ends = row.ends(self.keys.rules()).map(crate::when::shown).unwrap_or_default();
            tracing::warn!(key = %row.id, caller = %row.caller, days, ends, "an API key will be too old: `stockade keys rotate`");
        }
        if let Some(more) = old.len().checked_sub(TOLD_LIMIT).filter(|more| *more > 0) {
            tracing::warn!(more, "further API keys will be too old: `stockade keys list`");
        }
    }
}
