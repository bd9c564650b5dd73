//! The words of the authorization server: who asks for what, in types that cannot be taken for each other.
//!
//! Must never: let a bare `String` travel between functions that mean different things by it.

use crate::uri::{DocumentUrl, RedirectUri, Resource};
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::collections::BTreeSet;
use std::fmt;
use stockade_core::ports::Entropy;
use stockade_core::words::CallerName;
use zeroize::Zeroizing;

/// Characters of 256 bits in base64url.
const CHARACTERS_OF_256: usize = 43;
/// Characters of 128 bits in base64url.
const CHARACTERS_OF_128: usize = 22;
/// What the ids of registered clients begin with.
const REGISTERED: &str = "stc_";
/// Scopes of one request.
pub const SCOPES: usize = 32;
/// Bytes of one scope.
pub const SCOPE_BYTES: usize = 64;

/// 256 random bits as text.
pub(crate) fn random_256(entropy: &dyn Entropy) -> Zeroizing<String> {
    let mut bytes = Zeroizing::new([0; 32]);
    entropy.fill(bytes.as_mut_slice());
    Zeroizing::new(URL_SAFE_NO_PAD.encode(bytes.as_slice()))
}

/// 128 random bits as text: for ids that are no secrets.
pub(crate) fn random_128(entropy: &dyn Entropy) -> String {
    let mut bytes = [0; 16];
    entropy.fill(&mut bytes);
    URL_SAFE_NO_PAD.encode(bytes)
}

/// True for `characters` of base64url.
fn is_random_text(text: &str, characters: usize) -> bool {
    text.len() == characters && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

/// What a secret of ours leaves in the store: HMAC-SHA-256 under a key that is not in the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyedDigest(pub [u8; 32]);

/// What a kept digest is of, so that no secret can stand for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// An authorization code.
    Code,
    /// The lasting half of a refresh token, which names its family.
    RefreshHandle,
    /// The half of a refresh token that changes with each use.
    RefreshSecret,
    /// The secret of a registered client.
    ClientSecret,
}

impl Purpose {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Code, Self::RefreshHandle, Self::RefreshSecret, Self::ClientSecret];

    /// The word that is hashed before the secret.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Code => "code",
            Self::RefreshHandle => "refresh handle",
            Self::RefreshSecret => "refresh secret",
            Self::ClientSecret => "client secret",
        }
    }
}

/// A client's identifier: ours, of a registration, or the URL of a document that describes it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ClientId {
    /// Given out by the registration endpoint (RFC 7591).
    Registered(String),
    /// A client id metadata document (draft-ietf-oauth-client-id-metadata-document).
    Document(DocumentUrl),
}

impl ClientId {
    /// Takes the text of a request; nothing for anything that no client of ours can have.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(random) = text.strip_prefix(REGISTERED) {
            return is_random_text(random, CHARACTERS_OF_128).then(|| Self::Registered(text.to_owned()));
        }
        DocumentUrl::parse(text).ok().map(Self::Document)
    }

    pub(crate) fn random(entropy: &dyn Entropy) -> Self {
        Self::Registered(format!("{REGISTERED}{}", random_128(entropy)))
    }

    /// The identifier, as tokens carry it in `client_id`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Registered(id) => id,
            Self::Document(url) => url.as_str(),
        }
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One scope (RFC 6749 §3.3 `scope-token`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Scope(String);

impl Scope {
    /// Takes 1 to [`SCOPE_BYTES`] bytes of printable ASCII without space, `"` and `\`; nothing for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let fine = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\';
        ((1..=SCOPE_BYTES).contains(&text.len()) && text.bytes().all(fine)).then(|| Self(text.to_owned()))
    }

    /// The scope.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A set of scopes, in one order.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Scopes(pub BTreeSet<Scope>);

impl Scopes {
    /// Takes a list with spaces between (RFC 6749 §3.3); nothing if one is no scope, or for more than [`SCOPES`].
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut scopes = BTreeSet::new();
        for (count, word) in text.split(' ').filter(|word| !word.is_empty()).enumerate() {
            if count == SCOPES {
                return None;
            }
            scopes.insert(Scope::parse(word)?);
        }
        Some(Self(scopes))
    }

    /// True if every scope of `self` is one of `other`.
    #[must_use]
    pub fn is_within(&self, other: &Self) -> bool {
        self.0.is_subset(&other.0)
    }

    /// Those that are in both.
    #[must_use]
    pub fn shared_with(&self, other: &Self) -> Self {
        Self(self.0.intersection(&other.0).cloned().collect())
    }

    /// True for no scope.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, scope) in self.0.iter().enumerate() {
            let separator = if place == 0 { "" } else { " " };
            write!(f, "{separator}{}", scope.as_str())?;
        }
        Ok(())
    }
}

