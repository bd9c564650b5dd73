//! The doors: how messages come in and released ones go out. They differ in nothing else.

mod body;
mod headers;
mod http;
mod stdio;
mod streams;

pub use http::{HttpDoor, HttpListener, HttpSettings};
pub use stdio::serve_stdio;
pub(crate) use streams::Streams;
