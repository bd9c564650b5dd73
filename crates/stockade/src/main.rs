//! The stockade command: configuration, wiring, command line. Decides nothing.
fn main() {}
