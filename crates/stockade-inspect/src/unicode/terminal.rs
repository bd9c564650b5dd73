//! Terminal sequences: where one ends and what it would do.
//!
//! Sources: ECMA-48 §5 and §8, and the control sequences of xterm, which other terminals follow. It must never look
//! further than its limits, nor let a sequence that is not ended take visible text away with it.

use super::context::Line;
use super::link;
use super::reader::{Form, Reader};
use super::rules;
use super::style;
use crate::rule::Rule;

/// Most characters of a control sequence between `ESC [` and its final character.
pub const MAX_CSI_CHARS: usize = 64;

/// Most characters in the body of a control string (OSC, DCS, SOS, PM, APC). One that is not ended within this many
/// loses only its introducer: its body stays in the text, where it is harmless and can be seen.
pub const MAX_STRING_BODY_CHARS: usize = 4096;

/// Most intermediate characters of a short escape sequence.
const MAX_INTERMEDIATES: usize = 4;

const ESCAPE: char = '\u{1b}';
const BELL: char = '\u{7}';
const STRING_TERMINATOR: char = '\u{9c}';

/// What stands at a control character.
pub(crate) struct Sequence {
    /// Where it ends, in bytes.
    pub(crate) end: usize,
    pub(crate) rule: &'static Rule,
}

/// The sequence that `ESC` begins; `after` stands behind the `ESC`, `line` is what it finds on its line.
pub(crate) fn escape_sequence(after: &Reader<'_>, line: Line) -> Sequence {
    let alone = Sequence { end: after.position(), rule: &rules::BROKEN };
    let mut reader = after.clone();
    let Some(symbol) = reader.next().filter(|symbol| symbol.form == Form::Character) else { return alone };
    match symbol.character {
        '[' => control_sequence(reader, line),
        ']' => operating_system_command(reader),
        'P' | 'X' | '^' | '_' => control_string(reader),
        ' '..='/' => short_sequence(reader, symbol.character, alone),
        'c' | '7' | '8' | 'D' | 'E' | 'H' | 'M' | 'Z' => Sequence { end: reader.position(), rule: &rules::MOVE },
        '0'..='~' => Sequence { end: reader.position(), rule: &rules::OTHER },
        _ => alone,
    }
}

/// The sequence that a control character of U+0080 to U+009F begins; `after` stands behind it.
pub(crate) fn high_sequence(introducer: char, after: &Reader<'_>, line: Line) -> Sequence {
    match introducer {
        '\u{9b}' => control_sequence(after.clone(), line),
        '\u{9d}' => operating_system_command(after.clone()),
        '\u{90}' | '\u{98}' | '\u{9e}' | '\u{9f}' => control_string(after.clone()),
        _ => Sequence { end: after.position(), rule: &rules::CONTROL },
    }
}

/// CSI: parameters, intermediates, one final character (ECMA-48 §5.4).
fn control_sequence(mut reader: Reader<'_>, line: Line) -> Sequence {
    let mut parameters = String::new();
    let mut intermediates = false;
    for _ in 0..=MAX_CSI_CHARS {
        let end = reader.position();
        let Some(symbol) = reader.next().filter(|symbol| symbol.form == Form::Character) else {
            return Sequence { end, rule: &rules::BROKEN };
        };
        match symbol.character {
            character @ '0'..='?' if !intermediates => parameters.push(character),
            ' '..='/' => intermediates = true,
            last @ '@'..='~' => {
                let rule = if intermediates { &rules::OTHER } else { control_rule(&parameters, last, line) };
                return Sequence { end: symbol.span.end, rule };
            }
            _ => return Sequence { end, rule: &rules::BROKEN },
        }
    }
    Sequence { end: reader.position(), rule: &rules::BROKEN }
}

fn control_rule(parameters: &str, last: char, line: Line) -> &'static Rule {
    let private = parameters.starts_with(['<', '=', '>', '?']);
    match last {
        'm' if private => &rules::MODE,
        'm' if style::conceals(parameters) => &rules::CONCEAL,
        'm' => &rules::COLOUR,
        // Erasing to the right of the cursor takes nothing away unless the cursor was moved, which is found itself.
        'K' if parameters.is_empty() || parameters == "0" => &rules::ERASE_RIGHT,
        // So progress displays begin each line: erase the line, go to its first column.
        'K' if line == Line::Empty && matches!(parameters, "1" | "2") => &rules::ERASE_NOTHING,
        'G' if line == Line::Empty && matches!(parameters, "" | "0" | "1") => &rules::ERASE_NOTHING,
        'h' | 'l' => &rules::MODE,
        _ => &rules::MOVE,
    }
}

/// `ESC`, intermediates, one final character (ECMA-35 §13): mostly character sets.
fn short_sequence(mut reader: Reader<'_>, first: char, alone: Sequence) -> Sequence {
    for _ in 0..MAX_INTERMEDIATES {
        let Some(symbol) = reader.next().filter(|symbol| symbol.form == Form::Character) else { return alone };
        match symbol.character {
            ' '..='/' => {}
            '0'..='~' => {
                let rule = if matches!(first, '('..='/') { &rules::CHARSET } else { &rules::OTHER };
                return Sequence { end: symbol.span.end, rule };
            }
            _ => return alone,
        }
    }
    alone
}

fn operating_system_command(reader: Reader<'_>) -> Sequence {
    let unended = Sequence { end: reader.position(), rule: &rules::BROKEN };
    let mut body = String::new();
    let Some(after) = string_end(reader, Some(&mut body)) else { return unended };
    let (command, data) = body.split_once(';').unwrap_or((&body, ""));
    let rule = match command {
        "52" => &rules::CLIPBOARD,
        "8" if link::leads_elsewhere(data, &after) => &rules::LINK_ELSEWHERE,
        "8" => &rules::LINK,
        // 50 loads fonts, 51 belongs to editors, 1337 and 777 to terminal programs: files, clipboard, notifications.
        "50" | "51" | "777" | "1337" => &rules::COMMAND,
        "" | "0" | "1" | "2" | "l" | "L" => &rules::TITLE,
        _ => &rules::STRING,
    };
    Sequence { end: after.position(), rule }
}

fn control_string(reader: Reader<'_>) -> Sequence {
    let unended = Sequence { end: reader.position(), rule: &rules::BROKEN };
    match string_end(reader, None) {
        Some(after) => Sequence { end: after.position(), rule: &rules::STRING },
        None => unended,
    }
}

/// The reader behind the string's terminator. A bell ends only an operating system command, whose `body` is wanted.
///
/// Another control character of the C1 set, or an `ESC` which does not begin the terminator, stops the search: it
/// begins something else. So no character is searched for more than one introducer.
fn string_end<'t>(mut reader: Reader<'t>, mut body: Option<&mut String>) -> Option<Reader<'t>> {
    for _ in 0..=MAX_STRING_BODY_CHARS {
        let symbol = reader.next().filter(|symbol| symbol.form == Form::Character)?;
        match symbol.character {
            STRING_TERMINATOR | '\u{18}' | '\u{1a}' => return Some(reader),
            BELL if body.is_some() => return Some(reader),
            ESCAPE => {
                let next = reader.next().filter(|symbol| symbol.form == Form::Character)?;
                return (next.character == '\\').then_some(reader);
            }
            '\u{80}'..='\u{9f}' => return None,
            character => {
                if let Some(body) = &mut body {
                    body.push(character);
                }
            }
        }
    }
    None
}
