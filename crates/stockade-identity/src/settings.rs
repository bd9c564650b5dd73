//! What the operator decides, as values that need no further checking once an [`Authenticator`](crate::Authenticator) was
//! made of them.
//!
//! Must never: have a default that weakens; take an empty list for "everybody".

use crate::algorithm::Algorithm;
use crate::claims::CallerClaim;
use crate::key_source::Pace;
use crate::quirks::Preset;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;
use stockade_core::identity::CertificateName;
use stockade_core::words::{CallerName, Secret, Untrusted};

/// Issuers at most.
const ISSUERS: usize = 32;
/// Further audiences of one issuer at most.
const AUDIENCES: usize = 16;
/// Wrong credentials of one address in a minute at most.
const WRONG_CEILING: u32 = 1000;
/// What a short-lived thing lives at least.
const SECOND: Duration = Duration::from_secs(1);

/// Everything that decides who is recognised.
#[derive(Debug)]
pub struct Settings {
    /// The gateway's canonical URI: the audience that a token must name, letter for letter (RFC 8707 §2).
    pub resource: String,
    /// The environment that the gateway belongs to. A token that names another one (`env`) is refused.
    pub environment: String,
    /// By how much the clocks of an issuer and of the gateway may differ: at most [`Settings::SKEW_CEILING`].
    pub skew: Duration,
    /// From `iat`, or from now where there is none, to `exp`, at most.
    pub max_lifetime: Duration,
    /// Proofs of possession.
    pub dpop: DpopSettings,
    /// Who issues tokens for this gateway. Empty: nobody does.
    pub issuers: Vec<IssuerSettings>,
    /// Whom a client certificate names. Empty: nobody.
    pub certificates: BTreeMap<CertificateName, CallerName>,
    /// Scopes that a scope brings with it.
    pub implied_scopes: BTreeMap<String, Vec<String>>,
    /// Wrong credentials.
    pub throttle: ThrottleSettings,
    /// Tokens whose verification is remembered, at most.
    pub remembered_tokens: usize,
}

impl Settings {
    /// The largest skew that can be set.
    pub const SKEW_CEILING: Duration = Duration::from_secs(120);
    /// The skew where nothing is said.
    pub const SKEW: Duration = Duration::from_secs(30);
    /// The longest life of a token where nothing is said.
    pub const MAX_LIFETIME: Duration = Duration::from_secs(24 * 3600);
    /// The longest life that can be set.
    pub const MAX_LIFETIME_CEILING: Duration = Duration::from_secs(366 * 24 * 3600);
    /// Remembered tokens where nothing is said.
    pub const REMEMBERED_TOKENS: usize = 8192;

    /// Nobody is recognised by a token or a certificate; everything else as where nothing is said.
    #[must_use]
    pub fn nobody(resource: impl Into<String>, environment: impl Into<String>) -> Self {
        Self {
            resource: resource.into(),
            environment: environment.into(),
            skew: Self::SKEW,
            max_lifetime: Self::MAX_LIFETIME,
            dpop: DpopSettings::default(),
            issuers: Vec::new(),
            certificates: BTreeMap::new(),
            implied_scopes: BTreeMap::new(),
            throttle: ThrottleSettings::default(),
            remembered_tokens: Self::REMEMBERED_TOKENS,
        }
    }

    /// Finds what does not go together.
    ///
    /// # Errors
    /// The first thing that does not.
    pub fn check(&self) -> Result<(), SettingsError> {
        let out_of_range = |what: &'static str| Err(SettingsError::OutOfRange { what });
        if self.resource.is_empty() {
            return Err(SettingsError::NoResource);
        }
        if self.skew > Self::SKEW_CEILING {
            return out_of_range("skew");
        }
        if !(SECOND..=Self::MAX_LIFETIME_CEILING).contains(&self.max_lifetime) {
            return out_of_range("max_lifetime");
        }
        if !(SECOND..=DpopSettings::WINDOW_CEILING).contains(&self.dpop.window) {
            return out_of_range("dpop window");
        }
        if self.dpop.nonce_life.is_some_and(|life| !(SECOND..=DpopSettings::NONCE_LIFE_CEILING).contains(&life)) {
            return out_of_range("dpop nonce life");
        }
        if self.throttle.wrong_per_minute == 0 || self.throttle.wrong_per_minute > WRONG_CEILING {
            return out_of_range("wrong credentials per minute");
        }
        if self.dpop.mode != DpopMode::Off && self.dpop.algorithms.is_empty() {
            return Err(SettingsError::NoAlgorithms { issuer: "dpop".to_owned() });
        }
        if self.issuers.len() > ISSUERS {
            return Err(SettingsError::TooMany { what: "issuers", limit: ISSUERS });
        }
        let (mut names, mut issuers) = (BTreeSet::new(), BTreeSet::new());
        for issuer in &self.issuers {
            issuer.check()?;
            if !names.insert(&issuer.name) || !issuers.insert(&issuer.issuer) {
                return Err(SettingsError::Twice { issuer: issuer.name.to_string() });
            }
        }
        if self.issuers.iter().filter(|issuer| issuer.introspection.is_some()).count() > 1 {
            return Err(SettingsError::TwoIntrospections);
        }
        Ok(())
    }
}

