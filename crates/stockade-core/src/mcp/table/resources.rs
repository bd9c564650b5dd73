//! Resources: listing, reading, following.

use super::base::{
    ANNOTATIONS, cache_scope, complete, icons, modern_request_meta, modern_stream_meta, next_cursor, part_meta,
    request_meta, result_meta, stream_meta, title, ttl_ms,
};
use super::input::{input_responses, request_state};
use crate::mcp::revision::Revision::V2026_07_28;
use crate::mcp::shape::{
    INTEGER, Member, NAME, STRING, Shape, Table, Text, URI, a_single_kind_of_contents, optional, required,
};

pub(super) static READ: Table = Table::new(&[
    request_meta(),
    modern_request_meta(),
    required("uri", URI),
    input_responses().since(V2026_07_28),
    request_state().since(V2026_07_28),
]);

pub(super) static READ_RESULT: Table = Table::new(&[
    result_meta(),
    complete(),
    ttl_ms(),
    cache_scope(),
    required("contents", Shape::List(&Shape::Object(&CONTENTS))),
]);

/// What is in a resource.
pub(super) static CONTENTS: Table = Table::with_rule(
    &[
        required("uri", URI),
        optional("mimeType", NAME),
        optional("text", STRING),
        optional("blob", Shape::Text(Text::Base64)),
        part_meta(),
    ],
    a_single_kind_of_contents,
);

pub(super) static SUBSCRIBE: Table = Table::new(&[request_meta(), modern_request_meta(), required("uri", URI)]);

pub(super) static UPDATED: Table = Table::new(&[stream_meta(), modern_stream_meta(), required("uri", URI)]);

pub(super) static LIST_RESULT: Table = Table::new(&[
    result_meta(),
    complete(),
    ttl_ms(),
    cache_scope(),
    next_cursor(),
    required("resources", Shape::List(&Shape::Object(&RESOURCE))),
]);

pub(super) static TEMPLATES_RESULT: Table = Table::new(&[
    result_meta(),
    complete(),
    ttl_ms(),
    cache_scope(),
    next_cursor(),
    required("resourceTemplates", Shape::List(&Shape::Object(&TEMPLATE))),
]);

const fn description() -> Member {
    optional("description", STRING)
}

const fn mime_type() -> Member {
    optional("mimeType", NAME)
}

const fn size() -> Member {
    optional("size", INTEGER)
}

const fn annotations() -> Member {
    optional("annotations", Shape::Object(&ANNOTATIONS))
}

static RESOURCE: Table = Table::new(&[
    required("uri", URI),
    required("name", NAME),
    title(),
    description(),
    mime_type(),
    size(),
    icons(),
    annotations(),
    part_meta(),
]);

/// A resource in a block of content.
pub(super) static RESOURCE_LINK: Table = Table::new(&[
    required("type", STRING),
    required("uri", URI),
    required("name", NAME),
    title(),
    description(),
    mime_type(),
    size(),
    icons(),
    annotations(),
    part_meta(),
]);

static TEMPLATE: Table = Table::new(&[
    required("uriTemplate", Shape::Text(Text::UriTemplate)),
    required("name", NAME),
    title(),
    description(),
    mime_type(),
    icons(),
    annotations(),
    part_meta(),
]);
