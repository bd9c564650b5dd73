//! The configuration that holds, with where each value comes from.
//!
//! Must never: show the value of a header or a variable, or the query of an address, which is where keys hide.

use super::checked::Config;
use super::key::{Default, Key, Shape, Table, toml_key};
use super::keys::{DATA, POLICY_FILES, ROOT, URL};
use super::load::LoadOptions;
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
    /// The command line or the environment says it, such as `--data`.
    Outside(&'static str),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { file, line } => write!(f, "{}:{line}", super::problem::quoted(file)),
            Self::Outside(name) => f.write_str(name),
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
    let mut show = Show { config, options, file: called.unwrap_or("configuration"), values: Vec::new() };
    show.tables_of(&ROOT, &raw.root, "");
    show.values
}

struct Show<'s> {
    config: &'s Config,
    options: &'s LoadOptions,
    file: &'s str,
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
            let given = raw.given(key).map(|given| given.place.line);
            let said = given.map_or(Source::Default, |line| Source::File { file: self.file.to_owned(), line });
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
            let source = self.options.data.as_ref().map_or(said, |choice| Source::Outside(choice.named_by));
            return Some((Value::Text(Cow::Owned(text_of(&self.config.gateway.data))), source));
        }
        if std::ptr::eq(key, &POLICY_FILES) {
            return Some((Value::Texts(self.config.policy_files.iter().map(|file| text_of(file)).collect()), said));
        }
        None
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
