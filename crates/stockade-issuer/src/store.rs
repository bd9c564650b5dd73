//! What the authorization server asks of durable storage.
//!
//! For: users, clients, consents, codes, families of tokens, signing keys; each method is one transaction.
//! Must never: be handed a secret to keep as it is; answer "nothing" where it could not look.

use crate::password::PasswordHash;
use crate::registration::RegisteredClient;
use crate::uri::{RedirectUri, Resource};
use crate::words::{Challenge, ClientId, FamilyId, Grant, KeyedDigest, Purpose, Scopes, TokenId, UserStamp};
use std::time::Duration;
use stockade_core::ports::Timestamp;
use stockade_core::words::CallerName;
use zeroize::Zeroizing;

/// Users of one gateway. What is larger has an identity provider.
pub const USERS: u32 = 1_000;
/// Registered clients. At the limit, the oldest that nobody has signed in with makes room.
pub const CLIENTS: u32 = 10_000;
/// Families of one user. One more ends the one that was unused for the longest.
pub const FAMILIES_PER_USER: u32 = 100;
/// Consents of one user that are remembered. One more forgets the oldest.
pub const CONSENTS_PER_USER: u32 = 500;
/// Signing keys at one time: with keys that are used for a month, two overlap at most.
pub const SIGNING_KEYS: u32 = 8;
/// How long a code that was used or has expired is remembered, so that its second use is noticed.
pub const CODE_MEMORY: Duration = Duration::from_secs(3_600);
/// How long a client lives that nobody has signed in with.
pub const UNUSED_CLIENT: Duration = Duration::from_secs(24 * 3_600);
/// How long a client lives since somebody last used it. Longer than any family.
pub const IDLE_CLIENT: Duration = Duration::from_secs(90 * 24 * 3_600);
/// How long a family may stay unused.
pub const FAMILY_IDLE: Duration = Duration::from_secs(7 * 24 * 3_600);

/// Why the store gave no answer. An error is a deny.
#[derive(Debug, thiserror::Error)]
pub enum IssuerStoreError {
    /// It failed.
    #[error("could not {what} the issuer's database")]
    Unavailable {
        /// What was tried.
        what: &'static str,
        /// What the database said.
        #[source]
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
    /// It holds something that we never write.
    #[error("the issuer's database is damaged: {what} cannot be read; restore `issuer.db` from a backup")]
    Damaged {
        /// What cannot be read.
        what: &'static str,
    },
    /// It is full.
    #[error("there are {limit} {what}, which is the limit")]
    Full {
        /// Of what.
        what: &'static str,
        /// How many there may be.
        limit: u32,
    },
}

/// A user.
#[derive(Debug)]
pub struct UserRecord {
    /// The name: what tokens carry in `sub`, and what rules call the caller.
    pub name: CallerName,
    /// The password's hash.
    pub password: PasswordHash,
    /// Changes with the password.
    pub stamp: UserStamp,
    /// When the user was added.
    pub created: Timestamp,
    /// When the password was set.
    pub changed: Timestamp,
}

/// A consent that may be remembered: this user, this client, this place, this much.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consent {
    /// Who gave it.
    pub user: CallerName,
    /// To whom.
    pub client: ClientId,
    /// Where the answer went, without a loopback port ([`RedirectUri::lasting`]).
    pub redirect: String,
    /// For what.
    pub resource: Resource,
    /// How much.
    pub scopes: Scopes,
}

/// A code as it is kept.
#[derive(Debug, Clone)]
pub struct CodeRecord {
    /// What it is found by.
    pub digest: KeyedDigest,
    /// What its tokens belong to.
    pub family: FamilyId,
    /// What its redeemer must know.
    pub challenge: Challenge,
    /// Where it was sent, which its redeemer must repeat.
    pub redirect: RedirectUri,
    /// When it ends.
    pub ends: Timestamp,
}

/// The two halves of a refresh token as they are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefreshDigests {
    /// Names the family, and stays.
    pub handle: KeyedDigest,
    /// Proves that this is the newest token, and changes with each use.
    pub secret: KeyedDigest,
}

