//! What strings may be, beyond being strings.

use super::fault::Rule;
use unicode_security::confusable_detection::skeleton;

/// A rule for a string.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::mcp) enum Text {
    /// Any string.
    Free,
    /// No control characters (PA-14).
    Name,
    /// A name that is asked for: not empty, no control characters.
    Wanted,
    /// A tool that is asked for: 1 to 128 characters, none of them a control (MCP 2025-11-25 `server/tools`).
    WantedTool,
    /// A URI: a scheme, a colon, no control characters (RFC 3986 §3).
    Uri,
    /// A URI with one of these schemes, in any case of letters.
    Url(&'static [&'static str]),
    /// A URI template (RFC 6570): no control characters.
    UriTemplate,
    /// Base64 with padding (RFC 4648 §4).
    Base64,
}

/// The longest name of a tool that may be asked for, in characters.
const TOOL_NAME_CHARACTERS: usize = 128;

impl Text {
    pub(super) fn check(self, text: &str) -> Result<(), Rule> {
        match self {
            Self::Free => return Ok(()),
            Self::Base64 => return if is_base64(text.as_bytes()) { Ok(()) } else { Err(Rule::NotBase64) },
            _ if has_control(text) => return Err(Rule::ControlCharacter),
            Self::Name | Self::UriTemplate => return Ok(()),
            Self::Wanted | Self::WantedTool if text.is_empty() => return Err(Rule::NameLength),
            Self::Wanted => return Ok(()),
            Self::WantedTool => {
                let fits = text.len() <= TOOL_NAME_CHARACTERS || text.chars().count() <= TOOL_NAME_CHARACTERS;
                return if fits { Ok(()) } else { Err(Rule::NameLength) };
            }
            Self::Uri | Self::Url(_) => {}
        }
        let scheme = scheme(text).ok_or(Rule::UriScheme)?;
        match self {
            Self::Url(schemes) if !schemes.iter().any(|allowed| allowed.eq_ignore_ascii_case(scheme)) => {
                Err(Rule::UriScheme)
            }
            _ => Ok(()),
        }
    }
}

/// True if there is a control character (Unicode category Cc: C0, DEL, C1).
pub(in crate::mcp) fn has_control(text: &str) -> bool {
    if text.is_ascii() { text.bytes().any(|byte| byte.is_ascii_control()) } else { text.chars().any(char::is_control) }
}

/// True if the name of a stranger, whose folded form is `folded`, looks like `known` and is not it.
///
/// The same answer as [`crate::wire::folds_to`], with the folding done once for many known names.
pub(in crate::mcp) fn resembles(stranger: &str, folded: &str, known: &str) -> bool {
    if stranger.is_ascii() {
        return stranger != known && stranger.eq_ignore_ascii_case(known);
    }
    folded.eq_ignore_ascii_case(known) || folded == look_of(known)
}

/// What a known name looks like, in the form of [`crate::wire::fold_name`] for names that are not ASCII.
pub(super) fn look_of(known: &str) -> String {
    skeleton(&known.to_ascii_lowercase()).collect()
}

/// The scheme of a URI (RFC 3986 §3.1).
fn scheme(uri: &str) -> Option<&str> {
    let (scheme, _) = uri.split_once(':')?;
    let mut bytes = scheme.bytes();
    let good = bytes.next()?.is_ascii_alphabetic()
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'));
    good.then_some(scheme)
}

fn is_base64(text: &[u8]) -> bool {
    let data = text.strip_suffix(b"==").or_else(|| text.strip_suffix(b"=")).unwrap_or(text);
    text.len().is_multiple_of(4) && data.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{fold_name, folds_to};

    fn check(rule: Text, text: &str, expected: Result<(), Rule>) {
        assert_eq!(rule.check(text), expected, "{rule:?} {text:?}");
    }

    #[test]
    fn names_hold_no_control_characters() {
        for bad in ["read_file\0.bak", "read_file\u{1b}[2K", "a\u{7f}", "a\u{85}b"] {
            for rule in [Text::Name, Text::Wanted, Text::WantedTool, Text::Uri, Text::UriTemplate] {
                check(rule, bad, Err(Rule::ControlCharacter));
            }
            check(Text::Free, bad, Ok(()));
        }
        check(Text::Name, "", Ok(()));
        check(Text::Wanted, "", Err(Rule::NameLength));
    }

    #[test]
    fn a_tool_is_asked_for_by_1_to_128_characters() {
        check(Text::WantedTool, "", Err(Rule::NameLength));
        check(Text::WantedTool, &"é".repeat(128), Ok(()));
        check(Text::WantedTool, &"x".repeat(129), Err(Rule::NameLength));
    }

    #[test]
    fn a_uri_has_a_scheme() {
        for good in ["file:///a", "urn:x", "a+b.c-1:"] {
            check(Text::Uri, good, Ok(()));
        }
        for bad in ["", "/a", ":a", "1a:b", "a b:c", "ä:b"] {
            check(Text::Uri, bad, Err(Rule::UriScheme));
        }
        let web = Text::Url(&["https", "http"]);
        check(web, "HTTPS://example.com", Ok(()));
        for bad in ["javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "vbscript:x"] {
            check(web, bad, Err(Rule::UriScheme));
        }
        check(web, "java\tscript:x", Err(Rule::ControlCharacter));
    }

    #[test]
    fn base64_is_the_standard_alphabet_with_padding() {
        for good in ["", "AA==", "AAA=", "AAAA", "+/+/"] {
            check(Text::Base64, good, Ok(()));
        }
        for bad in ["A", "AA", "A===", "=", "AA==AAAA", "AA-_", "AAA\n", "A=A="] {
            check(Text::Base64, bad, Err(Rule::NotBase64));
        }
    }

    #[test]
    fn one_folding_for_many_names_answers_as_one_for_each() {
        for stranger in ["Name", "name", "n\u{430}me", "names", "\u{ff4e}ame", "progressTo\u{212a}en", "tool\u{455}"] {
            for known in ["name", "names", "progressToken", "tools"] {
                assert_eq!(
                    resembles(stranger, &fold_name(stranger), known),
                    folds_to(stranger, known),
                    "{stranger} {known}"
                );
            }
        }
    }
}
