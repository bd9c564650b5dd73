//! What a token says, whether a signature or an introspection endpoint vouches for it (RFC 9068 §2.2, RFC 7662 §2.2).
//!
//! For: one set of checks for both. Each claim is read once, as the type it must have; a claim of another type is wrong, not
//! absent.
//! Must never: take a claim for granted because it is missing, but for those that only ever narrow.

use crate::check::{Check, Checks, seen};
use crate::jws;
use crate::name;
use crate::quirks::Quirks;
use crate::scope;
use crate::settings::{IssuerSettings, Settings};
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use stockade_core::identity::{Basis, IdentityError, Standing};
use stockade_core::ports::Timestamp;
use stockade_core::wire::{Kind, Value};
use stockade_core::words::{Caller, CallerKind, Origin, ServerName};

/// Audiences that one token may name.
const AUDIENCES: usize = 16;
/// Characters of `sub` and of client ids.
const NAME_BYTES: usize = 512;
/// Characters of a `jti`.
const ID_BYTES: usize = 512;
/// Scopes of one token.
const SCOPES: usize = 256;
/// Groups of one caller.
const GROUPS: usize = 512;
/// Characters of one group.
const GROUP_BYTES: usize = 256;

/// Which claim names the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallerClaim {
    /// `sub`: what the issuer never gives to another.
    Subject,
    /// `oid`: the object id of Entra, the same for every application of a tenant.
    ObjectId,
    /// The client; for callers that are programs.
    Client,
    /// `email`, and only beside `email_verified: true`. An address can come to belong to somebody else.
    VerifiedEmail,
}

impl CallerClaim {
    /// All of them, for generated tables.
    pub const ALL: [Self; 4] = [Self::Subject, Self::ObjectId, Self::Client, Self::VerifiedEmail];

    /// The word for configurations.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Subject => "sub",
            Self::ObjectId => "oid",
            Self::Client => "client_id",
            Self::VerifiedEmail => "email",
        }
    }

    /// Finds one by its word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|claim| claim.as_str() == word)
    }
}

/// To whom a token is bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Binding {
    /// The thumbprint of a key (`cnf.jkt`, RFC 9449 §6).
    pub(crate) key: Option<[u8; 32]>,
    /// The thumbprint of a certificate (`cnf.x5t#S256`, RFC 8705 §3.1).
    pub(crate) certificate: Option<[u8; 32]>,
}

/// What a token says once all of it was checked that does not depend on who shows it.
#[derive(Debug)]
pub(crate) struct Claims {
    pub(crate) caller: Caller,
    pub(crate) standing: Arc<Standing>,
    pub(crate) binding: Binding,
    /// The URLs of the only routes that it is meant for; nothing if it is meant for the whole gateway.
    pub(crate) routes: Option<Vec<String>>,
    /// When it ends for us, the skew included.
    pub(crate) ends: Timestamp,
}

/// What claims are held against.
pub(crate) struct Against<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) issuer: &'a IssuerSettings,
    pub(crate) now: Timestamp,
    /// SHA-256 of the token.
    pub(crate) digest: [u8; 32],
    /// True if the token's type has said that it is an access token.
    pub(crate) is_typed: bool,
}

