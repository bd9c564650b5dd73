//! Access tokens: JWTs of RFC 9068, signed with ES256, for ten minutes.
//!
//! Must never: be made for anything but a family that lives; carry what the resource server would have to keep secret.

use crate::settings::IssuerSettings;
use crate::signing_key::{SigningKey, SigningKeyError, SigningKeys};
use crate::store::{FamilyRecord, seconds};
use crate::words::{FamilyId, Scopes, TokenId};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use serde_json::json;
use std::time::Duration;
use stockade_core::ports::Timestamp;
use stockade_core::wire::{Document, Value, WireLimits};
use stockade_core::words::Secret;

/// How long an access token lives.
pub const ACCESS_LIFE: Duration = Duration::from_secs(600);
/// Bytes of a token that is looked at.
const TOKEN_BYTES: usize = 16 * 1024;
/// What the reader allows of a header or a set of claims.
const LIMITS: WireLimits = WireLimits {
    message_bytes: TOKEN_BYTES,
    depth: 4,
    members: 32,
    values: 128,
    string_bytes: TOKEN_BYTES,
    name_bytes: 64,
};

/// Makes one for `family`, with no more than its scopes.
pub(crate) fn mint(
    settings: &IssuerSettings,
    key: &SigningKey,
    family: &FamilyRecord,
    scopes: &Scopes,
    (id, now): (&TokenId, Timestamp),
) -> Result<Secret, SigningKeyError> {
    let header = json!({ "alg": "ES256", "typ": "at+jwt", "kid": key.id });
    let grant = &family.grant;
    let issued = seconds(now);
    let claims = json!({
        "iss": settings.issuer.as_str(),
        "sub": grant.user.as_str(),
        "aud": grant.resource.as_str(),
        "client_id": grant.client.as_str(),
        "scope": scopes.to_string(),
        "jti": id.as_str(),
        "sid": family.id.as_str(),
        "iat": issued,
        "exp": issued.saturating_add_unsigned(ACCESS_LIFE.as_secs()),
        "env": settings.environment,
    });
    let mut text = URL_SAFE_NO_PAD.encode(header.to_string());
    text.push('.');
    text.push_str(&URL_SAFE_NO_PAD.encode(claims.to_string()));
    let signature = key.sign(text.as_bytes())?;
    text.push('.');
    text.push_str(&URL_SAFE_NO_PAD.encode(signature));
    Ok(Secret::new(text))
}

/// What the revocation endpoint reads of a token that we have made ourselves.
pub(crate) struct OwnToken {
    pub(crate) id: TokenId,
    pub(crate) family: FamilyId,
    pub(crate) client: String,
    /// When it ends by itself.
    pub(crate) ends: Timestamp,
}

/// Reads a token of our own; nothing for anything that none of our keys has signed.
pub(crate) fn read_own(keys: &SigningKeys, text: &str) -> Option<OwnToken> {
    if text.len() > TOKEN_BYTES {
        return None;
    }
    let (signed, signature) = text.rsplit_once('.')?;
    let (header, claims) = signed.split_once('.')?;
    let header = part(header)?;
    let word = |document: &Document, name: &str| document.root().get(name).and_then(Value::as_str).map(String::from);
    if word(&header, "alg")? != "ES256" || word(&header, "typ")? != "at+jwt" {
        return None;
    }
    let key = keys.find(&word(&header, "kid")?)?;
    if !key.verifies(signed.as_bytes(), &URL_SAFE_NO_PAD.decode(signature).ok()?) {
        return None;
    }
    let claims = part(claims)?;
    let ends = claims.root().get("exp")?.as_i64()?.checked_mul(1_000_000_000)?;
    Some(OwnToken {
        id: TokenId::parse(&word(&claims, "jti")?)?,
        family: FamilyId::parse(&word(&claims, "sid")?)?,
        client: word(&claims, "client_id")?,
        ends: Timestamp(ends),
    })
}

fn part(text: &str) -> Option<Document> {
    Document::read(Bytes::from(URL_SAFE_NO_PAD.decode(text).ok()?), &LIMITS).ok()
}
