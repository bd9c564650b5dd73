//! One lane with raw bytes at both ends: what a client says, what a server answers, and both as they arrive.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use testkit::{
    Caller, Config, Gateway, HttpClient, Lane, Outgoing, Received, Reply, SseParser, Stage, StdioClient, Transport,
    Upstream, WellBehaved,
};

use super::template::{Template, in_one_line};

/// Longest wait for one message.
const PATIENCE: Duration = Duration::from_secs(15);

/// One request and all that comes back for it.
#[derive(Clone)]
pub(super) struct Exchange {
    pub(super) method: String,
    /// What `Mcp-Name` says.
    pub(super) name: String,
    pub(super) request: Template,
    /// The client's own id, as JSON text.
    pub(super) id: &'static str,
    /// The client's own progress token, as JSON text.
    pub(super) token: &'static str,
    /// What the server says before it answers.
    pub(super) interim: Vec<Template>,
    pub(super) answer: Template,
}

/// A question of the server's while it works on a call.
pub(super) struct Asking {
    pub(super) question: Template,
    pub(super) answer: Template,
    /// The server's own id, as JSON text.
    pub(super) id: &'static str,
}

impl Exchange {
    pub(super) fn of(method: &str, name: &str, request: Template, answer: Template) -> Self {
        let (method, name) = (method.to_owned(), name.to_owned());
        Self { method, name, request, id: r#""own \u0069d""#, token: "null", interim: Vec::new(), answer }
    }

    pub(super) fn call(request: Template, answer: Template) -> Self {
        Self::of("tools/call", "echo", request, answer)
    }

    fn in_era(&self, lane: Lane) -> Self {
        let interim = self.interim.iter().map(|message| message.in_era(lane.era)).collect();
        let (request, answer) = (self.request.in_era(lane.era), self.answer.in_era(lane.era));
        Self { request, answer, interim, ..self.clone() }
    }
}

/// What the server does with the next message of one method.
#[derive(Clone, Default)]
pub(super) struct Plan {
    shared: Arc<Mutex<Option<Step>>>,
}

struct Step {
    method: String,
    /// The message as it should arrive.
    expected: Template,
    question: Option<Vec<u8>>,
    interim: Vec<Template>,
    answer: Template,
    arrived: Vec<Vec<u8>>,
    /// The call that waits for the client's answer to a question.
    kept: Option<(Reply, String)>,
}

impl Plan {
    /// The server, following the plan where there is one.
    pub(super) fn intercepting(&self, server: WellBehaved) -> WellBehaved {
        let shared = Arc::clone(&self.shared);
        server.intercept(move |received, reply| match shared.lock().expect("plan").as_mut() {
            Some(step) => step.take(received, reply),
            None => false,
        })
    }

    fn set(&self, step: Step) {
        *self.shared.lock().expect("plan") = Some(step);
    }

