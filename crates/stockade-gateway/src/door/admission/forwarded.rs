//! Where a request came from, by the word of a trusted proxy: the rightmost address that is not a proxy's own.
//!
//! Each proxy adds the address that it got the request from at the end. What stands before the last entry of a trusted
//! proxy is anybody's word, so reading goes from right to left and stops at the first address that is not trusted.
//! Must never: be asked for a connection that is not a trusted proxy's.

use http::HeaderMap;
use http::HeaderName;
use http::header::FORWARDED;
use std::net::{IpAddr, SocketAddr};

/// Entries that are looked at from the right.
const HOPS: usize = 32;
/// Bytes of all values of the header together.
const BYTES: usize = 4096;

/// The header in which trusted proxies say where a request came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ForwardedHeader {
    /// `X-Forwarded-For`, which has no standard and is what most proxies write.
    XForwardedFor,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

/// Why the header names nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum ForwardedError {
    #[error("an entry that is no address")]
    NotAnAddress,
    #[error("more than {HOPS} proxies or {BYTES} bytes")]
    TooLong,
}

impl ForwardedHeader {
    /// Its name.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::XForwardedFor => "x-forwarded-for",
            Self::Forwarded => "forwarded",
        }
    }

    /// The client that the header names; nothing if it is not there. `trusted` are the proxies.
    pub(super) fn client(
        self,
        headers: &HeaderMap,
        trusted: impl Fn(IpAddr) -> bool,
    ) -> Result<Option<IpAddr>, ForwardedError> {
        let name = match self {
            Self::XForwardedFor => HeaderName::from_static("x-forwarded-for"),
            Self::Forwarded => FORWARDED,
        };
        let values: Vec<_> = headers.get_all(name).iter().collect();
        if values.is_empty() {
            return Ok(None);
        }
        if values.iter().map(|value| value.len()).sum::<usize>() > BYTES {
            return Err(ForwardedError::TooLong);
        }
        let mut last = None;
        let mut hops = 0_usize;
        // Several lines are one list (RFC 9110 §5.3).
        for value in values.into_iter().rev() {
            let text = value.to_str().map_err(|_| ForwardedError::NotAnAddress)?;
            for entry in entries(self, text)?.into_iter().rev() {
                hops = hops.saturating_add(1);
                if hops > HOPS {
                    return Err(ForwardedError::TooLong);
                }
                let address = self.address(entry).ok_or(ForwardedError::NotAnAddress)?.to_canonical();
                if !trusted(address) {
                    return Ok(Some(address));
                }
                last = Some(address);
            }
        }
        // All of them are proxies of ours: the request began at the first.
        Ok(last)
    }

    fn address(self, entry: &str) -> Option<IpAddr> {
        match self {
            Self::XForwardedFor => node(entry.trim_matches([' ', '\t'])),
            Self::Forwarded => forwarded_for(entry),
        }
    }
}

/// The entries of one line. In `Forwarded` a comma inside quotes is part of its value.
fn entries(header: ForwardedHeader, text: &str) -> Result<Vec<&str>, ForwardedError> {
    match header {
        ForwardedHeader::XForwardedFor => Ok(text.split(',').collect()),
        ForwardedHeader::Forwarded => split_outside_quotes(text, ','),
    }
}

/// Backslashes would let a quote hide, and no address needs one.
fn split_outside_quotes(text: &str, separator: char) -> Result<Vec<&str>, ForwardedError> {
    let mut is_quoted = false;
    let parts: Vec<&str> = text
        .split(|character| {
            is_quoted ^= character == '"';
            character == separator && !is_quoted
        })
        .collect();
    if is_quoted || text.contains('\\') { Err(ForwardedError::NotAnAddress) } else { Ok(parts) }
}

/// The value of the one `for` of an entry (RFC 7239 §4).
fn forwarded_for(entry: &str) -> Option<IpAddr> {
    let mut found = None;
    for pair in split_outside_quotes(entry, ';').ok()? {
        let (name, value) = pair.trim_matches([' ', '\t']).split_once('=')?;
        if !name.eq_ignore_ascii_case("for") {
            continue;
        }
        let bare = match value.strip_prefix('"') {
            Some(quoted) => quoted.strip_suffix('"')?,
            // A colon or bracket may stand in quotes only (RFC 7239 §4).
            None if value.contains([':', '[']) => return None,
            None => value,
        };
        if found.replace(node(bare)?).is_some() {
            return None;
        }
    }
    found
}

