//! Every route of the authorization server, as data: what it asks of whom, and how often it may be used.
//!
//! Must never: have a row without an authentication that says what it is, or without a limit.

use crate::client::METADATA_BYTES;

/// How a request to a route is known to be somebody's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Authentication {
    /// Not at all, for this reason.
    Public {
        /// Why nobody has to be known.
        reason: &'static str,
    },
    /// By the cookie and the form token of a sign-in that began in this browser.
    Browser,
    /// By the client's own identification, and what it holds: a code with its verifier, or a token.
    Client,
}

/// What a route may be used at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RouteLimit {
    /// Requests of one sender in a minute: an IPv4 address, or an IPv6 /64.
    pub per_sender: u32,
    /// Requests of all senders in a minute.
    pub overall: u32,
    /// Bytes of a body.
    pub body_bytes: usize,
}

/// Who may read answers from a script of another origin (CORS).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scripts {
    /// Those of the listed origins.
    Listed,
    /// None: these are pages for people.
    Never,
}

/// One route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IssuerRoute {
    /// The method.
    pub method: &'static str,
    /// The path, whole.
    pub path: &'static str,
    /// How its requests are known.
    pub authentication: Authentication,
    /// How often it may be used.
    pub limit: RouteLimit,
    /// Whose scripts may read its answers.
    pub scripts: Scripts,
    /// What it does.
    pub(crate) does: Does,
}

/// What a route does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Does {
    Metadata,
    OpenIdMetadata,
    Keys,
    Authorize,
    SignIn,
    Consent,
    Token,
    Register,
    Revoke,
}

/// A form of ours, or a request for tokens.
const FORM: usize = 16 * 1024;
/// For documents that are the same for everybody.
const DOCUMENT: RouteLimit = RouteLimit { per_sender: 120, overall: 3_000, body_bytes: 0 };

pub(crate) const AUTHORIZE: &str = "/authorize";
pub(crate) const SIGN_IN: &str = "/sign-in";
pub(crate) const CONSENT: &str = "/consent";
pub(crate) const TOKEN: &str = "/token";
pub(crate) const REGISTER: &str = "/register";
pub(crate) const REVOKE: &str = "/revoke";
pub(crate) const KEYS: &str = "/jwks.json";

/// All of them. `/authorize`, `/token` and `/register` are where clients of MCP 2025-03-26 look without metadata.
pub const ROUTES: &[IssuerRoute] = &[
    IssuerRoute {
        method: "GET",
        path: "/.well-known/oauth-authorization-server",
        authentication: Authentication::Public { reason: "RFC 8414 metadata, the same for everybody" },
        limit: DOCUMENT,
        scripts: Scripts::Listed,
        does: Does::Metadata,
    },
    IssuerRoute {
        method: "GET",
        path: "/.well-known/openid-configuration",
        authentication: Authentication::Public { reason: "the same metadata where some clients look first" },
        limit: DOCUMENT,
        scripts: Scripts::Listed,
        does: Does::OpenIdMetadata,
    },
    IssuerRoute {
        method: "GET",
        path: KEYS,
        authentication: Authentication::Public { reason: "public keys, the same for everybody" },
        limit: DOCUMENT,
        scripts: Scripts::Listed,
        does: Does::Keys,
    },
    IssuerRoute {
        method: "GET",
        path: AUTHORIZE,
        authentication: Authentication::Public { reason: "where a sign-in begins; it gives nothing but the page" },
        limit: RouteLimit { per_sender: 60, overall: 600, body_bytes: 0 },
        scripts: Scripts::Never,
        does: Does::Authorize,
    },
    IssuerRoute {
        method: "POST",
        path: SIGN_IN,
        authentication: Authentication::Browser,
        limit: RouteLimit { per_sender: 60, overall: 300, body_bytes: FORM },
        scripts: Scripts::Never,
        does: Does::SignIn,
    },
    IssuerRoute {
        method: "POST",
        path: CONSENT,
        authentication: Authentication::Browser,
        limit: RouteLimit { per_sender: 60, overall: 300, body_bytes: FORM },
        scripts: Scripts::Never,
        does: Does::Consent,
    },
    IssuerRoute {
        method: "POST",
        path: TOKEN,
        authentication: Authentication::Client,
        limit: RouteLimit { per_sender: 240, overall: 2_400, body_bytes: FORM },
        scripts: Scripts::Listed,
        does: Does::Token,
    },
    IssuerRoute {
        method: "POST",
        path: REGISTER,
        authentication: Authentication::Public { reason: "RFC 7591 registration: gives an id and no right" },
        limit: RouteLimit { per_sender: 20, overall: REGISTRATIONS_PER_MINUTE, body_bytes: METADATA_BYTES },
        scripts: Scripts::Listed,
        does: Does::Register,
    },
    IssuerRoute {
        method: "POST",
        path: REVOKE,
        authentication: Authentication::Client,
        limit: RouteLimit { per_sender: 60, overall: 600, body_bytes: FORM },
        scripts: Scripts::Listed,
        does: Does::Revoke,
    },
];

/// Registrations of all senders in a minute.
pub(crate) const REGISTRATIONS_PER_MINUTE: u32 = 30;
/// Strangers cannot push out a client that was registered within these minutes, however hard they try.
const PROTECTED_MINUTES: u32 = 5 * 60;
const _: () = assert!(
    REGISTRATIONS_PER_MINUTE * PROTECTED_MINUTES <= crate::store::CLIENTS,
    "a registration must outlive a flood for long enough to be signed in with"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_route_stands_once_and_has_a_limit() {
        for (place, route) in ROUTES.iter().enumerate() {
            assert!(ROUTES.iter().skip(place + 1).all(|other| other.path != route.path), "{}", route.path);
            let RouteLimit { per_sender, overall, body_bytes } = route.limit;
            assert!(0 < per_sender && per_sender <= overall && body_bytes <= METADATA_BYTES, "{}", route.path);
            assert_eq!(route.method == "GET", body_bytes == 0, "{}", route.path);
            if let Authentication::Public { reason } = route.authentication {
                assert!(!reason.is_empty(), "{}", route.path);
            }
        }
    }
}
