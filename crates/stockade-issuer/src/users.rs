//! The users of the embedded authorization server, as the command line keeps them.
//!
//! Must never: show a password but one that was made here, once.

use crate::password::{Password, PasswordError};
use crate::store::{IssuerStore, IssuerStoreError, UserRecord};
use crate::words::UserStamp;
use stockade_core::ports::{Entropy, Timestamp};
use stockade_core::words::{CallerName, Secret};

/// Why a user could not be changed.
#[derive(Debug, thiserror::Error)]
pub enum UsersError {
    /// The store failed.
    #[error("the users cannot be reached")]
    Store {
        /// What it said.
        #[source]
        cause: IssuerStoreError,
    },
    /// The password cannot be used.
    #[error("the password cannot be used")]
    Password {
        /// Why.
        #[source]
        cause: PasswordError,
    },
    /// There is such a user.
    #[error("there is a user `{name}` already; `stockade users password` gives them another password")]
    Exists {
        /// The name.
        name: CallerName,
    },
    /// There is no such user.
    #[error("there is no user `{name}`; `stockade users list` shows those there are")]
    Missing {
        /// The name.
        name: CallerName,
    },
}

/// A user as a list shows them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserRow {
    /// The name.
    pub name: CallerName,
    /// When they were added.
    pub created: Timestamp,
    /// When their password was set.
    pub changed: Timestamp,
}

/// The users of one store.
pub struct Users<'s> {
    store: &'s dyn IssuerStore,
    entropy: &'s dyn Entropy,
}

impl<'s> Users<'s> {
    /// The users in `store`.
    #[must_use]
    pub const fn new(store: &'s dyn IssuerStore, entropy: &'s dyn Entropy) -> Self {
        Self { store, entropy }
    }

    /// Adds a user, with `password` or one that is made here, which is then returned.
    ///
    /// # Errors
    /// When there is one of this name, the password cannot be used, or the store fails.
    pub fn add(
        &self,
        name: &CallerName,
        password: Option<&Secret>,
        now: Timestamp,
    ) -> Result<Option<Secret>, UsersError> {
        let (password, made) = self.choose(name, password)?;
        let password = password.hash(self.entropy).map_err(|cause| UsersError::Password { cause })?;
        let stamp = UserStamp::random(self.entropy);
        let user = UserRecord { name: name.clone(), password, stamp, created: now, changed: now };
        let added = self.store.add_user(&user).map_err(|cause| UsersError::Store { cause })?;
        if added { Ok(made) } else { Err(UsersError::Exists { name: name.clone() }) }
    }

    /// Gives a user another password, and ends everything they have signed in to.
    ///
    /// # Errors
    /// As [`Self::add`], but for a user who is missing.
    pub fn set_password(
        &self,
        name: &CallerName,
        password: Option<&Secret>,
        now: Timestamp,
    ) -> Result<Option<Secret>, UsersError> {
        let (password, made) = self.choose(name, password)?;
        let password = password.hash(self.entropy).map_err(|cause| UsersError::Password { cause })?;
        let stamp = UserStamp::random(self.entropy);
        let set = self.store.set_password(name, &password, &stamp, now);
        let set = set.map_err(|cause| UsersError::Store { cause })?;
        if set { Ok(made) } else { Err(UsersError::Missing { name: name.clone() }) }
    }

    /// Removes a user, and ends everything they have signed in to.
    ///
    /// # Errors
    /// When there is none of this name, or the store fails.
    pub fn remove(&self, name: &CallerName, now: Timestamp) -> Result<(), UsersError> {
        let removed = self.store.remove_user(name, now).map_err(|cause| UsersError::Store { cause })?;
        if removed { Ok(()) } else { Err(UsersError::Missing { name: name.clone() }) }
    }

    /// All users, by name.
    ///
    /// # Errors
    /// When the store fails.
    pub fn list(&self) -> Result<Vec<UserRow>, UsersError> {
        let users = self.store.users().map_err(|cause| UsersError::Store { cause })?;
        let row = |UserRecord { name, created, changed, .. }| UserRow { name, created, changed };
        Ok(users.into_iter().map(row).collect())
    }

    fn choose(&self, name: &CallerName, said: Option<&Secret>) -> Result<(Password, Option<Secret>), UsersError> {
        match said {
            Some(said) => {
                let password = Password::choose(said, name).map_err(|cause| UsersError::Password { cause })?;
                Ok((password, None))
            }
            None => {
                let (password, made) = Password::random(self.entropy);
                Ok((password, Some(made)))
            }
        }
    }
}
