//! The keys of identity: who issues tokens, how they are checked, whom certificates name. Part of the table in `keys.rs`.

use super::key::{Key, Shape, Table};
use super::keys::{count, optional, required, time, word};
use super::value::Sort;
use std::time::Duration;
use stockade_identity::{DpopSettings, IntrospectionSettings, IssuerSettings, Settings};

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(24 * 3600);
pub(super) const DPOP_MODES: &[&str] = &["off", "accept", "require"];
pub(super) const PRESETS: &[&str] = &["standard", "entra", "okta", "keycloak", "auth0"];
pub(super) const CALLER_CLAIMS: &[&str] = &["sub", "oid", "client_id", "email"];
pub(super) const KEYS_FROM: &[&str] = &["discovery", "address", "none"];
pub(super) const YES_OR_NO: &[&str] = &["no", "yes"];

pub(super) static SKEW: Key = Key {
    name: "skew",
    sort: Sort::Time { least: Duration::from_millis(1), most: Settings::SKEW_CEILING },
    default: super::key::Default::Time(Settings::SKEW),
    text: "By how much the clocks of issuers and of the gateway may differ.",
};
pub(super) static MAX_LIFETIME: Key = time(
    "max_lifetime",
    Settings::MAX_LIFETIME,
    Settings::MAX_LIFETIME_CEILING,
    "How long a token may live from its issue to its expiry; one that lives longer is refused.",
);
pub(super) static DPOP: Key = word(
    "dpop",
    Sort::Choice { words: DPOP_MODES },
    "accept",
    "Proofs of possession (DPoP, RFC 9449): `accept` wants one with each token that is bound to a key, `require` refuses tokens \
     that are bound to nothing, `off` refuses those that are bound to a key.",
);
pub(super) static DPOP_WINDOW: Key = Key {
    name: "dpop_window",
    sort: Sort::Time { least: SECOND, most: DpopSettings::WINDOW_CEILING },
    default: super::key::Default::Time(DpopSettings::WINDOW),
    text: "How far the time in a proof may be from now, either way.",
};
pub(super) static DPOP_NONCE: Key = optional(
    "dpop_nonce",
    Sort::Time { least: SECOND, most: DpopSettings::NONCE_LIFE_CEILING },
    "no nonce is asked for",
    "Asks for a nonce of the gateway's in each proof, and says how long one is good. The client's clock does not matter then.",
);
pub(super) static WRONG_PER_MINUTE: Key = count(
    "wrong_per_minute",
    30,
    1000,
    "Wrong credentials of one address (of one /64 in IPv6) in any 60 seconds. More get 429, and nothing is asked of an issuer \
     for them; right ones pass all the same.",
);
pub(super) static REMEMBERED_TOKENS: Key = count(
    "remembered_tokens",
    8192,
    1_000_000,
    "Tokens whose signature need not be computed again while they last. What was revoked is asked anew each time.",
);
pub(super) static IMPLIED_SCOPES: Key = optional(
    "implied_scopes",
    Sort::Pairs { example: "{ admin = \"files:read files:write\" }" },
    "a scope brings nothing but itself",
    "Scopes that a scope brings with it, with spaces between them; what they imply counts too.",
);

pub(super) static IDENTITY: Table = Table {
    name: "identity",
    shape: Shape::One,
    text: "How tokens and proofs are checked. See [identity.md](identity.md).",
    keys: &[
        &SKEW,
        &MAX_LIFETIME,
        &DPOP,
        &DPOP_WINDOW,
        &DPOP_NONCE,
        &WRONG_PER_MINUTE,
        &REMEMBERED_TOKENS,
        &IMPLIED_SCOPES,
    ],
    tables: &[],
};

