//! The scopes of a key, as OAuth writes them.

use std::collections::BTreeSet;

/// Scopes of one key at most.
pub const SCOPES_LIMIT: usize = 64;
/// Characters of one scope at most.
pub const SCOPE_CHARACTERS: usize = 128;

/// The scopes cannot be those of a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScopesError {
    /// One of them is no scope.
    #[error(
        "a scope is not allowed: use 1 to {SCOPE_CHARACTERS} visible ASCII characters without `\"` and `\\` (RFC 6749 §3.3)"
    )]
    NoScope,
    /// There are too many.
    #[error("there are more than {SCOPES_LIMIT} scopes")]
    TooMany,
}

/// The scopes that a key is limited to; none of them is a key that may do nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scopes(BTreeSet<String>);

impl Scopes {
    /// # Errors
    /// When one is no `scope-token` of RFC 6749 §3.3, is longer than [`SCOPE_CHARACTERS`], or there are more than
    /// [`SCOPES_LIMIT`].
    pub fn of<'s>(scopes: impl IntoIterator<Item = &'s str>) -> Result<Self, ScopesError> {
        let mut all = BTreeSet::new();
        for scope in scopes {
            let fine = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\';
            if !(1..=SCOPE_CHARACTERS).contains(&scope.len()) || !scope.bytes().all(fine) {
                return Err(ScopesError::NoScope);
            }
            all.insert(scope.to_owned());
            if all.len() > SCOPES_LIMIT {
                return Err(ScopesError::TooMany);
            }
        }
        Ok(Self(all))
    }

    /// What [`Self::to_text`] has written.
    pub(super) fn of_text(text: &str) -> Result<Self, ScopesError> {
        Self::of(text.split(' ').filter(|scope| !scope.is_empty()))
    }

    /// Separated by spaces, in order (RFC 6749 §3.3).
    #[must_use]
    pub fn to_text(&self) -> String {
        self.0.iter().map(String::as_str).collect::<Vec<_>>().join(" ")
    }

    /// The scopes.
    #[must_use]
    pub const fn as_set(&self) -> &BTreeSet<String> {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_those_of_oauth() {
        for (scopes, text) in [
            (&["files:read", "mcp"][..], Ok("files:read mcp")),
            (&["b", "a", "b"], Ok("a b")),
            (&[], Ok("")),
            (&["a b"], Err(ScopesError::NoScope)),
            (&[""], Err(ScopesError::NoScope)),
            (&["a\"b"], Err(ScopesError::NoScope)),
            (&["a\\b"], Err(ScopesError::NoScope)),
            (&["a\nb"], Err(ScopesError::NoScope)),
            (&["\u{e4}"], Err(ScopesError::NoScope)),
        ] {
            let made = Scopes::of(scopes.iter().copied());
            assert_eq!(made.clone().map(|made| made.to_text()), text.map(str::to_owned), "{scopes:?}");
            if let Ok(made) = made {
                assert_eq!(Scopes::of_text(&made.to_text()), Ok(made));
            }
        }
    }

    #[test]
    fn scopes_are_few_and_short() {
        let names: Vec<String> = (0..=SCOPES_LIMIT).map(|number| format!("s{number}")).collect();
        let of = |count: usize| Scopes::of(names.iter().take(count).map(String::as_str));
        assert_eq!(of(SCOPES_LIMIT).map(|scopes| scopes.as_set().len()), Ok(SCOPES_LIMIT));
        assert_eq!(of(SCOPES_LIMIT + 1), Err(ScopesError::TooMany));
        assert!(Scopes::of([&*"x".repeat(SCOPE_CHARACTERS)]).is_ok());
        assert_eq!(Scopes::of([&*"x".repeat(SCOPE_CHARACTERS + 1)]), Err(ScopesError::NoScope));
    }
}
