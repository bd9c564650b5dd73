//! All servers behind us, and which conversation a message belongs to.

use super::http::{HttpLink, HttpUpstream};
use super::link::{Link, Owner};
use super::merged;
use super::stdio::{StdioLink, StdioUpstream};
use crate::hub::Hub;
use crate::session::{Session, lock};
use crate::session_id::Capabilities;
use crate::tls::UpstreamTls;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};
use stockade_core::guard::{Message, Outbound, client_of};
use stockade_core::mcp::{Era, Method, Revision};
use stockade_core::ports::{
    Catalogue, Effect, Exchange, Incoming, Object, PortFuture, Route, Seals, SessionFacts, Treatment, UpstreamError,
    Upstreams,
};
use stockade_core::wire::{Edits, Value, WireLimits};
use stockade_core::words::{Caller, CallerName, ServerName, SessionId};
use stockade_sandbox::{LaunchSpec, Launcher};

/// What the operator has said of one tool.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ToolSpec {
    /// What it does to the world.
    pub effect: Option<Effect>,
    /// How long a call may take.
    pub deadline: Option<Duration>,
    /// The scopes that a call needs, in place of the server's.
    pub scopes: Option<Arc<[String]>>,
}

/// How a server is reached.
pub enum ServerKind {
    /// A child process.
    Stdio {
        /// What starts it.
        launcher: Launcher,
        /// How.
        spec: LaunchSpec,
        /// True if its stderr is for the person at ours.
        shows_stderr: bool,
    },
    /// Streamable HTTP.
    Http {
        /// Where.
        url: http::Uri,
        /// What goes with each request: credentials and the like.
        headers: Vec<(http::HeaderName, http::HeaderValue)>,
        /// How it is spoken to over TLS, where the operator has said anything about that.
        tls: Option<UpstreamTls>,
    },
}

/// What the operator has said of one server.
pub struct ServerSpec {
    /// Its name.
    pub name: ServerName,
    /// How it is reached.
    pub kind: ServerKind,
    /// The era, where it is known and need not be asked.
    pub era: Option<Era>,
    /// The effect of tools that have none of their own.
    pub effect: Option<Effect>,
    /// How long a request may take.
    pub deadline: Duration,
    /// The scopes that everything on it needs from callers who are limited by scopes.
    pub scopes: Arc<[String]>,
    /// Its tools.
    pub tools: HashMap<String, ToolSpec>,
}

enum Upstream {
    Stdio(Arc<StdioUpstream>),
    Http(Arc<HttpUpstream>),
}

struct Server {
    spec: ServerSpec,
    upstream: Upstream,
}

struct Shared {
    link: Arc<dyn Link>,
    last_used: Instant,
}

/// All servers, and the links that outlive single requests.
pub struct Servers {
    hub: Weak<Hub>,
    names: Vec<ServerName>,
    servers: BTreeMap<ServerName, Server>,
    /// Modern links to children: one for each caller and server.
    children: Mutex<HashMap<(CallerName, ServerName), Shared>>,
    /// Modern links over HTTP: one for each server, as nothing is remembered.
    stateless: Mutex<HashMap<ServerName, Arc<dyn Link>>>,
    pub(super) owners: merged::Owners,
    pub(super) noted: merged::Noted,
    pub(super) seals: Arc<dyn Seals>,
    limits: WireLimits,
    child_limits: ChildLimits,
}

/// The limits on children that are not part of a session.
#[derive(Debug, Clone, Copy)]
pub struct ChildLimits {
    /// Children of one caller.
    pub per_caller: usize,
    /// After this long without a request a child is stopped.
    pub idle: Duration,
}

