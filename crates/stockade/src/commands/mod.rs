//! The commands that answer and end.
//!
//! Must never: change anything that their name does not say.

pub(crate) mod audit;
pub(crate) mod auth;
pub(crate) mod certs;
pub(crate) mod config;
pub(crate) mod inspect;
pub(crate) mod keys;
pub(crate) mod revoke;
pub(crate) mod sample_server;
pub(crate) mod users;
