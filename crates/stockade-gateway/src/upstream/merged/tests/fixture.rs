//! A road with scripted servers behind it. Everything but the servers is real or does nothing.

use super::super::begin;
use super::super::cursor::tests::OpenSeals;
use crate::hub::{Hub, SystemClock};
use crate::session::{Session, SessionLimits, SessionTable, lock};
use crate::session_id::Capabilities;
use crate::upstream::link::{Link, Owner};
use crate::upstream::{ChildLimits, ServerKind, ServerSpec, Servers};
use bytes::Bytes;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use stockade_core::guard::{LimitSettings, Outbound, Released, Seen};
use stockade_core::identity::{Credential, Identity, IdentityError, Shown, Standing};
use stockade_core::mcp::{Era, Frame, Id, Method, Revision};
use stockade_core::pipeline::{Ports, Road, Settings};
use stockade_core::ports::{
    Action, AskId, Durability, Entropy, Exchange, Identities, Incoming, Object, Outlet, Policy, PortFuture, Question,
    Record, RecordUnavailable, Route, Ruling, SessionFacts, UpstreamError, Upstreams,
};
use stockade_core::record::{Entry, Written};
use stockade_core::wire::{Document, Edits, WireLimits};
use stockade_core::words::{Caller, CallerKind, CallerName, ServerName};

/// One thing that a scripted server does.
#[derive(Clone)]
pub(super) enum Line {
    /// Answers with this result.
    Answer(String),
    /// Answers with an error of this code.
    Error(i64),
    /// Sends a notification.
    Message(String),
    /// Asks the client something.
    Request(String),
    /// Says nothing for ever.
    Hang,
    /// Goes away.
    Break,
    /// Speaks the legacy era only.
    OtherEra,
}

