//! Pages and documents beside the MCP routes: metadata of the protected resource, and whatever the binary adds, such as an
//! embedded authorization server.
//!
//! For: handing a small, whole request to a site and its whole answer back. A site sees no socket and no other route.
//! Must never: take a request that no route of the site names; read a body without a limit.
//! On the road: beside it. No MCP message passes here.

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use stockade_core::ports::PortFuture;
use stockade_core::refusal::{Refusal, Refused};

/// The largest body that a site is given, in bytes.
pub const SITE_BODY_BYTES: usize = 64 << 10;

/// Who may use a route of a site.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SiteAccess {
    /// Everybody, for the reason that is named.
    Public(&'static str),
    /// The site checks a credential of its own: a password, a client's secret, a code.
    Checked(&'static str),
}

/// One route of a site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SiteRoute {
    /// The HTTP method.
    pub method: Method,
    /// The whole path; one that ends with `/*` stands for everything below it.
    pub path: String,
    /// Who may use it.
    pub access: SiteAccess,
    /// Requests of one address in any minute.
    pub per_minute: u32,
}

impl SiteRoute {
    /// True if the route is for this path.
    #[must_use]
    pub fn is_for(&self, path: &str) -> bool {
        match self.path.strip_suffix("/*") {
            Some(above) => path.strip_prefix(above).is_some_and(|rest| rest.starts_with('/')),
            None => self.path == path,
        }
    }
}

/// One request to a site.
#[derive(Debug)]
pub struct SiteRequest {
    /// The HTTP method.
    pub method: Method,
    /// The path.
    pub path: String,
    /// The query, as sent.
    pub query: Option<String>,
    /// The headers.
    pub headers: HeaderMap,
    /// The body; at most [`SITE_BODY_BYTES`].
    pub body: Bytes,
    /// The address that sent it.
    pub address: IpAddr,
}

/// What a site answers.
#[derive(Debug)]
pub struct SiteAnswer {
    /// The HTTP status.
    pub status: StatusCode,
    /// The headers. Those that harden every answer are added where the site has not set stricter ones.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// What happened, in a few words for the record; no secret, no text of a peer.
    pub event: &'static str,
}

/// Something that answers on paths of its own.
pub trait Site: Send + Sync {
    /// Its routes, all of them.
    fn routes(&self) -> &[SiteRoute];
    /// Answers a request for one of them.
    fn answer(&self, request: SiteRequest) -> PortFuture<'_, SiteAnswer>;
}

/// The window in which the requests of one address are counted.
const WINDOW: Duration = Duration::from_secs(60);
/// Addresses and routes that are counted at once. Over this, who is not counted yet waits.
const COUNTED: usize = 16_384;

/// All sites of a door, and how often each address has used them.
pub(super) struct Sites {
    sites: Vec<Arc<dyn Site>>,
    counts: Mutex<HashMap<(IpAddr, String), (Instant, u32)>>,
}

/// The routes of one path.
pub(super) struct SitePlace<'s> {
    pub(super) site: &'s dyn Site,
    path: String,
}

impl<'s> SitePlace<'s> {
    /// The route for a method.
    pub(super) fn route(&self, method: &Method) -> Option<&'s SiteRoute> {
        self.site.routes().iter().find(|route| route.method == *method && route.is_for(&self.path))
    }
}

impl Sites {
    pub(super) fn new(sites: Vec<Arc<dyn Site>>) -> Self {
        Self { sites, counts: Mutex::default() }
    }

    /// The site that has a route for the path, whatever the method.
    pub(super) fn find(&self, path: &str) -> Option<SitePlace<'_>> {
        let has = |site: &&Arc<dyn Site>| site.routes().iter().any(|route| route.is_for(path));
        self.sites.iter().find(has).map(|site| SitePlace { site: site.as_ref(), path: path.to_owned() })
    }

    /// Counts one request of an address.
    ///
    /// # Errors
    /// [`Refusal::RateLimited`] when it has made too many, or too many addresses are counted already.
    pub(super) fn admit(&self, address: IpAddr, route: &SiteRoute) -> Result<(), Refused> {
        let now = Instant::now();
        let is_old = |since: Instant| now.duration_since(since) >= WINDOW;
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.len() >= COUNTED {
            counts.retain(|_, (since, _)| !is_old(*since));
        }
        let key = (network_of(address), route.path.clone());
        let has_room = counts.len() < COUNTED || counts.contains_key(&key);
        let limited = |retry_after| {
            let reason = format!("more than {} requests a minute for `{}`", route.per_minute, route.path);
            Refused::by("site-limit", Refusal::RateLimited { retry_after }, reason)
        };
        if !has_room {
            return Err(limited(WINDOW));
        }
        let (since, count) = counts.entry(key).or_insert((now, 0));
        if is_old(*since) {
            (*since, *count) = (now, 0);
        }
        if *count >= route.per_minute {
            return Err(limited(WINDOW.saturating_sub(now.duration_since(*since))));
        }
        *count += 1;
        Ok(())
    }
}

/// What is counted as one sender: an IPv4 address, or the /64 of an IPv6 one (RFC 4291 §2.5.1).
fn network_of(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(six) => match six.to_ipv4_mapped() {
            Some(four) => IpAddr::V4(four),
            None => IpAddr::V6(std::net::Ipv6Addr::from(u128::from(six) & (u128::MAX << 64))),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(path: &str, per_minute: u32) -> SiteRoute {
        SiteRoute { method: Method::GET, path: path.to_owned(), access: SiteAccess::Public("test"), per_minute }
    }

    #[test]
    fn a_route_is_for_its_path_and_nothing_beside_it() {
        for (path, asked, is_for) in [
            ("/token", "/token", true),
            ("/token", "/token/", false),
            ("/token", "/tokens", false),
            ("/a/*", "/a/b", true),
            ("/a/*", "/a", false),
            ("/a/*", "/ab", false),
        ] {
            assert_eq!(route(path, 1).is_for(asked), is_for, "{path} {asked}");
        }
    }

    #[test]
    fn an_address_has_its_own_limit_and_a_network_of_ipv6_counts_as_one() {
        let sites = Sites::new(Vec::new());
        let token = route("/token", 2);
        let admit = |address: &str| sites.admit(address.parse().unwrap(), &token).is_ok();
        assert_eq!(["192.0.2.1"; 3].map(admit), [true, true, false]);
        assert!(admit("192.0.2.2"));
        assert_eq!(["2001:db8::1", "2001:db8::2", "2001:db8::3"].map(admit), [true, true, false]);
        assert!(sites.admit("192.0.2.1".parse().unwrap(), &route("/other", 1)).is_ok());
    }
}
