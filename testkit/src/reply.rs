//! The handle by which a script answers, now or later, properly or not.

use std::io::Write;
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;

use crate::received::Transport;
use crate::relay::{self, Order};
use crate::timer::Timer;

/// How far an HTTP answer has got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Waiting,
    Streaming,
    Done,
}

#[derive(Debug)]
struct Line {
    transport: Transport,
    link: u64,
    writer: Mutex<TcpStream>,
    /// The same socket, so that hanging up never waits for a writer that the gateway keeps waiting.
    closer: TcpStream,
    gone: AtomicBool,
    timer: Arc<Timer>,
}

/// Answers one message. Clones answer the same one.
///
/// Over HTTP it writes the answer to one request; over stdio it writes to the child's standard output, through the
/// relay. A method that makes no sense on a transport says so and does nothing there.
#[derive(Debug, Clone)]
pub struct Reply {
    line: Arc<Line>,
    phase: Arc<Mutex<Phase>>,
    headers: Arc<Mutex<Vec<(String, String)>>>,
}

impl Reply {
    pub(crate) fn new(transport: Transport, link: u64, socket: TcpStream, timer: Arc<Timer>) -> Self {
        let closer = socket.try_clone().expect("clone the socket");
        let line = Line { transport, link, writer: Mutex::new(socket), closer, gone: AtomicBool::new(false), timer };
        Self { line: Arc::new(line), phase: Arc::new(Mutex::new(Phase::Waiting)), headers: Arc::default() }
    }

    /// A handle for the next message of the same link.
    pub(crate) fn next(&self) -> Self {
        Self { line: Arc::clone(&self.line), phase: Arc::new(Mutex::new(Phase::Waiting)), headers: Arc::default() }
    }

    /// The connection or child.
    #[must_use]
    pub fn link(&self) -> u64 {
        self.line.link
    }

    /// How the message came.
    #[must_use]
    pub fn transport(&self) -> Transport {
        self.line.transport
    }

