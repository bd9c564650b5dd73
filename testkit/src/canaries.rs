//! Fake secrets, made when the test runs so that none is ever stored, and the search for them in any disguise.

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};

use crate::random::Random;

const UPPER: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const LETTERS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const DIGITS: &str = "0123456789";
/// Searches of a folder whose files take other names while it is searched.
const SEARCHES: usize = 20;
/// Largest file that is searched, in bytes.
const FILE_LIMIT_BYTES: u64 = 1 << 30;

/// One fake secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Canary {
    /// `aws_key`, `github_token`, `jwt`, `pem_key`, `database_url`, `card_number`.
    pub kind: &'static str,
    /// The secret as it is planted.
    pub value: String,
}

/// One fake secret of each kind.
#[derive(Debug, Clone)]
pub struct Canaries {
    all: Vec<Canary>,
}

impl Canaries {
    /// The same seed gives the same canaries.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let mut part = |alphabet: &str, length: usize| random.text(alphabet, length);
        // Put together from pieces, so that no secret scanner takes this file for a leak.
        let pem_label = ["PRIVATE", "KEY"].join(" ");
        let pem_lines: Vec<String> = (0..3).map(|_| part(LETTERS, 64)).collect();
        let claims = format!(r#"{{"sub":"{}","exp":4102444800}}"#, part(LETTERS, 12));
        let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"ES256","typ":"JWT"}"#);
        let jwt = format!("{header}.{}.{}", URL_SAFE_NO_PAD.encode(claims), part(LETTERS, 86));
        let all = vec![
            Canary { kind: "aws_key", value: ["AKI", "A", &part(UPPER, 16)].concat() },
            Canary { kind: "github_token", value: ["gh", "p_", &part(LETTERS, 36)].concat() },
            Canary { kind: "jwt", value: jwt },
            Canary {
                kind: "pem_key",
                value: format!("-----BEGIN {pem_label}-----\n{}\n-----END {pem_label}-----\n", pem_lines.join("\n")),
            },
            Canary {
                kind: "database_url",
                value: format!("postgres://app:{}@db.internal:5432/main", part(LETTERS, 24)),
            },
            Canary { kind: "card_number", value: with_check_digit(&format!("4{}", part(DIGITS, 14))) },
        ];
        Self { all }
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Canary> {
        self.all.iter()
    }

    /// The canary of one kind.
    ///
    /// # Panics
    /// When there is no such kind.
    #[must_use]
    pub fn value(&self, kind: &str) -> &str {
        let found = self.all.iter().find(|canary| canary.kind == kind);
        &found.unwrap_or_else(|| panic!("no canary of kind {kind}")).value
    }

    /// Every kind with the disguise in which it occurs in `haystack`.
    #[must_use]
    pub fn found_in(&self, haystack: &[u8]) -> Vec<(&'static str, &'static str)> {
        let found = self.all.iter().flat_map(|canary| {
            let shapes = shapes(canary);
            shapes.into_iter().filter(|(_, needle)| contains(haystack, needle)).map(|(shape, _)| (canary.kind, shape))
        });
        found.collect()
    }

    /// Every file below `folder` that holds a canary, with kind and disguise. A file that cannot be read is reported
    /// as such: what was not searched is not clean.
    #[must_use]
    pub fn found_below(&self, folder: &Path) -> Vec<String> {
        let mut found = Vec::new();
        for _ in 0..SEARCHES {
            found.clear();
            let mut has_vanished = false;
            for path in files_below(folder) {
                match std::fs::metadata(&path).and_then(|about| read_limited(&path, about.len())) {
                    Ok(content) => {
                        let here = self.found_in(&content).into_iter();
                        found.extend(here.map(|(kind, shape)| format!("{kind} ({shape}) in {}", path.display())));
                    }
                    Err(cause) => {
                        has_vanished |= cause.kind() == std::io::ErrorKind::NotFound;
                        found.push(format!("{} could not be searched: {cause}", path.display()));
                    }
                }
            }
            // A file that took another name in the meantime is found under that one by the next search.
            if !has_vanished {
                break;
            }
        }
        found
    }
}

fn read_limited(path: &Path, length: u64) -> std::io::Result<Vec<u8>> {
    if length > FILE_LIMIT_BYTES {
        return Err(std::io::Error::other("larger than the search limit"));
    }
    std::fs::read(path)
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => open.push(entry.path()),
                Ok(kind) if kind.is_file() => files.push(entry.path()),
                _ => {}
            }
        }
    }
    files
}

