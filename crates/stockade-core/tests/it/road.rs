//! The road with every port in the test's hand: what is recorded, what reaches the upstream, what comes back.

use bytes::Bytes;
use std::collections::VecDeque;
use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use stockade_core::guard::{LimitSettings, Mirrored, Outbound, Released, Seen};
use stockade_core::identity::{Basis, Credential, Identity, IdentityError, Shown, Standing};
use stockade_core::mcp::{Frame, Id, Method, Revision};
use stockade_core::pipeline::{Ports, Road, Settings};
use stockade_core::ports::{
    AskId, Catalogue, Clock, Durability, Effect, Entropy, Exchange, Identities, Incoming, Moment, Object, Outlet,
    Policy, PortFuture, Question, Record, RecordUnavailable, Route, Ruling, Seals, SessionError, SessionFacts,
    Sessions, Timestamp, Treatment, UpstreamError, Upstreams,
};
use stockade_core::record::{Entry, Phase, Written};
use stockade_core::wire::{Edits, WireLimits};
use stockade_core::words::{Caller, CallerKind, CallerName, Secret, ServerName, SessionId};

/// The world as the test has it.
#[derive(Default)]
struct World {
    now_ms: AtomicU64,
    record_is_down: AtomicBool,
    keys_are_down: AtomicBool,
    is_revoked: AtomicBool,
    ruling: Mutex<Option<Ruling>>,
    entries: Mutex<Vec<(Entry, Option<Durability>)>>,
    /// What reached the upstream.
    arrived: Mutex<Vec<String>>,
    /// What the upstream says next; nothing means that it stays silent.
    says: Mutex<VecDeque<Result<String, UpstreamError>>>,
    cancelled: AtomicU64,
}

impl World {
    fn entries(&self) -> Vec<(Phase, Option<&'static str>, Option<String>)> {
        let entries = self.entries.lock().unwrap();
        entries
            .iter()
            .map(|(entry, _)| (entry.phase, entry.outcome.map(|outcome| outcome.as_str()), entry.rule.clone()))
            .collect()
    }

    fn phases(&self) -> Vec<Phase> {
        self.entries().into_iter().map(|(phase, ..)| phase).collect()
    }

    fn arrived(&self) -> Vec<String> {
        self.arrived.lock().unwrap().clone()
    }
}

struct Handle(Arc<World>);

impl Clock for Handle {
    fn wall(&self) -> Timestamp {
        Timestamp(self.0.now_ms.load(Ordering::Relaxed) as i64 * 1_000_000)
    }
    fn moment(&self) -> Moment {
        Moment(Duration::from_millis(self.0.now_ms.load(Ordering::Relaxed)))
    }
    fn sleep_until(&self, moment: Moment) -> PortFuture<'static, ()> {
        let world = Arc::clone(&self.0);
        Box::pin(std::future::poll_fn(move |context| {
            if Duration::from_millis(world.now_ms.load(Ordering::Relaxed)) >= moment.0 {
                return Poll::Ready(());
            }
            context.waker().wake_by_ref();
            Poll::Pending
        }))
    }
}

impl Entropy for Handle {
    fn fill(&self, bytes: &mut [u8]) {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let next = NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        bytes.iter_mut().rev().zip(next.iter().rev()).for_each(|(byte, next)| *byte = *next);
    }
}

impl Identities for Handle {
    fn identify<'a>(&'a self, shown: &'a Shown) -> PortFuture<'a, Result<Identity, IdentityError>> {
        let identity = |scopes: Option<&[&str]>| Identity {
            caller: caller("alice"),
            standing: Arc::new(Standing {
                scopes: scopes.map(|scopes| scopes.iter().map(|scope| (*scope).to_owned()).collect()),
                basis: Basis::Key { id: "k".to_owned() },
                ..Standing::given()
            }),
        };
        let identified = match &shown.credential {
            _ if self.0.keys_are_down.load(Ordering::Relaxed) => {
                Err(IdentityError::Unavailable { reason: "test".to_owned() })
            }
            Credential::Bearer(key) if key.expose() == "alice-key" => Ok(identity(None)),
            Credential::Bearer(key) if key.expose() == "alice-reads" => Ok(identity(Some(&["files:read"]))),
            Credential::Bearer(_) => Err(IdentityError::UnknownKey),
            Credential::Malformed(reason) => Err(IdentityError::Malformed { reason: (*reason).to_owned() }),
            _ => Err(IdentityError::Missing),
        };
        Box::pin(std::future::ready(identified))
    }
    fn stands(&self, _: &Identity) -> Result<(), IdentityError> {
        if self.0.is_revoked.load(Ordering::Relaxed) {
            return Err(IdentityError::Revoked { what: "key".to_owned() });
        }
        Ok(())
    }
}

