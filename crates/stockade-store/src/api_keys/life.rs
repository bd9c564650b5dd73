//! What changes a key: it is made, replaced, revoked. Each change goes on record with whoever made it.
//!
//! Must never: leave half a change; hand out a key that is not on the disk.

use super::row::{KeyRow, KeyState};
use super::scopes::Scopes;
use super::text::{self, KEY_PREFIX, KeyId, id_of};
use super::{ApiKeys, ApiKeysError, COLUMNS, KEYS_LIMIT, row_of};
use crate::dates::{after, before, between};
use crate::operator_events::{Act, NewEvent, OperatorEventKind, note};
use crate::state::failed;
use aws_lc_rs::hmac;
use rusqlite::{OptionalExtension, Transaction, params};
use std::time::Duration;
use stockade_core::ports::Timestamp;
use stockade_core::words::{CallerName, Secret, Untrusted};

/// The longest that two keys work for one rotation: 30 days.
pub const OVERLAP_LIMIT: Duration = Duration::from_secs(30 * 24 * 3600);
/// How long an ended key is kept where others need the room: 400 days.
const KEEP_ENDED: Duration = Duration::from_secs(400 * 24 * 3600);

/// A key to be made.
#[derive(Debug, Clone, Copy)]
pub struct NewKey<'k> {
    /// Whose it is to be.
    pub caller: &'k CallerName,
    /// What it is limited to; nothing where scopes do not limit it.
    pub scopes: Option<&'k Scopes>,
    /// When it ends by itself.
    pub expires: Option<Timestamp>,
}

/// What a rotation has made.
#[derive(Debug)]
pub struct Replacement {
    /// The new key's public part.
    pub id: KeyId,
    /// The new key. It is shown once and kept nowhere.
    pub key: Secret,
    /// Whose it is.
    pub caller: CallerName,
    /// When the new one ends by itself.
    pub expires: Option<Timestamp>,
    /// When the old one ends.
    pub old_ends: Timestamp,
}

impl ApiKeys {
    /// Makes a key for this gateway's environment. The text is shown once and kept nowhere.
    ///
    /// # Errors
    /// When it cannot be written, or would have ended before it begins.
    pub fn add(&self, new: NewKey<'_>, act: &Act<'_>) -> Result<(KeyId, Secret), ApiKeysError> {
        if new.expires.is_some_and(|expires| expires <= act.at) {
            return Err(ApiKeysError::NotAllowed { what: "the new key would have ended already" });
        }
        let (id, key) = text::make();
        self.state.change(|change| -> Result<(), ApiKeysError> {
            make_room(change, act.at)?;
            let environment = self.rules.environment.as_str();
            self.insert(change, &Insert { id: &id, key: &key, new, environment, from: None, at: act.at })?;
            let event =
                NewEvent { kind: OperatorEventKind::KeyAdded, target: id.to_string(), said: said(&new, environment) };
            Ok(note(change, act, &event)?)
        })?;
        self.copy.now()?;
        Ok((id, key))
    }

    /// Makes a key in the place of another. Both work for `overlap`; then the old one ends. The new one has the caller, the
    /// scopes and the environment of the old one, and lasts as long from now on as the old one did from its beginning,
    /// unless `expires` says otherwise.
    ///
    /// # Errors
    /// When there is no such key, it does not work any more, it was replaced before, or it cannot be written.
    pub fn rotate(
        &self,
        id: &str,
        overlap: Duration,
        expires: Option<Timestamp>,
        act: &Act<'_>,
    ) -> Result<Replacement, ApiKeysError> {
        if overlap > OVERLAP_LIMIT {
            return Err(ApiKeysError::NotAllowed { what: "two keys may work for at most 30 days" });
        }
        let (new_id, key) = text::make();
        let replacement = self.state.change(|change| {
            let old = find(change, id)?;
            self.check_replaceable(&old, act.at)?;
            make_room(change, act.at)?;
            let same_span = old.expires.map(|end| after(act.at, between(old.created, end)));
            let new = NewKey { caller: &old.caller, scopes: old.scopes.as_ref(), expires: expires.or(same_span) };
            if new.expires.is_some_and(|expires| expires <= act.at) {
                return Err(ApiKeysError::NotAllowed { what: "the new key would have ended already" });
            }
            let environment = old.environment.as_ref().unwrap_or(&self.rules.environment).as_str();
            let insert = Insert { id: &new_id, key: &key, new, environment, from: Some(&old.id), at: act.at };
            self.insert(change, &insert)?;
            let overlap_ends = after(act.at, overlap);
            let replaced = "UPDATE api_keys SET rotated_to = ?2, overlap_ends = ?3 WHERE id = ?1";
            let values = params![old.id.as_str(), new_id.as_str(), overlap_ends.0];
            change.execute(replaced, values).map_err(failed("write to"))?;
            let also = format!("in the place of `{}`, which works for {} s more; ", old.id, overlap.as_secs());
            let said = also + &said(&new, environment);
            note(change, act, &NewEvent { kind: OperatorEventKind::KeyRotated, target: new_id.to_string(), said })?;
            let old_ends = old.expires.map_or(overlap_ends, |expires| expires.min(overlap_ends));
            Ok((old.caller.clone(), new.expires, old_ends))
        });
        let (caller, expires, old_ends) = replacement?;
        self.copy.now()?;
        Ok(Replacement { id: new_id, key, caller, expires, old_ends })
    }

