//! The ground that the attack cases stand on: one lane at a time, a client whose messages can be bent, evidence in the
//! record, and what must hold after every case (section 0.4 of the attack cases).
//!
//! A case says what it attacks and attacks. Counting requests, reading the record and checking the invariants is done here,
//! the same for all.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use serde_json::{Value, json};
use testkit::{
    Answer, AuditRecord, Caller, Canaries, Config, Gateway, HttpClient, Invariants, Lane, Outgoing, Permit, RawHttp,
    Received, Stage, StdioClient, Subject, Transport, WellBehaved, check_invariants, wait_until,
};

/// The program under attack.
pub(crate) const STOCKADE: &str = env!("CARGO_BIN_EXE_stockade");
/// Long enough for a loaded machine; nothing waits that long when all is well.
pub(crate) const LONG: Duration = Duration::from_secs(20);
/// How long the record may take to tell what has happened.
const RECORD_LIMIT: Duration = Duration::from_secs(5);

/// `STOCKADE_LONG=1`: run what needs minutes, and every revision instead of one for each era.
#[expect(clippy::disallowed_methods, reason = "a switch of the tests, which the product never reads")]
pub(crate) fn is_long() -> bool {
    std::env::var_os("STOCKADE_LONG").is_some_and(|value| value == "1")
}

/// Every way from client to server, in both eras; with `STOCKADE_LONG=1` in every revision.
pub(crate) fn lanes() -> Vec<Lane> {
    if is_long() { Lane::all() } else { Lane::typical() }
}

/// Those through the HTTP door.
pub(crate) fn http_lanes() -> Vec<Lane> {
    lanes().into_iter().filter(|lane| lane.door == Transport::Http).collect()
}

/// Those through the stdio door, in every revision: there are no more than five.
pub(crate) fn stdio_lanes() -> Vec<Lane> {
    Lane::all().into_iter().filter(|lane| lane.door == Transport::Stdio).collect()
}

/// Those through the HTTP door in the stateless era.
pub(crate) fn modern_http_lanes() -> Vec<Lane> {
    http_lanes().into_iter().filter(|lane| lane.era.is_modern()).collect()
}

/// Those through the HTTP door in the era of sessions.
pub(crate) fn legacy_http_lanes() -> Vec<Lane> {
    http_lanes().into_iter().filter(|lane| !lane.era.is_modern()).collect()
}

/// The configuration of most cases: everybody may read, nobody may write or delete.
pub(crate) fn readers_only() -> Config {
    only_tools(&["read_file", "list_dir"])
}

/// Everybody may call these tools of the server `files` and no other.
pub(crate) fn only_tools(tools: &[&str]) -> Config {
    roomy(Config::new()).permit(Permit::new().callers(&["*"]).servers(&["files"]).tools(tools))
}

/// Everybody may do everything with the server `files`.
pub(crate) fn everything() -> Config {
    roomy(Config::new()).permit(Permit::everything_on("files"))
}

/// Limits out of the way of cases that are not about them.
pub(crate) fn roomy(config: Config) -> Config {
    let budget = json!(1_000_000);
    config.limit("calls_per_minute", budget.clone()).limit("messages_per_minute", budget)
}

/// What a refused caller is told.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Words {
    status: u16,
    code: i64,
    text: &'static str,
}

