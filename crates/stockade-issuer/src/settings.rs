//! What the operator says of the authorization server, checked once.
//!
//! Must never: be made with a list that is empty and means everybody.

use crate::uri::{IssuerUrl, Resource, UriError};
use crate::words::{Scope, Scopes};
use std::collections::BTreeSet;

/// Resources of one gateway.
pub const RESOURCES: usize = 1_024;
/// Bytes of a description of a scope.
const DESCRIPTION_BYTES: usize = 200;
/// Bytes of the name of an environment.
const ENVIRONMENT_BYTES: usize = 40;
/// Schemes of editors whose clients are not reached on loopback. Others with a domain in them need no list (RFC 8252 §7.1).
pub const EDITOR_SCHEMES: &[&str] = &["cursor", "vscode", "vscode-insiders", "windsurf", "zed"];

/// Why settings cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// The issuer is not an origin.
    #[error("the issuer `{text}` cannot be used: {cause}")]
    Issuer {
        /// What was said.
        text: String,
        /// What is wrong with it.
        cause: UriError,
    },
    /// A resource is not one.
    #[error("the resource `{text}` cannot be used: {cause}")]
    Resource {
        /// What was said.
        text: String,
        /// What is wrong with it.
        cause: UriError,
    },
    /// There is no resource, or too many.
    #[error("there are {found} resources; at least 1 and at most {RESOURCES} are needed")]
    Resources {
        /// How many were said.
        found: usize,
    },
    /// A scope or its description cannot be used.
    #[error(
        "the scope `{name}` cannot be used: a scope is printable ASCII without spaces, its description is one short line"
    )]
    Scope {
        /// What was said.
        name: String,
    },
    /// There is no scope that a client gets without asking.
    #[error("no scope is given by default; a client that names none would get none")]
    NoDefaultScope,
    /// The environment's name cannot stand in a token.
    #[error("the environment `{text}` cannot be used: it is 1 to 40 lower-case letters, digits, `-` or `_`")]
    Environment {
        /// What was said.
        text: String,
    },
    /// A browser's origin is not one.
    #[error("the origin `{text}` cannot be used: {cause}")]
    Origin {
        /// What was said.
        text: String,
        /// What is wrong with it.
        cause: UriError,
    },
    /// A scheme is not one that applications have.
    #[error("the scheme `{text}` cannot be used")]
    Scheme {
        /// What was said.
        text: String,
    },
}

/// A scope as the consent page explains it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScopeSpec {
    /// The scope.
    pub name: String,
    /// What it lets a client do, in words for the user. Empty if the name says it.
    pub description: String,
    /// Whether a client gets it that names no scope.
    pub given: Given,
}

/// When a scope is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Given {
    /// To a client that names no scope.
    ByDefault,
    /// Only to a client that names it.
    WhenAsked,
}

/// Whether something is offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offer {
    /// It is.
    Open,
    /// It is not, and not in the metadata either.
    Closed,
}

/// What the operator says, as text.
#[derive(Debug, Clone)]
pub struct RawSettings {
    /// The issuer: the origin of `gateway.resource`.
    pub issuer: String,
    /// The gateway's environment, which tokens carry in `env`.
    pub environment: String,
    /// Exactly the resources that tokens are made for: `gateway.resource`, and each route below it.
    pub resources: Vec<String>,
    /// The scopes there are.
    pub scopes: Vec<ScopeSpec>,
    /// Origins whose scripts may read metadata and use the token and registration endpoints. None by default.
    pub origins: Vec<String>,
    /// Dynamic registration (RFC 7591).
    pub registration: Offer,
    /// Client id metadata documents.
    pub documents: Offer,
    /// Schemes of redirect URIs beside those with a domain in them; [`EDITOR_SCHEMES`] by default.
    pub schemes: Vec<String>,
}

impl RawSettings {
    /// The settings of a gateway at `issuer` with one resource: one scope, both ways for clients to make themselves known.
    #[must_use]
    pub fn new(issuer: &str, environment: &str, resource: &str) -> Self {
        let scope = ScopeSpec {
            name: "mcp".to_owned(),
            description: "use the tools, resources and prompts that the gateway allows you".to_owned(),
            given: Given::ByDefault,
        };
        Self {
            issuer: issuer.to_owned(),
            environment: environment.to_owned(),
            resources: vec![resource.to_owned()],
            scopes: vec![scope],
            origins: Vec::new(),
            registration: Offer::Open,
            documents: Offer::Open,
            schemes: EDITOR_SCHEMES.iter().map(|scheme| (*scheme).to_owned()).collect(),
        }
    }
}

/// Having one tells you: every address, scope and name in it can be used as it is.
#[derive(Debug, Clone)]
pub struct IssuerSettings {
    pub(crate) issuer: IssuerUrl,
    pub(crate) environment: String,
    pub(crate) resources: BTreeSet<Resource>,
    pub(crate) scopes: Vec<(Scope, ScopeSpec)>,
    pub(crate) supported: Scopes,
    pub(crate) default_scopes: Scopes,
    pub(crate) origins: BTreeSet<String>,
    pub(crate) registration: Offer,
    pub(crate) documents: Offer,
    pub(crate) schemes: BTreeSet<String>,
}

