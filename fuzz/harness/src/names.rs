//! Names in client certificates: what is taken for a name has one form, or nobody is named.

use stockade_core::identity::CertificateName;
use stockade_gateway::tls::{NAME_BYTES, NAMES_LIMIT, names_for_fuzz};

/// The input is a certificate, and it is the content of the names of a certificate that is otherwise right.
pub fn fuzz_names(data: &[u8]) {
    check(data);
    // Lengths of up to 64 KiB are written; a fuzzer needs no more.
    if data.len() < 60_000 {
        check(&certificate(data));
    }
}

fn check(der: &[u8]) {
    let Some(names) = names_for_fuzz(der) else { return };
    assert_eq!(Some(&names), names_for_fuzz(der).as_ref(), "read twice, read differently");
    assert!(names.len() <= NAMES_LIMIT, "more names than the limit");
    let ids = names.iter().filter(|name| matches!(name, CertificateName::Spiffe(_))).count();
    assert!(ids <= 1, "two SPIFFE ids");
    for name in &names {
        let (text, host) = match name {
            CertificateName::Spiffe(text) => {
                let path = text.strip_prefix("spiffe://").unwrap_or_default();
                assert!(path.split('/').all(|part| !matches!(part, "" | "." | "..")), "{text}");
                (text, path.split('/').next().unwrap_or_default())
            }
            CertificateName::Dns(text) => (text, text.as_str()),
            CertificateName::Mail(text) => {
                let (local, host) = text.split_once('@').unwrap_or_default();
                assert!(!local.is_empty() && !host.is_empty() && !host.contains('@'), "{text}");
                (text, host)
            }
        };
        assert!(text.len() <= NAME_BYTES && text.bytes().all(|byte| byte.is_ascii_graphic()), "{text:?}");
        assert!(!host.bytes().any(|byte| byte.is_ascii_uppercase()) && !text.contains('*'), "{text}");
    }
}

/// A certificate whose signature nobody has made, with these bytes inside its subjectAltName (RFC 5280 §4.1).
fn certificate(names: &[u8]) -> Vec<u8> {
    const ECDSA_SHA256: &[u8] = &[0x06, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];
    const EC_KEY: &[u8] = &[0x06, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];
    const P256: &[u8] = &[0x06, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
    const SUBJECT_ALT_NAME: &[u8] = &[0x06, 3, 0x55, 0x1d, 0x11];
    let time = der(0x17, b"260101000000Z");
    let bits = der(0x03, &[0, 4]);
    let key = der(0x30, &[der(0x30, &[EC_KEY, P256].concat()), bits.clone()].concat());
    let extension = der(0x30, &[SUBJECT_ALT_NAME.to_vec(), der(0x04, &der(0x30, names))].concat());
    let algorithm = der(0x30, ECDSA_SHA256);
    let body = [
        der(0xa0, &der(0x02, &[2])),
        der(0x02, &[1]),
        algorithm.clone(),
        der(0x30, &[]),
        der(0x30, &[time.clone(), time].concat()),
        der(0x30, &[]),
        key,
        der(0xa3, &der(0x30, &extension)),
    ];
    der(0x30, &[der(0x30, &body.concat()), algorithm, bits].concat())
}

/// A value in DER (ITU-T X.690 §8.1) of at most 64 KiB.
fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let [.., high, low] = content.len().to_be_bytes();
    let head = match content.len() {
        0..=0x7f => vec![tag, low],
        0x80..=0xff => vec![tag, 0x81, low],
        _ => vec![tag, 0x82, high, low],
    };
    [head, content.to_vec()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_certificate_around_the_names_is_read() {
        let names = der(0x82, b"ci.test");
        assert_eq!(names_for_fuzz(&certificate(&names)), Some(vec![CertificateName::Dns("ci.test".to_owned())]));
    }
}
