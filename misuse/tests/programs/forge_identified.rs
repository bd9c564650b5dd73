//! Somebody outside of the guard makes its evidence.
use stockade_core::guard::Identified;
use stockade_core::words::Caller;

fn forge(caller: Caller) -> Identified {
    Identified { caller }
}

fn main() {}
