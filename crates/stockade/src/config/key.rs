//! What a key and a table of the configuration are. The declared ones stand in `keys.rs`.

use super::checked::Profile;
use super::value::{Size, Sort, Span, Value};
use std::borrow::Cow;
use std::time::Duration;
use toml::de::DeValue;

/// One key: how it is called, what it takes, what holds without it, what it is for.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) sort: Sort,
    pub(super) default: Default,
    /// One or two sentences for the reference, in Markdown.
    pub(super) text: &'static str,
}

/// What holds when a key is left out.
#[derive(Debug, Clone, Copy)]
pub(super) enum Default {
    /// Nothing; `meaning` says what that means.
    Absent { meaning: &'static str },
    /// The key must be given.
    Required,
    /// What the profile asks for, in the order of [`PROFILES`](super::keys::PROFILES), as it would be written in the file but
    /// for the quotes; nothing where it is empty.
    Profile([&'static str; 4]),
    /// A word or text.
    Text(&'static str),
    /// A number of things or of bytes.
    Number(u64),
    /// A time.
    Time(Duration),
}

impl Key {
    /// The default as a value of the key's sort.
    pub(super) fn default_value(&self) -> Option<Value> {
        match (self.default, self.sort) {
            (Default::Absent { .. } | Default::Required | Default::Profile(_), _) => None,
            (Default::Text(text), _) => Some(Value::Text(Cow::Borrowed(text))),
            (Default::Number(number), Sort::Bytes { .. }) => Some(Value::Bytes(number)),
            (Default::Number(number), _) => Some(Value::Count(number)),
            (Default::Time(time), _) => Some(Value::Time(time)),
        }
    }

    /// What a profile asks for.
    pub(super) fn of_profile(&self, profile: Profile) -> Option<Value> {
        let Default::Profile(texts) = self.default else { return None };
        let text = texts.get(profile.rank()).filter(|text| !text.is_empty())?;
        self.sort.read(&DeValue::String(Cow::Borrowed(text))).ok()
    }

    /// A right value as TOML: the default if there is one.
    pub(super) fn example(&self) -> String {
        self.default_value().map_or_else(|| self.sort.example(), |value| value.to_toml())
    }
}

impl Value {
    /// The value as TOML; those of pairs as `…`.
    pub(super) fn to_toml(&self) -> String {
        match self {
            Self::Text(text) => toml_text(text),
            Self::Count(number) => number.to_string(),
            Self::Bytes(bytes) => format!("\"{}\"", Size(*bytes)),
            Self::Time(time) => format!("\"{}\"", Span(*time)),
            Self::Texts(texts) => {
                let texts: Vec<String> = texts.iter().map(|text| toml_text(text)).collect();
                format!("[{}]", texts.join(", "))
            }
            Self::Pairs(pairs) => {
                let pairs: Vec<String> = pairs.iter().map(|(name, _)| format!("{} = \"…\"", toml_key(name))).collect();
                format!("{{ {} }}", pairs.join(", "))
            }
        }
    }
}

/// A basic string (TOML 1.0 "String"); what could move a cursor or hide is escaped.
fn toml_text(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            plain if stockade_inspect::escape::for_terminal(plain.encode_utf8(&mut [0; 4])) == plain.to_string() => {
                quoted.push(plain);
            }
            hidden => quoted.push_str(&format!("\\U{:08X}", u32::from(hidden))),
        }
    }
    quoted.push('"');
    quoted
}

/// A bare key where that is enough (TOML 1.0 "Keys").
pub(super) fn toml_key(name: &str) -> String {
    let is_bare = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    if is_bare { name.to_owned() } else { toml_text(name) }
}

/// How often a table may stand in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// Once: `[name]`.
    One,
    /// Once for each name that the operator chooses: `[name.NAME]`. `placeholder` is what the reference calls it.
    Named { placeholder: &'static str },
    /// Any number of times: `[[name]]`.
    List,
}

/// One table: its keys and the tables inside it.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) name: &'static str,
    pub(super) shape: Shape,
    /// A paragraph for the reference, in Markdown.
    pub(super) text: &'static str,
    pub(super) keys: &'static [&'static Key],
    pub(super) tables: &'static [&'static Table],
}

impl Table {
    /// Every word that may stand in this table.
    pub(super) fn words(&self) -> impl Iterator<Item = &'static str> + use<> {
        self.keys.iter().map(|key| key.name).chain(self.tables.iter().map(|table| table.name))
    }
}
