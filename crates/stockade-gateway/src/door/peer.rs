//! Who is at the other end of a connection, as far as the connection itself says.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use stockade_core::identity::PeerCertificate;

/// The other end of one connection.
#[derive(Debug, Clone)]
pub(crate) struct Peer {
    /// The address that counts: the socket's, or what a listed proxy said of it.
    pub(crate) address: IpAddr,
    /// The socket's own.
    pub(crate) socket: SocketAddr,
    /// The client certificate that TLS has verified.
    pub(crate) certificate: Option<Arc<PeerCertificate>>,
    /// True if the connection is encrypted.
    pub(crate) is_tls: bool,
}

impl Peer {
    /// The peer of a connection in the clear, without anybody between.
    pub(crate) const fn plain(socket: SocketAddr) -> Self {
        Self { address: socket.ip(), socket, certificate: None, is_tls: false }
    }
}