impl Policy for Handle {
    fn rule(&self, question: &Question<'_>) -> Ruling {
        if let Object::Tool("forbidden") = question.object {
            return Ruling::Deny { rules: vec!["no".to_owned()], reason: "test".to_owned() };
        }
        let ruling = self.0.ruling.lock().unwrap().clone();
        ruling.unwrap_or(Ruling::Allow { rules: vec!["yes".to_owned()] })
    }
    fn revision(&self) -> String {
        "test".to_owned()
    }
}

impl Record for Handle {
    fn append(&self, entry: Entry, durability: Durability) -> PortFuture<'static, Result<Written, RecordUnavailable>> {
        let result = if self.0.record_is_down.load(Ordering::Relaxed) {
            Err(RecordUnavailable { reason: "test".to_owned() })
        } else {
            let mut entries = self.0.entries.lock().unwrap();
            entries.push((entry, Some(durability)));
            Ok(Written::assert_written(entries.len() as u64))
        };
        Box::pin(std::future::ready(result))
    }
    fn append_detached(&self, entry: Entry) {
        self.0.entries.lock().unwrap().push((entry, None));
    }
}

impl Sessions for Handle {
    fn find(&self, id: &SessionId, identity: &Identity, route: &Route) -> Result<SessionFacts, SessionError> {
        match (id.as_wire(), identity.caller.name.as_str(), route) {
            ("bobs", _, _) => Err(SessionError::OfAnotherCaller),
            ("alices", "alice", Route::One(_)) => Ok(SessionFacts { revision: Revision::V2025_11_25, client: None }),
            ("alices", "alice", Route::Merged) => Err(SessionError::OfAnotherRoute),
            _ => Err(SessionError::Unknown),
        }
    }
    fn asked(&self, _: &SessionId, id: &Id) -> Option<(ServerName, Method)> {
        (id.to_json() == "77").then(|| (server(), Method::RootsList))
    }
    fn forget(&self, _: &SessionId) {}
}

impl Seals for Handle {
    fn seal(&self, context: &[u8], plain: &[u8]) -> String {
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        format!("{}.{}", hex(context), hex(plain))
    }
    fn open(&self, context: &[u8], sealed: &str) -> Option<Vec<u8>> {
        let (start, plain) = sealed.split_once('.')?;
        let hex: String = context.iter().map(|byte| format!("{byte:02x}")).collect();
        let bytes = (0..plain.len()).step_by(2).map(|at| u8::from_str_radix(plain.get(at..at + 2)?, 16).ok());
        (start == hex).then(|| bytes.collect()).flatten()
    }
}

impl Catalogue for Handle {
    fn servers(&self) -> &[ServerName] {
        static SERVERS: std::sync::LazyLock<[ServerName; 1]> = std::sync::LazyLock::new(|| [server()]);
        SERVERS.as_slice()
    }
    fn treatment(&self, _: &ServerName, _: Method, object: Object<'_>) -> Treatment {
        let effect = if matches!(object, Object::Tool("write_file")) { Effect::Write } else { Effect::Read };
        let scopes: &[String] =
            if effect == Effect::Write { &["files:read".to_owned(), "files:write".to_owned()] } else { &[] };
        Treatment { effect, deadline: Duration::from_secs(5), scopes: scopes.into() }
    }
}

impl Upstreams for Handle {
    fn request(&self, outbound: Arc<Outbound>) -> PortFuture<'_, Result<Box<dyn Exchange>, UpstreamError>> {
        let bytes = outbound.to_bytes(Some("1"), Edits::new()).unwrap();
        self.0.arrived.lock().unwrap().push(String::from_utf8(bytes.to_vec()).unwrap());
        let exchange = Talk { world: Arc::clone(&self.0), is_done: false };
        Box::pin(std::future::ready(Ok(Box::new(exchange) as Box<dyn Exchange>)))
    }
    fn send(&self, outbound: Arc<Outbound>) -> PortFuture<'_, Result<(), UpstreamError>> {
        let bytes = outbound.to_bytes(None, Edits::new()).unwrap();
        self.0.arrived.lock().unwrap().push(String::from_utf8(bytes.to_vec()).unwrap());
        Box::pin(std::future::ready(Ok(())))
    }
    fn owner_of(&self, _: &Caller, _: &str) -> Option<ServerName> {
        None
    }
}

