//! Nonces for proofs of possession (RFC 9449 §8 and §9): the time, sealed by a key of ours. Nothing is kept for them, and every
//! process with the same key takes them.

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::time::Duration;
use stockade_core::ports::Timestamp;

use crate::claims::nanoseconds;

/// What the key is used for, so that no seal of another kind is a nonce.
const PURPOSE: &[u8] = b"stockade dpop nonce 1\0";
/// Characters of a nonce: 8 bytes of time and 32 of the seal.
const NONCE_CHARACTERS: usize = 54;

/// Makes nonces and knows them again.
#[derive(Debug)]
pub(crate) struct Nonces {
    key: hmac::Key,
    life: Duration,
}

impl Nonces {
    pub(crate) fn new(key: &[u8; 32], life: Duration) -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, key), life }
    }

    /// A nonce of this moment.
    pub(crate) fn fresh(&self, now: Timestamp) -> String {
        let time = now.0.to_be_bytes();
        let mut bytes = time.to_vec();
        bytes.extend_from_slice(hmac::sign(&self.key, &[PURPOSE, &time].concat()).as_ref());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Until when a nonce is good; nothing if it is not one of ours or was good before.
    pub(crate) fn good_until(&self, nonce: &str, now: Timestamp) -> Option<Timestamp> {
        if nonce.len() != NONCE_CHARACTERS {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(nonce).ok()?;
        let (time, seal) = bytes.split_first_chunk::<8>()?;
        hmac::verify(&self.key, &[PURPOSE, time].concat(), seal).ok()?;
        let made = i64::from_be_bytes(*time);
        let until = Timestamp(made.saturating_add(nanoseconds(self.life)));
        (made <= now.0 && now < until).then_some(until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nonce_is_good_for_its_time_and_for_its_key() {
        let nonces = Nonces::new(&[1; 32], Duration::from_nanos(100));
        let nonce = nonces.fresh(Timestamp(1000));
        assert_eq!(nonce.len(), NONCE_CHARACTERS);
        for (now, expected) in [(999, None), (1000, Some(1100)), (1099, Some(1100)), (1100, None), (i64::MAX, None)] {
            assert_eq!(nonces.good_until(&nonce, Timestamp(now)).map(|until| until.0), expected, "{now}");
        }
        let now = Timestamp(1000);
        assert_eq!(Nonces::new(&[2; 32], Duration::from_nanos(100)).good_until(&nonce, now), None);
        for at in 0..nonce.len() {
            let mut bent = nonce.clone().into_bytes();
            bent[at] = if bent[at] == b'A' { b'B' } else { b'A' };
            let bent = String::from_utf8(bent).unwrap();
            assert_eq!(nonces.good_until(&bent, now), None, "{bent}");
        }
        for wrong in ["", "A", &format!("{nonce}A"), &nonce.replacen('A', "", 1)] {
            assert_eq!(nonces.good_until(wrong, now), None);
        }
    }
}
