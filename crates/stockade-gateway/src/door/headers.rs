//! What the HTTP door reads from headers, and what it says in them.
//!
//! Must never: take the first or the last of a header that stands twice (the strict framing before it has refused those);
//! let a forwarded-for or similar header stand for anything.

use http::header::{
    ACCEPT, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue, ORIGIN,
};
use stockade_core::guard::{Credential, Mirrored};
use stockade_core::refusal::{Refusal, Refused};
use stockade_core::words::{Secret, SessionId, Untrusted};

/// The `Host` and `Origin` values that are let in, compared byte for byte (DNS rebinding: AU-21).
#[derive(Debug, Clone)]
pub(crate) struct Places {
    hosts: Vec<String>,
    origins: Vec<String>,
}

impl Places {
    /// The names of loopback at `port`, and what the operator has added.
    pub(crate) fn new(port: u16, hosts: &[String], origins: &[String]) -> Self {
        let own = ["127.0.0.1", "localhost", "[::1]"].map(|name| format!("{name}:{port}"));
        let own_origins = own.iter().map(|host| format!("http://{host}"));
        Self {
            hosts: own.iter().cloned().chain(hosts.iter().cloned()).collect(),
            origins: own_origins.chain(origins.iter().cloned()).collect(),
        }
    }

    /// The two checks are independent; no `Origin` means no browser.
    pub(crate) fn check(&self, headers: &HeaderMap) -> Result<(), Refused> {
        let listed = |name: &HeaderName, list: &[String]| {
            headers.get(name).map(|value| list.iter().any(|allowed| allowed.as_bytes() == value.as_bytes()))
        };
        if listed(&HOST, &self.hosts) != Some(true) {
            return Err(forbidden(headers, &HOST));
        }
        if listed(&ORIGIN, &self.origins) == Some(false) {
            return Err(forbidden(headers, &ORIGIN));
        }
        Ok(())
    }
}

fn forbidden(headers: &HeaderMap, name: &HeaderName) -> Refused {
    let said = headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    let said = Untrusted::new(said.unwrap_or_default()).for_log();
    Refused::by(
        "door",
        Refusal::Forbidden,
        format!("{name} `{said}` is not on its list (gateway.hosts, gateway.origins)"),
    )
}

/// A message is `application/json`, in UTF-8, as it is.
pub(crate) fn check_content(headers: &HeaderMap) -> Result<(), Refused> {
    let unsupported = |reason: &str| Refused::by("door", Refusal::UnsupportedMediaType, reason);
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let mut parts = value.ok_or_else(|| unsupported("no content type"))?.split(';').map(str::trim);
    if !parts.next().is_some_and(|essence| essence.eq_ignore_ascii_case("application/json")) {
        return Err(unsupported("the content type is not application/json"));
    }
    for parameter in parts {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        if name.eq_ignore_ascii_case("charset") && !value.trim_matches('"').eq_ignore_ascii_case("utf-8") {
            return Err(unsupported("the charset is not UTF-8"));
        }
    }
    match headers.get(CONTENT_ENCODING) {
        Some(coding) if !coding.as_bytes().eq_ignore_ascii_case(b"identity") => {
            Err(unsupported("the body is compressed"))
        }
        _ => Ok(()),
    }
}

/// The client must take both forms of answer (MCP 2025-03-26 and later, "Sending Messages to the Server").
pub(crate) fn check_accept(headers: &HeaderMap, wanted: &[&str]) -> Result<(), Refused> {
    let mut values = headers.get_all(ACCEPT).iter().peekable();
    if values.peek().is_none() {
        return Ok(());
    }
    let ranges: Vec<_> = values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|range| range.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
        .collect();
    let takes = |wanted: &str| {
        let family = wanted.split('/').next().unwrap_or_default();
        ranges.iter().any(|range| range == "*/*" || range == wanted || *range == format!("{family}/*"))
    };
    if wanted.iter().all(|wanted| takes(wanted)) {
        return Ok(());
    }
    Err(Refused::by("door", Refusal::NotAcceptable, "the client does not accept the forms of the answer"))
}

/// What the caller shows. Anything but one well-formed bearer token is nothing.
pub(crate) fn credential(headers: &mut HeaderMap) -> Credential {
    let Some(value) = headers.remove(AUTHORIZATION) else { return Credential::Nothing };
    let Ok(text) = value.to_str() else { return Credential::Bearer(Secret::new(String::new())) };
    match text.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => {
            Credential::Bearer(Secret::new(token.to_owned()))
        }
        // Shown and not usable: never the same as nothing shown.
        _ => Credential::Bearer(Secret::new(String::new())),
    }
}

