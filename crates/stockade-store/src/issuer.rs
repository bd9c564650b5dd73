//! `issuer.db`: users, clients, consents, families of tokens and signing keys of the embedded authorization server.
//!
//! For: each method of [`IssuerStore`] as one transaction that is on the disk before it returns. What has ended is not there
//! any more: a family that cannot be found is one that has ended, so that nothing has to be believed to be refused.
//! Must never: keep a secret but as a keyed digest or sealed; start empty where something was.

mod clients;
mod families;
mod rows;
mod schema;
mod signing_keys;
mod users;

use crate::data_folder::{DataFolder, draft_of, private};
use crate::key_ring::{KeyRing, SealingKey};
use aws_lc_rs::hmac;
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};
use schema::{MAKE, SCHEMA};
use std::fmt;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use stockade_core::ports::Timestamp;
use stockade_core::words::CallerName;
use stockade_issuer::{
    Begun, CodeRecord, CodeTaken, Consent, FamilyId, FamilyRecord, IssuerStore, IssuerStoreError, KeyedDigest, Only,
    PasswordHash, Purpose, RefreshDigests, RefreshUsed, RegisteredClient, SigningKeyRecord, TokenId, TokenReference,
    UserRecord, UserStamp,
};

/// The longest that a change waits for another process's.
const BUSY: Duration = Duration::from_secs(5);

/// Why the issuer's database cannot be opened. No text holds a path or a secret.
#[derive(Debug, thiserror::Error)]
pub enum IssuerDatabaseError {
    /// The database failed.
    #[error("could not {what} the issuer's database; if it is damaged, restore `issuer.db` from a backup")]
    Database {
        /// What was tried.
        what: &'static str,
        /// What SQLite said.
        #[source]
        cause: rusqlite::Error,
    },
    /// The database's file cannot be made.
    #[error("could not make the issuer's database; check that the data folder is writable and the disk is not full")]
    Folder {
        /// What the operating system said.
        #[source]
        cause: std::io::Error,
    },
    /// The database is damaged.
    #[error(
        "the issuer's database is damaged ({report}); restore `issuer.db` from a backup, or move it away and add the users again"
    )]
    Damaged {
        /// What SQLite found.
        report: String,
    },
    /// A newer version has made it.
    #[error("the issuer's database has schema {found}, this version knows {SCHEMA}; use the newer version")]
    Newer {
        /// Its schema.
        found: i64,
    },
}

/// The database of the embedded authorization server of one data folder.
pub struct IssuerDatabase {
    writer: Mutex<Connection>,
    /// Whether a token is revoked is asked for each message; that must not wait for a disk.
    reader: Mutex<Connection>,
    hmac: hmac::Key,
    seal: SealingKey,
}

impl fmt::Debug for IssuerDatabase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IssuerDatabase(…)")
    }
}

/// What a transaction may end by.
enum Fault {
    Sql(rusqlite::Error),
    Store(IssuerStoreError),
}

impl From<rusqlite::Error> for Fault {
    fn from(cause: rusqlite::Error) -> Self {
        Self::Sql(cause)
    }
}

impl From<IssuerStoreError> for Fault {
    fn from(error: IssuerStoreError) -> Self {
        Self::Store(error)
    }
}

impl Fault {
    fn told(self, what: &'static str) -> IssuerStoreError {
        match self {
            Self::Sql(cause) => IssuerStoreError::Unavailable { what, cause: Box::new(cause) },
            Self::Store(error) => error,
        }
    }
}

fn failed(what: &'static str) -> impl FnOnce(rusqlite::Error) -> IssuerDatabaseError {
    move |cause| IssuerDatabaseError::Database { what, cause }
}