/// Reads and checks the claims.
pub(crate) fn read(claims: Value<'_>, against: &Against<'_>, checks: &mut Checks<'_>) -> Result<Claims, IdentityError> {
    let quirks = against.issuer.preset.quirks();
    if !against.is_typed {
        purpose(claims, quirks, checks)?;
    }
    let routes = audience(claims, against, checks)?;
    let (issued, ends) = times(claims, against, checks)?;
    let subject = text(claims, "sub", NAME_BYTES).unwrap_or_default();
    let has_subject = !subject.is_empty();
    let expected = || seen("`sub`, a text", shown(claims.get("sub")));
    checks.require(Check::Subject, has_subject, expected)?;
    let client = client(claims, quirks, checks)?;
    environment(claims, against, checks)?;
    let scopes = scopes(claims, against, checks)?;
    let groups = groups(claims, quirks, checks)?;
    let binding = binding(claims, checks)?;
    let name = caller_name(claims, against, &subject, &client, checks)?;
    let origin =
        Origin { issuer: against.issuer.issuer.clone(), subject: subject.into_owned(), client: client.into_owned() };
    let caller = Caller { name, kind: CallerKind::Token, origin: Some(Arc::new(origin)) };
    let jti = text(claims, "jti", ID_BYTES).filter(|jti| !jti.is_empty()).map(Cow::into_owned);
    let is_told = jti.is_some() || claims.get("jti").is_none();
    checks.require(Check::TokenId, is_told, || {
        seen(format!("`jti`, if there is one, to be a text of at most {ID_BYTES} characters"), shown(claims.get("jti")))
    })?;
    // A sign-in that cannot be named cannot be revoked by its name; whoever revokes by it takes absence for revoked.
    let sign_in = text(claims, "sid", ID_BYTES).filter(|sid| !sid.is_empty()).map(Cow::into_owned);
    let basis = Basis::Token { jti, sign_in, digest: against.digest, issued };
    let standing = Standing { scopes: Some(scopes), groups, expires: Some(ends), basis, certificate: None };
    Ok(Claims { caller, standing: Arc::new(standing), binding, routes, ends })
}

/// That a token whose type does not say so is an access token all the same, as far as its claims can tell.
fn purpose(claims: Value<'_>, quirks: &Quirks, checks: &mut Checks<'_>) -> Result<(), IdentityError> {
    let foreign = quirks.foreign.iter().find(|claim| claims.get(claim).is_some());
    checks.require(Check::Type, foreign.is_none(), || {
        let found = foreign.map_or_else(|| "none".to_owned(), |claim| format!("`{claim}`"));
        seen("no claim of an ID or logout token", found)
    })?;
    if let Some(types) = quirks.typ_claim {
        let found = text(claims, "typ", NAME_BYTES);
        let is_access = found.as_ref().is_some_and(|found| types.contains(&found.as_ref()));
        checks.require(Check::Type, is_access, || {
            seen(format!("the claim `typ` to be {}", types.join(" or ")), shown(claims.get("typ")))
        })?;
    }
    Ok(())
}

/// For whom the token is: the whole gateway, or one route of it, whose metadata names it as a resource of its own (RFC 9728
/// §3.1). What is for one route is good on that route alone; that it is there is checked where it is shown.
fn audience(
    claims: Value<'_>,
    against: &Against<'_>,
    checks: &mut Checks<'_>,
) -> Result<Option<Vec<String>>, IdentityError> {
    let Against { settings, issuer, .. } = against;
    let found = claims.get("aud");
    let named: Option<Vec<Cow<'_, str>>> = match found.map(|value| (value, value.kind())) {
        Some((value, Kind::String)) => value.as_str().map(|text| vec![text]),
        Some((value, Kind::Array)) => {
            let elements = value.as_array().into_iter().flat_map(|array| array.elements());
            elements.take(AUDIENCES + 1).map(Value::as_str).collect()
        }
        _ => None,
    };
    let named = named.filter(|named| named.len() <= AUDIENCES).unwrap_or_default();
    let is_ours = |text: &str| text == settings.resource || issuer.audiences.iter().any(|ours| ours == text);
    let is_route = |text: &str| {
        let server = text.strip_prefix(&settings.resource).and_then(|rest| rest.strip_prefix('/'));
        server.is_some_and(|server| ServerName::parse(server).is_ok())
    };
    let is_for_all = named.iter().any(|text| is_ours(text));
    let routes: Vec<String> = named.into_iter().filter(|text| is_route(text)).map(Cow::into_owned).collect();
    checks.require(Check::Audience, is_for_all || !routes.is_empty(), || {
        let ours: Vec<_> =
            std::iter::once(&settings.resource).chain(&issuer.audiences).map(|one| format!("`{one}`")).collect();
        seen(format!("`aud` to be or hold {}, exactly, or a route of it", ours.join(" or ")), shown(found))
    })?;
    Ok((!is_for_all).then_some(routes))
}

