//! The documents that clients and resource servers find us by (RFC 8414, OpenID Connect Discovery 1.0 as far as clients of MCP
//! look there).
//!
//! Must never: promise what is not offered.

use crate::client::ClientAuthentication;
use crate::routes::{AUTHORIZE, KEYS, REGISTER, REVOKE, TOKEN};
use crate::settings::{IssuerSettings, Offer};
use serde_json::{Value, json};
use std::time::Duration;

/// How long the metadata may be kept.
pub(crate) const METADATA_LIFE: Duration = Duration::from_secs(300);

/// RFC 8414 §2.
pub(crate) fn metadata(settings: &IssuerSettings) -> Value {
    let scopes: Vec<&str> = settings.scopes.iter().map(|(scope, _)| scope.as_str()).collect();
    let registers = settings.registration == Offer::Open;
    // Secrets are given at registration only.
    let known = ClientAuthentication::ALL.iter().filter(|one| registers || **one == ClientAuthentication::None);
    let methods: Vec<&str> = known.map(|one| one.as_str()).collect();
    let mut document = json!({
        "issuer": settings.issuer.as_str(),
        "authorization_endpoint": settings.at(AUTHORIZE),
        "token_endpoint": settings.at(TOKEN),
        "revocation_endpoint": settings.at(REVOKE),
        "jwks_uri": settings.at(KEYS),
        "scopes_supported": scopes,
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "token_endpoint_auth_methods_supported": methods,
        "revocation_endpoint_auth_methods_supported": methods,
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": true,
        "client_id_metadata_document_supported": settings.documents == Offer::Open,
        "request_parameter_supported": false,
        "request_uri_parameter_supported": false,
    });
    if let Some(members) = document.as_object_mut().filter(|_| registers) {
        members.insert("registration_endpoint".to_owned(), json!(settings.at(REGISTER)));
    }
    document
}

/// The same for clients that read it as OpenID Connect Discovery, whose readers want two members more. No id token is ever
/// made: `openid` is no scope here.
pub(crate) fn open_id_metadata(settings: &IssuerSettings) -> Value {
    let mut document = metadata(settings);
    if let Some(members) = document.as_object_mut() {
        members.insert("subject_types_supported".to_owned(), json!(["public"]));
        members.insert("id_token_signing_alg_values_supported".to_owned(), json!(["ES256"]));
    }
    document
}
