//! Ranges of addresses, as operators write them.

use ipnet::IpNet;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// An address, or all addresses with one prefix (RFC 4632, RFC 4291 §2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AddressRange(IpNet);

/// Why a text is no range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddressRangeError {
    /// Neither an address nor a prefix.
    #[error("is no address and no prefix such as `10.0.0.0/8` or `2001:db8::/32`")]
    NotARange,
    /// `10.0.0.1/8`: one address or sixteen million?
    #[error("has bits after its prefix; write `{meant}` for the range, or the address alone")]
    HostBits {
        /// The range without them.
        meant: AddressRange,
    },
    /// `::ffff:10.0.0.0/104`: connections are judged by their IPv4 address, so this would never hold one.
    #[error("is an IPv4 address written as IPv6; write it as IPv4")]
    Mapped,
}

impl FromStr for AddressRange {
    type Err = AddressRangeError;

    fn from_str(text: &str) -> Result<Self, AddressRangeError> {
        let range = match text.parse::<IpAddr>() {
            Ok(address) => IpNet::from(address),
            Err(_) => text.parse::<IpNet>().map_err(|_| AddressRangeError::NotARange)?,
        };
        if let IpNet::V6(v6) = range
            && v6.addr().to_ipv4_mapped().is_some()
        {
            return Err(AddressRangeError::Mapped);
        }
        if range.addr() != range.network() {
            return Err(AddressRangeError::HostBits { meant: Self(range.trunc()) });
        }
        Ok(Self(range))
    }
}

impl fmt::Display for AddressRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// Whether one of the ranges holds the address. The address must be canonical: IPv4 is IPv4.
pub(super) fn holds(ranges: &[AddressRange], address: IpAddr) -> bool {
    ranges.iter().any(|range| range.0.contains(&address))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_written_without_doubt() {
        for (text, expected) in [
            ("10.0.0.0/8", Ok("10.0.0.0/8")),
            ("192.0.2.7", Ok("192.0.2.7/32")),
            ("2001:db8::/32", Ok("2001:db8::/32")),
            ("::1", Ok("::1/128")),
            ("0.0.0.0/0", Ok("0.0.0.0/0")),
            ("10.0.0.1/8", Err("has bits after its prefix; write `10.0.0.0/8` for the range, or the address alone")),
            (
                "2001:db8::1/32",
                Err("has bits after its prefix; write `2001:db8::/32` for the range, or the address alone"),
            ),
            ("::ffff:10.0.0.0/104", Err("is an IPv4 address written as IPv6; write it as IPv4")),
            ("::ffff:10.0.0.1", Err("is an IPv4 address written as IPv6; write it as IPv4")),
            ("10.0.0.0/33", Err("is no address and no prefix such as `10.0.0.0/8` or `2001:db8::/32`")),
            ("010.0.0.1", Err("is no address and no prefix such as `10.0.0.0/8` or `2001:db8::/32`")),
            ("10.0.0.0/8 ", Err("is no address and no prefix such as `10.0.0.0/8` or `2001:db8::/32`")),
            ("localhost", Err("is no address and no prefix such as `10.0.0.0/8` or `2001:db8::/32`")),
            ("*", Err("is no address and no prefix such as `10.0.0.0/8` or `2001:db8::/32`")),
            ("", Err("is no address and no prefix such as `10.0.0.0/8` or `2001:db8::/32`")),
        ] {
            let read = text.parse::<AddressRange>().map(|range| range.to_string()).map_err(|error| error.to_string());
            assert_eq!(read, expected.map(str::to_owned).map_err(str::to_owned), "{text}");
        }
    }

    #[test]
    fn a_range_holds_its_own_family_only() {
        let range = |text: &str| vec![text.parse::<AddressRange>().unwrap()];
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        assert!(holds(&range("10.0.0.0/8"), address("10.255.255.255")));
        assert!(!holds(&range("10.0.0.0/8"), address("11.0.0.0")));
        assert!(!holds(&range("0.0.0.0/0"), address("::1")));
        assert!(!holds(&range("::/0"), address("127.0.0.1")));
        assert!(!holds(&[], address("127.0.0.1")));
    }
}
