//! The command from outside.
#![expect(clippy::disallowed_methods, reason = "tests start the binary and read UPDATE_GOLDEN")]

#[cfg(test)]
mod audit;
#[cfg(test)]
mod config_check;
#[cfg(test)]
mod config_show;
#[cfg(test)]
mod differential;
#[cfg(test)]
mod documents;
#[cfg(test)]
mod golden;
#[cfg(test)]
mod inspect;
#[cfg(test)]
mod keys;
#[cfg(test)]
mod program;
#[cfg(test)]
mod layers;
#[cfg(test)]
mod real_peers;
#[cfg(test)]
mod revoke;
#[cfg(test)]
mod sign_in;
#[cfg(test)]
mod transport;
#[cfg(test)]
mod users;
