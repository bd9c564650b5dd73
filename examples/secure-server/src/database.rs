//! The sample database, opened so that a statement can do nothing but read and compute.
//!
//! Must never: hand out a connection that can write, attach, load code, or outgrow the limits below.

use crate::authorizer::judge;
use crate::sample::{self, SampleError};
use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;
use rusqlite::{Connection, OpenFlags};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Bytes that all queries of the process may hold together; SQLite answers "out of memory" beyond.
const HEAP_BYTES: i64 = 64 << 20;
/// What one statement may be made of. The length of one value bounds what a single instruction can cost: searching half
/// of it in the other half takes some ten milliseconds, and between two instructions the deadline is looked at.
const LIMITS: &[(Limit, i32)] = &[
    (Limit::SQLITE_LIMIT_LENGTH, 64 << 10),
    (Limit::SQLITE_LIMIT_SQL_LENGTH, 4 << 10),
    (Limit::SQLITE_LIMIT_COLUMN, 100),
    (Limit::SQLITE_LIMIT_EXPR_DEPTH, 100),
    (Limit::SQLITE_LIMIT_COMPOUND_SELECT, 50),
    (Limit::SQLITE_LIMIT_VDBE_OP, 25_000),
    (Limit::SQLITE_LIMIT_FUNCTION_ARG, 32),
    (Limit::SQLITE_LIMIT_ATTACHED, 0),
    (Limit::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 64),
    (Limit::SQLITE_LIMIT_VARIABLE_NUMBER, 1),
    (Limit::SQLITE_LIMIT_TRIGGER_DEPTH, 1),
    (Limit::SQLITE_LIMIT_WORKER_THREADS, 0),
];

/// Why there is no database to query.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// It was not there and could not be made.
    #[error("could not make the sample database in `{}`", .folder.display().to_string().escape_debug())]
    Sample {
        /// The data folder.
        folder: PathBuf,
        /// What happened.
        #[source]
        cause: SampleError,
    },
    /// It is there and cannot be read.
    #[error("could not read the sample database `{}`; delete it to have it made anew", .path.display().to_string().escape_debug())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        #[source]
        cause: rusqlite::Error,
    },
}

/// The sample database: where it is, and the tables that may be read.
#[derive(Debug, Clone)]
pub struct Database {
    path: PathBuf,
    tables: Arc<[String]>,
}

impl Database {
    /// Opens the database in the folder `data`; makes both if they are missing.
    ///
    /// # Errors
    /// When it can neither be read nor made.
    pub fn open(data: &Path) -> Result<Self, OpenError> {
        let path = sample::prepare(data).map_err(|cause| OpenError::Sample { folder: data.to_owned(), cause })?;
        let tables = read_only(&path).and_then(|connection| tables_of(&connection));
        match tables {
            Ok(tables) => Ok(Self { path, tables }),
            Err(cause) => Err(OpenError::Unreadable { path, cause }),
        }
    }

    /// A connection for one query. A fresh one each time: nothing of one caller's query is left for the next.
    pub(crate) fn connect(&self) -> Result<Connection, rusqlite::Error> {
        let mut connection = read_only(&self.path)?;
        for (limit, value) in LIMITS {
            connection.set_limit(*limit, *value)?;
        }
        let tables = Arc::clone(&self.tables);
        connection.authorizer(Some(move |context: rusqlite::hooks::AuthContext<'_>| judge(&context, &tables)))?;
        Ok(connection)
    }
}

fn read_only(path: &Path) -> Result<Connection, rusqlite::Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
    // A word in double quotes is a name and never text: a misspelt column must not become a constant.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, false)?;
    connection.pragma_update(None, "query_only", true)?;
    // Large sorts would go to files otherwise; in memory the heap's limit holds for them too.
    connection.pragma_update(None, "temp_store", "memory")?;
    connection.pragma_update(None, "hard_heap_limit", HEAP_BYTES)?;
    Ok(connection)
}

fn tables_of(connection: &Connection) -> Result<Arc<[String]>, rusqlite::Error> {
    let mut statement = connection
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'")?;
    let names = statement.query_map([], |row| row.get::<_, String>(0))?;
    names.collect()
}
