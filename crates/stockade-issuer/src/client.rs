//! What a client says of itself, from a registration or a metadata document, read strictly.
//!
//! Must never: take a client's name for its identity; keep what nobody here uses (logos, addresses, contacts).

use crate::uri::{RedirectKind, RedirectUri, UriError};
use crate::words::Renewal;
use std::collections::BTreeSet;
use stockade_core::wire::{Value, WireLimits};
use stockade_core::words::Untrusted;

/// Redirect URIs of one client.
pub const REDIRECTS: usize = 32;
/// Characters of a name that are kept.
pub const NAME_CHARACTERS: usize = 64;
/// Bytes of a registration or a document.
pub const METADATA_BYTES: usize = 64 * 1024;
/// What the strict reader allows of either.
pub(crate) const METADATA_LIMITS: WireLimits = WireLimits {
    message_bytes: METADATA_BYTES,
    depth: 8,
    members: 256,
    values: 2_048,
    string_bytes: 8 * 1024,
    name_bytes: 256,
};

/// Why client metadata is refused (RFC 7591 §3.2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// No redirect URI, too many, or one that no answer may be sent to.
    #[error("redirect_uris: {0}")]
    Redirect(&'static str),
    /// One redirect URI is not usable.
    #[error("a redirect URI is not usable: {0}")]
    RedirectUri(UriError),
    /// A member has another type or value than it may have.
    #[error("{0}")]
    Metadata(&'static str),
}

/// How a client proves itself at the token endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientAuthentication {
    /// It cannot: a public client, bound by PKCE alone.
    None,
    /// By a secret in the `Authorization` header.
    SecretBasic,
    /// By a secret in the body.
    SecretPost,
}

impl ClientAuthentication {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::None, Self::SecretBasic, Self::SecretPost];

    /// The word of RFC 7591 §2.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::SecretBasic => "client_secret_basic",
            Self::SecretPost => "client_secret_post",
        }
    }

    /// Finds one by its word.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == text)
    }
}

/// What a client is, by its own word but for the redirect URIs, which bind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientMetadata {
    /// What it calls itself.
    pub name: Option<Untrusted<String>>,
    /// Where answers may go; at least one.
    pub redirects: Vec<RedirectUri>,
    /// How it proves itself.
    pub authentication: ClientAuthentication,
    /// Whether it gets refresh tokens.
    pub renewal: Renewal,
}

/// Schemes of applications that a redirect URI may have.
pub(crate) type PrivateSchemes = BTreeSet<String>;

impl ClientMetadata {
    /// Reads the members that count (RFC 7591 §2). Others are ignored, as the standard has it; grant types that we do not
    /// have are left out of what is registered.
    pub(crate) fn read(
        root: Value<'_>,
        otherwise: ClientAuthentication,
        schemes: &PrivateSchemes,
    ) -> Result<Self, ClientError> {
        if root.as_object().is_none() {
            return Err(ClientError::Metadata("the metadata is not an object"));
        }
        let redirects = read_redirects(root, schemes)?;
        let authentication = match text(root, "token_endpoint_auth_method")? {
            None => otherwise,
            Some(word) => ClientAuthentication::parse(&word)
                .ok_or(ClientError::Metadata("token_endpoint_auth_method is not supported"))?,
        };
        let grants = words(root, "grant_types")?;
        let has = |word: &str| grants.as_ref().is_some_and(|grants| grants.iter().any(|grant| grant == word));
        if grants.is_some() && !has("authorization_code") {
            return Err(ClientError::Metadata("grant_types does not hold authorization_code"));
        }
        let responses = words(root, "response_types")?;
        if responses.is_some_and(|responses| !responses.iter().any(|response| response == "code")) {
            return Err(ClientError::Metadata("response_types does not hold code"));
        }
        let name = text(root, "client_name")?.map(|name| name.chars().take(NAME_CHARACTERS).collect::<String>());
        Ok(Self {
            name: name.filter(|name| !name.trim().is_empty()).map(Untrusted::new),
            redirects,
            authentication,
            renewal: if has("refresh_token") { Renewal::Refresh } else { Renewal::SignInAgain },
        })
    }

    /// True if an answer to this client may go there.
    pub(crate) fn takes_answers_at(&self, asked: &RedirectUri) -> bool {
        self.redirects.iter().any(|registered| asked.is_for(registered))
    }
}

fn read_redirects(root: Value<'_>, schemes: &PrivateSchemes) -> Result<Vec<RedirectUri>, ClientError> {
    let listed = words(root, "redirect_uris")?.ok_or(ClientError::Redirect("missing"))?;
    if listed.is_empty() || listed.len() > REDIRECTS {
        return Err(ClientError::Redirect("none, or too many"));
    }
    let mut redirects: Vec<RedirectUri> = Vec::with_capacity(listed.len());
    for text in listed {
        let uri = RedirectUri::parse(&text).map_err(ClientError::RedirectUri)?;
        if !has_usable_scheme(&uri, schemes) {
            return Err(ClientError::Redirect("its scheme is not listed"));
        }
        if !redirects.contains(&uri) {
            redirects.push(uri);
        }
    }
    Ok(redirects)
}