impl Servers {
    /// Takes over what the operator has configured.
    #[must_use]
    pub fn new(
        hub: &Arc<Hub>,
        specs: Vec<ServerSpec>,
        seals: Arc<dyn Seals>,
        limits: WireLimits,
        child_limits: ChildLimits,
    ) -> Arc<Self> {
        let client = super::http::HttpClient::new(UpstreamTls::default());
        let build = |spec: ServerSpec| {
            let upstream = match &spec.kind {
                ServerKind::Stdio { launcher, spec: launch, shows_stderr } => {
                    Upstream::Stdio(Arc::new(StdioUpstream {
                        launcher: launcher.clone(),
                        spec: launch.clone(),
                        limits,
                        is_known_modern: spec.era == Some(Era::Modern),
                        shows_stderr: *shows_stderr,
                    }))
                }
                ServerKind::Http { url, headers, tls } => Upstream::Http(Arc::new(HttpUpstream {
                    url: url.clone(),
                    headers: headers.clone(),
                    limits,
                    client: tls.clone().map_or_else(|| client.clone(), super::http::HttpClient::new),
                    is_known_modern: spec.era == Some(Era::Modern),
                })),
            };
            (spec.name.clone(), Server { spec, upstream })
        };
        let servers: BTreeMap<_, _> = specs.into_iter().map(build).collect();
        let all = Arc::new(Self {
            hub: Arc::downgrade(hub),
            names: servers.keys().cloned().collect(),
            servers,
            children: Mutex::default(),
            stateless: Mutex::default(),
            owners: merged::Owners::default(),
            noted: merged::Noted::default(),
            seals,
            limits,
            child_limits,
        });
        let _ = hub.servers.set(Arc::clone(&all));
        all
    }

    pub(super) const fn limits(&self) -> &WireLimits {
        &self.limits
    }

    pub(super) fn hub(&self) -> Option<Arc<Hub>> {
        self.hub.upgrade()
    }

    fn new_link(&self, server: &ServerName, owner: Owner) -> Result<Arc<dyn Link>, UpstreamError> {
        let found = self.servers.get(server).ok_or(UpstreamError::NotKnown { what: "server" })?;
        Ok(match &found.upstream {
            Upstream::Stdio(upstream) => StdioLink::new(Arc::clone(upstream), owner),
            Upstream::Http(upstream) => HttpLink::new(Arc::clone(upstream), owner),
        })
    }

    /// The link of a session to one server; made when it is first needed.
    pub(super) fn session_link(
        &self,
        session: &Arc<Session>,
        server: &ServerName,
    ) -> Result<Arc<dyn Link>, UpstreamError> {
        session.link_or(server, || {
            let owner = Owner {
                hub: self.hub.clone(),
                server: server.clone(),
                caller: session.caller.clone(),
                session: Some(Arc::downgrade(session)),
            };
            let link = self.new_link(server, owner)?;
            if let Some(handshake) = session.handshake() {
                link.recall(handshake);
            }
            Ok(link)
        })
    }

    /// The link for a modern request: the caller's own child, or the server's stateless one.
    pub(super) fn modern_link(&self, caller: &Caller, server: &ServerName) -> Result<Arc<dyn Link>, UpstreamError> {
        let owner = || Owner { hub: self.hub.clone(), server: server.clone(), caller: caller.clone(), session: None };
        let found = self.servers.get(server).ok_or(UpstreamError::NotKnown { what: "server" })?;
        if found.spec.era == Some(Era::Legacy) {
            return Err(legacy_only());
        }
        if matches!(found.upstream, Upstream::Http(_)) {
            let mut links = lock(&self.stateless);
            if let Some(link) = links.get(server) {
                return Ok(Arc::clone(link));
            }
            let link = self.new_link(server, owner())?;
            links.insert(server.clone(), Arc::clone(&link));
            return Ok(link);
        }
        let mut children = lock(&self.children);
        let key = (caller.name.clone(), server.clone());
        if let Some(shared) = children.get_mut(&key) {
            shared.last_used = Instant::now();
            return Ok(Arc::clone(&shared.link));
        }
        if children.keys().filter(|(name, _)| *name == caller.name).count() >= self.child_limits.per_caller {
            return Err(UpstreamError::TooMany { what: "children" });
        }
        let link = self.new_link(server, owner())?;
        children.insert(key, Shared { link: Arc::clone(&link), last_used: Instant::now() });
        Ok(link)
    }

    pub(super) fn session_of(&self, outbound: &Outbound) -> Option<Arc<Session>> {
        self.hub.upgrade()?.sessions.get(outbound.session()?)
    }

