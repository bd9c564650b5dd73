//! 2026-07-28: what a server asks inside a result, and what a client answers in its next request (SEP-2322).

use super::base::result_meta;
use super::elicitation::{MODES, RESULT};
use super::sampling::{CREATE_MESSAGE, CREATE_MESSAGE_RESULT, LIST_ROOTS_RESULT};
use crate::mcp::shape::{Member, STRING, Shape, Table, Tagged, case, input_is_required, optional, required};

pub(super) static INPUT_REQUIRED: Table = Table::with_rule(
    &[
        result_meta(),
        required("resultType", Shape::Enum(&["input_required"])),
        optional("inputRequests", INPUT_REQUESTS),
        request_state(),
    ],
    input_is_required,
);

pub(super) const INPUT_REQUESTS: Shape = Shape::Map(&Shape::Tagged(&EMBEDDED));
pub(super) const INPUT_RESPONSES: Shape = Shape::Map(&Shape::Told(&ANSWERS));

/// The answers, by the keys of the questions.
pub(super) const fn input_responses() -> Member {
    optional("inputResponses", INPUT_RESPONSES)
}

/// What the server wants back, byte for byte.
pub(super) const fn request_state() -> Member {
    optional("requestState", STRING)
}

static EMBEDDED: Tagged = Tagged {
    member: "method",
    absent: None,
    cases: &[
        case("sampling/createMessage", &EMBEDDED_SAMPLING),
        case("elicitation/create", &EMBEDDED_ELICITATION),
        case("roots/list", &EMBEDDED_ROOTS),
    ],
};

static EMBEDDED_SAMPLING: Table =
    Table::new(&[required("method", STRING), required("params", Shape::Object(&CREATE_MESSAGE))]);
static EMBEDDED_ELICITATION: Table =
    Table::new(&[required("method", STRING), required("params", Shape::Tagged(&MODES))]);
static EMBEDDED_ROOTS: Table =
    Table::new(&[required("method", STRING), optional("params", Shape::Object(&EMBEDDED_ROOTS_PARAMS))]);
static EMBEDDED_ROOTS_PARAMS: Table = Table::new(&[optional("_meta", Shape::Data)]);

/// An answer does not say what it answers; each kind has one member that no other has.
static ANSWERS: [(&str, &Table); 3] =
    [("action", &RESULT), ("roots", &LIST_ROOTS_RESULT), ("model", &CREATE_MESSAGE_RESULT)];
