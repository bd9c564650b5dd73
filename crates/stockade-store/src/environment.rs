//! The names of environments: what a key was made for, and what a gateway is.

use std::fmt;

/// The name of an environment, such as `production` or `staging-eu`. A key of one is none in another.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct EnvironmentName(String);

/// The text is no name of an environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is no name of an environment: use 1 to 40 lower-case letters, digits, `-`, `_` or `.`")]
pub struct EnvironmentNameError;

impl EnvironmentName {
    /// The most characters of a name.
    pub const CHARACTERS: usize = 40;

    /// # Errors
    /// When the text is not 1 to 40 lower-case letters, digits, `-`, `_` or `.`. No two names differ by case alone.
    pub fn parse(text: &str) -> Result<Self, EnvironmentNameError> {
        let fine = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.".contains(&byte);
        let fits = (1..=Self::CHARACTERS).contains(&text.len()) && text.bytes().all(fine);
        if fits { Ok(Self(text.to_owned())) } else { Err(EnvironmentNameError) }
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for EnvironmentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain_and_short() {
        for (text, fits) in [
            ("production", true),
            ("staging-eu_1.2", true),
            ("", false),
            ("Production", false),
            ("prod uction", false),
            ("pr\u{f6}d", false),
            ("prod\n", false),
        ] {
            assert_eq!(EnvironmentName::parse(text).is_ok(), fits, "{text:?}");
        }
        assert!(EnvironmentName::parse(&"x".repeat(40)).is_ok());
        assert!(EnvironmentName::parse(&"x".repeat(41)).is_err());
    }
}
