//! URLs in their normal form (RFC 3986 §6.2.2 and §6.2.3), to compare what a proof names with what was asked for (RFC 9449
//! §4.3).
//!
//! Must never: make two URLs equal that a server may tell apart: case of the path, a slash at its end and repeated slashes
//! stay as they are.

/// Characters of one URL.
const URL_BYTES: usize = 4096;

/// The normal form of an `http` or `https` URL, without query and fragment; nothing for any other text.
pub(crate) fn normal(text: &str) -> Option<String> {
    if text.len() > URL_BYTES || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return None;
    }
    let (scheme, rest) = text.split_once("://")?;
    let scheme = scheme.to_ascii_lowercase();
    let own_port = match scheme.as_str() {
        "https" => "443",
        "http" => "80",
        _ => return None,
    };
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let (authority, path) = match rest.find('/') {
        Some(at) => rest.split_at(at),
        None => (rest, ""),
    };
    let authority = normal_authority(authority, own_port)?;
    let path = without_dots(&normal_escapes(path)?);
    Some(format!("{scheme}://{authority}{path}"))
}

/// Host in lower case, no user, the scheme's own port left out.
fn normal_authority(authority: &str, own_port: &str) -> Option<String> {
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (authority, None),
    };
    let is_literal = host.starts_with('[') && host.ends_with(']');
    let inner = if is_literal { host.get(1..host.len().saturating_sub(1)).unwrap_or_default() } else { host };
    let fine = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || (is_literal && byte == b':');
    if inner.is_empty() || !inner.bytes().all(fine) {
        return None;
    }
    let host = host.to_ascii_lowercase();
    match port {
        None | Some("") => Some(host),
        Some(port) if port.len() > 5 || !port.bytes().all(|byte| byte.is_ascii_digit()) => None,
        Some(port) if port == own_port => Some(host),
        Some(port) => Some(format!("{host}:{port}")),
    }
}

/// Escapes in upper case, and those of unreserved characters undone (RFC 3986 §6.2.2.1 and §6.2.2.2).
fn normal_escapes(path: &str) -> Option<String> {
    let mut out = String::with_capacity(path.len());
    let mut bytes = path.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(char::from(byte));
            continue;
        }
        let mut digit = || bytes.next().and_then(|byte| char::from(byte).to_digit(16));
        let (high, low) = (digit()?, digit()?);
        let value = u8::try_from(high * 16 + low).ok()?;
        if value.is_ascii_alphanumeric() || b"-._~".contains(&value) {
            out.push(char::from(value));
        } else {
            out.push_str(&format!("%{value:02X}"));
        }
    }
    Some(out)
}

/// Without `.` and `..` (RFC 3986 §5.2.4). The path is empty or begins with `/`; an empty one is `/`.
fn without_dots(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let segments: Vec<&str> = path.split('/').skip(1).collect();
    let last = segments.len().saturating_sub(1);
    for (position, segment) in segments.into_iter().enumerate() {
        match segment {
            "." | ".." => {
                if segment == ".." {
                    kept.pop();
                }
                if position == last {
                    kept.push("");
                }
            }
            segment => kept.push(segment),
        }
    }
    format!("/{}", kept.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn urls_are_the_same_exactly_if_a_server_must_take_them_for_the_same() {
        for (text, expected) in [
            ("https://gw.test/mcp", Some("https://gw.test/mcp")),
            ("HTTPS://GW.test:443/mcp?x=1#y", Some("https://gw.test/mcp")),
            ("https://gw.test", Some("https://gw.test/")),
            ("https://gw.test?x", Some("https://gw.test/")),
            ("https://gw.test:/mcp", Some("https://gw.test/mcp")),
            ("http://gw.test:443/mcp", Some("http://gw.test:443/mcp")),
            ("https://gw.test/%6dcp/%7e%2f", Some("https://gw.test/mcp/~%2F")),
            ("https://gw.test/a/../mcp/./x", Some("https://gw.test/mcp/x")),
            ("https://gw.test/a/..", Some("https://gw.test/")),
            ("https://gw.test/../..", Some("https://gw.test/")),
            ("https://gw.test/mcp/", Some("https://gw.test/mcp/")),
            ("https://gw.test//mcp", Some("https://gw.test//mcp")),
            ("https://gw.test/MCP", Some("https://gw.test/MCP")),
            ("https://[2001:DB8::1]:8443/mcp", Some("https://[2001:db8::1]:8443/mcp")),
            ("https://user@gw.test/mcp", None),
            ("https://user:pass@gw.test/mcp", None),
            ("https://gw.test:99999999/mcp", None),
            ("https://gw.test:x/mcp", None),
            ("https:///mcp", None),
            ("https://gw.test/%zz", None),
            ("https://gw.test/%4", None),
            ("https://gw.test/m cp", None),
            ("https://gw.test/\u{e9}", None),
            ("ftp://gw.test/mcp", None),
            ("/mcp", None),
            ("", None),
        ] {
            assert_eq!(normal(text).as_deref(), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn the_normal_form_is_its_own(text in "https?://[a-zA-Z0-9.]{1,8}(:[0-9]{0,5})?(/[a-zA-Z0-9.%/]{0,20})?") {
            if let Some(once) = normal(&text) {
                prop_assert_eq!(normal(&once), Some(once));
            }
        }

        #[test]
        fn no_text_makes_it_fall(text in "\\PC{0,60}") {
            if let Some(once) = normal(&text) {
                prop_assert_eq!(normal(&once), Some(once));
            }
        }
    }
}
