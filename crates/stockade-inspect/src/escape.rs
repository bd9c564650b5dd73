//! Makes text of peers safe to show: in a terminal, in a page, in a log line.
//!
//! Nothing is dropped: what could act or hide is written as `\u{..}`, so that a person sees that it was there. That
//! holds also for characters which [`Screen`](crate::Screen) lets pass, such as the joiner inside an emoji: whoever reads
//! these lines judges the text and must see all of it. The output is for eyes; it cannot be turned back.

use core::fmt::Write as _;
use std::borrow::Cow;

use crate::unicode::{Class, MAX_MARKS_PER_BASE, class_of};

/// Stands at the end of a text that was cut.
const CUT_MARK: char = '…';

/// One line for a terminal: every control character (line feed and tab too), escape, direction control, line separator
/// and invisible character becomes `\u{..}`, and so does a combining mark without a base or past
/// [`MAX_MARKS_PER_BASE`]. Borrowed if there is nothing of that kind.
#[must_use]
pub fn for_terminal(text: &str) -> Cow<'_, str> {
    rewrite(text, "", |_| None)
}

/// As [`for_terminal`], but line feeds stay: for text that is meant to have lines.
#[must_use]
pub fn for_terminal_lines(text: &str) -> Cow<'_, str> {
    rewrite(text, "\n", |_| None)
}

/// For HTML, as text or inside a quoted attribute: `&`, `<`, `>`, `"`, `'` become character references, and hidden
/// characters become `\u{..}` as in [`for_terminal`]; line feeds and tabs stay. Not for scripts, styles or addresses.
#[must_use]
pub fn for_html(text: &str) -> Cow<'_, str> {
    rewrite(text, "\n\t", |character| match character {
        '&' => Some("&amp;"),
        '<' => Some("&lt;"),
        '>' => Some("&gt;"),
        '"' => Some("&quot;"),
        '\'' => Some("&#39;"),
        _ => None,
    })
}

/// For one line of a log: as [`for_terminal`], and at most `max_chars` characters of output.
///
/// A longer text is cut and ends in `…`, which is within the limit; a `\u{..}` is never cut in two. No more of
/// `text` is read than the limit needs.
#[must_use]
pub fn for_log(text: &str, max_chars: usize) -> String {
    let mut line = String::new();
    let mut chars = 0_usize;
    // Where to cut if the rest does not fit: behind the last piece that leaves room for the mark.
    let mut cut_at = 0;
    let mut marks = Marks::default();
    for character in text.chars() {
        let before = line.len();
        push(&mut line, character, marks.is_hidden(character, ""));
        let added = line.get(before..).map_or(0, |piece| piece.chars().count());
        chars = chars.saturating_add(added);
        if chars > max_chars {
            line.truncate(cut_at);
            if max_chars > 0 {
                line.push(CUT_MARK);
            }
            return line;
        }
        if chars < max_chars {
            cut_at = line.len();
        }
    }
    line
}

fn rewrite<'t>(text: &'t str, kept: &str, reference: impl Fn(char) -> Option<&'static str>) -> Cow<'t, str> {
    let mut marks = Marks::default();
    let plain =
        text.char_indices().find(|&(_, character)| marks.is_hidden(character, kept) || reference(character).is_some());
    let Some((start, _)) = plain else { return Cow::Borrowed(text) };
    let (head, tail) = text.split_at_checked(start).unwrap_or(("", text));
    let mut output = String::with_capacity(text.len().saturating_add(16));
    output.push_str(head);
    let mut marks = Marks::default();
    head.chars().for_each(|character| {
        marks.is_hidden(character, kept);
    });
    for character in tail.chars() {
        match reference(character) {
            Some(reference) => {
                marks.is_hidden(character, kept);
                output.push_str(reference);
            }
            None => push(&mut output, character, marks.is_hidden(character, kept)),
        }
    }
    Cow::Owned(output)
}

fn push(output: &mut String, character: char, hidden: bool) {
    if hidden {
        // Writing to a `String` cannot fail.
        let _ = write!(output, "\\u{{{:x}}}", u32::from(character));
    } else {
        output.push(character);
    }
}

/// Follows the combining marks on the present base.
#[derive(Default)]
struct Marks {
    has_base: bool,
    count: usize,
}

