//! The doors: how messages come in and released ones go out. They differ in nothing else.

mod admission;
mod body;
mod challenge;
mod headers;
mod http;
mod peer;
mod resource;
mod site;
mod stdio;
mod streams;

pub(crate) use admission::judge_for_fuzz as judge_proxy_header;
pub use admission::{AddressRange, AddressRangeError, AdmissionSettings, ForwardedHeader};
pub(crate) use headers::credential_for_fuzz as credential_of;
pub use http::{HttpDoor, HttpListener, HttpSettings};
pub use resource::{ResourceMetadata, ResourceSite};
pub use site::{SITE_BODY_BYTES, Site, SiteAccess, SiteAnswer, SiteRequest, SiteRoute};
pub use stdio::serve_stdio;
pub(crate) use streams::Streams;
