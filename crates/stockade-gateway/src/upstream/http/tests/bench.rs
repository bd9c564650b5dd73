//! A whole road whose ports are as simple as they can be, with the real servers, sessions and links behind it.

use super::fake::Fake;
use crate::hub::{Hub, SystemClock};
use crate::session::{Session, SessionLimits, SessionTable};
use crate::upstream::{ChildLimits, ServerKind, ServerSpec, Servers};
use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use stockade_core::guard::{LimitSettings, Mirrored, Released, Seen};
use stockade_core::identity::{self, Credential, Identity, IdentityError};
use stockade_core::mcp::{Era, Id, Method, Revision};
use stockade_core::pipeline::{Ports, Road, Settings};
use stockade_core::ports::{
    Durability, Entropy, Identities, Outlet, Policy, PortFuture, Question, Record, RecordUnavailable, Route, Ruling,
    Seals,
};
use stockade_core::record::{Entry, Written};
use stockade_core::wire::WireLimits;
use stockade_core::words::{Caller, CallerKind, CallerName, ServerName, SessionId};
use tokio::sync::mpsc;

/// How long a test waits for what must happen.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);
pub(super) const MESSAGE_BYTES: usize = 64 << 10;
pub(super) const META: &str = r#""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"c","version":"1"},"io.modelcontextprotocol/clientCapabilities":{}}"#;

struct Simple(AtomicU8);

impl Entropy for Simple {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(self.0.fetch_add(1, Ordering::Relaxed));
    }
}

impl Identities for Simple {
    fn identify<'a>(&'a self, _: &'a identity::Shown) -> PortFuture<'a, Result<Identity, IdentityError>> {
        Box::pin(std::future::ready(Err(IdentityError::UnknownKey)))
    }
    fn stands(&self, _: &Identity) -> Result<(), IdentityError> {
        Err(IdentityError::UnknownKey)
    }
}

impl Policy for Simple {
    fn rule(&self, _: &Question<'_>) -> Ruling {
        Ruling::Allow { rules: vec!["all".to_owned()] }
    }

    fn revision(&self) -> String {
        "test".to_owned()
    }
}

impl Seals for Simple {
    fn seal(&self, _: &[u8], plain: &[u8]) -> String {
        plain.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn open(&self, _: &[u8], _: &str) -> Option<Vec<u8>> {
        None
    }
}

#[derive(Default)]
struct Kept(Mutex<Vec<Entry>>);

impl Record for Kept {
    fn append(&self, entry: Entry, _: Durability) -> PortFuture<'static, Result<Written, RecordUnavailable>> {
        self.0.lock().unwrap().push(entry);
        Box::pin(async { Ok(Written::assert_written(1)) })
    }

    fn append_detached(&self, entry: Entry) {
        self.0.lock().unwrap().push(entry);
    }
}

/// What the client would see before the answer.
#[derive(Default)]
pub(super) struct Shown {
    pub(super) messages: Vec<String>,
    /// Gets each message as it is shown.
    live: Option<mpsc::UnboundedSender<String>>,
    pub(super) pauses: Vec<Option<Duration>>,
}

impl Outlet for Shown {
    fn started(&mut self, _: &Id, _: Option<Method>) {}

    fn send(&mut self, message: Released) -> PortFuture<'_, ()> {
        let text = String::from_utf8(message.bytes().to_vec()).unwrap();
        if let Some(live) = &self.live {
            live.send(text.clone()).unwrap();
        }
        self.messages.push(text);
        Box::pin(async {})
    }

    fn pause(&mut self, retry: Option<Duration>) -> PortFuture<'_, ()> {
        self.pauses.push(retry);
        Box::pin(async {})
    }
}

pub(super) struct Bench {
    pub(super) road: Arc<Road>,
    hub: Arc<Hub>,
    record: Arc<Kept>,
    pub(super) fake: Fake,
}

