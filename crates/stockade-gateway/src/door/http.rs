//! The HTTP door: Streamable HTTP of every revision that has it, in the clear on loopback, over TLS anywhere.
//!
//! For: `/mcp` (every server) and `/mcp/{server}` (one). There is no other route.
//! Must never: answer without the hardened headers; hand a message on whose framing, host, origin or content type is in
//! doubt; believe a session, a path or a proxy's header.
//! On the road: before `read` and after `release`.

mod connection;

use super::admission::{Admission, AdmissionSettings};
use super::body::{DoorBody, Live, kept, own_stream};
use super::challenge::Challenges;
use super::headers::{Places, check_accept, check_content, credential, harden, mirrored, proofs, session, text};
use super::peer::Peer;
use super::site::{SITE_BODY_BYTES, Site, SitePlace, SiteRequest, Sites};
use crate::http1::{Http1Limits, Violation};
use crate::hub::Hub;
use crate::session::{Session, lock};
use crate::tls::ServerTls;
use bytes::Bytes;
use connection::TurnedAway;
use futures_util::FutureExt;
use futures_util::future::AbortHandle;
use http::header::{ALLOW, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use http::{Method as HttpMethod, Request, Response, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use stockade_core::guard::{Released, Seen};
use stockade_core::identity::{Challenge, Shown};
use stockade_core::mcp::{Id, Method};
use stockade_core::pipeline::Road;
use stockade_core::ports::{Outlet, PortFuture, Route};
use stockade_core::refusal::{Refusal, Refused};
use stockade_core::words::{ServerName, SessionId};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tracing::warn;

const DOOR: &str = "http";
/// The rule of refusals by the strict framing.
const FRAMING: &str = "http-framing";
const MODERN: &str = "2026-07-28";
/// Messages before the answer that wait for a slow reader.
const LIVE_MESSAGES: usize = 16;

/// What the operator has set for the door.
#[derive(Debug, Clone)]
pub struct HttpSettings {
    /// `Host` values beside those of loopback.
    pub hosts: Vec<String>,
    /// `Origin` values beside those of loopback.
    pub origins: Vec<String>,
    /// The canonical URI of `/mcp` as clients know it (RFC 8707 §2), without a slash at its end.
    pub resource: String,
    /// The scopes that a caller without a credential is told to ask for.
    pub scopes: Vec<String>,
    /// True if the metadata of the protected resource is served: if there is somebody to ask for a token.
    pub has_metadata: bool,
    /// True if tokens must be bound to a key (RFC 9449), which the metadata says.
    pub requires_dpop: bool,
    /// The limits of the framing.
    pub http1: Http1Limits,
    /// TLS; without it the door speaks HTTP in the clear, which is for loopback.
    pub tls: Option<Arc<ServerTls>>,
    /// Who may connect.
    pub admission: AdmissionSettings,
    /// Connections at once; more wait to be accepted.
    pub connections: usize,
    /// How long requests in flight may still take once the door closes.
    pub drain: Duration,
}

/// A listening socket.
pub struct HttpListener {
    inner: TcpListener,
}

impl HttpListener {
    /// Listens at `address`; port 0 takes a free one.
    ///
    /// # Errors
    /// When the system will not let us.
    pub async fn bind(address: SocketAddr) -> std::io::Result<Self> {
        TcpListener::bind(address).await.map(|inner| Self { inner })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.inner.local_addr()
    }
}

/// The door.
pub struct HttpDoor {
    road: Arc<Road>,
    hub: Arc<Hub>,
    places: Places,
    challenges: Challenges,
    sites: Sites,
    admission: Admission,
    turned_away: TurnedAway,
    settings: HttpSettings,
}

impl HttpDoor {
    /// A door for the listener's port.
    #[must_use]
    pub fn new(
        road: Arc<Road>,
        hub: Arc<Hub>,
        port: u16,
        settings: HttpSettings,
        sites: Vec<Arc<dyn Site>>,
    ) -> Arc<Self> {
        let places = Places::new(port, &settings.hosts, &settings.origins);
        let challenges = Challenges::new(&settings.resource, settings.scopes.clone(), settings.has_metadata);
        let admission = Admission::new(settings.admission.clone());
        let (sites, turned_away) = (Sites::new(sites), TurnedAway::default());
        Arc::new(Self { road, hub, places, challenges, sites, admission, turned_away, settings })
    }

    /// Serves until `stop` turns true, then lets what is in flight end.
    pub async fn serve(self: Arc<Self>, listener: HttpListener, mut stop: watch::Receiver<bool>) {
        let places = Arc::new(Semaphore::new(self.settings.connections));
        // Looks at the certificate files until this ends, the drain included.
        let mut watching = JoinSet::new();
        watching.extend(self.settings.tls.clone().map(ServerTls::watch));
        let mut connections = JoinSet::new();
        loop {
            let place = tokio::select! {
                place = Arc::clone(&places).acquire_owned() => place,
                () = stopped(&mut stop) => break,
            };
            let accepted = tokio::select! {
                accepted = listener.inner.accept() => accepted,
                () = stopped(&mut stop) => break,
            };
            match accepted {
                Ok((stream, peer)) => {
                    let (door, stop) = (Arc::clone(&self), stop.clone());
                    connections.spawn(async move {
                        door.connection(stream, peer, stop).await;
                        drop(place);
                    });
                }
                Err(error) => {
                    // Out of descriptors, most likely: waiting is all that helps.
                    warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
            while connections.try_join_next().is_some() {}
        }
        drop(listener);
        let drained = async { while connections.join_next().await.is_some() {} };
        if tokio::time::timeout(self.settings.drain, drained).await.is_err() {
            warn!("requests in flight were cut off at the end of the drain");
            connections.abort_all();
        }
    }

    /// `is_told` becomes true once a violation of the framing, which breaks off a body, is on record as the refusal of the
    /// request whose body it was.
    async fn handle(&self, request: Request<Incoming>, peer: &Arc<Peer>, is_told: &AtomicBool) -> Response<DoorBody> {
        let path = request.uri().path().to_owned();
        let routed = match self.admission.peer_of(peer, request.headers()) {
            Ok(peer) => self.route(request, &peer).await,
            Err(refused) => Err(refused),
        };
        let answer = match routed {
            Ok(response) => response,
            Err(refused) => {
                if refused.rule == FRAMING {
                    is_told.store(true, Ordering::Release);
                }
                respond(&self.road.turn_away(DOOR, &refused).await)
            }
        };
        let mut answer = answer;
        if let Some(challenge) = answer.extensions_mut().remove::<Challenge>() {
            self.challenges.write(&challenge, &path, answer.headers_mut());
        }
        harden(answer.headers_mut(), peer);
        answer
    }

    async fn route(&self, request: Request<Incoming>, peer: &Peer) -> Result<Response<DoorBody>, Refused> {
        self.places.check(request.headers())?;
        let no_route = || Refused::by("door", Refusal::NoRoute, "there is no such path");
        if let Some(place) = self.sites.find(request.uri().path()) {
            return self.site(request, place, peer).await;
        }
        if request.uri().query().is_some() {
            return Err(Refused::by("door", Refusal::NoRoute, "a query is never part of a route"));
        }
        let route = match request.uri().path() {
            "/mcp" => Route::Merged,
            path => {
                let name = path.strip_prefix("/mcp/").ok_or_else(no_route)?;
                Route::One(ServerName::parse(name).map_err(|_| no_route())?)
            }
        };
        match *request.method() {
            HttpMethod::POST => self.post(request, route, peer).await,
            HttpMethod::GET => self.get(request, route, peer).await,
            HttpMethod::DELETE => self.delete(request, route, peer).await,
            _ => Ok(self.not_allowed("no such HTTP method on this route").await),
        }
    }

    /// A request for a page or document beside the MCP routes.
    async fn site(
        &self,
        request: Request<Incoming>,
        place: SitePlace<'_>,
        peer: &Peer,
    ) -> Result<Response<DoorBody>, Refused> {
        let Some(route) = place.route(request.method()) else {
            return Ok(self.not_allowed("no such HTTP method on this route").await);
        };
        self.sites.admit(peer.address, route)?;
        let (parts, body) = request.into_parts();
        let body = self.collect_at_most(body, SITE_BODY_BYTES).await?;
        let (path, query) = (parts.uri.path().to_owned(), parts.uri.query().map(str::to_owned));
        let (method, headers, address) = (parts.method, parts.headers, peer.address);
        let answer = place.site.answer(SiteRequest { method, path, query, headers, body, address }).await;
        if let Err(refusal) = self.road.record_site(DOOR, answer.event, answer.status.as_u16()).await {
            return Ok(respond(&refusal));
        }
        let body = if answer.body.is_empty() { DoorBody::empty() } else { DoorBody::Whole(Some(answer.body)) };
        let mut response = Response::new(body);
        *response.status_mut() = answer.status;
        *response.headers_mut() = answer.headers;
        Ok(response)
    }

    async fn not_allowed(&self, reason: &str) -> Response<DoorBody> {
        let refused = Refused::by("door", Refusal::MethodNotAllowed, reason);
        let mut response = respond(&self.road.turn_away(DOOR, &refused).await);
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
        response
    }

    async fn post(&self, request: Request<Incoming>, route: Route, peer: &Peer) -> Result<Response<DoorBody>, Refused> {
        check_content(request.headers())?;
        check_accept(request.headers(), &["application/json", "text/event-stream"])?;
        let (parts, body) = request.into_parts();
        let bytes = self.collect(body).await?;
        let mut headers = parts.headers;
        let seen = Seen {
            door: DOOR,
            shown: self.shown(&mut headers, "POST", &route, peer),
            route,
            session: session(&headers),
            protocol_version: text(&headers, "mcp-protocol-version"),
            mirrored: Some(mirrored(&headers)),
            turn: None,
        };
        let is_modern = seen.protocol_version.as_deref() == Some(MODERN);
        let session = seen.session.as_ref().filter(|_| !is_modern).and_then(|id| self.hub.sessions.get(id));
        Ok(match session {
            Some(session) => self.in_session(session, bytes, seen).await,
            None => self.alone(bytes, seen, is_modern).await,
        })
    }

    /// What the sender of a request shows of itself.
    fn shown(&self, headers: &mut HeaderMap, http_method: &'static str, route: &Route, peer: &Peer) -> Shown {
        Shown {
            credential: credential(headers),
            proofs: proofs(headers),
            http_method,
            url: self.challenges.url_of(route),
            address: Some(peer.address),
            certificate: peer.certificate.clone(),
        }
    }

    async fn collect(&self, body: Incoming) -> Result<Bytes, Refused> {
        self.collect_at_most(body, self.road.wire_limits().message_bytes).await
    }

    async fn collect_at_most(&self, body: Incoming, limit: usize) -> Result<Bytes, Refused> {
        let too_large = || Refused::by("door", Refusal::TooLarge, format!("a body of more than {limit} bytes"));
        if hyper::body::Body::size_hint(&body).lower() > limit as u64 {
            return Err(too_large());
        }
        match Limited::new(body, limit).collect().await {
            Ok(collected) => Ok(collected.to_bytes()),
            Err(error) if error.is::<LengthLimitError>() => Err(too_large()),
            Err(error) => Err(match violation_of(error.as_ref()) {
                Some(violation) => Refused::by(FRAMING, Refusal::BadFraming, violation.to_string()),
                None => Refused::by("door", Refusal::BadFraming, format!("the body broke off: {error}")),
            }),
        }
    }

    /// A request that ends with its connection: a modern one, or a handshake.
    async fn alone(&self, bytes: Bytes, seen: Seen, is_modern: bool) -> Response<DoorBody> {
        let (sender, mut messages) = mpsc::channel(LIVE_MESSAGES);
        let road = Arc::clone(&self.road);
        let mut work = async move { road.carry(bytes, seen, &mut LiveOutlet(sender)).await }.boxed();
        let first = tokio::select! {
            biased;
            Some(first) = messages.recv() => first,
            released = &mut work => return respond(&released),
        };
        let mut response = event_stream(DoorBody::Live(Box::new(Live::new(work, messages, first))));
        if is_modern {
            response.headers_mut().insert("x-accel-buffering", HeaderValue::from_static("no"));
        }
        response
    }

    /// A message of a legacy session: a connection that is lost cancels nothing, and the rest can be fetched later.
    async fn in_session(&self, session: Arc<Session>, bytes: Bytes, seen: Seen) -> Response<DoorBody> {
        let (begin, mut begun) = oneshot::channel();
        let (done, mut is_done) = oneshot::channel();
        let (abort, registration) = AbortHandle::new_pair();
        let shared = Arc::new(Mutex::new(InSession { stream: None, id: None }));
        let outlet =
            SessionOutlet { session: Arc::clone(&session), shared: Arc::clone(&shared), begin: Some(begin), abort };
        let road = Arc::clone(&self.road);
        let keeper = Arc::clone(&session);
        tokio::spawn(async move {
            let mut outlet = outlet;
            let work = futures_util::future::Abortable::new(road.carry(bytes, seen, &mut outlet), registration);
            let released = work.await.ok();
            let InSession { stream, id } = std::mem::take(&mut *lock(&shared));
            if let Some(id) = id {
                keeper.finish(&id);
            }
            if let Some(cancelled) = released.as_ref().and_then(Released::cancels) {
                keeper.cancel(&cancelled.to_json());
            }
            match (stream, released) {
                (None, released) => drop(done.send(released)),
                (Some(stream), released) => {
                    if let Some(released) = released {
                        keeper.streams.push(stream, released.bytes().clone(), None);
                    }
                    keeper.streams.finish(stream);
                }
            }
        });
        tokio::select! {
            biased;
            Ok(stream) = &mut begun => event_stream(kept(&session, session.streams.read(stream))),
            Ok(released) = &mut is_done => match released {
                Some(released) => respond(&released),
                // Cancelled by the client: there is nothing to say, and it is not listening.
                None => event_stream(DoorBody::empty()),
            },
        }
    }

    /// Opens the session's own stream, or goes on with one that broke off.
    async fn get(&self, request: Request<Incoming>, route: Route, peer: &Peer) -> Result<Response<DoorBody>, Refused> {
        let mut headers = request.into_parts().0.headers;
        let is_modern = text(&headers, "mcp-protocol-version").as_deref() == Some(MODERN);
        let Some(id) = session(&headers).filter(|_| !is_modern) else {
            return Ok(self.not_allowed("GET is for legacy sessions").await);
        };
        check_accept(&headers, &["text/event-stream"])?;
        let shown = self.shown(&mut headers, "GET", &route, peer);
        let session = match self.session("stream-opened", &shown, &id, &route).await {
            Ok(session) => session,
            Err(refusal) => return Ok(refusal),
        };
        for (_, link) in session.links() {
            link.listen();
        }
        match text(&headers, "last-event-id") {
            None => Ok(event_stream(own_stream(&session))),
            Some(last) => match session.streams.resume(&last) {
                Some(reader) => Ok(event_stream(kept(&session, reader))),
                None => Err(Refused::by("door", Refusal::NoSession, "there is no such event in this session")),
            },
        }
    }

    async fn delete(
        &self,
        request: Request<Incoming>,
        route: Route,
        peer: &Peer,
    ) -> Result<Response<DoorBody>, Refused> {
        let mut headers = request.into_parts().0.headers;
        let is_modern = text(&headers, "mcp-protocol-version").as_deref() == Some(MODERN);
        let Some(id) = session(&headers).filter(|_| !is_modern) else {
            return Ok(self.not_allowed("DELETE is for legacy sessions").await);
        };
        let shown = self.shown(&mut headers, "DELETE", &route, peer);
        match self.session("session-ended", &shown, &id, &route).await {
            Ok(session) => {
                self.hub.sessions.remove(&session.id());
                session.close().await;
                Ok(Response::new(DoorBody::empty()))
            }
            Err(refusal) => Ok(refusal),
        }
    }

    async fn session(
        &self,
        kind: &'static str,
        shown: &Shown,
        id: &SessionId,
        route: &Route,
    ) -> Result<Arc<Session>, Response<DoorBody>> {
        self.road.carry_session(kind, DOOR, shown, Some(id), route).await.map_err(|refusal| respond(&refusal))?;
        match self.hub.sessions.get(id) {
            Some(session) => Ok(session),
            None => {
                let refused = Refused::by("door", Refusal::NoSession, "the session has just ended");
                Err(respond(&self.road.turn_away(DOOR, &refused).await))
            }
        }
    }
}

/// The violation of the framing that broke off a body, if it was one.
fn violation_of(error: &(dyn std::error::Error + 'static)) -> Option<Violation> {
    let mut next = Some(error);
    while let Some(error) = next {
        let inner = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        if let Some(violation) = inner.and_then(|inner| inner.downcast_ref::<Violation>()) {
            return Some(*violation);
        }
        next = error.source();
    }
    None
}

/// Resolves once the door is to close, or nobody is left to say so.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

fn event_stream(body: DoorBody) -> Response<DoorBody> {
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    response
}

/// One released message as an answer.
fn respond(released: &Released) -> Response<DoorBody> {
    let status = StatusCode::from_u16(released.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if released.bytes().is_empty() {
        let mut response = Response::new(DoorBody::empty());
        *response.status_mut() = status;
        return response;
    }
    let mut response = Response::new(DoorBody::Whole(Some(released.bytes().clone())));
    *response.status_mut() = status;
    let headers: &mut HeaderMap = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(challenge) = released.challenge() {
        response.extensions_mut().insert(challenge.clone());
    }
    let headers: &mut HeaderMap = response.headers_mut();
    if let Some(wait) = released.retry_after() {
        headers.insert(RETRY_AFTER, HeaderValue::from(wait.as_millis().div_ceil(1000) as u64));
    }
    if let Some(Ok(id)) = released.session().map(|id| HeaderValue::from_str(id.as_wire())) {
        headers.insert("mcp-session-id", id);
    }
    response
}

/// Messages of a request that ends with its connection; a slow reader holds the upstream back.
struct LiveOutlet(mpsc::Sender<Bytes>);

impl Outlet for LiveOutlet {
    fn started(&mut self, _: &Id, _: Option<Method>) {}

    fn stream(&mut self) {
        // An empty message begins the stream and is not written to it.
        let _ = self.0.try_send(Bytes::new());
    }

    fn send(&mut self, message: Released) -> PortFuture<'_, ()> {
        Box::pin(async move { drop(self.0.send(message.bytes().clone()).await) })
    }

    fn pause(&mut self, _: Option<Duration>) -> PortFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}

#[derive(Default)]
struct InSession {
    stream: Option<u64>,
    id: Option<String>,
}

/// Messages of a request in a legacy session: kept in a stream of its own, begun with the first.
struct SessionOutlet {
    session: Arc<Session>,
    shared: Arc<Mutex<InSession>>,
    begin: Option<oneshot::Sender<u64>>,
    abort: AbortHandle,
}

impl SessionOutlet {
    fn own_stream(&mut self) -> u64 {
        let mut shared = lock(&self.shared);
        *shared.stream.get_or_insert_with(|| {
            let stream = self.session.streams.begin();
            // Clients of the newest legacy revision learn at once where they are (MCP 2025-11-25, SSE polling); older ones
            // would take an empty event for a message.
            if self.session.revision() >= stockade_core::mcp::Revision::V2025_11_25 {
                self.session.streams.push(stream, Bytes::new(), None);
            }
            if let Some(begin) = self.begin.take() {
                let _ = begin.send(stream);
            }
            stream
        })
    }
}

impl Outlet for SessionOutlet {
    fn started(&mut self, id: &Id, _: Option<Method>) {
        let id = id.to_json().into_owned();
        self.session.start(id.clone(), self.abort.clone());
        lock(&self.shared).id = Some(id);
    }

    fn stream(&mut self) {
        self.own_stream();
    }

    fn send(&mut self, message: Released) -> PortFuture<'_, ()> {
        let stream = self.own_stream();
        self.session.streams.push(stream, message.bytes().clone(), None);
        Box::pin(std::future::ready(()))
    }

    fn pause(&mut self, retry: Option<Duration>) -> PortFuture<'_, ()> {
        let stream = self.own_stream();
        self.session.streams.pause(stream, retry);
        Box::pin(std::future::ready(()))
    }
}
