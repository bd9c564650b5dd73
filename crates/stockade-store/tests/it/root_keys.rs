//! The root key: made once, strong, and nobody else's (OP-04).

use crate::support::{Scratch, mode, set_mode};
use std::fs;
use std::os::unix::fs::symlink;
use stockade_core::ports::{Entropy, Seals};
use stockade_store::{KeyRing, KeyRingError, OsEntropy};

#[test]
fn the_key_is_made_once_and_stays() {
    let scratch = Scratch::new();
    let sealed = scratch.ring().sealing_key().seal(b"context", b"text");
    let key = fs::read(scratch.root_key()).unwrap();
    assert_eq!((key.len(), mode(&scratch.root_key())), (32, 0o600));
    assert_eq!(scratch.ring().sealing_key().open(b"context", &sealed).as_deref(), Some(&b"text"[..]));
    assert_eq!(fs::read(scratch.root_key()).unwrap(), key);
    let other = Scratch::new();
    other.ring();
    assert_ne!(fs::read(other.root_key()).unwrap(), key);
    assert_eq!(fs::read_dir(scratch.data().join("keys")).unwrap().count(), 1, "nothing is left beside it");
}

#[test]
fn a_weak_key_is_refused_and_not_replaced() {
    let patterns = [b"\0\x01\xfe\xff".repeat(8), b"0123456789abcdefghijklmnopqrstu\n".to_vec()];
    let almost = [[7_u8; 31].as_slice(), &[1, 2]].concat();
    for weak in [
        &b""[..],
        b"changeme",
        &[0; 32],
        b"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        &almost,
        &patterns[0],
        &patterns[1],
        &[9; 64],
        &[1; 1000],
    ] {
        let scratch = Scratch::new();
        scratch.ring();
        fs::write(scratch.root_key(), weak).unwrap();
        let refused = KeyRing::open(&scratch.folder()).unwrap_err();
        assert!(matches!(refused, KeyRingError::Weak { .. }), "{weak:?}: {refused}");
        assert_eq!(fs::read(scratch.root_key()).unwrap(), weak);
    }
}

#[test]
fn a_key_that_others_could_read_is_refused() {
    for open in [0o604, 0o640, 0o660, 0o666, 0o610] {
        let scratch = Scratch::new();
        scratch.ring();
        set_mode(&scratch.root_key(), open);
        let refused = KeyRing::open(&scratch.folder()).unwrap_err();
        assert!(matches!(refused, KeyRingError::Open { mode } if mode == open), "{open:o}: {refused}");
    }
}

#[test]
fn a_key_behind_a_link_is_refused() {
    let scratch = Scratch::new();
    scratch.ring();
    let elsewhere = scratch.path().join("elsewhere");
    fs::rename(scratch.root_key(), &elsewhere).unwrap();
    symlink(&elsewhere, scratch.root_key()).unwrap();
    assert!(matches!(KeyRing::open(&scratch.folder()), Err(KeyRingError::Io { .. })));
}

#[test]
fn starts_at_the_same_time_agree_on_one_key() {
    for _ in 0..20 {
        let scratch = Scratch::new();
        let sealed: Vec<String> = std::thread::scope(|scope| {
            let starts: Vec<_> =
                (0..4).map(|_| scope.spawn(|| scratch.ring().sealing_key().seal(b"", b"text"))).collect();
            starts.into_iter().map(|start| start.join().unwrap()).collect()
        });
        let key = scratch.ring().sealing_key();
        assert!(sealed.iter().all(|text| key.open(b"", text).is_some()));
    }
}

#[test]
fn nothing_shows_a_key() {
    let scratch = Scratch::new();
    let ring = scratch.ring();
    assert_eq!(
        format!("{ring:?} {:?} {:?}", ring.sealing_key(), scratch.keys()),
        "KeyRing(…) SealingKey(…) ApiKeys(…)"
    );
}

#[test]
fn random_bytes_fill_the_whole_of_what_is_asked_for() {
    // Sixteen zeros in a row would come by chance once in 2^121 tries.
    let mut bytes = [0; 128];
    OsEntropy.fill(&mut bytes);
    assert!(bytes.chunks(16).all(|part| part.iter().any(|byte| *byte != 0)));
    OsEntropy.fill(&mut []);
}