/// A family of tokens.
#[derive(Debug, Clone)]
pub struct FamilyRecord {
    /// Its id.
    pub id: FamilyId,
    /// What it is for.
    pub grant: Grant,
    /// When it began.
    pub created: Timestamp,
    /// When it was last used.
    pub used: Timestamp,
    /// When it ends, however much it is used.
    pub ends: Timestamp,
}

/// What came of beginning a family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begun {
    /// It has begun.
    Yes,
    /// The user is gone, or has another password than the one they signed in with.
    UserChanged,
}

/// What a code was good for. Whatever the answer, it is good for nothing any more.
#[derive(Debug)]
pub enum CodeTaken {
    /// It was fresh.
    Fresh(Box<(CodeRecord, FamilyRecord)>),
    /// It was taken before: somebody has stolen it, then or now. Its family has ended.
    Replayed(FamilyId),
    /// It has expired, or its family has ended.
    Ended,
    /// There is no such code.
    Unknown,
}

/// What a refresh token was good for.
#[derive(Debug)]
pub enum RefreshUsed {
    /// It was the newest of a living family; the next one is now.
    Renewed(Box<FamilyRecord>),
    /// It was not the newest: somebody has stolen it or its successor. The family has ended.
    Replayed(FamilyId),
    /// The family has ended, or there never was one.
    Ended,
}

/// An access token, by what a resource server reads in it after it has verified the signature.
#[derive(Debug, Clone, Copy)]
pub struct TokenReference<'t> {
    /// `jti`.
    pub token: &'t TokenId,
    /// `sid`.
    pub family: &'t FamilyId,
    /// `sub`.
    pub subject: &'t str,
}

/// A signing key as it is kept.
#[derive(Debug)]
pub struct SigningKeyRecord {
    /// Its public name (`kid`): RFC 7638 thumbprint.
    pub id: String,
    /// The key pair, PKCS #8. The store seals it.
    pub pkcs8: Zeroizing<Vec<u8>>,
    /// From when on it signs. It is published from when it is kept.
    pub signs_from: Timestamp,
}

/// Durable storage. Each method is whole or not at all, also when the machine stops in the middle, and sees what other
/// processes have done before it.
pub trait IssuerStore: Send + Sync {
    /// The digest of a secret of ours, under a key that is not kept with it.
    fn digest(&self, purpose: Purpose, secret: &str) -> KeyedDigest;

    /// Adds a user. False if there is one of this name.
    ///
    /// # Errors
    /// When it cannot be written, or there are [`USERS`].
    fn add_user(&self, user: &UserRecord) -> Result<bool, IssuerStoreError>;
    /// Finds a user.
    ///
    /// # Errors
    /// When it cannot be read.
    fn user(&self, name: &CallerName) -> Result<Option<UserRecord>, IssuerStoreError>;
    /// All users, by name.
    ///
    /// # Errors
    /// When they cannot be read.
    fn users(&self) -> Result<Vec<UserRecord>, IssuerStoreError>;
    /// Removes a user, with their consents, and ends their families. False if there is none of this name.
    ///
    /// # Errors
    /// When it cannot be written.
    fn remove_user(&self, name: &CallerName, now: Timestamp) -> Result<bool, IssuerStoreError>;
    /// Gives a user another password and stamp, and ends their families. False if there is none of this name.
    ///
    /// # Errors
    /// When it cannot be written.
    fn set_password(
        &self,
        name: &CallerName,
        password: &PasswordHash,
        stamp: &UserStamp,
        now: Timestamp,
    ) -> Result<bool, IssuerStoreError>;

    /// Keeps a registered client; see [`CLIENTS`].
    ///
    /// # Errors
    /// When it cannot be written, or all [`CLIENTS`] are in use.
    fn add_client(&self, client: &RegisteredClient) -> Result<(), IssuerStoreError>;
    /// Finds a registered client by its id.
    ///
    /// # Errors
    /// When it cannot be read.
    fn client(&self, id: &str) -> Result<Option<RegisteredClient>, IssuerStoreError>;