/// Proofs of possession by DPoP (RFC 9449).
#[derive(Debug, Clone)]
pub struct DpopSettings {
    /// Whether they are taken, or wanted.
    pub mode: DpopMode,
    /// The algorithms of proofs.
    pub algorithms: Vec<Algorithm>,
    /// How far the time of a proof may be from now, either way.
    pub window: Duration,
    /// How long a nonce of ours is good for; nothing where none is asked for.
    pub nonce_life: Option<Duration>,
}

impl DpopSettings {
    /// The widest window that can be set.
    pub const WINDOW_CEILING: Duration = Duration::from_secs(300);
    /// The longest life of a nonce that can be set.
    pub const NONCE_LIFE_CEILING: Duration = Duration::from_secs(3600);
    /// The window where nothing is said.
    pub const WINDOW: Duration = Duration::from_secs(60);
}

impl Default for DpopSettings {
    fn default() -> Self {
        let algorithms = Algorithm::DEFAULT.to_vec();
        Self { mode: DpopMode::Accept, algorithms, window: Self::WINDOW, nonce_life: None }
    }
}

/// What is made of DPoP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DpopMode {
    /// No proof is taken; tokens that are bound to a key are refused.
    Off,
    /// Tokens that are bound to a key need a proof; others do not.
    Accept,
    /// Every token must be bound, to a key or to the certificate of the connection.
    Require,
}

/// How many wrong credentials an address may show.
#[derive(Debug, Clone, Copy)]
pub struct ThrottleSettings {
    /// Wrong credentials of one address (a /64 in IPv6) in any 60 seconds.
    pub wrong_per_minute: u32,
    /// Addresses that are kept in mind; the one that was quiet for the longest is forgotten first.
    pub addresses: usize,
}

impl Default for ThrottleSettings {
    fn default() -> Self {
        Self { wrong_per_minute: 30, addresses: 4096 }
    }
}

/// What the operator calls an issuer; the first part of the names of its callers.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IssuerName(String);

impl IssuerName {
    /// # Errors
    /// When the text is not 1 to 32 lower-case letters, digits or `-`, starting with a letter.
    pub fn parse(text: &str) -> Result<Self, SettingsError> {
        let fine = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let starts = text.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase());
        if starts && text.len() <= 32 && text.bytes().all(fine) {
            Ok(Self(text.to_owned()))
        } else {
            Err(SettingsError::Name { name: Untrusted::new(text.to_owned()).for_log() })
        }
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for IssuerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One issuer of access tokens.
#[derive(Debug)]
pub struct IssuerSettings {
    /// What the operator calls it.
    pub name: IssuerName,
    /// Its identifier, letter for letter as tokens say it (`iss`).
    pub issuer: String,
    /// How its tokens differ from RFC 9068.
    pub preset: Preset,
    /// Where its keys are. Without them its tokens are introspected.
    pub keys: Option<KeyLocation>,
    /// Where opaque tokens are asked about.
    pub introspection: Option<IntrospectionSettings>,
    /// The algorithms that its signatures may have.
    pub algorithms: Vec<Algorithm>,
    /// Audiences beside the gateway's canonical URI, such as the id that a provider gave the gateway.
    pub audiences: Vec<String>,
    /// Whether `typ: JWT` is taken for an access token. It cannot be told from an ID token by its type then.
    pub accept_typ_jwt: bool,
    /// Which claim names the caller.
    pub caller_claim: CallerClaim,
    /// What the issuer's scopes mean here, beside themselves.
    pub scopes: BTreeMap<String, Vec<String>>,
    /// Between two times that a token may make us ask for keys.
    pub refresh_interval: Duration,
    /// Between two times that we ask for keys by ourselves: for so long a withdrawn key may still count.
    pub refresh_period: Duration,
    /// How old keys may be while the issuer is down.
    pub max_stale: Duration,
}

impl IssuerSettings {
    /// Where nothing is said: keys by discovery, RFC 9068 to the letter, `sub` names the caller.
    #[must_use]
    pub fn new(name: IssuerName, issuer: impl Into<String>) -> Self {
        Self {
            name,
            issuer: issuer.into(),
            preset: Preset::Standard,
            keys: Some(KeyLocation::Discovery),
            introspection: None,
            algorithms: Algorithm::DEFAULT.to_vec(),
            audiences: Vec::new(),
            accept_typ_jwt: false,
            caller_claim: CallerClaim::Subject,
            scopes: BTreeMap::new(),
            refresh_interval: Self::REFRESH_INTERVAL,
            refresh_period: Self::REFRESH_PERIOD,
            max_stale: Self::MAX_STALE,
        }
    }