    /// The link that one server's share of a message goes over.
    pub(super) fn link_for(&self, outbound: &Outbound, server: &ServerName) -> Result<Arc<dyn Link>, UpstreamError> {
        match outbound.revision().era() {
            Era::Modern => self.modern_link(outbound.caller(), server),
            Era::Legacy => {
                let session = self.session_of(outbound).ok_or(UpstreamError::Cancelled)?;
                self.session_link(&session, server)
            }
        }
    }

    async fn begin(&self, outbound: Arc<Outbound>) -> Result<Box<dyn Exchange>, UpstreamError> {
        if outbound.method() == Method::Initialize {
            return self.open_session(outbound).await;
        }
        if *outbound.route() == Route::Merged
            && let Some(exchange) = merged::begin(self, &outbound, None)?
        {
            return Ok(exchange);
        }
        let server = outbound.reach().first().ok_or(UpstreamError::NotKnown { what: "server" })?;
        let link = self.link_for(&outbound, server)?;
        link.request(&outbound, Edits::new()).await
    }

    /// Says in the log what came of a server's share of a merged message.
    pub(super) fn note_share(&self, server: &ServerName, method: Method, error: Option<&merged::ShareError>) {
        self.noted.note(server, method, error);
    }

    /// A handshake opens a session of ours first, so that whatever the upstream says belongs to it.
    async fn open_session(&self, outbound: Arc<Outbound>) -> Result<Box<dyn Exchange>, UpstreamError> {
        let hub = self.hub.upgrade().ok_or(UpstreamError::Cancelled)?;
        let (session, evicted) =
            hub.sessions.open(outbound.identity(), outbound.route(), Capabilities::of(outbound.frame().params()));
        if let Some(evicted) = evicted {
            tokio::spawn(async move { evicted.close().await });
        }
        let mut opening = Opening {
            hub,
            session: Arc::clone(&session),
            is_open: false,
            inner: None,
            client: client_of(outbound.frame()),
        };
        let inner = match outbound.route() {
            Route::Merged => merged::begin(self, &outbound, Some(&session))?,
            Route::One(server) => {
                let link = self.session_link(&session, server)?;
                Some(link.request(&outbound, Edits::new()).await?)
            }
        };
        opening.inner = inner;
        Ok(Box::new(opening))
    }

    async fn pass_on(&self, outbound: Arc<Outbound>) -> Result<(), UpstreamError> {
        let fault = |error: stockade_core::wire::EditError| UpstreamError::PeerBroke { reason: error.to_string() };
        if let Message::Answer(id, server) = outbound.message() {
            let session = self.session_of(&outbound).ok_or(UpstreamError::Cancelled)?;
            let ask = id.to_json().parse().ok().and_then(|number| session.take_ask(number));
            let (Some(ask), Some(link)) = (ask, session.link(server)) else {
                return Err(UpstreamError::NotKnown { what: "request" });
            };
            return link.send(outbound.to_bytes(Some(&ask.upstream_id), Edits::new()).map_err(fault)?).await;
        }
        let bytes = outbound.to_bytes(None, Edits::new()).map_err(fault)?;
        match outbound.revision().era() {
            Era::Modern => {
                for server in outbound.reach() {
                    self.modern_link(outbound.caller(), server)?.send(bytes.clone()).await?;
                }
            }
            Era::Legacy => {
                let session = self.session_of(&outbound).ok_or(UpstreamError::Cancelled)?;
                let mut sent = Ok(());
                for (server, link) in session.links() {
                    if outbound.reach().contains(&server)
                        && let Err(error) = link.send(bytes.clone()).await
                    {
                        // One dead server keeps nothing from the others.
                        tracing::warn!(%server, %error, "a notification did not reach the server");
                        sent = Err(error);
                    }
                    if outbound.method() == Method::NotificationsInitialized {
                        link.listen();
                    }
                }
                if *outbound.route() != Route::Merged {
                    return sent;
                }
            }
        }
        Ok(())
    }

    /// Stops children that nobody has used for the idle time.
    pub(crate) async fn close_idle(&self) {
        let idle: Vec<_> = {
            let mut children = lock(&self.children);
            let limit = self.child_limits.idle;
            let keys: Vec<_> = children
                .iter()
                .filter(|(_, shared)| shared.last_used.elapsed() > limit && Arc::strong_count(&shared.link) == 1)
                .map(|(key, _)| key.clone())
                .collect();
            keys.iter().filter_map(|key| children.remove(key)).collect()
        };
        for shared in idle {
            shared.link.close().await;
        }
    }

