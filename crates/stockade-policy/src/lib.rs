//! Who may do what: Cedar policies behind [`stockade_core::ports::Policy`].
//!
//! For: turning the operator's words (policy files, `[[permit]]` tables, a starter) into answers, and saying why.
//! Must never: read a file, a clock or the network; see a secret; answer "allow" because something went wrong.
//! On the road: guard 4, `authorise`, asks [`CedarPolicy`] for each message and for each entry of a list.
//!
//! The manual for operators is `docs/policy.md`; the model is `stockade.cedarschema` beside this file.

mod address;
mod cache;
mod clause;
pub mod explain;
mod facts;
mod file;
pub mod glob;
mod index;
mod permit;
pub mod policy;
pub mod problem;
pub mod reload;
mod rule;
pub mod schema;
pub mod source;

pub use explain::{Explanation, RulePlace};
pub use glob::Glob;
pub use policy::CedarPolicy;
pub use problem::{PolicyErrors, PolicyProblem};
pub use reload::ReloadablePolicy;
pub use rule::Rule;
pub use source::{CallerPattern, FromServer, PermitRule, Place, PolicySource, ServerPattern, Sources, Starter};
