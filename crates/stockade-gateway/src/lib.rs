//! The doors and the upstreams: everything that speaks to the outside. The only crate with sockets.
//!
//! For: bringing messages to the road of `stockade-core` and taking released ones away.
//! Must never: decide about a message, or let one pass that the road has not released.

pub mod http1;
pub mod sse;
mod door;
mod hub;
mod line;
mod room;
mod session;
mod upstream;

pub use ::http::{HeaderName, HeaderValue, Uri};
pub use door::{HttpDoor, HttpListener, HttpSettings, serve_stdio};
pub use http1::Http1Limits;
pub use hub::{Hub, SystemClock};
pub use session::{SessionLimits, SessionTable};
pub use upstream::{ChildLimits, ServerKind, ServerSpec, Servers, ToolSpec};

/// For the fuzz harness alone: what a merged list's cursor opens to must seal and open to the same again.
#[doc(hidden)]
#[must_use]
pub fn reopen_cursor_for_fuzz(plain: &[u8]) -> Option<bool> {
    upstream::reopen_cursor(plain)
}
