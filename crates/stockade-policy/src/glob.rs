//! Globs with `*` only.
//!
//! For: names of tools and prompts, URIs of resources, names of callers and servers, in `[[permit]]` tables.
//! Must never: become text of a policy by pasting. [`Glob::pattern`] hands the pieces to Cedar one by one.

use serde_json::{Value, json};

/// Bytes of one glob.
pub const GLOB_LIMIT_BYTES: usize = 1024;
/// `*` in one glob. Matching takes at most the product of this and the lengths of pattern and text.
pub const WILDCARDS_LIMIT: usize = 8;

/// Why a glob was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum GlobError {
    /// It would match nothing that has a name.
    #[error("the pattern is empty; leave it out to allow nothing, write `*` to allow all")]
    Empty,
    /// Longer than [`GLOB_LIMIT_BYTES`].
    #[error("the pattern is longer than {GLOB_LIMIT_BYTES} bytes")]
    TooLong,
    /// More `*` than [`WILDCARDS_LIMIT`].
    #[error("the pattern has more than {WILDCARDS_LIMIT} `*`")]
    TooManyWildcards,
    /// A `\` before something else than `*` or `\`.
    #[error("a `\\` stands only before `*` or another `\\`, which it makes an ordinary character")]
    Escape,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Any,
}

/// A name with `*` for any run of characters, also none. `\*` is the character itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob {
    /// No two neighbours of one sort.
    pieces: Vec<Piece>,
}

impl Glob {
    /// Reads a glob as it stands in the configuration.
    ///
    /// # Errors
    /// When it is empty, too long, or escapes something that needs no escape.
    pub fn parse(text: &str) -> Result<Self, GlobError> {
        if text.is_empty() {
            return Err(GlobError::Empty);
        }
        if text.len() > GLOB_LIMIT_BYTES {
            return Err(GlobError::TooLong);
        }
        let mut pieces: Vec<Piece> = Vec::new();
        let mut characters = text.chars();
        while let Some(character) = characters.next() {
            let plain = match character {
                '*' => {
                    if pieces.last() != Some(&Piece::Any) {
                        pieces.push(Piece::Any);
                    }
                    continue;
                }
                '\\' => characters.next().filter(|next| ['*', '\\'].contains(next)).ok_or(GlobError::Escape)?,
                other => other,
            };
            match pieces.last_mut() {
                Some(Piece::Text(run)) => run.push(plain),
                _ => pieces.push(Piece::Text(plain.to_string())),
            }
        }
        if pieces.iter().filter(|piece| **piece == Piece::Any).count() > WILDCARDS_LIMIT {
            return Err(GlobError::TooManyWildcards);
        }
        Ok(Self { pieces })
    }

    /// Matches this name alone.
    pub(crate) fn exactly(name: &str) -> Self {
        Self { pieces: vec![Piece::Text(name.to_owned())] }
    }

    /// The one name it matches, if it is no more than that.
    pub(crate) fn literal(&self) -> Option<&str> {
        match self.pieces.as_slice() {
            [Piece::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// True for `*` alone.
    pub(crate) fn is_everything(&self) -> bool {
        self.pieces == [Piece::Any]
    }

    /// The text with one letter for each `*`, to see whether a name may have that shape.
    pub(crate) fn stand_in(&self) -> String {
        self.pieces
            .iter()
            .map(|piece| match piece {
                Piece::Text(text) => text.as_str(),
                Piece::Any => "x",
            })
            .collect()
    }

    /// The right side of Cedar's `like`, in its JSON form: no character of the text has a meaning there.
    pub(crate) fn pattern(&self) -> Value {
        self.pieces
            .iter()
            .map(|piece| match piece {
                Piece::Text(text) => json!({ "Literal": text }),
                Piece::Any => json!("Wildcard"),
            })
            .collect()
    }

    /// True if it matches the whole of `name`.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        let (mut rest, mut floating) = (name, false);
        let last = self.pieces.len().saturating_sub(1);
        for (index, piece) in self.pieces.iter().enumerate() {
            match piece {
                Piece::Any => floating = true,
                Piece::Text(text) if floating && index == last => return rest.ends_with(text.as_str()),
                Piece::Text(text) if floating => match rest.split_once(text.as_str()) {
                    Some((_, after)) => (rest, floating) = (after, false),
                    None => return false,
                },
                Piece::Text(text) => match rest.strip_prefix(text.as_str()) {
                    Some(after) => rest = after,
                    None => return false,
                },
            }
        }
        floating || rest.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: &str, name: &str, expected: bool) {
        assert_eq!(Glob::parse(pattern).unwrap().matches(name), expected, "{pattern:?} on {name:?}");
    }

    #[test]
    fn a_glob_matches_the_whole_name_and_only_a_star_is_special() {
        for (pattern, name, expected) in [
            ("read_file", "read_file", true),
            ("read_file", "read_files", false),
            ("read_file", "READ_FILE", false),
            ("*", "", true),
            ("*", "anything\n\u{1F980}", true),
            ("read_*", "read_", true),
            ("read_*", "xread_", false),
            ("*_file", "read_file", true),
            ("*_file", "read_file_x", false),
            ("a*b*c", "a--b--c", true),
            ("a*b*c", "a--c--b", false),
            ("a*ab", "ab", false),
            ("a*ab", "aab", true),
            ("**", "x", true),
            ("r?ad", "read", false),
            ("[a-z]", "b", false),
            (r"a\*b", "a*b", true),
            (r"a\*b", "axb", false),
            (r"a\\*", r"a\x", true),
        ] {
            check(pattern, name, expected);
        }
    }

    #[test]
    fn a_glob_at_its_limits_is_taken_and_beyond_them_refused() {
        let full = "a".repeat(GLOB_LIMIT_BYTES);
        for (pattern, expected) in [
            (String::new(), Err(GlobError::Empty)),
            (full.clone(), Ok(())),
            (format!("{full}a"), Err(GlobError::TooLong)),
            ("*a".repeat(WILDCARDS_LIMIT), Ok(())),
            ("*a".repeat(WILDCARDS_LIMIT + 1), Err(GlobError::TooManyWildcards)),
            (r"a\".to_owned(), Err(GlobError::Escape)),
            (r"a\b".to_owned(), Err(GlobError::Escape)),
        ] {
            assert_eq!(Glob::parse(&pattern).map(|_| ()), expected, "{pattern}");
        }
    }
}