/// When it was issued, and when it ends for us.
fn times(
    claims: Value<'_>,
    against: &Against<'_>,
    checks: &mut Checks<'_>,
) -> Result<(Option<Timestamp>, Timestamp), IdentityError> {
    let now = against.now.0;
    let skew = nanoseconds(against.settings.skew);
    let longest = nanoseconds(against.settings.max_lifetime);
    let expiry = claims.get("exp").and_then(instant);
    let ends = expiry.map(|expiry| expiry.0.saturating_add(skew));
    let is_valid = ends.is_some_and(|ends| now < ends);
    checks.require(Check::Expiry, is_valid, || {
        seen(format!("`exp`, a number after {}", seconds(now.saturating_sub(skew))), shown(claims.get("exp")))
    })?;
    let (expiry, ends) = (expiry.map_or(i64::MAX, |expiry| expiry.0), ends.unwrap_or_default());
    let before = optional_instant(claims, "nbf", Check::NotBefore, checks)?;
    let is_begun = before.is_none_or(|before| before.0 <= now.saturating_add(skew));
    checks.require(Check::NotBefore, is_begun, || {
        seen(format!("`nbf` not after {}", seconds(now.saturating_add(skew))), shown(claims.get("nbf")))
    })?;
    let issued = optional_instant(claims, "iat", Check::Issued, checks)?;
    let is_issued = issued.is_none_or(|issued| issued.0 <= now.saturating_add(skew));
    checks.require(Check::Issued, is_issued, || {
        seen(format!("`iat` not after {}", seconds(now.saturating_add(skew))), shown(claims.get("iat")))
    })?;
    let lifetime = expiry.saturating_sub(issued.map_or(now, |issued| issued.0));
    checks.require(Check::Lifetime, lifetime <= longest, || {
        seen(format!("at most {} s from issue to expiry", longest / SECOND), format!("{} s", lifetime / SECOND))
    })?;
    Ok((issued, Timestamp(ends)))
}

/// A time that may be missing but not be anything else.
fn optional_instant(
    claims: Value<'_>,
    name: &'static str,
    check: Check,
    checks: &mut Checks<'_>,
) -> Result<Option<Timestamp>, IdentityError> {
    let Some(value) = claims.get(name) else { return Ok(None) };
    let read = instant(value);
    if read.is_none() {
        checks.require(check, false, || seen(format!("`{name}` to be a number of seconds"), shown(Some(value))))?;
    }
    Ok(read)
}

fn client<'v>(claims: Value<'v>, quirks: &Quirks, checks: &mut Checks<'_>) -> Result<Cow<'v, str>, IdentityError> {
    let found = quirks.client.iter().find_map(|claim| claims.get(claim));
    let client = found.and_then(Value::as_str).filter(|client| client.len() <= NAME_BYTES);
    let is_right = match (&client, found) {
        (Some(client), _) => !client.is_empty(),
        (None, Some(_)) => false,
        (None, None) => !quirks.needs_client,
    };
    checks.require(Check::Client, is_right, || {
        seen(format!("the client in `{}`", quirks.client.join("` or `")), shown(found))
    })?;
    Ok(client.unwrap_or_default())
}

/// A claim of ours: tokens that were made for one environment are no good in another.
fn environment(claims: Value<'_>, against: &Against<'_>, checks: &mut Checks<'_>) -> Result<(), IdentityError> {
    let found = claims.get("env");
    let ours = &against.settings.environment;
    let is_ours = found.is_none_or(|value| value.as_str().is_some_and(|text| text == ours.as_str()));
    checks
        .require(Check::Environment, is_ours, || seen(format!("`env`, if there is one, to be `{ours}`"), shown(found)))
}

