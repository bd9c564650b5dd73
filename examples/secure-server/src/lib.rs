//! The sample server.
