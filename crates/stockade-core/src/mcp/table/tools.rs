//! Tools: listing and calling.

use super::base::{
    cache_scope, complete, icons, modern_request_meta, next_cursor, part_meta, request_meta, result_meta, title, ttl_ms,
};
use super::content::BLOCK;
use super::input::{INPUT_REQUIRED, input_responses, request_state};
use super::tasks::{CREATED_TASK, CREATED_TASK_RESULT, task_metadata};
use crate::mcp::revision::Revision::{V2025_03_26, V2025_06_18, V2025_11_25, V2026_07_28};
use crate::mcp::shape::{NAME, STRING, STRINGS, Shape, Table, Tagged, Text, case, optional, required};

pub(super) static CALL: Table = Table::new(&[
    request_meta(),
    modern_request_meta(),
    required("name", Shape::Text(Text::WantedTool)),
    optional("arguments", Shape::Arguments),
    task_metadata(),
    input_responses().since(V2026_07_28),
    request_state().since(V2026_07_28),
]);

/// 2026-07-28: the result says which of three it is.
pub(super) static CALL_RESULTS: Tagged = Tagged {
    member: "resultType",
    absent: None,
    cases: &[case("complete", &CALL_RESULT), case("input_required", &INPUT_REQUIRED), case("task", &CREATED_TASK)],
};

/// 2025-11-25: a task in the place of the result, if the call asked for one.
pub(super) static CALL_RESULT_OR_TASK: [(&str, &Table); 2] =
    [("content", &CALL_RESULT), ("task", &CREATED_TASK_RESULT)];

pub(super) static CALL_RESULT: Table = Table::new(&[
    result_meta(),
    complete(),
    required("content", Shape::List(&BLOCK)),
    optional("isError", Shape::Bool),
    optional("structuredContent", Shape::Data).since(V2025_06_18).until(V2025_11_25),
    optional("structuredContent", Shape::Any).since(V2026_07_28),
]);

pub(super) static LIST_RESULT: Table = Table::new(&[
    result_meta(),
    complete(),
    ttl_ms(),
    cache_scope(),
    next_cursor(),
    required("tools", Shape::List(&Shape::Object(&TOOL))),
]);

/// A tool as its server describes it.
pub(super) static TOOL: Table = Table::new(&[
    required("name", NAME),
    title(),
    optional("description", STRING),
    required("inputSchema", Shape::Object(&INPUT_SCHEMA)),
    optional("outputSchema", Shape::Object(&INPUT_SCHEMA)).since(V2025_06_18).until(V2025_11_25),
    optional("outputSchema", Shape::Object(&OUTPUT_SCHEMA)).since(V2026_07_28),
    optional("annotations", Shape::Object(&TOOL_ANNOTATIONS)).since(V2025_03_26),
    optional("execution", Shape::Object(&EXECUTION)).since(V2025_11_25).until(V2025_11_25),
    icons(),
    part_meta(),
]);

/// The outermost object of a JSON Schema for arguments. Whether it is a good schema is for the guard that uses it.
static INPUT_SCHEMA: Table = Table::new(&[
    required("type", Shape::Enum(&["object"])),
    optional("$schema", STRING).since(V2025_11_25),
    optional("properties", Shape::Map(&Shape::Data)).until(V2025_11_25),
    optional("required", STRINGS).until(V2025_11_25),
    // Draft 2020-12 lets a property's schema be `true` or `false`, and the schema of the protocol says nothing more.
    optional("properties", Shape::Data).since(V2026_07_28),
    optional("required", STRINGS).since(V2026_07_28),
]);

static OUTPUT_SCHEMA: Table = Table::new(&[optional("$schema", STRING)]);

static TOOL_ANNOTATIONS: Table = Table::new(&[
    optional("title", STRING),
    optional("readOnlyHint", Shape::Bool),
    optional("destructiveHint", Shape::Bool),
    optional("idempotentHint", Shape::Bool),
    optional("openWorldHint", Shape::Bool),
]);

static EXECUTION: Table = Table::new(&[optional("taskSupport", Shape::Enum(&["forbidden", "optional", "required"]))]);
