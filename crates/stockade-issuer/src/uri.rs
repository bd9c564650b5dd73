//! The addresses that OAuth compares: redirect URIs, client identifiers that are URLs, resources, our own origin.
//!
//! For: turning text into an address once, by one strict grammar (RFC 3986, ASCII, no user, no fragment).
//! Must never: normalise, decode or repair; two addresses are the same if their bytes are the same, but for the port of a
//! loopback redirect (RFC 8252 §7.3).

use std::fmt;

/// Bytes of one address.
pub const URI_BYTES: usize = 1024;
/// Schemes that a browser runs, shows or sends mail by; none of them is an application's own (MCP, Security Best
/// Practices, "Authorization URL handling").
const NEVER: &[&str] = &[
    "about",
    "blob",
    "data",
    "file",
    "filesystem",
    "ftp",
    "http",
    "https",
    "intent",
    "jar",
    "javascript",
    "mailto",
    "ms-appx",
    "sms",
    "tel",
    "vbscript",
    "view-source",
    "ws",
    "wss",
];
/// Parameters of an authorization response; a redirect URI that brings one of its own could stand for ours.
const OURS: &[&str] = &["code", "state", "iss", "error", "error_description", "error_uri"];
/// Names of this very computer, as a client may write them.
const LOOPBACK: &[&str] = &["127.0.0.1", "[::1]", "localhost"];

/// Why a text is not the address it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UriError {
    /// Longer than [`URI_BYTES`].
    #[error("it is longer than {URI_BYTES} bytes")]
    TooLong,
    /// Not an absolute URI of RFC 3986, or one with a user, a fragment or a broken escape.
    #[error("it is not an absolute URI without user and fragment")]
    Malformed,
    /// Neither `https`, nor `http` on loopback, nor a scheme of an application's own.
    #[error("its scheme is not one that a client may be reached by")]
    Scheme,
    /// Its query holds a parameter of the answer.
    #[error("its query holds a parameter of the authorization response")]
    Parameter,
    /// Not what a client identifier, an issuer or a resource may look like.
    #[error("{0}")]
    Unfit(&'static str),
}

/// The parts of an address, as they stand in it.
#[derive(Debug, Clone, Copy)]
struct Parts<'t> {
    scheme: &'t str,
    authority: Option<&'t str>,
    path: &'t str,
    query: Option<&'t str>,
}

/// Host and port of an authority; the host as it stands, IPv6 in its brackets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Authority<'t> {
    host: &'t str,
    port: Option<u16>,
}

impl<'t> Parts<'t> {
    fn parse(text: &'t str) -> Result<Self, UriError> {
        if text.len() > URI_BYTES {
            return Err(UriError::TooLong);
        }
        if !text.bytes().all(is_uri_byte) || !escapes_are_whole(text) {
            return Err(UriError::Malformed);
        }
        let (scheme, rest) = text.split_once(':').ok_or(UriError::Malformed)?;
        let mut letters = scheme.bytes();
        let starts = letters.next().is_some_and(|byte| byte.is_ascii_lowercase());
        let goes_on = letters.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"+-.".contains(&byte));
        if !starts || !goes_on {
            return Err(UriError::Malformed);
        }
        let (before_query, query) = rest.split_once('?').map_or((rest, None), |(path, query)| (path, Some(query)));
        let Some(after_slashes) = before_query.strip_prefix("//") else {
            return Ok(Self { scheme, authority: None, path: before_query, query });
        };
        let at = after_slashes.find('/').unwrap_or(after_slashes.len());
        let (authority, path) = after_slashes.split_at_checked(at).ok_or(UriError::Malformed)?;
        Ok(Self { scheme, authority: Some(authority), path, query })
    }

    fn web(self) -> Result<Authority<'t>, UriError> {
        let authority = self.authority.ok_or(UriError::Malformed)?;
        let bracketed = authority.starts_with('[');
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !bracketed || host.ends_with(']') => (host, Some(port)),
            _ => (authority, None),
        };
        let inner = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let fine = match inner {
            Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
            None => {
                let label = |label: &str| !label.is_empty() && label.len() <= 63;
                let letters = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.' || byte == b'_';
                host.len() <= 253 && host.bytes().all(letters) && host.split('.').all(label)
            }
        };
        if !fine {
            return Err(UriError::Malformed);
        }
        let port = match port {
            None => None,
            Some(digits) => Some(parse_port(digits).ok_or(UriError::Malformed)?),
        };
        Ok(Authority { host, port })
    }
}

