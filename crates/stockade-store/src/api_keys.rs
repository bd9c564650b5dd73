//! The callers' API keys: `stk_` + id + `_` + 256 random bits. Kept as keyed digests only.
//!
//! Lookups go to a copy in memory, which follows the database within [`FRESH`]: what a command beside us revokes ends within
//! that time, what it adds works at once.

use crate::data_folder::{DataFolder, draft_of, private};
use crate::key_ring::{KeyRing, OsEntropy};
use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rusqlite::{Connection, OpenFlags, OptionalExtension, params};
use std::collections::HashMap;
use std::fmt;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use stockade_core::ports::{Entropy, Identities, IdentityError, Timestamp};
use stockade_core::words::{Caller, CallerKind, CallerName, Secret};
use zeroize::Zeroizing;

/// How old the copy in memory may be.
const FRESH: Duration = Duration::from_millis(200);
/// How often an unknown key may make us look at the database ahead of time.
const EARLY_LOOK: Duration = Duration::from_millis(20);
/// The longest that a write waits for another process's.
const BUSY: Duration = Duration::from_secs(5);
/// The schema that this version reads and writes.
const SCHEMA: i64 = 1;
/// Makes it.
const MAKE: &str = "PRAGMA synchronous = FULL;
    BEGIN IMMEDIATE;
    CREATE TABLE api_keys (
        id TEXT PRIMARY KEY, caller TEXT NOT NULL, digest BLOB NOT NULL,
        created INTEGER NOT NULL, expires INTEGER, revoked INTEGER
    ) STRICT;
    PRAGMA user_version = 1;
    COMMIT;";
/// What ids are made of: none begins with a `-`, which a command line would take for an option.
const ID_ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
const ID_CHARACTERS: usize = 8;

/// Why API keys cannot be used. No text holds a key.
#[derive(Debug, thiserror::Error)]
pub enum ApiKeysError {
    /// The database failed.
    #[error("could not {what} the key database; if it is damaged, restore `state.db` from a backup")]
    Database {
        /// What was tried.
        what: &'static str,
        /// What SQLite said.
        #[source]
        cause: rusqlite::Error,
    },
    /// The database's file cannot be made.
    #[error("could not make the key database; check that the data folder is writable and the disk is not full")]
    Folder {
        /// What the operating system said.
        #[source]
        cause: std::io::Error,
    },
    /// The database is damaged.
    #[error(
        "the key database is damaged ({report}); restore `state.db` from a backup, or move it away and make new keys"
    )]
    Damaged {
        /// What SQLite found.
        report: String,
    },
    /// A newer version has made it.
    #[error("the key database has schema {found}, this version knows {SCHEMA}; use the newer version")]
    Newer {
        /// Its schema.
        found: i64,
    },
    /// There is no such key.
    #[error("there is no API key `{id}`; `stockade keys list` shows those there are")]
    NoSuchKey {
        /// What was asked for.
        id: String,
    },
}

/// The public part of a key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct KeyId(String);

impl KeyId {
    /// The id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One key as a list shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRow {
    /// Its public part.
    pub id: KeyId,
    /// Whose it is.
    pub caller: CallerName,
    /// When it was made.
    pub created: Timestamp,
    /// When it ends by itself.
    pub expires: Option<Timestamp>,
    /// When it was revoked.
    pub revoked: Option<Timestamp>,
}

struct Held {
    digest: Vec<u8>,
    row: KeyRow,
}

#[derive(Default)]
struct Copy {
    keys: HashMap<String, Held>,
    looked: Option<Instant>,
    version: i64,
}

/// The API keys of one data folder.
pub struct ApiKeys {
    database: Mutex<Connection>,
    copy: Mutex<Copy>,
    hmac: hmac::Key,
}

impl fmt::Debug for ApiKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKeys(…)")
    }
}

fn failed(what: &'static str) -> impl FnOnce(rusqlite::Error) -> ApiKeysError {
    move |cause| ApiKeysError::Database { what, cause }
}

