//! Values of the configuration: what sorts there are, and how each is read and written.
//!
//! Must never: guess a unit, round, or cut.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;
use toml::de::{DeInteger, DeValue};

/// The sort of a key's value, with its limits, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sort {
    /// Text; `example` shows its form.
    Text { example: &'static str },
    /// One of some words.
    Choice { words: &'static [&'static str] },
    /// A whole number.
    Count { least: u64, most: u64 },
    /// A number of bytes, as a whole number or with a unit.
    Bytes { least: u64, most: u64 },
    /// A time with its unit.
    Time { least: Duration, most: Duration },
    /// A list of texts.
    Texts { example: &'static str },
    /// Names with texts, whose values nobody may see.
    Pairs { example: &'static str },
}

/// A value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Text(Cow<'static, str>),
    Count(u64),
    Bytes(u64),
    Time(Duration),
    Texts(Vec<String>),
    Pairs(Vec<(String, String)>),
}

/// Why a value is not of the sort: what was found, and what is taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mismatch {
    pub(super) found: String,
    pub(super) index: Option<usize>,
}

impl Sort {
    /// What the key takes, for messages and the reference.
    pub(super) fn describe(self) -> String {
        match self {
            Self::Text { .. } => "text".to_owned(),
            Self::Choice { words } => {
                let words: Vec<String> = words.iter().map(|word| format!("`\"{word}\"`")).collect();
                format!("one of {}", words.join(", "))
            }
            Self::Count { least, most } => format!("a whole number from {least} to {most}"),
            Self::Bytes { least, most } => {
                format!("bytes from {} to {}, as a number or with `KiB`, `MiB`", Size(least), Size(most))
            }
            Self::Time { least, most } => {
                format!("a time from {} to {} with its unit, `ms`, `s`, `m`, `h` or `d`", Span(least), Span(most))
            }
            Self::Texts { .. } => "a list of texts".to_owned(),
            Self::Pairs { .. } => "a table of names with texts".to_owned(),
        }
    }

    /// A right value as TOML.
    pub(super) fn example(self) -> String {
        match self {
            Self::Text { example } => format!("\"{example}\""),
            Self::Choice { words } => format!("\"{}\"", words.first().copied().unwrap_or_default()),
            Self::Count { least, .. } => least.to_string(),
            Self::Bytes { least, .. } => format!("\"{}\"", Size(least)),
            Self::Time { least, .. } => format!("\"{}\"", Span(least)),
            Self::Texts { example } | Self::Pairs { example } => example.to_owned(),
        }
    }

    /// Reads a value of this sort.
    pub(super) fn read(self, value: &DeValue<'_>) -> Result<Value, Mismatch> {
        match (self, value) {
            (Self::Text { .. }, DeValue::String(text)) => Ok(Value::Text(Cow::Owned(text.to_string()))),
            (Self::Choice { words }, DeValue::String(text)) => {
                match words.iter().find(|word| **word == text.as_ref()) {
                    Some(word) => Ok(Value::Text(Cow::Borrowed(word))),
                    None => Err(Mismatch::of(format!("`\"{}\"`", super::problem::quoted(text)))),
                }
            }
            (Self::Count { least, most }, DeValue::Integer(number)) => {
                within(whole(number), least, most).map(Value::Count).ok_or_else(|| Mismatch::number(number))
            }
            (Self::Bytes { least, most }, DeValue::Integer(number)) => {
                within(whole(number), least, most).map(Value::Bytes).ok_or_else(|| Mismatch::number(number))
            }
            (Self::Bytes { least, most }, DeValue::String(text)) => {
                within(size(text), least, most).map(Value::Bytes).ok_or_else(|| Mismatch::text(text))
            }
            (Self::Time { least, most }, DeValue::String(text)) => {
                within(span(text), least, most).map(Value::Time).ok_or_else(|| Mismatch::text(text))
            }
            (Self::Time { .. }, DeValue::Integer(number)) => {
                Err(Mismatch::of(format!("{}, which has no unit", Mismatch::number(number).found)))
            }
            (Self::Texts { .. }, DeValue::Array(items)) => {
                let texts = items.iter().enumerate().map(|(index, item)| match item.get_ref() {
                    DeValue::String(text) => Ok(text.to_string()),
                    other => Err(Mismatch { index: Some(index), ..Mismatch::sort_of(other) }),
                });
                texts.collect::<Result<_, _>>().map(Value::Texts)
            }
            (Self::Pairs { .. }, DeValue::Table(members)) => {
                let pairs = members.iter().enumerate().map(|(index, (name, value))| match value.get_ref() {
                    DeValue::String(text) => Ok((name.get_ref().to_string(), text.to_string())),
                    other => Err(Mismatch { index: Some(index), ..Mismatch::sort_of(other) }),
                });
                pairs.collect::<Result<_, _>>().map(Value::Pairs)
            }
            (_, other) => Err(Mismatch::sort_of(other)),
        }
    }
}

