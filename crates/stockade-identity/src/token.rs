//! Signed access tokens: from a text to what it says, by the keys of the issuer that it names (RFC 9068 §4).
//!
//! Must never: let the token choose its algorithm, bring its key (`jwk`, `jku`, `x5c` and `x5u` are not even looked at), or
//! be judged by the keys of another issuer.

use crate::algorithm::Algorithm;
use crate::check::{Check, Checks, seen};
use crate::claims::{self, Against, Claims, shown};
use crate::jws::{Jws, JwsError};
use crate::key_set::Choice;
use crate::key_source::KeySource;
use crate::settings::IssuerSettings;
use stockade_core::identity::IdentityError;
use stockade_core::wire::Value;

/// The type of access tokens (RFC 9068 §2.1), without `application/`.
const ACCESS_TOKEN: &str = "at+jwt";

/// What vouched for a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SignedBy {
    /// The thumbprint of the key.
    pub(crate) key: [u8; 32],
    /// The generation of the issuer's keys in which it was found.
    pub(crate) generation: u64,
}

/// True for what is judged as a signed token; everything else is opaque.
pub(crate) fn is_signed(text: &str) -> bool {
    text.bytes().filter(|byte| *byte == b'.').count() == 2
}

/// Reads the text.
pub(crate) fn read<'t>(text: &'t str, checks: &mut Checks<'_>) -> Result<Jws<'t>, IdentityError> {
    let read = Jws::read(text);
    let found = |read: &Result<Jws<'_>, JwsError>| match read {
        Ok(_) => "one".to_owned(),
        Err(error) => error.to_string(),
    };
    checks.require(Check::Form, read.is_ok(), || seen("a compact JWS", found(&read)))?;
    read.map_err(|error| IdentityError::Rejected { check: Check::Form.as_str(), reason: error.to_string() })
}

/// Which of the issuers the token names, letter for letter.
pub(crate) fn issuer_of<'i>(
    jws: &Jws<'_>,
    mut issuers: impl Iterator<Item = &'i IssuerSettings>,
    checks: &mut Checks<'_>,
) -> Result<usize, IdentityError> {
    let found = jws.claims().get("iss");
    let text = found.and_then(Value::as_str);
    let position = issuers.position(|issuer| text.as_deref() == Some(issuer.issuer.as_str()));
    let expected = || seen("`iss` to be a configured issuer, exactly", shown(found));
    checks.require(Check::Issuer, position.is_some(), expected)?;
    position
        .ok_or_else(|| IdentityError::Rejected { check: Check::Issuer.as_str(), reason: "not configured".to_owned() })
}

/// Checks header, signature and claims. `may_fetch`: whether a token may make us ask the issuer for newer keys.
pub(crate) async fn verify(
    jws: &Jws<'_>,
    keys: &KeySource,
    against: &mut Against<'_>,
    may_fetch: bool,
    checks: &mut Checks<'_>,
) -> Result<(Claims, SignedBy), IdentityError> {
    let algorithm = algorithm(jws.header(), &against.issuer.algorithms, checks)?;
    against.is_typed = kind(jws.header(), against.issuer, checks)?;
    let critical = jws.header().get("crit");
    checks.require(Check::Critical, critical.is_none(), || seen("no `crit`", shown(critical)))?;
    let signed_by = signature(jws, algorithm, keys, may_fetch, checks).await?;
    Ok((claims::read(jws.claims(), against, checks)?, signed_by))
}

/// The algorithm: one that the configuration allows. That it fits the key is checked where the key is chosen.
pub(crate) fn algorithm(
    header: Value<'_>,
    allowed: &[Algorithm],
    checks: &mut Checks<'_>,
) -> Result<Algorithm, IdentityError> {
    let found = header.get("alg");
    let named = found.and_then(Value::as_str).and_then(|name| Algorithm::parse(&name));
    let algorithm = named.filter(|algorithm| allowed.contains(algorithm));
    checks.require(Check::Algorithm, algorithm.is_some(), || {
        seen(format!("`alg` to be one of {}", Algorithm::list(allowed)), shown(found))
    })?;
    algorithm.ok_or_else(|| IdentityError::Rejected {
        check: Check::Algorithm.as_str(),
        reason: "it is not allowed".to_owned(),
    })
}

/// True if the type says that this is an access token; false if it says nothing and that is taken from this issuer. Media
/// types have no case, and `application/` may be left out (RFC 7515 §4.1.9).
fn kind(header: Value<'_>, issuer: &IssuerSettings, checks: &mut Checks<'_>) -> Result<bool, IdentityError> {
    let found = header.get("typ");
    let text = match found {
        None => Some(String::new()),
        Some(value) => value.as_str().filter(|text| !text.is_empty()).map(|text| text.to_ascii_lowercase()),
    };
    let text = text.as_deref().map(|text| text.strip_prefix("application/").unwrap_or(text));
    let is_typed = text == Some(ACCESS_TOKEN);
    let is_taken =
        |text: &str| issuer.preset.quirks().types.contains(&text) || (issuer.accept_typ_jwt && text == "jwt");
    checks.require(Check::Type, is_typed || text.is_some_and(is_taken), || {
        let also = if issuer.accept_typ_jwt { vec!["jwt"] } else { issuer.preset.quirks().types.to_vec() };
        let also: String = also.iter().map(|word| format!(" or `{word}`")).collect();
        seen(format!("`typ` to be `{ACCESS_TOKEN}`{also}"), shown(found))
    })?;
    Ok(is_typed)
}

async fn signature(
    jws: &Jws<'_>,
    algorithm: Algorithm,
    keys: &KeySource,
    may_fetch: bool,
    checks: &mut Checks<'_>,
) -> Result<SignedBy, IdentityError> {
    let id = jws.header().get("kid");
    let text = id.and_then(Value::as_str);
    checks.require(Check::Key, id.is_none() || text.is_some(), || {
        seen("`kid`, if there is one, to be a text", shown(id))
    })?;
    let mut current = match keys.fresh() {
        Err(_) if may_fetch => {
            keys.renew().await;
            keys.fresh()
        }
        known => known,
    };
    checks.tell(Check::Key, "keys of the issuer that are fresh enough", &current);
    if let Ok(known) = &current
        && may_fetch
        && matches!(known.set.choose(text.as_deref(), algorithm), Choice::Unknown)
    {
        keys.renew().await;
        current = keys.fresh();
    }
    let current = current?;
    let choice = current.set.choose(text.as_deref(), algorithm);
    let found = |choice: &Choice<'_>| match choice {
        Choice::Key(_) => format!("one, named by {}", shown(id)),
        Choice::Unknown => format!("none for the id {}, among {}", shown(id), current.set.describe()),
        Choice::Wrong { fitting } => format!("{fitting} for the id {}, among {}", shown(id), current.set.describe()),
    };
    checks.require(Check::Key, matches!(choice, Choice::Key(_)), || {
        seen(format!("exactly one key of the issuer for {}", algorithm.as_str()), found(&choice))
    })?;
    let Choice::Key(key) = choice else {
        return Err(IdentityError::Rejected { check: Check::Key.as_str(), reason: "no key fits".to_owned() });
    };
    let is_right = key.verifies(algorithm, jws.signed(), jws.signature());
    checks.require(Check::Signature, is_right, || {
        seen("the signature of that key", if is_right { "it" } else { "another" })
    })?;
    Ok(SignedBy { key: *key.thumbprint(), generation: current.generation })
}
