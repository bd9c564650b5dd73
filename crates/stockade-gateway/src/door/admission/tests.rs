//! Who is let in, by lists, counts and the word of proxies.

use super::*;

fn ranges(texts: &[&str]) -> Vec<AddressRange> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

async fn admit(admission: &Admission, from: &str, mut bytes: &[u8]) -> Result<Admitted, String> {
    let socket = format!("{from}:4711").parse().unwrap();
    let admitted = admission.admit(&mut bytes, socket).await;
    admitted.map_err(|error| error.to_string())
}

async fn check(settings: AdmissionSettings, from: &str, bytes: &[u8], expected: Result<&str, &str>) {
    let admitted = admit(&Admission::new(settings), from, bytes).await.map(|admitted| admitted.address.to_string());
    let expected = expected.map(str::to_owned).map_err(str::to_owned);
    assert_eq!(admitted, expected, "{from} {:?}", String::from_utf8_lossy(bytes));
}

const HEADER: &[u8] = b"PROXY TCP4 203.0.113.7 192.0.2.1 56324 443\r\n";

#[tokio::test]
async fn lists_of_addresses_decide_and_an_empty_one_means_nobody() {
    let lists = |allow: Option<&[&str]>, deny: &[&str]| AdmissionSettings {
        allow: allow.map(ranges),
        deny: ranges(deny),
        ..AdmissionSettings::default()
    };
    let denied = Err("192.0.2.1 may not connect");
    check(lists(None, &[]), "192.0.2.1", b"", Ok("192.0.2.1")).await;
    check(lists(Some(&[]), &[]), "192.0.2.1", b"", denied).await;
    check(lists(Some(&["192.0.2.0/24"]), &[]), "192.0.2.1", b"", Ok("192.0.2.1")).await;
    check(lists(Some(&["192.0.2.0/24"]), &[]), "[::ffff:192.0.2.1]", b"", Ok("192.0.2.1")).await;
    check(lists(Some(&["198.51.100.0/24"]), &[]), "192.0.2.1", b"", denied).await;
    check(lists(Some(&["192.0.2.0/24"]), &["192.0.2.1"]), "192.0.2.1", b"", denied).await;
    check(lists(None, &["192.0.2.1"]), "192.0.2.1", b"", denied).await;
    check(lists(None, &["::/0"]), "192.0.2.1", b"", Ok("192.0.2.1")).await;
}

#[tokio::test]
async fn a_proxy_header_counts_from_listed_peers_only_and_must_be_there() {
    let behind = || AdmissionSettings { proxy_protocol_from: ranges(&["10.0.0.0/8"]), ..AdmissionSettings::default() };
    check(behind(), "10.0.0.2", HEADER, Ok("203.0.113.7")).await;
    check(behind(), "10.0.0.2", b"PROXY UNKNOWN\r\n", Ok("10.0.0.2")).await;
    check(behind(), "10.0.0.2", b"GET / HTTP/1.1\r\n", Err("no PROXY protocol header of a listed proxy")).await;
    check(behind(), "192.0.2.1", HEADER, Ok("192.0.2.1")).await;
    // From others not a byte is read: what they send is TLS or HTTP, and as such garbage.
    let mut bytes = HEADER;
    Admission::new(behind()).admit(&mut bytes, "192.0.2.1:1".parse().unwrap()).await.unwrap();
    assert_eq!(bytes, HEADER);
}

#[tokio::test]
async fn who_a_proxy_brings_is_judged_like_anybody() {
    let behind = |allow: Option<&[&str]>, deny: &[&str]| AdmissionSettings {
        allow: allow.map(ranges),
        deny: ranges(deny),
        proxy_protocol_from: ranges(&["10.0.0.2"]),
        ..AdmissionSettings::default()
    };
    let denied = Err("203.0.113.7 may not connect");
    check(behind(None, &["203.0.113.0/24"]), "10.0.0.2", HEADER, denied).await;
    check(behind(Some(&["10.0.0.0/8"]), &[]), "10.0.0.2", HEADER, denied).await;
    check(behind(Some(&["203.0.113.0/24"]), &[]), "10.0.0.2", HEADER, Ok("203.0.113.7")).await;
    check(behind(None, &["10.0.0.2"]), "10.0.0.2", HEADER, Err("10.0.0.2 may not connect")).await;
}

#[tokio::test]
async fn one_address_has_only_so_many_connections() {
    let settings = AdmissionSettings {
        connections_per_address: 2,
        proxy_protocol_from: ranges(&["10.0.0.2"]),
        trusted_proxies: ranges(&["10.0.0.3"]),
        ..AdmissionSettings::default()
    };
    let admission = Admission::new(settings);
    let first = admit(&admission, "203.0.113.7", b"").await.unwrap();
    let second = admit(&admission, "10.0.0.2", HEADER).await.unwrap();
    let third = admit(&admission, "203.0.113.7", b"").await;
    assert_eq!(third.err().as_deref(), Some("203.0.113.7 has its 2 connections already"));
    assert!(admit(&admission, "10.0.0.2", HEADER).await.is_err(), "whichever way it comes");
    drop(second);
    let again = admit(&admission, "203.0.113.7", b"").await.unwrap();
    // A trusted proxy carries everybody; the total alone bounds it.
    for _ in 0..5 {
        std::mem::forget(admit(&admission, "10.0.0.3", b"").await.unwrap());
    }
    drop((first, again));
}

#[tokio::test]
async fn a_forwarded_header_counts_from_trusted_proxies_only() {
    let settings = AdmissionSettings {
        deny: ranges(&["198.51.100.0/24"]),
        trusted_proxies: ranges(&["10.0.0.0/8"]),
        ..AdmissionSettings::default()
    };
    let admission = Admission::new(settings);
    let headers = |value: &str| -> HeaderMap {
        ["x-forwarded-for", "forwarded", "x-real-ip"]
            .iter()
            .map(|name| (name.parse::<http::HeaderName>().unwrap(), value.parse().unwrap()))
            .collect()
    };
    let peer = |address: &str| Arc::new(Peer::plain(format!("{address}:4711").parse().unwrap()));
    let asked = |from: &str, value: &str| {
        let peer = admission.peer_of(&peer(from), &headers(value));
        peer.map(|peer| peer.address.to_string()).map_err(|refused| refused.rule.to_owned())
    };
    assert_eq!(asked("192.0.2.1", "127.0.0.1"), Ok("192.0.2.1".to_owned()));
    assert_eq!(asked("10.0.0.2", "127.0.0.1, 203.0.113.7"), Ok("203.0.113.7".to_owned()));
    assert_eq!(asked("10.0.0.2", "198.51.100.1"), Err(RULE.to_owned()));
    assert_eq!(asked("10.0.0.2", "nobody"), Err(RULE.to_owned()));
    let without = admission.peer_of(&peer("10.0.0.2"), &HeaderMap::new()).unwrap();
    assert_eq!(without.address.to_string(), "10.0.0.2");
}
