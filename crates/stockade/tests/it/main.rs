//! The command from outside.
#![expect(clippy::disallowed_methods, reason = "tests start the binary and read UPDATE_GOLDEN")]

mod audit;
mod config_check;
mod config_show;
mod golden;
mod inspect;
mod keys;
mod program;