    /// Between two refreshes that tokens cause, where nothing is said.
    pub const REFRESH_INTERVAL: Duration = Duration::from_secs(30);
    /// Between two refreshes of our own, where nothing is said.
    pub const REFRESH_PERIOD: Duration = Duration::from_secs(300);
    /// The age of keys while the issuer is down, where nothing is said.
    pub const MAX_STALE: Duration = Duration::from_secs(3600);

    pub(crate) const fn pace(&self) -> Pace {
        Pace { interval: self.refresh_interval, period: self.refresh_period, max_stale: self.max_stale }
    }

    /// Finds what does not go together in this issuer alone.
    ///
    /// # Errors
    /// The first thing that does not.
    pub fn check(&self) -> Result<(), SettingsError> {
        let named = || self.name.to_string();
        let is_address = self.issuer.starts_with("https://") || self.issuer.starts_with("http://");
        let is_plain = self.issuer.bytes().all(|byte| byte.is_ascii_graphic() && !b"?#\\\"<>".contains(&byte));
        if !is_address || !is_plain || self.issuer.len() > 1024 {
            return Err(SettingsError::Issuer { issuer: named() });
        }
        self.preset.check(&self.issuer).map_err(|reason| SettingsError::Preset { issuer: named(), reason })?;
        if self.keys.is_none() && self.introspection.is_none() {
            return Err(SettingsError::NoMeans { issuer: named() });
        }
        if self.keys.is_some() && self.algorithms.is_empty() {
            return Err(SettingsError::NoAlgorithms { issuer: named() });
        }
        if self.audiences.len() > AUDIENCES {
            return Err(SettingsError::TooMany { what: "audiences", limit: AUDIENCES });
        }
        if self.audiences.iter().any(String::is_empty) {
            return Err(SettingsError::OutOfRange { what: "an audience" });
        }
        let is_ordered = SECOND <= self.refresh_interval
            && self.refresh_interval <= self.refresh_period
            && self.refresh_period <= self.max_stale;
        if !is_ordered {
            return Err(SettingsError::OutOfRange { what: "refresh interval, period and max_stale" });
        }
        let cached = self.introspection.as_ref().map(|introspection| introspection.remember);
        if cached.is_some_and(|remember| remember > IntrospectionSettings::REMEMBER_CEILING) {
            return Err(SettingsError::OutOfRange { what: "what introspection remembers" });
        }
        Ok(())
    }
}

/// Where an issuer's keys are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyLocation {
    /// Where its metadata says (RFC 8414, OpenID Connect Discovery).
    Discovery,
    /// At this address.
    Address(String),
}

/// Where opaque tokens are asked about (RFC 7662).
#[derive(Debug)]
pub struct IntrospectionSettings {
    /// The endpoint.
    pub url: String,
    /// The gateway's own client id there.
    pub client_id: String,
    /// Its secret.
    pub client_secret: Secret,
    /// How long a positive answer is believed, at most [`Self::REMEMBER_CEILING`] and never beyond `exp`.
    pub remember: Duration,
}

impl IntrospectionSettings {
    /// The longest that a positive answer is believed.
    pub const REMEMBER_CEILING: Duration = Duration::from_secs(10);
}

