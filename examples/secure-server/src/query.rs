//! One query: prepared, checked, run within its budget, and turned into JSON.
//!
//! Must never: run a statement that writes, go on after the deadline or a cancellation, or return more than the budget.

use crate::database::Database;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, ErrorCode, Row};
use serde::Serialize;
use serde_json::{Number, Value};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Instructions of SQLite's machine between two looks at the clock. Few, because one of them may take milliseconds.
const INSTRUCTIONS_BETWEEN_LOOKS: i32 = 16;
/// Characters of SQLite's message that a caller gets to see.
const MESSAGE_CHARACTERS: usize = 200;

/// What one query may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Rows that are returned.
    pub rows: usize,
    /// Bytes of the answer as JSON.
    pub bytes: usize,
    /// From the start of the query to its interruption.
    pub time: Duration,
}

impl Budget {
    /// 100 rows, 64 KiB, 5 s.
    pub const DEFAULT: Self = Self { rows: 100, bytes: 64 << 10, time: Duration::from_secs(5) };
}

/// Ends a running query from outside. Cloning gives another handle of the same one.
#[derive(Debug, Clone, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// The query ends at its next look, within milliseconds.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// What a query found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Answer {
    /// The names of the columns, in order; they need not differ.
    pub columns: Vec<String>,
    /// The rows, each with one value for each column. Blobs are written as SQL does (`x'00ff'`), infinities as text.
    pub rows: Vec<Vec<Value>>,
    /// True if there was more than the budget allows.
    pub truncated: bool,
}

/// Why there is no answer. The texts are for the caller; those of the security guide are kept letter for letter.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// The time is over.
    #[error("Timeout")]
    TimedOut,
    /// The caller took the call back.
    #[error("Cancelled")]
    Cancelled,
    /// The statement wants to do something else than reading the sample tables.
    #[error("Permission denied: only SELECT over the sample tables is allowed")]
    Forbidden,
    /// No statement that returns rows, or more than one.
    #[error("Query failed: write one SELECT statement")]
    NotOneSelect,
    /// The query needs more memory than all queries together may have.
    #[error("Query failed: it needs too much memory")]
    TooMuchMemory,
    /// SQLite could not make sense of it.
    #[error("Query failed: {message}")]
    Failed {
        /// SQLite's words, escaped and cut.
        message: String,
    },
}

impl Database {
    /// Runs one query.
    ///
    /// # Errors
    /// `TimedOut` once `budget.time` is over, `Cancelled` after `cancel`, `Forbidden` for anything but reading; the
    /// statement has ended when this returns.
    pub fn query(&self, text: &str, budget: Budget, cancel: &Cancel) -> Result<Answer, QueryError> {
        let failed = |error| explain(&error, cancel);
        let mut connection = self.connect().map_err(failed)?;
        watch(&mut connection, budget.time, cancel).map_err(failed)?;
        let mut statement = connection.prepare(text).map_err(failed)?;
        // The authorizer has refused every statement that writes; this holds even if it had a hole.
        if !statement.readonly() {
            return Err(QueryError::Forbidden);
        }
        if statement.column_count() == 0 {
            return Err(QueryError::NotOneSelect);
        }
        let columns: Vec<String> = statement.column_names().map(str::to_owned).collect();
        let width = columns.len();
        let mut left = budget.bytes.saturating_sub(json_length(&columns));
        let mut answer = Answer { columns, rows: Vec::new(), truncated: false };
        let mut rows = statement.query([]).map_err(failed)?;
        while let Some(row) = rows.next().map_err(failed)? {
            let values = values_of(row, width).map_err(failed)?;
            // One more for the comma between rows.
            let length = json_length(&values).saturating_add(1);
            if answer.rows.len() == budget.rows || length > left {
                answer.truncated = true;
                break;
            }
            left -= length;
            answer.rows.push(values);
        }
        Ok(answer)
    }
}

/// Lets SQLite ask, while it prepares and runs, whether it should stop.
fn watch(connection: &mut Connection, time: Duration, cancel: &Cancel) -> Result<(), rusqlite::Error> {
    let start = Instant::now();
    let cancel = cancel.clone();
    let over = move || cancel.is_cancelled() || start.elapsed() >= time;
    connection.progress_handler(INSTRUCTIONS_BETWEEN_LOOKS, Some(over))
}

fn values_of(row: &Row<'_>, width: usize) -> Result<Vec<Value>, rusqlite::Error> {
    (0..width).map(|column| row.get_ref(column).map(json_of)).collect()
}

fn json_of(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::from(number),
        // JSON has no infinities (RFC 8259 §6); SQLite has no other number that JSON lacks.
        ValueRef::Real(number) => {
            Number::from_f64(number).map_or_else(|| Value::from(number.to_string()), Value::Number)
        }
        ValueRef::Text(bytes) => Value::from(String::from_utf8_lossy(bytes)),
        ValueRef::Blob(bytes) => {
            let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            Value::from(format!("x'{digits}'"))
        }
    }
}

/// Bytes as compact JSON; what cannot be written is too long for every budget.
fn json_length(value: &impl Serialize) -> usize {
    serde_json::to_vec(value).map_or(usize::MAX, |bytes| bytes.len())
}

fn explain(error: &rusqlite::Error, cancel: &Cancel) -> QueryError {
    match error {
        rusqlite::Error::MultipleStatement => QueryError::NotOneSelect,
        rusqlite::Error::SqliteFailure(failure, message) => match failure.code {
            ErrorCode::OperationInterrupted if cancel.is_cancelled() => QueryError::Cancelled,
            ErrorCode::OperationInterrupted => QueryError::TimedOut,
            ErrorCode::AuthorizationForStatementDenied | ErrorCode::ReadOnly => QueryError::Forbidden,
            ErrorCode::OutOfMemory => QueryError::TooMuchMemory,
            _ => QueryError::Failed { message: cut(message.as_deref().unwrap_or("unknown error")) },
        },
        rusqlite::Error::SqlInputError { error, msg, .. } => {
            // SQLite gives the authorizer's word about a function, and "no such" things, as errors of the text.
            let denied = error.code == ErrorCode::AuthorizationForStatementDenied || msg.starts_with("not authorized");
            if denied { QueryError::Forbidden } else { QueryError::Failed { message: cut(msg) } }
        }
        other => QueryError::Failed { message: cut(&other.to_string()) },
    }
}

fn cut(message: &str) -> String {
    message.chars().take(MESSAGE_CHARACTERS).flat_map(char::escape_debug).collect()
}