/// The disguises of one canary. Base64 is searched in the three ways in which it can lie inside a longer text.
fn shapes(canary: &Canary) -> Vec<(&'static str, Vec<u8>)> {
    // The lines of a key may have been joined or escaped; its body is what must not occur.
    let core = match canary.kind {
        "pem_key" => canary.value.lines().nth(1).unwrap_or(&canary.value),
        "database_url" => canary.value.split([':', '@']).nth(2).unwrap_or(&canary.value),
        _ => &canary.value,
    };
    let hex: String = core.bytes().map(|byte| format!("{byte:02x}")).collect();
    let percent: String = core.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let url_encoded: String = core
        .chars()
        .map(|letter| match letter {
            plain if plain.is_ascii_alphanumeric() || "-._~".contains(plain) => plain.to_string(),
            other => format!("%{:02X}", u32::from(other)),
        })
        .collect();
    let spaced: Vec<String> =
        core.as_bytes().chunks(4).map(|group| String::from_utf8_lossy(group).into_owned()).collect();
    let mut shapes = vec![
        ("clear", core.as_bytes().to_vec()),
        ("hex", hex.to_uppercase().into_bytes()),
        ("hex", hex.into_bytes()),
        ("percent-encoded", percent.to_lowercase().into_bytes()),
        ("percent-encoded", percent.into_bytes()),
        ("url-encoded", url_encoded.into_bytes()),
    ];
    if canary.kind == "card_number" {
        shapes.push(("clear", spaced.join(" ").into_bytes()));
        shapes.push(("clear", spaced.join("-").into_bytes()));
    }
    for whole in [STANDARD.encode(&canary.value), URL_SAFE.encode(&canary.value)] {
        shapes.push(("base64", whole.into_bytes()));
    }
    for shift in 0..3 {
        let shifted = [&vec![0; shift], core.as_bytes()].concat();
        // The first and last letters also depend on the neighbours.
        let inner = |text: String| text.as_bytes()[if shift == 0 { 0 } else { shift + 1 }..text.len() - 2].to_vec();
        shapes.push(("base64", inner(STANDARD_NO_PAD.encode(&shifted))));
        shapes.push(("base64", inner(URL_SAFE_NO_PAD.encode(&shifted))));
    }
    shapes
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    let Some((first, rest)) = needle.split_first() else { return false };
    let mut from = 0;
    while let Some(at) = haystack.get(from..).and_then(|tail| tail.iter().position(|byte| byte == first)) {
        from += at + 1;
        if haystack[from..].starts_with(rest) {
            return true;
        }
    }
    false
}

/// Adds the Luhn check digit (ISO/IEC 7812-1).
fn with_check_digit(digits: &str) -> String {
    let values = digits.bytes().rev().map(|byte| u32::from(byte - b'0'));
    let sum: u32 = values
        .enumerate()
        .map(|(place, digit)| {
            if place % 2 == 1 {
                digit
            } else if digit > 4 {
                digit * 2 - 9
            } else {
                digit * 2
            }
        })
        .sum();
    format!("{digits}{}", (10 - sum % 10) % 10)
}

#[cfg(test)]
mod tests {
    use super::{Canaries, with_check_digit};
    use base64::Engine;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

    fn check(wrap: impl Fn(&str) -> String, shape: &str) {
        let canaries = Canaries::new(11);
        for canary in canaries.iter() {
            let found = canaries.found_in(wrap(&canary.value).as_bytes());
            assert!(found.contains(&(canary.kind, shape)), "{}: {found:?}", canary.kind);
        }
    }

    #[test]
    fn a_canary_is_found_in_every_disguise() {
        check(|value| format!("a{value}b"), "clear");
        check(|value| value.bytes().map(|byte| format!("{byte:02X}")).collect(), "hex");
        check(|value| value.bytes().map(|byte| format!("%{byte:02x}")).collect(), "percent-encoded");
        check(|value| STANDARD.encode(value), "base64");
        for prefix in ["", "x", "xy", "xyz"] {
            check(|value| STANDARD.encode(format!("{prefix}{value}tail")), "base64");
            check(|value| URL_SAFE_NO_PAD.encode(format!("{prefix}{value}tail")), "base64");
        }
    }

    #[test]
    fn nothing_is_found_where_nothing_is() {
        let innocent = Canaries::new(12).iter().map(|canary| canary.value.clone()).collect::<String>();
        assert_eq!(Canaries::new(11).found_in(innocent.as_bytes()), []);
    }

    #[test]
    fn a_card_number_passes_the_luhn_check() {
        assert_eq!(with_check_digit("7992739871"), "79927398713");
        assert_eq!(Canaries::new(1).value("card_number").len(), 16);
    }
}
