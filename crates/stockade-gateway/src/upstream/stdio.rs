//! A child process that speaks MCP over its standard streams, one message a line.
//!
//! For: legacy servers, where one process serves one session and so one caller; and modern servers, where one process
//! serves one caller. Started at the first message, started again with back-off after it has died, never repeating what
//! it was asked.
//! Must never: write to the child what was not judged; take a line of the child's for a message before the strict reader
//! has; let a child outlive its link.
//! Source: MCP `basic/transports` "stdio"; attack cases PA-02, PA-19, PA-24, LO-06, CR-03.

use super::calls::{Belongs, Calls, Waiting};
use super::link::{Link, Owner};
use super::probe::{Probed, discover_request, read_discovery};
use crate::line::one_line;
use crate::room::make_room;
use crate::session::lock;
use bytes::{Bytes, BytesMut};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use stockade_core::guard::Outbound;
use stockade_core::mcp::{Envelope, Frame, Method, Revision};
use stockade_core::ports::{AskId, Exchange, Incoming, PortFuture, UpstreamError};
use stockade_core::wire::{Edits, WireLimits};
use stockade_core::words::Untrusted;
use stockade_sandbox::{Child, LaunchSpec, Launcher};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::sync::{Mutex as AsyncMutex, mpsc, watch};
use tracing::{debug, info, warn};

/// Messages that wait to be written to the child.
const QUEUE: usize = 64;
/// Lines that are no messages, stray answers and the like, before the child is stopped (PA-24).
const VIOLATIONS: u32 = 100;
/// Bytes of one line of stderr that are kept.
const STDERR_LINE_BYTES: usize = 4 << 10;
/// How long a child may take to end by itself.
const GRACE: Duration = Duration::from_millis(800);
/// The first wait after a child has died, doubled each time up to the last.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(30));
/// A child that has lived this long has not crashed at its start.
const SETTLED: Duration = Duration::from_secs(30);
/// How long a modern server may take to say what it speaks, and a revived one to shake hands.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// How to start one server.
pub(crate) struct StdioUpstream {
    pub(crate) launcher: Launcher,
    pub(crate) spec: LaunchSpec,
    pub(crate) limits: WireLimits,
    /// True where the operator has said that the server speaks the modern era, so that it need not be asked.
    pub(crate) is_known_modern: bool,
    /// True if what the server writes to stderr is for the person at our own.
    pub(crate) shows_stderr: bool,
}

/// The link to one child process.
pub(crate) struct StdioLink {
    upstream: Arc<StdioUpstream>,
    owner: Owner,
    process: AsyncMutex<Option<Arc<Process>>>,
    handshake: Mutex<Option<Bytes>>,
    failures: Mutex<Failures>,
}

#[derive(Default)]
struct Failures {
    count: u32,
    not_before: Option<Instant>,
}

/// One life of the child.
struct Process {
    calls: Arc<Calls>,
    lines: mpsc::Sender<Bytes>,
    stop: watch::Sender<bool>,
    ended: watch::Receiver<bool>,
    started: Instant,
    is_modern: AsyncMutex<Option<bool>>,
}

impl StdioLink {
    pub(crate) fn new(upstream: Arc<StdioUpstream>, owner: Owner) -> Arc<Self> {
        Arc::new(Self {
            upstream,
            owner,
            process: AsyncMutex::default(),
            handshake: Mutex::default(),
            failures: Mutex::default(),
        })
    }

    /// The living child, started if there is none.
    async fn process(&self, is_handshake: bool) -> Result<Arc<Process>, UpstreamError> {
        let mut slot = self.process.lock().await;
        if let Some(process) = slot.as_ref().filter(|process| !*process.ended.borrow()) {
            return Ok(Arc::clone(process));
        }
        if let Some(dead) = slot.take() {
            self.count_failure(&dead);
        }
        if let Some(wait) = lock(&self.failures).not_before.and_then(|at| at.checked_duration_since(Instant::now())) {
            let reason = format!("it has died; the next start is in {} ms", wait.as_millis());
            return Err(UpstreamError::Unavailable { reason });
        }
        let process = self.start().await?;
        let handshake = lock(&self.handshake).clone();
        if let (Some(handshake), false) = (handshake, is_handshake) {
            // One that starts and does not get as far as a handshake has to wait like one that dies.
            self.revive(&process, handshake).await.inspect_err(|_| self.count_failure(&process))?;
            info!(server = %self.owner.server, "server restarted");
        }
        *slot = Some(Arc::clone(&process));
        Ok(process)
    }

