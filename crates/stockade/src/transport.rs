//! Transport as it is configured: the files behind it, opened and found good.
//!
//! Must never: start with a certificate, key or list that cannot be used.

use crate::config::{Config, Server, Target};
use crate::exit::Exit;
use crate::output::{Complaint, Failure};
use std::sync::Arc;
use stockade_core::ports::Clock;
use stockade_gateway::{ServerTls, SystemClock, UpstreamTls};

/// TLS for the gateway's address; nothing without `[tls]`.
pub(crate) fn server_tls(config: &Config, clock: Arc<dyn Clock>) -> Result<Option<Arc<ServerTls>>, Failure> {
    let open = |settings| ServerTls::open(settings, clock).map_err(|error| own(&error).with(Exit::Usage));
    config.tls.clone().map(open).transpose()
}

/// TLS to a server, with files that can be used.
pub(crate) fn upstream_tls(server: &Server, tls: &UpstreamTls) -> Result<UpstreamTls, Failure> {
    tls.check().map_err(|error| to_server(server, &error).with(Exit::Usage))?;
    Ok(tls.clone())
}

/// Everything that is wrong with the files, for `config check`.
pub(crate) fn file_problems(config: &Config) -> Vec<Complaint> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let door = config.tls.clone().and_then(|settings| ServerTls::open(settings, clock).err());
    let servers = config.servers.iter().filter_map(|server| match &server.target {
        Target::Http(upstream) => {
            upstream.tls.as_ref().and_then(|tls| tls.check().err()).map(|error| to_server(server, &error))
        }
        Target::Command { .. } => None,
    });
    door.map(|error| own(&error)).into_iter().chain(servers).collect()
}

fn own(error: &dyn std::error::Error) -> Complaint {
    Complaint::of(error).fix("correct the file, or what `[tls]` says of it; `stockade certs status` shows all of them")
}

fn to_server(server: &Server, error: &dyn std::error::Error) -> Complaint {
    let name = &server.name;
    Complaint::of(error)
        .fix(format!("correct the file, or what `[servers.{name}.tls]` says of it (line {})", server.line))
}