struct Talk {
    world: Arc<World>,
    is_done: bool,
}

impl Exchange for Talk {
    fn next(&mut self) -> PortFuture<'_, Result<Incoming, UpstreamError>> {
        Box::pin(async move {
            let said = self.world.says.lock().unwrap().pop_front();
            let Some(said) = said else { return std::future::pending().await };
            let frame = Frame::read(Bytes::from(said?), &WireLimits::DEFAULT).unwrap();
            if frame.method_name().is_some() {
                let ask = frame.id().is_some().then_some(AskId(900));
                return Ok(Incoming::Message { frame, server: server(), ask });
            }
            self.is_done = true;
            Ok(Incoming::Answer { frame, session: None })
        })
    }
    fn refuse(&mut self, _: AskId, refusal: Bytes) -> PortFuture<'_, ()> {
        self.world.arrived.lock().unwrap().push(String::from_utf8(refusal.to_vec()).unwrap());
        Box::pin(std::future::ready(()))
    }
}

impl Drop for Talk {
    fn drop(&mut self) {
        if !self.is_done {
            self.world.cancelled.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[derive(Default)]
struct Out(Vec<String>);

impl Outlet for Out {
    fn started(&mut self, _: &Id, _: Option<Method>) {}
    fn send(&mut self, message: Released) -> PortFuture<'_, ()> {
        self.0.push(String::from_utf8(message.bytes().to_vec()).unwrap());
        Box::pin(std::future::ready(()))
    }
    fn pause(&mut self, _: Option<Duration>) -> PortFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}

fn server() -> ServerName {
    ServerName::parse("files").unwrap()
}

fn caller(name: &str) -> Caller {
    Caller::new(CallerName::parse(name).unwrap(), CallerKind::ApiKey)
}

struct Test {
    world: Arc<World>,
    road: Road,
}

fn test() -> Test {
    test_with(LimitSettings::default())
}

fn test_with(limits: LimitSettings) -> Test {
    let world = Arc::new(World::default());
    let handle = || Arc::new(Handle(Arc::clone(&world)));
    let ports = Ports {
        clock: handle(),
        entropy: handle(),
        identities: handle(),
        policy: handle(),
        record: handle(),
        sessions: handle(),
        seals: handle(),
        catalogue: handle(),
        upstreams: handle(),
    };
    let settings = Settings { wire: WireLimits::DEFAULT, limits, floor: Revision::V2024_11_05, anonymous: None };
    Test { road: Road::new(ports, settings), world }
}

const META: &str = r#""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{"roots":{}}}"#;

fn call(tool: &str, more: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":"c1","method":"tools/call","params":{{"name":"{tool}","arguments":{{"path":"a"}}{more},{META}}}}}"#
    )
}

fn result(more: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":1,"result":{{"resultType":"complete","content":[]{more}}}}}"#)
}

fn stdio(key: &str) -> Seen {
    Seen {
        door: "test",
        route: Route::One(server()),
        shown: Shown::only(if key.is_empty() {
            Credential::Nothing
        } else {
            Credential::Bearer(Secret::new(key.to_owned()))
        }),
        session: None,
        protocol_version: None,
        mirrored: None,
        turn: None,
    }
}

impl Test {
    fn says(&self, text: impl Into<String>) -> &Self {
        self.world.says.lock().unwrap().push_back(Ok(text.into()));
        self
    }

    fn carry(&self, bytes: &str, seen: Seen) -> (serde_json::Value, u16, Vec<String>) {
        let mut out = Out::default();
        let released = finish(self.road.carry(Bytes::copy_from_slice(bytes.as_bytes()), seen, &mut out));
        let value = serde_json::from_slice(released.bytes()).unwrap_or(serde_json::Value::Null);
        (value, released.status(), out.0)
    }

    #[track_caller]
    fn refused(&self, bytes: &str, seen: Seen, code: i64, status: u16) {
        let before = self.world.arrived().len();
        let (answer, got, _) = self.carry(bytes, seen);
        assert_eq!((answer["error"]["code"].as_i64(), got), (Some(code), status), "{answer}");
        assert_eq!(self.world.arrived().len(), before, "the upstream saw something");
    }
}

/// Polls to the end; a test's futures never wait for anything but the test's own clock.
fn finish<T>(work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    for _ in 0..10_000 {
        if let Poll::Ready(done) = work.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return done;
        }
    }
    panic!("the road does not end")
}