    pub(crate) async fn close_all(&self) {
        let links: Vec<_> = lock(&self.children).drain().map(|(_, shared)| shared.link).collect();
        futures_util::future::join_all(links.iter().map(|link| link.close())).await;
    }
}

fn legacy_only() -> UpstreamError {
    let supported = Revision::ALL.into_iter().filter(|revision| revision.era() == Era::Legacy).collect();
    UpstreamError::OtherEra { requested: Revision::V2026_07_28, supported }
}

impl Upstreams for Servers {
    fn request(&self, outbound: Arc<Outbound>) -> PortFuture<'_, Result<Box<dyn Exchange>, UpstreamError>> {
        Box::pin(self.begin(outbound))
    }

    fn send(&self, outbound: Arc<Outbound>) -> PortFuture<'_, Result<(), UpstreamError>> {
        Box::pin(self.pass_on(outbound))
    }

    fn owner_of(&self, caller: &Caller, uri: &str) -> Option<ServerName> {
        self.owners.find(&caller.name, uri)
    }
}

impl Catalogue for Servers {
    fn servers(&self) -> &[ServerName] {
        &self.names
    }

    fn treatment(&self, server: &ServerName, method: Method, object: Object<'_>) -> Treatment {
        let Some(Server { spec, .. }) = self.servers.get(server) else {
            return Treatment { effect: Effect::Destructive, deadline: Duration::ZERO, scopes: Arc::new([]) };
        };
        let tool = match object {
            Object::Tool(name) => spec.tools.get(name).cloned().unwrap_or_default(),
            Object::Server | Object::Resource(_) | Object::Prompt(_) => ToolSpec::default(),
        };
        // Only calls do something to the world; lists, reads and handshakes are reads.
        let effect = match method {
            Method::ToolsCall => tool.effect.or(spec.effect).unwrap_or_default(),
            _ => Effect::Read,
        };
        let scopes = tool.scopes.unwrap_or_else(|| Arc::clone(&spec.scopes));
        Treatment { effect, deadline: tool.deadline.unwrap_or(spec.deadline), scopes }
    }
}

/// A handshake under way. Its session opens when the answer is there, and goes away when there is none.
struct Opening {
    hub: Arc<Hub>,
    session: Arc<Session>,
    is_open: bool,
    inner: Option<Box<dyn Exchange>>,
    client: Option<String>,
}

impl Opening {
    fn settle(&mut self, incoming: Incoming) -> Incoming {
        let Incoming::Answer { frame, .. } = incoming else { return incoming };
        let chosen = frame.result().and_then(|result| result.get("protocolVersion")).and_then(Value::as_str);
        let revision = chosen.and_then(|chosen| Revision::parse(&chosen)).filter(|chosen| chosen.era() == Era::Legacy);
        let session: Option<SessionId> = revision.map(|revision| {
            self.is_open = true;
            self.hub.sessions.settle(&self.session, SessionFacts { revision, client: self.client.take() })
        });
        Incoming::Answer { frame, session }
    }
}

impl Exchange for Opening {
    fn next(&mut self) -> PortFuture<'_, Result<Incoming, UpstreamError>> {
        Box::pin(async move {
            let inner = self.inner.as_mut().ok_or(UpstreamError::Cancelled)?;
            let incoming = inner.next().await?;
            Ok(self.settle(incoming))
        })
    }

    fn refuse(&mut self, ask: stockade_core::ports::AskId, refusal: bytes::Bytes) -> PortFuture<'_, ()> {
        Box::pin(async move {
            if let Some(inner) = self.inner.as_mut() {
                inner.refuse(ask, refusal).await;
            }
        })
    }
}

impl Drop for Opening {
    fn drop(&mut self) {
        if !self.is_open
            && let Some(session) = self.hub.sessions.remove(&self.session.id())
        {
            tokio::spawn(async move { session.close().await });
        }
    }
}