/// Digits without a leading zero; not 0.
fn parse_port(digits: &str) -> Option<u16> {
    let plain = !digits.is_empty() && !digits.starts_with('0') && digits.bytes().all(|byte| byte.is_ascii_digit());
    if plain { digits.parse().ok() } else { None }
}

/// RFC 3986 §2 without `#` (no fragments) and `@` (no users).
fn is_uri_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~:/?[]!$&'()*+,;=%".contains(&byte)
}

fn escapes_are_whole(text: &str) -> bool {
    text.split('%').skip(1).all(|after| {
        let mut digits = after.bytes();
        let two = [digits.next(), digits.next()];
        two.iter().all(|digit| digit.is_some_and(|digit| digit.is_ascii_hexdigit()))
    })
}

/// Where a client takes the answer, by kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RedirectKind {
    /// A web address: whoever has the domain gets the answer.
    Web {
        /// The host, with its port if there is one.
        host: String,
    },
    /// A port on the user's own computer: any program there may have it (RFC 8252 §8.6).
    Loopback {
        /// The name of the computer for itself, with its port if there is one.
        host: String,
    },
    /// A scheme that some program on the user's computer has claimed (RFC 8252 §7.1).
    Private {
        /// The scheme.
        scheme: String,
    },
}

/// Having one tells you: an absolute URI that an answer may be sent to: `https`, `http` on loopback, or an application's own
/// scheme; without user, fragment, or parameters of the answer. Which private schemes are taken is the settings' word.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RedirectUri(String);

impl RedirectUri {
    /// # Errors
    /// When the text is no such URI.
    pub fn parse(text: &str) -> Result<Self, UriError> {
        let parts = Parts::parse(text)?;
        match parts.scheme {
            "https" => {
                parts.web()?;
            }
            "http" if LOOPBACK.contains(&parts.web()?.host) => {}
            scheme if NEVER.contains(&scheme) => return Err(UriError::Scheme),
            _ => {}
        }
        let name = |pair: &str| pair.split('=').next().unwrap_or_default().to_ascii_lowercase();
        if parts.query.is_some_and(|query| query.split('&').any(|pair| OURS.contains(&name(pair).as_str()))) {
            return Err(UriError::Parameter);
        }
        Ok(Self(text.to_owned()))
    }

    /// The URI, byte for byte as it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What kind of place it is.
    #[must_use]
    pub fn kind(&self) -> RedirectKind {
        let private = |scheme: &str| RedirectKind::Private { scheme: scheme.to_owned() };
        let Ok(parts) = Parts::parse(&self.0) else { return private("") };
        match (parts.scheme, parts.authority) {
            ("https", Some(authority)) => RedirectKind::Web { host: authority.to_owned() },
            ("http", Some(authority)) => RedirectKind::Loopback { host: authority.to_owned() },
            (scheme, _) => private(scheme),
        }
    }

    /// True if a request for `self` may be answered for a client that has registered `registered`: the same bytes, but for
    /// the port on loopback, which a client learns only when it starts (RFC 8252 §7.3, RFC 9700 §4.1.3).
    #[must_use]
    pub fn is_for(&self, registered: &Self) -> bool {
        self.0 == registered.0
            || match (self.without_port(), registered.without_port()) {
                (Some(one), Some(other)) => one == other,
                _ => false,
            }
    }

    /// A loopback URI as it is remembered: the port says nothing about who listens. Other URIs as they are.
    #[must_use]
    pub fn lasting(&self) -> String {
        let Some((host, path, query)) = self.without_port() else { return self.0.clone() };
        let query = query.map(|query| format!("?{query}")).unwrap_or_default();
        format!("http://{host}{path}{query}")
    }

    fn without_port(&self) -> Option<(&str, &str, Option<&str>)> {
        let parts = Parts::parse(&self.0).ok()?;
        let authority = parts.web().ok()?;
        (parts.scheme == "http").then_some((authority.host, parts.path, parts.query))
    }

    /// The URI with `parameters` behind whatever query it has. Names are ours; values are escaped.
    #[must_use]
    pub(crate) fn with(&self, parameters: &[(&str, &str)]) -> String {
        let mut text = self.0.clone();
        let mut separator = if text.contains('?') { '&' } else { '?' };
        for (name, value) in parameters {
            text.push(separator);
            text.push_str(name);
            text.push('=');
            text.push_str(&crate::form::escape(value));
            separator = '&';
        }
        text
    }
}

