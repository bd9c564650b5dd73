//! Sealed text opens as it was sealed, or not at all (EV-10).

use crate::support::Scratch;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use stockade_core::ports::Seals;

const CONTEXT: &[u8] = b"alice\0files\0tools/call";
const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Of all three lengths modulo 3, so that base64 has no, two and four left-over bits at its end.
const PLAINS: [&[u8]; 5] = [b"", b"1", b"{}", b"abc", &[0xA5; 300]];

#[test]
fn what_was_sealed_opens_for_its_context_only() {
    let scratch = Scratch::new();
    let key = scratch.ring().sealing_key();
    for plain in PLAINS {
        let sealed = key.seal(CONTEXT, plain);
        assert!(sealed.bytes().all(|byte| ALPHABET.contains(&byte)));
        assert_eq!(key.open(CONTEXT, &sealed).as_deref(), Some(plain));
        assert_ne!(key.seal(CONTEXT, plain), sealed, "no two seals are the same");
        for other in [&b""[..], b"alice\0files\0tools/cal", b"alice\0files\0tools/call\0", b"bob\0files\0tools/call"] {
            assert_eq!(key.open(other, &sealed), None);
        }
    }
}

#[test]
fn another_root_opens_nothing() {
    let (ours, theirs) = (Scratch::new(), Scratch::new());
    let sealed = ours.ring().sealing_key().seal(CONTEXT, b"text");
    assert_eq!(theirs.ring().sealing_key().open(CONTEXT, &sealed), None);
}

#[test]
fn no_flipped_bit_is_taken() {
    let scratch = Scratch::new();
    let key = scratch.ring().sealing_key();
    for plain in PLAINS {
        let sealed = URL_SAFE_NO_PAD.decode(key.seal(CONTEXT, plain)).unwrap();
        for bit in 0..sealed.len() * 8 {
            let mut flipped = sealed.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(key.open(CONTEXT, &URL_SAFE_NO_PAD.encode(flipped)), None, "bit {bit}");
        }
    }
}

#[test]
fn no_other_text_of_the_same_bytes_is_taken() {
    let scratch = Scratch::new();
    let key = scratch.ring().sealing_key();
    for plain in PLAINS {
        let sealed = key.seal(CONTEXT, plain);
        let bytes = URL_SAFE_NO_PAD.decode(&sealed).unwrap();
        let mut others = vec![
            format!("{sealed}="),
            format!("{sealed}=="),
            format!(" {sealed}"),
            format!("{sealed}\n"),
            format!("{sealed}A"),
            URL_SAFE.encode(&bytes),
            STANDARD.encode(&bytes),
            STANDARD_NO_PAD.encode(&bytes),
        ];
        others.retain(|other| *other != sealed);
        assert!(others.len() > 4);
        others.iter().for_each(|other| assert_eq!(key.open(CONTEXT, other), None, "{other}"));
        // Every other character in every place, with it those that differ in left-over bits only.
        for place in 0..sealed.len() {
            for letter in ALPHABET.iter().filter(|letter| **letter != sealed.as_bytes()[place]) {
                let mut other = sealed.clone().into_bytes();
                other[place] = *letter;
                assert_eq!(key.open(CONTEXT, &String::from_utf8(other).unwrap()), None, "place {place}");
            }
        }
    }
}

#[test]
fn no_part_and_no_mixture_is_taken() {
    let scratch = Scratch::new();
    let key = scratch.ring().sealing_key();
    let sealed = key.seal(CONTEXT, b"one of two texts");
    let other = key.seal(CONTEXT, b"two of two texts");
    for length in 0..sealed.len() {
        let (start, end) = sealed.split_at(length);
        assert_eq!(key.open(CONTEXT, start), None, "the first {length}");
        if length > 0 {
            assert_eq!(key.open(CONTEXT, end), None, "from {length}");
            let mixed = format!("{start}{}", other.split_at(length).1);
            assert!(mixed == other || key.open(CONTEXT, &mixed).is_none(), "mixed at {length}");
        }
    }
    for forged in ["", "{\"cursor\":1}", "AQ", "not base64 at all", "ÄÖ"] {
        assert_eq!(key.open(CONTEXT, forged), None, "{forged}");
    }
}
