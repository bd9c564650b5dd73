//! The stdio and HTTP doors and the upstream clients. The only crate with sockets.
