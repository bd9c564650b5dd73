//! A store in memory: what the database must do, said a second time and more simply.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard};
use stockade_core::ports::Timestamp;
use stockade_core::wire::Digest;
use stockade_core::words::CallerName;
use stockade_issuer::{
    Begun, CLIENTS, CONSENTS_PER_USER, CodeRecord, CodeTaken, Consent, FAMILIES_PER_USER, FAMILY_IDLE, FamilyId,
    FamilyRecord, IDLE_CLIENT, IssuerStore, IssuerStoreError, KeyedDigest, Only, PasswordHash, Purpose, RefreshDigests,
    RefreshUsed, RegisteredClient, SIGNING_KEYS, SigningKeyRecord, TokenId, TokenReference, UNUSED_CLIENT, USERS,
    UserRecord, UserStamp,
};

const HOUR: i64 = 3_600_000_000_000;

struct Family {
    record: FamilyRecord,
    refresh: Option<RefreshDigests>,
}

#[derive(Default)]
struct All {
    users: BTreeMap<CallerName, UserRecord>,
    clients: HashMap<String, RegisteredClient>,
    consents: Vec<(Consent, Timestamp)>,
    families: HashMap<FamilyId, Family>,
    codes: HashMap<KeyedDigest, (CodeRecord, bool)>,
    ended: HashMap<TokenId, Timestamp>,
    keys: Vec<(String, Vec<u8>, Timestamp)>,
}

/// A store that can be told to fail.
#[derive(Default)]
pub(crate) struct Memory {
    all: Mutex<All>,
    pub(crate) is_down: AtomicBool,
}

fn user_copy(user: &UserRecord) -> UserRecord {
    let UserRecord { name, password, stamp, created, changed } = user;
    let (name, password, stamp) = (name.clone(), password.clone(), stamp.clone());
    UserRecord { name, password, stamp, created: *created, changed: *changed }
}

fn nanoseconds(span: std::time::Duration) -> i64 {
    i64::try_from(span.as_nanos()).unwrap()
}

impl Memory {
    fn all(&self) -> Result<MutexGuard<'_, All>, IssuerStoreError> {
        if self.is_down.load(Ordering::Relaxed) {
            return Err(IssuerStoreError::Unavailable { what: "reach", cause: "told to fail".into() });
        }
        Ok(self.all.lock().unwrap())
    }
}

impl IssuerStore for Memory {
    fn digest(&self, purpose: Purpose, secret: &str) -> KeyedDigest {
        KeyedDigest(*Digest::of(format!("{}\0{secret}", purpose.as_str()).as_bytes()).as_bytes())
    }

    fn add_user(&self, user: &UserRecord) -> Result<bool, IssuerStoreError> {
        let mut all = self.all()?;
        if all.users.contains_key(&user.name) {
            return Ok(false);
        }
        if all.users.len() >= USERS as usize {
            return Err(IssuerStoreError::Full { what: "users", limit: USERS });
        }
        all.users.insert(user.name.clone(), user_copy(user));
        Ok(true)
    }

    fn user(&self, name: &CallerName) -> Result<Option<UserRecord>, IssuerStoreError> {
        Ok(self.all()?.users.get(name).map(user_copy))
    }

    fn users(&self) -> Result<Vec<UserRecord>, IssuerStoreError> {
        Ok(self.all()?.users.values().map(user_copy).collect())
    }

    fn remove_user(&self, name: &CallerName, _: Timestamp) -> Result<bool, IssuerStoreError> {
        let mut all = self.all()?;
        all.families.retain(|_, family| family.record.grant.user != *name);
        all.consents.retain(|(consent, _)| consent.user != *name);
        Ok(all.users.remove(name).is_some())
    }

    fn set_password(
        &self,
        name: &CallerName,
        password: &PasswordHash,
        stamp: &UserStamp,
        now: Timestamp,
    ) -> Result<bool, IssuerStoreError> {
        let mut all = self.all()?;
        all.families.retain(|_, family| family.record.grant.user != *name);
        let Some(user) = all.users.get_mut(name) else { return Ok(false) };
        (user.password, user.stamp, user.changed) = (password.clone(), stamp.clone(), now);
        Ok(true)
    }