impl Marks {
    /// Whether `character` must be written out; characters in `kept` never.
    fn is_hidden(&mut self, character: char, kept: &str) -> bool {
        match class_of(character) {
            Class::Mark => {
                self.count = self.count.saturating_add(1);
                !self.has_base || self.count > MAX_MARKS_PER_BASE
            }
            Class::Visible => {
                let control = character.is_control();
                *self = Self { has_base: !control, count: 0 };
                control && !kept.contains(character)
            }
            _ => {
                // What is written out ends in a brace, on which a mark could sit.
                *self = Self::default();
                true
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_acts_or_hides_is_written_out_for_a_terminal() {
        let check = |text: &str, expected: &str| assert_eq!(for_terminal(text), expected);
        check("plain é 中 😀", "plain é 中 😀");
        check("a\x1b[31mb", "a\\u{1b}[31mb");
        check("a\nb\tc\rd", "a\\u{a}b\\u{9}c\\u{d}d");
        check("\u{0}\u{7}\u{7f}\u{9b}2J", "\\u{0}\\u{7}\\u{7f}\\u{9b}2J");
        check("\u{202e}x\u{2066}\u{200f}\u{61c}", "\\u{202e}x\\u{2066}\\u{200f}\\u{61c}");
        check(
            "a\u{200b}\u{200d}\u{feff}\u{ad}\u{2060}\u{3164}",
            "a\\u{200b}\\u{200d}\\u{feff}\\u{ad}\\u{2060}\\u{3164}",
        );
        check("\u{e0041}\u{fe0f}\u{e0100}", "\\u{e0041}\\u{fe0f}\\u{e0100}");
        check("a\u{2028}b\u{2029}c\u{85}", "a\\u{2028}b\\u{2029}c\\u{85}");
        check("\u{301}a\u{301}", "\\u{301}a\u{301}");
        check("\u{fdd0}\u{fff9}", "\\u{fdd0}\\u{fff9}");
    }

    #[test]
    fn harmless_text_is_borrowed() {
        assert!(matches!(for_terminal("plain"), Cow::Borrowed("plain")));
        assert!(matches!(for_terminal_lines("a\nb"), Cow::Borrowed("a\nb")));
        assert!(matches!(for_html("a\nb"), Cow::Borrowed("a\nb")));
    }

    #[test]
    fn line_feeds_stay_only_if_asked_for() {
        assert_eq!(for_terminal_lines("a\nb\r\n\x1b"), "a\nb\\u{d}\n\\u{1b}");
        assert_eq!(for_terminal("a\nb"), "a\\u{a}b");
    }

    #[test]
    fn marks_past_the_limit_are_written_out() {
        let base_with = |count| format!("a{}", "\u{301}".repeat(count));
        assert_eq!(for_terminal(&base_with(MAX_MARKS_PER_BASE)), base_with(MAX_MARKS_PER_BASE));
        assert_eq!(for_terminal(&base_with(MAX_MARKS_PER_BASE + 1)), base_with(MAX_MARKS_PER_BASE) + "\\u{301}");
    }

    #[test]
    fn html_has_no_markup_left() {
        let check = |text: &str, expected: &str| assert_eq!(for_html(text), expected);
        check("<a href=\"x\">'&amp;'", "&lt;a href=&quot;x&quot;&gt;&#39;&amp;amp;&#39;");
        check("a\tb\nc\u{202e}d\r", "a\tb\nc\\u{202e}d\\u{d}");
    }

    #[test]
    fn a_log_line_never_exceeds_its_limit() {
        let check = |text: &str, max_chars, expected: &str| assert_eq!(for_log(text, max_chars), expected);
        check("abc", 3, "abc");
        check("abcd", 3, "ab…");
        check("éèêë", 3, "éè…");
        check("abc", 1, "…");
        check("a", 1, "a");
        check("abc", 0, "");
        check("", 0, "");
        check("a\nb", 7, "a\\u{a}b");
        check("a\nbc", 7, "a\\u{a}…");
        check("a\nbc", 6, "a…");
        check("a\u{2028}", 9, "a\\u{2028}");
        check("a\u{2028}", 8, "a…");
    }
}
