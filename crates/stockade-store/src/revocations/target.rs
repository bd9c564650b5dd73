//! What can be revoked, and the one way in which each is written.
//!
//! Must never: let two ways to write one thing be two things: a revocation that misses by a colon revokes nothing.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::fmt;
use stockade_core::words::{CallerName, Untrusted};

/// Bytes of an issuer, subject or token id at most.
pub const VALUE_BYTES: usize = 2048;
/// Hexadecimal digits of a serial number at most: 20 octets (RFC 5280 §4.1.2.2).
const SERIAL_DIGITS: usize = 40;

/// What was named cannot be revoked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RevocationTargetError {
    /// It is empty, too long, or has characters that no such name has.
    #[error(
        "`{value}` is no {what}: it has 1 to {VALUE_BYTES} bytes and no spaces at its ends, controls or invisible characters"
    )]
    Value {
        /// What it was to be.
        what: &'static str,
        /// What was said, made harmless.
        value: String,
    },
    /// Neither a serial number nor a thumbprint.
    #[error(
        "`{value}` names no certificate: use its serial number (up to 40 hexadecimal digits) or its SHA-256 thumbprint (64 hexadecimal digits, or 43 characters of base64url); colons may stand between digits"
    )]
    Certificate {
        /// What was said, made harmless.
        value: String,
    },
}

/// What is revoked.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum RevocationTarget {
    /// One token, by its `jti` (RFC 7519 §4.1.7). Without an issuer: whoever has issued it.
    Token {
        /// The id.
        id: String,
        /// The issuer, whole.
        issuer: Option<String>,
    },
    /// Everything that an issuer says of a subject, now and later. Without an issuer: whoever says it.
    Subject {
        /// The subject.
        subject: String,
        /// The issuer, whole.
        issuer: Option<String>,
    },
    /// Everything of an issuer.
    Issuer {
        /// The issuer, whole.
        issuer: String,
    },
    /// Every certificate with this serial number, whoever has signed it.
    Serial {
        /// Lower-case hexadecimal digits without leading zeros.
        serial: String,
    },
    /// One certificate.
    Thumbprint {
        /// SHA-256 of its DER encoding.
        thumbprint: [u8; 32],
    },
    /// A caller, by whatever they are recognised.
    Caller {
        /// The name in rules and records.
        name: CallerName,
    },
}

impl RevocationTarget {
    /// # Errors
    /// When `id` or `issuer` cannot be one.
    pub fn token(id: &str, issuer: Option<&str>) -> Result<Self, RevocationTargetError> {
        Ok(Self::Token { id: value("token id", id)?, issuer: issuer.map(of_issuer).transpose()? })
    }

    /// # Errors
    /// When `subject` or `issuer` cannot be one.
    pub fn subject(subject: &str, issuer: Option<&str>) -> Result<Self, RevocationTargetError> {
        Ok(Self::Subject { subject: value("subject", subject)?, issuer: issuer.map(of_issuer).transpose()? })
    }

    /// # Errors
    /// When `issuer` cannot be one.
    pub fn issuer(issuer: &str) -> Result<Self, RevocationTargetError> {
        Ok(Self::Issuer { issuer: of_issuer(issuer)? })
    }

    /// A serial number or a thumbprint, as `openssl x509` and browsers show them.
    ///
    /// # Errors
    /// When the text is neither.
    pub fn certificate(text: &str) -> Result<Self, RevocationTargetError> {
        let refused = || RevocationTargetError::Certificate { value: Untrusted::new(text).for_log() };
        let digits: String =
            text.chars().filter(|letter| *letter != ':').map(|letter| letter.to_ascii_lowercase()).collect();
        let is_hexadecimal = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        if is_hexadecimal && digits.len() == 64 {
            return of_hexadecimal(&digits).map(|thumbprint| Self::Thumbprint { thumbprint }).ok_or_else(refused);
        }
        if is_hexadecimal && digits.len() <= SERIAL_DIGITS {
            return Ok(Self::Serial { serial: plain_serial(&digits).to_owned() });
        }
        let decoded = URL_SAFE_NO_PAD.decode(text).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
        decoded.map(|thumbprint| Self::Thumbprint { thumbprint }).ok_or_else(refused)
    }

    /// The kind, value and issuer as the database keeps them.
    pub(super) fn to_columns(&self) -> (&'static str, String, &str) {
        match self {
            Self::Token { id, issuer } => ("token", id.clone(), issuer.as_deref().unwrap_or_default()),
            Self::Subject { subject, issuer } => ("subject", subject.clone(), issuer.as_deref().unwrap_or_default()),
            Self::Issuer { issuer } => ("issuer", issuer.clone(), ""),
            Self::Serial { serial } => ("serial", serial.clone(), ""),
            Self::Thumbprint { thumbprint } => ("thumbprint", hexadecimal(thumbprint), ""),
            Self::Caller { name } => ("caller", name.to_string(), ""),
        }
    }

