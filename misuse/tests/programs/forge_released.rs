//! A door makes up a message to send.
use stockade_core::guard::Released;

fn forge(bytes: bytes::Bytes) -> Released {
    Released { bytes, status: 200 }
}

fn main() {}