impl fmt::Display for RedirectUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Having one tells you: an `https` URL that may name a client by a document (draft-ietf-oauth-client-id-metadata-document
/// §3): a public host name in lower case, a path without dot segments, no query. One client has one such text.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DocumentUrl(String);

impl DocumentUrl {
    /// # Errors
    /// When the text is no such URL.
    pub fn parse(text: &str) -> Result<Self, UriError> {
        let parts = Parts::parse(text)?;
        let authority = parts.web()?;
        let host = authority.host;
        let last = host.rsplit('.').next().unwrap_or_default();
        if parts.scheme != "https" {
            return Err(UriError::Unfit("a client identifier that is a URL begins with https"));
        }
        let named = host.contains('.') && !host.starts_with('[') && !last.bytes().all(|byte| byte.is_ascii_digit());
        if !named || host.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Err(UriError::Unfit("a client identifier names its host by domain, in lower case"));
        }
        if parts.query.is_some() || parts.path.len() < 2 || parts.path.contains('%') {
            return Err(UriError::Unfit("a client identifier has a plain path and no query"));
        }
        if parts.path.split('/').any(|segment| segment == "." || segment == "..") {
            return Err(UriError::Unfit("a client identifier has no dot segments"));
        }
        Ok(Self(text.to_owned()))
    }

    /// The URL.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The host, with its port if there is one.
    #[must_use]
    pub fn host(&self) -> &str {
        self.0.strip_prefix("https://").and_then(|rest| rest.split('/').next()).unwrap_or_default()
    }
}

/// Having one tells you: the identifier of an authorization server that is an origin (RFC 8414 §2, without a path): `https`,
/// or `http` on loopback.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct IssuerUrl(String);

impl IssuerUrl {
    /// # Errors
    /// When the text is no such origin.
    pub fn parse(text: &str) -> Result<Self, UriError> {
        let parts = Parts::parse(text)?;
        let authority = parts.web()?;
        if !parts.path.is_empty() || parts.query.is_some() {
            return Err(UriError::Unfit("an issuer is an origin, without path or query"));
        }
        match parts.scheme {
            "https" => {}
            "http" if LOOPBACK.contains(&authority.host) => {}
            _ => return Err(UriError::Unfit("an issuer is https, or http on loopback")),
        }
        Ok(Self(text.to_owned()))
    }

    /// The origin, which is also the identifier.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// True if browsers may be told to send a cookie over TLS only.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.0.starts_with("https://")
    }
}

/// Having one tells you: a resource indicator (RFC 8707 §2): an absolute URI, `https` or `http`, without a query.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Resource(String);

impl Resource {
    /// # Errors
    /// When the text is no such URI.
    pub fn parse(text: &str) -> Result<Self, UriError> {
        let parts = Parts::parse(text)?;
        parts.web()?;
        if !matches!(parts.scheme, "https" | "http") || parts.query.is_some() {
            return Err(UriError::Unfit("a resource is an http or https URI without query"));
        }
        Ok(Self(text.to_owned()))
    }

