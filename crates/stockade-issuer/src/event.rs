//! What the authorization server tells the operator: each sign-in, each token, each refusal with its reason.
//!
//! Must never: hold a password, a token, a code or a secret; hold a peer's text but through `Untrusted::for_log`.

use crate::words::{ClientId, FamilyId};
use stockade_core::words::CallerName;

/// What has happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Happening {
    /// A user has given the right password.
    SignedIn,
    /// A password was wrong, or the user does not exist.
    SignInFailed,
    /// Guessing was slowed down.
    SignInThrottled,
    /// A user has let a client act for them.
    Consented,
    /// A user has refused a client.
    Declined,
    /// A code became tokens.
    TokensIssued,
    /// A refresh token became new tokens.
    TokensRenewed,
    /// A code came back, or came from another client: its family has ended.
    CodeReplayed,
    /// An old refresh token came back, or came from another client: its family has ended.
    RefreshReplayed,
    /// A client has given a token back.
    TokenRevoked,
    /// A client has registered.
    ClientRegistered,
    /// A request was refused.
    Refused,
    /// A limit was met.
    LimitMet,
    /// Something of ours does not work.
    Failed,
    /// The next signing key was made.
    KeyRotated,
}

impl Happening {
    /// The word for records and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SignedIn => "signed-in",
            Self::SignInFailed => "sign-in-failed",
            Self::SignInThrottled => "sign-in-throttled",
            Self::Consented => "consented",
            Self::Declined => "declined",
            Self::TokensIssued => "tokens-issued",
            Self::TokensRenewed => "tokens-renewed",
            Self::CodeReplayed => "code-replayed",
            Self::RefreshReplayed => "refresh-replayed",
            Self::TokenRevoked => "token-revoked",
            Self::ClientRegistered => "client-registered",
            Self::Refused => "refused",
            Self::LimitMet => "limit-met",
            Self::Failed => "failed",
            Self::KeyRotated => "key-rotated",
        }
    }
}

/// One line for the operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuerEvent {
    /// What has happened.
    pub what: Happening,
    /// Whom it is about, if they are known.
    pub user: Option<CallerName>,
    /// Which client, if it is known.
    pub client: Option<ClientId>,
    /// Which family of tokens.
    pub family: Option<FamilyId>,
    /// Why, in words of ours.
    pub reason: String,
}

impl IssuerEvent {
    pub(crate) fn new(what: Happening, reason: impl Into<String>) -> Self {
        Self { what, user: None, client: None, family: None, reason: reason.into() }
    }

    pub(crate) fn by(mut self, user: &CallerName) -> Self {
        self.user = Some(user.clone());
        self
    }

    pub(crate) fn to(mut self, client: &ClientId) -> Self {
        self.client = Some(client.clone());
        self
    }

    pub(crate) fn of(mut self, family: &FamilyId) -> Self {
        self.family = Some(family.clone());
        self
    }
}

/// Where events go.
pub trait Witness: Send + Sync {
    /// Takes one. Must return soon: requests wait for it.
    fn see(&self, event: IssuerEvent);
}
