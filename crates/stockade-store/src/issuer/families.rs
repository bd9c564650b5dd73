//! Codes, and the families of tokens that come of them. To end a family is to take it out.

use super::Fault;
use super::rows::{FAMILY_COLUMNS, before, damaged, family_of, renewal_word};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use std::time::Duration;
use stockade_core::ports::Timestamp;
use stockade_issuer::{
    ACCESS_LIFE, Begun, CODE_MEMORY, Challenge, CodeRecord, CodeTaken, FAMILIES_PER_USER, FAMILY_IDLE, FamilyId,
    FamilyRecord, KeyedDigest, RedirectUri, RefreshDigests, RefreshUsed, TokenId, TokenReference, UserStamp,
};

/// How much longer than it must a row stays: for clocks that differ.
const GRACE: Duration = Duration::from_secs(3_600);
const _: () = assert!(ACCESS_LIFE.as_secs() < GRACE.as_secs(), "a family outlives its last access token");

pub(super) fn begin(
    database: &Transaction<'_>,
    family: &FamilyRecord,
    code: &CodeRecord,
    stamp: &UserStamp,
) -> Result<Begun, Fault> {
    let FamilyRecord { id, grant, created, used, ends } = family;
    let user = grant.user.as_str();
    let is_the_same: bool = database.query_row(
        "SELECT EXISTS (SELECT 1 FROM users WHERE name = ?1 AND stamp = ?2)",
        [user, stamp.as_str()],
        |row| row.get(0),
    )?;
    if !is_the_same {
        return Ok(Begun::UserChanged);
    }
    database.execute(
        "DELETE FROM families WHERE id IN
            (SELECT id FROM families WHERE user = ?1 ORDER BY used DESC, created DESC, id LIMIT -1 OFFSET ?2)",
        params![user, FAMILIES_PER_USER.saturating_sub(1)],
    )?;
    database.execute(
        "INSERT INTO families (id, user, client, redirect, resource, scopes, renewal, created, used, ends)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        params![
            id.as_str(),
            user,
            grant.client.as_str(),
            grant.redirect.as_str(),
            grant.resource.as_str(),
            grant.scopes.to_string(),
            renewal_word(grant.renewal),
            created.0,
            used.0,
            ends.0,
        ],
    )?;
    let CodeRecord { digest, family, challenge, redirect, ends } = code;
    database.execute(
        "INSERT INTO codes (code, family, challenge, redirect, ends) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![digest.0, family.as_str(), challenge.as_bytes(), redirect.as_str(), ends.0],
    )?;
    Ok(Begun::Yes)
}

