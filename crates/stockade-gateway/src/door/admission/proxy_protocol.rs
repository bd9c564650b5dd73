//! The PROXY protocol, versions 1 and 2: what a proxy before us says of the connection that it carries.
//!
//! Source: "The PROXY protocol, versions 1 & 2" (HAProxy), §2.
//! Must never: read a byte beyond the header, which belongs to TLS or HTTP; take a header that can be read in two ways.

use super::read_more;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;
use tokio::io::AsyncRead;

/// For the whole header.
const LIMIT: Duration = Duration::from_secs(5);
/// Bytes of a header of version 1 with its line end (§2.1).
const TEXT_BYTES: usize = 107;
/// Bytes of a header of version 2 after the first sixteen: addresses and extensions. The specification promises senders no
/// more than fits into one segment (§2.2).
const BINARY_BYTES: usize = 512;
/// The first bytes of version 2. A header of version 1 is longer than these too.
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
const TEXT: &[u8] = b"PROXY ";
/// The first bytes of version 2, before those that it says how many they are.
const BINARY_HEAD: usize = 16;
/// The extension that holds a CRC-32C of the whole header (§2.2.3).
const CHECKSUM: u8 = 0x03;

/// What a header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Proxied {
    /// The proxy carries a client's connection.
    For {
        /// The client.
        client: IpAddr,
    },
    /// The proxy speaks for itself, as in a check of our health, or does not know for whom.
    Own,
}

