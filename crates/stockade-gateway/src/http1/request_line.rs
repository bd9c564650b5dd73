//! The request line (RFC 9112 §3): what we serve is an origin-form target over HTTP/1.1, and nothing else.

use super::violation::{Feature, RequestLineFault, Violation};

/// The longest method name; the longest registered one has seventeen letters (`UPDATEREDIRECTREF`).
const METHOD_LIMIT_BYTES: usize = 24;

/// What the framing needs to know of the request line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MethodKind {
    /// Its answer has no body whatever its fields say.
    Head,
    Other,
}

/// Checks a request line without its CRLF.
pub(super) fn check_request_line(line: &[u8]) -> Result<MethodKind, Violation> {
    let mut parts = line.splitn(3, |byte| *byte == b' ');
    let (Some(method), Some(target), Some(version)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(fault(RequestLineFault::Shape));
    };
    let kind = check_method(method)?;
    if target.is_empty() || version.is_empty() {
        return Err(fault(RequestLineFault::Shape));
    }
    match version {
        b"HTTP/1.1" => {}
        other if other.starts_with(b"HTTP/") && !other.contains(&b' ') => return Err(Violation::UnsupportedVersion),
        _ => return Err(fault(RequestLineFault::Shape)),
    }
    check_target(target)?;
    Ok(kind)
}

/// Whether all bytes may stand in a method or field name (RFC 9110 §5.6.2 `tchar`).
///
/// Every byte is looked up, without an early way out: a name is short and a branch per byte is what costs.
pub(super) fn is_token(bytes: &[u8]) -> bool {
    bytes.iter().fold(true, |good, byte| good & TOKEN_BYTES.get(usize::from(*byte)).copied().unwrap_or(false))
}

/// `tchar` by byte.
const TOKEN_BYTES: [bool; 256] = {
    let mut table = [false; 256];
    let mut rest: &[u8] = b"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    while let Some((byte, after)) = rest.split_first() {
        if let Some((_, [entry, ..])) = table.split_at_mut_checked(*byte as usize) {
            *entry = true;
        }
        rest = after;
    }
    table
};

fn check_method(method: &[u8]) -> Result<MethodKind, Violation> {
    match method {
        b"HEAD" => return Ok(MethodKind::Head),
        b"GET" | b"POST" | b"DELETE" | b"OPTIONS" => return Ok(MethodKind::Other),
        _ => {}
    }
    // Methods are case-sensitive; a server behind a proxy that folds them must not be the one that notices.
    if method.eq_ignore_ascii_case(b"CONNECT") {
        return Err(Violation::RefusedFeature { feature: Feature::Connect });
    }
    if method.eq_ignore_ascii_case(b"TRACE") {
        return Err(Violation::RefusedFeature { feature: Feature::Trace });
    }
    if method.is_empty() || method.len() > METHOD_LIMIT_BYTES || !is_token(method) {
        return Err(fault(RequestLineFault::Method));
    }
    Ok(MethodKind::Other)
}

fn check_target(target: &[u8]) -> Result<(), Violation> {
    if target.first() != Some(&b'/') {
        return Err(fault(RequestLineFault::TargetForm));
    }
    let mut bytes = target.iter();
    while let Some(byte) = bytes.next() {
        let legal = match byte {
            b'%' => [bytes.next(), bytes.next()].iter().all(|digit| digit.is_some_and(u8::is_ascii_hexdigit)),
            byte => is_target_byte(*byte),
        };
        if !legal {
            return Err(fault(RequestLineFault::TargetByte));
        }
    }
    Ok(())
}

/// `pchar` without `%`, `/` and `?` (RFC 3986 §3.3, §3.4). A fragment (`#`) is never sent (RFC 9112 §3.2.1).
const fn is_target_byte(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'!' | b'$' | b'&'..=b'/' | b':' | b';' | b'=' | b'?' | b'@' | b'_' | b'~')
}

const fn fault(fault: RequestLineFault) -> Violation {
    Violation::MalformedRequestLine { fault }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expected: Result<MethodKind, Violation>) {
        assert_eq!(check_request_line(line.as_bytes()), expected, "{line:?}");
    }

    #[test]
    fn origin_form_over_http_1_1_is_served() {
        check("POST /mcp HTTP/1.1", Ok(MethodKind::Other));
        check("HEAD / HTTP/1.1", Ok(MethodKind::Head));
        check("PATCH /mcp/a-b_c~d;v=1?x=%2f&y=(1,2)*'!$@:+. HTTP/1.1", Ok(MethodKind::Other));
        check("OPTIONS /%E2%82%AC HTTP/1.1", Ok(MethodKind::Other));
    }

    #[test]
    fn tunnels_and_echoes_are_refused() {
        for method in ["CONNECT", "connect"] {
            let expected = Err(Violation::RefusedFeature { feature: Feature::Connect });
            check(&format!("{method} evil.test:443 HTTP/1.1"), expected);
        }
        check("TRACE /mcp HTTP/1.1", Err(Violation::RefusedFeature { feature: Feature::Trace }));
    }

    #[test]
    fn another_version_is_refused() {
        for version in ["HTTP/1.0", "HTTP/0.9", "HTTP/2.0", "HTTP/1.1x", "HTTP/1.10", "HTTP/"] {
            check(&format!("GET /mcp {version}"), Err(Violation::UnsupportedVersion));
        }
        check("PRI * HTTP/2.0", Err(Violation::UnsupportedVersion));
    }

    #[test]
    fn a_line_of_another_shape_is_refused() {
        for line in [
            "",
            "GET",
            "GET /mcp",
            "GET  /mcp HTTP/1.1",
            "GET /mcp  HTTP/1.1",
            "GET /mcp HTTP/1.1 ",
            "GET /a b HTTP/1.1",
            "GET /mcp http/1.1",
        ] {
            check(line, Err(fault(RequestLineFault::Shape)));
        }
        for line in [
            " GET /mcp HTTP/1.1",
            "G\tET /mcp HTTP/1.1",
            "G\0T / HTTP/1.1",
            "ABCDEFGHIJKLMNOPQRSTUVWXY / HTTP/1.1",
            "GET\t/mcp\tHTTP/1.1 x y",
        ] {
            check(line, Err(fault(RequestLineFault::Method)));
        }
    }

    #[test]
    fn a_target_outside_origin_form_is_refused() {
        for target in ["http://gw.test/mcp", "gw.test:80", "*", "mcp", "?x", "\\mcp"] {
            check(&format!("GET {target} HTTP/1.1"), Err(fault(RequestLineFault::TargetForm)));
        }
        for target in [
            "/mcp#top",
            "/a\\b",
            "/\u{7f}",
            "/\u{20ac}",
            "/%",
            "/%4",
            "/%zz",
            "/\"",
            "/<a>",
            "/a\tb",
            "/a\0b",
            "/{x}",
            "/a|b",
            "/a^b",
            "/a`b",
        ] {
            check(&format!("GET {target} HTTP/1.1"), Err(fault(RequestLineFault::TargetByte)));
        }
    }
}