pub(crate) const NOT_JSON: Words = Words { status: 400, code: -32700, text: "Invalid request format" };
pub(crate) const INVALID_REQUEST: Words = Words { status: 400, code: -32600, text: "Invalid request format" };
pub(crate) const INVALID_PARAMS: Words = Words { status: 400, code: -32602, text: "Invalid request format" };
pub(crate) const TOO_LARGE: Words = Words { status: 413, code: -32600, text: "Message too large" };
pub(crate) const UNSUPPORTED_MEDIA: Words = Words { status: 415, code: -32600, text: "Unsupported media type" };
pub(crate) const HEADER_MISMATCH: Words = Words { status: 400, code: -32020, text: "Header mismatch" };
pub(crate) const UNSUPPORTED_VERSION: Words = Words { status: 400, code: -32022, text: "Unsupported protocol version" };
pub(crate) const UNIDENTIFIED: Words = Words { status: 401, code: -32600, text: "Authentication required" };
pub(crate) const MALFORMED_CREDENTIAL: Words = Words { status: 400, code: -32600, text: "Invalid request format" };
pub(crate) const FORBIDDEN: Words = Words { status: 403, code: -32600, text: "Forbidden" };
pub(crate) const NO_ROUTE: Words = Words { status: 404, code: -32600, text: "Not found" };
pub(crate) const NOT_ALLOWED: Words = Words { status: 405, code: -32600, text: "Method not allowed" };
pub(crate) const NO_SESSION: Words = Words { status: 404, code: -32600, text: "Session not found" };
pub(crate) const SESSION_MISSING: Words = Words { status: 400, code: -32600, text: "Session required" };
pub(crate) const DENIED: Words = Words { status: 200, code: 1001, text: "Permission denied" };
pub(crate) const TIMED_OUT: Words = Words { status: 200, code: 1004, text: "Timeout" };
pub(crate) const WITHHELD: Words = Words { status: 200, code: 1005, text: "Result withheld" };
pub(crate) const SERVER_FAILED: Words = Words { status: 200, code: -32603, text: "Server unavailable" };

/// A message that is right until a case bends it. Over HTTP its headers stay those of the right one.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    /// What is sent, without the line end of stdio.
    pub(crate) bytes: Vec<u8>,
    /// The id of the right message.
    pub(crate) id: Value,
    outgoing: Option<Outgoing>,
}

impl Message {
    /// A right message over HTTP.
    pub(crate) fn of(outgoing: Outgoing) -> Self {
        Self { bytes: outgoing.body.clone(), id: outgoing.id.clone(), outgoing: Some(outgoing) }
    }

    /// The right message as text.
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.bytes).expect("a message that is still text")
    }

    /// Other bytes in its place.
    pub(crate) fn with(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.bytes = bytes.into();
        self
    }

    /// Replaces a piece that must occur exactly once.
    pub(crate) fn replace(self, piece: &str, by: &str) -> Self {
        assert_eq!(self.text().matches(piece).count(), 1, "{piece:?} in {}", self.text());
        let bent = self.text().replace(piece, by);
        self.with(bent)
    }

    /// The right message with other members.
    pub(crate) fn edit(self, change: impl FnOnce(&mut Value)) -> Self {
        let mut message: Value = serde_json::from_slice(&self.bytes).expect("JSON so far");
        change(&mut message);
        self.with(message.to_string())
    }

    /// Sets a header, in place of all of that name. Nothing over stdio.
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.outgoing = self.outgoing.map(|outgoing| outgoing.header(name, value));
        self
    }

    /// Takes a header away. Nothing over stdio.
    pub(crate) fn without_header(mut self, name: &str) -> Self {
        self.outgoing = self.outgoing.map(|outgoing| outgoing.without(name));
        self
    }

    /// The HTTP request, where there is one, with the bytes as they are now.
    pub(crate) fn outgoing(&self) -> Outgoing {
        self.outgoing.clone().expect("a lane whose door is HTTP").body(self.bytes.clone())
    }
}

/// A client of either door that sends what it is told to.
pub(crate) enum Attacker {
    Http(Box<HttpClient>),
    Stdio(Box<StdioClient>),
}

impl Attacker {
    pub(crate) fn of(stage: &Stage, caller: &str) -> Self {
        match stage.lane.door {
            Transport::Http => Self::Http(Box::new(stage.http_client(caller))),
            Transport::Stdio => Self::Stdio(Box::new(stage.stdio_client())),
        }
    }

    pub(crate) fn http(&self) -> &HttpClient {
        match self {
            Self::Http(client) => client,
            Self::Stdio(_) => panic!("this lane's door is stdio"),
        }
    }

    pub(crate) fn stdio(&self) -> &StdioClient {
        match self {
            Self::Stdio(client) => client,
            Self::Http(_) => panic!("this lane's door is HTTP"),
        }
    }