impl IssuerDatabase {
    /// Opens the database, or makes an empty one where there is none.
    ///
    /// # Errors
    /// When it is damaged, newer, or cannot be opened. A damaged one is never taken for an empty one.
    pub fn open(folder: &DataFolder, keys: &KeyRing) -> Result<Self, IssuerDatabaseError> {
        let path = folder.path().join("issuer.db");
        if !path.try_exists().map_err(|cause| IssuerDatabaseError::Folder { cause })? {
            make_database(&path)?;
        }
        let writer = open_existing(&path)?;
        let report: String =
            writer.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(failed("check"))?;
        if report != "ok" {
            return Err(IssuerDatabaseError::Damaged { report });
        }
        let found: i64 = writer.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(failed("check"))?;
        match found {
            SCHEMA => {}
            // A database that is there was made as a whole: one without a schema has lost what it held.
            i64::MIN..=0 => return Err(IssuerDatabaseError::Damaged { report: format!("it has no schema ({found})") }),
            found => return Err(IssuerDatabaseError::Newer { found }),
        }
        // What is deleted is overwritten: digests and sealed keys of what has ended are nobody's business.
        let settings = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA secure_delete = ON;";
        writer.execute_batch(settings).map_err(failed("open"))?;
        let reader = open_existing(&path)?;
        reader.execute_batch("PRAGMA query_only = TRUE;").map_err(failed("open"))?;
        Ok(Self {
            writer: Mutex::new(writer),
            reader: Mutex::new(reader),
            hmac: hmac::Key::new(hmac::HMAC_SHA256, keys.derive(b"issuer digests 1").as_slice()),
            seal: keys.sealing_key_for(b"seal issuer signing keys 1"),
        })
    }

    /// Changes something, as a whole or not at all. It is on the disk once this returns.
    fn change<T>(&self, change: impl FnOnce(&Transaction<'_>) -> Result<T, Fault>) -> Result<T, IssuerStoreError> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let done = || -> Result<T, Fault> {
            // Immediate: what `change` reads is what it changes, whoever else wants to.
            let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let changed = change(&transaction)?;
            transaction.commit()?;
            Ok(changed)
        };
        done().map_err(|fault| fault.told("write to"))
    }

    /// Reads something as it is now.
    fn read<T>(&self, read: impl FnOnce(&Connection) -> Result<T, Fault>) -> Result<T, IssuerStoreError> {
        let reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        read(&reader).map_err(|fault| fault.told("read"))
    }
}

impl IssuerStore for IssuerDatabase {
    fn digest(&self, purpose: Purpose, secret: &str) -> KeyedDigest {
        let mut context = hmac::Context::with_key(&self.hmac);
        // The word ends in a zero, which none holds: no word and secret together can be another's.
        context.update(purpose.as_str().as_bytes());
        context.update(&[0]);
        context.update(secret.as_bytes());
        let mut digest = [0; 32];
        digest.iter_mut().zip(context.sign().as_ref()).for_each(|(to, from)| *to = *from);
        KeyedDigest(digest)
    }

    fn add_user(&self, user: &UserRecord) -> Result<bool, IssuerStoreError> {
        self.change(|database| users::add(database, user))
    }

    fn user(&self, name: &CallerName) -> Result<Option<UserRecord>, IssuerStoreError> {
        self.read(|database| users::find(database, name))
    }

    fn users(&self) -> Result<Vec<UserRecord>, IssuerStoreError> {
        self.read(users::all)
    }

    fn remove_user(&self, name: &CallerName, _: Timestamp) -> Result<bool, IssuerStoreError> {
        self.change(|database| users::remove(database, name))
    }

    fn set_password(
        &self,
        name: &CallerName,
        password: &PasswordHash,
        stamp: &UserStamp,
        now: Timestamp,
    ) -> Result<bool, IssuerStoreError> {
        self.change(|database| users::set_password(database, name, (password, stamp), now))
    }

    fn add_client(&self, client: &RegisteredClient) -> Result<(), IssuerStoreError> {
        self.change(|database| clients::add(database, client))
    }

    fn client(&self, id: &str) -> Result<Option<RegisteredClient>, IssuerStoreError> {
        self.read(|database| clients::find(database, id))
    }

