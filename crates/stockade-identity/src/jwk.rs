//! One public key (RFC 7517, RFC 7518 §6, RFC 8037): read strictly, made ready for the algorithms that it fits, named by its
//! thumbprint (RFC 7638).
//!
//! Must never: take a shared secret or a private key for a public one; be used with an algorithm that is not of its type.

use crate::algorithm::Algorithm;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256,
    RSA_PSS_2048_8192_SHA256, RsaPublicKeyComponents,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use stockade_core::wire::{Digest, Value};
use stockade_core::words::Untrusted;

/// Characters of a key's id.
const ID_BYTES: usize = 512;
/// Bits of an RSA modulus at least (NIST SP 800-131A).
const RSA_LEAST_BITS: usize = 2048;
/// Bits of an RSA modulus at most: who sends a key must not choose what checking costs.
const RSA_MOST_BITS: usize = 8192;
/// Members that a public key never has (RFC 7518 §6.2.2, §6.3.2, §6.4.1).
const PRIVATE_MEMBERS: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];
/// Entries of `key_ops` that are looked at.
const OPERATIONS: usize = 16;

/// Why a key is not used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not one of the types that are known.
    #[error("a key of type `{found}`, which is not used here")]
    Type {
        /// `kty` and `crv`, escaped.
        found: String,
    },
    /// It is no JSON object, or a member that it needs is missing or wrong.
    #[error("a key with a wrong `{member}`")]
    Member {
        /// The member.
        member: &'static str,
    },
    /// It is not meant for checking signatures, or for an algorithm that is not known.
    #[error("a key that is not for checking signatures with a known algorithm (`{member}`)")]
    Purpose {
        /// The member that says so.
        member: &'static str,
    },
    /// It holds a private part or a shared secret.
    #[error("a key that shows its private part")]
    Private,
    /// The modulus is too short or too long.
    #[error("an RSA key of {bits} bits")]
    Size {
        /// How long it is.
        bits: usize,
    },
    /// The numbers are no public key.
    #[error("a key that is no point of its curve or no right number")]
    Invalid,
}

#[derive(Debug, Clone)]
enum Material {
    P256(ParsedPublicKey),
    P384(ParsedPublicKey),
    Ed25519(ParsedPublicKey),
    Rsa { pkcs1: ParsedPublicKey, pss: ParsedPublicKey },
}

/// Having one tells you: this is a public key that is sound and meant for checking signatures.
#[derive(Debug, Clone)]
pub struct VerificationKey {
    material: Material,
    id: Option<String>,
    /// The one algorithm that the key is for, by its own word.
    only: Option<Algorithm>,
    thumbprint: [u8; 32],
}

impl VerificationKey {
    /// Reads a JWK.
    ///
    /// # Errors
    /// When it is no public key that signatures are checked with here.
    pub fn read(jwk: Value<'_>) -> Result<Self, KeyError> {
        let object = jwk.as_object().ok_or(KeyError::Member { member: "kty" })?;
        if object.members().any(|(name, _)| PRIVATE_MEMBERS.contains(&name.as_ref())) {
            return Err(KeyError::Private);
        }
        let (material, thumbprint) = material(jwk)?;
        let only = purpose(jwk)?;
        let id = match jwk.get("kid") {
            None => None,
            Some(id) => Some(id.as_str().filter(|id| id.len() <= ID_BYTES).ok_or(KeyError::Member { member: "kid" })?),
        };
        let key = Self { material, id: id.map(std::borrow::Cow::into_owned), only, thumbprint };
        match only {
            Some(algorithm) if !key.fits(algorithm) => Err(KeyError::Member { member: "alg" }),
            _ => Ok(key),
        }
    }

    /// Its id, where it has one.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// Its thumbprint by SHA-256 (RFC 7638).
    #[must_use]
    pub const fn thumbprint(&self) -> &[u8; 32] {
        &self.thumbprint
    }

    /// The one algorithm that it is for, where it says so.
    pub(crate) const fn only(&self) -> Option<Algorithm> {
        self.only
    }

    /// True if `algorithm` is of the key's type, and the key is not for another one.
    #[must_use]
    pub fn fits(&self, algorithm: Algorithm) -> bool {
        let of_type = matches!(
            (&self.material, algorithm),
            (Material::P256(_), Algorithm::Es256)
                | (Material::P384(_), Algorithm::Es384)
                | (Material::Ed25519(_), Algorithm::Ed25519)
                | (Material::Rsa { .. }, Algorithm::Rs256 | Algorithm::Ps256)
        );
        of_type && self.only.is_none_or(|only| only == algorithm)
    }

    /// True if `signature` is one of `message` by this key with `algorithm`; false for an algorithm that does not fit.
    #[must_use]
    pub fn verifies(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        if !self.fits(algorithm) {
            return false;
        }
        let key = match &self.material {
            Material::P256(key) | Material::P384(key) | Material::Ed25519(key) => key,
            Material::Rsa { pkcs1, .. } if algorithm == Algorithm::Rs256 => pkcs1,
            Material::Rsa { pss, .. } => pss,
        };
        key.verify_sig(message, signature).is_ok()
    }
}