/// An address, with or without a port; IPv6 in brackets where a port may follow. Not `unknown` and not a made-up name
/// (RFC 7239 §6.2, §6.3): nobody can be judged by these.
fn node(text: &str) -> Option<IpAddr> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(address);
    }
    if let Some(inside) = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
        return inside.parse().ok().map(IpAddr::V6);
    }
    text.parse::<SocketAddr>().ok().map(|address| address.ip())
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn read(header: ForwardedHeader, lines: &[&str]) -> Result<Option<String>, ForwardedError> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(header.name(), HeaderValue::from_str(line).unwrap());
        }
        let trusted = |address: IpAddr| matches!(address, IpAddr::V4(v4) if v4.octets()[0] == 10);
        header.client(&headers, trusted).map(|address| address.map(|address| address.to_string()))
    }

    #[test]
    fn the_rightmost_address_that_is_no_proxy_counts() {
        for (lines, expected) in [
            (&[][..], Ok(None)),
            (&["203.0.113.7"], Ok(Some("203.0.113.7"))),
            (&["127.0.0.1, 203.0.113.7"], Ok(Some("203.0.113.7"))),
            (&["127.0.0.1, 203.0.113.7, 10.0.0.2"], Ok(Some("203.0.113.7"))),
            (&["127.0.0.1", "203.0.113.7,10.0.0.2"], Ok(Some("203.0.113.7"))),
            (&["127.0.0.1", "10.0.0.2"], Ok(Some("127.0.0.1"))),
            (&["10.0.0.3, 10.0.0.2"], Ok(Some("10.0.0.3"))),
            (&["203.0.113.7:4711"], Ok(Some("203.0.113.7"))),
            (&["[2001:db8::1]:4711"], Ok(Some("2001:db8::1"))),
            (&["2001:db8::1"], Ok(Some("2001:db8::1"))),
            (&["::ffff:203.0.113.7"], Ok(Some("203.0.113.7"))),
            (&["evil, 203.0.113.7"], Ok(Some("203.0.113.7"))),
            (&["203.0.113.7, evil"], Err(ForwardedError::NotAnAddress)),
            (&["203.0.113.7, unknown"], Err(ForwardedError::NotAnAddress)),
            (&["203.0.113.7, "], Err(ForwardedError::NotAnAddress)),
            (&[""], Err(ForwardedError::NotAnAddress)),
            (&["203.0.113.007"], Err(ForwardedError::NotAnAddress)),
        ] {
            let expected = expected.map(|address| address.map(str::to_owned));
            assert_eq!(read(ForwardedHeader::XForwardedFor, lines), expected, "{lines:?}");
        }
    }

    #[test]
    fn the_standard_header_is_read_by_its_grammar() {
        for (lines, expected) in [
            (&["for=203.0.113.7"][..], Ok(Some("203.0.113.7"))),
            (&["For=\"203.0.113.7:4711\";proto=https;by=10.0.0.2"], Ok(Some("203.0.113.7"))),
            (&["for=127.0.0.1, for=\"[2001:db8::1]:4711\""], Ok(Some("2001:db8::1"))),
            (&["for=203.0.113.7;host=\"a,for=127.0.0.1\""], Ok(Some("203.0.113.7"))),
            (&["for=203.0.113.7, for=10.0.0.2"], Ok(Some("203.0.113.7"))),
            (&["for=203.0.113.7;for=127.0.0.1"], Err(ForwardedError::NotAnAddress)),
            (&["for=[2001:db8::1]"], Err(ForwardedError::NotAnAddress)),
            (&["for=203.0.113.7:80"], Err(ForwardedError::NotAnAddress)),
            (&["for=\"203.0.113.7"], Err(ForwardedError::NotAnAddress)),
            (&["for=\"\\203.0.113.7\""], Err(ForwardedError::NotAnAddress)),
            (&["for=_hidden"], Err(ForwardedError::NotAnAddress)),
            (&["for=unknown"], Err(ForwardedError::NotAnAddress)),
            (&["proto=https"], Err(ForwardedError::NotAnAddress)),
            (&["for = 203.0.113.7"], Err(ForwardedError::NotAnAddress)),
        ] {
            let expected = expected.map(|address| address.map(str::to_owned));
            assert_eq!(read(ForwardedHeader::Forwarded, lines), expected, "{lines:?}");
        }
    }

    #[test]
    fn reading_has_its_limits() {
        let long = vec!["10.0.0.2"; HOPS].join(",");
        assert_eq!(read(ForwardedHeader::XForwardedFor, &[&long]), Ok(Some("10.0.0.2".to_owned())));
        let longer = vec!["10.0.0.2"; HOPS + 1].join(",");
        assert_eq!(read(ForwardedHeader::XForwardedFor, &[&longer]), Err(ForwardedError::TooLong));
        let padded = format!("{}203.0.113.7", " ".repeat(BYTES));
        assert_eq!(read(ForwardedHeader::XForwardedFor, &[&padded]), Err(ForwardedError::TooLong));
    }
}
