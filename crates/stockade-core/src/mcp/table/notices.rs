//! Progress, cancellation, log messages and subscriptions.

use super::base::{
    IMPLEMENTATION, LOGGING_LEVEL, complete, modern_request_meta, modern_stream_meta, notification_meta, request_meta,
    stream_meta,
};
use crate::mcp::revision::Revision::V2025_03_26;
use crate::mcp::shape::{NAME, STRING, Shape, Table, URI, optional, required};

/// 2025-11-25 lets `requestId` away, and then nothing is cancelled: tasks have `tasks/cancel`. Here it must be there.
pub(super) static CANCELLED: Table =
    Table::new(&[notification_meta(), required("requestId", Shape::Id), optional("reason", STRING)]);

pub(super) static PROGRESS: Table = Table::new(&[
    notification_meta(),
    required("progressToken", Shape::Token),
    required("progress", Shape::Number),
    optional("total", Shape::Number),
    optional("message", STRING).since(V2025_03_26),
]);

pub(super) static LOG_MESSAGE: Table = Table::new(&[
    notification_meta(),
    required("level", LOGGING_LEVEL),
    required("data", Shape::Any),
    optional("logger", NAME),
]);

pub(super) static SET_LEVEL: Table =
    Table::new(&[request_meta(), modern_request_meta(), required("level", LOGGING_LEVEL)]);

pub(super) static LISTEN: Table =
    Table::new(&[request_meta(), modern_request_meta(), required("notifications", Shape::Object(&FILTER))]);

pub(super) static ACKNOWLEDGED: Table =
    Table::new(&[stream_meta(), modern_stream_meta(), required("notifications", Shape::Object(&FILTER))]);

/// Which changes a stream tells. `taskIds` is of the tasks extension.
static FILTER: Table = Table::new(&[
    optional("toolsListChanged", Shape::Bool),
    optional("promptsListChanged", Shape::Bool),
    optional("resourcesListChanged", Shape::Bool),
    optional("resourceSubscriptions", Shape::List(&URI)),
    optional("taskIds", Shape::List(&NAME)),
]);

pub(super) static LISTEN_RESULT: Table =
    Table::new(&[required("_meta", Shape::Object(&LISTEN_RESULT_META)), complete()]);

static LISTEN_RESULT_META: Table = Table::new(&[
    required("io.modelcontextprotocol/subscriptionId", Shape::Id),
    optional("io.modelcontextprotocol/serverInfo", Shape::Object(&IMPLEMENTATION)),
]);
