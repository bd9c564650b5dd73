//! The embedded authorization server, for development and small teams: OAuth 2.1 with PKCE, so that a stock MCP client signs
//! in to `stockade up` with no other software. The only crate that mints tokens.
//!
//! For: turning one request, as a plain value, into one response ([`Issuer::handle`]).
//! Must never: open a socket or a file, read a clock, keep a secret in the clear. What it needs of the world it asks for
//! through [`IssuerPorts`].
//! On the road: beside it. Its tokens are judged by `identify` like those of any other issuer.

mod words;
mod uri;
mod form;
mod http;
mod settings;
mod routes;
mod issuer;
mod throttle;
mod event;
mod metadata;
mod client;
mod documents;
mod registration;
mod authorize;
mod pending;
mod pages;
mod password;
mod sign_in;
mod token;
mod access_token;
mod signing_key;
mod revoke;
mod store;
mod users;

pub use access_token::ACCESS_LIFE;
pub use authorize::STATE_BYTES;
pub use client::{ClientAuthentication, ClientError, ClientMetadata, METADATA_BYTES, NAME_CHARACTERS, REDIRECTS};
pub use documents::{
    DOCUMENT_LIFE, DOCUMENT_LIFE_FLOOR, DOCUMENTS, DocumentError, FETCHES, FETCHES_OVERALL, FETCHES_PER_HOST, Fetch,
    FetchError, FetchedDocument,
};
pub use event::{Happening, IssuerEvent, Witness};
pub use form::{FORM_BYTES, FormError, PARAMETERS, VALUE_BYTES};
pub use http::{IssuerHeaders, IssuerRequest, IssuerResponse};
pub use issuer::{Issuer, IssuerPorts};
pub use password::{LONGEST_BYTES, Password, PasswordError, PasswordHash, SHORTEST};
pub use pending::{SIGN_IN_FAILURES, SIGN_IN_LIFE, SIGN_INS, SIGN_INS_PER_SENDER};
pub use registration::RegisteredClient;
pub use routes::{Authentication, IssuerRoute, ROUTES, RouteLimit, Scripts};
pub use settings::{EDITOR_SCHEMES, Given, IssuerSettings, Offer, RESOURCES, RawSettings, ScopeSpec, SettingsError};
pub use sign_in::{CODE_LIFE, COMPUTATIONS, FAMILY_LIFE, SENDER_FAILURES, SENDER_WINDOW, USER_FAILURES, USER_WINDOW};
pub use signing_key::{KEY_LIFE, KEY_SET_LIFE, OVERLAP, SigningKeyError};
pub use store::{
    Begun, CLIENTS, CODE_MEMORY, CONSENTS_PER_USER, CodeRecord, CodeTaken, Consent, FAMILIES_PER_USER, FAMILY_IDLE,
    FamilyRecord, IDLE_CLIENT, IssuerStore, IssuerStoreError, Only, RefreshDigests, RefreshUsed, SIGNING_KEYS,
    SigningKeyRecord, TokenReference, UNUSED_CLIENT, USERS, UserRecord,
};
pub use throttle::KEYS;
pub use uri::{DocumentUrl, IssuerUrl, RedirectKind, RedirectUri, Resource, URI_BYTES, UriError};
pub use users::{UserRow, Users, UsersError};
pub use words::{
    Challenge, ClientId, FamilyId, Grant, KeyedDigest, Purpose, Renewal, SCOPE_BYTES, SCOPES, Scope, Scopes, TokenId,
    UserStamp,
};
