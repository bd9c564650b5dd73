//! Addresses that an operator writes: URLs of servers, our own URI, hosts and origins.
//!
//! Must never: let a password or a key travel in the clear to another machine.

use http::Uri;
use std::net::IpAddr;

/// Why an address was refused, and what to do. Never repeats the address: it may hold a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct AddressError {
    pub(super) what: &'static str,
    pub(super) why: &'static str,
    pub(super) fix: &'static str,
}

const fn refused<T>(what: &'static str, why: &'static str, fix: &'static str) -> Result<T, AddressError> {
    Err(AddressError { what, why, fix })
}

/// The URL of a server or of ourselves: absolute, `https` or loopback, no user name, no fragment.
pub(super) fn url(text: &str) -> Result<String, AddressError> {
    let broken = AddressError {
        what: "is no URL",
        why: "it needs a scheme and a host, and may hold no spaces",
        fix: "write it like `https://db.internal/mcp`",
    };
    if text.contains('#') {
        return refused("has a fragment", "a fragment never reaches a server", "remove `#` and what follows it");
    }
    let uri: Uri = text.parse().map_err(|_| broken)?;
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else { return Err(broken) };
    if authority.as_str().contains('@') {
        return refused(
            "holds a user name or password",
            "addresses are shown and recorded, so they are no place for secrets",
            "remove it; put a key into `headers`",
        );
    }
    if authority.host().is_empty() {
        return Err(broken);
    }
    match scheme {
        "https" => Ok(text.to_owned()),
        "http" if is_loopback(authority.host()) => Ok(text.to_owned()),
        "http" => refused(
            "is `http` to another machine",
            "everybody on the way could read and change what passes, keys among it",
            "use `https`; plain `http` is for 127.0.0.1, [::1] and localhost",
        ),
        _ => refused("is neither `https` nor `http`", "Streamable HTTP has these two schemes", "use `https://…`"),
    }
}

/// Whether a checked URL is spoken over TLS.
pub(super) fn is_https(url: &str) -> bool {
    url.parse::<Uri>().is_ok_and(|uri| uri.scheme_str() == Some("https"))
}

/// What clients of a checked URL write into `Host`: its host, with the port where that is not the scheme's own
/// (RFC 9110 §4.2.3, §7.2). In lower case.
pub(super) fn host_of(url: &str) -> Option<String> {
    let uri: Uri = url.parse().ok()?;
    let own_port = if uri.scheme_str() == Some("https") { 443 } else { 80 };
    let host = uri.host()?.to_ascii_lowercase();
    Some(match uri.port_u16() {
        Some(port) if port != own_port => format!("{host}:{port}"),
        _ => host,
    })
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// A value of the `Host` header: a host, with or without a port. In lower case.
pub(super) fn host(text: &str) -> Result<String, AddressError> {
    let parsed = text
        .parse::<http::uri::Authority>()
        .ok()
        .filter(|authority| !authority.host().is_empty() && !text.contains(['@', '*']) && (!text.ends_with(':')));
    match parsed {
        Some(_) => Ok(text.to_ascii_lowercase()),
        None => refused(
            "is no host",
            "it is compared with the `Host` header: a name or address, with or without a port, and no patterns",
            "write it like `mcp.example.com` or `mcp.example.com:8443`",
        ),
    }
}

/// A value of the `Origin` header: scheme, host, perhaps a port, nothing more (RFC 6454 §7). In lower case.
pub(super) fn origin(text: &str) -> Result<String, AddressError> {
    let broken = AddressError {
        what: "is no origin",
        why: "it is compared with the `Origin` header: scheme, host, perhaps a port, and no path, `null` or patterns",
        fix: "write it like `https://app.example.com`",
    };
    let (scheme, rest) = text.split_once("://").ok_or(broken)?;
    let plain = scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    if !plain || !scheme.starts_with(|letter: char| letter.is_ascii_alphabetic()) || rest.contains('/') {
        return Err(broken);
    }
    host(rest).map(|host| format!("{}://{host}", scheme.to_ascii_lowercase())).map_err(|_| broken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_never_travel_in_the_clear() {
        for (text, expected) in [
            ("https://db.internal/mcp", None),
            ("https://db.internal:8443/mcp?x=1", None),
            ("http://127.0.0.1:3000/mcp", None),
            ("http://127.1.2.3/mcp", None),
            ("http://[::1]:3000/mcp", None),
            ("http://localhost:3000/mcp", None),
            ("http://db.internal/mcp", Some("is `http` to another machine")),
            ("http://localhost.evil.test/mcp", Some("is `http` to another machine")),
            ("http://127.0.0.1.evil.test/mcp", Some("is `http` to another machine")),
            ("http://10.0.0.1/mcp", Some("is `http` to another machine")),
            ("http://0.0.0.0/mcp", Some("is `http` to another machine")),
            ("https://user:pw@db.internal/mcp", Some("holds a user name or password")),
            ("http://127.0.0.1@evil.test/", Some("holds a user name or password")),
            ("https://db.internal/mcp#x", Some("has a fragment")),
            ("ftp://db.internal/mcp", Some("is neither `https` nor `http`")),
            ("/mcp", Some("is no URL")),
            ("db.internal", Some("is no URL")),
            ("https:///mcp", Some("is no URL")),
            ("https://db internal/", Some("is no URL")),
            ("", Some("is no URL")),
        ] {
            assert_eq!(url(text).err().map(|error| error.what), expected, "{text:?}");
        }
    }

    #[test]
    fn clients_call_a_resource_by_its_host() {
        for (url, expected) in [
            ("https://MCP.example.com/mcp", "mcp.example.com"),
            ("https://mcp.example.com:443/mcp", "mcp.example.com"),
            ("https://mcp.example.com:8443/mcp", "mcp.example.com:8443"),
            ("http://127.0.0.1:8443/mcp", "127.0.0.1:8443"),
            ("https://[2001:db8::1]:8443/mcp", "[2001:db8::1]:8443"),
        ] {
            assert_eq!(host_of(url).as_deref(), Some(expected), "{url}");
            assert_eq!(is_https(url), url.starts_with("https"), "{url}");
        }
    }

    #[test]
    fn hosts_and_origins_are_exact() {
        for (text, expected) in [
            ("mcp.example.com", Some("mcp.example.com")),
            ("MCP.example.com:8443", Some("mcp.example.com:8443")),
            ("[::1]:80", Some("[::1]:80")),
            ("*", None),
            ("*.example.com", None),
            ("a/b", None),
            ("a@b", None),
            ("", None),
            ("a b", None),
        ] {
            assert_eq!(host(text).ok().as_deref(), expected, "{text:?}");
        }
        for (text, expected) in [
            ("https://App.example.com", Some("https://app.example.com")),
            ("http://localhost:5173", Some("http://localhost:5173")),
            ("https://app.example.com/", None),
            ("https://app.example.com/x", None),
            ("null", None),
            ("*", None),
            ("https://*", None),
            ("app.example.com", None),
            ("://x", None),
        ] {
            assert_eq!(origin(text).ok().as_deref(), expected, "{text:?}");
        }
    }
}
