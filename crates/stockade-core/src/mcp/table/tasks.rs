//! Tasks: of the core in 2025-11-25, of the extension `io.modelcontextprotocol/tasks` in 2026-07-28.

use super::base::{
    complete, modern_request_meta, modern_stream_meta, next_cursor, notification_meta, request_meta, result_meta,
    stream_meta,
};
use super::errors::ERROR;
use super::input::{INPUT_REQUESTS, INPUT_RESPONSES};
use crate::mcp::revision::Revision::{V2025_11_25, V2026_07_28};
use crate::mcp::shape::{EXACT_INTEGER, INTEGER, Member, STRING, Shape, Table, Tagged, Text, case, optional, required};

const TASK_ID: Shape = Shape::Text(Text::Wanted);
const STATUS: Shape = Shape::Enum(&["working", "input_required", "completed", "failed", "cancelled"]);

/// 2025-11-25: "do this as a task".
pub(super) const fn task_metadata() -> Member {
    optional("task", Shape::Object(&METADATA)).since(V2025_11_25).until(V2025_11_25)
}

static METADATA: Table = Table::new(&[optional("ttl", INTEGER)]);

/// `tasks/get`, `tasks/result`, `tasks/cancel`.
pub(super) static BY_ID: Table = Table::new(&[request_meta(), modern_request_meta(), required("taskId", TASK_ID)]);

pub(super) static UPDATE: Table = Table::new(&[
    request_meta(),
    modern_request_meta(),
    required("taskId", TASK_ID),
    required("inputResponses", INPUT_RESPONSES),
]);

/// A task, with the names that its revision gives to its times.
static TASK: Table = Table::new(&[
    required("taskId", TASK_ID),
    required("status", STATUS),
    optional("statusMessage", STRING),
    required("createdAt", STRING),
    required("lastUpdatedAt", STRING),
    required("ttl", Shape::ExactIntegerOrNull).until(V2025_11_25),
    optional("pollInterval", INTEGER).until(V2025_11_25),
    required("ttlMs", Shape::ExactIntegerOrNull).since(V2026_07_28),
    optional("pollIntervalMs", EXACT_INTEGER).since(V2026_07_28),
]);

/// 2025-11-25: the answer to a request that asked for a task.
pub(super) static CREATED_TASK_RESULT: Table = Table::new(&[result_meta(), required("task", Shape::Object(&TASK))]);

/// 2026-07-28: the server has made a task of the call; the task's members stand in the result itself.
pub(super) static CREATED_TASK: Table = Table::new(&[
    result_meta(),
    required("resultType", Shape::Enum(&["task"])),
    required("taskId", TASK_ID),
    required("status", STATUS),
    optional("statusMessage", STRING),
    required("createdAt", STRING),
    required("lastUpdatedAt", STRING),
    required("ttlMs", Shape::ExactIntegerOrNull),
    optional("pollIntervalMs", EXACT_INTEGER),
]);

/// 2025-11-25: `tasks/get` and `tasks/cancel`.
pub(super) static TASK_RESULT: Shape = Shape::Both(&Shape::Object(&BARE_TASK_RESULT), &Shape::Object(&TASK));

/// 2026-07-28: `tasks/get`.
pub(super) static DETAILED_RESULT: Shape = Shape::Both(&TASK_RESULT, &Shape::Tagged(&DETAILS));

static BARE_TASK_RESULT: Table = Table::new(&[result_meta(), complete()]);

/// 2026-07-28: what a task has beside the members of every task.
static DETAILS: Tagged = Tagged {
    member: "status",
    absent: None,
    cases: &[
        case("working", &NOTHING_MORE),
        case("input_required", &QUESTIONS),
        case("completed", &OUTCOME),
        case("failed", &FAILURE),
        case("cancelled", &NOTHING_MORE),
    ],
};

static NOTHING_MORE: Table = Table::new(&[]);
static QUESTIONS: Table = Table::new(&[required("inputRequests", INPUT_REQUESTS)]);
static OUTCOME: Table = Table::new(&[required("result", Shape::Data)]);
static FAILURE: Table = Table::new(&[required("error", Shape::Object(&ERROR))]);

pub(super) static LIST_RESULT: Table =
    Table::new(&[result_meta(), next_cursor(), required("tasks", Shape::List(&Shape::Object(&TASK)))]);

/// 2025-11-25: `notifications/tasks/status`.
pub(super) static STATUS_CHANGED: Shape = Shape::Both(&Shape::Object(&STATUS_META), &Shape::Object(&TASK));

/// 2026-07-28: `notifications/tasks`.
pub(super) static CHANGED: Shape =
    Shape::Both(&Shape::Both(&Shape::Object(&CHANGED_META), &Shape::Object(&TASK)), &Shape::Tagged(&DETAILS));

static STATUS_META: Table = Table::new(&[notification_meta()]);
static CHANGED_META: Table = Table::new(&[stream_meta(), modern_stream_meta()]);
