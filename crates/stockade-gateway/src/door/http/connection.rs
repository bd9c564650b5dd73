//! The life of one connection: admission, handshake, framing, requests, end.

use super::{DOOR, FRAMING, HttpDoor, stopped};
use crate::causes::describe;
use crate::door::admission::reset;
use crate::door::peer::Peer;
use crate::http1::{SERVER_BUFFER_BYTES, StrictHttp1, Violation};
use crate::tls::OpenCertificate;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use stockade_core::refusal::{Refusal, Refused};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tracing::{debug, info};

impl HttpDoor {
    /// Serves one connection to its end.
    pub(super) async fn connection(
        self: Arc<Self>,
        mut stream: TcpStream,
        socket: SocketAddr,
        mut stop: watch::Receiver<bool>,
    ) {
        let admitted = tokio::select! {
            admitted = self.admission.admit(&mut stream, socket) => admitted,
            () = stopped(&mut stop) => return,
        };
        let admitted = match admitted {
            Ok(admitted) => admitted,
            Err(error) => {
                self.turned_away.tell(socket, "turned away by address", &error);
                return reset(stream);
            }
        };
        let _ = stream.set_nodelay(true);
        let peer = Peer { address: admitted.address, ..Peer::plain(socket) };
        let Some(tls) = &self.settings.tls else {
            return Arc::clone(&self).speak(stream, peer, None, stop).await;
        };
        let secured = tokio::select! {
            secured = tls.accept(stream) => secured,
            () = stopped(&mut stop) => return,
        };
        match secured {
            Ok(secured) => {
                let certificate = secured.certificate.as_ref().map(|open| Arc::clone(open.certificate()));
                let peer = Peer { certificate, is_tls: true, ..peer };
                Arc::clone(&self).speak(secured.stream, peer, secured.certificate, stop).await;
            }
            Err(error) => self.turned_away.tell(socket, "no TLS connection", &error),
        }
        drop(admitted);
    }

    /// Speaks HTTP over whatever there is now. It ends at once when the certificate that it came with is taken back.
    async fn speak<IO>(
        self: Arc<Self>,
        io: IO,
        peer: Peer,
        certificate: Option<OpenCertificate>,
        mut stop: watch::Receiver<bool>,
    ) where
        IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (violated, mut violations) = mpsc::channel::<Violation>(1);
        let observer = Arc::new(move |violation| {
            let _ = violated.try_send(violation);
        });
        let strict = StrictHttp1::new(io, self.settings.http1, observer);
        let io = TokioIo::new(if peer.is_tls { strict.over_tls() } else { strict });
        let door = Arc::clone(&self);
        let peer = Arc::new(peer);
        let is_told = Arc::new(AtomicBool::new(false));
        let (telling, of) = (Arc::clone(&is_told), Arc::clone(&peer));
        let service = service_fn(move |request| {
            let (door, is_told, peer) = (Arc::clone(&door), Arc::clone(&telling), Arc::clone(&of));
            async move { Ok::<_, Infallible>(door.handle(request, &peer, &is_told).await) }
        });
        let serving = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(None)
            .max_buf_size(SERVER_BUFFER_BYTES)
            .serve_connection(io, service);
        let mut serving = std::pin::pin!(serving);
        let lost = async {
            match &certificate {
                Some(certificate) => certificate.lost().await,
                None => std::future::pending().await,
            }
        };
        let served = tokio::select! {
            served = async {
                tokio::select! {
                    served = serving.as_mut() => served,
                    () = stopped(&mut stop) => {
                        serving.as_mut().graceful_shutdown();
                        serving.await
                    }
                }
            } => served,
            () = lost => {
                debug!(peer = %peer.socket, "connection ended with the standing of its certificate");
                return;
            }
        };
        if let Err(error) = served {
            debug!(peer = %peer.socket, %error, "connection ended");
        }
        if let Ok(violation) = violations.try_recv()
            && !is_told.load(Ordering::Acquire)
        {
            let refused = Refused::by(FRAMING, Refusal::BadFraming, violation.to_string());
            self.road.turn_away(DOOR, &refused).await;
        }
    }
}

/// What is told of connections that never were. They carry no message, so they are no matter of the record; and anybody can
/// make them, so only some are told.
#[derive(Debug, Default)]
pub(super) struct TurnedAway {
    told: Mutex<Told>,
}

#[derive(Debug, Default)]
struct Told {
    since: Option<Instant>,
    count: u32,
    untold: u64,
}

impl TurnedAway {
    /// In how long at most how many are told.
    const WINDOW: Duration = Duration::from_secs(60);
    const PER_WINDOW: u32 = 60;

    fn tell(&self, socket: SocketAddr, what: &'static str, error: &(dyn std::error::Error + 'static)) {
        let Some(untold) = self.may_tell() else { return };
        info!(peer = %socket, reason = %describe(error), untold, "{what}");
    }

    /// How many before this one were not told; nothing if this one is not to be told either.
    fn may_tell(&self) -> Option<u64> {
        let now = Instant::now();
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.since.is_none_or(|since| now.duration_since(since) >= Self::WINDOW) {
            told.since = Some(now);
            told.count = 0;
        }
        if told.count >= Self::PER_WINDOW {
            told.untold = told.untold.saturating_add(1);
            return None;
        }
        told.count = told.count.saturating_add(1);
        Some(std::mem::take(&mut told.untold))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn only_some_of_those_that_never_were_are_told() {
        let turned_away = TurnedAway::default();
        let told = (0..1000).filter(|_| turned_away.may_tell().is_some()).count();
        assert_eq!(told, 60);
        tokio::time::advance(TurnedAway::WINDOW).await;
        assert_eq!(turned_away.may_tell(), Some(940));
        assert_eq!(turned_away.may_tell(), Some(0));
    }
}