pub(super) static ISSUER_NAME: Key = required(
    "name",
    Sort::Text { example: "corp" },
    "What the issuer is called here. Its callers are called `NAME:` and then what names them, such as `corp:alice`; characters \
     that names have not stand as `%` and two digits.",
);
pub(super) static ISSUER: Key = required(
    "issuer",
    Sort::Text { example: "https://id.example.com" },
    "Its identifier, letter for letter as tokens say it in `iss`, a slash at the end included.",
);
pub(super) static ISSUER_PRESET: Key = word(
    "preset",
    Sort::Choice { words: PRESETS },
    "standard",
    "How its tokens differ from RFC 9068: where they put client, scopes and groups, and what they say about their type.",
);
pub(super) static ISSUER_KEYS: Key = word(
    "keys",
    Sort::Choice { words: KEYS_FROM },
    "discovery",
    "Where its public keys are: where its metadata says (RFC 8414, OpenID Connect Discovery), at `jwks_uri`, or nowhere, so that \
     all its tokens are introspected.",
);
pub(super) static ISSUER_JWKS_URI: Key = optional(
    "jwks_uri",
    Sort::Text { example: "https://id.example.com/jwks.json" },
    "none",
    "The address of its keys, with `keys = \"address\"`.",
);
pub(super) static ISSUER_ALGORITHMS: Key = optional(
    "algorithms",
    Sort::Texts { example: "[\"ES256\", \"EdDSA\"]" },
    "`ES256`, `EdDSA`, `RS256`, `PS256`",
    "The algorithms that its signatures may have; `ES384` can be added. What a token itself says never widens this.",
);
pub(super) static ISSUER_AUDIENCES: Key = optional(
    "audiences",
    Sort::Texts { example: "[\"api://0f8c6a1e\"]" },
    "only the gateway's `resource`",
    "Further values of `aud` that mean this gateway, compared whole: the id that a provider gave it. Tokens for anything else are \
     refused.",
);
pub(super) static ISSUER_ACCEPT_TYP_JWT: Key = word(
    "accept_typ_jwt",
    Sort::Choice { words: YES_OR_NO },
    "no",
    "Takes tokens whose type is `JWT`. They cannot be told from ID tokens by their type then, so give no client's id as an \
     audience. Presets of providers that need it have it.",
);
pub(super) static ISSUER_CALLER: Key = word(
    "caller",
    Sort::Choice { words: CALLER_CLAIMS },
    "sub",
    "The claim that names the caller. `sub` is never given to another; `email` counts only beside `email_verified`, and may come \
     to belong to somebody else.",
);
pub(super) static ISSUER_SCOPES: Key = optional(
    "scopes",
    Sort::Pairs { example: "{ \"Files.Read\" = \"files:read\" }" },
    "its scopes mean themselves",
    "What its scopes mean here, beside themselves, with spaces between several.",
);
pub(super) static ISSUER_CA: Key = optional(
    "ca",
    Sort::Text { example: "tls/corp-ca.pem" },
    "the system's authorities",
    "A file of the authorities whose certificates it may have, as PEM, in place of the system's.",
);
pub(super) static ISSUER_ALLOW_PRIVATE: Key = word(
    "allow_private",
    Sort::Choice { words: YES_OR_NO },
    "no",
    "Lets the hosts of the addresses that are written here have private addresses, and speak plain `http` on loopback. Others, \
     such as those that its metadata names, must be public.",
);
pub(super) static ISSUER_REFRESH_INTERVAL: Key = time(
    "refresh_interval",
    IssuerSettings::REFRESH_INTERVAL,
    DAY,
    "How often a token with an unknown key may make us ask for keys.",
);
pub(super) static ISSUER_REFRESH_PERIOD: Key = time(
    "refresh_period",
    IssuerSettings::REFRESH_PERIOD,
    DAY,
    "How often keys are asked for anyway, and so how long one that was withdrawn may still count.",
);
pub(super) static ISSUER_MAX_STALE: Key = time(
    "max_stale",
    IssuerSettings::MAX_STALE,
    DAY,
    "How old keys may be while the issuer does not answer; then its tokens are refused.",
);
pub(super) static INTROSPECTION_URL: Key = optional(
    "introspection_url",
    Sort::Text { example: "https://id.example.com/introspect" },
    "opaque tokens are refused",
    "Where opaque tokens are asked about (RFC 7662). One issuer at most can have this: an opaque token does not say whose it is.",
);
pub(super) static INTROSPECTION_CLIENT_ID: Key = optional(
    "introspection_client_id",
    Sort::Text { example: "gateway" },
    "none",
    "The gateway's own client id there.",
);
pub(super) static INTROSPECTION_SECRET_FILE: Key = optional(
    "introspection_secret_file",
    Sort::Text { example: "secrets/introspection" },
    "none",
    "The file of its secret. Nobody but its owner may be allowed to read it.",
);
pub(super) static INTROSPECTION_REMEMBER: Key = time(
    "introspection_remember",
    IntrospectionSettings::REMEMBER_CEILING,
    IntrospectionSettings::REMEMBER_CEILING,
    "How long a positive answer is believed; never beyond the token's expiry.",
);

pub(super) static ISSUERS: Table = Table {
    name: "issuers",
    shape: Shape::List,
    text: "One issuer of access tokens for this gateway. Without any, no token is accepted. `resource` must be set in \
           `[gateway]`, because tokens name the gateway by it.",
    keys: &[
        &ISSUER_NAME,
        &ISSUER,
        &ISSUER_PRESET,
        &ISSUER_KEYS,
        &ISSUER_JWKS_URI,
        &ISSUER_ALGORITHMS,
        &ISSUER_AUDIENCES,
        &ISSUER_ACCEPT_TYP_JWT,
        &ISSUER_CALLER,
        &ISSUER_SCOPES,
        &ISSUER_CA,
        &ISSUER_ALLOW_PRIVATE,
        &ISSUER_REFRESH_INTERVAL,
        &ISSUER_REFRESH_PERIOD,
        &ISSUER_MAX_STALE,
        &INTROSPECTION_URL,
        &INTROSPECTION_CLIENT_ID,
        &INTROSPECTION_SECRET_FILE,
        &INTROSPECTION_REMEMBER,
    ],
    tables: &[],
};

pub(super) static CERTIFICATE_NAME: Key = required(
    "name",
    Sort::Text { example: "spiffe://corp.example.com/ci" },
    "A name in the certificate's subject alternative names: a SPIFFE id, `dns:HOST` or `mail:ADDRESS`, compared whole. The common \
     name is never looked at.",
);
pub(super) static CERTIFICATE_CALLER: Key =
    required("caller", Sort::Text { example: "ci" }, "The name that rules and records use for its holder.");

pub(super) static CERTIFICATES: Table = Table {
    name: "certificates",
    shape: Shape::List,
    text: "Whom a client certificate stands for, when no other credential is shown. Needs `client_certificates` in `[tls]`. A \
           certificate that names nobody here proves nobody.",
    keys: &[&CERTIFICATE_NAME, &CERTIFICATE_CALLER],
    tables: &[],
};
