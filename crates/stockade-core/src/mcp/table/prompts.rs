//! Prompts and completion.

use super::base::{
    ROLE, cache_scope, complete, icons, modern_request_meta, next_cursor, part_meta, request_meta, result_meta, title,
    ttl_ms,
};
use super::content::BLOCK;
use super::input::{INPUT_REQUIRED, input_responses, request_state};
use super::resources::READ_RESULT;
use crate::mcp::revision::Revision::{V2025_06_18, V2025_11_25, V2026_07_28};
use crate::mcp::shape::{INTEGER, NAME, STRING, STRINGS, Shape, Table, Tagged, Text, case, optional, required};

pub(super) static GET: Table = Table::new(&[
    request_meta(),
    modern_request_meta(),
    required("name", Shape::Text(Text::Wanted)),
    optional("arguments", Shape::Both(&Shape::Map(&STRING), &Shape::Arguments)),
    input_responses().since(V2026_07_28),
    request_state().since(V2026_07_28),
]);

pub(super) static GET_RESULT: Table = Table::new(&[
    result_meta(),
    complete(),
    optional("description", STRING),
    required("messages", Shape::List(&Shape::Object(&MESSAGE))),
]);

/// 2026-07-28: a prompt, or questions first.
pub(super) static GET_RESULTS: Tagged = Tagged {
    member: "resultType",
    absent: None,
    cases: &[case("complete", &GET_RESULT), case("input_required", &INPUT_REQUIRED)],
};

/// 2026-07-28: a resource, or questions first.
pub(super) static READ_RESULTS: Tagged = Tagged {
    member: "resultType",
    absent: None,
    cases: &[case("complete", &READ_RESULT), case("input_required", &INPUT_REQUIRED)],
};

static MESSAGE: Table = Table::new(&[required("role", ROLE), required("content", BLOCK)]);

pub(super) static LIST_RESULT: Table = Table::new(&[
    result_meta(),
    complete(),
    ttl_ms(),
    cache_scope(),
    next_cursor(),
    required("prompts", Shape::List(&Shape::Object(&PROMPT))),
]);

static PROMPT: Table = Table::new(&[
    required("name", NAME),
    title(),
    optional("description", STRING),
    optional("arguments", Shape::List(&Shape::Object(&ARGUMENT))),
    icons(),
    part_meta(),
]);

static ARGUMENT: Table =
    Table::new(&[required("name", NAME), title(), optional("description", STRING), optional("required", Shape::Bool)]);

pub(super) static COMPLETE: Table = Table::new(&[
    request_meta(),
    modern_request_meta(),
    required("ref", Shape::Tagged(&REFERENCES)),
    required("argument", Shape::Object(&COMPLETED)),
    optional("context", Shape::Object(&CONTEXT)).since(V2025_06_18),
]);

static REFERENCES: Tagged = Tagged {
    member: "type",
    absent: None,
    cases: &[case("ref/prompt", &PROMPT_REFERENCE), case("ref/resource", &TEMPLATE_REFERENCE)],
};

static PROMPT_REFERENCE: Table =
    Table::new(&[required("type", STRING), required("name", Shape::Text(Text::Wanted)), title()]);

static TEMPLATE_REFERENCE: Table =
    Table::new(&[required("type", STRING), required("uri", Shape::Text(Text::UriTemplate))]);

static COMPLETED: Table = Table::new(&[required("name", NAME), required("value", STRING)]);
static CONTEXT: Table = Table::new(&[optional("arguments", Shape::Both(&Shape::Map(&STRING), &Shape::Arguments))]);

pub(super) static COMPLETE_RESULT: Table =
    Table::new(&[result_meta(), complete(), required("completion", Shape::Object(&COMPLETION))]);

static COMPLETION: Table = Table::new(&[
    required("values", STRINGS).until(V2025_11_25),
    required("values", Shape::ShortList(&STRING, 100)).since(V2026_07_28),
    optional("total", INTEGER),
    optional("hasMore", Shape::Bool),
]);