impl ApiKeys {
    /// Opens the keys, or makes an empty database where there is none.
    ///
    /// # Errors
    /// When the database is damaged, newer, or cannot be opened. A damaged one is never taken for an empty one.
    pub fn open(folder: &DataFolder, keys: &KeyRing) -> Result<Self, ApiKeysError> {
        let path = folder.database();
        if !path.try_exists().map_err(|cause| ApiKeysError::Folder { cause })? {
            make_database(&path)?;
        }
        let database = open_existing(&path)?;
        let report: String =
            database.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(failed("check"))?;
        if report != "ok" {
            return Err(ApiKeysError::Damaged { report });
        }
        let found: i64 = database.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(failed("check"))?;
        match found {
            SCHEMA => {}
            // A database that is there was made as a whole: an empty one has lost what it held.
            0 => return Err(ApiKeysError::Damaged { report: "it is empty".to_owned() }),
            found => return Err(ApiKeysError::Newer { found }),
        }
        let settings = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;";
        database.execute_batch(settings).map_err(failed("open"))?;
        let hmac = hmac::Key::new(hmac::HMAC_SHA256, keys.derive(b"api key digest 1").as_slice());
        let all = Self { database: Mutex::new(database), copy: Mutex::default(), hmac };
        all.look(&mut all.lock_copy())?;
        Ok(all)
    }

    fn lock_copy(&self) -> std::sync::MutexGuard<'_, Copy> {
        self.copy.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_database(&self) -> std::sync::MutexGuard<'_, Connection> {
        self.database.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a key for `caller`. The text is shown once and kept nowhere.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn add(&self, caller: &CallerName, now: Timestamp) -> Result<(KeyId, Secret), ApiKeysError> {
        let mut id = [0; ID_CHARACTERS];
        let mut secret = Zeroizing::new([0; 32]);
        OsEntropy.fill(&mut id);
        OsEntropy.fill(secret.as_mut_slice());
        let character = |byte: &u8| ID_ALPHABET.get(usize::from(byte & 31)).map(|letter| char::from(*letter));
        let id: String = id.iter().filter_map(character).collect();
        let secret = Zeroizing::new(URL_SAFE_NO_PAD.encode(secret.as_slice()));
        let text = format!("stk_{id}_{}", secret.as_str());
        let digest = hmac::sign(&self.hmac, text.as_bytes());
        self.lock_database()
            .execute(
                "INSERT INTO api_keys (id, caller, digest, created) VALUES (?1, ?2, ?3, ?4)",
                params![id, caller.as_str(), digest.as_ref(), now.0],
            )
            .map_err(failed("write to"))?;
        self.look(&mut self.lock_copy())?;
        Ok((KeyId(id), Secret::new(text)))
    }

    /// All keys, oldest first.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn list(&self) -> Result<Vec<KeyRow>, ApiKeysError> {
        let mut copy = self.lock_copy();
        self.look(&mut copy)?;
        let mut rows: Vec<_> = copy.keys.values().map(|held| held.row.clone()).collect();
        rows.sort_by(|one, other| one.created.cmp(&other.created).then_with(|| one.id.0.cmp(&other.id.0)));
        Ok(rows)
    }

    /// Ends a key for good.
    ///
    /// # Errors
    /// When there is no such key, or it cannot be written.
    pub fn revoke(&self, id: &str, now: Timestamp) -> Result<(), ApiKeysError> {
        let changed = self
            .lock_database()
            .query_row(
                "UPDATE api_keys SET revoked = coalesce(revoked, ?2) WHERE id = ?1 RETURNING id",
                params![id, now.0],
                |_| Ok(()),
            )
            .optional()
            .map_err(failed("write to"))?;
        changed.ok_or_else(|| ApiKeysError::NoSuchKey { id: id.chars().take(40).collect() })?;
        self.look(&mut self.lock_copy())
    }

    /// Brings the copy up to date.
    fn look(&self, copy: &mut Copy) -> Result<(), ApiKeysError> {
        let database = self.lock_database();
        let read = || -> rusqlite::Result<HashMap<String, Held>> {
            let mut statement =
                database.prepare_cached("SELECT id, caller, digest, created, expires, revoked FROM api_keys")?;
            let rows = statement.query_map([], |row| {
                let id: String = row.get(0)?;
                let caller: String = row.get(1)?;
                let held = CallerName::parse(&caller).ok().map(|caller| (caller, row.get::<_, Vec<u8>>(2)));
                let Some((caller, digest)) = held else { return Ok(None) };
                let row = KeyRow {
                    id: KeyId(id.clone()),
                    caller,
                    created: Timestamp(row.get(3)?),
                    expires: row.get::<_, Option<i64>>(4)?.map(Timestamp),
                    revoked: row.get::<_, Option<i64>>(5)?.map(Timestamp),
                };
                Ok(Some((id, Held { digest: digest?, row })))
            })?;
            rows.filter_map(Result::transpose).collect()
        };
        // The version is asked before the keys, and kept only with them: what changes in between, or cannot be read, is asked
        // for again, and nobody gets in by an older copy.
        let version = data_version(&database).map_err(failed("read"))?;
        copy.keys = read().map_err(failed("read"))?;
        copy.version = version;
        copy.looked = Some(Instant::now());
        Ok(())
    }

    /// The same, if the database has changed since.
    fn look_if_changed(&self, copy: &mut Copy) -> Result<(), ApiKeysError> {
        let version = data_version(&self.lock_database()).map_err(failed("read"))?;
        if version != copy.version {
            return self.look(copy);
        }
        copy.looked = Some(Instant::now());
        Ok(())
    }
}