/// A private scheme is taken if it is listed, or if it is a domain written backwards, which its owner has claimed
/// (RFC 8252 §7.1). Everything else that is a redirect URI is taken.
pub(crate) fn has_usable_scheme(uri: &RedirectUri, schemes: &PrivateSchemes) -> bool {
    match uri.kind() {
        RedirectKind::Private { scheme } => scheme.contains('.') || schemes.contains(&scheme),
        RedirectKind::Web { .. } | RedirectKind::Loopback { .. } => true,
    }
}

fn text(root: Value<'_>, name: &'static str) -> Result<Option<String>, ClientError> {
    let Some(value) = root.get(name) else { return Ok(None) };
    let text = value.as_str().ok_or(ClientError::Metadata("a member that is a text is none"))?;
    Ok(Some(text.into_owned()))
}

fn words(root: Value<'_>, name: &'static str) -> Result<Option<Vec<String>>, ClientError> {
    let wrong = ClientError::Metadata("a member that is a list of texts is none");
    let Some(value) = root.get(name) else { return Ok(None) };
    let list = value.as_array().ok_or(wrong)?;
    list.elements()
        .map(|element| element.as_str().map(std::borrow::Cow::into_owned).ok_or(wrong))
        .collect::<Result<_, _>>()
        .map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use stockade_core::wire::Document;

    fn read(text: &str) -> Result<ClientMetadata, ClientError> {
        let document = Document::read(Bytes::from(text.to_owned()), &METADATA_LIMITS).unwrap();
        let schemes = PrivateSchemes::from(["cursor".to_owned()]);
        ClientMetadata::read(document.root(), ClientAuthentication::SecretBasic, &schemes)
    }

    #[test]
    fn a_client_is_what_the_standard_says_it_is() {
        let client =
            read(r#"{"redirect_uris":["http://127.0.0.1/cb","cursor://x/cb","com.example.app:/cb"]}"#).unwrap();
        assert_eq!(client.authentication, ClientAuthentication::SecretBasic);
        assert_eq!(client.renewal, Renewal::SignInAgain, "RFC 7591 §2: the default is authorization_code alone");
        let client = read(
            r#"{"redirect_uris":["https://a.example/cb"],"client_name":"A","token_endpoint_auth_method":"none",
                "grant_types":["authorization_code","refresh_token","urn:ietf:params:oauth:grant-type:device_code"],
                "response_types":["code"],"logo_uri":"https://a.example/logo","contacts":[1]}"#,
        )
        .unwrap();
        assert_eq!((client.authentication, client.renewal), (ClientAuthentication::None, Renewal::Refresh));
        assert_eq!(client.name.unwrap().as_alleged(), "A");
    }

    #[test]
    fn metadata_that_cannot_be_held_to_is_refused() {
        let many = format!(r#"{{"redirect_uris":[{}]}}"#, vec![r#""https://a.example/cb""#; REDIRECTS + 1].join(","));
        for wrong in [
            "[]",
            "{}",
            r#"{"redirect_uris":[]}"#,
            r#"{"redirect_uris":"https://a.example/cb"}"#,
            r#"{"redirect_uris":[1]}"#,
            r#"{"redirect_uris":["http://a.example/cb"]}"#,
            r#"{"redirect_uris":["https://a.example/cb","javascript:alert(1)"]}"#,
            r#"{"redirect_uris":["unlisted://a/cb"]}"#,
            r#"{"redirect_uris":["https://a.example/cb"],"token_endpoint_auth_method":"private_key_jwt"}"#,
            r#"{"redirect_uris":["https://a.example/cb"],"token_endpoint_auth_method":null}"#,
            r#"{"redirect_uris":["https://a.example/cb"],"grant_types":["client_credentials"]}"#,
            r#"{"redirect_uris":["https://a.example/cb"],"response_types":["token"]}"#,
            r#"{"redirect_uris":["https://a.example/cb"],"client_name":{}}"#,
            &many,
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_name_is_cut() {
        let name = "n".repeat(NAME_CHARACTERS + 1);
        let client = read(&format!(r#"{{"redirect_uris":["https://a.example/cb"],"client_name":"{name}"}}"#)).unwrap();
        assert_eq!(client.name.unwrap().as_alleged().len(), NAME_CHARACTERS);
    }

    #[test]
    fn answers_go_where_the_client_has_said_and_nowhere_else() {
        let client = read(r#"{"redirect_uris":["https://a.example/cb","http://127.0.0.1/cb"]}"#).unwrap();
        let takes = |text: &str| client.takes_answers_at(&RedirectUri::parse(text).unwrap());
        assert!(takes("https://a.example/cb") && takes("http://127.0.0.1:5/cb"));
        assert!(!takes("https://a.example/cb2") && !takes("http://localhost:5/cb") && !takes("https://b.example/cb"));
    }
}
