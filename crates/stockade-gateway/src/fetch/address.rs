//! Which addresses are public, by the registries of special-purpose addresses (RFC 6890 and its updates at IANA).
//!
//! Must never: take an address for public that stands for one which is not: mapped, translated and tunnelled ones are judged
//! by what they stand for, or not at all.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// IPv4 that is not public, as first address and length of the prefix.
const SPECIAL_V4: &[([u8; 4], u32)] = &[
    ([0, 0, 0, 0], 8),       // this network (RFC 791)
    ([10, 0, 0, 0], 8),      // private (RFC 1918)
    ([100, 64, 0, 0], 10),   // shared by carriers (RFC 6598)
    ([127, 0, 0, 0], 8),     // loopback
    ([169, 254, 0, 0], 16),  // link-local, where clouds keep their metadata (RFC 3927)
    ([172, 16, 0, 0], 12),   // private
    ([192, 0, 0, 0], 24),    // protocol assignments (RFC 6890)
    ([192, 0, 2, 0], 24),    // documentation (RFC 5737)
    ([192, 88, 99, 0], 24),  // relays of 6to4 (RFC 7526)
    ([192, 168, 0, 0], 16),  // private
    ([198, 18, 0, 0], 15),   // benchmarks (RFC 2544)
    ([198, 51, 100, 0], 24), // documentation
    ([203, 0, 113, 0], 24),  // documentation
    ([224, 0, 0, 0], 4),     // multicast
    ([240, 0, 0, 0], 4),     // reserved, broadcast
];

/// What is public in IPv6: global unicast (RFC 4291 §2.4).
const GLOBAL_V6: (u128, u32) = (0x2000 << 112, 3);
/// What is not, inside of that.
const SPECIAL_V6: &[(u128, u32)] = &[
    (0x2001 << 112, 23),     // protocol assignments, Teredo among them (RFC 2928, RFC 4380)
    (0x2001_0db8 << 96, 32), // documentation (RFC 3849)
    (0x2002 << 112, 16),     // 6to4 (RFC 3056)
    (0x3fff << 112, 20),     // documentation (RFC 9637)
];
/// IPv4 behind a translator (RFC 6052 §2.1): judged by the address in its last four bytes.
const TRANSLATED: (u128, u32) = (0x0064_ff9b << 96, 96);
/// Private IPv6 (RFC 4193).
const UNIQUE_LOCAL: (u128, u32) = (0xfc00 << 112, 7);

/// How far a question may reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// Public addresses.
    Public,
    /// Those, private ones and loopback, because the operator listed the host; never link-local or multicast.
    PublicOrPrivate,
    /// Loopback alone.
    Loopback,
}

impl Reach {
    pub(super) fn covers(self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        match self {
            Self::Public => is_public(address),
            Self::PublicOrPrivate => is_public(address) || is_private(address) || address.is_loopback(),
            Self::Loopback => address.is_loopback(),
        }
    }

    /// For operators.
    pub(super) const fn wants(self) -> &'static str {
        match self {
            Self::Public => "only public addresses are reached for hosts that are not listed",
            Self::PublicOrPrivate => "link-local, multicast and reserved addresses are never reached",
            Self::Loopback => "plain HTTP is spoken on loopback only",
        }
    }
}

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !SPECIAL_V4.iter().any(|(first, length)| within_v4(address, *first, *length)),
        IpAddr::V6(address) if within_v6(address, TRANSLATED) => is_public(IpAddr::V4(last_four(address))),
        IpAddr::V6(address) => {
            within_v6(address, GLOBAL_V6) && !SPECIAL_V6.iter().any(|special| within_v6(address, *special))
        }
    }
}

fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_private() || within_v4(address, [100, 64, 0, 0], 10),
        IpAddr::V6(address) => within_v6(address, UNIQUE_LOCAL),
    }
}

fn within_v4(address: Ipv4Addr, first: [u8; 4], length: u32) -> bool {
    (address.to_bits() ^ u32::from_be_bytes(first)).leading_zeros() >= length
}

fn within_v6(address: Ipv6Addr, (first, length): (u128, u32)) -> bool {
    (address.to_bits() ^ first).leading_zeros() >= length
}

fn last_four(address: Ipv6Addr) -> Ipv4Addr {
    let [.., a, b, c, d] = address.octets();
    Ipv4Addr::new(a, b, c, d)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: [bool; 3]) {
        let address: IpAddr = text.parse().unwrap();
        let found = [Reach::Public, Reach::PublicOrPrivate, Reach::Loopback].map(|reach| reach.covers(address));
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn public_addresses_are_public() {
        for text in [
            "1.1.1.1",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2606:4700::1111",
            "2001:4860:4860::8888",
            "2003::1",
            "3ffe::1",
            "::ffff:8.8.8.8",
            "64:ff9b::8.8.8.8",
            "2001:200::1",
        ] {
            check(text, [true, true, false]);
        }
    }

    #[test]
    fn private_addresses_need_a_listed_host() {
        for text in [
            "10.0.0.1",
            "10.255.255.255",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "100.64.0.1",
            "100.127.255.255",
            "fc00::1",
            "fdff::1",
            "::ffff:10.0.0.1",
        ] {
            check(text, [false, true, false]);
        }
        for text in ["127.0.0.1", "127.255.255.254", "::1", "::ffff:127.0.0.1"] {
            check(text, [false, true, true]);
        }
    }

    #[test]
    fn what_is_neither_is_never_reached() {
        for text in [
            "0.0.0.0",
            "0.1.2.3",
            "169.254.169.254",
            "192.0.0.1",
            "192.0.0.170",
            "192.0.2.1",
            "192.88.99.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::2",
            "::7f00:1",
            "::ffff:169.254.169.254",
            "64:ff9b::127.0.0.1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b::10.0.0.1",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:0:53aa::1",
            "2001:10::1",
            "2001:1ff::1",
            "2001:db8::1",
            "2002:7f00:1::1",
            "2002:808:808::1",
            "3fff::1",
            "3fff:fff::1",
            "5f00::1",
            "fe80::1",
            "febf::1",
            "fec0::1",
            "ff02::1",
            "ff0e::1",
            "4000::1",
            "8000::1",
        ] {
            check(text, [false, false, false]);
        }
    }
}
