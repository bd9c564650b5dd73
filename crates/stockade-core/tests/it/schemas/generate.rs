//! Messages from schemas, and faults for them. Everything follows from one seed.

use super::oracle::definitions;
use serde_json::{Map, Value, json};

/// A small random source (SplitMix64) and what is made from it.
pub(super) struct Generator {
    state: u64,
}

/// Strings for members without meaning of their own; the odd ones come seldom.
const WORDS: [&str; 8] = ["a", "name", "größe", "読む", "two words", "x/y", "2026-07-28", "\u{1f600}"];
const ODD: [&str; 4] = ["", "a\u{0}b", "tab\there", "\u{85}"];
const URIS: [&str; 4] =
    ["file:///srv/data/a.txt", "https://example.com/a?b=c", "data:image/png;base64,AAAA", "urn:a:b"];
const ODD_URIS: [&str; 4] = ["javascript:alert(1)", "no scheme", "", "/etc/passwd"];
const BASE64: [&str; 3] = ["", "AAAA", "aGVsbG8="];
const ODD_BASE64: [&str; 3] = ["A", "AA-_", "not base64"];

impl Generator {
    pub(super) fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.state;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).unwrap()
    }

    /// True in `percent` of a hundred cases.
    pub(super) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub(super) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        let position = self.below(from.len());
        &from[position]
    }

    pub(super) fn id(&mut self) -> Value {
        match self.below(200) {
            0..10 => json!(-7),
            10..20 => json!(9_007_199_254_740_991_i64),
            20 => json!(9_007_199_254_740_993_i64),
            21 => json!(1.0),
            22 => "x".repeat(1100).into(),
            number if number < 100 => json!(number),
            _ => (*self.pick(&WORDS)).into(),
        }
    }

    /// A value that `schema`, of `document`, describes.
    pub(super) fn make(&mut self, document: &Value, schema: &Value) -> Value {
        self.value(document, schema, Place { name: "", definition: "", depth: 0 })
    }

    fn value(&mut self, document: &Value, schema: &Value, place: Place<'_>) -> Value {
        if let Some(reference) = schema["$ref"].as_str() {
            let name = reference.rsplit('/').next().unwrap();
            if name == "RequestId" {
                return self.id();
            }
            return self.value(document, &definitions(document)[name], Place { definition: name, ..place });
        }
        if let Some(value) = schema.get("const") {
            return value.clone();
        }
        if let Some(values) = schema["enum"].as_array() {
            return self.pick(values).clone();
        }
        for keyword in ["anyOf", "oneOf"] {
            if let Some(choices) = schema[keyword].as_array() {
                let choice = self.pick(choices);
                return self.value(document, choice, place);
            }
        }
        if let Some(parts) = schema["allOf"].as_array() {
            let mut whole = Value::Null;
            for part in parts {
                let made = self.value(document, part, place);
                merge(&mut whole, made);
            }
            return whole;
        }
        let kind = match &schema["type"] {
            Value::Array(kinds) => self.pick(kinds).as_str().unwrap(),
            Value::String(kind) => kind,
            _ if schema.get("properties").is_some() => "object",
            _ => return self.anything(2),
        };
        match kind {
            "object" => self.object(document, schema, place),
            "array" => {
                let most = if place.depth > 7 { 2 } else { 3 };
                let count = if schema.get("maxItems").is_some() && self.chance(3) { 101 } else { self.below(most) };
                (0..count).map(|_| self.value(document, &schema["items"], place.deeper())).collect()
            }
            "string" => self.string(schema, place).into(),
            "integer" => self.integer(),
            "number" if schema.get("maximum").is_some() => {
                self.pick(&[json!(0), json!(1), json!(0.5), json!(1.0)]).clone()
            }
            "number" => self.pick(&[json!(0), json!(-1), json!(0.7), json!(1e3), json!(12_345_678_901_i64)]).clone(),
            "boolean" => self.chance(50).into(),
            "null" => Value::Null,
            other => panic!("the generator does not know the type {other}"),
        }
    }

    fn object(&mut self, document: &Value, schema: &Value, place: Place<'_>) -> Value {
        let mut object = Map::new();
        let required: Vec<_> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let wanted = if place.depth > 7 { 10 } else { 40 };
        for (name, inner) in schema["properties"].as_object().into_iter().flatten() {
            if required.contains(&name.as_str()) || self.chance(wanted) {
                let place = Place { name, definition: place.definition, depth: place.depth + 1 };
                object.insert(name.clone(), self.value(document, inner, place));
            }
        }
        match &schema["additionalProperties"] {
            Value::Object(inner) if !inner.is_empty() && inner.get("not").is_none() => {
                let inner = &schema["additionalProperties"];
                for number in 0..self.below(3) {
                    object.insert(format!("key{number}"), self.value(document, inner, place.deeper()));
                }
            }
            Value::Object(inner) if inner.get("not").is_some() => {}
            _ if self.chance(10) => {
                object.insert((*self.pick(&["vendor", "größe", "x-a", "read"])).into(), self.anything(2));
            }
            _ => {}
        }
        if place.name == "inputSchema" && self.chance(10) {
            object.insert((*self.pick(&["properties", "required"])).into(), self.anything(2));
        }
        if place.definition == "SubscriptionFilter" && self.chance(20) {
            object.insert("taskIds".into(), self.anything(2));
        }
        if place.name == "arguments" && self.chance(5) {
            object.insert("path".into(), "a".into());
            object.insert((*self.pick(&["Path", "p\u{430}th", "PATH"])).into(), "b".into());
        }
        object.into()
    }

    fn string(&mut self, schema: &Value, place: Place<'_>) -> String {
        if place.name == "resultType" || place.definition == "ResultType" {
            let fitting = if place.definition == "InputRequiredResult" { "input_required" } else { "complete" };
            return if self.chance(85) {
                fitting
            } else {
                *self.pick(&["complete", "input_required", "task", "other"])
            }
            .into();
        }
        let odd = self.chance(2);
        let from: &[&str] = match schema["format"].as_str() {
            Some("uri") if odd => &ODD_URIS,
            Some("uri") if matches!(place.name, "url" | "src" | "websiteUrl") => &URIS[1..2],
            Some("uri") => &URIS,
            Some("byte") if odd => &ODD_BASE64,
            Some("byte") => &BASE64,
            _ if odd && self.chance(20) => return "n".repeat(129),
            _ if odd => &ODD,
            _ => &WORDS,
        };
        (*self.pick(from)).into()
    }

    fn integer(&mut self) -> Value {
        let numbers = [json!(0), json!(1), json!(1000), json!(7), json!(60_000)];
        let odd = [json!(-1), json!(2.0), json!(9_007_199_254_740_993_i64), json!(1e300)];
        if self.chance(4) { self.pick(&odd).clone() } else { self.pick(&numbers).clone() }
    }

    /// Any JSON, not deeper than `depth`.
    fn anything(&mut self, depth: usize) -> Value {
        match self.below(if depth == 0 { 5 } else { 7 }) {
            0 => Value::Null,
            1 => self.chance(50).into(),
            2 => self.integer(),
            3 => json!(-0.25),
            4 => (*self.pick(&WORDS)).into(),
            5 => (0..self.below(3)).map(|_| self.anything(depth - 1)).collect(),
            _ => {
                let mut object = Map::new();
                for _ in 0..self.below(3) {
                    object.insert((*self.pick(&WORDS)).into(), self.anything(depth - 1));
                }
                object.into()
            }
        }
    }
}

