//! Everything that can be revoked, keys with the rest, behind the port of those who ask.

use super::RevocationList;
use crate::api_keys::ApiKeys;
use std::sync::Arc;
use stockade_core::identity::{Identity, IdentityError};
use stockade_core::words::Secret;
use stockade_identity::{KeyBook, Revocations, Revoked};

/// The revocations of one data folder, answered from memory that is at most 200 ms old.
#[derive(Debug)]
pub struct LiveRevocations {
    keys: Arc<ApiKeys>,
    list: Arc<RevocationList>,
}

impl LiveRevocations {
    /// Asks both.
    #[must_use]
    pub const fn new(keys: Arc<ApiKeys>, list: Arc<RevocationList>) -> Self {
        Self { keys, list }
    }
}

impl Revocations for LiveRevocations {
    fn is_revoked(&self, what: Revoked<'_>) -> Result<bool, IdentityError> {
        let Revoked::Key { id } = what else { return self.list.lists(what) };
        match self.keys.stands(id) {
            Ok(()) => Ok(false),
            Err(IdentityError::EndedKey { .. } | IdentityError::UnknownKey) => Ok(true),
            // It belongs elsewhere, or cannot be known.
            Err(error) => Err(error),
        }
    }
}

impl KeyBook for ApiKeys {
    fn holder(&self, key: &Secret) -> Result<Identity, IdentityError> {
        Self::holder(self, key)
    }
}
