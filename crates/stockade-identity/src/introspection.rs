//! Opaque tokens: asked about at the one issuer that introspects (RFC 7662).
//!
//! Must never: show a token to anybody but that issuer; take anything but `"active": true` for a yes; keep an answer beyond
//! its short life; ask twice at the same time about the same token.

use crate::check::{Check, Checks, seen};
use crate::claims::shown;
use crate::discovery::is_json;
use crate::ports::{Fetch, FetchError, Form};
use crate::recent::Recent;
use crate::settings::IntrospectionSettings;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::future::{BoxFuture, Either, FutureExt, Shared, WeakShared, select};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use stockade_core::identity::IdentityError;
use stockade_core::ports::{Clock, Moment};
use stockade_core::wire::{Document, Value, WireLimits};
use stockade_core::words::Secret;
use zeroize::Zeroizing;

/// Bytes of one answer.
const ANSWER_BYTES: usize = 64 << 10;
/// The longest that an answer takes.
const DEADLINE: Duration = Duration::from_secs(10);
/// Questions at the same time.
const IN_FLIGHT: usize = 64;
/// How long a no is remembered.
const NEGATIVE: Duration = Duration::from_secs(5);
/// Tokens of which a no is remembered.
const NEGATIVES: usize = 4096;
/// Characters of an opaque token.
const TOKEN_BYTES: usize = 4096;

const LIMITS: WireLimits = WireLimits {
    message_bytes: ANSWER_BYTES,
    depth: 16,
    members: 1024,
    values: 8192,
    string_bytes: ANSWER_BYTES,
    name_bytes: 1024,
};

/// What the endpoint said. Both are answers; everything else is an error.
#[derive(Debug, Clone)]
enum Answer {
    Active(Arc<Document>),
    Inactive,
}

type Flight = Shared<BoxFuture<'static, Result<Answer, IdentityError>>>;
type WeakFlight = WeakShared<BoxFuture<'static, Result<Answer, IdentityError>>>;

/// Asks one endpoint.
pub(crate) struct Introspector {
    settings: IntrospectionSettings,
    fetch: Arc<dyn Fetch>,
    clock: Arc<dyn Clock>,
    flights: Mutex<HashMap<[u8; 32], WeakFlight>>,
    inactive: Mutex<Recent<[u8; 32], Moment>>,
}

impl std::fmt::Debug for Introspector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Introspector({})", self.settings.url)
    }
}

impl Introspector {
    pub(crate) fn new(settings: IntrospectionSettings, fetch: Arc<dyn Fetch>, clock: Arc<dyn Clock>) -> Self {
        let (flights, inactive) = (Mutex::default(), Mutex::new(Recent::new(NEGATIVES)));
        Self { settings, fetch, clock, flights, inactive }
    }

    /// How long a yes is believed.
    pub(crate) const fn remember(&self) -> Duration {
        self.settings.remember
    }

    /// Asks about a token. What comes back is what the issuer says of an active one.
    pub(crate) async fn ask(
        &self,
        token: &Secret,
        digest: [u8; 32],
        may_fetch: bool,
        checks: &mut Checks<'_>,
    ) -> Result<Arc<Document>, IdentityError> {
        let length = token.expose().len();
        let is_plain =
            (1..=TOKEN_BYTES).contains(&length) && token.expose().bytes().all(|byte| byte.is_ascii_graphic());
        checks.require(Check::Form, is_plain, || {
            seen(format!("a text of at most {TOKEN_BYTES} visible ASCII characters"), format!("{length} bytes"))
        })?;
        let is_known = !checks.are_told() && self.is_known_inactive(&digest);
        let answer = if is_known || !may_fetch {
            Ok(Answer::Inactive)
        } else {
            match self.flight(token, digest) {
                Some(flight) => flight.await.inspect(|answer| self.remember_inactive(digest, answer)),
                None => Err(unavailable("too many questions at once")),
            }
        };
        checks.tell(Check::Introspection, "an answer of the introspection endpoint", &answer);
        let answer = answer?;
        checks.require(Check::Introspection, matches!(answer, Answer::Active(_)), || {
            seen("`active` to be true", if matches!(answer, Answer::Active(_)) { "true" } else { "not true" })
        })?;
        match answer {
            Answer::Active(document) => Ok(document),
            Answer::Inactive => Err(unavailable("no answer")),
        }
    }

    fn is_known_inactive(&self, digest: &[u8; 32]) -> bool {
        let mut inactive = self.inactive.lock().unwrap_or_else(PoisonError::into_inner);
        inactive.get(digest).is_some_and(|until| self.clock.moment() < *until)
    }

    /// A no counts from when it was said.
    fn remember_inactive(&self, digest: [u8; 32], answer: &Answer) {
        if matches!(answer, Answer::Inactive) {
            let until = Moment(self.clock.moment().0.saturating_add(NEGATIVE));
            self.inactive.lock().unwrap_or_else(PoisonError::into_inner).put(digest, until);
        }
    }

    /// The question that is under way about this token, or a new one; nothing if there are too many.
    fn flight(&self, token: &Secret, digest: [u8; 32]) -> Option<Flight> {
        let mut flights = self.flights.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(flight) = flights.get(&digest).and_then(WeakShared::upgrade)
            && flight.peek().is_none()
        {
            return Some(flight);
        }
        if flights.len() >= IN_FLIGHT {
            // Those that have ended, and those that nobody waits for any more.
            flights.retain(|_, flight| flight.upgrade().is_some_and(|flight| flight.peek().is_none()));
        }
        if flights.len() >= IN_FLIGHT {
            return None;
        }
        let flight =
            question(Arc::clone(&self.fetch), Arc::clone(&self.clock), self.settings.url.clone(), self.form(token))
                .boxed()
                .shared();
        flights.insert(digest, flight.downgrade()?);
        Some(flight)
    }

