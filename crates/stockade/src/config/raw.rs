//! What the file says: each key that was given, of the right sort, with its place. Nothing is judged yet.
//!
//! Must never: stop at the first problem; take a key that is not declared.

use super::key::{Default, Key, Shape, Table, toml_key};
use super::keys::ROOT;
use super::place::{Lines, Place};
use super::problem::{Problem, quoted};
use super::suggest::nearest;
use super::value::{Mismatch, Value};
use std::collections::BTreeMap;
use std::time::Duration;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The configuration as it was written.
#[derive(Debug)]
pub(super) struct RawConfig {
    pub(super) root: RawTable,
}

/// One table as it was written.
#[derive(Debug)]
pub(super) struct RawTable {
    /// Where its heading stands; the start of the file if it was left out.
    pub(super) place: Place,
    given: BTreeMap<&'static str, Given>,
    /// Keys whose value was refused: they were not left out.
    refused: Vec<&'static str>,
    /// The tables inside it, by their declared name; the name that the operator chose beside each.
    inner: BTreeMap<&'static str, Vec<(Chosen, RawTable)>>,
}

/// The name that the operator chose for a table; empty for others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Chosen {
    pub(super) name: String,
    pub(super) place: Place,
}

/// A value that was given.
#[derive(Debug)]
pub(super) struct Given {
    pub(super) value: Value,
    pub(super) place: Place,
    /// Where each element of a list, or each name of pairs, stands.
    places: Vec<Place>,
}

impl RawConfig {
    /// Reads the text. What could not be understood is in `problems` and left out of the value.
    pub(super) fn read(text: &str, problems: &mut Vec<Problem>) -> Self {
        let lines = Lines::of(text);
        let (document, errors) = DeTable::parse_recoverable(text);
        if errors.is_empty() {
            let mut reader = Reader { lines, problems };
            return Self { root: reader.table(&ROOT, document.get_ref(), Place::START, "") };
        }
        // What a broken file seems to say is guesswork; its keys are judged once it can be read.
        problems.extend(errors.iter().map(|error| {
            let place = error.span().map_or(Place::START, |span| lines.place(span.start));
            let why = quoted(error.message());
            Problem::at(place, "the file is not TOML here", why, "correct it; the rest is checked once it can be read")
        }));
        Self { root: RawTable::empty() }
    }
}

impl RawConfig {
    /// Sets one key from outside the file, over whatever the file says. `path` are the tables from the outermost on.
    pub(super) fn say(&mut self, path: &[&'static Table], key: &'static Key, value: Value, place: Place) {
        let mut table = &mut self.root;
        for inner in path {
            let tables = table.inner.entry(inner.name).or_default();
            if tables.is_empty() {
                tables.push((Chosen { name: String::new(), place }, RawTable { place, ..RawTable::empty() }));
            }
            let Some((_, first)) = tables.first_mut() else { return };
            table = first;
        }
        table.refused.retain(|refused| *refused != key.name);
        table.given.insert(key.name, Given { value, place, places: Vec::new() });
    }
}

impl RawTable {
    /// A table that was left out.
    pub(super) const fn empty() -> Self {
        Self { place: Place::START, given: BTreeMap::new(), refused: Vec::new(), inner: BTreeMap::new() }
    }

    /// What was given for `key`.
    pub(super) fn given(&self, key: &Key) -> Option<&Given> {
        self.given.get(key.name)
    }

    /// Whether `key` stands in the table, with a right value or a wrong one.
    pub(super) fn mentions(&self, key: &Key) -> bool {
        self.given.contains_key(key.name) || self.refused.contains(&key.name)
    }

    /// Where `key` was given, or else where its table starts.
    pub(super) fn place_of(&self, key: &Key) -> Place {
        self.given(key).map_or(self.place, |given| given.place)
    }

    /// What holds for `key`: what was given, or the default.
    pub(super) fn value(&self, key: &Key) -> Option<Value> {
        self.given(key).map(|given| given.value.clone()).or_else(|| key.default_value())
    }

    /// A number of things or bytes; 0 for a key of another sort, which the tests exclude.
    pub(super) fn number(&self, key: &Key) -> u64 {
        match self.value(key) {
            Some(Value::Count(number) | Value::Bytes(number)) => number,
            _ => 0,
        }
    }

    /// A time.
    pub(super) fn time(&self, key: &Key) -> Option<Duration> {
        match self.value(key) {
            Some(Value::Time(time)) => Some(time),
            _ => None,
        }
    }

