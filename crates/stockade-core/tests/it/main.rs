//! Promises of the road that need more than one of its parts.

mod frames;
mod messages;
mod methods;
mod schemas;
