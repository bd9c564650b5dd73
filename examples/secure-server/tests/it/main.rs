//! The sample server from outside: what queries may do, and real conversations over stdio.
#![expect(clippy::disallowed_methods, reason = "tests start the binary that they test")]

#[cfg(test)]
mod attacks;
#[cfg(test)]
mod conversation;
#[cfg(test)]
mod sample;
