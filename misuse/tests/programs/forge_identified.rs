//! Somebody outside of the guard makes its evidence.
use stockade_core::guard::Identified;
use stockade_core::identity::Identity;

fn forge(identity: Identity) -> Identified {
    Identified { identity }
}

fn main() {}