    /// A correct request.
    pub(crate) fn prepare(&self, method: &str, params: Value) -> Message {
        match self {
            Self::Http(client) => Message::of(client.prepare(method, params)),
            Self::Stdio(client) => {
                let message = client.prepare(method, params);
                Message { bytes: message.to_string().into(), id: message["id"].clone(), outgoing: None }
            }
        }
    }

    /// A correct call.
    pub(crate) fn prepare_call(&self, tool: &str, arguments: Value) -> Message {
        self.prepare("tools/call", json!({ "name": tool, "arguments": arguments }))
    }

    /// A correct request over HTTP that carries no message (`GET`, `DELETE`).
    pub(crate) fn prepare_bodiless(&self, http_method: &str) -> Message {
        Message::of(self.http().prepare_bodiless(http_method))
    }

    /// Sends a message and waits for its answer, whatever id that has: nothing else may be under way.
    #[track_caller]
    pub(crate) fn send(&self, message: &Message) -> Answer {
        match self {
            Self::Http(client) => client.send(message.outgoing()),
            Self::Stdio(client) => {
                let mut seen = client.lines().len();
                client.send_raw([&message.bytes[..], b"\n"].concat());
                let mut answer = Answer::default();
                while answer.responses().is_empty() {
                    let line = client.line(seen, LONG).unwrap_or_else(|| panic!("the gateway ended its output"));
                    seen += 1;
                    answer.messages.push(serde_json::from_slice(&line).expect("a line of JSON"));
                    answer.raw.extend(line);
                }
                answer
            }
        }
    }

    /// Sends all at once and gives the answers in the order of the messages. Each message's id must be that of its bytes.
    pub(crate) fn send_together(&self, messages: &[Message]) -> Vec<Answer> {
        match self {
            Self::Http(client) => std::thread::scope(|scope| {
                let sending = |message: &Message| {
                    let outgoing = message.outgoing();
                    scope.spawn(move || client.send(outgoing))
                };
                let senders: Vec<_> = messages.iter().map(sending).collect();
                senders.into_iter().map(|sender| sender.join().expect("an answer")).collect()
            }),
            Self::Stdio(client) => {
                let seen = client.lines().len();
                let lines: Vec<u8> = messages.iter().flat_map(|message| [&message.bytes[..], b"\n"].concat()).collect();
                assert!(client.send_raw(lines), "the gateway takes its input");
                messages.iter().map(|message| client.answer(&message.id, seen)).collect()
            }
        }
    }
}

impl Caller for Attacker {
    #[track_caller]
    fn request(&self, method: &str, params: Value) -> Answer {
        match self {
            Self::Http(client) => client.request(method, params),
            Self::Stdio(client) => client.request(method, params),
        }
    }

    #[track_caller]
    fn notify(&self, method: &str, params: Value) {
        match self {
            Self::Http(client) => client.notify(method, params),
            Self::Stdio(client) => client.notify(method, params),
        }
    }

    fn era(&self) -> testkit::Era {
        match self {
            Self::Http(client) => client.era(),
            Self::Stdio(client) => client.era(),
        }
    }

    fn pid(&self) -> Option<u32> {
        match self {
            Self::Http(_) => None,
            Self::Stdio(client) => Some(client.pid()),
        }
    }

    fn stderr(&self) -> String {
        match self {
            Self::Http(_) => String::new(),
            Self::Stdio(client) => Caller::stderr(client.as_ref()),
        }
    }
}

/// What the record must tell of one refusal.
struct Evidence {
    /// The ticket, where the caller was told it.
    ticket: Option<String>,
    phases: &'static [&'static str],
    rule: String,
    reason: String,
}

/// One lane with a server and a client that has made one call, ready to be attacked.
pub(crate) struct Scene {
    pub(crate) stage: Stage,
    /// The attacker.
    pub(crate) bob: Attacker,
    /// Who else is there, each with a connection, a session and a server process of their own.
    pub(crate) others: Vec<Attacker>,
    pub(crate) canaries: Canaries,
    requests: Cell<usize>,
    evidence: RefCell<Vec<Evidence>>,
}