    /// Did a write fail, or was the link closed by either side?
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.line.gone.load(Ordering::Relaxed)
    }

    /// Adds a header to the head that has not been sent yet. Nothing over stdio.
    pub fn header(&self, name: &str, value: &str) -> &Self {
        self.headers.lock().expect("headers").push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sends one JSON message: as the body of a 200, as an event if a stream is open, or as a line.
    pub fn json(&self, message: &Value) {
        self.message(message.to_string());
    }

    /// As `json`, with exactly these bytes as the message.
    pub fn message(&self, text: impl AsRef<[u8]>) {
        let text = text.as_ref();
        match (self.transport(), self.phase()) {
            (Transport::Stdio, _) => self.raw([text, b"\n"].concat()),
            (Transport::Http, Phase::Waiting) => self.http(200, &[("Content-Type", "application/json")], text),
            (Transport::Http, _) => self.stream_raw([b"data: ", text, b"\n\n"].concat()),
        }
    }

    /// 202 without a body. Nothing over stdio.
    pub fn accepted(&self) {
        self.http(202, &[], b"");
    }

    /// A whole HTTP answer. Nothing over stdio.
    pub fn http(&self, status: u16, headers: &[(&str, &str)], body: impl AsRef<[u8]>) {
        let body = body.as_ref();
        let length = body.len().to_string();
        let mut whole = self.head(status, headers, ("Content-Length", &length));
        whole.extend_from_slice(body);
        self.write_http(&whole, Phase::Done);
    }

    /// Starts a chunked HTTP answer of any kind. Nothing over stdio.
    pub fn open(&self, status: u16, headers: &[(&str, &str)]) {
        let head = self.head(status, headers, ("Transfer-Encoding", "chunked"));
        self.write_http(&head, Phase::Streaming);
    }

    /// Starts an event stream; later messages become its events. Nothing over stdio.
    pub fn open_stream(&self) {
        self.open(200, &[("Content-Type", "text/event-stream"), ("Cache-Control", "no-store")]);
    }

    /// Bytes as they are into the streamed body (one chunk), opening an event stream if none is open; or to stdout.
    pub fn stream_raw(&self, bytes: impl AsRef<[u8]>) {
        let bytes = bytes.as_ref();
        if self.transport() == Transport::Stdio {
            return self.raw(bytes);
        }
        if self.phase() == Phase::Waiting {
            self.open_stream();
        }
        if !bytes.is_empty() {
            self.raw([format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat());
        }
    }

    /// Ends a streamed answer. Nothing over stdio, nothing when no stream is open.
    pub fn finish(&self) {
        if self.phase() == Phase::Streaming {
            self.write_http(b"0\r\n\r\n", Phase::Done);
        }
    }

    /// Bytes as they are to the socket or to stdout, with no HTTP around them.
    pub fn raw(&self, bytes: impl AsRef<[u8]>) {
        match self.transport() {
            Transport::Http => self.write(bytes.as_ref()),
            Transport::Stdio => self.order(Order::Output, bytes.as_ref()),
        }
    }

    /// Bytes to the child's standard error. Nothing over HTTP.
    pub fn stderr(&self, bytes: impl AsRef<[u8]>) {
        self.order(Order::Diagnostics, bytes.as_ref());
    }

    /// Repeats a piece until `total_bytes` were sent or the gateway is gone, on a thread of its own.
    pub fn flood(&self, piece: impl Into<Vec<u8>>, total_bytes: usize, pause: Duration) {
        let (reply, piece) = (self.clone(), piece.into());
        std::thread::spawn(move || {
            let mut sent = 0;
            while sent < total_bytes && !piece.is_empty() && !reply.is_gone() {
                reply.stream_raw(&piece);
                sent += piece.len();
                std::thread::sleep(pause);
            }
        });
    }

    /// Does something with this reply after a while. Jobs share one thread: keep them short, use `flood` for much.
    pub fn later(&self, delay: Duration, job: impl FnOnce(Self) + Send + 'static) {
        let reply = self.clone();
        self.line.timer.after(delay, move || job(reply));
    }

    /// Closes the connection without another byte, or the child's standard output.
    pub fn close(&self) {
        match self.transport() {
            Transport::Http => self.hang_up(),
            Transport::Stdio => self.order(Order::CloseOutput, b""),
        }
    }

    /// The child exits with this code; over HTTP the connection is closed.
    pub fn die(&self, code: u8) {
        match self.transport() {
            Transport::Http => self.hang_up(),
            Transport::Stdio => self.order(Order::Exit, &[code]),
        }
    }

    /// The child starts a grandchild that outlives it for at most `seconds`; its id comes back by
    /// [`crate::Recorder::starts`] as `{"grandchild": pid}`. Nothing over HTTP.
    pub fn start_grandchild(&self, seconds: u8) {
        self.order(Order::StartGrandchild, &[seconds]);
    }

    pub(crate) fn hang_up(&self) {
        self.line.gone.store(true, Ordering::Relaxed);
        drop(self.line.closer.shutdown(Shutdown::Both));
    }

    fn phase(&self) -> Phase {
        *self.phase.lock().expect("phase")
    }

    fn head(&self, status: u16, headers: &[(&str, &str)], length: (&str, &str)) -> Vec<u8> {
        let mut head = format!("HTTP/1.1 {status} {}\r\n", reason(status));
        let added = self.headers.lock().expect("headers").clone();
        let added = added.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        for (name, value) in headers.iter().copied().chain(added).chain([length]) {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        head.into_bytes()
    }

    fn write_http(&self, bytes: &[u8], then: Phase) {
        if self.transport() == Transport::Http {
            *self.phase.lock().expect("phase") = then;
            self.write(bytes);
        }
    }

    fn order(&self, order: Order, payload: &[u8]) {
        if self.transport() == Transport::Stdio {
            for frame in relay::frames(order, payload) {
                self.write(&frame);
            }
        }
    }

    fn write(&self, bytes: &[u8]) {
        let mut socket = self.line.writer.lock().expect("socket");
        if socket.write_all(bytes).is_err() {
            self.line.gone.store(true, Ordering::Relaxed);
        }
    }
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        202 => "Accepted",
        204 => "No Content",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        503 => "Service Unavailable",
        _ => "Scripted",
    }
}
