//! Opening a session, discovering a server, and what each side says it can do.

use super::base::{IMPLEMENTATION, cache_scope, complete, modern_request_meta, request_meta, result_meta, ttl_ms};
use crate::mcp::revision::Revision::{V2025_03_26, V2025_06_18, V2025_11_25, V2026_07_28};
use crate::mcp::shape::{Member, NAME, STRING, Shape, Table, optional, required};

pub(super) static INITIALIZE: Table = Table::new(&[
    request_meta(),
    modern_request_meta(),
    required("protocolVersion", NAME),
    required("capabilities", Shape::Object(&CLIENT_CAPABILITIES)),
    required("clientInfo", Shape::Object(&IMPLEMENTATION)),
]);

pub(super) static INITIALIZE_RESULT: Table = Table::new(&[
    result_meta(),
    required("protocolVersion", NAME),
    required("capabilities", Shape::Object(&SERVER_CAPABILITIES)),
    required("serverInfo", Shape::Object(&IMPLEMENTATION)),
    optional("instructions", STRING),
]);

pub(super) static DISCOVER_RESULT: Table = Table::new(&[
    result_meta(),
    complete(),
    ttl_ms(),
    cache_scope(),
    required("supportedVersions", Shape::List(&NAME)),
    required("capabilities", Shape::Object(&SERVER_CAPABILITIES)),
    optional("instructions", STRING),
]);

const fn experimental() -> Member {
    optional("experimental", Shape::Map(&Shape::Data))
}

const fn extensions() -> Member {
    optional("extensions", Shape::Map(&Shape::Data)).since(V2026_07_28)
}

const fn list_changed() -> Member {
    optional("listChanged", Shape::Bool)
}

pub(super) static CLIENT_CAPABILITIES: Table = Table::new(&[
    experimental(),
    extensions(),
    optional("roots", Shape::Object(&ROOTS_CAPABILITY)),
    optional("sampling", Shape::Object(&SAMPLING_CAPABILITY)),
    optional("elicitation", Shape::Object(&ELICITATION_CAPABILITY)).since(V2025_06_18),
    optional("tasks", Shape::Object(&CLIENT_TASKS)).since(V2025_11_25).until(V2025_11_25),
]);

static ROOTS_CAPABILITY: Table = Table::new(&[list_changed().until(V2025_11_25)]);

static SAMPLING_CAPABILITY: Table = Table::new(&[
    optional("context", Shape::Data).since(V2025_11_25),
    optional("tools", Shape::Data).since(V2025_11_25),
]);

static ELICITATION_CAPABILITY: Table =
    Table::new(&[optional("form", Shape::Data).since(V2025_11_25), optional("url", Shape::Data).since(V2025_11_25)]);

static SERVER_CAPABILITIES: Table = Table::new(&[
    experimental(),
    extensions(),
    optional("logging", Shape::Data),
    optional("completions", Shape::Data).since(V2025_03_26),
    optional("prompts", Shape::Object(&LIST_CAPABILITY)),
    optional("resources", Shape::Object(&RESOURCES_CAPABILITY)),
    optional("tools", Shape::Object(&LIST_CAPABILITY)),
    optional("tasks", Shape::Object(&SERVER_TASKS)).since(V2025_11_25).until(V2025_11_25),
]);

static LIST_CAPABILITY: Table = Table::new(&[list_changed()]);
static RESOURCES_CAPABILITY: Table = Table::new(&[list_changed(), optional("subscribe", Shape::Bool)]);

static CLIENT_TASKS: Table = Table::new(&[
    optional("list", Shape::Data),
    optional("cancel", Shape::Data),
    optional("requests", Shape::Object(&CLIENT_TASK_REQUESTS)),
]);

static CLIENT_TASK_REQUESTS: Table = Table::new(&[
    optional("elicitation", Shape::Object(&TASK_CREATE)),
    optional("sampling", Shape::Object(&TASK_CREATE_MESSAGE)),
]);

static TASK_CREATE: Table = Table::new(&[optional("create", Shape::Data)]);
static TASK_CREATE_MESSAGE: Table = Table::new(&[optional("createMessage", Shape::Data)]);

static SERVER_TASKS: Table = Table::new(&[
    optional("list", Shape::Data),
    optional("cancel", Shape::Data),
    optional("requests", Shape::Object(&SERVER_TASK_REQUESTS)),
]);

static SERVER_TASK_REQUESTS: Table = Table::new(&[optional("tools", Shape::Object(&TASK_CALL))]);
static TASK_CALL: Table = Table::new(&[optional("call", Shape::Data)]);
