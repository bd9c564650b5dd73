//! Users. A user who goes, or gets another password, takes everything along that was begun under the old one.

use super::Fault;
use super::rows::damaged;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use stockade_core::ports::Timestamp;
use stockade_core::words::CallerName;
use stockade_issuer::{IssuerStoreError, PasswordHash, USERS, UserRecord, UserStamp};

const COLUMNS: &str = "name, password, stamp, created, changed";

pub(super) fn add(database: &Transaction<'_>, user: &UserRecord) -> Result<bool, Fault> {
    if find(database, &user.name)?.is_some() {
        return Ok(false);
    }
    let count: u32 = database.query_row("SELECT count(*) FROM users", [], |row| row.get(0))?;
    if count >= USERS {
        return Err(IssuerStoreError::Full { what: "users", limit: USERS }.into());
    }
    let UserRecord { name, password, stamp, created, changed } = user;
    database.execute(
        "INSERT INTO users (name, password, stamp, created, changed) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![name.as_str(), password.to_text(), stamp.as_str(), created.0, changed.0],
    )?;
    // Whatever an earlier user of this name has left must not be theirs.
    forget_all_of(database, name)?;
    Ok(true)
}

pub(super) fn find(database: &Connection, name: &CallerName) -> Result<Option<UserRecord>, Fault> {
    let mut statement = database.prepare_cached(&format!("SELECT {COLUMNS} FROM users WHERE name = ?1"))?;
    let found = statement.query_row([name.as_str()], |row| Ok(user_of(row))).optional()?;
    found.transpose()
}

pub(super) fn all(database: &Connection) -> Result<Vec<UserRecord>, Fault> {
    let mut statement = database.prepare_cached(&format!("SELECT {COLUMNS} FROM users ORDER BY name LIMIT ?1"))?;
    let rows = statement.query_map([USERS], |row| Ok(user_of(row)))?;
    rows.map(|row| row.map_err(Fault::from).and_then(|user| user)).collect()
}

pub(super) fn remove(database: &Transaction<'_>, name: &CallerName) -> Result<bool, Fault> {
    let removed = database.execute("DELETE FROM users WHERE name = ?1", [name.as_str()])?;
    forget_all_of(database, name)?;
    Ok(removed > 0)
}

pub(super) fn set_password(
    database: &Transaction<'_>,
    name: &CallerName,
    (password, stamp): (&PasswordHash, &UserStamp),
    now: Timestamp,
) -> Result<bool, Fault> {
    let changed = database.execute(
        "UPDATE users SET password = ?2, stamp = ?3, changed = ?4 WHERE name = ?1",
        params![name.as_str(), password.to_text(), stamp.as_str(), now.0],
    )?;
    database.execute("DELETE FROM families WHERE user = ?1", [name.as_str()])?;
    Ok(changed > 0)
}

fn forget_all_of(database: &Transaction<'_>, name: &CallerName) -> Result<(), Fault> {
    database.execute("DELETE FROM families WHERE user = ?1", [name.as_str()])?;
    database.execute("DELETE FROM consents WHERE user = ?1", [name.as_str()])?;
    Ok(())
}

fn user_of(row: &Row<'_>) -> Result<UserRecord, Fault> {
    let (name, password, stamp): (String, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
    let wrong = || damaged("a user");
    Ok(UserRecord {
        name: CallerName::parse(&name).map_err(|_| wrong())?,
        password: PasswordHash::parse(&password).ok_or_else(wrong)?,
        stamp: UserStamp::parse(&stamp).ok_or_else(wrong)?,
        created: Timestamp(row.get(3)?),
        changed: Timestamp(row.get(4)?),
    })
}