    fn add_client(&self, client: &RegisteredClient) -> Result<(), IssuerStoreError> {
        let mut all = self.all()?;
        if all.clients.len() >= CLIENTS as usize {
            let unused = all.clients.values().filter(|client| client.used.is_none());
            let oldest = unused.min_by_key(|client| (client.created, client.id.as_str().to_owned()));
            let Some(oldest) = oldest.map(|client| client.id.as_str().to_owned()) else {
                return Err(IssuerStoreError::Full { what: "registered clients", limit: CLIENTS });
            };
            all.clients.remove(&oldest);
        }
        all.clients.insert(client.id.as_str().to_owned(), client.clone());
        Ok(())
    }

    fn client(&self, id: &str) -> Result<Option<RegisteredClient>, IssuerStoreError> {
        Ok(self.all()?.clients.get(id).cloned())
    }

    fn is_consented(&self, consent: &Consent) -> Result<bool, IssuerStoreError> {
        Ok(self.all()?.consents.iter().any(|(there, _)| there == consent))
    }

    fn remember_consent(&self, consent: &Consent, now: Timestamp) -> Result<(), IssuerStoreError> {
        let mut all = self.all()?;
        all.consents.retain(|(there, _)| there != consent);
        let of_user = all.consents.iter().filter(|(there, _)| there.user == consent.user).count();
        if of_user >= CONSENTS_PER_USER as usize {
            let oldest = all.consents.iter().position(|(there, _)| there.user == consent.user).unwrap();
            all.consents.remove(oldest);
        }
        all.consents.push((consent.clone(), now));
        Ok(())
    }

    fn begin_family(
        &self,
        family: &FamilyRecord,
        code: &CodeRecord,
        stamp: &UserStamp,
    ) -> Result<Begun, IssuerStoreError> {
        let mut all = self.all()?;
        let user = &family.grant.user;
        if all.users.get(user).is_none_or(|user| user.stamp != *stamp) {
            return Ok(Begun::UserChanged);
        }
        let own = all.families.values().filter(|family| family.record.grant.user == *user);
        let mut own: Vec<_> = own.map(|family| (family.record.used, family.record.id.clone())).collect();
        own.sort_by_key(|(used, _)| *used);
        if own.len() >= FAMILIES_PER_USER as usize {
            all.families.remove(&own[0].1);
        }
        all.families.insert(family.id.clone(), Family { record: family.clone(), refresh: None });
        all.codes.insert(code.digest, (code.clone(), false));
        Ok(Begun::Yes)
    }

    fn take_code(&self, digest: &KeyedDigest, now: Timestamp) -> Result<CodeTaken, IssuerStoreError> {
        let mut all = self.all()?;
        let Some((code, is_taken)) = all.codes.get_mut(digest) else { return Ok(CodeTaken::Unknown) };
        let (code, was_taken) = (code.clone(), std::mem::replace(is_taken, true));
        if was_taken {
            all.families.remove(&code.family);
            return Ok(CodeTaken::Replayed(code.family));
        }
        let family = all.families.get(&code.family).map(|family| family.record.clone());
        match family.filter(|_| now < code.ends) {
            Some(family) => Ok(CodeTaken::Fresh(Box::new((code, family)))),
            None => {
                all.families.remove(&code.family);
                Ok(CodeTaken::Ended)
            }
        }
    }

    fn start_family(
        &self,
        family: &FamilyId,
        refresh: Option<&RefreshDigests>,
        now: Timestamp,
    ) -> Result<bool, IssuerStoreError> {
        let mut all = self.all()?;
        let Some(family) = all.families.get_mut(family) else { return Ok(false) };
        (family.refresh, family.record.used) = (refresh.copied(), now);
        let client = family.record.grant.client.as_str().to_owned();
        all.clients.entry(client).and_modify(|client| client.used = Some(now));
        Ok(true)
    }

    fn family_of(&self, handle: &KeyedDigest, now: Timestamp) -> Result<Option<FamilyRecord>, IssuerStoreError> {
        let all = self.all()?;
        let named = all.families.values().find(|family| family.refresh.is_some_and(|both| both.handle == *handle));
        let lives = |record: &&FamilyRecord| now < record.ends && now.0 < record.used.0 + nanoseconds(FAMILY_IDLE);
        Ok(named.map(|family| &family.record).filter(lives).cloned())
    }

