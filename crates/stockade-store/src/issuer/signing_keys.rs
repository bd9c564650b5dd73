//! Signing keys, sealed: the database alone signs nothing.

use super::Fault;
use super::rows::damaged;
use crate::key_ring::SealingKey;
use rusqlite::{Connection, Transaction, params};
use stockade_core::ports::{Seals, Timestamp};
use stockade_issuer::{IssuerStoreError, Only, SIGNING_KEYS, SigningKeyRecord};
use zeroize::Zeroizing;

pub(super) fn all(database: &Connection, seal: &SealingKey) -> Result<Vec<SigningKeyRecord>, Fault> {
    let mut statement =
        database.prepare_cached("SELECT id, sealed, signs_from FROM signing_keys ORDER BY signs_from, id LIMIT ?1")?;
    let rows = statement.query_map([SIGNING_KEYS], |row| {
        Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, i64>(2)?))
    })?;
    rows.map(|row| {
        let (id, sealed, signs_from) = row?;
        let pkcs8 = seal.open(&context(&id), &sealed).ok_or_else(|| damaged("a signing key"))?;
        Ok(SigningKeyRecord { id, pkcs8: Zeroizing::new(pkcs8), signs_from: Timestamp(signs_from) })
    })
    .collect()
}

pub(super) fn keep(
    database: &Transaction<'_>,
    seal: &SealingKey,
    key: &SigningKeyRecord,
    when: Only,
) -> Result<bool, Fault> {
    let count: u32 = database.query_row("SELECT count(*) FROM signing_keys", [], |row| row.get(0))?;
    match when {
        Only::IfNone if count > 0 => return Ok(false),
        Only::Always if count >= SIGNING_KEYS => {
            return Err(IssuerStoreError::Full { what: "signing keys", limit: SIGNING_KEYS }.into());
        }
        Only::IfNone | Only::Always => {}
    }
    let SigningKeyRecord { id, pkcs8, signs_from } = key;
    database.execute(
        "INSERT INTO signing_keys (id, sealed, signs_from) VALUES (?1, ?2, ?3)",
        params![id, seal.seal(&context(id), pkcs8), signs_from.0],
    )?;
    Ok(true)
}

pub(super) fn forget(database: &Transaction<'_>, id: &str) -> Result<(), Fault> {
    database.execute("DELETE FROM signing_keys WHERE id = ?1", [id])?;
    Ok(())
}

/// A sealed key opens under its own name only.
fn context(id: &str) -> Vec<u8> {
    format!("issuer signing key\n{id}").into_bytes()
}
