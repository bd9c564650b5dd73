//! Legacy sessions: their ids, whose they are, what is in flight in them.
//!
//! A session routes and never authorises: it is found only by the caller who opened it, on the route where it was opened
//! (AU-17 to AU-20). Its id is 256 random bits of our own; what the upstreams call theirs stays behind us.
//! Must never: be found by id alone; outlive its idle time; grow without limit.

use crate::upstream::Link;
use futures_util::future::AbortHandle;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};
use stockade_core::guard::Released;
use stockade_core::mcp::{Id, Method, Revision};
use stockade_core::ports::{AskId, Entropy, Route, SessionError, SessionFacts, Sessions};
use stockade_core::words::{Caller, CallerName, ServerName, SessionId};
use tokio::sync::mpsc;

/// A request of an upstream's that the client has not answered.
pub(crate) struct Ask {
    pub(crate) server: ServerName,
    pub(crate) method: Method,
    /// The upstream's own id, as JSON text.
    pub(crate) upstream_id: String,
}

/// Released messages that belong to no request, on their way to the client.
pub(crate) type Outbox = mpsc::Sender<Released>;

/// One legacy session.
pub(crate) struct Session {
    pub(crate) id: SessionId,
    pub(crate) caller: Caller,
    pub(crate) route: Route,
    facts: OnceLock<SessionFacts>,
    links: Mutex<HashMap<ServerName, Arc<dyn Link>>>,
    asks: Mutex<HashMap<u64, Ask>>,
    running: Mutex<HashMap<String, AbortHandle>>,
    outbox: OnceLock<Outbox>,
    last_used: Mutex<Instant>,
    is_kept: AtomicBool,
    pub(crate) streams: crate::door::Streams,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Session({:?} of {})", self.id, self.caller.name)
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Session {
    /// Requests of upstreams that may wait for the client at once.
    pub(crate) const ASKS: usize = 64;

    fn new(id: SessionId, caller: Caller, route: Route) -> Self {
        Self {
            id,
            caller,
            route,
            facts: OnceLock::new(),
            links: Mutex::default(),
            asks: Mutex::default(),
            running: Mutex::default(),
            outbox: OnceLock::new(),
            last_used: Mutex::new(Instant::now()),
            is_kept: AtomicBool::new(false),
            streams: crate::door::Streams::default(),
        }
    }

    /// Sets what the handshake has settled. Only the first time counts.
    pub(crate) fn settle(&self, facts: SessionFacts) {
        let _ = self.facts.set(facts);
    }

    pub(crate) fn revision(&self) -> Revision {
        self.facts.get().map_or(Revision::V2025_11_25, |facts| facts.revision)
    }

    pub(crate) fn link(&self, server: &ServerName) -> Option<Arc<dyn Link>> {
        lock(&self.links).get(server).cloned()
    }

    /// The link to one server, made by `make` if there is none.
    pub(crate) fn link_or<E>(
        &self,
        server: &ServerName,
        make: impl FnOnce() -> Result<Arc<dyn Link>, E>,
    ) -> Result<Arc<dyn Link>, E> {
        let mut links = lock(&self.links);
        if let Some(link) = links.get(server) {
            return Ok(Arc::clone(link));
        }
        let link = make()?;
        links.insert(server.clone(), Arc::clone(&link));
        Ok(link)
    }

    pub(crate) fn links(&self) -> Vec<(ServerName, Arc<dyn Link>)> {
        let mut links: Vec<_> = lock(&self.links).iter().map(|(name, link)| (name.clone(), Arc::clone(link))).collect();
        links.sort_by(|(one, _), (other, _)| one.cmp(other));
        links
    }

    /// Keeps a request of an upstream's until the client answers; nothing when too many wait.
    pub(crate) fn ask(&self, number: u64, ask: Ask) -> Option<AskId> {
        let mut asks = lock(&self.asks);
        if asks.len() >= Self::ASKS {
            return None;
        }
        asks.insert(number, ask);
        Some(AskId(number))
    }

    pub(crate) fn take_ask(&self, number: u64) -> Option<Ask> {
        lock(&self.asks).remove(&number)
    }

    /// Remembers the work on a request, so that the client can cancel it by its own id.
    pub(crate) fn start(&self, id: String, work: AbortHandle) {
        lock(&self.running).insert(id, work);
    }

    pub(crate) fn finish(&self, id: &str) {
        lock(&self.running).remove(id);
    }

    /// Stops the work on a request; dropping the work tells the upstream. True if there was any.
    pub(crate) fn cancel(&self, id: &str) -> bool {
        lock(&self.running).remove(id).map(|work| work.abort()).is_some()
    }

    pub(crate) fn set_outbox(&self, outbox: Outbox) {
        let _ = self.outbox.set(outbox);
    }

    /// Hands over a message that belongs to no request. Without an outbox it goes to the session's own stream.
    pub(crate) async fn deliver(&self, message: Released) {
        match self.outbox.get() {
            // A client that has gone takes nothing; its session ends by its idle time.
            Some(outbox) => drop(outbox.send(message).await),
            None => self.streams.deliver(message),
        }
    }

    /// Keeps the session from ending by its idle time: its connection is its life.
    pub(crate) fn keep(&self) {
        self.is_kept.store(true, Ordering::Relaxed);
    }

    pub(crate) fn touch(&self) {
        *lock(&self.last_used) = Instant::now();
    }

    fn is_idle(&self, limit: Duration) -> bool {
        !self.is_kept.load(Ordering::Relaxed)
            && lock(&self.last_used).elapsed() > limit
            && lock(&self.running).is_empty()
            && !self.streams.is_open()
    }

    /// Ends everything in it.
    pub(crate) async fn close(&self) {
        for (_, work) in lock(&self.running).drain() {
            work.abort();
        }
        self.streams.close();
        let links: Vec<_> = lock(&self.links).drain().collect();
        for (_, link) in links {
            link.close().await;
        }
    }
}

/// The limits of the table.
#[derive(Debug, Clone, Copy)]
pub struct SessionLimits {
    /// Live sessions of one caller; the one unused for the longest time makes room.
    pub per_caller: usize,
    /// After this long without a message, request in flight or open stream, a session ends.
    pub idle: Duration,
}

impl Default for SessionLimits {
    /// 32 for each caller; half an hour.
    fn default() -> Self {
        Self { per_caller: 32, idle: Duration::from_secs(1800) }
    }
}

/// All live legacy sessions.
pub struct SessionTable {
    sessions: Mutex<HashMap<SessionId, Arc<Session>>>,
    entropy: Arc<dyn Entropy>,
    limits: SessionLimits,
}

impl SessionTable {
    /// An empty table.
    #[must_use]
    pub fn new(entropy: Arc<dyn Entropy>, limits: SessionLimits) -> Self {
        Self { sessions: Mutex::default(), entropy, limits }
    }

