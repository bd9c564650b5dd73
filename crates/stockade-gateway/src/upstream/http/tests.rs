//! The link before a scripted upstream on loopback, reached by messages that have really gone along the road.

mod bench;
mod fake;
mod legacy;
mod modern;