pub(super) fn take_code(database: &Transaction<'_>, digest: &KeyedDigest, now: Timestamp) -> Result<CodeTaken, Fault> {
    let wrong = || damaged("an authorization code");
    let row = database
        .query_row("SELECT family, challenge, redirect, ends, taken FROM codes WHERE code = ?1", [digest.0], |row| {
            let code: (String, Vec<u8>, String, i64) = (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
            Ok((code, row.get::<_, Option<i64>>(4)?))
        })
        .optional()?;
    let Some(((family, challenge, redirect, ends), taken)) = row else { return Ok(CodeTaken::Unknown) };
    let id = FamilyId::parse(&family).ok_or_else(wrong)?;
    if taken.is_some() {
        end(database, &id)?;
        return Ok(CodeTaken::Replayed(id));
    }
    database.execute("UPDATE codes SET taken = ?2 WHERE code = ?1", params![digest.0, now.0])?;
    let text = format!("SELECT {FAMILY_COLUMNS} FROM families WHERE id = ?1");
    let family = database.query_row(&text, [family], |row| Ok(family_of(row))).optional()?.transpose()?;
    let Some(family) = family.filter(|_| now.0 < ends) else {
        end(database, &id)?;
        return Ok(CodeTaken::Ended);
    };
    let code = CodeRecord {
        digest: *digest,
        family: id,
        challenge: challenge.try_into().map(Challenge::from_bytes).map_err(|_| wrong())?,
        redirect: RedirectUri::parse(&redirect).map_err(|_| wrong())?,
        ends: Timestamp(ends),
    };
    Ok(CodeTaken::Fresh(Box::new((code, family))))
}

pub(super) fn start(
    database: &Transaction<'_>,
    family: &FamilyId,
    refresh: Option<&RefreshDigests>,
    now: Timestamp,
) -> Result<bool, Fault> {
    let (handle, secret) = (refresh.map(|refresh| refresh.handle.0), refresh.map(|refresh| refresh.secret.0));
    let started = database.execute(
        "UPDATE families SET handle = ?2, secret = ?3, used = ?4 WHERE id = ?1",
        params![family.as_str(), handle, secret, now.0],
    )?;
    note_use(database, family, now)?;
    Ok(started > 0)
}

pub(super) fn find(database: &Connection, handle: &KeyedDigest, now: Timestamp) -> Result<Option<FamilyRecord>, Fault> {
    let text = format!("SELECT {FAMILY_COLUMNS} FROM families WHERE handle = ?1 AND ends > ?2 AND used > ?3");
    let mut statement = database.prepare_cached(&text)?;
    let idle = before(now, FAMILY_IDLE);
    let found = statement.query_row(params![handle.0, now.0, idle], |row| Ok(family_of(row))).optional()?;
    found.transpose()
}

pub(super) fn use_refresh(
    database: &Transaction<'_>,
    presented: &RefreshDigests,
    next: &KeyedDigest,
    now: Timestamp,
) -> Result<RefreshUsed, Fault> {
    let Some(mut family) = find(database, &presented.handle, now)? else { return Ok(RefreshUsed::Ended) };
    let newest: Option<Vec<u8>> =
        database.query_row("SELECT secret FROM families WHERE id = ?1", [family.id.as_str()], |row| row.get(0))?;
    let newest = newest.ok_or_else(|| damaged("a family of tokens"))?;
    if verify_slices_are_equal(&newest, &presented.secret.0).is_err() {
        end(database, &family.id)?;
        return Ok(RefreshUsed::Replayed(family.id));
    }
    database.execute(
        "UPDATE families SET secret = ?2, used = ?3 WHERE id = ?1",
        params![family.id.as_str(), next.0, now.0],
    )?;
    note_use(database, &family.id, now)?;
    family.used = now;
    Ok(RefreshUsed::Renewed(Box::new(family)))
}

/// A client that somebody uses stays.
fn note_use(database: &Transaction<'_>, family: &FamilyId, now: Timestamp) -> Result<(), Fault> {
    database.execute(
        "UPDATE clients SET used = ?2 WHERE id = (SELECT client FROM families WHERE id = ?1)",
        params![family.as_str(), now.0],
    )?;
    Ok(())
}

pub(super) fn end(database: &Transaction<'_>, family: &FamilyId) -> Result<(), Fault> {
    database.execute("DELETE FROM families WHERE id = ?1", [family.as_str()])?;
    Ok(())
}

pub(super) fn end_token(database: &Transaction<'_>, token: &TokenId, ends: Timestamp) -> Result<(), Fault> {
    database
        .execute("INSERT OR REPLACE INTO ended_tokens (id, ends) VALUES (?1, ?2)", params![token.as_str(), ends.0])?;
    Ok(())
}

pub(super) fn is_revoked(database: &Connection, token: TokenReference<'_>) -> Result<bool, Fault> {
    let mut statement = database.prepare_cached(
        "SELECT NOT EXISTS (SELECT 1 FROM families WHERE id = ?1 AND user = ?2)
             OR EXISTS (SELECT 1 FROM ended_tokens WHERE id = ?3)",
    )?;
    let TokenReference { token, family, subject } = token;
    Ok(statement.query_row([family.as_str(), subject, token.as_str()], |row| row.get(0))?)
}

pub(super) fn tidy(database: &Transaction<'_>, now: Timestamp) -> Result<(), Fault> {
    let long_ago = before(now, GRACE);
    database.execute("DELETE FROM codes WHERE ends < ?1", [before(now, CODE_MEMORY)])?;
    database.execute("DELETE FROM ended_tokens WHERE ends < ?1", [long_ago])?;
    // A family without refresh token has nothing to go on with once its access token has ended.
    database.execute(
        "DELETE FROM families WHERE ends < ?1 OR used < ?2 OR (handle IS NULL AND used < ?1)",
        [long_ago, before(now, FAMILY_IDLE)],
    )?;
    Ok(())
}