    /// Ends a key for good. Ending it again changes nothing.
    ///
    /// # Errors
    /// When there is no such key, or it cannot be written.
    pub fn revoke(&self, id: &str, act: &Act<'_>) -> Result<(), ApiKeysError> {
        self.state.change(|change| -> Result<(), ApiKeysError> {
            let row = find(change, id)?;
            if row.revoked.is_some() {
                return Ok(());
            }
            let revoke = "UPDATE api_keys SET revoked = ?2 WHERE id = ?1";
            change.execute(revoke, params![row.id.as_str(), act.at.0]).map_err(failed("write to"))?;
            let said = format!("the key of `{}`", row.caller);
            let event = NewEvent { kind: OperatorEventKind::KeyRevoked, target: row.id.to_string(), said };
            Ok(note(change, act, &event)?)
        })?;
        self.copy.now()?;
        Ok(())
    }

    fn check_replaceable(&self, old: &KeyRow, now: Timestamp) -> Result<(), ApiKeysError> {
        if let Some(by) = &old.rotated_to {
            return Err(ApiKeysError::ReplacedBefore { id: old.id.clone(), by: by.clone() });
        }
        let state = old.state(&self.rules, now.max(self.state.dates().latest()));
        // A key of the time before environments gets this one with its replacement.
        let is_unbound = state == KeyState::OfAnotherEnvironment && old.environment.is_none();
        if state.holds() || is_unbound {
            return Ok(());
        }
        Err(ApiKeysError::Ended { id: old.id.clone(), caller: old.caller.clone(), state })
    }

    fn insert(&self, change: &Transaction<'_>, insert: &Insert<'_>) -> Result<(), ApiKeysError> {
        let digest = hmac::sign(&self.hmac, insert.key.expose().as_bytes());
        change
            .execute(
                "INSERT INTO api_keys (id, caller, digest, scopes, environment, created, expires, rotated_from)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                params![
                    insert.id.as_str(),
                    insert.new.caller.as_str(),
                    digest.as_ref(),
                    insert.new.scopes.map(Scopes::to_text),
                    insert.environment,
                    insert.at.0,
                    insert.new.expires.map(|time| time.0),
                    insert.from.map(KeyId::as_str),
                ],
            )
            .map_err(failed("write to"))?;
        Ok(())
    }
}

/// One row to be written.
struct Insert<'i> {
    id: &'i KeyId,
    key: &'i Secret,
    new: NewKey<'i>,
    environment: &'i str,
    from: Option<&'i KeyId>,
    at: Timestamp,
}

fn said(new: &NewKey<'_>, environment: &str) -> String {
    let scopes = new.scopes.map_or_else(String::new, |scopes| format!(", limited to `{}`", scopes.to_text()));
    format!("for `{}` in `{environment}`{scopes}", new.caller)
}

fn find(change: &Transaction<'_>, id: &str) -> Result<KeyRow, ApiKeysError> {
    if id.starts_with(KEY_PREFIX) {
        // It must not be repeated: the id alone is public.
        let public = Some(id_of(id)).filter(|public| !public.is_empty()).unwrap_or("ID");
        return Err(ApiKeysError::WholeKey { id: Untrusted::new(public).for_log() });
    }
    let select = format!("SELECT {COLUMNS} FROM api_keys WHERE id = ?1");
    let row = change.query_row(&select, [id], row_of).optional().map_err(failed("read"))?.flatten();
    row.ok_or_else(|| ApiKeysError::NoSuchKey { id: Untrusted::new(id.chars().take(40).collect::<String>()).for_log() })
}

/// Where there is no room left, keys go that ended long ago.
fn make_room(change: &Transaction<'_>, now: Timestamp) -> Result<(), ApiKeysError> {
    let count = || -> Result<i64, ApiKeysError> {
        Ok(change.query_row("SELECT count(*) FROM api_keys", [], |row| row.get(0)).map_err(failed("read"))?)
    };
    if count()? < KEYS_LIMIT {
        return Ok(());
    }
    let long_ago = "DELETE FROM api_keys WHERE revoked < ?1 OR overlap_ends < ?1 OR expires < ?1";
    change.execute(long_ago, [before(now, KEEP_ENDED).0]).map_err(failed("write to"))?;
    if count()? < KEYS_LIMIT { Ok(()) } else { Err(ApiKeysError::TooMany) }
}