/// All that came of one consent: one code, its refresh tokens, their access tokens. Ends as a whole. No secret: access tokens
/// carry it in `sid`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FamilyId(String);

impl FamilyId {
    /// Nothing for a text that is no such id.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        is_random_text(text, CHARACTERS_OF_128).then(|| Self(text.to_owned()))
    }

    pub(crate) fn random(entropy: &dyn Entropy) -> Self {
        Self(random_128(entropy))
    }

    /// The id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for FamilyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One access token's own id (`jti`). No secret.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TokenId(String);

impl TokenId {
    /// Nothing for a text that is no such id.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        is_random_text(text, CHARACTERS_OF_128).then(|| Self(text.to_owned()))
    }

    pub(crate) fn random(entropy: &dyn Entropy) -> Self {
        Self(random_128(entropy))
    }

    /// The id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A user as they were when they were last given a password. Another password makes another stamp, so nothing that began
/// under the old one goes on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct UserStamp(String);

impl UserStamp {
    /// Nothing for a text that is no such stamp.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        is_random_text(text, CHARACTERS_OF_128).then(|| Self(text.to_owned()))
    }

    pub(crate) fn random(entropy: &dyn Entropy) -> Self {
        Self(random_128(entropy))
    }

    /// The stamp.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A PKCE challenge of method S256: SHA-256 of the verifier (RFC 7636 §4.2). There is no other kind here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Challenge([u8; 32]);

impl Challenge {
    /// Takes exactly the 43 characters that 32 bytes have.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if !is_random_text(text, CHARACTERS_OF_256) {
            return None;
        }
        URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok().map(Self)
    }

    /// From its 32 bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// True for the one verifier: 43 to 128 unreserved characters (RFC 7636 §4.1) with this digest.
    #[must_use]
    pub fn is_met_by(&self, verifier: &str) -> bool {
        let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        let fine = (43..=128).contains(&verifier.len()) && verifier.bytes().all(unreserved);
        let said = digest(&SHA256, verifier.as_bytes());
        fine && aws_lc_rs::constant_time::verify_slices_are_equal(said.as_ref(), &self.0).is_ok()
    }
}

/// Who let which client do what, where. Never changes while its family lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// To whom.
    pub client: ClientId,
    /// By whom.
    pub user: CallerName,
    /// Where the answer went.
    pub redirect: RedirectUri,
    /// The audience of its tokens.
    pub resource: Resource,
    /// What for.
    pub scopes: Scopes,
    /// Whether it may be renewed without the user.
    pub renewal: Renewal,
}

/// Whether a client gets refresh tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Renewal {
    /// It has registered the grant type `refresh_token`.
    Refresh,
    /// It has not: the user signs in again.
    SignInAgain,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verifier_is_measured_as_the_standard_says() {
        // RFC 7636 appendix B.
        let challenge = Challenge::parse("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM").unwrap();
        assert!(challenge.is_met_by("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"));
        for wrong in [
            "",
            "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXK",
            "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjX",
            "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
        ] {
            assert!(!challenge.is_met_by(wrong), "{wrong}");
        }
        let of = |verifier: &str| Challenge(digest(&SHA256, verifier.as_bytes()).as_ref().try_into().unwrap());
        for (length, fine) in [(42, false), (43, true), (128, true), (129, false)] {
            let verifier = "a".repeat(length);
            assert_eq!(of(&verifier).is_met_by(&verifier), fine, "{length}");
        }
        let spaced = format!("{} ", "a".repeat(43));
        assert!(!of(&spaced).is_met_by(&spaced));
    }

    #[test]
    fn a_challenge_is_32_bytes_written_one_way() {
        let check = |text: &str, fine: bool| assert_eq!(Challenge::parse(text).is_some(), fine, "{text}");
        check("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", true);
        check("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cN", false);
        check("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM=", false);
        check("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw+cM", false);
        check("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw", false);
        check("", false);
    }

    #[test]
    fn scopes_have_one_order_and_no_doubles() {
        assert_eq!(Scopes::parse("b  a b").unwrap().to_string(), "a b");
        assert_eq!(Scopes::parse(""), Some(Scopes::default()));
        for wrong in ["a\tb", "a\"", "ä", "a\\", &"x".repeat(SCOPE_BYTES + 1), &"x ".repeat(SCOPES + 1)] {
            assert_eq!(Scopes::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_client_id_is_ours_or_a_url() {
        let check = |text: &str, fine: bool| assert_eq!(ClientId::parse(text).is_some(), fine, "{text}");
        check("stc_AAAAAAAAAAAAAAAAAAAAAA", true);
        check("https://app.example/client.json", true);
        check("stc_AAAAAAAAAAAAAAAAAAAAA", false);
        check("stc_AAAAAAAAAAAAAAAAAAAAA'", false);
        check("", false);
        check("my-client", false);
        check("http://app.example/client.json", false);
    }
}
