//! Names in certificates, byte for byte as an enemy would write them.

use super::*;
use testkit::certificates::{Authority, Leaf};

const MAIL: u8 = 1;
const DNS: u8 = 2;
const URI: u8 = 6;
const ADDRESS: u8 = 7;

/// The names of a certificate with these, byte for byte.
fn read(names: &[(u8, &[u8])]) -> Vec<CertificateName> {
    let issued = Authority::new("root").issue(Leaf::client().common_name("ci.test").raw_names(names));
    peer_certificate(&issued.der).expect("a certificate").names
}

fn spiffe(text: &str) -> CertificateName {
    CertificateName::Spiffe(text.to_owned())
}

fn host(text: &str) -> CertificateName {
    CertificateName::Dns(text.to_owned())
}

fn address(text: &str) -> CertificateName {
    CertificateName::Mail(text.to_owned())
}

#[test]
fn names_come_from_the_alternative_names_alone() {
    assert_eq!(read(&[(URI, b"spiffe://test.example/ns/ci")]), [spiffe("spiffe://test.example/ns/ci")]);
    assert_eq!(read(&[(URI, b"spiffe://test.example")]), [spiffe("spiffe://test.example")]);
    assert_eq!(read(&[(DNS, b"CI.test.example")]), [host("ci.test.example")]);
    assert_eq!(read(&[(MAIL, b"Carol+ci@Test.example")]), [address("Carol+ci@test.example")]);
    let all: [(u8, &[u8]); 4] =
        [(URI, b"spiffe://t/a"), (DNS, b"a.test"), (MAIL, b"a@test"), (ADDRESS, &[127, 0, 0, 1])];
    assert_eq!(read(&all), [spiffe("spiffe://t/a"), host("a.test"), address("a@test")]);
    // Neither the common name, nor a web address, nor a wildcard.
    assert_eq!(read(&[(URI, b"https://test.example/ci")]), []);
    assert_eq!(read(&[(DNS, b"*.test.example"), (DNS, b"a.test")]), [host("a.test")]);
    assert_eq!(read(&[]), []);
    let nameless = Authority::new("root").issue(Leaf::client().common_name("ci.test"));
    assert_eq!(peer_certificate(&nameless.der).unwrap().names, []);
}

#[test]
fn one_odd_name_makes_the_certificate_nameless() {
    let good: (u8, &[u8]) = (DNS, b"a.test");
    let long = format!("spiffe://test/{}", "a".repeat(NAME_BYTES));
    let odd: &[(u8, &[u8])] = &[
        (DNS, b"ci.test\0.evil.example"),
        (DNS, b"ci\n.test"),
        (DNS, b"ci .test"),
        (DNS, "ci.t\u{e9}st".as_bytes()),
        (DNS, b"\xff\xfe"),
        (DNS, b""),
        (DNS, b"."),
        (DNS, b"a..b"),
        (DNS, b"a.test."),
        (DNS, b"-a.test"),
        (DNS, b"*"),
        (DNS, b"a.*.test"),
        (DNS, b"*.*.test"),
        (MAIL, b"carol"),
        (MAIL, b"carol@"),
        (MAIL, b"@test"),
        (MAIL, b"carol@test@evil"),
        (MAIL, b"\"carol\"@test"),
        (MAIL, b"carol@test\0"),
        (URI, b"spiffe://"),
        (URI, b"spiffe:///ci"),
        (URI, b"spiffe://Test/ci"),
        (URI, b"SPIFFE://test/ci"),
        (URI, b"spiffe://test/"),
        (URI, b"spiffe://test//ci"),
        (URI, b"spiffe://test/../ci"),
        (URI, b"spiffe://test/./ci"),
        (URI, b"spiffe://test/ci?x"),
        (URI, b"spiffe://test/ci#x"),
        (URI, b"spiffe://test/c%69"),
        (URI, b"spiffe://test:80/ci"),
        (URI, b"spiffe://user@test/ci"),
        (URI, b"spiffe://test/ci\0"),
        (URI, b"https://test/\x07"),
        (URI, long.as_bytes()),
    ];
    for name in odd {
        assert_eq!(read(&[good, *name]), [], "{:?}", String::from_utf8_lossy(name.1));
    }
    assert_eq!(read(&[(URI, b"spiffe://test/a"), (URI, b"spiffe://test/b")]), [], "two identities are none");
}

#[test]
fn reading_has_its_limits() {
    let longest = format!("spiffe://test/{}", "a".repeat(NAME_BYTES - 14));
    assert_eq!(longest.len(), NAME_BYTES);
    assert_eq!(read(&[(URI, longest.as_bytes())]), [spiffe(&longest)]);
    let many: Vec<String> = (0..=NAMES_LIMIT).map(|number| format!("n{number}.test")).collect();
    let many: Vec<(u8, &[u8])> = many.iter().map(|name| (DNS, name.as_bytes())).collect();
    assert_eq!(read(&many[..NAMES_LIMIT]).len(), NAMES_LIMIT);
    assert_eq!(read(&many), []);
}

#[test]
fn a_certificate_is_known_by_its_bytes_and_its_key_by_its_pin() {
    let root = Authority::new("root");
    let issued = root.issue(Leaf::client().dns("ci.test").days(-1, 7));
    let peer = peer_certificate(&issued.der).unwrap();
    assert_eq!(peer.thumbprint, *Digest::of(&issued.der).as_bytes());
    assert_eq!(peer.serial, hexadecimal(&issued.serial));
    let (from, until) = validity(&issued.der).unwrap();
    assert_eq!(peer.not_after, until);
    assert_eq!(until.0 - from.0, 8 * 24 * 3600 * 1_000_000_000);
    let renewed = root.renew(Leaf::client().dns("ci.test"), &issued);
    assert_eq!(pin_of(&renewed.der), pin_of(&issued.der));
    assert_eq!(pin_of(&issued.der), Some(KeyPin::of(&issued.public_key)));
    assert_ne!(pin_of(&root.issue(Leaf::client()).der), pin_of(&issued.der));
}

#[test]
fn what_is_no_certificate_is_nobody() {
    let der = Authority::new("root").issue(Leaf::client().dns("ci.test")).der;
    assert!(peer_certificate(&[]).is_none());
    assert!(peer_certificate(&der[..der.len() - 1]).is_none());
    assert!(peer_certificate(&[&der[..], b"x"].concat()).is_none(), "nothing follows a certificate");
    assert!(!is_for_clients(&der[1..]));
}