    fn count_failure(&self, dead: &Process) {
        let mut failures = lock(&self.failures);
        if dead.started.elapsed() > SETTLED {
            *failures = Failures::default();
        }
        let wait = BACKOFF.0.saturating_mul(1 << failures.count.min(10)).min(BACKOFF.1);
        failures.count += 1;
        // The first restart is at once: most children die once and for a reason.
        failures.not_before = (failures.count > 1).then(|| Instant::now() + wait);
    }

    async fn start(&self) -> Result<Arc<Process>, UpstreamError> {
        let started = self.upstream.launcher.start(&self.upstream.spec).await;
        let mut child = started.map_err(|error| {
            let mut failures = lock(&self.failures);
            failures.count += 1;
            failures.not_before = Some(Instant::now() + BACKOFF.0);
            let reason = describe(&error);
            warn!(server = %self.owner.server, "the server does not start: {reason}");
            UpstreamError::Unavailable { reason }
        })?;
        debug!(server = %self.owner.server, pid = child.id(), "server started");
        let calls = Arc::new(Calls::default());
        let (lines, queue) = mpsc::channel(QUEUE);
        let (stop, stopped) = watch::channel(false);
        let (end, ended) = watch::channel(false);
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        if let Some(stdin) = stdin {
            tokio::spawn(write_lines(stdin, queue));
        }
        if let Some(stderr) = stderr {
            tokio::spawn(read_stderr(stderr, self.owner.server.to_string(), self.upstream.shows_stderr));
        }
        let reader = Reader {
            owner: self.owner.clone(),
            calls: Arc::clone(&calls),
            lines: lines.clone(),
            limits: self.upstream.limits,
            violations: AtomicU32::new(0),
        };
        tokio::spawn(async move { live(child, stdout, reader, stopped, end).await });
        let process = Process { calls, lines, stop, ended, started: Instant::now(), is_modern: AsyncMutex::new(None) };
        Ok(Arc::new(process))
    }

    /// Shakes hands again with a child that took the place of a dead one, in the client's own words.
    async fn revive(&self, process: &Process, handshake: Bytes) -> Result<(), UpstreamError> {
        let waiting = process.calls.begin()?;
        let number = waiting.number;
        let line = rewrite_id(&handshake, number, &self.upstream.limits)?;
        process.write(line).await?;
        let answer = tokio::time::timeout(HANDSHAKE, waiting.answer).await;
        process.calls.forget(number);
        match answer {
            Ok(Ok(Ok(frame))) if frame.result().is_some() => {
                process.write(Bytes::from_static(br#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#)).await
            }
            _ => Err(UpstreamError::Unavailable { reason: "the restarted server does not shake hands".to_owned() }),
        }
    }

    /// Asks once in a child's life whether it speaks 2026-07-28.
    async fn check_era(&self, process: &Process) -> Result<(), UpstreamError> {
        if self.upstream.is_known_modern {
            return Ok(());
        }
        let mut known = process.is_modern.lock().await;
        if known.is_none() {
            let waiting = process.calls.begin()?;
            process.write(discover_request(waiting.number)).await?;
            let answer = tokio::time::timeout(HANDSHAKE, waiting.answer).await;
            process.calls.forget(waiting.number);
            *known = Some(match answer {
                Ok(Ok(Ok(frame))) => read_discovery(&frame) == Probed::Modern,
                Ok(Ok(Err(error))) => return Err(error),
                Ok(Err(_)) | Err(_) => false,
            });
        }
        if *known == Some(true) {
            return Ok(());
        }
        let supported = Revision::ALL.into_iter().filter(|revision| *revision < Revision::V2026_07_28).collect();
        Err(UpstreamError::OtherEra { requested: Revision::V2026_07_28, supported })
    }
}

fn describe(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    text
}

/// The same request under another id.
fn rewrite_id(message: &Bytes, number: u32, limits: &WireLimits) -> Result<Bytes, UpstreamError> {
    let broken = || UpstreamError::Unavailable { reason: "the handshake cannot be repeated".to_owned() };
    let frame = Frame::read(message.clone(), limits).map_err(|_| broken())?;
    let mut edits = Edits::new();
    if let Some(id) = frame.document().root().get("id") {
        edits.replace(id.span(), number.to_string());
    }
    edits.apply(message).map(Bytes::from).map_err(|_| broken())
}

impl Process {
    async fn write(&self, line: Bytes) -> Result<(), UpstreamError> {
        self.lines.send(line).await.map_err(|_| gone())
    }
}

fn gone() -> UpstreamError {
    UpstreamError::Gone { reason: "the process has ended".to_owned() }
}

impl Link for StdioLink {
    fn recall(&self, handshake: Bytes) {
        *lock(&self.handshake) = Some(handshake);
    }

    fn request<'l>(
        &'l self,
        outbound: &'l Arc<Outbound>,
        changes: Edits,
    ) -> PortFuture<'l, Result<Box<dyn Exchange>, UpstreamError>> {
        Box::pin(async move {
            let is_handshake = outbound.method() == Method::Initialize;
            if is_handshake {
                // Kept before anything can fail, so that whatever comes later meets a server that has shaken hands.
                let bytes = outbound.to_bytes(None, Edits::new());
                *lock(&self.handshake) = bytes.ok();
            }
            let process = self.process(is_handshake).await?;
            if outbound.revision() == Revision::V2026_07_28 {
                self.check_era(&process).await?;
            }
            let waiting = process.calls.begin()?;
            let number = waiting.number;
            let mut exchange = StdioExchange {
                waiting,
                process,
                owner: self.owner.clone(),
                is_cancellable: !is_handshake,
                is_done: false,
            };
            let bytes = outbound.to_bytes(Some(&number.to_string()), changes);
            let bytes = bytes.map_err(|error| UpstreamError::PeerBroke { reason: error.to_string() })?;
            if let Err(error) = exchange.process.write(one_line(bytes)).await {
                exchange.is_done = true;
                return Err(error);
            }
            Ok(Box::new(exchange) as Box<dyn Exchange>)
        })
    }

