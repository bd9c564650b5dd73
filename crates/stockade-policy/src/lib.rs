//! Who may do what: Cedar policies behind [`stockade_core::ports::Policy`].
//!
//! For: turning the operator's words (policy files, `[[permit]]` tables, a starter) into answers, and saying why.
//! Must never: read a file, a clock or the network; see a secret; answer "allow" because something went wrong.
//! On the road: guard 4, `authorise`, asks [`CedarPolicy`] for each message and for each entry of a list.
//!
//! The manual for operators is `docs/policy.md`; the model is `stockade.cedarschema` beside this file.

pub mod policy;
pub mod reload;
pub mod explain;
pub mod source;
pub mod glob;
pub mod problem;
pub mod schema;
mod permit;
mod file;
mod rule;
mod index;
mod facts;
mod address;
mod cache;

pub use explain::{Explanation, RulePlace};
pub use glob::Glob;
pub use policy::CedarPolicy;
pub use problem::{PolicyErrors, PolicyProblem};
pub use reload::ReloadablePolicy;
pub use source::{CallerPattern, FromServer, PermitRule, Place, PolicySource, ServerPattern, Sources, Starter};
