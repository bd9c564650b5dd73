//! The doors and the upstreams: everything that speaks to the outside. The only crate with sockets.
//!
//! For: bringing messages to the road of `stockade-core` and taking released ones away.
//! Must never: decide about a message, or let one pass that the road has not released.

pub mod http1;
pub mod sse;
pub mod tls;
mod causes;
mod fetch;
mod door;
mod hub;
mod line;
mod room;
mod session;
mod session_id;
mod upstream;

pub use ::http::{HeaderName, HeaderValue, Uri};
pub use door::{
    AddressRange, AddressRangeError, AdmissionSettings, ForwardedHeader, HttpDoor, HttpListener, HttpSettings,
    ResourceMetadata, ResourceSite, SITE_BODY_BYTES, Site, SiteAccess, SiteAnswer, SiteRequest, SiteRoute, serve_stdio,
};
pub use fetch::{FetchSettings, FetchedAnswer, GuardedFetchError, GuardedFetcher, ListedHost};
pub use http1::Http1Limits;
pub use hub::{Hub, SystemClock};
pub use session::{SessionLimits, SessionTable};
pub use tls::{
    ClientCertificates, ClientIdentity, ClientTrust, KeyPin, ServerTls, ServerTlsError, ServerTlsSettings, TlsVersion,
    UpstreamTls, UpstreamTlsError,
};
pub use upstream::{ChildLimits, ServerKind, ServerSpec, Servers, ToolSpec, is_reserved_header};

/// For the fuzz harness alone: what a merged list's cursor opens to must seal and open to the same again.
#[doc(hidden)]
#[must_use]
pub fn reopen_cursor_for_fuzz(plain: &[u8]) -> Option<bool> {
    upstream::reopen_cursor(plain)
}

/// For the fuzz harness alone: what is taken out of these values of `Authorization`; nothing if there are none.
#[doc(hidden)]
#[must_use]
pub fn credential_for_fuzz(values: &[&[u8]]) -> Option<stockade_core::identity::Credential> {
    door::credential_of(values)
}

/// For the fuzz harness alone: what a PROXY protocol header names, and how long it is.
#[doc(hidden)]
#[must_use]
pub fn proxy_header_for_fuzz(bytes: &[u8]) -> Option<(Option<std::net::IpAddr>, usize)> {
    door::judge_proxy_header(bytes)
}