/// Runs a case on each lane. The server must have `read_file`, which must be permitted: the benign call before and after.
#[track_caller]
pub(crate) fn on_each(
    lanes: impl IntoIterator<Item = Lane>,
    server: impl Fn() -> WellBehaved,
    config: impl Fn() -> Config,
    case: impl Fn(&Scene),
) {
    on_each_with(&[], lanes, server, config, case);
}

/// As [`on_each`], with further callers on the HTTP lanes; a wrapped server has one client by nature.
#[track_caller]
pub(crate) fn on_each_with(
    others: &[&str],
    lanes: impl IntoIterator<Item = Lane>,
    server: impl Fn() -> WellBehaved,
    config: impl Fn() -> Config,
    case: impl Fn(&Scene),
) {
    for lane in lanes {
        let others = if lane.door == Transport::Http { others } else { &[] };
        on(lane, others, server(), config(), &case);
    }
}

/// Runs a case on one lane.
#[track_caller]
fn on(lane: Lane, others: &[&str], server: WellBehaved, config: Config, case: impl FnOnce(&Scene)) {
    println!("on {lane:?}");
    let stage = Stage::open(STOCKADE, lane, server, config);
    let mut requests = 0;
    let mut arrive = |caller: &str| {
        let client = Attacker::of(&stage, caller);
        assert_eq!(benign_call(&client).text(), "read_file benign");
        requests += 1 + usize::from(!lane.era.is_modern());
        client
    };
    let bob = arrive("bob");
    let others: Vec<_> = others.iter().map(|caller| arrive(caller)).collect();
    wait_for_streams(&stage, 1 + others.len());
    let canaries = Canaries::new(u64::from(std::process::id()));
    let requests = Cell::new(requests);
    let scene = Scene { stage, bob, others, canaries, requests, evidence: RefCell::new(Vec::new()) };
    let subject = scene.stage.subject(&scene.bob);
    let before = Invariants::before(&*subject, || benign_call(&scene.bob));
    scene.stage.recorder().clear();
    case(&scene);
    scene.check_evidence(&*subject);
    for client in scene.others.iter().chain([&scene.bob]) {
        if let Attacker::Http(client) = client {
            client.close_kept();
        }
    }
    let expected = before.canaries(&scene.canaries).requests(scene.requests.get());
    check_invariants(&*subject, &expected);
}

#[track_caller]
fn benign_call(client: &Attacker) -> Answer {
    client.call("read_file", json!({ "path": "benign" }))
}

/// In each legacy session over HTTP the gateway opens a stream for what the server says by itself; it comes when it comes,
/// and must not fall into the case.
fn wait_for_streams(stage: &Stage, sessions: usize) {
    if stage.lane.upstream == Transport::Http && !stage.lane.era.is_modern() {
        let is_stream = |message: &Received| message.http.as_ref().is_some_and(|http| http.method == "GET");
        let opened = || stage.recorder().messages().iter().filter(|message| is_stream(message)).count() >= sessions;
        assert!(wait_until(LONG, opened), "the gateway listens to the server in each session");
    }
}

impl Scene {
    pub(crate) fn lane(&self) -> Lane {
        self.stage.lane
    }

    pub(crate) fn is_modern(&self) -> bool {
        self.stage.lane.era.is_modern()
    }

    pub(crate) fn gateway(&self) -> &Gateway {
        self.stage.gateway()
    }

    /// The process under attack: the gateway, or on a stdio lane the `wrap` behind the client.
    pub(crate) fn pid(&self) -> u32 {
        self.bob.pid().unwrap_or_else(|| self.gateway().pid())
    }

    /// A correct call of `read_file` whose argument is a fake secret.
    pub(crate) fn call(&self) -> Message {
        self.bob.prepare_call("read_file", json!({ "path": self.canaries.value("aws_key") }))
    }

