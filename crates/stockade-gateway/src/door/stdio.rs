//! The stdio door: one client on our own standard streams, one message a line.
//!
//! The client is the process that started us, so its person is the operating system's user. Messages are begun in the order
//! in which they came; their answers go out as they come.
//! Must never: write anything to the output but released messages, one a line; keep a line that is over the limit.

use crate::hub::Hub;
use crate::line::one_line;
use crate::room::make_room;
use crate::session::lock;
use bytes::{BufMut, Bytes, BytesMut};
use futures_util::future::{AbortHandle, Abortable};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;
use stockade_core::guard::{Released, Seen, Turn};
use stockade_core::identity::{Credential, Shown};
use stockade_core::mcp::{Id, Method};
use stockade_core::pipeline::Road;
use stockade_core::ports::{Outlet, PortFuture, Route};
use stockade_core::refusal::{Refusal, Refused};
use stockade_core::words::{Caller, ServerName, SessionId};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

const DOOR: &str = "stdio";
/// Bytes that are read at once; a pipe rarely holds more.
const READ_BYTES: usize = 64 << 10;
/// Messages that wait to be written.
const QUEUE: usize = 64;

/// Who is at our standard streams, and what for.
struct Connection {
    road: Arc<Road>,
    hub: Arc<Hub>,
    caller: Caller,
    server: ServerName,
    session: OnceLock<SessionId>,
    running: Mutex<HashMap<String, AbortHandle>>,
    out: mpsc::Sender<Released>,
}

/// Serves one client until its input ends, then lets what is in flight end.
pub async fn serve_stdio(
    road: Arc<Road>,
    hub: Arc<Hub>,
    caller: Caller,
    server: ServerName,
    input: impl AsyncRead + Unpin,
    output: impl AsyncWrite + Unpin + Send + 'static,
) {
    let (out, queue) = mpsc::channel(QUEUE);
    let writer = tokio::spawn(write_messages(output, queue));
    let connection =
        Arc::new(Connection { road, hub, caller, server, session: OnceLock::new(), running: Mutex::default(), out });
    let mut work = JoinSet::new();
    tokio::pin!(input);
    connection.read_lines(input, &mut work).await;
    while work.join_next().await.is_some() {}
    connection.hub.close().await;
    drop(connection);
    let _ = writer.await;
}

impl Connection {
    async fn read_lines(self: &Arc<Self>, mut input: impl AsyncRead + Unpin, work: &mut JoinSet<()>) {
        let limit = self.road.wire_limits().message_bytes;
        let mut buffer = BytesMut::with_capacity(8 << 10);
        let mut searched = 0;
        let mut is_too_long = false;
        loop {
            while let Some(end) = memchr::memchr(b'\n', buffer.get(searched..).unwrap_or_default()) {
                let line = buffer.split_to(searched + end + 1).freeze();
                searched = 0;
                if std::mem::take(&mut is_too_long) {
                    continue;
                }
                self.take(line, work).await;
            }
            searched = buffer.len();
            if is_too_long || searched > limit + 1 {
                // What is thrown away needs no more room than a read.
                buffer = BytesMut::with_capacity(READ_BYTES);
                searched = 0;
                if !is_too_long {
                    is_too_long = true;
                    self.turn_away(limit).await;
                }
            }
            while work.try_join_next().is_some() {}
            make_room(&mut buffer, 1, limit);
            // Standard input has a buffer of its own, as large as what it is asked for.
            match input.read_buf(&mut (&mut buffer).limit(READ_BYTES)).await {
                Ok(1..) => {}
                // What is left without a line end is a line too.
                Ok(0) | Err(_) => {
                    if !is_too_long && !buffer.is_empty() {
                        self.take(buffer.freeze(), work).await;
                    }
                    return;
                }
            }
        }
    }

