//! What the HTTP door reads from headers, and what it says in them.
//!
//! Must never: take the first or the last of a header that stands twice (the strict framing before it has refused those);
//! let a forwarded-for or similar header stand for anything.

use super::peer::Peer;
use http::header::{
    ACCEPT, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue, ORIGIN,
    STRICT_TRANSPORT_SECURITY,
};
use stockade_core::guard::Mirrored;
use stockade_core::identity::Credential;
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
        // The host says who is asked; by which scheme, the connection itself decides.
        let own_origins = own.iter().flat_map(|host| [format!("http://{host}"), format!("https://{host}")]);
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

/// What the caller shows in `Authorization`, which is taken out. What is no single well-formed credential is
/// [`Credential::Malformed`], never nothing.
pub(crate) fn credential(headers: &mut HeaderMap) -> Credential {
    let mut values = match headers.entry(AUTHORIZATION) {
        http::header::Entry::Vacant(_) => return Credential::Nothing,
        http::header::Entry::Occupied(entry) => entry.remove_entry_mult().1,
    };
    let (Some(value), None) = (values.next(), values.next()) else {
        return Credential::Malformed("more than one `Authorization` header");
    };
    let Ok(text) = value.to_str() else { return Credential::Malformed("it is not text") };
    // RFC 9110 §11.4: scheme, one space, and the token of RFC 6750 §2.1.
    let Some((scheme, token)) = text.split_once(' ') else { return Credential::Malformed("it has no token") };
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
    if token.is_empty() || !token.bytes().all(is_token) {
        return Credential::Malformed("its token has characters that no token has");
    }
    if scheme.eq_ignore_ascii_case("bearer") {
        Credential::Bearer(Secret::new(token.to_owned()))
    } else if scheme.eq_ignore_ascii_case("dpop") {
        Credential::Dpop(Secret::new(token.to_owned()))
    } else {
        Credential::Malformed("its scheme is neither `Bearer` nor `DPoP`")
    }
}

/// The same for any values, as far as they can stand in a header at all.
pub(crate) fn credential_for_fuzz(values: &[&[u8]]) -> Option<Credential> {
    let mut headers = HeaderMap::new();
    for value in values {
        headers.append(AUTHORIZATION, http::HeaderValue::from_bytes(value).ok()?);
    }
    let credential = (!headers.is_empty()).then(|| credential(&mut headers));
    credential.filter(|_| headers.is_empty())
}

/// Values of `DPoP` headers that are kept: one is right, and two show that it was not one.
const PROOFS: usize = 2;

/// The proofs of possession that the caller shows, which are taken out (RFC 9449 §4.3).
pub(crate) fn proofs(headers: &mut HeaderMap) -> Vec<String> {
    match headers.entry("dpop") {
        http::header::Entry::Vacant(_) => Vec::new(),
        http::header::Entry::Occupied(entry) => {
            let values = entry.remove_entry_mult().1.take(PROOFS);
            values.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).collect()
        }
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
pub(crate) fn harden(headers: &mut HeaderMap, peer: &Peer) {
    const ALL: [(&str, &str); 7] = [
        ("cache-control", "no-store"),
        ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        ("referrer-policy", "no-referrer"),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
    ];
    let is_page = headers.contains_key("content-security-policy");
    for (name, value) in ALL {
        // A page of a site may have one of its own, and a window that opened it must hear of its end; nothing of an upstream's
        // comes here.
        if headers.contains_key(name) || (is_page && name == "cross-origin-opener-policy") {
            continue;
        }
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    if peer.is_tls {
        // Two years; in the clear the header means nothing (RFC 6797 §7.2).
        let value = HeaderValue::from_static("max-age=63072000; includeSubDomains");
        headers.insert(STRICT_TRANSPORT_SECURITY, value);
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
        for value in ["Bearer abc", "bearer a-._~+/="] {
            let shown = credential(&mut headers(&[("authorization", value)]));
            let Credential::Bearer(secret) = shown else { panic!("{value}") };
            assert_eq!(secret.expose(), value.split_at("Bearer ".len()).1);
        }
        let shown = credential(&mut headers(&[("authorization", "DPoP abc")]));
        assert!(matches!(shown, Credential::Dpop(secret) if secret.expose() == "abc"));
        for value in ["bearer  abc", "Basic abc", "Bearer", "abc", "", "Bearer a b", "Bearer a,b", "Bearer \u{e9}"] {
            let shown = credential(&mut headers(&[("authorization", value)]));
            assert!(matches!(shown, Credential::Malformed(_)), "{value}");
        }
        let mut two = headers(&[("authorization", "Bearer abc")]);
        two.append("authorization", HeaderValue::from_static("Bearer def"));
        assert!(matches!(credential(&mut two), Credential::Malformed(_)));
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

    #[test]
    fn answers_and_refusals_of_the_framing_have_the_same_headers() {
        let socket = "127.0.0.1:1".parse().unwrap();
        for (transport, is_tls) in [("plain", false), ("tls", true)] {
            let mut of_answers = HeaderMap::new();
            harden(&mut of_answers, &Peer { is_tls, ..Peer::plain(socket) });
            let pairs = of_answers.iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()));
            let mut expected: Vec<_> = pairs.collect();
            expected.extend([("connection", "close"), ("content-length", "0")].map(|(a, b)| (a.into(), b.into())));
            expected.sort();
            let mut of_refusals = crate::http1::refusal_headers(transport);
            of_refusals.sort();
            assert_eq!(of_refusals, expected);
            assert_eq!(of_answers.contains_key("strict-transport-security"), is_tls);
        }
    }
}