    /// Every message that the plan was for, as it came.
    fn arrived(&self) -> Vec<Vec<u8>> {
        self.shared.lock().expect("plan").as_ref().map(|step| step.arrived.clone()).unwrap_or_default()
    }
}

impl Step {
    fn take(&mut self, received: &Received, reply: &Reply) -> bool {
        let is_post = received.http.as_ref().is_none_or(|http| http.method == "POST");
        // What the test kit's library cannot read is ours for certain: the gateway's own messages are plain.
        let is_ours = received.json.is_none() || received.method() == self.method;
        let is_answer = received.json.is_none() || received.method().is_empty();
        if is_post && self.kept.is_some() && is_answer {
            self.arrived.push(received.bytes.clone());
            reply.accepted();
            let (kept, number) = self.kept.take().expect("a kept call");
            kept.message(self.answer.fill(&number, &number));
            kept.finish();
            return true;
        }
        if !is_post || !is_ours {
            return false;
        }
        self.arrived.push(received.bytes.clone());
        match (self.expected.number_in(&received.bytes), self.question.take()) {
            (Some(number), Some(question)) => {
                reply.open_stream();
                reply.message(question);
                self.kept = Some((reply.clone(), number));
            }
            (Some(number), None) => {
                if !self.interim.is_empty() {
                    reply.open_stream();
                }
                for message in &self.interim {
                    reply.message(message.fill(&number, &number));
                }
                reply.message(self.answer.fill(&number, &number));
                reply.finish();
            }
            // The test is about to fail; this way it need not wait.
            (None, _) => reply.close(),
        }
        true
    }
}

/// The client's end, as the lane's door wants it.
enum End {
    Http(Box<HttpClient>),
    Stdio(Box<StdioClient>),
}

/// A gateway between a client and a server that both speak in raw bytes.
pub(super) struct Wire {
    lane: Lane,
    end: End,
    plan: Plan,
    _behind: Behind,
}

/// What must live as long as the wire.
enum Behind {
    Stage(#[expect(dead_code, reason = "held for its drop")] Box<Stage>),
    Parts(#[expect(dead_code, reason = "held for its drop")] Box<(Gateway, Upstream)>),
}

impl Wire {
    pub(super) fn open(lane: Lane, server: WellBehaved, config: Config) -> Self {
        let plan = Plan::default();
        let stage = Stage::open(env!("CARGO_BIN_EXE_stockade"), lane, plan.intercepting(server), config);
        let end = match lane.door {
            Transport::Http => End::Http(Box::new(stage.http_client("bob"))),
            Transport::Stdio => End::Stdio(Box::new(stage.stdio_client())),
        };
        let wire = Self { lane, end, plan, _behind: Behind::Stage(Box::new(stage)) };
        wire.warm_up();
        wire
    }

    pub(super) fn over_http(lane: Lane, plan: Plan, upstream: Upstream, gateway: Gateway, client: HttpClient) -> Self {
        let behind = Behind::Parts(Box::new((gateway, upstream)));
        let wire = Self { lane, end: End::Http(Box::new(client)), plan, _behind: behind };
        wire.warm_up();
        wire
    }

    /// So that nothing which the gateway asks for itself falls into an exchange.
    fn warm_up(&self) {
        let client: &dyn Caller = match &self.end {
            End::Http(client) => &**client,
            End::Stdio(client) => &**client,
        };
        let listed = client.request("tools/list", json!({}));
        assert!(listed.result().is_object(), "{listed}");
    }

    /// The server gets the request as it was sent, the client gets the answer as it was given; only the id and the
    /// progress token are the gateway's on one side and the client's own on the other.
    #[track_caller]
    pub(super) fn passes(&self, exchange: &Exchange) {
        self.becomes(exchange, &exchange.request, &exchange.answer);
    }

    /// The same where the documented edits make something else of request or answer.
    #[track_caller]
    pub(super) fn becomes(&self, exchange: &Exchange, request: &Template, answer: &Template) {
        let (request, answer) = (request.in_era(self.lane.era), answer.in_era(self.lane.era));
        let exchange = exchange.in_era(self.lane);
        self.plan.set(Step {
            method: exchange.method.clone(),
            expected: request.clone(),
            question: None,
            interim: exchange.interim.clone(),
            answer: exchange.answer.clone(),
            arrived: Vec::new(),
            kept: None,
        });
        let came_back = self.exchange(&exchange);
        self.assert_arrived(&request);
        let mut expected: Vec<Vec<u8>> =
            exchange.interim.iter().map(|message| message.fill(exchange.id, exchange.token)).collect();
        expected.push(answer.fill(exchange.id, exchange.token));
        assert_same(self.lane, "the client", &came_back, &expected);
    }

    /// A call during which the server asks the client something.
    #[track_caller]
    pub(super) fn asks(&self, asking: &Asking, exchange: &Exchange) {
        let exchange = exchange.in_era(self.lane);
        self.plan.set(Step {
            method: exchange.method.clone(),
            expected: exchange.request.clone(),
            question: Some(asking.question.fill(asking.id, "null")),
            interim: Vec::new(),
            answer: exchange.answer.clone(),
            arrived: Vec::new(),
            kept: None,
        });
        let request = exchange.request.fill(exchange.id, exchange.token);
        let number_of = |question: &[u8]| {
            let number = asking.question.number_in(question);
            number.unwrap_or_else(|| panic!("{:?}: the question is {}", self.lane, String::from_utf8_lossy(question)))
        };
        let last = match &self.end {
            End::Http(client) => {
                let mut stream = client.start(&self.outgoing(client, &exchange, request)).expect("a stream");
                // An event without data only says where to take the stream up again.
                let mut event = || {
                    let data = || stream.event(PATIENCE).expect("an event").expect("an open stream").data;
                    std::iter::repeat_with(data).find(|data| !data.is_empty()).expect("endless").into_bytes()
                };
                let number = number_of(&event());
                let mut back = client.prepare("ping", json!({})).body(asking.answer.fill(&number, "null"));
                back.id = Value::Null;
                assert_eq!(client.send(back).status(), 202);
                event()
            }
            End::Stdio(client) => {
                let seen = client.lines().len();
                assert!(client.send_raw([&request, &b"\n"[..]].concat()));
                let number = number_of(&line(client, seen));
                assert!(client.send_raw([asking.answer.fill(&number, "null"), b"\n".to_vec()].concat()));
                line(client, seen + 1)
            }
        };
        let arrived = self.plan.arrived();
        assert_same(self.lane, "the server", &arrived[1..], &[asking.answer.fill(asking.id, "null")]);
        assert_same(self.lane, "the client", &[last], &[exchange.answer.fill(exchange.id, exchange.token)]);
    }

    fn exchange(&self, exchange: &Exchange) -> Vec<Vec<u8>> {
        let request = exchange.request.fill(exchange.id, exchange.token);
        match &self.end {
            End::Http(client) => {
                let answer = client.send(self.outgoing(client, exchange, request));
                let is_stream = answer.header("content-type").is_some_and(|kind| kind.starts_with("text/event-stream"));
                if !is_stream {
                    return vec![answer.raw];
                }
                let events = SseParser::default().feed(&answer.raw);
                events.into_iter().map(|event| event.data.into_bytes()).filter(|data| !data.is_empty()).collect()
            }
            End::Stdio(client) => {
                let seen = client.lines().len();
                assert!(client.send_raw([in_one_line(request), b"\n".to_vec()].concat()), "the gateway reads");
                (0..=exchange.interim.len()).map(|number| line(client, seen + number)).collect()
            }
        }
    }

    /// With the headers that are right for the message, and waiting for the end of the body.
    fn outgoing(&self, client: &HttpClient, exchange: &Exchange, body: Vec<u8>) -> Outgoing {
        let member = if exchange.method == "resources/read" { "uri" } else { "name" };
        let mut outgoing = client.prepare(&exchange.method, json!({ member: exchange.name })).body(body);
        outgoing.id = Value::Null;
        outgoing
    }

    #[track_caller]
    fn assert_arrived(&self, expected: &Template) {
        let arrived = self.plan.arrived();
        let [bytes] = &arrived[..] else {
            panic!("{:?}: the server should have got one message, not {}", self.lane, arrived.len())
        };
        let number = expected.number_in(bytes);
        let shown = expected.fill("NUMBER", "NUMBER");
        assert!(number.is_some(), "{}", difference(self.lane, "the server", bytes, &shown));
    }
}

fn line(client: &StdioClient, number: usize) -> Vec<u8> {
    let mut line = client.line(number, PATIENCE).expect("an open output");
    assert_eq!(line.pop(), Some(b'\n'));
    line
}

#[track_caller]
fn assert_same(lane: Lane, whose: &str, got: &[Vec<u8>], expected: &[Vec<u8>]) {
    assert_eq!(got.len(), expected.len(), "{lane:?}: messages for {whose}: {:?}", shown(&got.concat()));
    for (got, expected) in got.iter().zip(expected) {
        assert!(got == expected, "{}", difference(lane, whose, got, expected));
    }
}

fn difference(lane: Lane, whose: &str, got: &[u8], expected: &[u8]) -> String {
    let at = got.iter().zip(expected).take_while(|(one, other)| one == other).count();
    let from = at.saturating_sub(40);
    format!(
        "{lane:?}: what {whose} got differs at byte {at}\n got      …{}\n expected …{}",
        shown(got.get(from..).unwrap_or_default()),
        shown(expected.get(from..).unwrap_or_default())
    )
}

fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).chars().take(600).collect()
}