    fn send<'l>(&'l self, bytes: Bytes) -> PortFuture<'l, Result<(), UpstreamError>> {
        Box::pin(async move {
            let process = self.process(false).await?;
            process.write(one_line(bytes)).await
        })
    }

    fn listen(&self) {}

    fn close(&self) -> PortFuture<'_, ()> {
        Box::pin(async move {
            let process = self.process.lock().await.take();
            if let Some(process) = process {
                process.calls.fail(&UpstreamError::Cancelled);
                let _ = process.stop.send(true);
                let mut ended = process.ended.clone();
                let _ = tokio::time::timeout(GRACE * 3, ended.wait_for(|ended| *ended)).await;
            }
        })
    }
}

/// One request to a child.
struct StdioExchange {
    waiting: Waiting,
    process: Arc<Process>,
    owner: Owner,
    is_cancellable: bool,
    is_done: bool,
}

impl Exchange for StdioExchange {
    fn next(&mut self) -> PortFuture<'_, Result<Incoming, UpstreamError>> {
        Box::pin(async move {
            let Waiting { interim, answer, .. } = &mut self.waiting;
            let answer = tokio::select! {
                biased;
                Some(message) = interim.recv() => return Ok(message),
                answer = answer => answer,
            };
            self.is_done = true;
            let frame = answer.unwrap_or_else(|_| Err(gone()))?;
            Ok(Incoming::Answer { frame, session: None })
        })
    }

    fn refuse(&mut self, ask: AskId, refusal: Bytes) -> PortFuture<'_, ()> {
        Box::pin(async move {
            self.owner.forget(ask);
            let _ = self.process.write(refusal).await;
        })
    }
}

impl Drop for StdioExchange {
    fn drop(&mut self) {
        let number = self.waiting.number;
        if self.process.calls.forget(number) && !self.is_done && self.is_cancellable {
            let text = format!(
                r#"{{"jsonrpc":"2.0","method":"notifications/cancelled","params":{{"requestId":{number},"reason":"cancelled"}}}}"#
            );
            // A child that does not read its input will not read this either.
            let _ = self.process.lines.try_send(Bytes::from(text));
        }
    }
}

async fn write_lines(mut stdin: tokio::process::ChildStdin, mut queue: mpsc::Receiver<Bytes>) {
    while let Some(line) = queue.recv().await {
        let written = async {
            stdin.write_all(&line).await?;
            stdin.write_all(b"\n").await?;
            stdin.flush().await
        };
        if written.await.is_err() {
            return;
        }
    }
}

/// The life of a child: read until it ends, is told to stop, or breaks the protocol too often.
async fn live(
    child: Child,
    stdout: Option<tokio::process::ChildStdout>,
    reader: Reader,
    mut stopped: watch::Receiver<bool>,
    end: watch::Sender<bool>,
) {
    let why = match stdout {
        None => UpstreamError::Gone { reason: "the process has no output".to_owned() },
        Some(stdout) => tokio::select! {
            why = reader.read_lines(stdout) => why,
            () = async { drop(stopped.wait_for(|stop| *stop).await) } => UpstreamError::Cancelled,
        },
    };
    reader.calls.fail(&why);
    let calls = Arc::clone(&reader.calls);
    let server = reader.owner.server.clone();
    drop(reader);
    let _ = end.send(true);
    let exit = child.stop(GRACE).await;
    calls.fail(&why);
    match why {
        UpstreamError::Cancelled => debug!(server = %server, %exit, "server stopped"),
        why => warn!(server = %server, %exit, reason = %why, "server ended"),
    }
}