    /// RFC 7662 §2.1, with the client's credentials as RFC 6749 §2.3.1 wants them.
    fn form(&self, token: &Secret) -> Form {
        let mut body = Zeroizing::new("token_type_hint=access_token&token=".to_owned());
        push_encoded(&mut body, token.expose());
        let mut pair = Zeroizing::new(String::new());
        push_encoded(&mut pair, &self.settings.client_id);
        pair.push(':');
        push_encoded(&mut pair, self.settings.client_secret.expose());
        let authorization = Secret::new(format!("Basic {}", *Zeroizing::new(STANDARD.encode(pair.as_bytes()))));
        Form { authorization, body: Secret::new(std::mem::take(&mut *body)) }
    }
}

async fn question(
    fetch: Arc<dyn Fetch>,
    clock: Arc<dyn Clock>,
    url: String,
    form: Form,
) -> Result<Answer, IdentityError> {
    let end = Moment(clock.moment().0.saturating_add(DEADLINE));
    let fetched = match select(fetch.post_form(&url, form, ANSWER_BYTES), clock.sleep_until(end)).await {
        Either::Left((fetched, _)) => fetched,
        Either::Right(_) => Err(FetchError::TimedOut { limit: DEADLINE }),
    };
    let fetched = fetched.map_err(|error| unavailable(&error.to_string()))?;
    if fetched.status != 200 {
        return Err(unavailable(&format!("it answers with status {}", fetched.status)));
    }
    if !is_json(fetched.content_type.as_deref()) {
        return Err(unavailable("it does not answer with JSON"));
    }
    answer(fetched.body)
}

fn answer(body: Bytes) -> Result<Answer, IdentityError> {
    let document = Document::read(body, &LIMITS).map_err(|error| unavailable(&format!("its answer: {error}")))?;
    match document.root().get("active").map(Value::as_bool) {
        Some(Some(true)) => Ok(Answer::Active(Arc::new(document))),
        Some(Some(false)) => Ok(Answer::Inactive),
        _ => Err(unavailable("its answer has no `active` that is true or false")),
    }
}

fn unavailable(reason: &str) -> IdentityError {
    IdentityError::Unavailable { reason: format!("the introspection endpoint: {reason}") }
}

/// What only introspection answers have: the issuer if it is named, and a type that goes with how the token is shown.
pub(crate) fn check_answer(answer: Value<'_>, issuer: &str, checks: &mut Checks<'_>) -> Result<(), IdentityError> {
    let found = answer.get("iss");
    let is_same = found.is_none_or(|value| value.as_str().as_deref() == Some(issuer));
    checks
        .require(Check::Issuer, is_same, || seen(format!("`iss`, if there is one, to be `{issuer}`"), shown(found)))?;
    let found = answer.get("token_type");
    let is_known = found.is_none_or(|value| {
        let text = value.as_str().unwrap_or_default();
        text.eq_ignore_ascii_case("bearer")
            || (text.eq_ignore_ascii_case("dpop") && answer.at(&["cnf", "jkt"]).is_some())
    });
    checks.require(Check::Type, is_known, || {
        seen("`token_type`, if there is one, to be `Bearer`, or `DPoP` for a token with `cnf.jkt`", shown(found))
    })
}

/// `application/x-www-form-urlencoded`: everything but letters, digits and `-._~` as its bytes in hexadecimal.
fn push_encoded(out: &mut String, text: &str) {
    // Without growing on the way, which would leave copies behind.
    out.reserve(text.len().saturating_mul(3).saturating_add(STANDARD_ROOM));
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            for digit in [byte >> 4, byte & 15] {
                out.push(char::from_digit(u32::from(digit), 16).map_or('0', |digit| digit.to_ascii_uppercase()));
            }
        }
    }
}

/// Room for what stands around an encoded text.
const STANDARD_ROOM: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_encoded_so_that_no_text_can_add_a_field() {
        let mut out = String::new();
        push_encoded(&mut out, "a&b=c d+\u{e9}~");
        assert_eq!(out, "a%26b%3Dc%20d%2B%C3%A9~");
    }

    #[test]
    fn only_true_is_yes_and_only_false_is_no() {
        let read = |body: &'static str| match answer(Bytes::from_static(body.as_bytes())) {
            Ok(Answer::Active(_)) => "yes",
            Ok(Answer::Inactive) => "no",
            Err(IdentityError::Unavailable { .. }) => "unknown",
            Err(error) => panic!("{error}"),
        };
        for (body, expected) in [
            (r#"{"active":true}"#, "yes"),
            (r#"{"active":false}"#, "no"),
            (r#"{"active":"true"}"#, "unknown"),
            (r#"{"active":1}"#, "unknown"),
            (r#"{"active":null}"#, "unknown"),
            ("{}", "unknown"),
            ("[]", "unknown"),
            ("true", "unknown"),
            (r#"{"active":false,"active":true}"#, "unknown"),
            ("<html>", "unknown"),
        ] {
            assert_eq!(read(body), expected, "{body}");
        }
    }
}
