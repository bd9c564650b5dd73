//! The servers behind us: how their messages come and go. Sits at `forward`.
//!
//! Must never: send anything that is not written from an [`Outbound`], but for the protocol's own housekeeping (probing
//! the era, reviving a session, cancelling); hand an answer to anybody but the exchange whose id it carries.

mod calls;
mod http;
mod http_params;
mod link;
mod merged;
mod probe;
mod servers;
mod stdio;

pub use http::is_reserved_header;
pub(crate) use link::Link;
pub(crate) use merged::reopen_cursor;
pub use servers::{ChildLimits, ServerKind, ServerSpec, Servers, ToolSpec};
