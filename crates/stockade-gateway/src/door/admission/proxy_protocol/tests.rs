//! Headers of both versions, right and wrong, and that not a byte behind them is read.

use super::*;

/// Reads a header that something follows; what was read, and what is left.
async fn read(bytes: &[u8]) -> (Result<Proxied, String>, Vec<u8>) {
    let mut stream = bytes;
    let read = read_header(&mut stream).await;
    (read.map_err(|error| error.to_string()), stream.to_vec())
}

fn client(text: &str) -> Result<Proxied, String> {
    Ok(Proxied::For { client: text.parse().unwrap() })
}

/// A header of version 2 around what it says.
fn binary_of(version: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
    [SIGNATURE.as_slice(), &[version, family], &length, rest].concat()
}

fn v4() -> Vec<u8> {
    [&[203, 0, 113, 7][..], &[192, 0, 2, 1], &[0x1f, 0x90], &[0x20, 0xfb]].concat()
}

#[tokio::test]
async fn a_right_header_is_read_to_its_end_and_no_further() {
    let v6: Vec<u8> = ["2001:db8::1", "2001:db8::2"]
        .iter()
        .flat_map(|text| text.parse::<Ipv6Addr>().unwrap().octets())
        .chain([0, 1, 0, 2])
        .collect();
    let extension = [0xe0, 0, 2, 7, 7];
    let cases = [
        (b"PROXY TCP4 203.0.113.7 192.0.2.1 56324 443\r\n".to_vec(), client("203.0.113.7")),
        (b"PROXY TCP6 2001:db8::1 2001:db8::2 0 65535\r\n".to_vec(), client("2001:db8::1")),
        (b"PROXY UNKNOWN\r\n".to_vec(), Ok(Proxied::Own)),
        (b"PROXY UNKNOWN 1 2 3 4 5\r\n".to_vec(), Ok(Proxied::Own)),
        (binary_of(0x21, 0x11, &v4()), client("203.0.113.7")),
        (binary_of(0x21, 0x21, &v6), client("2001:db8::1")),
        (binary_of(0x21, 0x11, &[v4(), extension.to_vec()].concat()), client("203.0.113.7")),
        (binary_of(0x20, 0x00, &[]), Ok(Proxied::Own)),
        (binary_of(0x20, 0x11, &v4()), Ok(Proxied::Own)),
        (binary_of(0x21, 0x00, &[]), Ok(Proxied::Own)),
    ];
    for (header, expected) in cases {
        let (read, rest) = read(&[&header[..], b"\x16\x03\x01rest"].concat()).await;
        assert_eq!(read, expected, "{header:?}");
        assert_eq!(rest, b"\x16\x03\x01rest", "{header:?}");
        assert_eq!(judge_for_fuzz(&header).map(|(_, length)| length), Some(header.len()), "{header:?}");
    }
}

#[tokio::test]
async fn a_wrong_header_is_refused() {
    let lines: [(&[u8], &str); 16] = [
        (b"GET /mcp HTTP/1.1\r\n", "neither version"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\x00", "neither version"),
        (b"proxy TCP4 1.2.3.4 1.2.3.4 1 2\r\n", "neither version"),
        (b"PROXY TCP5 1.2.3.4 1.2.3.4 1 2\r\n", "family"),
        (b"PROXY  TCP4 1.2.3.4 1.2.3.4 1 2\r\n", "family"),
        (b"PROXY TCP4 2001:db8::1 2001:db8::2 1 2\r\n", "address"),
        (b"PROXY TCP6 1.2.3.4 1.2.3.4 1 2\r\n", "address"),
        (b"PROXY TCP4 1.2.3.4  1.2.3.4 1 2\r\n", "address"),
        (b"PROXY TCP4 01.2.3.4 1.2.3.4 1 2\r\n", "address"),
        (b"PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n", "port"),
        (b"PROXY TCP4 1.2.3.4 1.2.3.4 +1 2\r\n", "port"),
        (b"PROXY TCP4 1.2.3.4 1.2.3.4 01 2\r\n", "port"),
        (b"PROXY TCP4 1.2.3.4 1.2.3.4 1 65536\r\n", "port"),
        (b"PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3\r\n", "after the ports"),
        (b"PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n\n\r\n", "port"),
        (b"PROXY TCP4 1.2.3.4", "broke off"),
    ];
    for (line, reason) in lines {
        let (read, _) = read(line).await;
        let shown = String::from_utf8_lossy(line).into_owned();
        assert!(read.as_ref().is_err_and(|error| error.contains(reason)), "{shown:?}: {read:?}");
        assert_eq!(judge_for_fuzz(line), None, "{shown:?}");
    }
    let short = v4().split_off(1);
    for (header, reason) in [
        (binary_of(0x11, 0x11, &v4()), "version"),
        (binary_of(0x22, 0x11, &v4()), "version"),
        (binary_of(0x21, 0x12, &v4()), "neither TCP"),
        (binary_of(0x21, 0x31, &[0; 216]), "neither TCP"),
        (binary_of(0x21, 0x11, &short), "no room"),
        (binary_of(0x21, 0x21, &v4()), "no room"),
        (binary_of(0x21, 0x11, &[v4(), vec![0xe0]].concat()), "breaks off"),
        (binary_of(0x21, 0x11, &[v4(), vec![0xe0, 0, 9, 1]].concat()), "breaks off"),
        (binary_of(0x21, 0x11, &vec![0; BINARY_BYTES + 1]), "over its limit"),
    ] {
        let (read, _) = read(&header).await;
        assert!(read.as_ref().is_err_and(|error| error.contains(reason)), "{reason}: {read:?}");
    }
}

#[tokio::test]
async fn a_line_has_a_limit() {
    let endless = [b"PROXY UNKNOWN ".as_slice(), &[b'x'; 200]].concat();
    let (refused, rest) = read(&endless).await;
    assert!(refused.is_err_and(|error| error.contains("limit")));
    assert_eq!(rest.len(), endless.len() - TEXT_BYTES);
    let longest = format!("PROXY UNKNOWN {}\r\n", "x".repeat(TEXT_BYTES - 16));
    assert_eq!(longest.len(), TEXT_BYTES);
    assert_eq!(read(longest.as_bytes()).await.0, Ok(Proxied::Own));
}

#[tokio::test]
async fn a_checksum_is_checked() {
    // RFC 3720 §B.4: 32 bytes of zeros.
    assert_eq!(crc32c_without(&[0; 32], 0), 0x8a91_36aa);
    let mut header = binary_of(0x21, 0x11, &[v4(), vec![CHECKSUM, 0, 4, 0, 0, 0, 0]].concat());
    let at = header.len() - 4;
    let sum = crc32c_without(&header, at).to_be_bytes();
    header[at..].copy_from_slice(&sum);
    assert_eq!(read(&header).await.0, client("203.0.113.7"));
    header[16] ^= 1;
    assert!(read(&header).await.0.is_err_and(|error| error.contains("checksum")));
}

#[tokio::test(start_paused = true)]
async fn a_header_that_does_not_come_is_not_waited_for() {
    let (_silent, mut ours) = tokio::io::duplex(64);
    let began = tokio::time::Instant::now();
    assert!(matches!(read_header(&mut ours).await, Err(ProxyProtocolError::TooSlow)));
    assert_eq!(began.elapsed(), LIMIT);
}
