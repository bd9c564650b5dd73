//! A secret is formatted.
use stockade_core::words::Secret;

fn main() {
    let secret = Secret::new("x".to_owned());
    println!("{secret}");
}
