//! A correct Streamable HTTP client of every revision, whose requests can be bent before they are sent.

use std::io::{Error, ErrorKind, Result};
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::event_stream::EventStream;
use super::raw::{RawHttp, endpoint};
use super::{Caller, PATIENCE, initialize_params, with_meta};
use crate::answer::Answer;
use crate::era::{Era, mirrored_name, mirrored_value};
use crate::http_text::BODY_LIMIT_BYTES;

/// Most connections kept for later requests.
const KEPT_CONNECTIONS: usize = 128;

/// One client: one key, one era, in the legacy era one session. May be used by many threads at once.
#[derive(Debug)]
pub struct HttpClient {
    address: String,
    path: String,
    key: Option<String>,
    era: Era,
    session: Mutex<Session>,
    next_id: AtomicI64,
    kept: Mutex<Vec<RawHttp>>,
    /// How long to wait for an answer.
    pub patience: Duration,
}

/// What a legacy handshake agreed on.
#[derive(Debug, Clone, Default)]
struct Session {
    id: Option<String>,
    /// For the header `MCP-Protocol-Version`, which 2025-03-26 does not know.
    revision: Option<String>,
}

/// A request that is right unless the case changes it.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// `POST`, `GET` or `DELETE`.
    pub method: String,
    /// The request target.
    pub path: String,
    /// In order; `Content-Length` is added when sending unless a length or transfer coding is there.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// The JSON-RPC id whose answer ends the waiting; `null` waits for the end of the body.
    pub id: Value,
}

impl Outgoing {
    /// Sets a header, in place of all of that name.
    #[must_use]
    pub fn header(self, name: &str, value: &str) -> Self {
        self.without(name).add(name, value)
    }

    /// Adds a header, also a repeated one.
    #[must_use]
    pub fn add(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Takes a header away.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(held, _)| !held.eq_ignore_ascii_case(name));
        self
    }

    /// Replaces the body; the headers stay as they are.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Changes the JSON of the body; the headers stay as they are.
    ///
    /// # Panics
    /// When the body is not JSON.
    #[must_use]
    pub fn edit(mut self, change: impl FnOnce(&mut Value)) -> Self {
        let mut message: Value = serde_json::from_slice(&self.body).expect("a JSON body");
        change(&mut message);
        self.id = message.get("id").cloned().unwrap_or_default();
        self.body(message.to_string())
    }

    /// The request as bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut text = format!("{} {} HTTP/1.1\r\n", self.method, self.path);
        for (name, value) in &self.headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        let says_length = ["content-length", "transfer-encoding"];
        if !self.headers.iter().any(|(name, _)| says_length.contains(&name.to_ascii_lowercase().as_str())) {
            text.push_str(&format!("Content-Length: {}\r\n", self.body.len()));
        }
        text.push_str("\r\n");
        [text.as_bytes(), &self.body].concat()
    }
}

impl HttpClient {
    /// A client for `url` with this key. In the legacy era it initialises and opens a session.
    ///
    /// # Panics
    /// When the handshake fails.
    #[must_use]
    #[track_caller]
    pub fn connect(url: &str, key: &str, era: Era) -> Self {
        let client = Self::unopened(url, Some(key), era);
        if !era.is_modern() {
            let answer = client.open_session();
            assert_eq!(answer.result()["protocolVersion"], era.revision(), "{answer}");
        }
        client
    }

    /// A client that has sent nothing yet, perhaps without a key.
    #[must_use]
    pub fn unopened(url: &str, key: Option<&str>, era: Era) -> Self {
        let (address, path) = endpoint(url);
        Self {
            address: address.to_owned(),
            path: path.to_owned(),
            key: key.map(str::to_owned),
            era,
            session: Mutex::default(),
            next_id: AtomicI64::new(1),
            kept: Mutex::default(),
            patience: PATIENCE,
        }
    }

    /// Initialises (again), with `notifications/initialized` if it went well. Gives the answer to `initialize`.
    #[track_caller]
    pub fn open_session(&self) -> Answer {
        *self.session.lock().expect("session") = Session::default();
        let answer = self.send(self.prepare("initialize", initialize_params(self.era)));
        if let [response] = answer.responses()[..]
            && let Some(agreed) = response["result"]["protocolVersion"].as_str()
        {
            let id = answer.header("Mcp-Session-Id").map(str::to_owned);
            let revision = (agreed != "2025-03-26").then(|| agreed.to_owned());
            *self.session.lock().expect("session") = Session { id, revision };
            self.notify("notifications/initialized", json!({}));
        }
        answer
    }

    /// Closes the connections that were kept for later requests.
    pub fn close_kept(&self) {
        self.kept.lock().expect("connections").clear();
    }

    /// The session id that the server gave.
    #[must_use]
    pub fn session(&self) -> Option<String> {
        self.session.lock().expect("session").id.clone()
    }

    /// A correct request, to be bent and sent.
    #[must_use]
    pub fn prepare(&self, method: &str, params: Value) -> Outgoing {
        let id = json!(self.next_id.fetch_add(1, Ordering::Relaxed));
        let params = with_meta(self.era, params);
        let message = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
        self.outgoing(method, &params, &message, id)
    }

