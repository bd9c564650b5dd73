//! Who may connect at all: judged by address alone, before the first byte of TLS or HTTP.
//!
//! For: keeping out whom the operator keeps out, and keeping one address from taking every place; finding the
//! address that counts where proxies stand between.
//! Must never: believe what anybody but a listed proxy says of an address; answer whom it turns away.
//! On the road: the first thing, before the handshake. Nothing here is identity.

mod address_range;
mod forwarded;
mod places;
mod proxy_protocol;

pub use address_range::{AddressRange, AddressRangeError};
pub use forwarded::ForwardedHeader;
pub(crate) use proxy_protocol::judge_for_fuzz;

use super::peer::Peer;
use address_range::holds;
use forwarded::ForwardedError;
use http::HeaderMap;
use places::{AddressPlaces, TakenPlace};
use proxy_protocol::{Proxied, ProxyProtocolError, read_header};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use stockade_core::refusal::{Refusal, Refused};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::net::TcpStream;

/// The rule of refusals by address.
const RULE: &str = "admission";

/// What the operator has configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdmissionSettings {
    /// Who may connect; nothing for everybody. An empty list is nobody.
    pub allow: Option<Vec<AddressRange>>,
    /// Who may not, even if `allow` names them.
    pub deny: Vec<AddressRange>,
    /// Connections of one IPv4 address, or of one /64 of IPv6, at once.
    pub connections_per_address: usize,
    /// Whose connections begin with a PROXY protocol header. It must be there.
    pub proxy_protocol_from: Vec<AddressRange>,
    /// Whose forwarded header says where a request came from.
    pub trusted_proxies: Vec<AddressRange>,
    /// The header that they set; every other one is a client's own word.
    pub forwarded_header: ForwardedHeader,
}

impl AdmissionSettings {
    /// Connections of one address if nobody says otherwise.
    pub const CONNECTIONS_PER_ADDRESS: usize = 256;
}

impl Default for AdmissionSettings {
    fn default() -> Self {
        Self {
            allow: None,
            deny: Vec::new(),
            connections_per_address: Self::CONNECTIONS_PER_ADDRESS,
            proxy_protocol_from: Vec::new(),
            trusted_proxies: Vec::new(),
            forwarded_header: ForwardedHeader::XForwardedFor,
        }
    }
}

/// Why a connection was turned away. For operators; the peer gets a reset.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AdmissionError {
    #[error("{address} may not connect")]
    Denied { address: IpAddr },
    #[error("{address} has its {most} connections already")]
    Crowded { address: IpAddr, most: usize },
    #[error("no PROXY protocol header of a listed proxy")]
    ProxyProtocol(#[source] ProxyProtocolError),
}

/// Having one tells you: this connection may be there, and it is counted until this goes.
pub(crate) struct Admitted {
    /// The address that counts for this connection.
    pub(crate) address: IpAddr,
    _place: Option<TakenPlace>,
}

/// The judge of connections.
#[derive(Debug)]
pub(crate) struct Admission {
    settings: AdmissionSettings,
    places: Arc<AddressPlaces>,
}

impl Admission {
    pub(crate) fn new(settings: AdmissionSettings) -> Self {
        let places = Arc::new(AddressPlaces::new(settings.connections_per_address));
        Self { settings, places }
    }

    /// Judges a connection before anything else is read from it.
    pub(crate) async fn admit<IO>(&self, io: &mut IO, socket: SocketAddr) -> Result<Admitted, AdmissionError>
    where
        IO: AsyncRead + Unpin,
    {
        let settings = &self.settings;
        let own = socket.ip().to_canonical();
        if holds(&settings.deny, own) {
            return Err(AdmissionError::Denied { address: own });
        }
        if holds(&settings.proxy_protocol_from, own) {
            // The header costs the proxy a place of its own until it is there: the total alone bounds them.
            let address = match read_header(io).await.map_err(AdmissionError::ProxyProtocol)? {
                Proxied::For { client } => client.to_canonical(),
                Proxied::Own => own,
            };
            self.check(address)?;
            // A check of the proxy's own health must not be kept out by other such checks.
            let place = if address == own { None } else { Some(self.take(address)?) };
            return Ok(Admitted { address, _place: place });
        }
        // A trusted proxy carries many clients; each of its requests is judged by itself.
        if holds(&settings.trusted_proxies, own) {
            return Ok(Admitted { address: own, _place: None });
        }
        self.check(own)?;
        Ok(Admitted { address: own, _place: Some(self.take(own)?) })
    }

    /// The peer of one request: the connection's, or behind a trusted proxy the client that it names.
    pub(crate) fn peer_of(&self, connection: &Arc<Peer>, headers: &HeaderMap) -> Result<Arc<Peer>, Refused> {
        if !holds(&self.settings.trusted_proxies, connection.address) {
            return Ok(Arc::clone(connection));
        }
        let trusted = |address| holds(&self.settings.trusted_proxies, address);
        let forwarded = self.settings.forwarded_header.client(headers, trusted);
        let address = forwarded.map_err(|error: ForwardedError| {
            let reason = format!("a trusted proxy's `{}`: {error}", self.settings.forwarded_header.name());
            Refused::by(RULE, Refusal::Forbidden, reason)
        })?;
        let Some(address) = address else { return Ok(Arc::clone(connection)) };
        self.check(address).map_err(|error| Refused::by(RULE, Refusal::Forbidden, error.to_string()))?;
        Ok(Arc::new(Peer { address, ..Peer::clone(connection) }))
    }

    fn check(&self, address: IpAddr) -> Result<(), AdmissionError> {
        let is_allowed = self.settings.allow.as_ref().is_none_or(|allow| holds(allow, address));
        if is_allowed && !holds(&self.settings.deny, address) {
            Ok(())
        } else {
            Err(AdmissionError::Denied { address })
        }
    }

    fn take(&self, address: IpAddr) -> Result<TakenPlace, AdmissionError> {
        let most = self.settings.connections_per_address;
        AddressPlaces::take(&self.places, address).ok_or(AdmissionError::Crowded { address, most })
    }
}

/// Ends a connection at once with a reset (`SO_LINGER` 0): no byte of ours, no waiting for theirs.
pub(crate) fn reset(stream: TcpStream) {
    let _ = stream.set_zero_linger();
    drop(stream);
}

/// Reads exactly `count` further bytes into `buffer`.
async fn read_more<IO: AsyncRead + Unpin>(io: &mut IO, buffer: &mut Vec<u8>, count: usize) -> std::io::Result<()> {
    let before = buffer.len();
    buffer.resize(before.saturating_add(count), 0);
    let target = buffer.get_mut(before..).unwrap_or_default();
    io.read_exact(target).await.map(|_| ())
}

#[cfg(test)]
mod tests;