fn scopes(
    claims: Value<'_>,
    against: &Against<'_>,
    checks: &mut Checks<'_>,
) -> Result<BTreeSet<String>, IdentityError> {
    let mut scopes = BTreeSet::new();
    for claim in against.issuer.preset.quirks().scopes {
        let Some(value) = claims.get(claim) else { continue };
        let listed = match value.kind() {
            Kind::String => value.as_str().map(|text| {
                text.split(' ')
                    .filter(|scope| !scope.is_empty())
                    .map(str::to_owned)
                    .take(SCOPES + 1)
                    .collect::<Vec<_>>()
            }),
            Kind::Array => value.as_array().and_then(|array| {
                array.elements().take(SCOPES + 1).map(|scope| scope.as_str().map(Cow::into_owned)).collect()
            }),
            _ => None,
        };
        let is_right = listed
            .as_ref()
            .is_some_and(|listed| listed.len() <= SCOPES && listed.iter().all(|one| scope::is_scope(one)));
        checks.require(Check::Scopes, is_right, || {
            seen(format!("`{claim}` to hold at most {SCOPES} scopes"), shown(Some(value)))
        })?;
        scopes.extend(listed.unwrap_or_default());
    }
    scope::expand(&mut scopes, &[&against.issuer.scopes, &against.settings.implied_scopes]);
    Ok(scopes)
}

fn groups(claims: Value<'_>, quirks: &Quirks, checks: &mut Checks<'_>) -> Result<Vec<String>, IdentityError> {
    let mut groups = BTreeSet::new();
    for path in quirks.groups {
        let Some(value) = claims.at(path) else { continue };
        let listed: Option<Vec<String>> = value.as_array().and_then(|array| {
            let texts = array.elements().take(GROUPS + 1).map(|group| group.as_str().map(Cow::into_owned));
            texts.collect()
        });
        let is_right = listed
            .as_ref()
            .is_some_and(|listed| listed.len() <= GROUPS && listed.iter().all(|group| group.len() <= GROUP_BYTES));
        checks.require(Check::Groups, is_right, || {
            seen(format!("`{}` to be a list of at most {GROUPS} texts", path.join(".")), shown(Some(value)))
        })?;
        groups.extend(listed.unwrap_or_default());
    }
    Ok(groups.into_iter().take(GROUPS).collect())
}

/// To whom the token is bound. A way of binding that is not known here cannot be checked, so it is no reason to go on.
fn binding(claims: Value<'_>, checks: &mut Checks<'_>) -> Result<Binding, IdentityError> {
    let none = Binding { key: None, certificate: None };
    let Some(confirmation) = claims.get("cnf") else { return Ok(none) };
    let thumbprint = |member| {
        let text = confirmation.get(member)?.as_str()?;
        <[u8; 32]>::try_from(jws::decode("thumbprint", &text).ok()?).ok()
    };
    let binding = Binding { key: thumbprint("jkt"), certificate: thumbprint("x5t#S256") };
    let known = ["jkt", "x5t#S256"];
    let members = confirmation.as_object().map(|object| object.members().count());
    let understood = known.iter().filter(|member| confirmation.get(member).is_some()).count();
    let read = usize::from(binding.key.is_some()) + usize::from(binding.certificate.is_some());
    let is_right = members.is_some_and(|members| members > 0 && members == understood && understood == read);
    checks.require(Check::Binding, is_right, || {
        seen("`cnf` to hold `jkt` or `x5t#S256`, SHA-256 in base64url, and nothing else", shown(Some(confirmation)))
    })?;
    Ok(binding)
}

fn caller_name(
    claims: Value<'_>,
    against: &Against<'_>,
    subject: &str,
    client: &str,
    checks: &mut Checks<'_>,
) -> Result<stockade_core::words::CallerName, IdentityError> {
    let issuer = against.issuer;
    let claim = match issuer.caller_claim {
        CallerClaim::Subject => Some(Cow::Borrowed(subject)),
        CallerClaim::Client => Some(Cow::Borrowed(client)),
        CallerClaim::ObjectId => text(claims, "oid", NAME_BYTES),
        CallerClaim::VerifiedEmail => text(claims, "email", NAME_BYTES)
            .filter(|_| claims.get("email_verified").and_then(Value::as_bool) == Some(true)),
    };
    let name = claim.filter(|claim| !claim.is_empty()).map(|claim| name::of(&issuer.name, &claim));
    let expected = "a name for the caller of at most 128 characters";
    checks.require(Check::Caller, matches!(name, Some(Ok(_))), || {
        let word = issuer.caller_claim.as_str();
        seen(format!("`{word}`, {expected}"), shown(claims.get(word)))
    })?;
    match name {
        Some(Ok(name)) => Ok(name),
        _ => Err(IdentityError::Rejected { check: Check::Caller.as_str(), reason: expected.to_owned() }),
    }
}