/// Makes an empty database beside `path` and links it into place: a start that is cut off leaves none, and of two starts at
/// once one wins.
fn make_database(path: &Path) -> Result<(), ApiKeysError> {
    let folder = |cause| ApiKeysError::Folder { cause };
    let beside = draft_of(path);
    // SQLite makes files by the process's mask, so the file is made before, for us alone.
    private().write(true).create_new(true).open(&beside).map_err(folder)?;
    let made = open_existing(&beside).and_then(|database| {
        database.execute_batch(MAKE).map_err(failed("make"))?;
        database.close().map_err(|(_, cause)| ApiKeysError::Database { what: "make", cause })
    });
    let linked = made.and_then(|()| match std::fs::hard_link(&beside, path) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(folder(error)),
        _ => Ok(()),
    });
    let removed = std::fs::remove_file(&beside).map_err(folder);
    linked.and(removed)
}

/// Never makes a database; files of SQLite beside it get its mode.
fn open_existing(path: &Path) -> Result<Connection, ApiKeysError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let database = Connection::open_with_flags(path, flags).map_err(failed("open"))?;
    database.busy_timeout(BUSY).map_err(failed("open"))?;
    Ok(database)
}

/// Changes when another connection has changed the database (SQLite `PRAGMA data_version`).
fn data_version(database: &Connection) -> rusqlite::Result<i64> {
    database.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get(0))
}

/// The id in a key's text. For a text that is no key it is one that no key has, so that both cost the same.
fn id_of(text: &str) -> &str {
    let id = text.strip_prefix("stk_").and_then(|rest| rest.split_once('_')).map(|(id, _)| id);
    id.filter(|id| id.len() == ID_CHARACTERS).unwrap_or_default()
}

impl Identities for ApiKeys {
    fn caller_of_key(&self, key: &Secret) -> Result<Caller, IdentityError> {
        let unreadable = |error: ApiKeysError| IdentityError::Unreadable { reason: error.to_string() };
        let text = key.expose();
        let mut copy = self.lock_copy();
        // A key that is not known may have been made a moment ago; but strangers must not make us look all the time.
        let patience = if copy.keys.contains_key(id_of(text)) { FRESH } else { EARLY_LOOK };
        if copy.looked.is_none_or(|looked| looked.elapsed() > patience) {
            self.look_if_changed(&mut copy).map_err(unreadable)?;
        }
        // A digest of nothing is compared where there is no such key, so that the work is the same.
        let nothing = [0; 32];
        let held = copy.keys.get(id_of(text));
        let digest = held.map_or(nothing.as_slice(), |held| held.digest.as_slice());
        let matches = hmac::verify(&self.hmac, text.as_bytes(), digest).is_ok();
        let Some(held) = held.filter(|_| matches) else { return Err(IdentityError::UnknownKey) };
        if held.row.revoked.is_some() || held.row.expires.is_some_and(|at| at <= wall()) {
            return Err(IdentityError::EndedKey { id: held.row.id.0.clone() });
        }
        Ok(Caller { name: held.row.caller.clone(), kind: CallerKind::ApiKey })
    }
}

/// Whether a key has expired is asked of the wall clock; no port reaches down here.
#[expect(clippy::disallowed_methods, reason = "expiry is a date, and this crate has no other clock")]
fn wall() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}
