//! Whether the URI of a resource has the one form that rules can judge.
//!
//! For: rules compare URIs as text. A URI that means the same as another but is written otherwise
//! (`file:///public/../secret`, `file:///public/%2e%2e/secret`, `FILE:///secret`) would pass a glob for `public`, or
//! miss a forbid for `secret`. It is refused, not rewritten: what is judged is what is forwarded (attack AZ-11).
//! Must never: decode for anything but looking; know what a server makes of a URI.

use thiserror::Error;

/// Why rules cannot judge a URI.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(crate) enum AddressError {
    #[error("the URI has capital letters in its scheme")]
    SchemeCase,
    #[error("the URI has an escape for a character that needs none, or a broken one")]
    NeedlessEscape,
    #[error("the URI has an escape in small letters")]
    EscapeCase,
    #[error("the URI escapes a slash, a backslash or a percent sign")]
    HiddenSeparator,
    #[error("the URI has a `.` or `..` segment")]
    DotSegment,
    #[error("the URI has a backslash or a control character")]
    Character,
}

/// Takes URIs in normal form (RFC 3986 §6.2.2: case, percent-encoding, path segments). URI templates (RFC 6570) and
/// unescaped characters that a URI should escape pass: neither leads elsewhere.
pub(crate) fn normal(uri: &str) -> Result<(), AddressError> {
    if uri.bytes().any(|byte| byte == b'\\' || byte.is_ascii_control()) {
        return Err(AddressError::Character);
    }
    let scheme = uri.split_once(':').map_or("", |(scheme, _)| scheme);
    if scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
        && scheme.bytes().any(|byte| byte.is_ascii_uppercase())
    {
        return Err(AddressError::SchemeCase);
    }
    for escape in uri.split('%').skip(1) {
        check_escape(escape)?;
    }
    // Queries too: a server that reads a path from its query resolves the dots there.
    if uri.split(['/', '?', '#', '=', '&', ';']).any(|segment| segment == "." || segment == "..") {
        return Err(AddressError::DotSegment);
    }
    Ok(())
}

/// `escape` is what follows the `%`.
fn check_escape(escape: &str) -> Result<(), AddressError> {
    let digits = escape.get(..2).filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
    let digits = digits.ok_or(AddressError::NeedlessEscape)?;
    let byte = u8::from_str_radix(digits, 16).map_err(|_| AddressError::NeedlessEscape)?;
    match byte {
        b'/' | b'\\' | b'%' => Err(AddressError::HiddenSeparator),
        // RFC 3986 §2.3: the unreserved characters.
        byte if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) => Err(AddressError::NeedlessEscape),
        byte if byte.is_ascii_control() => Err(AddressError::Character),
        _ if digits.bytes().any(|digit| digit.is_ascii_lowercase()) => Err(AddressError::EscapeCase),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_way_to_write_a_uri_can_be_judged() {
        for (uri, expected) in [
            ("file:///srv/public/a.txt", Ok(())),
            ("file:///srv/..hidden/a...b", Ok(())),
            ("file:///srv/a%20b", Ok(())),
            ("file:///srv/a b", Ok(())),
            ("file:///srv/%C3%BC", Ok(())),
            ("file:///srv/%c3%bc", Err(AddressError::EscapeCase)),
            ("repo://{owner}/{repo}{/path*}", Ok(())),
            ("test://static-text", Ok(())),
            ("git://repo/diff?range=a..b", Ok(())),
            ("urn:ISBN:0451450523", Ok(())),
            ("file:///srv/ünï", Ok(())),
            ("", Ok(())),
            ("file:///DATA/../../etc/passwd", Err(AddressError::DotSegment)),
            ("file:///srv/./a", Err(AddressError::DotSegment)),
            ("file:///srv/public/..", Err(AddressError::DotSegment)),
            ("view://x?path=../secret", Err(AddressError::DotSegment)),
            ("file:///srv/%2e%2e/secret", Err(AddressError::NeedlessEscape)),
            ("file:///srv/%2E./secret", Err(AddressError::NeedlessEscape)),
            ("file:///srv/%73ecret", Err(AddressError::NeedlessEscape)),
            ("file:///srv/%", Err(AddressError::NeedlessEscape)),
            ("file:///srv/%+1", Err(AddressError::NeedlessEscape)),
            ("file:///srv/%é", Err(AddressError::NeedlessEscape)),
            ("file:///etc%2fpasswd", Err(AddressError::HiddenSeparator)),
            ("file:///srv/%252e%252e/secret", Err(AddressError::HiddenSeparator)),
            ("file:///srv/..%5csecret", Err(AddressError::HiddenSeparator)),
            ("file:///srv\\..\\secret", Err(AddressError::Character)),
            ("file:///srv/a\0.txt", Err(AddressError::Character)),
            ("file:///srv/a%00.txt", Err(AddressError::Character)),
            ("FILE:///etc/passwd", Err(AddressError::SchemeCase)),
        ] {
            assert_eq!(normal(uri), expected, "{uri}");
        }
    }
}