#[test]
fn a_call_that_is_let_through_has_an_intent_before_and_an_outcome_after() {
    let test = test();
    test.says(result(r#","x":1e2"#));
    let (answer, status, _) = test.carry(&call("read_file", ""), stdio("alice-key"));
    assert_eq!((&answer["id"], status), (&serde_json::json!("c1"), 200));
    assert_eq!(test.world.entries()[0].0, Phase::Intent);
    assert_eq!(test.world.entries()[1].1, Some("delivered"));
    assert_eq!(test.world.arrived().len(), 1);
}

#[test]
fn what_may_change_something_waits_for_the_disk() {
    let test = test();
    test.says(result("")).says(result(""));
    test.carry(&call("read_file", ""), stdio("alice-key"));
    test.carry(&call("write_file", ""), stdio("alice-key"));
    let kept: Vec<_> = test.world.entries.lock().unwrap().iter().map(|(_, durability)| *durability).collect();
    assert_eq!(kept, [Durability::Kernel, Durability::Kernel, Durability::Disk, Durability::Disk].map(Some));
}

#[test]
fn each_guard_refuses_and_the_record_says_which() {
    for (key, bytes, code, status, rule) in [
        ("alice-key", "{".to_owned(), -32700, 400, "read"),
        ("", call("read_file", ""), -32600, 401, "identify"),
        ("wrong", call("read_file", ""), -32600, 401, "identify"),
        ("alice-key", call("read_file", r#","Name":"b""#), -32602, 400, "validate"),
        ("alice-key", call("forbidden", ""), 1001, 200, "no"),
        ("alice-key", call("read_file", r#","requestState":"forged""#), -32602, 400, "request-state"),
    ] {
        let test = test();
        test.refused(&bytes, stdio(key), code, status);
        let (_, _, said) = test.world.entries().pop().unwrap();
        let last = test.world.entries.lock().unwrap().last().unwrap().0.clone();
        let told = said.unwrap_or_default() + last.reason.as_deref().unwrap_or_default();
        assert!(told.contains(rule), "{told}");
    }
}

#[test]
fn a_dependency_that_is_down_denies() {
    let test = test();
    test.world.keys_are_down.store(true, Ordering::Relaxed);
    test.refused(&call("read_file", ""), stdio("alice-key"), -32603, 503);
    test.world.keys_are_down.store(false, Ordering::Relaxed);
    test.world.record_is_down.store(true, Ordering::Relaxed);
    test.refused(&call("read_file", ""), stdio("alice-key"), -32603, 503);
}

#[test]
fn what_a_person_must_agree_to_is_denied_while_nobody_can_be_asked() {
    let test = test();
    *test.world.ruling.lock().unwrap() = Some(Ruling::Ask { rules: vec![], reason: "sure?".to_owned() });
    test.refused(&call("read_file", ""), stdio("alice-key"), 1003, 200);
}

#[test]
fn the_call_over_the_limit_is_refused_at_once() {
    let test = test_with(LimitSettings { calls_per_minute: 2, ..LimitSettings::default() });
    test.says(result("")).says(result("")).says(result(""));
    test.carry(&call("read_file", ""), stdio("alice-key"));
    test.carry(&call("read_file", ""), stdio("alice-key"));
    test.refused(&call("read_file", ""), stdio("alice-key"), 1002, 429);
    test.world.now_ms.store(60_020, Ordering::Relaxed);
    assert_eq!(test.carry(&call("read_file", ""), stdio("alice-key")).1, 200);
}

#[test]
fn no_answer_in_time_is_a_timeout_and_cancels() {
    let test = test();
    let mut out = Out::default();
    let mut work = pin!(test.road.carry(Bytes::from(call("read_file", "")), stdio("alice-key"), &mut out));
    let mut context = Context::from_waker(Waker::noop());
    assert!(work.as_mut().poll(&mut context).is_pending());
    test.world.now_ms.store(5_000, Ordering::Relaxed);
    let Poll::Ready(released) = work.as_mut().poll(&mut context) else { panic!("still waiting") };
    assert!(String::from_utf8_lossy(released.bytes()).contains(r#""code":1004,"message":"Timeout""#));
    assert_eq!(test.world.cancelled.load(Ordering::Relaxed), 1);
    assert_eq!(test.world.entries().pop().unwrap().1, Some("timed-out"));
}

#[test]
fn a_client_that_goes_away_cancels_and_is_recorded() {
    let test = test();
    let mut out = Out::default();
    {
        let mut work = pin!(test.road.carry(Bytes::from(call("read_file", "")), stdio("alice-key"), &mut out));
        assert!(work.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }
    assert_eq!(test.world.cancelled.load(Ordering::Relaxed), 1);
    assert_eq!(test.world.entries().pop().unwrap().1, Some("cancelled"));
}

#[test]
fn a_server_that_breaks_the_protocol_is_withheld() {
    let test = test();
    test.says(r#"{"jsonrpc":"2.0","id":1,"result":{"resultType":"evil_ext","content":[]}}"#);
    let (answer, ..) = test.carry(&call("read_file", ""), stdio("alice-key"));
    assert_eq!(answer["error"]["code"], -32603);
    assert_eq!(test.world.entries().pop().unwrap().1, Some("upstream-failed"));
}

#[test]
fn an_upstream_that_is_gone_is_told_in_fixed_words() {
    let test = test();
    let error = UpstreamError::Gone { reason: "/secret/path died".to_owned() };
    test.world.says.lock().unwrap().push_back(Err(error));
    let (answer, ..) = test.carry(&call("read_file", ""), stdio("alice-key"));
    assert_eq!(answer["error"]["message"], "Server unavailable");
    assert!(!answer.to_string().contains("secret"));
}

#[test]
fn terminal_escapes_and_hidden_text_do_not_come_back() {
    let test = test();
    test.says(r#"{"jsonrpc":"2.0","id":1,"result":{"resultType":"complete","content":[{"type":"text","text":"a\u001b[2Jb\u200b\u200b\u200b\u200b"}]}}"#);
    let (answer, ..) = test.carry(&call("read_file", ""), stdio("alice-key"));
    assert_eq!(answer["result"]["content"][0]["text"], "ab");
    assert!(!test.world.entries.lock().unwrap().last().unwrap().0.findings.is_empty());
}

#[test]
fn lists_show_only_what_may_be_used() {
    let test = test();
    let tools = r#"{"jsonrpc":"2.0","id":1,"result":{"resultType":"complete","ttlMs":5,"cacheScope":"public","tools":[{"name":"forbidden","inputSchema":{"type":"object"}},{"name":"read_file","inputSchema":{"type":"object"}},{"name":"odd","inputSchema":{"type":"object","properties":{"a":{"type":"number","x-mcp-header":"A"}}}}]}}"#;
    test.says(tools);
    let list = format!(r#"{{"jsonrpc":"2.0","id":5,"method":"tools/list","params":{{{META}}}}}"#);
    let (answer, ..) = test.carry(&list, stdio("alice-key"));
    let names: Vec<_> = answer["result"]["tools"].as_array().unwrap().iter().map(|tool| tool["name"].clone()).collect();
    assert_eq!(names, ["read_file"]);
    assert_eq!(answer["result"]["cacheScope"], "private");
}

#[test]
fn a_session_of_somebody_else_is_no_session() {
    let test = test();
    let ping = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
    for (session, route, status) in
        [("bobs", Route::One(server()), 404), ("nobodys", Route::One(server()), 404), ("alices", Route::Merged, 404)]
    {
        let seen = Seen { session: SessionId::parse(session), route, ..stdio("alice-key") };
        test.refused(ping, seen, -32600, status);
    }
    test.refused(ping, stdio("alice-key"), -32600, 400);
    test.says(r#"{"jsonrpc":"2.0","id":1,"result":{}}"#);
    let seen = Seen { session: SessionId::parse("alices"), ..stdio("alice-key") };
    assert_eq!(test.carry(ping, seen).1, 200);
}

#[test]
fn mirrored_headers_must_say_what_the_body_says() {
    let mirrored = |method: &str, name: &str| Mirrored {
        method: Some(method.to_owned()).filter(|text| !text.is_empty()),
        name: Some(name.to_owned()).filter(|text| !text.is_empty()),
        params: Vec::new(),
    };
    for (version, method, name, code) in [
        ("2026-07-28", "tools/call", "read_file", 0),
        ("2026-07-28", "tools/call", "=?base64?cmVhZF9maWxl?=", 0),
        ("2026-07-28", "tools/list", "read_file", -32020),
        ("2026-07-28", "tools/call", "write_file", -32020),
        ("2026-07-28", "tools/call", "=?base64?!!!?=", -32020),
        ("2026-07-28", "", "read_file", -32020),
        ("2026-07-28", "tools/call", "", -32020),
        ("2025-11-25", "tools/call", "read_file", -32020),
        ("", "tools/call", "read_file", -32020),
        ("1999-01-01", "tools/call", "read_file", -32022),
    ] {
        let test = test();
        test.says(result(""));
        let seen = Seen {
            protocol_version: Some(version.to_owned()).filter(|text| !text.is_empty()),
            mirrored: Some(mirrored(method, name)),
            ..stdio("alice-key")
        };
        let (answer, ..) = test.carry(&call("read_file", ""), seen);
        assert_eq!(answer["error"]["code"].as_i64().unwrap_or(0), code, "{version} {method} {name}: {answer}");
        assert_eq!(test.world.arrived().len(), usize::from(code == 0));
    }
}

#[test]
fn what_a_server_leaves_with_the_client_comes_back_once_and_only_from_it() {
    let test = test();
    test.says(r#"{"jsonrpc":"2.0","id":1,"result":{"resultType":"input_required","requestState":"own","inputRequests":{"a":{"method":"roots/list","params":{}}}}}"#);
    let (answer, ..) = test.carry(&call("read_file", ""), stdio("alice-key"));
    let state = answer["result"]["requestState"].as_str().unwrap().to_owned();
    assert_ne!(state, "own");
    let retry = |tool: &str, state: &str| call(tool, &format!(r#","requestState":"{state}""#));
    test.refused(&retry("write_file", &state), stdio("alice-key"), -32602, 400);
    test.refused(&retry("read_file", &format!("00{state}")), stdio("alice-key"), -32602, 400);
    test.says(result(""));
    assert_eq!(test.carry(&retry("read_file", &state), stdio("alice-key")).1, 200);
    assert!(test.world.arrived().last().unwrap().contains(r#""requestState":"own""#));
    test.refused(&retry("read_file", &state), stdio("alice-key"), -32602, 400);
}

/// EV-11 (d): the state ends ten minutes after it was sealed, to the millisecond.
#[test]
fn what_a_server_leaves_with_the_client_ends_after_ten_minutes() {
    for (waited, is_taken) in [(599_999, true), (600_000, false), (3_600_000, false)] {
        let test = test();
        test.says(r#"{"jsonrpc":"2.0","id":1,"result":{"resultType":"input_required","requestState":"own","inputRequests":{"a":{"method":"roots/list","params":{}}}}}"#);
        let (answer, ..) = test.carry(&call("read_file", ""), stdio("alice-key"));
        let state = answer["result"]["requestState"].as_str().unwrap().to_owned();
        test.world.now_ms.fetch_add(waited, Ordering::Relaxed);
        test.says(result(""));
        let status = test.carry(&call("read_file", &format!(r#","requestState":"{state}""#)), stdio("alice-key")).1;
        assert_eq!(status == 200, is_taken, "{waited}");
        assert_eq!(test.world.arrived().len(), 1 + usize::from(is_taken));
    }
}

/// AU-16: the answer of a caller who was revoked while it was on its way is withheld.
#[test]
fn an_answer_is_not_released_to_a_caller_who_was_revoked_meanwhile() {
    let test = test();
    test.world.is_revoked.store(true, Ordering::Relaxed);
    test.says(result(""));
    let (answer, status, _) = test.carry(&call("read_file", ""), stdio("alice-key"));
    assert_eq!((answer["error"]["message"].as_str(), status), (Some("Authentication required"), 401));
    assert_eq!(test.world.entries()[1].1, Some("withheld"));
}

#[test]
fn a_request_in_flight_ends_when_its_caller_is_revoked() {
    let test = test();
    let mut out = Out::default();
    let bytes = Bytes::from(call("read_file", "").into_bytes());
    let mut work = pin!(test.road.carry(bytes, stdio("alice-key"), &mut out));
    let mut context = Context::from_waker(Waker::noop());
    assert!(work.as_mut().poll(&mut context).is_pending());
    assert_eq!(test.road.end_fallen(), 0);
    assert!(work.as_mut().poll(&mut context).is_pending());
    test.world.is_revoked.store(true, Ordering::Relaxed);
    assert_eq!(test.road.end_fallen(), 1);
    let Poll::Ready(released) = work.as_mut().poll(&mut context) else { panic!("it goes on") };
    assert_eq!(released.status(), 401);
    assert_eq!(test.world.cancelled.load(Ordering::Relaxed), 1);
    assert_eq!(test.road.end_fallen(), 0);
}

#[test]
fn who_lacks_a_scope_is_told_all_that_the_operation_needs() {
    let test = test();
    test.says(result(""));
    assert_eq!(test.carry(&call("read_file", ""), stdio("alice-reads")).1, 200);
    let mut out = Out::default();
    let bytes = Bytes::from(call("write_file", "").into_bytes());
    let released = finish(test.road.carry(bytes, stdio("alice-reads"), &mut out));
    assert_eq!(released.status(), 403);
    let challenge = released.challenge().unwrap();
    assert_eq!(challenge.error.unwrap().as_str(), "insufficient_scope");
    assert_eq!(challenge.scopes, ["files:read", "files:write"]);
    assert_eq!(test.world.arrived().len(), 1);
    // Whom no rule allows learns of no scope.
    *test.world.ruling.lock().unwrap() = Some(Ruling::Deny { rules: Vec::new(), reason: "test".to_owned() });
    test.refused(&call("write_file", ""), stdio("alice-reads"), 1001, 200);
}

#[test]
fn a_server_asks_only_for_what_the_client_has_declared() {
    let test = test();
    test.says(r#"{"jsonrpc":"2.0","id":1,"result":{"resultType":"input_required","inputRequests":{"a":{"method":"elicitation/create","params":{"mode":"form","message":"m","requestedSchema":{"type":"object","properties":{}}}}}}}"#);
    let (answer, ..) = test.carry(&call("read_file", ""), stdio("alice-key"));
    assert_eq!(answer["error"]["code"], -32603);
}

#[test]
fn progress_goes_to_who_asked_for_it_under_their_own_token() {
    let test = test();
    test.says(r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":1}}"#)
        .says(r#"{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"x"}}"#)
        .says(r#"{"jsonrpc":"2.0","id":9,"method":"sampling/createMessage","params":{"messages":[],"maxTokens":1}}"#)
        .says(result(""));
    let bytes = call("read_file", "").replace(r#""_meta":{"#, r#""_meta":{"progressToken":"mine","#);
    let (_, _, out) = test.carry(&bytes, stdio("alice-key"));
    assert_eq!(
        out,
        [r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"mine","progress":1}}"#]
    );
    let dropped = test.world.entries().iter().filter(|(phase, ..)| *phase == Phase::Event).count();
    assert_eq!(dropped, 2, "the log line nobody asked for and the request that modern servers may not make");
}

#[test]
fn what_is_not_edited_passes_byte_for_byte() {
    let test = test();
    let text = r#"{"jsonrpc":"2.0","id":1,"result":{"resultType":"complete", "content":[ ],"zeta":12345678901234567890123,"alpha":{"b":1.50,"a":1e2},"_meta":{"com.example/x":[null]}}}"#;
    test.says(text);
    let mut out = Out::default();
    let released = finish(test.road.carry(Bytes::from(call("read_file", "")), stdio("alice-key"), &mut out));
    assert_eq!(released.bytes(), &text.replace(r#""id":1,"#, r#""id":"c1","#));
    assert_eq!(test.world.arrived()[0], call("read_file", "").replace(r#""id":"c1""#, r#""id":1"#));
}

#[test]
fn keys_of_meta_that_only_the_specification_may_define_do_not_travel() {
    let test = test();
    test.says(result(""));
    let bytes = call("read_file", "")
        .replace(r#""_meta":{"#, r#""_meta":{"io.modelcontextprotocol/user":"carol","com.example/roles":["admin"],"#);
    test.carry(&bytes, stdio("alice-key"));
    let arrived = test.world.arrived().pop().unwrap();
    assert!(!arrived.contains("carol") && arrived.contains("com.example/roles"), "{arrived}");
}

#[test]
fn phases_are_one_or_two_for_each_request() {
    let test = test();
    test.says(result(""));
    test.carry(&call("read_file", ""), stdio("alice-key"));
    test.carry(&call("forbidden", ""), stdio("alice-key"));
    test.carry("[]", stdio("alice-key"));
    assert_eq!(test.world.phases(), [Phase::Intent, Phase::Outcome, Phase::Refused, Phase::Refused]);
}