/// A text within its limit; nothing for anything else.
fn text<'v>(claims: Value<'v>, name: &str, limit: usize) -> Option<Cow<'v, str>> {
    claims.get(name)?.as_str().filter(|text| text.len() <= limit)
}

/// A value as an explanation shows it; who shows it escapes and cuts it.
pub(crate) fn shown(value: Option<Value<'_>>) -> String {
    value.map_or_else(|| "nothing".to_owned(), |value| format!("`{}`", value.raw()))
}

const SECOND: i64 = 1_000_000_000;
/// The last second that fits into a [`Timestamp`], some centuries away.
const LAST_SECOND: i64 = 9_000_000_000;

/// A moment in seconds since 1970, with or without a fraction (RFC 7519 §2 `NumericDate`); no sign, no exponent.
pub(crate) fn instant(value: Value<'_>) -> Option<Timestamp> {
    if value.kind() != Kind::Number {
        return None;
    }
    let (whole, fraction) = value.raw().split_once('.').unwrap_or((value.raw(), ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) {
        return None;
    }
    let seconds: i64 = whole.parse().ok().filter(|seconds| *seconds <= LAST_SECOND)?;
    let part: String = fraction.chars().chain(std::iter::repeat('0')).take(9).collect();
    Some(Timestamp(seconds * SECOND + part.parse::<i64>().ok()?))
}

pub(crate) fn nanoseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

fn seconds(nanoseconds: i64) -> String {
    format!("{}", nanoseconds.div_euclid(SECOND))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quirks::Preset;
    use crate::settings::IssuerName;
    use bytes::Bytes;
    use serde_json::json;
    use stockade_core::wire::{Document, WireLimits};

    const NOW: i64 = 1_800_000_000;

    fn read_claims(
        claims: &serde_json::Value,
        change: impl FnOnce(&mut IssuerSettings),
    ) -> Result<Claims, IdentityError> {
        let settings = Settings::nobody("https://gw.test/mcp", "test");
        let mut issuer = IssuerSettings::new(IssuerName::parse("corp").unwrap(), "https://as.test");
        change(&mut issuer);
        let document = Document::read(Bytes::from(claims.to_string()), &WireLimits::DEFAULT).unwrap();
        let now = Timestamp(NOW * SECOND);
        let against = Against { settings: &settings, issuer: &issuer, now, digest: [7; 32], is_typed: true };
        read(document.root(), &against, &mut Checks::silent())
    }

    fn right() -> serde_json::Value {
        json!({ "iss": "https://as.test", "sub": "alice", "aud": "https://gw.test/mcp", "exp": NOW + 600, "iat": NOW,
            "client_id": "cli", "scope": "a b", "jti": "1" })
    }

    fn check(change: impl FnOnce(&mut serde_json::Value), expected: Result<(), &str>) {
        let mut claims = right();
        change(&mut claims);
        let read = read_claims(&claims, |_| {});
        match (read, expected) {
            (Ok(_), Ok(())) => {}
            (Err(IdentityError::Rejected { check, .. }), Err(expected)) => assert_eq!(check, expected, "{claims}"),
            (read, expected) => panic!("{claims}: {read:?}, not {expected:?}"),
        }
    }

    #[test]
    fn right_claims_give_the_caller_and_the_standing() {
        let Claims { caller, standing, binding, routes, ends } = read_claims(&right(), |_| {}).unwrap();
        assert_eq!(routes, None);
        assert_eq!(caller.name.as_str(), "corp:alice");
        assert_eq!(caller.kind, CallerKind::Token);
        let origin = caller.origin.unwrap();
        let parts = (origin.issuer.as_str(), origin.subject.as_str(), origin.client.as_str());
        assert_eq!(parts, ("https://as.test", "alice", "cli"));
        assert_eq!(standing.scopes, Some(BTreeSet::from(["a".to_owned(), "b".to_owned()])));
        assert_eq!(binding, Binding { key: None, certificate: None });
        assert_eq!(ends, Timestamp((NOW + 630) * SECOND));
        assert_eq!(standing.expires, Some(ends));
        let issued = Some(Timestamp(NOW * SECOND));
        assert_eq!(standing.basis, Basis::Token { jti: Some("1".to_owned()), sign_in: None, digest: [7; 32], issued });
    }

    #[test]
    fn the_audience_is_ours_letter_for_letter() {
        let ours = "https://gw.test/mcp";
        check(|claims| claims["aud"] = json!([ours]), Ok(()));
        check(|claims| claims["aud"] = json!(["https://other.test", ours]), Ok(()));
        for wrong in [
            json!("https://other.test"),
            json!([]),
            json!(null),
            json!(7),
            json!({ "aud": ours }),
            json!("https://gw.test/mcp.evil.example"),
            json!("https://gw.test"),
            json!("https://GW.test/mcp/"),
            json!("https://gw.test/mcp/"),
            json!("https://gw.test/mcp/files/x"),
            json!("https://gw.test/mcp/Files"),
            json!("https://gw.test/mcp//files"),
            json!([ours, 7]),
            json!([[ours]]),
            json!((0..1000).map(|at| format!("https://{at}.test")).collect::<Vec<_>>()),
            json!(std::iter::repeat_n(ours, 17).collect::<Vec<_>>()),
        ] {
            check(|claims| claims["aud"] = wrong, Err("audience"));
        }
        check(|claims| drop(claims.as_object_mut().unwrap().remove("aud")), Err("audience"));
        // A token for some routes says so; one for the whole gateway is for all of them.
        let routes = |audience: serde_json::Value| {
            let mut claims = right();
            claims["aud"] = audience;
            read_claims(&claims, |_| {}).unwrap().routes
        };
        let files = "https://gw.test/mcp/files";
        assert_eq!(routes(json!([files, "https://other.test"])), Some(vec![files.to_owned()]));
        assert_eq!(routes(json!([files, ours])), None);
    }

    #[test]
    fn times_are_numbers_within_the_skew() {
        for (claim, value, expected) in [
            ("exp", json!(NOW - 29), Ok(())),
            ("exp", json!(NOW - 30), Err("expiry")),
            ("exp", json!(NOW - 31), Err("expiry")),
            ("exp", json!((NOW + 60).to_string()), Err("expiry")),
            ("exp", json!(null), Err("expiry")),
            ("exp", json!(-1), Err("expiry")),
            ("exp", json!(NOW as f64 + 60.5), Ok(())),
            ("exp", json!(NOW + 24 * 3600), Ok(())),
            ("exp", json!(NOW + 24 * 3600 + 1), Err("lifetime")),
            ("exp", json!(NOW + 10 * 365 * 24 * 3600), Err("lifetime")),
            ("exp", json!(i64::MAX), Err("expiry")),
            ("nbf", json!(NOW + 30), Ok(())),
            ("nbf", json!(NOW + 31), Err("not before")),
            ("nbf", json!("soon"), Err("not before")),
            ("iat", json!(NOW + 30), Ok(())),
            ("iat", json!(NOW + 31), Err("issued")),
            ("iat", json!("now"), Err("issued")),
            ("iat", json!(NOW - 24 * 3600), Err("lifetime")),
        ] {
            check(|claims| claims[claim] = value.clone(), expected);
        }
        check(|claims| drop(claims.as_object_mut().unwrap().remove("exp")), Err("expiry"));
        // Without `iat` the lifetime counts from now.
        check(
            |claims| {
                drop(claims.as_object_mut().unwrap().remove("iat"));
                claims["exp"] = json!(NOW + 24 * 3600 + 1);
            },
            Err("lifetime"),
        );
    }

    #[test]
    fn numbers_of_seconds_are_read_as_written() {
        for (text, expected) in [
            ("0", Some(0)),
            ("1.5", Some(1_500_000_000)),
            ("1.0000000019", Some(1_000_000_001)),
            ("9000000000", Some(9_000_000_000_000_000_000)),
            ("9000000001", None),
            ("1e9", None),
            ("-1", None),
            ("99999999999999999999", None),
            ("\"1\"", None),
            ("true", None),
        ] {
            let document = Document::read(Bytes::from_static(text.as_bytes()), &WireLimits::DEFAULT).unwrap();
            assert_eq!(instant(document.root()).map(|read| read.0), expected, "{text}");
        }
    }

    #[test]
    fn everything_else_is_what_it_must_be() {
        for (claim, value, expected) in [
            ("sub", json!(""), "subject"),
            ("sub", json!(7), "subject"),
            ("sub", json!("s".repeat(513)), "subject"),
            ("sub", json!("s".repeat(130)), "caller"),
            ("client_id", json!(["cli"]), "client"),
            ("client_id", json!(""), "client"),
            ("jti", json!(7), "token id"),
            ("jti", json!(""), "token id"),
            ("jti", json!("j".repeat(513)), "token id"),
            ("env", json!("production"), "environment"),
            ("env", json!(["test"]), "environment"),
            ("scope", json!(7), "scopes"),
            ("scope", json!("a\"b"), "scopes"),
            ("scope", json!(["a", 7]), "scopes"),
            ("scope", json!(["a b"]), "scopes"),
            ("scope", json!((0..257).map(|at| at.to_string()).collect::<Vec<_>>()), "scopes"),
            ("groups", json!("admins"), "groups"),
            ("groups", json!([7]), "groups"),
            ("groups", json!(["g".repeat(257)]), "groups"),
            ("cnf", json!({}), "binding"),
            ("cnf", json!({ "jkt": "short" }), "binding"),
            ("cnf", json!({ "jwk": {} }), "binding"),
            ("cnf", json!({ "jkt": "A".repeat(43), "kid": "1" }), "binding"),
            ("cnf", json!("x"), "binding"),
            ("cnf", json!(null), "binding"),
        ] {
            check(|claims| claims[claim] = value.clone(), Err(expected));
        }
        check(|claims| drop(claims.as_object_mut().unwrap().remove("sub")), Err("subject"));
        check(|claims| claims["env"] = json!("test"), Ok(()));
        check(|claims| drop(claims.as_object_mut().unwrap().remove("client_id")), Ok(()));
        check(|claims| claims["cnf"] = json!({ "jkt": "A".repeat(43) }), Ok(()));
    }

    #[test]
    fn the_operator_chooses_which_claim_names_the_caller() {
        let named = |claim, email_verified: serde_json::Value| {
            let mut claims = right();
            claims["oid"] = json!("object");
            claims["email"] = json!("alice@corp.test");
            claims["email_verified"] = email_verified;
            read_claims(&claims, |issuer| issuer.caller_claim = claim).map(|claims| claims.caller.name.to_string())
        };
        assert_eq!(named(CallerClaim::ObjectId, json!(true)).unwrap(), "corp:object");
        assert_eq!(named(CallerClaim::Client, json!(true)).unwrap(), "corp:cli");
        assert_eq!(named(CallerClaim::VerifiedEmail, json!(true)).unwrap(), "corp:alice@corp.test");
        for unverified in [json!(false), json!("true"), json!(null)] {
            assert!(named(CallerClaim::VerifiedEmail, unverified).is_err());
        }
    }

    #[test]
    fn groups_come_from_where_the_provider_puts_them() {
        let mut claims = right();
        claims["azp"] = json!("cli");
        claims["groups"] = json!(["g"]);
        claims["realm_access"] = json!({ "roles": ["r"] });
        let groups = |preset| {
            let read = read_claims(&claims, |issuer| issuer.preset = preset).unwrap();
            read.standing.groups.clone()
        };
        assert_eq!(groups(Preset::Standard), ["g"]);
        assert_eq!(groups(Preset::Keycloak), ["g", "r"]);
        assert_eq!(groups(Preset::Auth0), Vec::<String>::new());
    }
}
