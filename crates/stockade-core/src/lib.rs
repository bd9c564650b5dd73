//! The road of Stockade: words, wire, method table, guards, pipeline, ports.
//!
//! For: carrying one message from a door through every guard to an upstream and back.
//! Must never: do input or output of any kind. What it needs from the world it asks for through [`ports`].

pub mod wire;