/// Where in a message a value is being made.
#[derive(Clone, Copy)]
struct Place<'s> {
    /// The member's name.
    name: &'s str,
    /// The definition that is being followed.
    definition: &'s str,
    depth: usize,
}

impl Place<'_> {
    fn deeper(self) -> Self {
        Self { depth: self.depth + 1, ..self }
    }
}

fn merge(whole: &mut Value, part: Value) {
    match (whole, part) {
        (Value::Object(whole), Value::Object(part)) => {
            for (name, value) in part {
                merge(whole.entry(name).or_insert(Value::Null), value);
            }
        }
        (whole, part) => *whole = part,
    }
}

/// Puts one fault, or what may be one, somewhere into a message.
pub(super) fn mutate(message: &mut Value, generator: &mut Generator) {
    let mut places = Vec::new();
    find_places(message, &mut String::new(), &mut places);
    // Half of the faults go to the upper levels, where the protocol is.
    let upper: Vec<_> = places.iter().filter(|place| place.matches('/').count() <= 3).cloned().collect();
    let place = if generator.chance(50) { generator.pick(&upper) } else { generator.pick(&places) };
    let other = generator.anything(2);
    let Some(value) = message.pointer_mut(place) else { return };
    match generator.below(12) {
        0..=2 => with_member(value, generator, |object, name, _| {
            object.remove(name);
        }),
        3 => with_member(value, generator, |object, name, _| {
            let moved = object.remove(name).unwrap();
            object.insert(change_case(name), moved);
        }),
        4 => with_member(value, generator, |object, name, generator| {
            let alike = match generator.below(3) {
                0 => change_case(name),
                1 => name.replacen('s', "\u{17f}", 1),
                _ => name.replacen('e', "\u{435}", 1),
            };
            let copy = object[name].clone();
            object.insert(alike, copy);
        }),
        5 => with_member(value, generator, |object, name, _| {
            object[name] = Value::Null;
        }),
        6 => add_stranger(value, other, generator),
        7 => *value = json!([value.clone()]),
        8 => *value = json!({ "inner": value.clone() }),
        9 => *value = nudge(value, generator),
        _ => *value = other,
    }
}

