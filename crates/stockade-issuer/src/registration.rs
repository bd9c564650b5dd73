//! Dynamic client registration (RFC 7591): gives a client an id, and no right.
//!
//! Must never: believe what a client says of itself; grow without an end (the store's limits, the route's limits).

use crate::authorize::reason_of;
use crate::client::{ClientAuthentication, ClientError, ClientMetadata, METADATA_LIMITS};
use crate::event::{Happening, IssuerEvent};
use crate::http::{IssuerRequest, IssuerResponse};
use crate::issuer::Issuer;
use crate::store::seconds;
use crate::words::{ClientId, KeyedDigest, Purpose, Renewal, random_256};
use serde_json::json;
use stockade_core::ports::Timestamp;
use stockade_core::wire::Document;
use stockade_core::words::Untrusted;

/// A client that has registered.
#[derive(Debug, Clone)]
pub struct RegisteredClient {
    /// Its id; always [`ClientId::Registered`].
    pub id: ClientId,
    /// What it has said of itself.
    pub metadata: ClientMetadata,
    /// The digest of its secret; nothing for a public client.
    pub secret: Option<KeyedDigest>,
    /// When it registered.
    pub created: Timestamp,
    /// When somebody last got tokens through it.
    pub used: Option<Timestamp>,
}

impl Issuer {
    /// `POST /register`.
    pub(crate) fn register(&self, request: &IssuerRequest) -> IssuerResponse {
        if !request.is_of_type("application/json") {
            return self.registration_refused("invalid_client_metadata", "the body is not application/json");
        }
        let Ok(document) = Document::read(request.body.clone(), &METADATA_LIMITS) else {
            return self.registration_refused("invalid_client_metadata", "the body is not strict JSON");
        };
        // RFC 7591 §2: what a client that says nothing means.
        let otherwise = ClientAuthentication::SecretBasic;
        match ClientMetadata::read(document.root(), otherwise, &self.settings().schemes) {
            Ok(metadata) => self.keep_client(metadata),
            Err(error) => {
                let code = match error {
                    ClientError::Redirect(_) | ClientError::RedirectUri(_) => "invalid_redirect_uri",
                    ClientError::Metadata(_) => "invalid_client_metadata",
                };
                self.registration_refused(code, &error.to_string())
            }
        }
    }

    fn keep_client(&self, metadata: ClientMetadata) -> IssuerResponse {
        let now = self.clock().wall();
        let is_public = metadata.authentication == ClientAuthentication::None;
        let secret = (!is_public).then(|| random_256(self.entropy()));
        let digest = secret.as_ref().map(|secret| self.store().digest(Purpose::ClientSecret, secret));
        let id = ClientId::random(self.entropy());
        let client = RegisteredClient { id, metadata, secret: digest, created: now, used: None };
        if let Err(error) = self.store().add_client(&client) {
            self.tell(IssuerEvent::new(Happening::Failed, reason_of(&error)));
            let words = json!({ "error": "temporarily_unavailable" });
            return IssuerResponse::json(503, &words).retry_after(std::time::Duration::from_secs(60));
        }
        let RegisteredClient { id, metadata, .. } = &client;
        let name = metadata.name.as_ref().map(Untrusted::for_log).unwrap_or_default();
        self.tell(IssuerEvent::new(Happening::ClientRegistered, format!("calls itself `{name}`")).to(id));
        let grants: &[&str] = match metadata.renewal {
            Renewal::Refresh => &["authorization_code", "refresh_token"],
            Renewal::SignInAgain => &["authorization_code"],
        };
        let redirects: Vec<&str> = metadata.redirects.iter().map(crate::uri::RedirectUri::as_str).collect();
        let mut answer = json!({
            "client_id": id.as_str(),
            "client_id_issued_at": seconds(now),
            "redirect_uris": redirects,
            "token_endpoint_auth_method": metadata.authentication.as_str(),
            "grant_types": grants,
            "response_types": ["code"],
        });
        if let Some(members) = answer.as_object_mut() {
            if let Some(name) = &metadata.name {
                members.insert("client_name".to_owned(), json!(name.as_alleged()));
            }
            if let Some(secret) = secret {
                members.insert("client_secret".to_owned(), json!(secret.as_str()));
                members.insert("client_secret_expires_at".to_owned(), json!(0));
            }
        }
        IssuerResponse::json(201, &answer)
    }

    fn registration_refused(&self, error: &'static str, description: &str) -> IssuerResponse {
        self.tell(IssuerEvent::new(Happening::Refused, format!("registration, {error}: {description}")));
        IssuerResponse::json(400, &json!({ "error": error, "error_description": description }))
    }
}
