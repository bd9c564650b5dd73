//! The group `unicode`: terminal escapes, control characters and invisible characters.
//!
//! One walk over the text, symbol by symbol. Each symbol is kept or cut at once; the scanner never goes back, and looks
//! ahead only within named limits, so its time is linear and its memory does not grow with the text.

mod scanner;

mod context;
mod terminal;

mod class;
mod link;
mod reader;
mod rules;
mod style;

pub(crate) use class::{Class, class_of};
pub(crate) use scanner::scan;

pub use context::MAX_FLAG_TAGS;
pub use link::MAX_LINK_LABEL_CHARS;
pub use scanner::{MAX_MARKS_PER_BASE, SPLIT_GAP_CHARS, SPLIT_STREAK};
pub use terminal::{MAX_CSI_CHARS, MAX_STRING_BODY_CHARS};
