//! Who may be recognised: for now the holders of API keys alone.

use std::sync::Arc;
use stockade_core::identity::{Basis, Credential, Identity, IdentityError, Shown};
use stockade_core::ports::{Identities, PortFuture};
use stockade_identity::{Revocations, Revoked};
use stockade_store::{ApiKeys, LiveRevocations, RevocationList};

/// Recognises the holders of API keys and nobody else.
pub(crate) struct KeysOnly {
    keys: Arc<ApiKeys>,
    revocations: LiveRevocations,
}

impl KeysOnly {
    pub(crate) fn new(keys: Arc<ApiKeys>, list: Arc<RevocationList>) -> Self {
        let revocations = LiveRevocations::new(Arc::clone(&keys), list);
        Self { keys, revocations }
    }
}

impl Identities for KeysOnly {
    fn identify<'a>(&'a self, shown: &'a Shown) -> PortFuture<'a, Result<Identity, IdentityError>> {
        let identified = match &shown.credential {
            Credential::Bearer(key) => self.keys.holder(key).and_then(|holder| self.stands(&holder).map(|()| holder)),
            Credential::Malformed(reason) => Err(IdentityError::Malformed { reason: (*reason).to_owned() }),
            Credential::Nothing | Credential::Dpop(_) | Credential::LocalUser(_) => Err(IdentityError::Missing),
        };
        Box::pin(std::future::ready(identified))
    }

    fn stands(&self, identity: &Identity) -> Result<(), IdentityError> {
        if self.revocations.is_revoked(Revoked::Caller { name: &identity.caller.name })? {
            return Err(IdentityError::Revoked { what: format!("the caller `{}`", identity.caller.name) });
        }
        match &identity.standing.basis {
            Basis::Given => Ok(()),
            Basis::Key { id } => self.keys.stands(id),
            Basis::Token { .. } | Basis::Certificate { .. } => Err(IdentityError::Missing),
        }
    }
}
