//! The guarded fetcher: asks authorization servers and clients' metadata for documents, and nobody else for anything.
//!
//! For: key sets, metadata and introspection, whose addresses are written by operators, by authorization servers and, for
//! client metadata, by strangers.
//! Must never: reach an address that is not public unless the operator listed that very host; resolve a name twice; send a
//! secret where a redirect leads; hold more than the limit; take longer than the deadline; use a proxy or a cookie.
//! On the road: beside it, below `identify`.

mod address;
mod exchange;
mod resolve;
mod target;
#[cfg(test)]
mod tests;

use crate::tls::UpstreamTls;
use address::Reach;
use bytes::Bytes;
use exchange::{Answer, Request};
use resolve::{Resolve, SystemResolver};
use rustls::ClientConfig;
use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use stockade_core::words::Secret;
use target::Target;
use tokio::sync::Semaphore;
use tokio::time::Instant;

pub use target::ListedHost;

/// Redirects that one question follows.
const REDIRECTS: usize = 3;
/// Questions at the same time; the next ones wait, within their deadline.
const CONCURRENT: usize = 16;
/// How long the trusted authorities are kept before they are read anew.
const AUTHORITIES_LIFE: Duration = Duration::from_secs(300);

/// How documents are fetched.
#[derive(Debug, Clone, Default)]
pub struct FetchSettings {
    /// A file of authorities, as PEM, in place of the system's.
    pub authorities: Option<PathBuf>,
    /// Hosts that may have addresses which are not public, and, on loopback, speak plain HTTP. Empty: none.
    pub listed: BTreeSet<ListedHost>,
}

/// A document as it was answered.
#[derive(Debug, Clone)]
pub struct FetchedAnswer {
    /// The HTTP status; never one of a redirect that was followed.
    pub status: u16,
    /// `Content-Type`, as sent.
    pub content_type: Option<String>,
    /// The whole body, within the limit.
    pub body: Bytes,
    /// For how long it may be kept (RFC 9111 §5.2.2): zero where it says not to.
    pub max_age: Option<Duration>,
}

/// Why nothing was fetched. The texts are for operators; what peers said in them is escaped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GuardedFetchError {
    /// The address may not be asked.
    #[error("`{url}` is not asked: {reason}")]
    Refused {
        /// Which, escaped.
        url: String,
        /// Why.
        reason: String,
    },
    /// No connection, no TLS, or no right answer over it.
    #[error("`{url}` does not answer: {reason}")]
    Unreachable {
        /// Which, escaped.
        url: String,
        /// Why.
        reason: String,
    },
    /// It was not all there in time.
    #[error("no whole answer within {} s", limit.as_secs())]
    TimedOut {
        /// How long it could take.
        limit: Duration,
    },
    /// It is larger than what was asked for.
    #[error("the answer is larger than {limit} bytes")]
    TooLarge {
        /// How many bytes there could be.
        limit: usize,
    },
}

/// Fetches documents. Clones share their limits.
#[derive(Clone)]
pub struct GuardedFetcher {
    shared: Arc<Shared>,
}

struct Shared {
    settings: FetchSettings,
    resolver: Box<dyn Resolve>,
    room: Semaphore,
    tls: Mutex<Option<(Instant, Arc<ClientConfig>)>>,
}

impl fmt::Debug for GuardedFetcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GuardedFetcher").field("settings", &self.shared.settings).finish_non_exhaustive()
    }
}

impl GuardedFetcher {
    /// How long one question may take: names, connections, TLS, redirects and the whole body together.
    pub const DEADLINE: Duration = Duration::from_secs(10);

    /// A fetcher that reaches public addresses and what is listed.
    #[must_use]
    pub fn new(settings: FetchSettings) -> Self {
        Self::with_resolver(settings, Box::new(SystemResolver))
    }

    fn with_resolver(settings: FetchSettings, resolver: Box<dyn Resolve>) -> Self {
        let (room, tls) = (Semaphore::new(CONCURRENT), Mutex::new(None));
        Self { shared: Arc::new(Shared { settings, resolver, room, tls }) }
    }

    /// Gets a document of at most `body_bytes`. At most three redirects are followed, each held against the same rules.
    ///
    /// # Errors
    /// When the address may not be asked, nothing comes in time, or too much.
    pub async fn get(&self, url: &str, body_bytes: usize) -> Result<FetchedAnswer, GuardedFetchError> {
        self.in_time(async {
            let mut target = self.target(url)?;
            for _ in 0..=REDIRECTS {
                let answer = self.ask(&target, &Request::Get, body_bytes).await?;
                let Some(location) = answer.redirect() else { return Ok(answer.into_fetched()) };
                let next = target.follow(location).map_err(|reason| target.refused(reason))?;
                target = self.allowed(next)?;
            }
            Err(target.refused(format!("more than {REDIRECTS} redirects lead to it")))
        })
        .await
    }

