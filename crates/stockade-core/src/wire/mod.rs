//! The one strict reader and writer of JSON on the road.
//!
//! For: turning bytes from a peer into a [`Document`] exactly once, and turning judged documents into bytes.
//! Must never: repair, coerce or guess; parse the same bytes a second time by another set of rules.
//! On the road: `read`, the first guard, and `release`, the last.

mod canonical;
mod document;
mod edit;
mod fold;
mod limits;
mod scan;
mod text;

pub use canonical::{Digest, canonical_digest};
pub use document::{Array, Document, Elements, Kind, Members, Object, Value};
pub use edit::{EditError, Edits};
pub use fold::{fold_name, folds_to};
pub use limits::WireLimits;
pub use scan::ReadError;
pub use text::{push_json_string, to_json_string};
