//! What a message of the Model Context Protocol may be: its frame, its method, its shape.
//!
//! For: saying of a document that the strict reader made whether it is a message of one revision in one direction.
//! Must never: ask who sends it, whether they may, or what its data means; repair anything; repeat a peer's words in an error.
//! On the road: `read` makes the [`Frame`], `validate` checks it here; inspection and release use the same method table.

mod envelope;
mod facts;
mod header;
mod header_params;
mod method;
mod revision;
mod shape;
mod table;

pub use envelope::{Envelope, Frame, FrameError, Id};
pub use facts::{CountedAs, Direction, Facts, ListKind, MethodKind, Target};
pub use header::{HeaderValueError, decode_header_value, encode_header_value};
pub use header_params::{HeaderParam, HeaderParamType, InvalidHeaderParam, header_params};
pub use method::Method;
pub use revision::{Era, Revision, Revisions};
pub use shape::Rule;
pub use table::{InvalidMessage, check_error, check_message, check_result};
