//! Where an issuer publishes its keys (RFC 8414 §3, OpenID Connect Discovery 1.0 §4).
//!
//! Must never: believe a document that does not name the issuer, letter for letter.

use crate::ports::{Fetch, FetchError, Fetched};
use bytes::Bytes;
use stockade_core::wire::{Document, ReadError, Value, WireLimits};
use stockade_core::words::Untrusted;

/// Bytes of one metadata document.
const DOCUMENT_BYTES: usize = 256 << 10;
/// Characters of an address.
const URL_BYTES: usize = 2048;

const LIMITS: WireLimits = WireLimits {
    message_bytes: DOCUMENT_BYTES,
    depth: 16,
    members: 1024,
    values: 16_384,
    string_bytes: 16 << 10,
    name_bytes: 256,
};

/// Why a document of an authorization server is not used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DocumentError {
    #[error("`{url}` {cause}")]
    Fetch {
        url: String,
        #[source]
        cause: FetchError,
    },
    #[error("`{url}` answers with status {status}")]
    Status { url: String, status: u16 },
    #[error("`{url}` answers with the content type `{found}`, not JSON")]
    ContentType { url: String, found: String },
    #[error("`{url}` answers with what is not strict JSON ({cause})")]
    Json {
        url: String,
        #[source]
        cause: ReadError,
    },
    #[error("`{url}` speaks for the issuer `{found}`")]
    OtherIssuer { url: String, found: String },
    #[error("`{url}` names no `jwks_uri`")]
    NoKeys { url: String },
    #[error("the issuer is no address")]
    NoAddress,
}

/// Gets a document that is to be JSON; anything but 200 is no document.
pub(crate) async fn document(fetch: &dyn Fetch, url: &str, bytes: usize) -> Result<Fetched, DocumentError> {
    let named = || Untrusted::new(url.to_owned()).for_log();
    let fetched = fetch.get(url, bytes).await.map_err(|cause| DocumentError::Fetch { url: named(), cause })?;
    if fetched.status != 200 {
        return Err(DocumentError::Status { url: named(), status: fetched.status });
    }
    if !is_json(fetched.content_type.as_deref()) {
        let found = Untrusted::new(fetched.content_type.unwrap_or_default()).for_log();
        return Err(DocumentError::ContentType { url: named(), found });
    }
    Ok(fetched)
}

/// `application/json` and whatever ends in `+json` (RFC 6839 §3.1), parameters aside.
pub(crate) fn is_json(content_type: Option<&str>) -> bool {
    let essence = content_type.unwrap_or_default().split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}

/// Finds the address of the issuer's keys: first OAuth's metadata, then OpenID Connect's in both places.
pub(crate) async fn keys_of(fetch: &dyn Fetch, issuer: &str) -> Result<String, DocumentError> {
    let mut last = DocumentError::NoAddress;
    for url in places(issuer) {
        match document(fetch, &url, DOCUMENT_BYTES).await {
            Ok(fetched) => return keys_in(&url, fetched.body, issuer),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// The well-known places: RFC 8414 §3.1 puts the word between host and path, OpenID Connect after the path.
fn places(issuer: &str) -> Vec<String> {
    let Some((scheme, rest)) = issuer.split_once("://") else { return Vec::new() };
    let (authority, path) = rest.split_once('/').map_or((rest, ""), |(authority, path)| (authority, path));
    let path = path.trim_end_matches('/');
    let path = if path.is_empty() { String::new() } else { format!("/{path}") };
    let mut places = vec![
        format!("{scheme}://{authority}/.well-known/oauth-authorization-server{path}"),
        format!("{scheme}://{authority}/.well-known/openid-configuration{path}"),
        format!("{scheme}://{authority}{path}/.well-known/openid-configuration"),
    ];
    places.dedup();
    places
}

fn keys_in(url: &str, body: Bytes, issuer: &str) -> Result<String, DocumentError> {
    let named = || Untrusted::new(url.to_owned()).for_log();
    let document = Document::read(body, &LIMITS).map_err(|cause| DocumentError::Json { url: named(), cause })?;
    let text = |member| document.root().get(member).and_then(Value::as_str);
    let found = text("issuer").unwrap_or_default();
    if found != issuer {
        let found = Untrusted::new(found.into_owned()).for_log();
        return Err(DocumentError::OtherIssuer { url: named(), found });
    }
    let keys = text("jwks_uri").filter(|keys| !keys.is_empty() && keys.len() <= URL_BYTES);
    keys.map(std::borrow::Cow::into_owned).ok_or_else(|| DocumentError::NoKeys { url: named() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_places_are_those_of_the_standards() {
        assert_eq!(
            places("https://as.test/tenant/"),
            [
                "https://as.test/.well-known/oauth-authorization-server/tenant",
                "https://as.test/.well-known/openid-configuration/tenant",
                "https://as.test/tenant/.well-known/openid-configuration",
            ]
        );
        let root = [
            "https://as.test/.well-known/oauth-authorization-server",
            "https://as.test/.well-known/openid-configuration",
        ];
        assert_eq!(places("https://as.test"), root);
        assert_eq!(places("https://as.test/"), root);
        assert!(places("as.test").is_empty());
    }

    #[test]
    fn a_document_must_name_the_issuer_exactly_and_its_keys() {
        let read = |body: &'static str| {
            keys_in("https://as.test/x", Bytes::from_static(body.as_bytes()), "https://as.test")
                .map_err(|error| error.to_string())
        };
        assert_eq!(
            read(r#"{"issuer":"https://as.test","jwks_uri":"https://k.test"}"#),
            Ok("https://k.test".to_owned())
        );
        for (body, expected) in [
            (r#"{"issuer":"https://as.test/","jwks_uri":"k"}"#, "speaks for the issuer `https://as.test/`"),
            (r#"{"issuer":"https://AS.test","jwks_uri":"k"}"#, "speaks for the issuer"),
            (r#"{"jwks_uri":"k"}"#, "speaks for the issuer ``"),
            (r#"{"issuer":"https://as.test"}"#, "names no `jwks_uri`"),
            (r#"{"issuer":"https://as.test","jwks_uri":["k"]}"#, "names no `jwks_uri`"),
            ("<html>", "not strict JSON"),
        ] {
            let error = read(body).unwrap_err();
            assert!(error.contains(expected), "{body}: {error}");
        }
    }

    #[test]
    fn only_json_is_json() {
        for (content_type, expected) in [
            (Some("application/json"), true),
            (Some("Application/JWK-Set+JSON; charset=utf-8"), true),
            (Some("text/html"), false),
            (Some("text/x+json"), false),
            (Some(""), false),
            (None, false),
        ] {
            assert_eq!(is_json(content_type), expected, "{content_type:?}");
        }
    }
}
