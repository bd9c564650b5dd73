//! A secret is copied and compared.
use stockade_core::words::Secret;

fn main() {
    let secret = Secret::new("x".to_owned());
    let copy = secret.clone();
    let _ = secret == copy;
}
