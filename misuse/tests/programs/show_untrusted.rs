//! A peer's text is shown as if it were ours.
use stockade_core::words::Untrusted;

fn main() {
    let said = Untrusted::new("x".to_owned());
    println!("{said}");
}
