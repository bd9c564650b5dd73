//! Project tasks in Rust: format, lint, test, tidy, bench.
fn main() {}