    /// A text or word.
    pub(super) fn text(&self, key: &Key) -> Option<String> {
        match self.value(key) {
            Some(Value::Text(text)) => Some(text.into_owned()),
            _ => None,
        }
    }

    /// The elements of a list with their places; none for a list that was left out.
    pub(super) fn texts(&self, key: &Key) -> Vec<(String, Place)> {
        match self.given(key) {
            Some(Given { value: Value::Texts(texts), places, .. }) => {
                texts.iter().cloned().zip(places.iter().copied()).collect()
            }
            _ => Vec::new(),
        }
    }

    /// The pairs with the places of their names.
    pub(super) fn pairs(&self, key: &Key) -> Vec<(String, String, Place)> {
        match self.given(key) {
            Some(Given { value: Value::Pairs(pairs), places, .. }) => {
                let pairs = pairs.iter().zip(places);
                pairs.map(|((name, value), place)| (name.clone(), value.clone(), *place)).collect()
            }
            _ => Vec::new(),
        }
    }

    /// The one table `table` inside this one, if it was given.
    pub(super) fn one(&self, table: &Table) -> Option<&Self> {
        self.inner.get(table.name)?.first().map(|(_, raw)| raw)
    }

    /// Every table `table` inside this one, in the order of the file.
    pub(super) fn all(&self, table: &Table) -> &[(Chosen, Self)] {
        self.inner.get(table.name).map(Vec::as_slice).unwrap_or_default()
    }
}

struct Reader<'r> {
    lines: Lines<'r>,
    problems: &'r mut Vec<Problem>,
}

