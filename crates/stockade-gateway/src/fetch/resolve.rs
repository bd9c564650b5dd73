//! From names to addresses, once for each question.

use std::io;
use std::net::SocketAddr;
use stockade_core::ports::PortFuture;
use tokio::net::lookup_host;

/// Addresses of one name that are looked at.
const ADDRESSES: usize = 32;

/// Finds the addresses of a host.
pub(super) trait Resolve: Send + Sync {
    fn resolve<'a>(&'a self, host: &'a str, port: u16) -> PortFuture<'a, io::Result<Vec<SocketAddr>>>;
}

/// The operating system's resolver. It also understands odd ways to write an address, so what it finds is what is judged.
pub(super) struct SystemResolver;

impl Resolve for SystemResolver {
    fn resolve<'a>(&'a self, host: &'a str, port: u16) -> PortFuture<'a, io::Result<Vec<SocketAddr>>> {
        Box::pin(async move {
            let found = lookup_host((host, port)).await?;
            Ok(found.take(ADDRESSES).collect())
        })
    }
}
