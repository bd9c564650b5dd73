//! The road of Stockade: words, wire, method table, guards, pipeline, ports.
//!
//! For: carrying one message from a door through every guard to an upstream and back.
//! Must never: do input or output of any kind. What it needs from the world it asks for through [`ports`].

pub mod words;
pub mod identity;
pub mod wire;
pub mod mcp;
pub mod record;
pub mod ports;
pub mod refusal;
pub mod ticket;
pub mod guard;
mod presence;
pub mod pipeline;
