//! The callers' API keys and their lives: made, used, replaced, revoked, too old. Kept as keyed digests only.
//!
//! Lookups go to a copy in memory that follows the database: what a command beside us revokes ends within 200 ms, what it
//! adds works at once.
//!
//! Must never: find a key by anything but its digest; let a key work that has ended, is too old, or belongs elsewhere; show
//! one twice.

mod last_used;
mod life;
mod row;
mod scopes;
mod text;

pub use life::{NewKey, OVERLAP_LIMIT, Replacement};
pub use row::{KeyRow, KeyRules, KeyState};
pub use scopes::{SCOPE_CHARACTERS, SCOPES_LIMIT, Scopes, ScopesError};
pub use text::{KEY_PREFIX, KeyId};

use crate::environment::EnvironmentName;
use crate::key_ring::KeyRing;
use crate::mirror::{EARLY_LOOK, FRESH, Mirror};
use crate::state::{State, StateError, failed};
use aws_lc_rs::hmac;
use last_used::{LastUsed, PRECISION};
use rusqlite::{Connection, Row};
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use stockade_core::identity::{Basis, Identity, IdentityError, Standing};
use stockade_core::ports::Timestamp;
use stockade_core::words::{Caller, CallerKind, CallerName, Secret};
use text::id_of;

/// Keys of one data folder at most, ended ones with them.
pub const KEYS_LIMIT: i64 = 10_000;

/// Why API keys cannot be used, or one cannot be changed. No text holds a key.
#[derive(Debug, thiserror::Error)]
pub enum ApiKeysError {
    /// The state cannot be used.
    #[error(transparent)]
    State(StateError),
    /// There is no such key.
    #[error("there is no API key `{id}`; `stockade keys list` shows those there are")]
    NoSuchKey {
        /// What was asked for, cut and made harmless.
        id: String,
    },
    /// The whole key was given where its id belongs.
    #[error(
        "that is a whole API key, and only its id is wanted, `{id}`; others may have seen it by now, so replace it: `stockade keys rotate {id}`"
    )]
    WholeKey {
        /// Its public part.
        id: String,
    },
    /// A key that does not work cannot be replaced.
    #[error("the API key `{id}` cannot be replaced: {}; make another with `stockade keys add {caller}`", .state)]
    Ended {
        /// The key.
        id: KeyId,
        /// Whose it was.
        caller: CallerName,
        /// Why it does not work.
        state: KeyState,
    },
    /// It was replaced before.
    #[error("the API key `{id}` was replaced by `{by}` before; replace that one, or revoke one of them")]
    ReplacedBefore {
        /// The key.
        id: KeyId,
        /// The key that replaces it.
        by: KeyId,
    },
    /// Something of the new key is not allowed.
    #[error("{what}")]
    NotAllowed {
        /// What.
        what: &'static str,
    },
    /// There are too many.
    #[error("there are {KEYS_LIMIT} API keys, and no more are kept; give callers keys that last, or use tokens")]
    TooMany,
}

impl From<StateError> for ApiKeysError {
    fn from(error: StateError) -> Self {
        Self::State(error)
    }
}

/// One key in the copy.
struct Held {
    digest: Vec<u8>,
    row: KeyRow,
    identity: Identity,
    /// When its use was last noted, of what this copy knows.
    noted: AtomicI64,
}

type Copy = HashMap<String, Held>;

/// The API keys of one data folder.
pub struct ApiKeys {
    state: Arc<State>,
    copy: Mirror<Copy>,
    hmac: hmac::Key,
    rules: KeyRules,
    last_used: LastUsed,
}

impl fmt::Debug for ApiKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKeys(…)")
    }
}

impl ApiKeys {
    /// The keys for a gateway. Keys of the time before environments become keys of this gateway's.
    ///
    /// # Errors
    /// When the state cannot be read or changed.
    pub fn open(state: &Arc<State>, keys: &KeyRing, rules: KeyRules) -> Result<Self, ApiKeysError> {
        let environment = rules.environment.as_str().to_owned();
        state.change(|database| -> Result<(), StateError> {
            let take_over = "UPDATE api_keys SET environment = ?1 WHERE environment IS NULL";
            database.execute(take_over, [environment]).map_err(failed("write to"))?;
            Ok(())
        })?;
        Self::beside(state, keys, rules)
    }