impl IssuerSettings {
    /// Checks what the operator says.
    ///
    /// # Errors
    /// The first thing that cannot be used.
    pub fn check(raw: RawSettings) -> Result<Self, SettingsError> {
        let issuer =
            IssuerUrl::parse(&raw.issuer).map_err(|cause| SettingsError::Issuer { text: raw.issuer.clone(), cause })?;
        let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_';
        if !(1..=ENVIRONMENT_BYTES).contains(&raw.environment.len()) || !raw.environment.bytes().all(letter) {
            return Err(SettingsError::Environment { text: raw.environment });
        }
        if raw.resources.is_empty() || raw.resources.len() > RESOURCES {
            return Err(SettingsError::Resources { found: raw.resources.len() });
        }
        let resource = |text: String| Resource::parse(&text).map_err(|cause| SettingsError::Resource { text, cause });
        let resources = raw.resources.into_iter().map(resource).collect::<Result<_, _>>()?;
        let scopes: Vec<(Scope, ScopeSpec)> = raw.scopes.into_iter().map(check_scope).collect::<Result<_, _>>()?;
        let those = |given: Option<Given>| {
            let wanted = scopes.iter().filter(|(_, spec)| given.is_none_or(|given| spec.given == given));
            Scopes(wanted.map(|(scope, _)| scope.clone()).collect())
        };
        let (supported, default_scopes) = (those(None), those(Some(Given::ByDefault)));
        if default_scopes.is_empty() {
            return Err(SettingsError::NoDefaultScope);
        }
        let origin = |text: String| match IssuerUrl::parse(&text) {
            Ok(origin) => Ok(origin.as_str().to_owned()),
            Err(cause) => Err(SettingsError::Origin { text, cause }),
        };
        Ok(Self {
            issuer,
            environment: raw.environment,
            resources,
            scopes,
            supported,
            default_scopes,
            origins: raw.origins.into_iter().map(origin).collect::<Result<_, _>>()?,
            registration: raw.registration,
            documents: raw.documents,
            schemes: raw.schemes.into_iter().map(check_scheme).collect::<Result<_, _>>()?,
        })
    }

    /// The issuer.
    #[must_use]
    pub const fn issuer(&self) -> &IssuerUrl {
        &self.issuer
    }

    /// `path` at the issuer.
    pub(crate) fn at(&self, path: &str) -> String {
        format!("{}{path}", self.issuer.as_str())
    }
}

fn check_scope(spec: ScopeSpec) -> Result<(Scope, ScopeSpec), SettingsError> {
    let plain = !spec.description.chars().any(char::is_control) && spec.description.len() <= DESCRIPTION_BYTES;
    match Scope::parse(&spec.name).filter(|_| plain) {
        Some(scope) => Ok((scope, spec)),
        None => Err(SettingsError::Scope { name: spec.name }),
    }
}

/// By the same grammar that redirect URIs are read by.
fn check_scheme(text: String) -> Result<String, SettingsError> {
    let is_one = !text.contains(':') && crate::uri::RedirectUri::parse(&format!("{text}:/")).is_ok();
    if is_one && text != "http" && text != "https" { Ok(text) } else { Err(SettingsError::Scheme { text }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(change: impl FnOnce(&mut RawSettings)) -> Result<IssuerSettings, SettingsError> {
        let mut raw = RawSettings::new("http://127.0.0.1:8443", "sandbox", "http://127.0.0.1:8443/mcp");
        change(&mut raw);
        IssuerSettings::check(raw)
    }

    #[test]
    fn what_is_empty_or_odd_is_refused() {
        assert!(check(|_| {}).is_ok());
        assert_eq!(check(|raw| raw.resources.clear()).err(), Some(SettingsError::Resources { found: 0 }));
        assert_eq!(check(|raw| raw.scopes.clear()).err(), Some(SettingsError::NoDefaultScope));
        assert!(check(|raw| raw.issuer = "http://mcp.example".to_owned()).is_err());
        assert!(check(|raw| raw.environment = String::new()).is_err());
        assert!(check(|raw| raw.resources.push("mcp".to_owned())).is_err());
        assert!(check(|raw| raw.origins.push("*".to_owned())).is_err());
        assert!(check(|raw| raw.origins.push("null".to_owned())).is_err());
        for scheme in ["javascript", "https", "http", "", "a b", "A", "data", "x:y"] {
            assert!(check(|raw| raw.schemes.push(scheme.to_owned())).is_err(), "{scheme}");
        }
        let odd = ScopeSpec { name: "a b".to_owned(), description: String::new(), given: Given::WhenAsked };
        assert!(check(|raw| raw.scopes.push(odd)).is_err());
    }
}