    async fn turn_away(&self, limit: usize) {
        let reason = format!("a line of more than {limit} bytes");
        let released = self.road.turn_away(DOOR, &Refused::by("door", Refusal::TooLarge, reason)).await;
        let _ = self.out.send(released).await;
    }

    /// Begins one message, and returns when the next one may begin.
    async fn take(self: &Arc<Self>, line: Bytes, work: &mut JoinSet<()>) {
        let content = line.len() - line.iter().rev().take_while(|byte| byte.is_ascii_whitespace()).count();
        if content == 0 {
            return;
        }
        let (turn, is_over) = oneshot::channel::<()>();
        let seen = Seen {
            door: DOOR,
            route: Route::One(self.server.clone()),
            shown: Shown::only(Credential::LocalUser(self.caller.clone())),
            session: self.session.get().cloned(),
            protocol_version: None,
            mirrored: None,
            turn: Some(Turn::new(turn)),
        };
        let is_handshake = Arc::new(AtomicBool::new(false));
        let (done, is_done) = oneshot::channel::<()>();
        let (connection, handshake) = (Arc::clone(self), Arc::clone(&is_handshake));
        work.spawn(async move {
            connection.carry(line.slice(..content), seen, handshake).await;
            drop(done);
        });
        let _ = is_over.await;
        if is_handshake.load(Ordering::Acquire) {
            // Everything after the handshake depends on its answer.
            let _ = is_done.await;
        }
    }

    async fn carry(self: Arc<Self>, bytes: Bytes, seen: Seen, is_handshake: Arc<AtomicBool>) {
        let (abort, registration) = AbortHandle::new_pair();
        let mut outlet = StdioOutlet { connection: Arc::clone(&self), abort, id: None, is_handshake };
        let road = Arc::clone(&self.road);
        let released = Abortable::new(road.carry(bytes, seen, &mut outlet), registration).await;
        if let Some(id) = outlet.id {
            lock(&self.running).remove(&id);
        }
        // A request that the client has cancelled gets no answer (MCP 2025-11-25 "Cancellation").
        let Ok(released) = released else { return };
        if let Some(id) = released.session() {
            self.opened(id);
        }
        if let Some(id) = released.cancels() {
            let cancelled = lock(&self.running).remove(id.to_json().as_ref());
            if let Some(cancelled) = cancelled {
                cancelled.abort();
            }
        }
        if released.is_expected() && !released.bytes().is_empty() {
            let _ = self.out.send(released).await;
        }
    }

    fn opened(&self, id: &SessionId) {
        if self.session.set(id.clone()).is_ok()
            && let Some(session) = self.hub.sessions.get(id)
        {
            session.set_outbox(self.out.clone());
            // It lives as long as this connection.
            session.keep();
        }
    }
}

struct StdioOutlet {
    connection: Arc<Connection>,
    abort: AbortHandle,
    id: Option<String>,
    is_handshake: Arc<AtomicBool>,
}

impl Outlet for StdioOutlet {
    fn started(&mut self, id: &Id, method: Option<Method>) {
        let id = id.to_json().into_owned();
        lock(&self.connection.running).insert(id.clone(), self.abort.clone());
        self.id = Some(id);
        self.is_handshake.store(method == Some(Method::Initialize), Ordering::Release);
    }

    fn send(&mut self, message: Released) -> PortFuture<'_, ()> {
        Box::pin(async move { drop(self.connection.out.send(message).await) })
    }

    fn pause(&mut self, _: Option<Duration>) -> PortFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}

async fn write_messages(mut output: impl AsyncWrite + Unpin, mut queue: mpsc::Receiver<Released>) {
    let mut line = Vec::new();
    while let Some(message) = queue.recv().await {
        line.clear();
        line.extend_from_slice(&one_line(message.bytes().clone()));
        line.push(b'\n');
        let written = async {
            output.write_all(&line).await?;
            output.flush().await
        };
        if written.await.is_err() {
            return;
        }
    }
}