struct Reader {
    owner: Owner,
    calls: Arc<Calls>,
    lines: mpsc::Sender<Bytes>,
    limits: WireLimits,
    violations: AtomicU32,
}

impl Reader {
    async fn read_lines(&self, mut stdout: impl AsyncRead + Unpin) -> UpstreamError {
        let mut buffer = BytesMut::with_capacity(8 << 10);
        let mut searched = 0;
        loop {
            while let Some(end) = memchr::memchr(b'\n', buffer.get(searched..).unwrap_or_default()) {
                let line = buffer.split_to(searched + end + 1).freeze();
                searched = 0;
                if let Err(error) = self.take(line).await {
                    return error;
                }
            }
            searched = buffer.len();
            if searched > self.limits.message_bytes {
                return UpstreamError::TooLarge { limit: self.limits.message_bytes };
            }
            make_room(&mut buffer, 1, self.limits.message_bytes);
            match stdout.read_buf(&mut buffer).await {
                Ok(0) => return UpstreamError::Gone { reason: "the process has closed its output".to_owned() },
                Ok(_) => {}
                Err(error) => return UpstreamError::Gone { reason: error.to_string() },
            }
        }
    }

    async fn take(&self, line: Bytes) -> Result<(), UpstreamError> {
        let content = line.len() - line.iter().rev().take_while(|byte| byte.is_ascii_whitespace()).count();
        if content == 0 {
            return Ok(());
        }
        let frame = match Frame::read(line.slice(..content), &self.limits) {
            Ok(frame) => frame,
            Err(error) => {
                let text = Untrusted::new(String::from_utf8_lossy(line.get(..content.min(200)).unwrap_or_default()));
                debug!(server = %self.owner.server, line = text.for_log(), "not a message");
                return self.violation(&format!("a line that is no message: {error}")).await;
            }
        };
        let asked = frame.id().cloned();
        let is_request = matches!(frame.envelope(), Envelope::Request { .. });
        let take_in = |frame: &Frame| asked.as_ref().and_then(|id| self.owner.take_in(frame, id));
        match self.calls.hand(&self.owner.server, frame, take_in) {
            Belongs::Delivered => Ok(()),
            Belongs::Overflowed if is_request => self.violation("more requests than the client can take").await,
            Belongs::Overflowed => {
                debug!(server = %self.owner.server, "notification dropped: the client is too slow");
                Ok(())
            }
            Belongs::Stray => self.violation("an answer or progress that nothing waits for").await,
            Belongs::ToNobody(frame) => {
                if let Some(back) = self.owner.unsolicited(frame).await {
                    let _ = self.lines.try_send(back);
                }
                Ok(())
            }
        }
    }

    async fn violation(&self, what: &str) -> Result<(), UpstreamError> {
        self.owner.note("server-violation", what).await;
        let count = self.violations.fetch_add(1, Ordering::Relaxed) + 1;
        if count <= 3 {
            warn!(server = %self.owner.server, "the server wrote {what}");
        }
        if count < VIOLATIONS {
            return Ok(());
        }
        let reason = format!("{count} things on its output that do not belong there, the last {what}");
        Err(UpstreamError::PeerBroke { reason })
    }
}

/// Reads stderr so that the child never waits for it. Each line is made harmless, cut and counted.
async fn read_stderr(mut stderr: impl AsyncRead + Unpin, server: String, shows: bool) {
    let mut line = Vec::with_capacity(256);
    let mut chunk = vec![0; 8 << 10];
    loop {
        let Ok(count @ 1..) = stderr.read(&mut chunk).await else { return };
        for byte in chunk.get(..count).unwrap_or_default() {
            if *byte == b'\n' {
                show_stderr(&server, &line, shows);
                line.clear();
            } else if line.len() < STDERR_LINE_BYTES {
                line.push(*byte);
            }
        }
    }
}

fn show_stderr(server: &str, line: &[u8], shows: bool) {
    let text = Untrusted::new(String::from_utf8_lossy(line).into_owned()).for_log();
    if text.is_empty() {
        return;
    }
    if shows {
        info!(target: "stockade::server", server, "{text}");
    } else {
        debug!(target: "stockade::server", server, "{text}");
    }
}