/// The result of `tools/list` with tools of these names.
pub(super) fn own_tools(names: &[&str]) -> String {
    let tools: Vec<_> =
        names.iter().map(|name| format!(r#"{{"name":"{name}","inputSchema":{{"type":"object"}}}}"#)).collect();
    format!(r#"{{"tools":[{}]}}"#, tools.join(","))
}

/// The parameters of a request of MCP 2026-07-28, with `more` behind them.
pub(super) fn modern(more: &str) -> String {
    format!(
        r#"{{"_meta":{{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{{}}}}{more}}}"#
    )
}

/// The road, its servers, and what the client was told.
pub(super) struct Bench {
    pub(super) servers: Arc<Servers>,
    pub(super) session: Arc<Session>,
    hub: Arc<Hub>,
    road: Arc<Road>,
    links: HashMap<String, Arc<Scripted>>,
    told: Arc<Mutex<Vec<String>>>,
}

impl Bench {
    pub(super) fn new(names: &[&str], revision: Revision) -> Self {
        let sessions = Arc::new(SessionTable::new(
            Arc::new(Zeroes),
            Arc::new(OpenSeals),
            Arc::new(SystemClock::new()),
            SessionLimits::default(),
        ));
        let hub = Hub::new(Arc::clone(&sessions));
        let specs = names.iter().map(|name| spec(name)).collect();
        let child_limits = ChildLimits { per_caller: 1, idle: Duration::from_secs(60) };
        let servers = Servers::new(&hub, specs, Arc::new(OpenSeals), WireLimits::DEFAULT, child_limits);
        let caller = Caller::new(CallerName::parse("alice").unwrap(), CallerKind::LocalUser);
        let identity = Identity { caller: caller.clone(), standing: Arc::new(Standing::given()) };
        let (session, _) = sessions.open(&identity, &Route::Merged, Capabilities::default());
        let legacy = if revision.era() == Era::Legacy { revision } else { Revision::V2025_11_25 };
        session.settle(SessionFacts { revision: legacy, client: None });
        let mut links = HashMap::new();
        for name in names {
            let server = ServerName::parse(name).unwrap();
            let owner = Owner {
                hub: Arc::downgrade(&hub),
                server: server.clone(),
                caller: caller.clone(),
                session: Some(Arc::downgrade(&session)),
            };
            let link = Arc::new(Scripted { owner, scripts: Mutex::default(), received: Arc::default() });
            let made: Result<_, UpstreamError> = session.link_or(&server, || Ok(Arc::clone(&link) as Arc<dyn Link>));
            assert!(made.is_ok());
            links.insert((*name).to_owned(), link);
        }
        let ports = Ports {
            clock: Arc::new(SystemClock::new()),
            entropy: Arc::new(Zeroes),
            identities: Arc::new(Nobody),
            policy: Arc::new(AllowMost),
            record: Arc::new(Forgetful),
            sessions,
            seals: Arc::new(OpenSeals),
            catalogue: Arc::clone(&servers) as _,
            upstreams: Arc::new(Direct { servers: Arc::clone(&servers), session: Arc::clone(&session) }),
        };
        let settings = Settings {
            wire: WireLimits::DEFAULT,
            limits: LimitSettings::default(),
            floor: Revision::V2024_11_05,
            anonymous: None,
        };
        let road = Arc::new(Road::new(ports, settings));
        hub.connect(&road);
        Self { servers, session, hub, road, links, told: Arc::default() }
    }

    /// What a server does at its next request of this method.
    pub(super) fn script(&self, server: &str, method: &str, lines: &[Line]) {
        lock(&self.links[server].scripts).insert(method.to_owned(), lines.iter().cloned().collect());
    }

    /// What a server has received.
    pub(super) fn received(&self, server: &str) -> Vec<String> {
        lock(&self.links[server].received).clone()
    }

    /// What the client was told before answers.
    pub(super) fn told(&self) -> Vec<String> {
        lock(&self.told).clone()
    }

    pub(super) async fn pass(&self, time: Duration) {
        tokio::time::advance(time).await;
    }

    /// Carries a request of the client's and reads what comes back.
    pub(super) async fn ask(&self, method: &str, params: &str) -> Document {
        let text = format!(r#"{{"jsonrpc":"2.0","id":"q","method":"{method}","params":{params}}}"#);
        let seen = Seen {
            door: "stdio",
            route: Route::Merged,
            shown: Shown::only(Credential::LocalUser(self.session.caller.clone())),
            session: (method != "initialize").then(|| self.session.id()),
            protocol_version: None,
            mirrored: None,
            turn: None,
        };
        assert!(self.hub.road().is_some());
        let mut outlet = Told(Arc::clone(&self.told));
        let released = self.road.carry(Bytes::from(text), seen, &mut outlet).await;
        Document::read(released.bytes().clone(), &WireLimits::DEFAULT).unwrap()
    }
}

fn spec(name: &str) -> ServerSpec {
    ServerSpec {
        name: ServerName::parse(name).unwrap(),
        kind: ServerKind::Http { url: http::Uri::from_static("http://127.0.0.1:9/"), headers: Vec::new(), tls: None },
        era: None,
        effect: None,
        deadline: Duration::from_secs(60),
        scopes: Arc::new([]),
        tools: HashMap::new(),
    }
}

/// Sends every request by the merged route over the links of the one session.
struct Direct {
    servers: Arc<Servers>,
    session: Arc<Session>,
}

impl Upstreams for Direct {
    fn request(&self, outbound: Arc<Outbound>) -> PortFuture<'_, Result<Box<dyn Exchange>, UpstreamError>> {
        let begun = begin(&self.servers, &outbound, Some(&self.session));
        let begun = begun.and_then(|begun| begun.ok_or(UpstreamError::NotKnown { what: "merged method" }));
        Box::pin(std::future::ready(begun))
    }

    fn send(&self, _outbound: Arc<Outbound>) -> PortFuture<'_, Result<(), UpstreamError>> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn owner_of(&self, caller: &Caller, uri: &str) -> Option<ServerName> {
        self.servers.owner_of(caller, uri)
    }
}

struct Scripted {
    owner: Owner,
    scripts: Mutex<HashMap<String, VecDeque<Line>>>,
    received: Arc<Mutex<Vec<String>>>,
}

impl Link for Scripted {
    fn recall(&self, _: Bytes) {}

    fn request<'l>(
        &'l self,
        outbound: &'l Arc<Outbound>,
        changes: Edits,
    ) -> PortFuture<'l, Result<Box<dyn Exchange>, UpstreamError>> {
        let bytes = outbound.to_bytes(Some("7"), changes).unwrap();
        lock(&self.received).push(String::from_utf8(bytes.to_vec()).unwrap());
        let lines = lock(&self.scripts).remove(outbound.method().as_str()).expect("a script for the method");
        let exchange = Played { owner: self.owner.clone(), lines, received: Arc::clone(&self.received) };
        Box::pin(std::future::ready(Ok(Box::new(exchange) as Box<dyn Exchange>)))
    }

    fn send<'l>(&'l self, bytes: Bytes) -> PortFuture<'l, Result<(), UpstreamError>> {
        lock(&self.received).push(String::from_utf8(bytes.to_vec()).unwrap());
        Box::pin(std::future::ready(Ok(())))
    }

    fn listen(&self) {}

    fn close(&self) -> PortFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}

