//! Test parts: a scripted MCP server that records what reaches it, clients down to the byte, a gateway launcher.
//!
//! For: the attack cases and the end-to-end tests, which all run the real `stockade` binary.
//! Never: part of what is shipped; nothing here may be a dependency of a product crate except for tests.
//! On the road: stands at both ends, as the client before the door and as the upstream behind it.
//!
//! Everything is blocking code on plain threads, so a test is a plain `#[test] fn`; every wait takes a deadline.
//! The tour with a full example is `README.md`.

mod folder;
mod random;
mod timer;
pub mod authorization;
pub mod certificates;

mod http_text;
mod sse;

mod received;
mod recorder;
pub mod relay;
mod reply;
mod script;
mod upstream;
mod well_behaved;

mod answer;
mod client;
mod era;

mod audit;
mod canaries;
mod config;
mod gateway;
mod invariants;
mod process;
mod stage;
mod tls;

pub use answer::Answer;
pub use audit::AuditRecord;
pub use canaries::{Canaries, Canary};
pub use client::{Caller, EventStream, HttpClient, Outgoing, RawHttp, Response, StdioClient, endpoint};
pub use config::{Config, Permit};
pub use era::{Era, MODERN, mirrored_name, mirrored_value};
pub use folder::TempFolder;
pub use gateway::{Gateway, GatewayOptions};
pub use http_text::Head;
pub use invariants::{Invariants, Subject, check_invariants};
pub use process::{Footprint, Signal, descendants, footprint, is_alive, signal, wait_until};
pub use random::Random;
pub use received::{HttpPart, Received, Transport};
pub use recorder::Recorder;
pub use reply::Reply;
pub use script::Script;
pub use sse::{SseEvent, SseParser};
pub use stage::{Lane, Stage};
pub use tls::{TlsClient, TlsFront, TlsFrontOptions, TlsOptions};
pub use upstream::{ServerEntry, Upstream, relay_path};
pub use well_behaved::{Call, Control, Tool, WellBehaved, text};