    /// Opens a session under a fresh id; one that the client chose is never taken (AU-19).
    pub(crate) fn open(&self, caller: &Caller, route: &Route) -> (Arc<Session>, Option<Arc<Session>>) {
        let mut random = [0; 32];
        self.entropy.fill(&mut random);
        let id = SessionId::from_random(random);
        let session = Arc::new(Session::new(id.clone(), caller.clone(), route.clone()));
        let mut sessions = lock(&self.sessions);
        let evicted = Self::make_room(&mut sessions, &caller.name, self.limits.per_caller);
        sessions.insert(id, Arc::clone(&session));
        (session, evicted)
    }

    fn make_room(
        sessions: &mut HashMap<SessionId, Arc<Session>>,
        caller: &CallerName,
        limit: usize,
    ) -> Option<Arc<Session>> {
        let own = sessions.values().filter(|session| session.caller.name == *caller);
        if own.clone().count() < limit {
            return None;
        }
        let oldest = own.min_by_key(|session| *lock(&session.last_used)).map(|session| session.id.clone())?;
        sessions.remove(&oldest)
    }

    pub(crate) fn get(&self, id: &SessionId) -> Option<Arc<Session>> {
        lock(&self.sessions).get(id).cloned()
    }

    pub(crate) fn remove(&self, id: &SessionId) -> Option<Arc<Session>> {
        lock(&self.sessions).remove(id)
    }

    /// Takes out the sessions that nobody has used for the idle time.
    pub(crate) fn take_idle(&self) -> Vec<Arc<Session>> {
        let mut sessions = lock(&self.sessions);
        let idle: Vec<_> = sessions
            .values()
            .filter(|session| session.is_idle(self.limits.idle))
            .map(|session| session.id.clone())
            .collect();
        idle.iter().filter_map(|id| sessions.remove(id)).collect()
    }

    pub(crate) fn take_all(&self) -> Vec<Arc<Session>> {
        lock(&self.sessions).drain().map(|(_, session)| session).collect()
    }
}

impl Sessions for SessionTable {
    fn find(&self, id: &SessionId, caller: &Caller, route: &Route) -> Result<SessionFacts, SessionError> {
        let session = self.get(id).ok_or(SessionError::Unknown)?;
        if session.caller != *caller {
            return Err(SessionError::OfAnotherCaller);
        }
        if session.route != *route {
            return Err(SessionError::OfAnotherRoute);
        }
        session.touch();
        session.facts.get().cloned().ok_or(SessionError::Unknown)
    }

    fn asked(&self, session: &SessionId, id: &Id) -> Option<(ServerName, Method)> {
        let number = id.to_json().parse().ok()?;
        let session = self.get(session)?;
        let asks = lock(&session.asks);
        asks.get(&number).map(|ask| (ask.server.clone(), ask.method))
    }

    fn forget(&self, session: &SessionId) {
        if let Some(session) = self.remove(session) {
            tokio::spawn(async move { session.close().await });
        }
    }
}
