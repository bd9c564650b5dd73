//! The revocation endpoint (RFC 7009): a client gives back what it holds.
//!
//! Must never: tell whether a token was good; let a client end what is another's.

use crate::access_token::read_own;
use crate::event::{Happening, IssuerEvent};
use crate::http::{IssuerRequest, IssuerResponse};
use crate::issuer::Issuer;
use crate::store::IssuerStoreError;
use crate::token::{Refresh, TokenError};
use crate::words::ClientId;

impl Issuer {
    /// `POST /revoke`.
    pub(crate) fn revoke(&self, request: &IssuerRequest) -> IssuerResponse {
        let done = self.known_client(request).and_then(|(client, form)| {
            // The hint is not needed: the two kinds have different forms (RFC 7009 §2.1).
            let token = form.value("token").ok_or(TokenError::request("token is missing"))?;
            self.give_back(&client, token).map_err(|error| TokenError::store(&error))
        });
        match done {
            // RFC 7009 §2.2: also for a token that is none.
            Ok(()) => IssuerResponse::bare(200).with("cache-control", "no-store"),
            Err(error) => self.token_refused(error),
        }
    }

    fn give_back(&self, client: &ClientId, token: &str) -> Result<(), IssuerStoreError> {
        let now = self.clock().wall();
        let (family, what) = if let Some(refresh) = Refresh::parse(token) {
            let family = self.store().family_of(&self.digests_of(&refresh).handle, now)?;
            let Some(family) = family.filter(|family| family.grant.client == *client) else { return Ok(()) };
            // RFC 7009 §2.1: with a refresh token goes everything that came of the same grant.
            self.store().end_family(&family.id, now)?;
            (family.id, "refresh token and all that came of it")
        } else {
            let Ok(keys) = self.keys() else { return Ok(()) };
            let Some(own) = read_own(&keys, token).filter(|own| own.client == client.as_str()) else { return Ok(()) };
            self.store().end_token(&own.id, own.ends)?;
            (own.family, "access token")
        };
        self.tell(IssuerEvent::new(Happening::TokenRevoked, what).to(client).of(&family));
        Ok(())
    }
}
