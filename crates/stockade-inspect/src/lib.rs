//! The screening engine: text in, findings and cleaned text out.
//!
//! It serves the `inspect` step of the road: what a peer sent is screened before a model, a terminal or a person gets
//! to read it. [`Screen::screen`] looks for hidden and deceptive characters (group [`Group::Unicode`]); the other
//! groups have their names and places but no rules yet. [`escape`] makes peers' text safe to print.
//!
//! It must never do I/O, read a clock, know MCP, or panic on any `&str`. Every scan takes time linear in its input and
//! every list it makes is bounded by a named constant.
#![forbid(unsafe_code)]

mod screen;

mod kind;
mod report;

mod collector;
mod gate;
mod rule;
mod unicode;

pub mod escape;

pub use gate::may_need_screening;
pub use kind::{TextKind, TextKindError};
pub use report::{Finding, Group, MAX_FINDINGS, Report, Severity, Verdict};
pub use screen::{Screen, ScreenConfig};
pub use unicode::{
    MAX_CSI_CHARS, MAX_FLAG_TAGS, MAX_LINK_LABEL_CHARS, MAX_MARKS_PER_BASE, MAX_STRING_BODY_CHARS, SPLIT_GAP_CHARS,
    SPLIT_STREAK,
};