    /// Counts requests that reach the gateway in another way than by `send` or `request`.
    pub(crate) fn count(&self, requests: usize) {
        self.requests.set(self.requests.get() + requests);
    }

    /// Sends a message as `bob` and counts it.
    #[track_caller]
    pub(crate) fn send(&self, message: &Message) -> Answer {
        self.count(1);
        self.bob.send(message)
    }

    /// Makes a correct call as `bob` and counts it.
    #[track_caller]
    pub(crate) fn correct_call(&self, tool: &str, arguments: Value) -> Answer {
        self.count(1);
        self.bob.call(tool, arguments)
    }

    /// BLOCK: these words and nothing else, nothing at the server, and one entry in the record that says what fired.
    #[track_caller]
    pub(crate) fn assert_blocked(&self, message: &Message, answer: &Answer, words: Words, rule: &str, reason: &str) {
        let ticket = Some(self.ticket_of(&message.id, answer, words));
        self.stage.recorder().assert_nothing();
        self.expect(ticket, &["refused"], rule, reason);
    }

    /// BLOCK-OUT: these words and nothing else, and an intent with an outcome in the record that says why.
    #[track_caller]
    pub(crate) fn assert_withheld(&self, message: &Message, answer: &Answer, words: Words, reason: &str) {
        let ticket = Some(self.ticket_of(&message.id, answer, words));
        self.expect(ticket, &["intent", "outcome"], "", reason);
    }

    /// The record has a refusal that says this, of something whose caller was not told a record id.
    pub(crate) fn expect_refusal(&self, rule: &str, reason: &str) {
        self.expect(None, &["refused"], rule, reason);
    }

    /// The record has an event of this kind that says this.
    pub(crate) fn expect_event(&self, kind: &str, reason: &str) {
        let told = || {
            let records = self.stage.audit();
            records
                .iter()
                .any(|record| record.phase() == "event" && record.kind() == kind && record.reason().contains(reason))
        };
        assert!(wait_until(RECORD_LIMIT, told), "no event `{kind}` with {reason:?}: {:#?}", self.stage.audit());
    }

    /// Sends raw bytes over a connection of their own: the answer is a status without a word, then the connection ends, and
    /// the record has one refusal of the framing that says why. Counts as one request.
    #[track_caller]
    pub(crate) fn assert_cut_off(&self, request: impl AsRef<[u8]>, status: u16, reason: &str) {
        let request = request.as_ref();
        let shown = || String::from_utf8_lossy(&request[..request.len().min(600)]).into_owned();
        let mut connection = RawHttp::connect(self.gateway().address()).expect("the gateway listens");
        let response = connection.exchange(request, LONG);
        let response = response.unwrap_or_else(|cause| panic!("no answer ({cause}) to {}", shown()));
        assert_eq!((response.status(), response.body.len()), (status, 0), "{}", shown());
        assert_eq!(response.head.header("connection"), Some("close"), "{}", shown());
        // Nothing follows: a second answer would be the answer to something that was hidden in the request.
        let rest = connection.bytes(LONG);
        let is_over = match &rest {
            Ok(bytes) => bytes.is_empty(),
            Err(cause) => cause.kind() == std::io::ErrorKind::ConnectionReset,
        };
        assert!(is_over, "after the refusal came {rest:?} to {}", shown());
        self.count(1);
        self.expect_refusal("http-framing", reason);
    }

