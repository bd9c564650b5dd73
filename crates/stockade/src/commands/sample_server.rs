//! `stockade sample-server`: what the gateway runs as the sample server's process.
//!
//! Must never: write anything but the protocol to standard output.

use crate::config::Config;
use crate::exit::Exit;
use crate::output::{Complaint, Failure};

pub(crate) fn run(config: &Config) -> Result<Exit, Failure> {
    let served = secure_server::run_stdio(&config.gateway.data);
    served.map(|()| Exit::Done).map_err(|error| Complaint::of(&error).with(Exit::Internal))
}
