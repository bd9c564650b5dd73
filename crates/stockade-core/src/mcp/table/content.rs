//! Blocks of content: text, images, audio, resources, and what models say about tools.

use super::base::{ANNOTATIONS, part_meta};
use super::resources::{CONTENTS, RESOURCE_LINK};
use crate::mcp::revision::Revision::{V2025_03_26, V2025_06_18, V2025_11_25, V2026_07_28};
use crate::mcp::shape::{Member, NAME, STRING, Shape, Table, Tagged, Text, case, optional, required};

/// A block of content in a prompt or a tool's result.
pub(super) const BLOCK: Shape = Shape::Tagged(&BLOCKS);

static BLOCKS: Tagged = Tagged {
    member: "type",
    absent: None,
    cases: &[
        case("text", &TEXT),
        case("image", &MEDIA),
        case("audio", &MEDIA).since(V2025_03_26),
        case("resource_link", &RESOURCE_LINK).since(V2025_06_18),
        case("resource", &EMBEDDED),
    ],
};

/// A block of content in a conversation with a model.
pub(super) static MODEL_BLOCKS: Tagged = Tagged {
    member: "type",
    absent: None,
    cases: &[
        case("text", &TEXT),
        case("image", &MEDIA),
        case("audio", &MEDIA).since(V2025_03_26),
        case("tool_use", &TOOL_USE).since(V2025_11_25),
        case("tool_result", &TOOL_RESULT).since(V2025_11_25),
    ],
};

const fn annotations() -> Member {
    optional("annotations", Shape::Object(&ANNOTATIONS))
}

static TEXT: Table = Table::new(&[required("type", STRING), required("text", STRING), annotations(), part_meta()]);

static MEDIA: Table = Table::new(&[
    required("type", STRING),
    required("data", Shape::Text(Text::Base64)),
    required("mimeType", NAME),
    annotations(),
    part_meta(),
]);

static EMBEDDED: Table =
    Table::new(&[required("type", STRING), required("resource", Shape::Object(&CONTENTS)), annotations(), part_meta()]);

static TOOL_USE: Table = Table::new(&[
    required("type", STRING),
    required("id", STRING),
    required("name", NAME),
    required("input", Shape::Data),
    part_meta(),
]);

static TOOL_RESULT: Table = Table::new(&[
    required("type", STRING),
    required("toolUseId", STRING),
    required("content", Shape::List(&BLOCK)),
    optional("isError", Shape::Bool),
    optional("structuredContent", Shape::Data).until(V2025_11_25),
    optional("structuredContent", Shape::Any).since(V2026_07_28),
    part_meta(),
]);
