//! The command line, the configuration, and the wiring of the parts. Decides nothing.
//!
//! For: turning what an operator says into a running gateway, and what the gateway knows into words for people.
//! Must never: judge a message, open a socket, start a process, or show a secret; the crates that may do so are wired here.
//! On the road: around it.

mod authentication;
mod cli;
mod commands;
pub mod config;
mod environment;
mod exit;
mod identities;
mod logging;
mod operator;
mod operator_record;
mod output;
mod plan;
mod sign_in;
mod stop;
mod transport;
mod up;
mod upkeep;
mod when;
mod wiring;
mod wrap;

pub use cli::main;
pub use environment::Environment;
pub use exit::Exit;
