//! Whether an invisible character belongs where it stands.
//!
//! It must never keep a character for a reason that cleaning takes away: each answer rests on what was kept before
//! (which the cleaned text has too) and on the very next symbols (which are kept because they are visible). This is
//! why cleaned text is clean.

use core::iter;

use super::class::{self, Class, class_of};
use super::reader::{Form, Reader, Symbol};

/// Most tag characters in a flag (Unicode subdivision codes are a region of two letters and up to four more).
pub const MAX_FLAG_TAGS: usize = 6;
const MIN_FLAG_TAGS: usize = 3;

/// Symbols after a direction mark in which a right-to-left letter is looked for.
const MARK_REACH_SYMBOLS: usize = 32;

/// Letters on each side of a soft hyphen that make it a division of a word.
const SYLLABLE_LETTERS: usize = 2;

const BLACK_FLAG: char = '\u{1f3f4}';
const EMOJI_SELECTOR: char = '\u{fe0f}';
const KEYCAP: char = '\u{20e3}';

/// What was kept so far, as far as it matters.
#[derive(Debug, Default)]
pub(crate) struct Past {
    /// The last symbol that was kept.
    pub(crate) previous: Option<char>,
    /// Where it ended, in bytes of the original text.
    pub(crate) previous_end: usize,
    /// Combining marks kept on the present base.
    pub(crate) marks: usize,
    /// Letters kept since the last soft hyphen, kept or not, or since the word began.
    pub(crate) letters: usize,
    /// Whether a right-to-left letter was kept.
    pub(crate) right_to_left: bool,
    /// Up to this byte no right-to-left letter comes, as the search for an earlier mark showed.
    pub(crate) barren_to: usize,
    /// What was kept since the last line feed.
    pub(crate) line: Line,
}

/// Whether something stands on the present line that a terminal could be told to overwrite.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Line {
    #[default]
    Empty,
    Written,
}

impl Past {
    /// Takes note of a symbol that is kept and ends at byte `end`.
    pub(crate) fn keep(&mut self, character: char, class: Class, end: usize) {
        match class {
            Class::Visible => {
                self.marks = 0;
                self.letters = if character.is_alphabetic() { self.letters.saturating_add(1) } else { 0 };
                self.line = if character == '\n' { Line::Empty } else { Line::Written };
                self.right_to_left = self.right_to_left || class::is_right_to_left(character);
            }
            Class::Mark => self.marks = self.marks.saturating_add(1),
            _ => {}
        }
        self.previous = Some(character);
        self.previous_end = end;
    }

    fn previous_is(&self, test: impl Fn(char) -> bool) -> bool {
        self.previous.is_some_and(test)
    }
}

/// Whether an invisible `character` of `class` belongs after `past` and before what `after` reads.
pub(crate) fn belongs(character: char, class: Class, past: &mut Past, after: &Reader<'_>) -> bool {
    match class {
        Class::ZeroWidthSpace => {
            past.previous_is(class::is_of_spaceless_script) && next_is(after, class::is_of_spaceless_script)
        }
        Class::Joiner => joiner_belongs(character, past, after),
        Class::Selector => selector_belongs(character, past, after),
        Class::MongolianSelector => past.previous_is(class::is_mongolian_letter),
        Class::MongolianSeparator => {
            let after_selector = past.previous_is(|previous| class_of(previous) == Class::MongolianSelector);
            (after_selector || past.previous_is(class::is_mongolian_letter))
                && next_is(after, class::is_mongolian_letter)
        }
        Class::GraphemeJoiner => past.previous_is(|previous| class_of(previous) == Class::Mark),
        Class::BidiMark => mark_belongs(past, after),
        Class::SoftHyphen => past.letters >= SYLLABLE_LETTERS && syllable_follows(after),
        Class::ByteOrderMark => past.previous.is_none(),
        _ => false,
    }
}

/// The end, in bytes, of the flag whose tag characters begin with `first` (UTS #51 §1.4.6).
///
/// Only the length of a subdivision code is allowed, since a longer sequence would carry a hidden text. The tags must
/// touch the flag in the original text: else the end of a hidden text would pass for one when its beginning is cut.
pub(crate) fn flag_end(past: &Past, first: &Symbol, after: &Reader<'_>) -> Option<usize> {
    if past.previous != Some(BLACK_FLAG) || past.previous_end != first.span.start {
        return None;
    }
    let tags = iter::once(first.clone()).chain(after.clone().take(MAX_FLAG_TAGS));
    for (index, symbol) in tags.enumerate() {
        match u32::from(symbol.character) {
            0xe007f if index >= MIN_FLAG_TAGS => return Some(symbol.span.end),
            0xe0061..=0xe007a => {}
            0xe0030..=0xe0039 if index >= 2 => {}
            _ => return None,
        }
    }
    None
}

fn joiner_belongs(character: char, past: &Past, after: &Reader<'_>) -> bool {
    let in_script = past.previous_is(class::is_of_joining_script);
    let in_emoji = character == '\u{200d}'
        && past.previous_is(|previous| previous == EMOJI_SELECTOR || class::is_pictograph(previous))
        && next_is(after, class::is_pictograph);
    in_script || in_emoji
}

fn selector_belongs(character: char, past: &Past, after: &Reader<'_>) -> bool {
    let Some(previous) = past.previous else { return false };
    match u32::from(character) {
        0xfe0e => class::is_pictograph(previous),
        0xfe0f => {
            let keycap = matches!(previous, '0'..='9' | '#' | '*') && next_is_exactly(after, KEYCAP);
            class::is_pictograph(previous) || keycap
        }
        0xfe00..=0xfe02 => class::has_standard_variants(previous),
        0xe0100..=0xe01ef => class::is_ideograph(previous),
        _ => false,
    }
}

fn mark_belongs(past: &mut Past, after: &Reader<'_>) -> bool {
    if past.previous_is(|previous| class_of(previous) == Class::BidiMark) {
        return false;
    }
    if past.right_to_left {
        return true;
    }
    // A search that failed answers for all marks within its reach, so that many marks cost no more than one.
    if after.position() < past.barren_to {
        return false;
    }
    let mut searched_to = after.position();
    for symbol in after.clone().take(MARK_REACH_SYMBOLS) {
        if class::is_right_to_left(symbol.character) {
            return true;
        }
        if matches!(class_of(symbol.character), Class::Escape | Class::Control | Class::HighControl) {
            break;
        }
        searched_to = symbol.span.end;
    }
    past.barren_to = searched_to;
    false
}

fn syllable_follows(after: &Reader<'_>) -> bool {
    let mut after = after.clone();
    let first = after.next().is_some_and(|symbol| class::is_letter(symbol.character));
    let second = after
        .next()
        .is_some_and(|symbol| class::is_letter(symbol.character) || class_of(symbol.character) == Class::Mark);
    first && second
}

/// Whether the very next symbol is one that is always kept and passes `test`.
fn next_is(after: &Reader<'_>, test: impl Fn(char) -> bool) -> bool {
    after.peek().is_some_and(|symbol| {
        symbol.form == Form::Character && class_of(symbol.character) == Class::Visible && test(symbol.character)
    })
}

fn next_is_exactly(after: &Reader<'_>, character: char) -> bool {
    after.peek().is_some_and(|symbol| symbol.character == character)
}