/// What does not go together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// Tokens need an audience.
    #[error("the gateway has no canonical URI, so no token can be meant for it")]
    NoResource,
    /// Not the name of an issuer.
    #[error("`{name}` is no name for an issuer: use 1 to 32 lower-case letters, digits or `-`, starting with a letter")]
    Name {
        /// What was said, escaped.
        name: String,
    },
    /// The identifier is no address.
    #[error("the issuer `{issuer}` has an identifier that is no `https` address without query and fragment")]
    Issuer {
        /// Its name.
        issuer: String,
    },
    /// The preset and the issuer do not fit.
    #[error("the issuer `{issuer}` does not fit its preset: {reason}")]
    Preset {
        /// Its name.
        issuer: String,
        /// Why.
        reason: &'static str,
    },
    /// Neither keys nor introspection.
    #[error("the tokens of `{issuer}` cannot be checked: it has neither keys nor introspection")]
    NoMeans {
        /// Its name.
        issuer: String,
    },
    /// An empty list of algorithms.
    #[error("`{issuer}` allows no algorithm, so no signature could be right")]
    NoAlgorithms {
        /// Its name.
        issuer: String,
    },
    /// Two issuers are the same.
    #[error("`{issuer}` stands twice among the issuers, by name or by identifier")]
    Twice {
        /// Its name.
        issuer: String,
    },
    /// An opaque token does not say who issued it, and may be shown to its issuer only.
    #[error("two issuers have introspection; an opaque token does not say whose it is, and others must not see it")]
    TwoIntrospections,
    /// Too many of something.
    #[error("more than {limit} {what}")]
    TooMany {
        /// What.
        what: &'static str,
        /// How many there may be.
        limit: usize,
    },
    /// A number outside of its limits.
    #[error("{what} is outside of what can be set")]
    OutOfRange {
        /// What.
        what: &'static str,
    },
    /// Nobody fetches for an issuer.
    #[error("nobody fetches the documents of `{issuer}`")]
    NoFetcher {
        /// Its name.
        issuer: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn issuer(name: &str) -> IssuerSettings {
        IssuerSettings::new(IssuerName::parse(name).unwrap(), format!("https://{name}.test"))
    }

    fn introspection() -> Option<IntrospectionSettings> {
        Some(IntrospectionSettings {
            url: "https://as.test/introspect".to_owned(),
            client_id: "gateway".to_owned(),
            client_secret: Secret::new("secret".to_owned()),
            remember: Duration::from_secs(10),
        })
    }

    fn check(change: impl FnOnce(&mut Settings), expected: Result<(), &str>) {
        let mut settings = Settings::nobody("https://gw.test/mcp", "test");
        settings.issuers = vec![issuer("one"), issuer("two")];
        change(&mut settings);
        let checked = settings.check().map_err(|error| error.to_string());
        match expected {
            Ok(()) => assert_eq!(checked, Ok(())),
            Err(reason) => assert!(checked.as_ref().is_err_and(|error| error.contains(reason)), "{checked:?}"),
        }
    }

    #[test]
    fn what_does_not_go_together_is_refused() {
        check(|_| {}, Ok(()));
        check(|settings| settings.issuers.clear(), Ok(()));
        check(|settings| settings.resource.clear(), Err("no canonical URI"));
        check(|settings| settings.skew = Duration::from_secs(121), Err("skew"));
        check(|settings| settings.max_lifetime = Duration::ZERO, Err("max_lifetime"));
        check(|settings| settings.dpop.window = Duration::from_secs(301), Err("dpop window"));
        check(|settings| settings.dpop.nonce_life = Some(Duration::ZERO), Err("nonce life"));
        check(|settings| settings.dpop.algorithms.clear(), Err("allows no algorithm"));
        check(|settings| settings.throttle.wrong_per_minute = 0, Err("wrong credentials"));
        check(|settings| settings.issuers[0].algorithms.clear(), Err("allows no algorithm"));
        check(|settings| settings.issuers[0].keys = None, Err("neither keys nor introspection"));
        check(|settings| settings.issuers[0].issuer = "https://two.test".to_owned(), Err("stands twice"));
        check(|settings| settings.issuers[0].name = settings.issuers[1].name.clone(), Err("stands twice"));
        check(|settings| settings.issuers[0].issuer = "https://one.test?x".to_owned(), Err("no `https` address"));
        check(|settings| settings.issuers[0].issuer = "one.test".to_owned(), Err("no `https` address"));
        check(|settings| settings.issuers[0].audiences = vec![String::new()], Err("an audience"));
        check(|settings| settings.issuers[0].audiences = vec!["a".to_owned(); 17], Err("more than 16 audiences"));
        check(|settings| settings.issuers[0].refresh_interval = Duration::ZERO, Err("refresh interval"));
        check(|settings| settings.issuers[0].max_stale = Duration::from_secs(10), Err("max_stale"));
        check(|settings| settings.issuers[0].introspection = introspection(), Ok(()));
        check(
            |settings| settings.issuers.iter_mut().for_each(|issuer| issuer.introspection = introspection()),
            Err("two issuers have introspection"),
        );
        check(
            |settings| settings.issuers = (0..33).map(|at| issuer(&format!("n{at}"))).collect(),
            Err("more than 32 issuers"),
        );
        check(|settings| settings.issuers[0].preset = Preset::Entra, Err("does not fit its preset"));
    }

    #[test]
    fn an_issuer_is_called_by_a_plain_name() {
        for (text, expected) in
            [("corp", true), ("a-1", true), ("", false), ("1a", false), ("A", false), ("a:b", false)]
        {
            assert_eq!(IssuerName::parse(text).is_ok(), expected, "{text:?}");
        }
        assert!(IssuerName::parse(&"a".repeat(33)).is_err());
    }
}