    /// The same without redirects: an answer that is one comes back as it is. For documents whose address is the identity of
    /// who publishes them.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub async fn get_directly(&self, url: &str, body_bytes: usize) -> Result<FetchedAnswer, GuardedFetchError> {
        self.in_time(async {
            let answer = self.ask(&self.target(url)?, &Request::Get, body_bytes).await?;
            Ok(answer.into_fetched())
        })
        .await
    }

    /// Posts a form and takes an answer of at most `body_bytes`. No redirect is followed: the form holds secrets.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub async fn post_form(
        &self,
        url: &str,
        authorization: &Secret,
        body: &Secret,
        body_bytes: usize,
    ) -> Result<FetchedAnswer, GuardedFetchError> {
        self.in_time(async {
            let target = self.target(url)?;
            let answer = self.ask(&target, &Request::Form { authorization, body }, body_bytes).await?;
            Ok(answer.into_fetched())
        })
        .await
    }

    async fn in_time<T>(
        &self,
        work: impl Future<Output = Result<T, GuardedFetchError>>,
    ) -> Result<T, GuardedFetchError> {
        let bounded = async {
            let room = self.shared.room.acquire().await;
            // The semaphore is never closed; if it were, nothing would be asked.
            let Ok(_room) = room else { return Err(GuardedFetchError::TimedOut { limit: Self::DEADLINE }) };
            work.await
        };
        let ended = tokio::time::timeout(Self::DEADLINE, bounded).await;
        ended.unwrap_or(Err(GuardedFetchError::TimedOut { limit: Self::DEADLINE }))
    }

    fn target(&self, url: &str) -> Result<Target, GuardedFetchError> {
        let target = Target::parse(url).map_err(|reason| target::refused(url, reason))?;
        self.allowed(target)
    }

    /// What can be said before a name is resolved: plain HTTP is for listed hosts.
    fn allowed(&self, target: Target) -> Result<Target, GuardedFetchError> {
        if target.is_plain() && !self.is_listed(&target) {
            return Err(target.refused("it is not `https`, and only a listed host on loopback may speak plain HTTP"));
        }
        Ok(target)
    }

    fn is_listed(&self, target: &Target) -> bool {
        self.shared.settings.listed.contains(target.host())
    }

    async fn ask(
        &self,
        target: &Target,
        request: &Request<'_>,
        body_bytes: usize,
    ) -> Result<Answer, GuardedFetchError> {
        let unreachable = |reason: String| target.unreachable(reason);
        let resolved = self.shared.resolver.resolve(target.host().name(), target.host().port()).await;
        let addresses = resolved.map_err(|error| unreachable(format!("its name is not found: {error}")))?;
        let reach = match (self.is_listed(target), target.is_plain()) {
            (false, _) => Reach::Public,
            (true, false) => Reach::PublicOrPrivate,
            (true, true) => Reach::Loopback,
        };
        let allowed: Vec<_> = addresses.iter().copied().filter(|address| reach.covers(address.ip())).collect();
        if allowed.is_empty() {
            let found: Vec<String> = addresses.iter().map(|address| address.ip().to_string()).collect();
            return Err(target.refused(format!("{} is its address, and {}", found.join(", "), reach.wants())));
        }
        // Exactly these addresses are connected to; the name is not asked again.
        let stream = exchange::connect(&allowed).await.map_err(|error| unreachable(error.to_string()))?;
        if target.is_plain() {
            return exchange::converse(stream, target, request, body_bytes).await;
        }
        let tls = self.tls(target)?;
        let stream = exchange::secure(stream, target, tls).await?;
        exchange::converse(stream, target, request, body_bytes).await
    }

    /// What a handshake needs, read anew from time to time because authorities change.
    fn tls(&self, target: &Target) -> Result<Arc<ClientConfig>, GuardedFetchError> {
        let now = Instant::now();
        let mut kept = self.shared.tls.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((read, config)) = kept.as_ref()
            && now.duration_since(*read) < AUTHORITIES_LIFE
        {
            return Ok(Arc::clone(config));
        }
        let authorities = self.shared.settings.authorities.clone();
        let tls = UpstreamTls { authorities, ..UpstreamTls::default() };
        let config = tls.client_config().map_err(|error| target.unreachable(crate::causes::describe(&error)))?;
        let config = Arc::new(config);
        *kept = Some((now, Arc::clone(&config)));
        Ok(config)
    }
}