    /// A correct `tools/call`, to be bent and sent.
    #[must_use]
    pub fn prepare_call(&self, tool: &str, arguments: Value) -> Outgoing {
        self.prepare("tools/call", json!({ "name": tool, "arguments": arguments }))
    }

    /// A request without a body (`GET`, `DELETE`) with the headers that belong to it.
    #[must_use]
    pub fn prepare_bodiless(&self, http_method: &str) -> Outgoing {
        let mut outgoing = self.outgoing("", &Value::Null, &Value::Null, Value::Null).without("Content-Type").body("");
        outgoing.method = http_method.to_owned();
        outgoing
    }

    /// Sends and waits for the answer.
    ///
    /// # Panics
    /// When the connection fails or nothing comes in time; see `try_send` where that is expected.
    #[track_caller]
    pub fn send(&self, outgoing: Outgoing) -> Answer {
        match self.try_send(&outgoing) {
            Ok(answer) => answer,
            Err(cause) => panic!("no answer to {}: {cause}", String::from_utf8_lossy(&outgoing.body)),
        }
    }

    /// Sends and waits for the answer.
    ///
    /// # Errors
    /// When the connection fails or nothing comes within `patience`.
    pub fn try_send(&self, outgoing: &Outgoing) -> Result<Answer> {
        let deadline = Instant::now() + self.patience;
        let mut stream = self.start(outgoing)?;
        let mut answer = Answer { head: Some(stream.head.clone()), ..Answer::default() };
        while let Some(piece) = stream.piece(deadline.saturating_duration_since(Instant::now()))? {
            answer.raw.extend_from_slice(&piece);
            if answer.raw.len() > BODY_LIMIT_BYTES {
                return Err(Error::new(ErrorKind::InvalidData, "longer than the test kit's limit"));
            }
            for event in stream.events_in(&piece) {
                answer.messages.extend(serde_json::from_str::<Value>(&event.data));
            }
            // After the answer the server must end the stream; what it still says shortly after is kept, too.
            if !outgoing.id.is_null() && answer.responses().iter().any(|response| response["id"] == outgoing.id) {
                stream.read_on_for(AFTER_ANSWER);
            }
        }
        if !stream.is_stream() {
            answer.messages.extend(serde_json::from_slice::<Value>(&answer.raw));
        }
        if let Some(connection) = stream.into_reusable() {
            let mut kept = self.kept.lock().expect("connections");
            if kept.len() < KEPT_CONNECTIONS {
                kept.push(connection);
            }
        }
        Ok(answer)
    }

    /// Sends and gives the stream as soon as its head is there: for `GET`, `subscriptions/listen`, slow readers.
    ///
    /// # Errors
    /// When the connection fails or no head comes within `patience`.
    pub fn start(&self, outgoing: &Outgoing) -> Result<EventStream> {
        let kept = || self.kept.lock().expect("connections").pop();
        let idle = std::iter::from_fn(kept).find(RawHttp::is_idle);
        let mut connection = idle.map_or_else(|| RawHttp::connect(&self.address), Ok)?;
        // A refusal may come, and the connection close, before the whole body is written.
        let written = connection.send(outgoing.to_bytes());
        let head = match (connection.head_until(Instant::now() + self.patience), written) {
            (Ok(head), _) => head,
            (Err(_), Err(cause)) | (Err(cause), Ok(())) => return Err(cause),
        };
        Ok(EventStream::new(connection, head))
    }

    fn outgoing(&self, method: &str, params: &Value, message: &Value, id: Value) -> Outgoing {
        let mut headers = vec![
            ("Host".to_owned(), self.address.clone()),
            ("Accept".to_owned(), "application/json, text/event-stream".to_owned()),
            ("Content-Type".to_owned(), "application/json".to_owned()),
        ];
        let mut add = |name: &str, value: String| headers.push((name.to_owned(), value));
        if let Some(key) = &self.key {
            add("Authorization", format!("Bearer {key}"));
        }
        let session = self.session.lock().expect("session").clone();
        let revision = if self.era.is_modern() { Some(self.era.revision().to_owned()) } else { session.revision };
        for (name, value) in [("MCP-Protocol-Version", revision), ("Mcp-Session-Id", session.id)] {
            value.into_iter().for_each(|value| add(name, value));
        }
        if self.era.is_modern() && !method.is_empty() {
            add("Mcp-Method", method.to_owned());
            if let Some(name) = mirrored_name(method, params) {
                add("Mcp-Name", mirrored_value(name));
            }
        }
        Outgoing { method: "POST".to_owned(), path: self.path.clone(), headers, body: message.to_string().into(), id }
    }
}

impl Caller for HttpClient {
    #[track_caller]
    fn request(&self, method: &str, params: Value) -> Answer {
        self.send(self.prepare(method, params))
    }

    #[track_caller]
    fn notify(&self, method: &str, params: Value) {
        let params = with_meta(self.era, params);
        let message = json!({ "jsonrpc": "2.0", "method": method, "params": params });
        let answer = self.send(self.outgoing(method, &params, &message, Value::Null));
        assert_eq!(answer.status(), 202, "a notification is accepted: {answer}");
    }

    fn era(&self) -> Era {
        self.era
    }
}

/// How long a stream is read on after the answer, to see whether more comes.
const AFTER_ANSWER: Duration = Duration::from_millis(250);
