//! The append-only record: hash chain, group commit, verify. No network; never changes a row.
//!
//! For: keeping every step of every ticket so that nothing that was acknowledged is lost by the end of the process, and so
//! that a change made afterwards is found. The format is in `docs/audit-format.md`.
//! Must never: open a socket, read a clock of its own, rewrite a line that stands, or acknowledge what is not written.
//! On the road: behind the port [`stockade_core::ports::Record`]; the guard `record` and every ticket write through it.

#[cfg(test)]
mod faults;
mod files;
mod folder;
mod hash;
mod head;
mod keeper;
mod line;
mod log;
mod open;
mod query;
mod reply;
mod segment;
mod stored;
mod verify;
mod walk;
mod writer;

pub use head::HeadError;
pub use log::{AuditLog, Health};
pub use open::{AuditOptions, Cut, OpenError, OpenReport};
pub use query::{Filter, QueryError, Records, query};
pub use segment::ReadError;
pub use stored::{StoredFinding, StoredRecord};
pub use verify::{VerifyError, VerifyProgress, VerifyReport, verify};
pub use walk::{BadRecord, Flaw};