fn find_places(value: &Value, path: &mut String, places: &mut Vec<String>) {
    places.push(path.clone());
    let length = path.len();
    let mut below = |name: &str, inner: &Value| {
        path.push('/');
        path.push_str(&name.replace('~', "~0").replace('/', "~1"));
        find_places(inner, path, places);
        path.truncate(length);
    };
    match value {
        Value::Object(object) => object.iter().for_each(|(name, inner)| below(name, inner)),
        Value::Array(array) => array.iter().take(8).enumerate().for_each(|(at, inner)| below(&at.to_string(), inner)),
        _ => {}
    }
}

fn with_member(
    value: &mut Value,
    generator: &mut Generator,
    change: impl Fn(&mut Map<String, Value>, &str, &mut Generator),
) {
    if let Some(object) = value.as_object_mut().filter(|object| !object.is_empty()) {
        let names: Vec<_> = object.keys().cloned().collect();
        let name = generator.pick(&names).clone();
        change(object, &name, generator);
    }
}

/// A member that belongs elsewhere in the protocol, or nowhere.
fn add_stranger(value: &mut Value, stranger: Value, generator: &mut Generator) {
    const NAMES: [&str; 18] = [
        "vendor",
        "id",
        "method",
        "params",
        "result",
        "error",
        "text",
        "blob",
        "content",
        "task",
        "action",
        "roots",
        "model",
        "taskIds",
        "_meta",
        "resultType",
        "required",
        "enum",
    ];
    if let Some(object) = value.as_object_mut() {
        object.insert((*generator.pick(&NAMES)).into(), stranger);
    }
}

fn change_case(name: &str) -> String {
    let mut letters = name.chars();
    let first = letters
        .next()
        .map(|letter| if letter.is_uppercase() { letter.to_ascii_lowercase() } else { letter.to_ascii_uppercase() });
    first.into_iter().chain(letters).collect()
}

/// A value of nearly the same kind.
fn nudge(value: &Value, generator: &mut Generator) -> Value {
    match value {
        Value::String(text) if generator.chance(30) => format!("{text}\u{0}").into(),
        Value::String(text) if generator.chance(30) => text.to_uppercase().into(),
        Value::String(text) => format!("{text}x").into(),
        Value::Number(number) if generator.chance(50) => number.to_string().into(),
        Value::Number(number) => {
            let number = number.as_f64().unwrap();
            generator.pick(&[json!(number + 0.5), json!(-number), json!(number * 1e20), json!(number.round())]).clone()
        }
        Value::Bool(bool) => bool.to_string().into(),
        _ => Value::Null,
    }
}