struct Played {
    owner: Owner,
    lines: VecDeque<Line>,
    received: Arc<Mutex<Vec<String>>>,
}

fn frame(text: &str) -> Frame {
    Frame::read(Bytes::from(text.to_owned()), &WireLimits::DEFAULT).unwrap()
}

impl Exchange for Played {
    fn next(&mut self) -> PortFuture<'_, Result<Incoming, UpstreamError>> {
        let line = self.lines.pop_front().expect("nobody asks beyond the script");
        let server = self.owner.server.clone();
        let answer = |text: String| Ok(Incoming::Answer { frame: frame(&text), session: None });
        let said = match line {
            Line::Answer(result) => answer(format!(r#"{{"jsonrpc":"2.0","id":7,"result":{result}}}"#)),
            Line::Error(code) => {
                answer(format!(r#"{{"jsonrpc":"2.0","id":7,"error":{{"code":{code},"message":"no"}}}}"#))
            }
            Line::Message(text) => Ok(Incoming::Message { frame: frame(&text), server, ask: None }),
            Line::Request(text) => {
                let frame = frame(&text);
                let ask = self.owner.take_in(&frame, frame.id().unwrap());
                Ok(Incoming::Message { frame, server, ask })
            }
            Line::Break => Err(UpstreamError::Gone { reason: "by the script".to_owned() }),
            Line::OtherEra => Err(UpstreamError::OtherEra {
                requested: Revision::V2026_07_28,
                supported: vec![Revision::V2025_11_25],
            }),
            Line::Hang => return Box::pin(std::future::pending()),
        };
        Box::pin(std::future::ready(said))
    }

    fn refuse(&mut self, ask: AskId, refusal: Bytes) -> PortFuture<'_, ()> {
        self.owner.forget(ask);
        lock(&self.received).push(String::from_utf8(refusal.to_vec()).unwrap());
        Box::pin(std::future::ready(()))
    }
}

struct Told(Arc<Mutex<Vec<String>>>);

impl Outlet for Told {
    fn started(&mut self, _id: &Id, _method: Option<Method>) {}

    fn send(&mut self, message: Released) -> PortFuture<'_, ()> {
        lock(&self.0).push(String::from_utf8(message.bytes().to_vec()).unwrap());
        Box::pin(std::future::ready(()))
    }

    fn pause(&mut self, _retry: Option<Duration>) -> PortFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}

/// Allows everything but the tool `forbidden` and asking the client's model.
struct AllowMost;

impl Policy for AllowMost {
    fn rule(&self, question: &Question<'_>) -> Ruling {
        if question.object == Object::Tool("forbidden") || question.action == Action::Sample {
            return Ruling::Deny { rules: Vec::new(), reason: "by the test".to_owned() };
        }
        Ruling::Allow { rules: Vec::new() }
    }

    fn revision(&self) -> String {
        "test".to_owned()
    }
}

struct Zeroes;

impl Entropy for Zeroes {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(0);
    }
}

struct Nobody;

impl Identities for Nobody {
    fn identify<'a>(&'a self, _: &'a Shown) -> PortFuture<'a, Result<Identity, IdentityError>> {
        Box::pin(std::future::ready(Err(IdentityError::UnknownKey)))
    }
    fn stands(&self, _: &Identity) -> Result<(), IdentityError> {
        Err(IdentityError::UnknownKey)
    }
}

/// Takes every entry and keeps none.
struct Forgetful;

impl Record for Forgetful {
    fn append(
        &self,
        _entry: Entry,
        _durability: Durability,
    ) -> PortFuture<'static, Result<Written, RecordUnavailable>> {
        Box::pin(std::future::ready(Ok(Written::assert_written(0))))
    }

    fn append_detached(&self, _entry: Entry) {}
}
