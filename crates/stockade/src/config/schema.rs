//! The JSON Schema of the configuration, for editors that check TOML.
//!
//! Must never: promise more than the check, or less than the table of keys: it is made from it.

use super::key::{Default, Key, Shape, Table};
use super::keys::ROOT;
use super::value::{Size, Sort, Span, Value};
use serde_json::{Map, Value as Json, json};

const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// The schema (JSON Schema 2020-12).
#[must_use]
pub fn json_schema() -> Json {
    let mut schema = object(&ROOT);
    if let Json::Object(members) = &mut schema {
        members.shift_insert(0, "$schema".to_owned(), Json::from(DIALECT));
        members.shift_insert(1, "title".to_owned(), Json::from("Configuration of Stockade"));
    }
    schema
}

fn object(table: &Table) -> Json {
    let mut properties = Map::new();
    for key in table.keys {
        properties.insert(key.name.to_owned(), property(key));
    }
    for inner in table.tables {
        let one = object(inner);
        let schema = match inner.shape {
            Shape::One => one,
            Shape::Named { .. } => json!({ "type": "object", "additionalProperties": one }),
            Shape::List => json!({ "type": "array", "items": one }),
        };
        properties.insert(inner.name.to_owned(), schema);
    }
    let required = table.keys.iter().filter(|key| matches!(key.default, Default::Required));
    let required: Vec<&str> = required.map(|key| key.name).collect();
    let mut schema = Map::new();
    schema.insert("type".to_owned(), Json::from("object"));
    if !table.text.is_empty() {
        schema.insert("description".to_owned(), Json::from(table.text));
    }
    schema.insert("properties".to_owned(), Json::Object(properties));
    if !required.is_empty() {
        schema.insert("required".to_owned(), Json::from(required));
    }
    schema.insert("additionalProperties".to_owned(), Json::from(false));
    Json::Object(schema)
}

fn property(key: &Key) -> Json {
    let text = json!({ "type": "string" });
    let mut schema = match key.sort {
        Sort::Text { .. } => text,
        Sort::Choice { words } => json!({ "enum": words }),
        Sort::Count { least, most } => json!({ "type": "integer", "minimum": least, "maximum": most }),
        Sort::Bytes { least, most } => json!({ "anyOf": [
            { "type": "integer", "minimum": least, "maximum": most },
            { "type": "string", "pattern": "^[0-9]+ ?(B|KiB|MiB|GiB)$" },
        ] }),
        Sort::Time { .. } => json!({ "type": "string", "pattern": "^[0-9]+ ?(ms|s|m|h|d)$" }),
        Sort::Texts { .. } => json!({ "type": "array", "items": text, "minItems": 1 }),
        Sort::Pairs { .. } => json!({ "type": "object", "additionalProperties": text }),
    };
    if let Json::Object(members) = &mut schema {
        members.insert("description".to_owned(), Json::from(key.text));
        if let Some(default) = key.default_value() {
            members.insert("default".to_owned(), default_of(&default));
        }
    }
    schema
}

fn default_of(value: &Value) -> Json {
    match value {
        Value::Text(text) => Json::from(text.as_ref()),
        Value::Count(number) => Json::from(*number),
        Value::Bytes(bytes) => Json::from(Size(*bytes).to_string()),
        Value::Time(time) => Json::from(Span(*time).to_string()),
        // No list and no pairs have a default.
        Value::Texts(_) | Value::Pairs(_) => Json::Null,
    }
}
