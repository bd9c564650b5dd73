//! The configuration that holds, with where each value comes from.
//!
//! Must never: show the value of a header or a variable, or the query of an address, which is where keys hide.

use super::checked::Config;
use super::key::{Default, Key, Shape, Table, toml_key};
use super::keys::{DATA, POLICY_FILES, ROOT, URL};
use super::keys_life::{API_KEYS, MAX_AGE, WARN_AGE};
use super::load::LoadOptions;
use super::place::Place;
use super::raw::{RawConfig, RawTable};
use super::value::{Span, Value};
use serde_json::Value as Json;
use std::borrow::Cow;
use std::fmt;
use std::path::Path;

/// What stands for a value that nobody may see.
const UNSEEN: &str = "…";

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Nobody said anything.
    Default,
    /// The configuration file says it in this line.
    File {
        /// What the operator called the file.
        file: String,
        /// The line.
        line: u32,
    },
    /// The profile asks for it.
    Profile(&'static str),
    /// This variable of the environment says it.
    Variable(&'static str),
    /// This flag of the command line says it.
    Flag(&'static str),
}

impl Source {
    /// The layer, in one word.
    #[must_use]
    pub const fn layer(&self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::File { .. } => "file",
            Self::Profile(_) => "profile",
            Self::Variable(_) => "environment",
            Self::Flag(_) => "flag",
        }
    }

    /// What a variable or a flag says.
    fn outside(name: &'static str) -> Self {
        if name.starts_with('-') { Self::Flag(name) } else { Self::Variable(name) }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { file, line } => write!(f, "{}:{line}", super::problem::quoted(file)),
            Self::Profile(name) | Self::Variable(name) | Self::Flag(name) => write!(f, "{} {name}", self.layer()),
        }
    }
}

/// One value that holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EffectiveValue {
    /// The key with its tables, such as `servers.files.deadline`.
    pub key: String,
    /// The value as TOML, secrets as `…`.
    pub toml: String,
    /// The value as JSON, secrets as `…`; times as text, bytes as a number.
    pub json: Json,
    /// Where it comes from.
    pub source: Source,
}

/// Everything that holds. Keys that were left out and mean nothing then are left out here too.
pub(super) fn effective(
    raw: &RawConfig,
    config: &Config,
    options: &LoadOptions,
    called: Option<&str>,
) -> Vec<EffectiveValue> {
    let max_age_is_given = raw.root.one(&API_KEYS).is_some_and(|table| table.given(&MAX_AGE).is_some());
    let file = called.unwrap_or("configuration");
    let mut show = Show { config, options, file, max_age_is_given, values: Vec::new() };
    show.tables_of(&ROOT, &raw.root, "");
    show.values
}

struct Show<'s> {
    config: &'s Config,
    options: &'s LoadOptions,
    file: &'s str,
    max_age_is_given: bool,
    values: Vec<EffectiveValue>,
}

impl Show<'_> {
    fn tables_of(&mut self, outer: &'static Table, raw: &RawTable, path: &str) {
        for table in outer.tables {
            let path = if path.is_empty() { table.name.to_owned() } else { format!("{path}.{}", table.name) };
            let nothing = RawTable::empty();
            let needs_heading = table.keys.iter().any(|key| matches!(key.default, Default::Required));
            match (table.shape, raw.one(table)) {
                (Shape::One, Some(found)) => self.table(table, found, &path),
                (Shape::One, None) if !needs_heading => self.table(table, &nothing, &path),
                (Shape::One, None) => {}
                (Shape::Named { .. }, _) => {
                    for (chosen, found) in raw.all(table) {
                        self.table(table, found, &format!("{path}.{}", toml_key(&chosen.name)));
                    }
                }
                (Shape::List, _) => {
                    for (index, (_, found)) in raw.all(table).iter().enumerate() {
                        self.table(table, found, &format!("{path}[{}]", index + 1));
                    }
                }
            }
        }
    }

    fn table(&mut self, table: &'static Table, raw: &RawTable, path: &str) {
        for key in table.keys {
            let said = match raw.given(key).map(|given| given.place) {
                None => Source::Default,
                Some(Place { outside: Some(name), .. }) => Source::outside(name),
                Some(Place { line, .. }) => Source::File { file: self.file.to_owned(), line },
            };
            if let Some((value, source)) = self.settled(key, said.clone()).or_else(|| Some((raw.value(key)?, said))) {
                let value = if std::ptr::eq(*key, &URL) { without_query(value) } else { value };
                let key = format!("{path}.{}", key.name);
                self.values.push(EffectiveValue { key, toml: value.to_toml(), json: json_of(&value), source });
            }
        }
        self.tables_of(table, raw, path);
    }

    /// Values that are not only the file's.
    fn settled(&self, key: &'static Key, said: Source) -> Option<(Value, Source)> {
        if std::ptr::eq(key, &DATA) {
            let source = self.options.data.as_ref().map_or(said, |choice| Source::outside(choice.named_by));
            return Some((Value::Text(Cow::Owned(text_of(&self.config.gateway.data))), source));
        }
        if std::ptr::eq(key, &POLICY_FILES) {
            return Some((Value::Texts(self.config.policy_files.iter().map(|file| text_of(file)).collect()), said));
        }
        if said != Source::Default {
            return None;
        }
        let profile = Source::Profile(self.config.gateway.profile.as_str());
        if std::ptr::eq(key, &WARN_AGE) {
            // What follows from a greatest age that somebody has set is a default of ours.
            let source = if self.max_age_is_given { Source::Default } else { profile };
            return self.config.keys.warn_age.map(|age| (Value::Time(age), source));
        }
        key.of_profile(self.config.gateway.profile).map(|value| (value, profile))
    }
}

fn text_of(path: &Path) -> String {
    path.display().to_string()
}

fn without_query(value: Value) -> Value {
    match value {
        Value::Text(text) => match text.split_once('?') {
            Some((address, _)) => Value::Text(Cow::Owned(format!("{address}?{UNSEEN}"))),
            None => Value::Text(text),
        },
        other => other,
    }
}

fn json_of(value: &Value) -> Json {
    match value {
        Value::Text(text) => Json::from(text.as_ref()),
        Value::Count(number) | Value::Bytes(number) => Json::from(*number),
        Value::Time(time) => Json::from(Span(*time).to_string()),
        Value::Texts(texts) => Json::from(texts.clone()),
        Value::Pairs(pairs) => pairs.iter().map(|(name, _)| (name.clone(), Json::from(UNSEEN))).collect(),
    }
}