    fn use_refresh(
        &self,
        presented: &RefreshDigests,
        next: &KeyedDigest,
        now: Timestamp,
    ) -> Result<RefreshUsed, IssuerStoreError> {
        let Some(record) = self.family_of(&presented.handle, now)? else { return Ok(RefreshUsed::Ended) };
        let mut all = self.all()?;
        let family = all.families.get_mut(&record.id).unwrap();
        if family.refresh != Some(*presented) {
            all.families.remove(&record.id);
            return Ok(RefreshUsed::Replayed(record.id));
        }
        family.refresh = Some(RefreshDigests { handle: presented.handle, secret: *next });
        family.record.used = now;
        let renewed = family.record.clone();
        let client = renewed.grant.client.as_str().to_owned();
        all.clients.entry(client).and_modify(|client| client.used = Some(now));
        Ok(RefreshUsed::Renewed(Box::new(renewed)))
    }

    fn end_family(&self, family: &FamilyId, _: Timestamp) -> Result<(), IssuerStoreError> {
        self.all()?.families.remove(family);
        Ok(())
    }

    fn end_token(&self, token: &TokenId, ends: Timestamp) -> Result<(), IssuerStoreError> {
        self.all()?.ended.insert(token.clone(), ends);
        Ok(())
    }

    fn is_revoked(&self, token: TokenReference<'_>) -> Result<bool, IssuerStoreError> {
        let all = self.all()?;
        let family = all.families.get(token.family);
        let is_of_subject = family.is_some_and(|family| family.record.grant.user.as_str() == token.subject);
        Ok(!is_of_subject || all.ended.contains_key(token.token))
    }

    fn signing_keys(&self) -> Result<Vec<SigningKeyRecord>, IssuerStoreError> {
        let mut keys = self.all()?.keys.clone();
        keys.sort_by_key(|(_, _, signs_from)| *signs_from);
        let record = |(id, pkcs8, signs_from): (String, Vec<u8>, Timestamp)| SigningKeyRecord {
            id,
            pkcs8: pkcs8.into(),
            signs_from,
        };
        Ok(keys.into_iter().map(record).collect())
    }

    fn keep_signing_key(&self, key: &SigningKeyRecord, when: Only) -> Result<bool, IssuerStoreError> {
        let mut all = self.all()?;
        if when == Only::IfNone && !all.keys.is_empty() {
            return Ok(false);
        }
        if all.keys.len() >= SIGNING_KEYS as usize {
            return Err(IssuerStoreError::Full { what: "signing keys", limit: SIGNING_KEYS });
        }
        all.keys.push((key.id.clone(), key.pkcs8.to_vec(), key.signs_from));
        Ok(true)
    }

    fn forget_signing_key(&self, id: &str) -> Result<(), IssuerStoreError> {
        self.all()?.keys.retain(|(there, _, _)| there != id);
        Ok(())
    }

    fn tidy(&self, now: Timestamp) -> Result<(), IssuerStoreError> {
        let mut all = self.all()?;
        all.codes.retain(|_, (code, _)| code.ends.0 >= now.0 - HOUR);
        all.ended.retain(|_, ends| ends.0 >= now.0 - HOUR);
        all.families.retain(|_, Family { record, refresh }| {
            let is_idle = record.used.0 < now.0 - nanoseconds(FAMILY_IDLE);
            let has_nothing = refresh.is_none() && record.used.0 < now.0 - HOUR;
            record.ends.0 >= now.0 - HOUR && !is_idle && !has_nothing
        });
        all.clients.retain(|_, client| match client.used {
            Some(used) => used.0 >= now.0 - nanoseconds(IDLE_CLIENT),
            None => client.created.0 >= now.0 - nanoseconds(UNUSED_CLIENT),
        });
        let All { consents, clients, .. } = &mut *all;
        consents.retain(|(consent, _)| {
            let id = consent.client.as_str();
            !id.starts_with("stc_") || clients.contains_key(id)
        });
        Ok(())
    }
}