    fn expect(&self, ticket: Option<String>, phases: &'static [&'static str], rule: &str, reason: &str) {
        let evidence = Evidence { ticket, phases, rule: rule.to_owned(), reason: reason.to_owned() };
        self.evidence.borrow_mut().push(evidence);
    }

    /// Checks that an answer is exactly a refusal in these words, and gives its record id. Nothing else in it means that
    /// no text of the attacker, path, version or address is in it either.
    #[track_caller]
    fn ticket_of(&self, id: &Value, answer: &Answer, words: Words) -> String {
        let [response] = answer.responses()[..] else { panic!("expected one answer: {answer}") };
        let members = |value: &Value| -> Vec<String> {
            value.as_object().map(|object| object.keys().cloned().collect()).unwrap_or_default()
        };
        let error = &response["error"];
        let data: &[&str] = match words.code {
            1002 => &["record", "retryAfterMs"],
            -32022 => &["record", "supported", "requested"],
            _ => &["record"],
        };
        let ticket = error["data"]["record"].as_str().unwrap_or_default();
        assert_eq!(members(error), ["code", "message", "data"], "{answer}");
        assert_eq!(members(&error["data"]), data, "{answer}");
        assert_eq!((&error["code"], &error["message"]), (&json!(words.code), &json!(words.text)), "{answer}");
        match response.get("id") {
            None => assert_eq!(members(response), ["jsonrpc", "error"], "{answer}"),
            Some(own) => {
                assert_eq!(members(response), ["jsonrpc", "id", "error"], "{answer}");
                assert_eq!(own, id, "{answer}");
            }
        }
        if answer.head.is_some() {
            // A legacy client takes an error status for the end of its session, so what belongs to a request goes with 200.
            let is_of_a_request = [-32601, -32602].contains(&words.code) && response.get("id").is_some();
            let status = if is_of_a_request && !self.is_modern() { 200 } else { words.status };
            assert_eq!(answer.status(), status, "{answer}");
        }
        ticket.to_owned()
    }

    /// Compares what the record tells with what has happened.
    fn check_evidence(&self, subject: &dyn Subject) {
        let evidence = self.evidence.take();
        let missing = |records: &[AuditRecord]| -> Vec<String> {
            let mut unnamed: Vec<&AuditRecord> = records.iter().collect();
            let fits = |record: &AuditRecord, wanted: &Evidence| {
                record.rule().contains(&wanted.rule) && record.reason().contains(&wanted.reason)
            };
            let mut missing = Vec::new();
            for wanted in &evidence {
                let Some(ticket) = &wanted.ticket else {
                    let found = unnamed.iter().position(|record| record.phase() == "refused" && fits(record, wanted));
                    match found {
                        Some(at) => drop(unnamed.swap_remove(at)),
                        None => missing.push(format!("no refusal by {:?} with {:?}", wanted.rule, wanted.reason)),
                    }
                    continue;
                };
                let own: Vec<_> = records.iter().filter(|record| record.ticket() == ticket).collect();
                let phases: Vec<_> = own.iter().map(|record| record.phase()).collect();
                let is_denied = wanted.phases != ["refused"] || own.iter().all(|record| record.decision() == "deny");
                let last_fits = own.last().is_some_and(|record| fits(record, wanted));
                if phases != wanted.phases || !is_denied || !last_fits {
                    let (rule, reason) = (&wanted.rule, &wanted.reason);
                    missing.push(format!("{ticket} is to be {:?} {rule:?} {reason:?}: {own:#?}", wanted.phases));
                }
            }
            missing
        };
        let is_told = wait_until(RECORD_LIMIT, || missing(&subject.audit()).is_empty());
        assert!(is_told, "{}", missing(&subject.audit()).join("\n"));
    }
}

/// Processor time that a process has used, in units of 10 ms (proc_pid_stat(5), fields 14 and 15).
pub(crate) fn processor_time(pid: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("the process runs");
    let (_, rest) = stat.rsplit_once(") ").expect("a name in brackets");
    let ticks: u64 = rest.split(' ').skip(11).take(2).map(|field| field.parse::<u64>().expect("a number")).sum();
    Duration::from_millis(ticks * 10)
}

/// Lets the peak of resident memory start again from what is resident now, which is returned in KiB (proc(5), clear_refs).
pub(crate) fn restart_peak(pid: u32) -> u64 {
    std::fs::write(format!("/proc/{pid}/clear_refs"), "5").expect("the process is ours");
    peak_kib(pid)
}

/// The most memory that was resident since [`restart_peak`], in KiB.
pub(crate) fn peak_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("the process runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
    line.split_whitespace().next().and_then(|number| number.parse().ok()).expect("a number")
}