impl Reader<'_> {
    /// `path` is what messages call the table, such as `servers.files`.
    fn table(&mut self, table: &'static Table, found: &DeTable<'_>, place: Place, path: &str) -> RawTable {
        let mut raw = RawTable { place, ..RawTable::empty() };
        for (name, value) in found {
            let (word, value_place) = (name.get_ref().as_ref(), self.lines.place(value.span().start));
            let place = self.lines.place(name.span().start);
            if let Some(key) = table.keys.iter().find(|key| key.name == word) {
                match key.sort.read(value.get_ref()) {
                    Ok(Value::Texts(texts)) if texts.is_empty() => {
                        raw.refused.push(key.name);
                        self.empty(key, value_place, path);
                    }
                    Ok(read) => {
                        let places = self.places(value);
                        raw.given.insert(key.name, Given { value: read, place: value_place, places });
                    }
                    Err(mismatch) => {
                        raw.refused.push(key.name);
                        self.mismatch(key, value, &mismatch, path);
                    }
                }
            } else if let Some(inner) = table.tables.iter().find(|inner| inner.name == word) {
                let path = if path.is_empty() { word.to_owned() } else { format!("{path}.{word}") };
                let tables = self.inner(inner, value, place, &path);
                raw.inner.insert(inner.name, tables);
            } else {
                self.unknown(table, word, place, path);
            }
        }
        raw
    }

    fn inner(
        &mut self,
        table: &'static Table,
        value: &Spanned<DeValue<'_>>,
        place: Place,
        path: &str,
    ) -> Vec<(Chosen, RawTable)> {
        let unnamed = |place| Chosen { name: String::new(), place };
        match (table.shape, value.get_ref()) {
            (Shape::One, DeValue::Table(found)) => vec![(unnamed(place), self.table(table, found, place, path))],
            (Shape::Named { .. }, DeValue::Table(found)) => {
                let mut tables = Vec::with_capacity(found.len());
                for (name, value) in found {
                    let place = self.lines.place(name.span().start);
                    let path = format!("{path}.{}", toml_key(name.get_ref()));
                    let DeValue::Table(found) = value.get_ref() else {
                        self.not_a_table(&format!("[{path}]"), place);
                        continue;
                    };
                    let chosen = Chosen { name: name.get_ref().to_string(), place };
                    tables.push((chosen, self.table(table, found, place, &path)));
                }
                tables
            }
            (Shape::List, DeValue::Array(items)) => {
                let mut tables = Vec::with_capacity(items.len());
                for item in items {
                    let place = self.lines.place(item.span().start);
                    match item.get_ref() {
                        DeValue::Table(found) => tables.push((unnamed(place), self.table(table, found, place, path))),
                        _ => self.not_a_table(&format!("[[{path}]]"), place),
                    }
                }
                tables
            }
            (Shape::List, _) => {
                self.not_a_table(&format!("[[{path}]]"), place);
                Vec::new()
            }
            (Shape::One | Shape::Named { .. }, _) => {
                self.not_a_table(&format!("[{path}]"), place);
                Vec::new()
            }
        }
    }

    fn places(&self, value: &Spanned<DeValue<'_>>) -> Vec<Place> {
        match value.get_ref() {
            DeValue::Array(items) => items.iter().map(|item| self.lines.place(item.span().start)).collect(),
            DeValue::Table(members) => members.keys().map(|name| self.lines.place(name.span().start)).collect(),
            _ => Vec::new(),
        }
    }

    fn mismatch(&mut self, key: &Key, value: &Spanned<DeValue<'_>>, mismatch: &Mismatch, path: &str) {
        let place = mismatch.index.and_then(|index| self.places(value).get(index).copied());
        let place = place.unwrap_or_else(|| self.lines.place(value.span().start));
        let inside = if mismatch.index.is_some() { "something in " } else { "" };
        self.problems.push(Problem::at(
            place,
            format!("{inside}`{}` in `[{path}]` is {}", key.name, mismatch.found),
            format!("it takes {}", key.sort.describe()),
            format!("write it like `{} = {}`", key.name, key.example()),
        ));
    }

    /// An empty list names nobody, and somebody will take it for everybody (CVE-2026-33032); so it is refused everywhere.
    fn empty(&mut self, key: &Key, place: Place, path: &str) {
        let fix = match key.default {
            Default::Absent { meaning } => format!("name one, or leave the key out; then it is: {meaning}"),
            _ => format!("name one, such as `{} = {}`", key.name, key.sort.example()),
        };
        let what = format!("`{}` in `[{path}]` is an empty list", key.name);
        self.problems.push(Problem::at(place, what, "an empty list is nobody and nothing, never everybody", fix));
    }

    fn unknown(&mut self, table: &Table, word: &str, place: Place, path: &str) {
        let inside = if path.is_empty() { String::new() } else { format!(" in `[{path}]`") };
        let fix = match nearest(word, table.words()) {
            Some(known) => format!("did you mean `{known}`?"),
            None => {
                let words: Vec<String> = table.words().map(|word| format!("`{word}`")).collect();
                format!("remove it; known here: {}", words.join(", "))
            }
        };
        let what = format!("unknown key `{}`{inside}", quoted(word));
        let why = "a key that is not understood is refused, because what it was meant to change would not change";
        self.problems.push(Problem::at(place, what, why, fix));
    }

    fn not_a_table(&mut self, heading: &str, place: Place) {
        let heading = quoted(heading);
        self.problems.push(Problem::at(
            place,
            format!("`{heading}` is not a table"),
            "keys stand below a heading",
            format!("write `{heading}` on a line of its own, and its keys below"),
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::value::Sort;

    /// Every key that takes a list, with a file that has nothing but that list, empty.
    fn empty_lists(table: &'static Table, path: &str, found: &mut Vec<(&'static str, String)>) {
        let heading = match table.shape {
            Shape::One => format!("[{path}]"),
            Shape::Named { .. } => format!("[{path}.x]"),
            Shape::List => format!("[[{path}]]"),
        };
        for key in table.keys.iter().filter(|key| matches!(key.sort, Sort::Texts { .. })) {
            found.push((key.name, format!("{heading}\n{} = []\n", key.name)));
        }
        let path = heading.trim_matches(['[', ']']);
        for inner in table.tables {
            let path = if path.is_empty() { inner.name.to_owned() } else { format!("{path}.{}", inner.name) };
            empty_lists(inner, &path, found);
        }
    }

    #[test]
    fn an_empty_list_is_refused_whatever_it_lists() {
        let mut lists = Vec::new();
        empty_lists(&ROOT, "", &mut lists);
        for known in ["hosts", "origins", "callers", "servers", "tools", "client_ca", "scopes"] {
            assert!(lists.iter().any(|(name, _)| *name == known), "{known} is in the table");
        }
        for (name, text) in lists {
            let mut problems = Vec::new();
            RawConfig::read(&text, &mut problems);
            let said: Vec<&str> = problems.iter().map(|problem| problem.what.as_str()).collect();
            assert!(
                said.iter()
                    .any(|what| what.starts_with(&format!("`{name}` in `[")) && what.ends_with("is an empty list")),
                "{text}{said:?}"
            );
            assert!(super::super::parse_for_fuzz(&text).is_err(), "{text}");
        }
    }
}
