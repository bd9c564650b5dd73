//! The wrapper as a whole: over memory with the clock in hand, and before a real hyper server over loopback.

mod hyper_server;
mod over_memory;
