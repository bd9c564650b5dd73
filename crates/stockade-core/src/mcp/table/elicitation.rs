//! Asking the person at the client.

use super::base::request_meta;
use super::tasks::{CREATED_TASK_RESULT, task_metadata};
use crate::mcp::revision::Revision::{V2025_06_18, V2025_11_25, V2026_07_28};
use crate::mcp::shape::{
    Case, INTEGER, Member, STRING, STRINGS, Shape, Table, Tagged, Text, case, elicitation_items_are_an_enumeration,
    optional, required,
};

use super::base::result_meta;

/// From 2025-11-25 on: a form to fill, or a page to visit.
pub(super) static MODES: Tagged =
    Tagged { member: "mode", absent: Some(&FORM), cases: &[case("form", &FORM), case("url", &URL)] };

pub(super) static FORM: Table = Table::new(&[
    request_meta(),
    optional("mode", STRING).since(V2025_11_25),
    required("message", STRING),
    required("requestedSchema", Shape::Object(&REQUESTED_SCHEMA)),
    task_metadata(),
]);

/// A page to visit: only for the web, whatever scheme a careless client would open (protocol.md §3.4).
pub(super) static URL: Table = Table::new(&[
    request_meta(),
    required("mode", Shape::Enum(&["url"])),
    required("message", STRING),
    required("url", Shape::Text(Text::Url(&["https", "http"]))),
    required("elicitationId", Shape::Text(Text::Wanted)).until(V2025_11_25),
    task_metadata(),
]);

static REQUESTED_SCHEMA: Table = Table::new(&[
    required("type", Shape::Enum(&["object"])),
    required("properties", Shape::Map(&Shape::Tagged(&QUESTIONS))),
    optional("required", STRINGS),
    optional("$schema", STRING).since(V2025_11_25),
]);

/// What may be asked for: one flat value for each property. Where the published schema has several variants with the same
/// `type`, one table holds the members of them all.
static QUESTIONS: Tagged = Tagged {
    member: "type",
    absent: None,
    cases: &[
        case("string", &TEXT_QUESTION),
        case("number", &NUMBER_QUESTION),
        case("integer", &NUMBER_QUESTION),
        case("boolean", &YES_NO_QUESTION),
        since_2025_11_25("array", &LIST_QUESTION),
    ],
};

const fn since_2025_11_25(tag: &'static str, table: &'static Table) -> Case {
    case(tag, table).since(V2025_11_25)
}

const fn title() -> Member {
    optional("title", STRING)
}

const fn description() -> Member {
    optional("description", STRING)
}

static TEXT_QUESTION: Table = Table::new(&[
    required("type", STRING),
    title(),
    description(),
    optional("default", STRING).since(V2025_11_25),
    optional("minLength", INTEGER),
    optional("maxLength", INTEGER),
    optional("format", Shape::Enum(&["email", "uri", "date", "date-time"])),
    optional("enum", STRINGS),
    optional("enumNames", STRINGS),
    optional("oneOf", Shape::List(&Shape::Object(&TITLED))).since(V2025_11_25),
]);

static NUMBER_QUESTION: Table = Table::new(&[
    required("type", STRING),
    title(),
    description(),
    optional("default", Shape::Number).since(V2025_11_25),
    optional("minimum", Shape::Number),
    optional("maximum", Shape::Number),
]);

static YES_NO_QUESTION: Table = Table::new(&[
    required("type", STRING),
    title(),
    description(),
    optional("default", Shape::Bool).since(V2025_06_18),
]);

static LIST_QUESTION: Table = Table::new(&[
    required("type", STRING),
    title(),
    description(),
    optional("default", STRINGS),
    optional("minItems", INTEGER),
    optional("maxItems", INTEGER),
    required("items", Shape::Object(&ITEMS)),
]);

static ITEMS: Table = Table::with_rule(
    &[
        optional("type", Shape::Enum(&["string"])),
        optional("enum", STRINGS),
        optional("anyOf", Shape::List(&Shape::Object(&TITLED))),
    ],
    elicitation_items_are_an_enumeration,
);

static TITLED: Table = Table::new(&[required("const", STRING), required("title", STRING)]);

pub(super) static RESULT: Table = Table::new(&[
    result_meta(),
    required("action", Shape::Enum(&["accept", "decline", "cancel"])),
    optional("content", Shape::Map(&Shape::Answer)),
]);

/// 2025-11-25: a task in the place of the result, if the request asked for one.
pub(super) static RESULT_OR_TASK: [(&str, &Table); 2] = [("action", &RESULT), ("task", &CREATED_TASK_RESULT)];

/// 2025-11-25: a page that was asked for has been dealt with.
pub(super) static COMPLETED: Table =
    Table::new(&[super::base::notification_meta(), required("elicitationId", Shape::Text(Text::Wanted))]);

/// 2025-11-25: the data of error -32042, the pages to visit before asking again.
pub(super) static REQUIRED_ERROR: Table =
    Table::new(&[required("elicitations", Shape::List(&Shape::Object(&URL))).until(V2026_07_28)]);
