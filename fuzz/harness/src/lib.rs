//! What must hold for every input, one function per parser. A broken promise is a panic, which is what a fuzzer finds.
//!
//! Each function takes raw bytes, never refuses an input and never needs a socket or the clock. The fuzz targets and
//! the replay test call the same functions; [`TARGETS`] is the list of them.

mod config;
mod credentials;
mod cursor;
mod http1;
mod names;
mod proxy;
mod reader;
mod sse;
mod tokens;

pub use config::fuzz_config;
pub use credentials::fuzz_credentials;
pub use cursor::fuzz_cursor;
pub use http1::fuzz_http1;
pub use names::fuzz_names;
pub use proxy::fuzz_proxy;
pub use reader::fuzz_reader;
pub use sse::fuzz_sse;
pub use tokens::{fuzz_proofs, fuzz_tokens};

/// A function that panics when an input breaks a promise.
pub type Property = fn(&[u8]);

/// Every target: the name of its corpus folder, and its function.
pub const TARGETS: &[(&str, Property)] = &[
    ("config", fuzz_config),
    ("credentials", fuzz_credentials),
    ("cursor", fuzz_cursor),
    ("http1", fuzz_http1),
    ("names", fuzz_names),
    ("proofs", fuzz_proofs),
    ("proxy", fuzz_proxy),
    ("reader", fuzz_reader),
    ("sse", fuzz_sse),
    ("tokens", fuzz_tokens),
];

/// Takes the first byte of an input as the size of the pieces that the rest is cut into; 0 means not at all.
fn pieces(data: &[u8]) -> (usize, &[u8]) {
    match data.split_first() {
        None | Some((0, [])) => (usize::MAX, &[]),
        Some((0, rest)) => (usize::MAX, rest),
        Some((size, rest)) => (usize::from(*size), rest),
    }
}