    /// Says whether exactly this consent is remembered.
    ///
    /// # Errors
    /// When it cannot be read.
    fn is_consented(&self, consent: &Consent) -> Result<bool, IssuerStoreError>;
    /// Remembers a consent; see [`CONSENTS_PER_USER`].
    ///
    /// # Errors
    /// When it cannot be written.
    fn remember_consent(&self, consent: &Consent, now: Timestamp) -> Result<(), IssuerStoreError>;

    /// Begins a family with its code, if the user still has this stamp; see [`FAMILIES_PER_USER`].
    ///
    /// # Errors
    /// When it cannot be written.
    fn begin_family(
        &self,
        family: &FamilyRecord,
        code: &CodeRecord,
        stamp: &UserStamp,
    ) -> Result<Begun, IssuerStoreError>;
    /// Takes a code. The second time ends its family (RFC 6749 §4.1.2).
    ///
    /// # Errors
    /// When it cannot be written.
    fn take_code(&self, digest: &KeyedDigest, now: Timestamp) -> Result<CodeTaken, IssuerStoreError>;
    /// Gives a living family its first refresh token and notes that its client is in use. False if the family has ended.
    ///
    /// # Errors
    /// When it cannot be written.
    fn start_family(
        &self,
        family: &FamilyId,
        refresh: Option<&RefreshDigests>,
        now: Timestamp,
    ) -> Result<bool, IssuerStoreError>;
    /// The living family that a refresh token's handle names, before the token is used.
    ///
    /// # Errors
    /// When it cannot be read.
    fn family_of(&self, handle: &KeyedDigest, now: Timestamp) -> Result<Option<FamilyRecord>, IssuerStoreError>;
    /// Uses a refresh token: if it is the newest, `next` is from now on.
    ///
    /// # Errors
    /// When it cannot be written.
    fn use_refresh(
        &self,
        presented: &RefreshDigests,
        next: &KeyedDigest,
        now: Timestamp,
    ) -> Result<RefreshUsed, IssuerStoreError>;
    /// Ends a family: none of its tokens is good any more.
    ///
    /// # Errors
    /// When it cannot be written.
    fn end_family(&self, family: &FamilyId, now: Timestamp) -> Result<(), IssuerStoreError>;
    /// Ends one access token, which would have ended by itself at `ends`.
    ///
    /// # Errors
    /// When it cannot be written.
    fn end_token(&self, token: &TokenId, ends: Timestamp) -> Result<(), IssuerStoreError>;
    /// Says whether an access token is good for nothing: it was ended, its family has ended, is not this subject's, or is
    /// not known.
    ///
    /// # Errors
    /// When it cannot be read; it must then count as revoked.
    fn is_revoked(&self, token: TokenReference<'_>) -> Result<bool, IssuerStoreError>;

    /// All signing keys, the one that signs from the earliest first.
    ///
    /// # Errors
    /// When they cannot be read or opened.
    fn signing_keys(&self) -> Result<Vec<SigningKeyRecord>, IssuerStoreError>;
    /// Keeps a signing key. With `Only::IfNone` only where there is none, so that two first starts make one; false if there
    /// is one.
    ///
    /// # Errors
    /// When it cannot be written, or there are [`SIGNING_KEYS`].
    fn keep_signing_key(&self, key: &SigningKeyRecord, when: Only) -> Result<bool, IssuerStoreError>;
    /// Forgets a signing key that no valid token is signed with any more.
    ///
    /// # Errors
    /// When it cannot be written.
    fn forget_signing_key(&self, id: &str) -> Result<(), IssuerStoreError>;

    /// Takes out what has ended: see the constants of this module.
    ///
    /// # Errors
    /// When it cannot be written.
    fn tidy(&self, now: Timestamp) -> Result<(), IssuerStoreError>;
}

/// When to keep a signing key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Only {
    /// Whatever others there are.
    Always,
    /// Only if there is no other.
    IfNone,
}

/// `time` and `span` later.
pub(crate) fn after(time: Timestamp, span: Duration) -> Timestamp {
    Timestamp(time.0.saturating_add(i64::try_from(span.as_nanos()).unwrap_or(i64::MAX)))
}

/// Whole seconds since 1970, as tokens write time (RFC 7519 §2 `NumericDate`).
pub(crate) const fn seconds(time: Timestamp) -> i64 {
    time.0.div_euclid(1_000_000_000)
}
