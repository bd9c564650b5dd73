//! Errors, with the data that the protocol gives to some codes.

use super::elicitation::REQUIRED_ERROR;
use super::lifecycle::CLIENT_CAPABILITIES;
use crate::mcp::revision::Revision;
use crate::mcp::shape::{INTEGER, NAME, STRING, Shape, Table, optional, required};

pub(super) static ERROR: Table =
    Table::new(&[required("code", INTEGER), required("message", STRING), optional("data", Shape::Any)]);

/// The shape of an error with `code`, in addition to [`ERROR`] (MCP 2025-11-25 and 2026-07-28, error codes).
pub(super) fn shape_of_code(code: i64, revision: Revision) -> Option<Shape> {
    match (code, revision) {
        (-32042, Revision::V2025_11_25) => Some(Shape::Object(&URL_ELICITATION_REQUIRED)),
        (-32021, Revision::V2026_07_28) => Some(Shape::Object(&MISSING_CAPABILITY)),
        (-32022, Revision::V2026_07_28) => Some(Shape::Object(&UNSUPPORTED_VERSION)),
        _ => None,
    }
}

static URL_ELICITATION_REQUIRED: Table = Table::new(&[required("data", Shape::Object(&REQUIRED_ERROR))]);

static MISSING_CAPABILITY: Table = Table::new(&[required("data", Shape::Object(&MISSING_CAPABILITY_DATA))]);
static MISSING_CAPABILITY_DATA: Table =
    Table::new(&[required("requiredCapabilities", Shape::Object(&CLIENT_CAPABILITIES))]);

static UNSUPPORTED_VERSION: Table = Table::new(&[required("data", Shape::Object(&UNSUPPORTED_VERSION_DATA))]);
static UNSUPPORTED_VERSION_DATA: Table =
    Table::new(&[required("supported", Shape::List(&NAME)), required("requested", STRING)]);
