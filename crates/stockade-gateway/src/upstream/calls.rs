//! The requests in flight on one multiplexed connection, and which message belongs to which.
//!
//! Each request goes out under a number of ours that was never used before on this connection. An answer is handed to the
//! request whose number it carries, once; anything else is nobody's (PA-09, PA-21).

use crate::session::lock;
use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use stockade_core::mcp::{Envelope, Frame, Method};
use stockade_core::ports::{AskId, Incoming, UpstreamError};
use stockade_core::wire::Value;
use stockade_core::words::ServerName;
use tokio::sync::{mpsc, oneshot};

/// Messages before the answer that wait for a slow client; more are dropped and counted.
const INTERIM: usize = 256;

struct Pending {
    interim: mpsc::Sender<Incoming>,
    answer: oneshot::Sender<Result<Frame, UpstreamError>>,
}

/// The requests in flight.
#[derive(Default)]
pub(crate) struct Calls {
    last: AtomicU32,
    pending: Mutex<HashMap<u32, Pending>>,
    closed: Mutex<Option<UpstreamError>>,
}

/// The receiving half of one request.
pub(crate) struct Waiting {
    pub(crate) number: u32,
    pub(crate) interim: mpsc::Receiver<Incoming>,
    pub(crate) answer: oneshot::Receiver<Result<Frame, UpstreamError>>,
}

/// Whose a message is.
pub(crate) enum Belongs {
    /// It was handed over.
    Delivered,
    /// It was handed to a request that waits for too much already.
    Overflowed,
    /// It belongs to no request in flight.
    ToNobody(Frame),
    /// It answers a request that is not in flight.
    Stray,
}

impl Calls {
    /// Takes the next number and waits under it.
    ///
    /// # Errors
    /// When the connection has ended.
    pub(crate) fn begin(&self) -> Result<Waiting, UpstreamError> {
        if let Some(error) = lock(&self.closed).clone() {
            return Err(error);
        }
        let number = self.last.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        let (interim, interim_receiver) = mpsc::channel(INTERIM);
        let (answer, answer_receiver) = oneshot::channel();
        lock(&self.pending).insert(number, Pending { interim, answer });
        Ok(Waiting { number, interim: interim_receiver, answer: answer_receiver })
    }

    /// Stops waiting. True if there was something to stop.
    pub(crate) fn forget(&self, number: u32) -> bool {
        lock(&self.pending).remove(&number).is_some()
    }

    /// Ends the connection: everything in flight fails, and nothing begins any more.
    pub(crate) fn fail(&self, error: &UpstreamError) {
        lock(&self.closed).get_or_insert_with(|| error.clone());
        for (_, pending) in lock(&self.pending).drain() {
            let _ = pending.answer.send(Err(error.clone()));
        }
    }

    /// Hands a message to the request that it belongs to. `take_in` is asked for the id under which the client will see a
    /// request of the upstream's that can only belong to the one request in flight.
    pub(crate) fn hand(
        &self,
        server: &ServerName,
        frame: Frame,
        take_in: impl FnOnce(&Frame) -> Option<AskId>,
    ) -> Belongs {
        match frame.envelope() {
            Envelope::Result { id } | Envelope::Error { id: Some(id) } => {
                let pending = id.to_json().parse().ok().and_then(|number: u32| lock(&self.pending).remove(&number));
                match pending.map(|pending| pending.answer.send(Ok(frame))) {
                    Some(Ok(())) => Belongs::Delivered,
                    _ => Belongs::Stray,
                }
            }
            Envelope::Error { id: None } => Belongs::Stray,
            Envelope::Notification { .. } => match number_of(&frame) {
                Some(number) => self.pass(number, server, frame, None),
                None => Belongs::ToNobody(frame),
            },
            Envelope::Request { .. } => {
                let only = {
                    let pending = lock(&self.pending);
                    if pending.len() == 1 { pending.keys().next().copied() } else { None }
                };
                match only {
                    Some(number) => {
                        let ask = take_in(&frame);
                        self.pass(number, server, frame, ask)
                    }
                    None => Belongs::ToNobody(frame),
                }
            }
        }
    }

    fn pass(&self, number: u32, server: &ServerName, frame: Frame, ask: Option<AskId>) -> Belongs {
        let pending = lock(&self.pending);
        let Some(pending) = pending.get(&number) else { return Belongs::Stray };
        match pending.interim.try_send(Incoming::Message { frame, server: server.clone(), ask }) {
            Ok(()) => Belongs::Delivered,
            Err(_) => Belongs::Overflowed,
        }
    }
}

/// The number of the request that a notification names: its progress token or its subscription, both of which are the
/// number itself.
fn number_of(frame: &Frame) -> Option<u32> {
    const SUBSCRIPTION: &str = "io.modelcontextprotocol/subscriptionId";
    let params = frame.params()?;
    let named = match frame.method() {
        Some(Method::NotificationsProgress) => params.get("progressToken"),
        _ => params.at(&["_meta", SUBSCRIPTION]),
    };
    named.and_then(Value::as_i64).and_then(|number| u32::try_from(number).ok())
}
