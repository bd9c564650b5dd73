//! The walk over a text: what is kept, what is cut, and by which rule.
//!
//! It must never cut a visible character outside a terminal sequence, except combining marks past their limit.

use super::class::{Class, class_of};
use super::context::{self, Past};
use super::reader::{Form, Reader, Reading, Symbol};
use super::rules;
use super::terminal::{self, Sequence};
use crate::collector::{Collector, Run};
use crate::kind::TextKind;
use crate::rule::Rule;

/// Most combining marks on one base. Scripts need up to about eight (Tibetan stacks, pointed and accented Hebrew).
pub const MAX_MARKS_PER_BASE: usize = 10;

/// Most visible characters between two invisible ones which still count as one streak.
pub const SPLIT_GAP_CHARS: usize = 2;

/// Invisible characters in one streak from which on they are taken for a hidden channel.
pub const SPLIT_STREAK: usize = 4;

pub(crate) fn scan<'t>(text: &'t str, kind: TextKind, collector: &mut Collector<'t>) {
    let opening = if kind == TextKind::ToolDescription { Opening::Brace } else { Opening::Settled };
    let streak = Streak { length: 0, gap: 0 };
    Scanner { reader: Reader::new(text), collector, past: Past::default(), opening, streak }.run();
}

struct Scanner<'t, 'c> {
    reader: Reader<'t>,
    collector: &'c mut Collector<'t>,
    past: Past,
    opening: Opening,
    streak: Streak,
}

/// What must come next for the text to be a JSON object. Only what is kept counts, so the cleaned text is read alike.
enum Opening {
    Brace,
    Quote,
    Settled,
}

/// Invisible characters that stand close together.
struct Streak {
    length: usize,
    /// Symbols kept since the last of them.
    gap: usize,
}

impl Scanner<'_, '_> {
    fn run(mut self) {
        while let Some(symbol) = self.reader.next() {
            if symbol.form == Form::Malformed {
                self.cut(&symbol, &rules::MALFORMED);
                continue;
            }
            match class_of(symbol.character) {
                Class::Visible => self.keep(symbol.character, Class::Visible),
                Class::Mark if self.past.marks < MAX_MARKS_PER_BASE => self.keep(symbol.character, Class::Mark),
                Class::Escape => self.cut_sequence(&symbol, &terminal::escape_sequence(&self.reader, self.past.line)),
                Class::HighControl => {
                    self.cut_sequence(
                        &symbol,
                        &terminal::high_sequence(symbol.character, &self.reader, self.past.line),
                    );
                }
                Class::Control => self.cut_control(&symbol),
                Class::Tag => self.judge_tag(&symbol),
                Class::LineSeparator => self.cut_separator(&symbol),
                class => self.judge_invisible(&symbol, class),
            }
        }
    }

    fn keep(&mut self, character: char, class: Class) {
        self.past.keep(character, class, self.reader.position());
        self.streak.gap = self.streak.gap.saturating_add(1);
        self.opening = match (&self.opening, character) {
            (Opening::Settled, _) => return,
            (Opening::Brace, '{') => Opening::Quote,
            (Opening::Quote, '"') => {
                self.reader.read_as_json();
                Opening::Settled
            }
            (Opening::Brace, ' ' | '\t' | '\n' | '\r' | '\u{feff}') => Opening::Brace,
            (Opening::Quote, ' ' | '\t' | '\n' | '\r') => Opening::Quote,
            _ => Opening::Settled,
        };
    }

    fn judge_invisible(&mut self, symbol: &Symbol, class: Class) {
        let belongs = context::belongs(symbol.character, class, &mut self.past, &self.reader);
        if class == Class::SoftHyphen {
            self.past.letters = 0;
        }
        if belongs {
            self.keep(symbol.character, class);
        } else {
            self.cut(symbol, rule_for(class));
        }
    }

    fn judge_tag(&mut self, symbol: &Symbol) {
        let Some(end) = context::flag_end(&self.past, symbol, &self.reader) else {
            self.cut(symbol, &rules::TAG);
            return;
        };
        self.keep(symbol.character, Class::Tag);
        while self.reader.position() < end
            && let Some(tag) = self.reader.next()
        {
            self.keep(tag.character, Class::Tag);
        }
    }

    fn cut_control(&mut self, symbol: &Symbol) {
        let rule = match symbol.character {
            '\u{7}' | '\u{b}' | '\u{c}' => &rules::PAGE,
            '\u{8}' if self.is_overstrike() => &rules::OVERSTRIKE,
            '\u{8}' => &rules::BACKSPACE,
            _ => &rules::CONTROL,
        };
        self.cut(symbol, rule);
    }

    /// `x BS x` is a bold x, `_ BS x` or `x BS _` an underlined one, as old manual pages have them.
    fn is_overstrike(&self) -> bool {
        let Some(previous) = self.past.previous else { return false };
        self.reader.peek().is_some_and(|next| next.character == previous || next.character == '_' || previous == '_')
    }

    fn cut_separator(&mut self, symbol: &Symbol) {
        let line_end = match self.reader.reading() {
            Reading::Plain => "\n",
            Reading::Json => "\\n",
        };
        self.streak.length = 0;
        self.collector.cut(symbol.span.clone(), &rules::LINE_SEPARATOR, line_end);
        self.keep('\n', Class::Visible);
    }

    fn cut_sequence(&mut self, symbol: &Symbol, sequence: &Sequence) {
        self.streak.length = 0;
        self.collector.cut(symbol.span.start..sequence.end, sequence.rule, "");
        self.reader.skip_to(sequence.end);
    }

    fn cut(&mut self, symbol: &Symbol, rule: &'static Rule) {
        let run = self.collector.cut(symbol.span.clone(), rule, "");
        if rule.dense.is_none() {
            self.streak.length = 0;
            return;
        }
        if run == Run::Began {
            let close = self.streak.length > 0 && self.streak.gap <= SPLIT_GAP_CHARS;
            self.streak.length = if close { self.streak.length.saturating_add(1) } else { 1 };
        }
        self.streak.gap = 0;
        if self.streak.length >= SPLIT_STREAK {
            self.collector.raise_latest(SPLIT_STREAK, rules::SPLIT_REASON);
        }
    }
}

fn rule_for(class: Class) -> &'static Rule {
    match class {
        Class::Selector | Class::MongolianSelector => &rules::SELECTOR,
        Class::BidiOverride => &rules::BIDI_OVERRIDE,
        Class::BidiFormat => &rules::BIDI_FORMAT,
        Class::BidiMark => &rules::BIDI_MARK,
        Class::SoftHyphen => &rules::SOFT_HYPHEN,
        Class::Filler => &rules::FILLER,
        Class::Annotation => &rules::ANNOTATION,
        Class::ByteOrderMark => &rules::BYTE_ORDER_MARK,
        Class::Noncharacter => &rules::NONCHARACTER,
        Class::Mark => &rules::MARKS,
        Class::Tag => &rules::TAG,
        Class::LineSeparator => &rules::LINE_SEPARATOR,
        Class::Escape | Class::Control | Class::HighControl => &rules::CONTROL,
        Class::Visible
        | Class::ZeroWidthSpace
        | Class::Joiner
        | Class::MongolianSeparator
        | Class::GraphemeJoiner
        | Class::Invisible => &rules::ZERO_WIDTH,
    }
}