impl Bench {
    pub(super) fn new(fake: Fake, era: Option<Era>) -> Arc<Self> {
        let simple = Arc::new(Simple(AtomicU8::new(1)));
        let sessions = Arc::new(SessionTable::new(
            Arc::clone(&simple) as Arc<dyn Entropy>,
            Arc::clone(&simple) as Arc<dyn Seals>,
            Arc::new(SystemClock::new()),
            SessionLimits::default(),
        ));
        let hub = Hub::new(Arc::clone(&sessions));
        let header = |name, value| (HeaderName::from_static(name), HeaderValue::from_static(value));
        let spec = ServerSpec {
            name: server(),
            kind: ServerKind::Http {
                url: format!("http://{}/mcp", fake.address).parse().unwrap(),
                headers: vec![
                    header("authorization", "Bearer ours"),
                    header("mcp-session-id", "configured"),
                    header("accept", "*/*"),
                ],
                tls: None,
            },
            era,
            effect: None,
            deadline: PATIENCE,
            scopes: Arc::new([]),
            tools: HashMap::new(),
        };
        let wire = WireLimits { message_bytes: MESSAGE_BYTES, ..WireLimits::DEFAULT };
        let children = ChildLimits { per_caller: 1, idle: PATIENCE };
        let servers = Servers::new(&hub, vec![spec], Arc::clone(&simple) as Arc<dyn Seals>, wire, children);
        let record = Arc::new(Kept::default());
        let ports = Ports {
            clock: Arc::new(SystemClock::new()),
            entropy: Arc::clone(&simple) as Arc<dyn Entropy>,
            identities: Arc::clone(&simple) as Arc<dyn Identities>,
            policy: Arc::clone(&simple) as Arc<dyn Policy>,
            record: Arc::clone(&record) as Arc<dyn Record>,
            sessions,
            seals: simple,
            catalogue: Arc::clone(&servers) as _,
            upstreams: servers,
        };
        let settings = Settings {
            wire,
            limits: LimitSettings { calls_per_minute: 1000, messages_per_minute: 1000, in_flight: 100, streams: 100 },
            floor: Revision::V2024_11_05,
            anonymous: None,
        };
        let road = Arc::new(Road::new(ports, settings));
        hub.connect(&road);
        Arc::new(Self { road, hub, record, fake })
    }

    /// Sends one message of a client's along the road.
    pub(super) async fn carry(
        &self,
        body: impl Into<String>,
        session: Option<&SessionId>,
        mirrored: Option<Mirrored>,
    ) -> (String, Shown) {
        let (released, shown) = self.carry_all(body, session, mirrored, Shown::default()).await;
        (String::from_utf8(released.bytes().to_vec()).unwrap(), shown)
    }

    /// The same for a legacy message, which shows each message before the answer as it comes.
    pub(super) async fn carry_live(
        &self,
        body: String,
        session: &SessionId,
        live: mpsc::UnboundedSender<String>,
    ) -> String {
        let shown = Shown { live: Some(live), ..Shown::default() };
        let (released, _) = self.carry_all(body, Some(session), None, shown).await;
        String::from_utf8(released.bytes().to_vec()).unwrap()
    }

    async fn carry_all(
        &self,
        body: impl Into<String>,
        session: Option<&SessionId>,
        mirrored: Option<Mirrored>,
        mut shown: Shown,
    ) -> (Released, Shown) {
        let seen = Seen {
            door: "http",
            route: Route::One(server()),
            shown: identity::Shown::only(Credential::LocalUser(Caller::new(
                CallerName::parse("alice").unwrap(),
                CallerKind::LocalUser,
            ))),
            session: session.cloned(),
            protocol_version: mirrored.is_some().then(|| "2026-07-28".to_owned()),
            mirrored,
            turn: None,
        };
        let carried = self.road.carry(Bytes::from(body.into()), seen, &mut shown);
        let released = tokio::time::timeout(PATIENCE * 2, carried).await.expect("no answer");
        (released, shown)
    }

    /// Shakes hands in the legacy era.
    pub(super) async fn shake_hands(&self) -> SessionId {
        let body = r#"{"jsonrpc":"2.0","id":"hello","method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{"elicitation":{}},"clientInfo":{"name":"c","version":"1"}}}"#;
        let (released, _) = self.carry_all(body, None, None, Shown::default()).await;
        let text = String::from_utf8(released.bytes().to_vec()).unwrap();
        released.session().cloned().unwrap_or_else(|| panic!("no session: {text}, {:?}", self.reasons()))
    }

    pub(super) fn session(&self, id: &SessionId) -> Arc<Session> {
        self.hub.sessions.get(id).unwrap()
    }

    pub(super) async fn close(&self) {
        self.hub.close().await;
    }

    /// Why things were refused or dropped, as the operator reads it.
    pub(super) fn reasons(&self) -> Vec<String> {
        self.record.0.lock().unwrap().iter().filter_map(|entry| entry.reason.clone()).collect()
    }

    pub(super) fn assert_reason(&self, expected: &str) {
        let reasons = self.reasons();
        assert!(reasons.iter().any(|reason| reason.contains(expected)), "`{expected}` not in {reasons:?}");
    }
}

fn server() -> ServerName {
    ServerName::parse("far").unwrap()
}

/// A legacy request.
pub(super) fn request(id: &str, method: &str, params: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{params}}}"#)
}
