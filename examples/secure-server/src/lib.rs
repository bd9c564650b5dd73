//! The sample server `secure-mcp-server`: one tool, `secure_query`, over a read-only embedded SQLite database.
//!
//! For: giving `stockade up` something real to protect before anybody has configured a server, and showing what a careful
//! tool looks like: arguments checked before anything runs, least privilege, limits on all that a query may cost, a
//! deadline that really ends the work.
//! Must never: write to its database, reach any other file, or let one query cost more than its limits.
//! On the road: an upstream like any other. It knows nothing of Stockade.

mod arguments;
mod authorizer;
mod database;
mod query;
mod sample;
mod serve;
mod tool;

pub use database::{Database, OpenError};
pub use query::{Answer, Budget, Cancel, QueryError};
pub use sample::SampleError;
pub use serve::{ServeError, run_stdio};
