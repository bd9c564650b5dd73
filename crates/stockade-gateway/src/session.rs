//! Legacy sessions: their ids, whose they are, what is in flight in them.
//!
//! A session routes and never authorises: it is found only by the caller who opened it, on the route where it was opened
//! (AU-17 to AU-20). Its id begins with 256 random bits of our own (`session_id.rs`); what the upstreams call theirs stays
//! behind us. A session that another process with the same keys has opened is taken over when its caller names it.
//! Must never: be found by id alone; outlive its idle time; grow without limit.

use crate::session_id::{Capabilities, Mint};
use crate::upstream::Link;
use bytes::Bytes;
use futures_util::future::AbortHandle;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};
use stockade_core::guard::Released;
use stockade_core::identity::Identity;
use stockade_core::mcp::{Id, Method, Revision};
use stockade_core::ports::{AskId, Clock, Entropy, Route, Seals, SessionError, SessionFacts, Sessions, Timestamp};
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
    id: Mutex<SessionId>,
    pub(crate) caller: Caller,
    pub(crate) route: Route,
    /// What the caller showed last.
    identity: Mutex<Identity>,
    facts: OnceLock<SessionFacts>,
    capabilities: Capabilities,
    /// When it was opened, here or elsewhere.
    born: Timestamp,
    /// What opens the servers' side again, for a session that another process has opened.
    handshake: Option<Bytes>,
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
        write!(f, "Session({:?} of {})", self.id(), self.caller.name)
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Session {
    /// Requests of upstreams that may wait for the client at once.
    pub(crate) const ASKS: usize = 64;

    fn new(id: SessionId, identity: Identity, route: Route, capabilities: Capabilities, born: Timestamp) -> Self {
        Self {
            id: Mutex::new(id),
            caller: identity.caller.clone(),
            route,
            identity: Mutex::new(identity),
            facts: OnceLock::new(),
            capabilities,
            born,
            handshake: None,
            links: Mutex::default(),
            asks: Mutex::default(),
            running: Mutex::default(),
            outbox: OnceLock::new(),
            last_used: Mutex::new(Instant::now()),
            is_kept: AtomicBool::new(false),
            streams: crate::door::Streams::default(),
        }
    }

    /// Its id: what the client calls it once the handshake is over.
    pub(crate) fn id(&self) -> SessionId {
        lock(&self.id).clone()
    }

    /// Sets what the handshake has settled. Only the first time counts.
    pub(crate) fn settle(&self, facts: SessionFacts) {
        let _ = self.facts.set(facts);
    }

    /// What opens the servers' side again, where another process has opened the session.
    pub(crate) fn handshake(&self) -> Option<Bytes> {
        self.handshake.clone()
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
    /// After this long it ends whatever goes on in it.
    pub life: Duration,
}

impl Default for SessionLimits {
    /// 32 for each caller; half an hour; a day.
    fn default() -> Self {
        Self { per_caller: 32, idle: Duration::from_secs(1800), life: Duration::from_secs(24 * 3600) }
    }
}

/// All live legacy sessions.
pub struct SessionTable {
    sessions: Mutex<HashMap<SessionId, Arc<Session>>>,
    /// Sessions of other processes that were taken over and have ended here, until they could not be taken over anyway.
    ended: Mutex<HashMap<SessionId, Timestamp>>,
    mint: Mint,
    clock: Arc<dyn Clock>,
    limits: SessionLimits,
}

impl SessionTable {
    /// An empty table.
    #[must_use]
    pub fn new(entropy: Arc<dyn Entropy>, seals: Arc<dyn Seals>, clock: Arc<dyn Clock>, limits: SessionLimits) -> Self {
        let mint = Mint::new(entropy, seals);
        Self { sessions: Mutex::default(), ended: Mutex::default(), mint, clock, limits }
    }

    /// Sessions that were taken over and have ended, at most. Over this, none is taken over: one that its client has ended
    /// must not come back.
    const ENDED: usize = 65_536;

    /// Opens a session under a fresh id; one that the client chose is never taken (AU-19).
    /// It is known under this id until the handshake has settled what its own says.
    pub(crate) fn open(
        &self,
        identity: &Identity,
        route: &Route,
        capabilities: Capabilities,
    ) -> (Arc<Session>, Option<Arc<Session>>) {
        let id = self.mint.provisional();
        let session = Session::new(id, identity.clone(), route.clone(), capabilities, self.clock.wall());
        self.enter(session)
    }

    fn enter(&self, session: Session) -> (Arc<Session>, Option<Arc<Session>>) {
        let session = Arc::new(session);
        let mut sessions = lock(&self.sessions);
        let evicted = Self::make_room(&mut sessions, &session.caller.name, self.limits.per_caller);
        sessions.insert(session.id(), Arc::clone(&session));
        drop(sessions);
        if let Some(evicted) = &evicted {
            self.note_end(evicted);
        }
        (session, evicted)
    }

    /// Ends the handshake of a session: from now on it has the id that is returned.
    pub(crate) fn settle(&self, session: &Arc<Session>, facts: SessionFacts) -> SessionId {
        let (caller, route, now) = (&session.caller, &session.route, session.born);
        let id = self.mint.mint(caller, route, facts.revision, session.capabilities, now);
        session.settle(facts);
        let mut sessions = lock(&self.sessions);
        let before = std::mem::replace(&mut *lock(&session.id), id.clone());
        // One that was evicted during its handshake stays out.
        if sessions.remove(&before).is_some() {
            sessions.insert(id.clone(), Arc::clone(session));
        }
        id
    }

    /// Takes over a session that another process with the same keys has opened for exactly this caller and route.
    fn take_over(&self, id: &SessionId, identity: &Identity, route: &Route) -> Option<Arc<Session>> {
        let minted = self.mint.read_foreign(id, &identity.caller, route)?;
        let now = self.clock.wall();
        let mut ended = lock(&self.ended);
        if ended.len() >= Self::ENDED {
            let life = i64::try_from(self.limits.life.as_nanos()).unwrap_or(i64::MAX);
            ended.retain(|_, born| now.0.saturating_sub(born.0) < life);
        }
        if !minted.is_fresh(now, self.limits.life) || ended.contains_key(id) || ended.len() >= Self::ENDED {
            return None;
        }
        drop(ended);
        let mut session = Session::new(id.clone(), identity.clone(), route.clone(), minted.capabilities, minted.at);
        session.handshake = Some(Bytes::from(minted.handshake()));
        session.settle(SessionFacts { revision: minted.revision, client: None });
        let (session, evicted) = self.enter(session);
        tracing::info!(caller = %identity.caller.name, "took over a session of another process");
        if let Some(evicted) = evicted {
            tokio::spawn(async move { evicted.close().await });
        }
        Some(session)
    }

    /// Remembers the end of a session that was taken over.
    fn note_end(&self, session: &Session) {
        if session.handshake.is_some() {
            lock(&self.ended).insert(session.id(), session.born);
        }
    }

    fn is_too_old(&self, session: &Session) -> bool {
        let age = self.clock.wall().0.saturating_sub(session.born.0);
        u128::try_from(age).is_ok_and(|age| age >= self.limits.life.as_nanos())
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
        let oldest = own.min_by_key(|session| *lock(&session.last_used)).map(|session| session.id())?;
        sessions.remove(&oldest)
    }

    pub(crate) fn get(&self, id: &SessionId) -> Option<Arc<Session>> {
        lock(&self.sessions).get(id).cloned()
    }

    pub(crate) fn remove(&self, id: &SessionId) -> Option<Arc<Session>> {
        let session = lock(&self.sessions).remove(id)?;
        self.note_end(&session);
        Some(session)
    }

    /// Takes out the sessions that nobody has used for the idle time, and those that have lived for long enough.
    pub(crate) fn take_idle(&self) -> Vec<Arc<Session>> {
        let is_over = |session: &&Arc<Session>| session.is_idle(self.limits.idle) || self.is_too_old(session);
        let over: Vec<_> = lock(&self.sessions).values().filter(is_over).map(|session| session.id()).collect();
        over.iter().filter_map(|id| self.remove(id)).collect()
    }

    /// Takes out the sessions whose callers no longer stand.
    pub(crate) fn take_fallen(&self, stands: impl Fn(&Identity) -> bool) -> Vec<Arc<Session>> {
        // Asked outside of the lock: answering may take a store's own lock.
        let all: Vec<_> = lock(&self.sessions).values().map(Arc::clone).collect();
        let fallen = all.into_iter().filter(|session| {
            let identity = lock(&session.identity).clone();
            !stands(&identity)
        });
        fallen.filter_map(|session| self.remove(&session.id())).collect()
    }

    pub(crate) fn take_all(&self) -> Vec<Arc<Session>> {
        lock(&self.sessions).drain().map(|(_, session)| session).collect()
    }
}

impl Sessions for SessionTable {
    fn find(&self, id: &SessionId, identity: &Identity, route: &Route) -> Result<SessionFacts, SessionError> {
        let session = self.get(id).or_else(|| self.take_over(id, identity, route)).ok_or(SessionError::Unknown)?;
        if session.caller != identity.caller {
            return Err(SessionError::OfAnotherCaller);
        }
        if session.route != *route {
            return Err(SessionError::OfAnotherRoute);
        }
        if self.is_too_old(&session) {
            return Err(SessionError::Unknown);
        }
        *lock(&session.identity) = identity.clone();
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