impl Value {
    /// A text or word.
    pub(super) fn as_word(&self) -> Option<String> {
        match self {
            Self::Text(text) => Some(text.to_string()),
            _ => None,
        }
    }

    /// A time.
    pub(super) const fn as_time(&self) -> Option<Duration> {
        match self {
            Self::Time(time) => Some(*time),
            _ => None,
        }
    }
}

impl Mismatch {
    /// For what is not even text.
    pub(super) fn no_text() -> Self {
        Self::of("not UTF-8".to_owned())
    }

    fn of(found: String) -> Self {
        Self { found, index: None }
    }

    fn text(text: &str) -> Self {
        Self::of(format!("`\"{}\"`", super::problem::quoted(text)))
    }

    fn number(number: &DeInteger<'_>) -> Self {
        Self::of(format!("`{}`", super::problem::quoted(&number.to_string())))
    }

    /// The sort alone: values of lists and tables may be secrets.
    fn sort_of(value: &DeValue<'_>) -> Self {
        let sort = match value {
            DeValue::String(_) => "a text",
            DeValue::Integer(_) => "a whole number",
            DeValue::Float(_) => "a broken number",
            DeValue::Boolean(_) => "`true` or `false`",
            DeValue::Datetime(_) => "a date or time",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        Self::of(sort.to_owned())
    }
}

fn within<T: PartialOrd>(value: Option<T>, least: T, most: T) -> Option<T> {
    value.filter(|value| (least..=most).contains(value))
}

fn whole(number: &DeInteger<'_>) -> Option<u64> {
    u64::from_str_radix(number.as_str(), number.radix()).ok()
}

/// Splits digits and unit; one space may stand between them.
fn split_unit(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at_checked(end)?;
    Some((digits.parse().ok()?, unit.strip_prefix(' ').unwrap_or(unit)))
}

fn size(text: &str) -> Option<u64> {
    let (number, unit) = split_unit(text)?;
    let scale = UNITS_OF_SIZE.iter().find(|(name, _)| *name == unit)?.1;
    number.checked_mul(scale)
}

/// A time with its unit; nothing for anything else.
pub(crate) fn span(text: &str) -> Option<Duration> {
    let (number, unit) = split_unit(text)?;
    let scale = UNITS_OF_TIME.iter().find(|(name, _)| *name == unit)?.1;
    number.checked_mul(scale).map(Duration::from_millis)
}

/// Largest first, in bytes.
const UNITS_OF_SIZE: [(&str, u64); 4] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];
/// Largest first, in milliseconds.
const UNITS_OF_TIME: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];

/// Bytes in the largest unit that holds them whole.
pub(super) struct Size(pub(super) u64);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fits = UNITS_OF_SIZE.iter().find(|(_, scale)| self.0 >= *scale && self.0.is_multiple_of(*scale));
        match fits {
            Some((unit, scale)) => write!(f, "{} {unit}", self.0 / scale),
            None => write!(f, "{} B", self.0),
        }
    }
}

/// A time in the largest unit that holds it whole.
pub(crate) struct Span(pub(crate) Duration);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let milliseconds = u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX);
        let fits =
            UNITS_OF_TIME.iter().find(|(_, scale)| milliseconds >= *scale && milliseconds.is_multiple_of(*scale));
        match fits {
            Some((unit, scale)) => write!(f, "{}{unit}", milliseconds / scale),
            None => write!(f, "{milliseconds}ms"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_need_a_unit_and_come_back_as_written() {
        for (text, milliseconds) in [
            ("250ms", Some(250)),
            ("5s", Some(5000)),
            ("5 s", Some(5000)),
            ("2m", Some(120_000)),
            ("1h", Some(3_600_000)),
            ("90d", Some(7_776_000_000)),
            ("0s", Some(0)),
            ("5", None),
            ("s", None),
            ("", None),
            ("5S", None),
            ("-5s", None),
            ("1.5s", None),
            ("5  s", None),
            ("99999999999999999999s", None),
            ("18446744073709551615h", None),
        ] {
            assert_eq!(span(text), milliseconds.map(Duration::from_millis), "{text:?}");
        }
        assert_eq!(Span(Duration::from_millis(90_000)).to_string(), "90s");
        assert_eq!(Span(Duration::from_millis(120_000)).to_string(), "2m");
        assert_eq!(Span(Duration::ZERO).to_string(), "0ms");
    }

    #[test]
    fn sizes_are_binary() {
        for (text, bytes) in [
            ("4 MiB", Some(4 << 20)),
            ("4MiB", Some(4 << 20)),
            ("64 KiB", Some(65_536)),
            ("1 GiB", Some(1 << 30)),
            ("10 B", Some(10)),
            ("10", None),
            ("4 MB", None),
            ("4 mib", None),
            ("17179869184 GiB", None),
        ] {
            assert_eq!(size(text), bytes, "{text:?}");
        }
        assert_eq!(Size(4 << 20).to_string(), "4 MiB");
        assert_eq!(Size(1000).to_string(), "1000 B");
        assert_eq!(Size(0).to_string(), "0 B");
    }
}