    fn is_consented(&self, consent: &Consent) -> Result<bool, IssuerStoreError> {
        self.read(|database| clients::is_consented(database, consent))
    }

    fn remember_consent(&self, consent: &Consent, now: Timestamp) -> Result<(), IssuerStoreError> {
        self.change(|database| clients::remember_consent(database, consent, now))
    }

    fn begin_family(
        &self,
        family: &FamilyRecord,
        code: &CodeRecord,
        stamp: &UserStamp,
    ) -> Result<Begun, IssuerStoreError> {
        self.change(|database| families::begin(database, family, code, stamp))
    }

    fn take_code(&self, digest: &KeyedDigest, now: Timestamp) -> Result<CodeTaken, IssuerStoreError> {
        self.change(|database| families::take_code(database, digest, now))
    }

    fn start_family(
        &self,
        family: &FamilyId,
        refresh: Option<&RefreshDigests>,
        now: Timestamp,
    ) -> Result<bool, IssuerStoreError> {
        self.change(|database| families::start(database, family, refresh, now))
    }

    fn family_of(&self, handle: &KeyedDigest, now: Timestamp) -> Result<Option<FamilyRecord>, IssuerStoreError> {
        self.read(|database| families::find(database, handle, now))
    }

    fn use_refresh(
        &self,
        presented: &RefreshDigests,
        next: &KeyedDigest,
        now: Timestamp,
    ) -> Result<RefreshUsed, IssuerStoreError> {
        self.change(|database| families::use_refresh(database, presented, next, now))
    }

    fn end_family(&self, family: &FamilyId, _: Timestamp) -> Result<(), IssuerStoreError> {
        self.change(|database| families::end(database, family))
    }

    fn end_token(&self, token: &TokenId, ends: Timestamp) -> Result<(), IssuerStoreError> {
        self.change(|database| families::end_token(database, token, ends))
    }

    fn is_revoked(&self, token: TokenReference<'_>) -> Result<bool, IssuerStoreError> {
        self.read(|database| families::is_revoked(database, token))
    }

    fn signing_keys(&self) -> Result<Vec<SigningKeyRecord>, IssuerStoreError> {
        self.read(|database| signing_keys::all(database, &self.seal))
    }

    fn keep_signing_key(&self, key: &SigningKeyRecord, when: Only) -> Result<bool, IssuerStoreError> {
        self.change(|database| signing_keys::keep(database, &self.seal, key, when))
    }

    fn forget_signing_key(&self, id: &str) -> Result<(), IssuerStoreError> {
        self.change(|database| signing_keys::forget(database, id))
    }

    fn tidy(&self, now: Timestamp) -> Result<(), IssuerStoreError> {
        self.change(|database| {
            families::tidy(database, now)?;
            clients::tidy(database, now)
        })
    }
}

/// Makes an empty database beside `path` and links it into place: a start that is cut off leaves none, and of two starts at
/// once one wins.
fn make_database(path: &Path) -> Result<(), IssuerDatabaseError> {
    let folder = |cause| IssuerDatabaseError::Folder { cause };
    let beside = draft_of(path);
    // SQLite makes files by the process's mask, so the file is made before, for us alone.
    private().write(true).create_new(true).open(&beside).map_err(folder)?;
    let made = open_existing(&beside).and_then(|database| {
        database.execute_batch(MAKE).map_err(failed("make"))?;
        database.close().map_err(|(_, cause)| IssuerDatabaseError::Database { what: "make", cause })
    });
    let linked = made.and_then(|()| match std::fs::hard_link(&beside, path) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(folder(error)),
        _ => Ok(()),
    });
    let removed = std::fs::remove_file(&beside).map_err(folder);
    linked.and(removed)
}

/// Never makes a database; files of SQLite beside it get its mode.
fn open_existing(path: &Path) -> Result<Connection, IssuerDatabaseError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let database = Connection::open_with_flags(path, flags).map_err(failed("open"))?;
    database.busy_timeout(BUSY).map_err(failed("open"))?;
    Ok(database)
}
