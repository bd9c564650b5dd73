//! Where a question goes: scheme, host, port and path, out of a URL that others may have written.
//!
//! Must never: repair a URL; keep a user name, a password or a fragment.

use super::GuardedFetchError;
use http::Uri;
use http::uri::{PathAndQuery, Scheme};
use stockade_core::words::Untrusted;

/// Characters of one URL.
const URL_BYTES: usize = 2048;

/// A host and its port, by the name that URLs give it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ListedHost {
    name: String,
    port: u16,
}

impl ListedHost {
    /// The host of a URL; nothing for what is no `http` or `https` URL.
    #[must_use]
    pub fn of_url(url: &str) -> Option<Self> {
        Target::parse(url).ok().map(|target| target.host)
    }

    /// The name in lower case, without the brackets of IPv6.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) const fn port(&self) -> u16 {
        self.port
    }
}

/// Where one question goes.
#[derive(Debug, Clone)]
pub(super) struct Target {
    host: ListedHost,
    scheme: Scheme,
    /// As `Host` says it.
    authority: String,
    path: PathAndQuery,
}

impl Target {
    pub(super) fn parse(url: &str) -> Result<Self, &'static str> {
        if url.len() > URL_BYTES {
            return Err("it is longer than 2048 characters");
        }
        if !url.bytes().all(|byte| byte.is_ascii_graphic()) || url.contains(['#', '\\']) {
            return Err("it has a fragment, a backslash, or characters that URLs have not");
        }
        let uri: Uri = url.parse().map_err(|_| "it is no URL")?;
        let parts = uri.into_parts();
        let (Some(scheme), Some(authority)) = (parts.scheme, parts.authority) else { return Err("it is no whole URL") };
        let own_port = match scheme.as_str() {
            "https" => 443,
            "http" => 80,
            _ => return Err("it is neither `https` nor `http`"),
        };
        if authority.as_str().contains('@') {
            return Err("it names a user");
        }
        let name = authority.host().to_ascii_lowercase();
        let name = name.trim_start_matches('[').trim_end_matches(']').to_owned();
        let after_host = authority.as_str().get(authority.host().len()..).unwrap_or_default();
        let port = match (authority.port_u16(), after_host) {
            (Some(port), _) if port != 0 => port,
            (None, "") => own_port,
            _ => return Err("its port is no port"),
        };
        if name.is_empty() || name.contains('%') {
            return Err("it names no host");
        }
        let path = parts.path_and_query.unwrap_or_else(|| PathAndQuery::from_static("/"));
        let authority = authority.as_str().to_ascii_lowercase();
        Ok(Self { host: ListedHost { name, port }, scheme, authority, path })
    }

    /// Where a redirect leads: a whole URL, or a path on the same host (RFC 9110 §10.2.2). From `https` it never leads to less.
    pub(super) fn follow(&self, location: &str) -> Result<Self, &'static str> {
        let next = if location.starts_with('/') && !location.starts_with("//") {
            Self::parse(&format!("{}://{}{location}", self.scheme, self.authority))?
        } else {
            Self::parse(location).map_err(|_| "its redirect leads to what is no whole URL")?
        };
        if !self.is_plain() && next.is_plain() {
            return Err("its redirect leads from `https` to `http`");
        }
        Ok(next)
    }

    pub(super) const fn host(&self) -> &ListedHost {
        &self.host
    }

    pub(super) fn is_plain(&self) -> bool {
        self.scheme != Scheme::HTTPS
    }

    pub(super) fn authority(&self) -> &str {
        &self.authority
    }

    pub(super) fn path(&self) -> &str {
        self.path.as_str()
    }

    /// As operators are shown it. The query may hold what is nobody's business.
    fn shown(&self) -> String {
        Untrusted::new(format!("{}://{}{}", self.scheme, self.authority, self.path.path())).for_log()
    }

    pub(super) fn refused(&self, reason: impl Into<String>) -> GuardedFetchError {
        GuardedFetchError::Refused { url: self.shown(), reason: reason.into() }
    }

    pub(super) fn unreachable(&self, reason: impl Into<String>) -> GuardedFetchError {
        GuardedFetchError::Unreachable { url: self.shown(), reason: Untrusted::new(reason.into()).for_log() }
    }
}

/// For a text that is no target.
pub(super) fn refused(url: &str, reason: &str) -> GuardedFetchError {
    let url = url.split(['?', '#']).next().unwrap_or_default().to_owned();
    GuardedFetchError::Refused { url: Untrusted::new(url).for_log(), reason: reason.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_whole_or_not_at_all() {
        for (url, expected) in [
            ("https://as.test/jwks?x=1", Ok(("as.test", 443, "as.test", "/jwks?x=1"))),
            ("HTTPS://AS.test:8443", Ok(("as.test", 8443, "as.test:8443", "/"))),
            ("http://[::1]:8080/a", Ok(("::1", 8080, "[::1]:8080", "/a"))),
            ("http://0x7f.1/", Ok(("0x7f.1", 80, "0x7f.1", "/"))),
            ("https://user@as.test/", Err("names a user")),
            ("https://user:pass@as.test/", Err("names a user")),
            ("https://as.test#x", Err("fragment")),
            ("https://as.test\\@evil.test/", Err("backslash")),
            ("https://as.test/a b", Err("characters that URLs have not")),
            ("https://as.test:0/", Err("no port")),
            ("https://as.test:/", Err("no port")),
            ("https://as.test:99999/", Err("no")),
            ("https:///jwks", Err("no")),
            ("as.test/jwks", Err("no")),
            ("/jwks", Err("no whole URL")),
            ("ftp://as.test/", Err("neither")),
            ("file:///etc/passwd", Err("no")),
            ("gopher://as.test/", Err("neither")),
            ("", Err("no URL")),
        ] {
            let parsed = Target::parse(url);
            match (parsed, expected) {
                (Ok(target), Ok(expected)) => {
                    let found = (target.host.name(), target.host.port(), target.authority(), target.path());
                    assert_eq!(found, expected, "{url}");
                }
                (Err(reason), Err(expected)) => assert!(reason.contains(expected), "{url}: {reason}"),
                (parsed, expected) => panic!("{url}: {parsed:?}, not {expected:?}"),
            }
        }
        assert!(Target::parse(&format!("https://as.test/{}", "a".repeat(2048))).is_err());
    }

    #[test]
    fn redirects_lead_to_whole_urls_and_never_to_less() {
        let from = Target::parse("https://as.test:8443/a").unwrap();
        for (location, expected) in [
            ("/b", Ok("as.test:8443")),
            ("https://other.test/b", Ok("other.test")),
            ("http://as.test:8443/b", Err("from `https` to `http`")),
            ("//evil.test/b", Err("no whole URL")),
            ("b", Err("no whole URL")),
            ("javascript:alert(1)", Err("no whole URL")),
            ("", Err("no whole URL")),
        ] {
            let next = from.follow(location);
            match (&next, expected) {
                (Ok(next), Ok(authority)) => assert_eq!(next.authority(), authority),
                (Err(reason), Err(part)) => assert!(reason.contains(part), "{location}: {reason}"),
                _ => panic!("{location}: {next:?}"),
            }
        }
    }
}