/// What is wrong with a header.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProxyProtocolError {
    #[error("it took longer than {} s", LIMIT.as_secs())]
    TooSlow,
    #[error("it broke off")]
    BrokeOff(#[source] io::Error),
    #[error("the first bytes are of neither version")]
    NotThere,
    #[error("version 1: {0}")]
    Text(&'static str),
    #[error("version 2: {0}")]
    Binary(&'static str),
}

/// Reads the header and nothing after it.
pub(super) async fn read_header<IO: AsyncRead + Unpin>(io: &mut IO) -> Result<Proxied, ProxyProtocolError> {
    let reading = async {
        let mut bytes = Vec::with_capacity(TEXT_BYTES);
        let broke_off = ProxyProtocolError::BrokeOff;
        read_more(io, &mut bytes, SIGNATURE.len()).await.map_err(broke_off)?;
        if bytes == SIGNATURE {
            read_more(io, &mut bytes, BINARY_HEAD - SIGNATURE.len()).await.map_err(broke_off)?;
            let rest = binary_rest(&bytes)?;
            read_more(io, &mut bytes, rest).await.map_err(broke_off)?;
            return binary(&bytes);
        }
        if !bytes.starts_with(TEXT) {
            return Err(ProxyProtocolError::NotThere);
        }
        // Byte by byte: where the line ends is known only at its end, and what follows is not ours to read.
        while !bytes.ends_with(b"\r\n") {
            if bytes.len() >= TEXT_BYTES {
                return Err(ProxyProtocolError::Text("no line end within its limit"));
            }
            read_more(io, &mut bytes, 1).await.map_err(broke_off)?;
        }
        text(&bytes)
    };
    tokio::time::timeout(LIMIT, reading).await.map_err(|_| ProxyProtocolError::TooSlow)?
}

/// A whole line of version 1 with its end.
fn text(line: &[u8]) -> Result<Proxied, ProxyProtocolError> {
    let wrong = ProxyProtocolError::Text;
    let line = line.strip_suffix(b"\r\n").ok_or(wrong("no line end"))?;
    let line = std::str::from_utf8(line).ok().filter(|line| line.is_ascii()).ok_or(wrong("not ASCII"))?;
    let mut words = line.split(' ');
    let (tag, family) = (words.next(), words.next());
    if tag != Some("PROXY") {
        return Err(wrong("it does not begin with `PROXY`"));
    }
    // Whatever stands after UNKNOWN is to be ignored (§2.1).
    let is_v6 = match family {
        Some("TCP4") => false,
        Some("TCP6") => true,
        Some("UNKNOWN") => return Ok(Proxied::Own),
        _ => return Err(wrong("no known family")),
    };
    let mut address = || {
        let word = words.next().unwrap_or_default();
        let read = if is_v6 { word.parse().map(IpAddr::V6) } else { word.parse().map(IpAddr::V4) };
        read.map_err(|_| wrong("an address that is not one of its family"))
    };
    let client = address()?;
    address()?;
    for _ in ["source", "destination"] {
        let word = words.next().unwrap_or_default();
        let is_plain = word == "0" || (!word.starts_with('0') && word.bytes().all(|byte| byte.is_ascii_digit()));
        if !is_plain || word.parse::<u16>().is_err() {
            return Err(wrong("a port that is none"));
        }
    }
    if words.next().is_some() { Err(wrong("something after the ports")) } else { Ok(Proxied::For { client }) }
}

/// How many bytes follow the first sixteen.
fn binary_rest(head: &[u8]) -> Result<usize, ProxyProtocolError> {
    let length = head.get(14..16).and_then(|length| length.try_into().ok()).map(u16::from_be_bytes);
    let length = usize::from(length.ok_or(ProxyProtocolError::Binary("too short"))?);
    if length > BINARY_BYTES { Err(ProxyProtocolError::Binary("over its limit")) } else { Ok(length) }
}

/// A whole header of version 2.
fn binary(bytes: &[u8]) -> Result<Proxied, ProxyProtocolError> {
    let wrong = ProxyProtocolError::Binary;
    let (Some(version), Some(family)) = (bytes.get(12).copied(), bytes.get(13).copied()) else {
        return Err(wrong("too short"));
    };
    let is_local = match version {
        0x20 => true,
        0x21 => false,
        _ => return Err(wrong("no known version and command")),
    };
    let rest = bytes.get(BINARY_HEAD..).unwrap_or_default();
    let (client, extensions) = match family {
        // Addresses and ports, source first.
        0x11 => {
            let (addresses, extensions) = rest.split_at_checked(12).ok_or(wrong("no room for its addresses"))?;
            let source = addresses.first_chunk::<4>().copied().map(Ipv4Addr::from);
            (source.map(IpAddr::V4), extensions)
        }
        0x21 => {
            let (addresses, extensions) = rest.split_at_checked(36).ok_or(wrong("no room for its addresses"))?;
            let source = addresses.first_chunk::<16>().copied().map(Ipv6Addr::from);
            (source.map(IpAddr::V6), extensions)
        }
        // Not said, or to be ignored with the command LOCAL (§2.2).
        0x00 => (None, &[][..]),
        _ if is_local => (None, &[][..]),
        _ => return Err(wrong("neither TCP over IPv4 nor over IPv6")),
    };
    check_extensions(bytes, extensions)?;
    match client {
        Some(client) if !is_local => Ok(Proxied::For { client }),
        _ => Ok(Proxied::Own),
    }
}

/// Extensions are not used, but must be what they say, and a checksum among them must be right.
fn check_extensions(whole: &[u8], extensions: &[u8]) -> Result<(), ProxyProtocolError> {
    let wrong = ProxyProtocolError::Binary;
    let mut rest = extensions;
    let mut has_checksum = false;
    while let Some((kind, after)) = rest.split_first() {
        let (length, after) = after.split_first_chunk::<2>().ok_or(wrong("an extension that breaks off"))?;
        let length = usize::from(u16::from_be_bytes(*length));
        let (value, after) = after.split_at_checked(length).ok_or(wrong("an extension that breaks off"))?;
        if *kind == CHECKSUM {
            let said: [u8; 4] = value.try_into().map_err(|_| wrong("a checksum of another length"))?;
            let at = whole.len().saturating_sub(after.len()).saturating_sub(4);
            if std::mem::replace(&mut has_checksum, true) || crc32c_without(whole, at) != u32::from_be_bytes(said) {
                return Err(wrong("a checksum that is wrong, or two of them"));
            }
        }
        rest = after;
    }
    Ok(())
}

/// CRC-32C (RFC 3720 §B.4) of `bytes` with the four bytes at `hole` taken for zero.
fn crc32c_without(bytes: &[u8], hole: usize) -> u32 {
    const POLYNOMIAL: u32 = 0x82f6_3b78;
    let is_hole = |at: usize| at >= hole && at < hole.saturating_add(4);
    let bytes = bytes.iter().enumerate().map(|(at, byte)| if is_hole(at) { 0 } else { *byte });
    let sum = bytes.fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ u32::from(byte), |sum, _| if sum & 1 == 1 { (sum >> 1) ^ POLYNOMIAL } else { sum >> 1 })
    });
    !sum
}

/// For the fuzz harness alone: the address that the header at the start of `bytes` names, and the header's length. Nothing
/// if there is no whole, right header.
pub(crate) fn judge_for_fuzz(bytes: &[u8]) -> Option<(Option<IpAddr>, usize)> {
    let (judged, length) = if bytes.starts_with(SIGNATURE) {
        let length = BINARY_HEAD.checked_add(binary_rest(bytes.get(..BINARY_HEAD)?).ok()?)?;
        (binary(bytes.get(..length)?), length)
    } else {
        let within = bytes.get(..bytes.len().min(TEXT_BYTES))?;
        let length = within.windows(2).position(|pair| pair == b"\r\n")?.checked_add(2)?;
        (text(bytes.get(..length)?), length)
    };
    match judged.ok()? {
        Proxied::For { client } => Some((Some(client), length)),
        Proxied::Own => Some((None, length)),
    }
}

#[cfg(test)]
mod tests;