/// The session that the client names; a name that cannot be one is a session that nobody has.
pub(crate) fn session(headers: &HeaderMap) -> Option<SessionId> {
    let value = headers.get("mcp-session-id")?;
    value.to_str().ok().and_then(SessionId::parse).or_else(|| SessionId::parse("not-a-session"))
}

pub(crate) fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
}

/// The mirrored headers, as sent.
pub(crate) fn mirrored(headers: &HeaderMap) -> Mirrored {
    let params = headers.iter().filter(|(name, _)| name.as_str().starts_with("mcp-param-"));
    Mirrored {
        method: text(headers, "mcp-method"),
        name: text(headers, "mcp-name"),
        params: params
            .map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect(),
    }
}

/// The headers of every answer (OP-05). There is nothing in ours that a browser should show, frame, sniff or keep.
pub(crate) fn harden(headers: &mut HeaderMap) {
    const ALL: [(&str, &str); 6] = [
        ("cache-control", "no-store"),
        ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
        ("cross-origin-resource-policy", "same-origin"),
        ("referrer-policy", "no-referrer"),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
    ];
    for (name, value) in ALL {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&str, &str)]) -> HeaderMap {
        lines
            .iter()
            .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap()))
            .collect()
    }

    #[test]
    fn only_json_in_utf8_is_a_message() {
        for (value, accepted) in [
            ("application/json", true),
            ("Application/JSON", true),
            ("application/json;charset=UTF-8", true),
            ("application/json ;x=y", true),
            ("application/json; charset=\"utf-8\"", true),
            ("application/json; charset=iso-8859-1", false),
            ("text/json", false),
            ("text/plain", false),
            ("application/json, text/html", false),
            ("application/vnd.api+json", false),
        ] {
            assert_eq!(check_content(&headers(&[("content-type", value)])).is_ok(), accepted, "{value}");
        }
        assert!(check_content(&HeaderMap::new()).is_err());
        for coding in ["gzip", "br", "gzip, gzip", ""] {
            let headers = headers(&[("content-type", "application/json"), ("content-encoding", coding)]);
            assert!(check_content(&headers).is_err(), "{coding}");
        }
    }

    #[test]
    fn host_and_origin_are_checked_apart_and_byte_for_byte() {
        let places = Places::new(8443, &["gw.test".to_owned()], &["https://app.test".to_owned()]);
        for (lines, allowed) in [
            (&[("host", "127.0.0.1:8443")][..], true),
            (&[("host", "localhost:8443"), ("origin", "http://localhost:8443")], true),
            (&[("host", "gw.test"), ("origin", "https://app.test")], true),
            (&[], false),
            (&[("host", "evil.example:8443")], false),
            (&[("host", "127.0.0.1.evil.example")], false),
            (&[("host", "127.0.0.1:8443"), ("origin", "http://evil.example")], false),
            (&[("host", "evil.example"), ("origin", "https://app.test")], false),
            (&[("host", "127.0.0.1:8443"), ("origin", "null")], false),
            (&[("host", "gw.test"), ("origin", "https://app.test.evil.example")], false),
            (&[("host", "LOCALHOST:8443")], false),
            (&[("host", "localhost.:8443")], false),
            (&[("host", "localhost:8444")], false),
            (&[("host", "localhost")], false),
        ] {
            assert_eq!(places.check(&headers(lines)).is_ok(), allowed, "{lines:?}");
        }
    }

    #[test]
    fn what_is_shown_and_wrong_is_not_nothing() {
        for (value, is_bearer) in [("Bearer abc", "abc"), ("bearer  abc", " abc"), ("Basic abc", ""), ("Bearer", "")] {
            let Credential::Bearer(secret) = credential(&mut headers(&[("authorization", value)])) else {
                panic!("{value}")
            };
            assert_eq!(secret.expose(), is_bearer);
        }
        assert!(matches!(credential(&mut HeaderMap::new()), Credential::Nothing));
    }

    #[test]
    fn both_forms_of_answer_must_be_taken() {
        let wanted = ["application/json", "text/event-stream"];
        for (value, taken) in [
            ("application/json, text/event-stream", true),
            ("*/*", true),
            ("application/*;q=0.5, text/*", true),
            ("application/json", false),
            ("text/html", false),
        ] {
            assert_eq!(check_accept(&headers(&[("accept", value)]), &wanted).is_ok(), taken, "{value}");
        }
        assert!(check_accept(&HeaderMap::new(), &wanted).is_ok());
    }
}
