//! The hash that ties one line to the next: SHA-256 (FIPS 180-4) over the exact bytes of a line, without its newline.
//!
//! Must never: hash anything but whole lines. `aws-lc-rs` and not `sha2`, because it takes half the time on processors without
//! SHA instructions, and hashing is most of what an entry costs.

use aws_lc_rs::digest::{SHA256, digest};

const HEX: &[u8; 16] = b"0123456789abcdef";

/// The hash of one line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LineHash([u8; 32]);

impl LineHash {
    /// What the very first line names as the line before it.
    pub(crate) const GENESIS: Self = Self([0; 32]);

    /// The hash of `line`, given without its newline.
    pub(crate) fn of(line: &[u8]) -> Self {
        let mut hash = [0; 32];
        // Both are 32 bytes long.
        hash.iter_mut().zip(digest(&SHA256, line).as_ref()).for_each(|(to, from)| *to = *from);
        Self(hash)
    }

    /// Reads 64 lower-case hexadecimal digits; nothing else is a hash, so that each has one spelling.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let digits: &[u8; 64] = text.as_bytes().try_into().ok()?;
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let [high, low] = pair else { return None };
            *byte = (digit_value(*high)? << 4) | digit_value(*low)?;
        }
        Some(Self(bytes))
    }

    /// Appends the 64 digits.
    pub(crate) fn push_hex(self, out: &mut Vec<u8>) {
        push_hex(out, &self.0);
    }
}

/// Appends `bytes` as lower-case hexadecimal digits.
pub(crate) fn push_hex(out: &mut Vec<u8>, bytes: &[u8]) {
    let digit = |value: u8| HEX.get(usize::from(value & 15)).copied().unwrap_or(b'0');
    out.extend(bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(*byte)]));
}

const fn digit_value(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_has_one_spelling() {
        let mut text = Vec::new();
        LineHash::of(b"abc").push_hex(&mut text);
        let text = String::from_utf8(text).unwrap();
        // FIPS 180-4, the example of "abc".
        assert_eq!(text, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(LineHash::parse(&text), Some(LineHash::of(b"abc")));
        for wrong in [text.to_uppercase(), format!("{text}0"), text.replacen('b', "g", 1), String::new()] {
            assert_eq!(LineHash::parse(&wrong), None, "{wrong}");
        }
    }
}