/// The key itself and its thumbprint: the digest of the members that make it, sorted, without white space (RFC 7638 §3).
fn material(jwk: Value<'_>) -> Result<(Material, [u8; 32]), KeyError> {
    let text = |member: &'static str| jwk.get(member).and_then(Value::as_str).ok_or(KeyError::Member { member });
    let key_type = text("kty")?;
    let curve = jwk.get("crv").and_then(Value::as_str).unwrap_or_default();
    let (material, members) = match (key_type.as_ref(), curve.as_ref()) {
        ("EC", "P-256") => elliptic(jwk, "P-256")?,
        ("EC", "P-384") => elliptic(jwk, "P-384")?,
        ("OKP", "Ed25519") => {
            let x = number(jwk, "x", Some(32))?;
            let key = ParsedPublicKey::new(&ED25519, &x).map_err(|_| KeyError::Invalid)?;
            (Material::Ed25519(key), format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, encode(&x)))
        }
        ("RSA", _) => rsa(jwk)?,
        (key_type, curve) => {
            let found = Untrusted::new(format!("{key_type} {curve}")).for_log();
            return Err(KeyError::Type { found });
        }
    };
    Ok((material, *Digest::of(members.as_bytes()).as_bytes()))
}

fn elliptic(jwk: Value<'_>, curve: &'static str) -> Result<(Material, String), KeyError> {
    let bytes = if curve == "P-256" { 32 } else { 48 };
    let (x, y) = (number(jwk, "x", Some(bytes))?, number(jwk, "y", Some(bytes))?);
    // An uncompressed point (SEC 1 §2.3.3); that it is one of the curve is checked where it is parsed.
    let point = [&[4], x.as_slice(), y.as_slice()].concat();
    let material = if curve == "P-256" {
        Material::P256(ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).map_err(|_| KeyError::Invalid)?)
    } else {
        Material::P384(ParsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, point).map_err(|_| KeyError::Invalid)?)
    };
    Ok((material, format!(r#"{{"crv":"{curve}","kty":"EC","x":"{}","y":"{}"}}"#, encode(&x), encode(&y))))
}

fn rsa(jwk: Value<'_>) -> Result<(Material, String), KeyError> {
    let (n, e) = (number(jwk, "n", None)?, number(jwk, "e", None)?);
    let bits = n.first().map_or(0, |first| n.len() * 8 - first.leading_zeros() as usize);
    if !(RSA_LEAST_BITS..=RSA_MOST_BITS).contains(&bits) {
        return Err(KeyError::Size { bits });
    }
    // Odd, from 65537 to below 2^32 (NIST SP 800-56B §6.2 asks for the lower end): a huge one would make checking slow.
    let exponent = e.iter().take(5).fold(0_u64, |value, byte| (value << 8) | u64::from(*byte));
    if e.len() > 4 || exponent < 65_537 || exponent % 2 == 0 {
        return Err(KeyError::Member { member: "e" });
    }
    let members = format!(r#"{{"e":"{}","kty":"RSA","n":"{}"}}"#, encode(&e), encode(&n));
    let key = RsaPublicKeyComponents { n, e };
    let pkcs1 = key.to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256).map_err(|_| KeyError::Invalid)?;
    let pss = key.to_parsed_public_key(&RSA_PSS_2048_8192_SHA256).map_err(|_| KeyError::Invalid)?;
    Ok((Material::Rsa { pkcs1, pss }, members))
}

/// A number in base64url, big-endian: of a fixed length, or without leading zeros (RFC 7518 §2, §6.2.1.2).
fn number(jwk: Value<'_>, member: &'static str, length: Option<usize>) -> Result<Vec<u8>, KeyError> {
    let wrong = KeyError::Member { member };
    let text = jwk.get(member).and_then(Value::as_str).ok_or_else(|| wrong.clone())?;
    let bytes = URL_SAFE_NO_PAD.decode(text.as_bytes()).map_err(|_| wrong.clone())?;
    let is_right = match length {
        Some(length) => bytes.len() == length,
        None => bytes.first().is_some_and(|first| *first != 0),
    };
    if is_right { Ok(bytes) } else { Err(wrong) }
}

fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// What the key says it is for (RFC 7517 §4.2 to §4.4).
fn purpose(jwk: Value<'_>) -> Result<Option<Algorithm>, KeyError> {
    if jwk.get("use").is_some_and(|word| word.as_str().as_deref() != Some("sig")) {
        return Err(KeyError::Purpose { member: "use" });
    }
    if let Some(operations) = jwk.get("key_ops") {
        let array = operations.as_array().ok_or(KeyError::Member { member: "key_ops" })?;
        if !array.elements().take(OPERATIONS).any(|word| word.as_str().as_deref() == Some("verify")) {
            return Err(KeyError::Purpose { member: "key_ops" });
        }
    }
    match jwk.get("alg") {
        None => Ok(None),
        Some(name) => {
            let algorithm = name.as_str().and_then(|name| Algorithm::parse(&name));
            algorithm.map(Some).ok_or(KeyError::Purpose { member: "alg" })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use stockade_core::wire::{Document, WireLimits};

    fn read(jwk: &str) -> Result<VerificationKey, KeyError> {
        let document = Document::read(Bytes::copy_from_slice(jwk.as_bytes()), &WireLimits::DEFAULT).unwrap();
        VerificationKey::read(document.root())
    }

    /// RFC 7515 appendix A.3.
    const P256: &str = r#""kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0""#;
    /// RFC 7638 §3.1.
    const RSA_N: &str = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";

    #[test]
    fn the_examples_of_the_standards_are_right() {
        let key = read(&format!("{{{P256}}}")).unwrap();
        let text = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
        let (signed, signature) = text.rsplit_once('.').unwrap();
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        assert!(key.verifies(Algorithm::Es256, signed.as_bytes(), &signature));
        for other in [Algorithm::Es384, Algorithm::Ed25519, Algorithm::Rs256, Algorithm::Ps256] {
            assert!(!key.verifies(other, signed.as_bytes(), &signature));
        }
        assert!(!key.verifies(Algorithm::Es256, b"other", &signature));

        // RFC 8037 appendices A.2 to A.4.
        let key = read(r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#).unwrap();
        assert_eq!(encode(key.thumbprint()), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
        let text = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
        let (signed, signature) = text.rsplit_once('.').unwrap();
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        assert!(key.verifies(Algorithm::Ed25519, signed.as_bytes(), &signature));

        // RFC 7638 §3.1.
        let key =
            read(&format!(r#"{{"kty":"RSA","n":"{RSA_N}","e":"AQAB","alg":"RS256","kid":"2011-04-29"}}"#)).unwrap();
        assert_eq!(encode(key.thumbprint()), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
        assert!(key.fits(Algorithm::Rs256) && !key.fits(Algorithm::Ps256));
        assert_eq!(key.id(), Some("2011-04-29"));
    }

    #[test]
    fn what_is_no_sound_public_key_is_refused() {
        let short = URL_SAFE_NO_PAD.encode([0xff; 128]);
        let huge = URL_SAFE_NO_PAD.encode([0xff; 1025]);
        for (jwk, expected) in [
            (format!("{{{P256},\"d\":\"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI\"}}"), KeyError::Private),
            (r#"{"kty":"oct","k":"AAAA"}"#.to_owned(), KeyError::Private),
            (r#"{"kty":"oct"}"#.to_owned(), KeyError::Type { found: "oct ".to_owned() }),
            (r#"{"kty":"EC","crv":"secp256k1"}"#.to_owned(), KeyError::Type { found: "EC secp256k1".to_owned() }),
            (r#"{"kty":"OKP","crv":"X25519"}"#.to_owned(), KeyError::Type { found: "OKP X25519".to_owned() }),
            ("[]".to_owned(), KeyError::Member { member: "kty" }),
            ("{}".to_owned(), KeyError::Member { member: "kty" }),
            (P256.replace("x_FEz", "x_FEy").replacen("\"kty\"", "{\"kty\"", 1) + "}", KeyError::Invalid),
            (r#"{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}"#.to_owned(), KeyError::Member { member: "x" }),
            (format!("{{{P256},\"use\":\"enc\"}}"), KeyError::Purpose { member: "use" }),
            (format!("{{{P256},\"key_ops\":[\"sign\"]}}"), KeyError::Purpose { member: "key_ops" }),
            (format!("{{{P256},\"key_ops\":\"verify\"}}"), KeyError::Member { member: "key_ops" }),
            (format!("{{{P256},\"alg\":\"ECDH-ES\"}}"), KeyError::Purpose { member: "alg" }),
            (format!("{{{P256},\"alg\":\"none\"}}"), KeyError::Purpose { member: "alg" }),
            (format!("{{{P256},\"alg\":\"RS256\"}}"), KeyError::Member { member: "alg" }),
            (format!("{{{P256},\"kid\":7}}"), KeyError::Member { member: "kid" }),
            (format!("{{{P256},\"kid\":\"{}\"}}", "k".repeat(513)), KeyError::Member { member: "kid" }),
            (format!(r#"{{"kty":"RSA","n":"{short}","e":"AQAB"}}"#), KeyError::Size { bits: 1024 }),
            (format!(r#"{{"kty":"RSA","n":"{huge}","e":"AQAB"}}"#), KeyError::Size { bits: 8200 }),
            (format!(r#"{{"kty":"RSA","n":"{RSA_N}","e":"Aw"}}"#), KeyError::Member { member: "e" }),
            (format!(r#"{{"kty":"RSA","n":"{RSA_N}","e":"AAEAAQ"}}"#), KeyError::Member { member: "e" }),
            (format!(r#"{{"kty":"RSA","n":"{RSA_N}","e":"_____w8"}}"#), KeyError::Member { member: "e" }),
            (format!(r#"{{"kty":"RSA","n":"AA{RSA_N}","e":"AQAB"}}"#), KeyError::Member { member: "n" }),
        ] {
            assert_eq!(read(&jwk).map(|_| ()), Err(expected), "{jwk}");
        }
    }
}