    /// What [`Self::to_columns`] has written; nothing for anything else.
    pub(super) fn of_columns(kind: &str, value: &str, issuer: &str) -> Option<Self> {
        let issuer = Some(issuer).filter(|issuer| !issuer.is_empty());
        match kind {
            "token" => Self::token(value, issuer).ok(),
            "subject" => Self::subject(value, issuer).ok(),
            "issuer" => Self::issuer(value).ok(),
            "serial" | "thumbprint" => Self::certificate(value).ok(),
            "caller" => CallerName::parse(value).ok().map(|name| Self::Caller { name }),
            _ => None,
        }
    }
}

impl fmt::Display for RevocationTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, value, issuer) = self.to_columns();
        write!(f, "{kind} {}", Untrusted::new(value).for_log())?;
        if issuer.is_empty() { Ok(()) } else { write!(f, " of {}", Untrusted::new(issuer).for_log()) }
    }
}

/// A serial number without the leading zeros that encodings add.
pub(super) fn plain_serial(digits: &str) -> &str {
    let plain = digits.trim_start_matches('0');
    if plain.is_empty() { "0" } else { plain }
}

pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn of_hexadecimal(digits: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(digits.get(index * 2..index * 2 + 2)?, 16).ok()?;
    }
    Some(bytes)
}

fn of_issuer(text: &str) -> Result<String, RevocationTargetError> {
    value("issuer", text)
}

/// Tokens may hold any text, and what they hold is compared whole; but a name that cannot be seen or typed is a mistake.
fn value(what: &'static str, text: &str) -> Result<String, RevocationTargetError> {
    // Piece by piece, because what is shown of a text is cut at some length.
    let letters: Vec<char> = text.chars().take(VALUE_BYTES).collect();
    let is_plain = letters.chunks(Untrusted::<String>::LOG_CHARACTERS / 2).all(|piece| {
        let piece: String = piece.iter().collect();
        Untrusted::new(piece.as_str()).for_log() == piece
    });
    if (1..=VALUE_BYTES).contains(&text.len()) && text.trim() == text && is_plain {
        return Ok(text.to_owned());
    }
    Err(RevocationTargetError::Value { what, value: Untrusted::new(text).for_log() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_certificate_is_named_in_one_way() {
        let thumbprint = RevocationTarget::Thumbprint { thumbprint: [0xAB; 32] };
        let serial = |text: &str| RevocationTarget::Serial { serial: text.to_owned() };
        let colons = ["AB"; 32].join(":");
        for (text, expected) in [
            ("ab".repeat(32), Some(&thumbprint)),
            ("AB".repeat(32), Some(&thumbprint)),
            (colons, Some(&thumbprint)),
            (URL_SAFE_NO_PAD.encode([0xAB; 32]), Some(&thumbprint)),
            ("04:D2".to_owned(), Some(&serial("4d2"))),
            ("00000004d2".to_owned(), Some(&serial("4d2"))),
            ("00".to_owned(), Some(&serial("0"))),
            ("f".repeat(40), Some(&serial(&"f".repeat(40)))),
            ("f".repeat(41), None),
            ("f".repeat(63), None),
            (String::new(), None),
            (":".to_owned(), None),
            ("xyz".to_owned(), None),
            (format!("{}=", URL_SAFE_NO_PAD.encode([1; 32])), None),
        ] {
            assert_eq!(RevocationTarget::certificate(&text).ok().as_ref(), expected, "{text}");
        }
    }

    #[test]
    fn everything_comes_back_from_the_database_as_it_was() {
        let issuer = Some("https://login.example.com/");
        for target in [
            RevocationTarget::token("8c1d", issuer).unwrap(),
            RevocationTarget::token("8c1d", None).unwrap(),
            RevocationTarget::subject("auth0|5f7", issuer).unwrap(),
            RevocationTarget::subject(&"x".repeat(VALUE_BYTES), None).unwrap(),
            RevocationTarget::issuer("https://login.example.com").unwrap(),
            RevocationTarget::certificate("04d2").unwrap(),
            RevocationTarget::certificate(&"0a".repeat(32)).unwrap(),
            RevocationTarget::Caller { name: CallerName::parse("corp:alice").unwrap() },
        ] {
            let (kind, value, issuer) = target.to_columns();
            assert_eq!(RevocationTarget::of_columns(kind, &value, issuer), Some(target.clone()), "{target}");
        }
        assert_eq!(RevocationTarget::of_columns("everything", "x", ""), None);
    }

    #[test]
    fn what_cannot_be_seen_is_refused() {
        for text in ["", " a", "a ", "a\nb", "a\u{0}", "a\u{200b}b", "a\u{202e}b", &"x".repeat(VALUE_BYTES + 1)] {
            let refused = RevocationTarget::token(text, None).unwrap_err();
            assert!(matches!(refused, RevocationTargetError::Value { what: "token id", .. }), "{refused}");
            assert!(RevocationTarget::token("a", Some(text)).is_err() && RevocationTarget::issuer(text).is_err());
            assert!(!refused.to_string().contains(['\n', '\0', '\u{200b}', '\u{202e}']));
        }
    }
}