    /// The keys for a command beside a gateway: nothing is taken over, for the command may know nothing of its environment.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn beside(state: &Arc<State>, keys: &KeyRing, rules: KeyRules) -> Result<Self, ApiKeysError> {
        let hmac = hmac::Key::new(hmac::HMAC_SHA256, keys.derive(b"api key digest 1").as_slice());
        let of_rules = rules.clone();
        let copy = Mirror::new(Arc::clone(state), Box::new(move |database| read(database, &of_rules)))?;
        Ok(Self { state: Arc::clone(state), copy, hmac, rules, last_used: LastUsed::default() })
    }

    /// What is asked of every key.
    #[must_use]
    pub const fn rules(&self) -> &KeyRules {
        &self.rules
    }

    /// All keys, oldest first.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn list(&self) -> Result<Vec<KeyRow>, ApiKeysError> {
        let copy = self.copy.now()?;
        let mut rows: Vec<_> = copy.values().map(|held| held.row.clone()).collect();
        rows.sort_by(|one, other| one.created.cmp(&other.created).then_with(|| one.id.as_str().cmp(other.id.as_str())));
        Ok(rows)
    }

    /// The date that keys are judged by: the later one of the wall clock and of the time that was counted since the start.
    #[must_use]
    pub fn today(&self) -> Timestamp {
        self.state.dates().latest()
    }

    /// Whose key this is. Cheap: asked for every message.
    ///
    /// # Errors
    /// When no key has this text, it has ended, it belongs to another environment, or that cannot be known.
    pub fn holder(&self, key: &Secret) -> Result<Identity, IdentityError> {
        let text = key.expose();
        let id = id_of(text);
        // A key that is not known may have been made a moment ago; but strangers must not make us look all the time.
        let patience = if self.copy.stale().contains_key(id) { FRESH } else { EARLY_LOOK };
        let copy = self.copy.within(patience).map_err(|error| unavailable(&error))?;
        // A digest of nothing is compared where there is no such key, so that the work is the same.
        let nothing = [0; 32];
        let held = copy.get(id);
        let digest = held.map_or(nothing.as_slice(), |held| held.digest.as_slice());
        let matches = hmac::verify(&self.hmac, text.as_bytes(), digest).is_ok();
        let held = held.filter(|_| matches).ok_or(IdentityError::UnknownKey)?;
        let now = self.state.dates().latest();
        judge(held, &self.rules, now)?;
        if now.0.saturating_sub(held.noted.load(Ordering::Relaxed)) >= PRECISION {
            held.noted.store(now.0, Ordering::Relaxed);
            self.last_used.note(id, now);
        }
        Ok(held.identity.clone())
    }

    /// Says whether the key `id` still works. Cheap: asked several times a second for whatever is under way.
    ///
    /// # Errors
    /// When it does not, or that cannot be known.
    pub fn stands(&self, id: &str) -> Result<(), IdentityError> {
        let copy = self.copy.within(FRESH).map_err(|error| unavailable(&error))?;
        let held = copy.get(id).ok_or(IdentityError::UnknownKey)?;
        judge(held, &self.rules, self.state.dates().latest())
    }

    /// Writes when keys were last used, for those used since the last time; returns how many. To be called about once a
    /// minute and at the end, by somebody who may wait for the disk.
    ///
    /// # Errors
    /// When it cannot be written; it is tried again the next time.
    pub fn write_last_used(&self) -> Result<usize, ApiKeysError> {
        Ok(self.last_used.write(&self.state)?)
    }
}

fn unavailable(error: &StateError) -> IdentityError {
    IdentityError::Unavailable { reason: error.to_string() }
}

fn judge(held: &Held, rules: &KeyRules, now: Timestamp) -> Result<(), IdentityError> {
    let state = held.row.state(rules, now);
    match state {
        KeyState::Valid | KeyState::Aging { .. } | KeyState::Replaced { .. } => Ok(()),
        KeyState::OfAnotherEnvironment => {
            let made_for = held.row.environment.as_ref().map_or("none", EnvironmentName::as_str);
            let id = held.row.id.as_str();
            let reason =
                format!("the API key `{id}` was made for `{made_for}`, and this gateway is `{}`", rules.environment);
            Err(IdentityError::Rejected { check: "environment", reason })
        }
        KeyState::Revoked { .. }
        | KeyState::Expired { .. }
        | KeyState::ReplacedLongAgo { .. }
        | KeyState::TooOld { .. } => Err(IdentityError::EndedKey { id: held.row.id.to_string() }),
    }
}

/// What [`row_of`] reads.
const COLUMNS: &str = "id, caller, digest, scopes, environment, created, expires, last_used, rotated_from, rotated_to, \
                       overlap_ends, revoked";

fn read(database: &Connection, rules: &KeyRules) -> rusqlite::Result<Copy> {
    let mut statement = database.prepare_cached(&format!("SELECT {COLUMNS} FROM api_keys LIMIT {KEYS_LIMIT}"))?;
    let rows = statement.query_map([], |row| {
        let Some(key) = row_of(row)? else { return Ok(None) };
        let standing = Standing {
            scopes: key.scopes.as_ref().map(|scopes| scopes.as_set().clone()),
            groups: Vec::new(),
            expires: key.ends(rules),
            basis: Basis::Key { id: key.id.to_string() },
            certificate: None,
        };
        let caller = Caller::new(key.caller.clone(), CallerKind::ApiKey);
        let identity = Identity { caller, standing: Arc::new(standing) };
        let noted = AtomicI64::new(key.last_used.map_or(i64::MIN, |time| time.0));
        Ok(Some((key.id.to_string(), Held { digest: row.get("digest")?, row: key, identity, noted })))
    })?;
    rows.filter_map(Result::transpose).collect()
}

/// A key; nothing for one with words that no command of ours writes: a key of somebody who was smuggled in is nobody's.
fn row_of(row: &Row<'_>) -> rusqlite::Result<Option<KeyRow>> {
    let time = |column: &str| row.get::<_, Option<i64>>(column).map(|time| time.map(Timestamp));
    let id = |column: &str| row.get::<_, Option<String>>(column).map(|id| id.map(KeyId::of_database));
    let (caller, scopes, environment): (String, Option<String>, Option<String>) =
        (row.get("caller")?, row.get("scopes")?, row.get("environment")?);
    let caller = CallerName::parse(&caller).ok();
    let scopes = scopes.map(|text| Scopes::of_text(&text)).transpose().ok();
    let environment = environment.map(|text| EnvironmentName::parse(&text)).transpose().ok();
    let (Some(caller), Some(scopes), Some(environment)) = (caller, scopes, environment) else { return Ok(None) };
    Ok(Some(KeyRow {
        id: KeyId::of_database(row.get("id")?),
        caller,
        scopes,
        environment,
        created: Timestamp(row.get("created")?),
        expires: time("expires")?,
        last_used: time("last_used")?,
        rotated_from: id("rotated_from")?,
        rotated_to: id("rotated_to")?,
        overlap_ends: time("overlap_ends")?,
        revoked: time("revoked")?,
    }))
}
