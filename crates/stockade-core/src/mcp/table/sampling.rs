//! Asking the client's model, and asking for its roots.

use super::base::{ROLE, part_meta, request_meta, result_meta};
use super::content::MODEL_BLOCKS;
use super::tasks::{CREATED_TASK_RESULT, task_metadata};
use super::tools::TOOL;
use crate::mcp::revision::Revision::{V2025_06_18, V2025_11_25};
use crate::mcp::shape::{INTEGER, Member, NAME, STRING, STRINGS, Shape, Table, URI, optional, required};

pub(super) static CREATE_MESSAGE: Table = Table::new(&[
    request_meta(),
    required("messages", Shape::List(&Shape::Object(&MESSAGE))),
    required("maxTokens", INTEGER),
    optional("systemPrompt", STRING),
    optional("includeContext", Shape::Enum(&["none", "thisServer", "allServers"])),
    optional("temperature", Shape::Number),
    optional("stopSequences", STRINGS),
    optional("metadata", Shape::Data),
    optional("modelPreferences", Shape::Object(&PREFERENCES)),
    optional("tools", Shape::List(&Shape::Object(&TOOL))).since(V2025_11_25),
    optional("toolChoice", Shape::Object(&TOOL_CHOICE)).since(V2025_11_25),
    task_metadata(),
]);

const CONTENT: Shape = Shape::Tagged(&MODEL_BLOCKS);

/// One block in the older revisions, one or several in the newer ones.
const fn content() -> Member {
    required("content", CONTENT).until(V2025_06_18)
}

const fn newer_content() -> Member {
    required("content", Shape::OneOrList(&CONTENT, &Shape::List(&CONTENT))).since(V2025_11_25)
}

static MESSAGE: Table =
    Table::new(&[required("role", ROLE), content(), newer_content(), part_meta().since(V2025_11_25)]);

static PREFERENCES: Table = Table::new(&[
    optional("hints", Shape::List(&Shape::Object(&HINT))),
    optional("costPriority", Shape::Share),
    optional("speedPriority", Shape::Share),
    optional("intelligencePriority", Shape::Share),
]);

static HINT: Table = Table::new(&[optional("name", STRING)]);
static TOOL_CHOICE: Table = Table::new(&[optional("mode", Shape::Enum(&["auto", "required", "none"]))]);

pub(super) static CREATE_MESSAGE_RESULT: Table = Table::new(&[
    result_meta(),
    required("role", ROLE),
    content(),
    newer_content(),
    required("model", NAME),
    optional("stopReason", STRING),
]);

/// 2025-11-25: a task in the place of the result, if the request asked for one.
pub(super) static CREATE_MESSAGE_RESULT_OR_TASK: [(&str, &Table); 2] =
    [("content", &CREATE_MESSAGE_RESULT), ("task", &CREATED_TASK_RESULT)];

pub(super) static LIST_ROOTS: Table = Table::new(&[request_meta()]);

pub(super) static LIST_ROOTS_RESULT: Table =
    Table::new(&[result_meta(), required("roots", Shape::List(&Shape::Object(&ROOT)))]);

static ROOT: Table = Table::new(&[required("uri", URI), optional("name", NAME), part_meta()]);
