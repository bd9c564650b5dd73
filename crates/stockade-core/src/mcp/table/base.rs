//! What every area uses: `_meta`, who somebody is, icons, annotations, and the members that all results share.

use crate::mcp::revision::Revision::{V2025_06_18, V2025_11_25, V2026_07_28};
use crate::mcp::shape::{Member, NAME, NATURAL, STRING, STRINGS, Shape, Table, Text, optional, required};

use super::lifecycle::CLIENT_CAPABILITIES;

pub(super) const ROLE: Shape = Shape::Enum(&["user", "assistant"]);
pub(super) const LOGGING_LEVEL: Shape =
    Shape::Enum(&["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"]);

/// `_meta` of a request.
pub(super) static REQUEST_META: Table = Table::new(&[
    optional("progressToken", Shape::Token),
    optional("io.modelcontextprotocol/related-task", Shape::Object(&RELATED_TASK))
        .since(V2025_11_25)
        .until(V2025_11_25),
    required("io.modelcontextprotocol/protocolVersion", NAME).since(V2026_07_28),
    required("io.modelcontextprotocol/clientCapabilities", Shape::Object(&CLIENT_CAPABILITIES)).since(V2026_07_28),
    optional("io.modelcontextprotocol/clientInfo", Shape::Object(&IMPLEMENTATION)).since(V2026_07_28),
    optional("io.modelcontextprotocol/logLevel", LOGGING_LEVEL).since(V2026_07_28),
]);

/// `_meta` of a notification.
static NOTIFICATION_META: Table = Table::new(&[
    optional("io.modelcontextprotocol/related-task", Shape::Object(&RELATED_TASK))
        .since(V2025_11_25)
        .until(V2025_11_25),
    optional("io.modelcontextprotocol/subscriptionId", Shape::Id).since(V2026_07_28),
]);

/// `_meta` of a notification that, from 2026-07-28 on, travels on a listen stream only.
static STREAM_META: Table = Table::new(&[
    optional("io.modelcontextprotocol/related-task", Shape::Object(&RELATED_TASK))
        .since(V2025_11_25)
        .until(V2025_11_25),
    required("io.modelcontextprotocol/subscriptionId", Shape::Id).since(V2026_07_28),
]);

/// `_meta` of a result.
static RESULT_META: Table = Table::new(&[
    optional("io.modelcontextprotocol/related-task", Shape::Object(&RELATED_TASK))
        .since(V2025_11_25)
        .until(V2025_11_25),
    optional("io.modelcontextprotocol/serverInfo", Shape::Object(&IMPLEMENTATION)).since(V2026_07_28),
]);

static RELATED_TASK: Table = Table::new(&[required("taskId", Shape::Text(Text::Wanted))]);

/// `_meta` of a request that a client sends: required from 2026-07-28 on. In two parts, because a member has one need.
pub(super) const fn request_meta() -> Member {
    optional("_meta", Shape::Object(&REQUEST_META)).until(V2025_11_25)
}

pub(super) const fn modern_request_meta() -> Member {
    required("_meta", Shape::Object(&REQUEST_META)).since(V2026_07_28)
}

pub(super) const fn notification_meta() -> Member {
    optional("_meta", Shape::Object(&NOTIFICATION_META))
}

/// `_meta` of a notification that may travel only on a listen stream, legacy part.
pub(super) const fn stream_meta() -> Member {
    optional("_meta", Shape::Object(&STREAM_META)).until(V2025_11_25)
}

pub(super) const fn modern_stream_meta() -> Member {
    required("_meta", Shape::Object(&STREAM_META)).since(V2026_07_28)
}

pub(super) const fn result_meta() -> Member {
    optional("_meta", Shape::Object(&RESULT_META))
}

/// `_meta` of a part of a message: anybody's data, declared from 2025-06-18 on.
pub(super) const fn part_meta() -> Member {
    optional("_meta", Shape::Data).since(V2025_06_18)
}

/// `resultType` of a result that can only be complete (MCP 2026-07-28; the schema allows any string).
pub(super) const fn complete() -> Member {
    required("resultType", Shape::Enum(&["complete"])).since(V2026_07_28)
}

/// How long a cacheable result may be kept, in milliseconds (SEP-2549).
pub(super) const fn ttl_ms() -> Member {
    required("ttlMs", NATURAL).since(V2026_07_28)
}

/// Who may share a cached result (SEP-2549).
pub(super) const fn cache_scope() -> Member {
    required("cacheScope", Shape::Enum(&["public", "private"])).since(V2026_07_28)
}

pub(super) const fn next_cursor() -> Member {
    optional("nextCursor", STRING)
}

/// A name for people, declared for most things from 2025-06-18 on.
pub(super) const fn title() -> Member {
    optional("title", STRING).since(V2025_06_18)
}

pub(super) const fn icons() -> Member {
    optional("icons", Shape::List(&ICON_SHAPE)).since(V2025_11_25)
}

/// A request without parameters of its own.
pub(super) static BARE_REQUEST: Table = Table::new(&[request_meta(), modern_request_meta()]);

/// A request for a page of a list.
pub(super) static PAGED_REQUEST: Table =
    Table::new(&[request_meta(), modern_request_meta(), optional("cursor", STRING)]);

/// A notification without parameters of its own.
pub(super) static BARE_NOTIFICATION: Table = Table::new(&[notification_meta()]);

/// The same for notifications of a listen stream.
pub(super) static BARE_STREAM_NOTIFICATION: Table = Table::new(&[stream_meta(), modern_stream_meta()]);

/// A result without members of its own.
pub(super) static BARE_RESULT: Table = Table::new(&[result_meta(), complete()]);

/// Who a client or server says it is.
pub(super) static IMPLEMENTATION: Table = Table::new(&[
    required("name", NAME),
    required("version", NAME),
    title(),
    optional("description", STRING).since(V2025_11_25),
    icons(),
    optional("websiteUrl", Shape::Text(Text::Url(&["https", "http"]))).since(V2025_11_25),
]);

static ICON_SHAPE: Shape = Shape::Object(&ICON);
static ICON: Table = Table::new(&[
    required("src", Shape::Text(Text::Url(&["https", "http", "data"]))),
    optional("mimeType", NAME),
    optional("sizes", STRINGS),
    optional("theme", Shape::Enum(&["light", "dark"])),
]);

/// For whom a part of a message is, and how much it matters.
pub(super) static ANNOTATIONS: Table = Table::new(&[
    optional("audience", Shape::List(&ROLE)),
    optional("priority", Shape::Share),
    optional("lastModified", STRING).since(V2025_06_18),
]);
