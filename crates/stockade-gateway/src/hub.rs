//! What the doors and the upstreams of one gateway share.
//!
//! Must never: decide anything about a message; the [`Road`] does.

use crate::session::SessionTable;
use crate::upstream::Servers;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;
use stockade_core::pipeline::Road;
use stockade_core::ports::{Clock, Moment, PortFuture, Timestamp};

/// The shared parts: the sessions, the servers, and the road once it is built.
pub struct Hub {
    pub(crate) sessions: Arc<SessionTable>,
    pub(crate) servers: OnceLock<Arc<Servers>>,
    road: OnceLock<Weak<Road>>,
}

impl Hub {
    /// How often idle sessions and children are looked for.
    const SWEEP: Duration = Duration::from_secs(5);
    /// How often it is asked whether the callers of what is open still stand. Together with how fresh the answers are it
    /// keeps a revocation within a second (AU-16).
    const WATCH: Duration = Duration::from_millis(250);

    /// A hub around the table of sessions.
    #[must_use]
    pub fn new(sessions: Arc<SessionTable>) -> Arc<Self> {
        Arc::new(Self { sessions, servers: OnceLock::new(), road: OnceLock::new() })
    }

    /// Ties the knot: upstreams carry what belongs to no request along the same road. Only the first time counts.
    pub fn connect(&self, road: &Arc<Road>) {
        let _ = self.road.set(Arc::downgrade(road));
    }

    pub(crate) fn road(&self) -> Option<Arc<Road>> {
        self.road.get().and_then(Weak::upgrade)
    }

    /// Ends sessions and children that nobody uses, until the hub is gone.
    pub async fn sweep(hub: Weak<Self>) {
        loop {
            tokio::time::sleep(Self::SWEEP).await;
            let Some(hub) = hub.upgrade() else { return };
            for session in hub.sessions.take_idle() {
                session.close().await;
            }
            if let Some(servers) = hub.servers.get() {
                servers.close_idle().await;
            }
        }
    }

    /// Ends what callers have begun who were revoked, or whose credential has expired, since; until the hub is gone.
    pub async fn watch(hub: Weak<Self>) {
        loop {
            tokio::time::sleep(Self::WATCH).await;
            let Some(hub) = hub.upgrade() else { return };
            let Some(road) = hub.road() else { return };
            let requests = road.end_fallen();
            let sessions = hub.sessions.take_fallen(|identity| road.stands(identity));
            if requests + sessions.len() > 0 {
                tracing::warn!(
                    requests,
                    sessions = sessions.len(),
                    "ended what belongs to callers who no longer stand"
                );
            }
            for session in sessions {
                session.close().await;
            }
        }
    }

    /// Ends every session and every child.
    pub async fn close(&self) {
        let sessions = self.sessions.take_all();
        futures_util::future::join_all(sessions.iter().map(|session| session.close())).await;
        if let Some(servers) = self.servers.get() {
            servers.close_all().await;
        }
    }
}

/// The system's clocks.
#[derive(Debug)]
pub struct SystemClock {
    start: tokio::time::Instant,
}

impl SystemClock {
    /// Starts counting now.
    #[must_use]
    pub fn new() -> Self {
        Self { start: tokio::time::Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock that everybody else is to ask")]
    fn wall(&self) -> Timestamp {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Timestamp(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
    }

    fn moment(&self) -> Moment {
        Moment(self.start.elapsed())
    }

    fn sleep_until(&self, moment: Moment) -> PortFuture<'static, ()> {
        Box::pin(tokio::time::sleep_until(self.start + moment.0))
    }
}