    /// The URI, as tokens carry it in `aud`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_answer_goes_to_https_to_loopback_or_to_an_application_and_nowhere_else() {
        let check = |text: &str, fine: bool| assert_eq!(RedirectUri::parse(text).is_ok(), fine, "{text}");
        for fine in [
            "https://app.example/callback",
            "https://app.example:8443/cb?x=1",
            "http://127.0.0.1:33418/",
            "http://127.0.0.1/",
            "http://localhost:5598/oauth/callback",
            "http://[::1]:1/cb",
            "cursor://anysphere.cursor-mcp/oauth/callback",
            "com.example.app:/cb",
        ] {
            check(fine, true);
        }
        for wrong in [
            "",
            "callback",
            "/callback",
            "//app.example/cb",
            "http://app.example/cb",
            "http://127.0.0.1.evil.example/",
            "http://localhost.evil.example/",
            "http://127.0.0.1@evil.example/",
            "http://127.0.0.1:80:80/",
            "http://LOCALHOST/cb",
            "https://user@app.example/cb",
            "https://app.example/cb#fragment",
            "https://app.example\\@evil.example/",
            "https://app.example/ space",
            "https://app.example/%zz",
            "https://app.example/%4",
            "https://app.example:0/",
            "https://app.example:65536/",
            "https://app.example:080/",
            "https:///cb",
            "https:app.example",
            "https://app..example/",
            "https://ä.example/",
            "javascript:alert(1)",
            "JavaScript:alert(1)",
            "data:text/html,x",
            "vbscript:x",
            "file:///etc/passwd",
            "blob:https://a.example/x",
            "ws://127.0.0.1/",
            "https://app.example/cb?code=mine",
            "https://app.example/cb?a=1&STATE=2",
            "https://app.example/cb\"><script>",
            "https://app.example/cb\r\nSet-Cookie: a=b",
        ] {
            check(wrong, false);
        }
        check(&format!("https://app.example/{}", "a".repeat(URI_BYTES - 20)), true);
        check(&format!("https://app.example/{}", "a".repeat(URI_BYTES)), false);
    }

    #[test]
    fn only_the_port_of_loopback_is_free() {
        let check = |asked: &str, registered: &str, expected: bool| {
            let (asked, registered) = (RedirectUri::parse(asked).unwrap(), RedirectUri::parse(registered).unwrap());
            assert_eq!(asked.is_for(&registered), expected, "{asked} for {registered}");
        };
        check("https://app.example/cb", "https://app.example/cb", true);
        check("https://app.example/cb/", "https://app.example/cb", false);
        check("https://app.example/cb.evil", "https://app.example/cb", false);
        check("https://app.example/cb?x=1", "https://app.example/cb", false);
        check("https://app.example:8443/cb", "https://app.example/cb", false);
        check("https://APP.example/cb", "https://app.example/cb", false);
        check("https://app.example/a/../cb", "https://app.example/cb", false);
        check("http://127.0.0.1:5/cb", "http://127.0.0.1:6/cb", true);
        check("http://127.0.0.1:5/cb", "http://127.0.0.1/cb", true);
        check("http://localhost/cb", "http://localhost:6/cb", true);
        check("http://[::1]:5/cb", "http://[::1]:7/cb", true);
        check("http://localhost:5/cb", "http://127.0.0.1:5/cb", false);
        check("http://127.0.0.1:5/cb2", "http://127.0.0.1:5/cb", false);
        check("http://127.0.0.1:5/cb?x", "http://127.0.0.1:5/cb", false);
        check("https://127.0.0.1:5/cb", "https://127.0.0.1:6/cb", false);
        check("cursor://a/b", "cursor://a/b", true);
        check("cursor://a:1/b", "cursor://a:2/b", false);
    }

    #[test]
    fn a_client_that_is_a_url_has_one_way_to_be_written() {
        let check = |text: &str, fine: bool| assert_eq!(DocumentUrl::parse(text).is_ok(), fine, "{text}");
        check("https://app.example/client.json", true);
        check("https://app.example:8443/oauth/client", true);
        for wrong in [
            "http://app.example/client.json",
            "https://app.example",
            "https://app.example/",
            "https://app.example/client?x=1",
            "https://app.example/a/../client",
            "https://app.example/./client",
            "https://app.example/%2e%2e/client",
            "https://APP.example/client",
            "https://localhost/client",
            "https://127.0.0.1/client",
            "https://10.1/client",
            "https://[::1]/client",
            "https://user@app.example/client",
            "https://app.example/client#x",
        ] {
            check(wrong, false);
        }
    }

    #[test]
    fn an_issuer_is_an_origin() {
        let check = |text: &str, fine: bool| assert_eq!(IssuerUrl::parse(text).is_ok(), fine, "{text}");
        check("http://127.0.0.1:8443", true);
        check("https://mcp.example.com", true);
        check("http://mcp.example.com", false);
        check("https://mcp.example.com/", false);
        check("https://mcp.example.com/x", false);
        check("https://mcp.example.com?x", false);
        check("http://127.0.0.1.evil.example", false);
    }

    proptest! {
        #[test]
        fn whatever_is_taken_can_stand_in_a_header_and_in_an_attribute(text in "[ -~\\u{80}-\\u{100}]{0,60}") {
            for text in [text.clone(), format!("https://{text}"), format!("http://127.0.0.1{text}"), format!("app:{text}")] {
                if let Ok(uri) = RedirectUri::parse(&text) {
                    let harmless = |byte: u8| byte.is_ascii_graphic() && !b"\"<>\\^`{|}#@".contains(&byte);
                    let is_harmless = uri.as_str().bytes().all(harmless);
                    prop_assert!(is_harmless, "{}", uri);
                    let answer = uri.with(&[("code", "a b&c=d#e"), ("state", "\"'<>\r\n")]);
                    prop_assert!(answer.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"<>#".contains(&byte)));
                    prop_assert!(RedirectUri::parse(&answer).is_err(), "an answer is no redirect URI");
                }
            }
        }

        #[test]
        fn no_suffix_and_no_prefix_makes_another_uri_match(addition in "[!-~]{1,12}") {
            let registered = RedirectUri::parse("https://app.example/cb").unwrap();
            for text in [format!("{registered}{addition}"), format!("https://{addition}app.example/cb")] {
                if let Ok(asked) = RedirectUri::parse(&text) {
                    prop_assert!(!asked.is_for(&registered));
                }
            }
        }
    }
}
