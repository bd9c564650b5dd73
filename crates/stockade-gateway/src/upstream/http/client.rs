//! The HTTP client under all upstreams: HTTP/1.1 over TCP or TLS, no redirects, no proxies, no cookies.
//!
//! Must never: reach for another address than the one it was given; trust a certificate that the operator, or without a
//! word of theirs the system, does not; send a byte of a request before that was found.

mod secure;

use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::client::legacy::connect::{Connect, HttpConnector};
use hyper_util::client::legacy::{Builder, Client};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use secure::Secure;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use stockade_core::ports::UpstreamError;
use tower_service::Service;

pub(super) use crate::causes::describe;
use crate::tls::UpstreamTls;

/// How long name resolution, TCP and TLS may take together.
const CONNECT: Duration = Duration::from_secs(10);
/// Connections to one upstream that are kept without work.
const IDLE_CONNECTIONS: usize = 64;
/// For how long they are kept: less than the 5 s after which Node's HTTP server closes them, so that a request seldom
/// meets a connection that is just being closed. Such a request fails; it is never repeated once a byte of it is out.
const IDLE: Duration = Duration::from_secs(4);
/// How soon the system looks whether a silent peer is still there.
const KEEP_ALIVE: Duration = Duration::from_secs(30);
/// Header lines of a response.
const HEADERS: usize = 64;
/// Bytes of a response's head, and of what is read ahead of a body.
const BUFFER_BYTES: usize = 64 << 10;

type Error = Box<dyn std::error::Error + Send + Sync>;
type Plain = Client<Timed<HttpConnector>, Full<Bytes>>;

/// Sends requests. Clones share their connections.
#[derive(Clone)]
pub(crate) struct HttpClient {
    clients: Arc<Clients>,
}

struct Clients {
    plain: Plain,
    secure: Secure,
}

impl HttpClient {
    /// A client that speaks TLS as `tls` says.
    pub(crate) fn new(tls: UpstreamTls) -> Self {
        let plain = build(Timed(tcp(true)));
        Self { clients: Arc::new(Clients { plain, secure: Secure::new(tls) }) }
    }

    /// Sends one request and waits for the head of its response. The caller sets the deadline by dropping this.
    pub(super) async fn send(&self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, UpstreamError> {
        let sent = match request.uri().scheme_str() {
            Some("http") => self.clients.plain.request(request).await,
            Some("https") => self.clients.secure.client().await?.request(request).await,
            _ => return Err(UpstreamError::Unavailable { reason: "its URL is neither http nor https".to_owned() }),
        };
        sent.map_err(|error| {
            let reason = describe(&error);
            if error.is_connect() { UpstreamError::Unavailable { reason } } else { UpstreamError::Gone { reason } }
        })
    }
}

fn tcp(is_plain: bool) -> HttpConnector {
    let mut connector = HttpConnector::new();
    connector.enforce_http(is_plain);
    connector.set_nodelay(true);
    connector.set_connect_timeout(Some(CONNECT));
    connector.set_keepalive(Some(KEEP_ALIVE));
    connector
}

fn build<C: Connect + Clone>(connector: C) -> Client<C, Full<Bytes>> {
    Builder::new(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE)
        .pool_max_idle_per_host(IDLE_CONNECTIONS)
        .http1_max_headers(HEADERS)
        .http1_max_buf_size(BUFFER_BYTES)
        .build(connector)
}

/// A connector whose whole work has [`CONNECT`] to finish.
#[derive(Clone)]
struct Timed<C>(C);

impl<C> Service<Uri> for Timed<C>
where
    C: Service<Uri>,
    C::Future: Send + 'static,
    C::Error: Into<Error>,
{
    type Response = C::Response;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<C::Response, Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.0.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connecting = self.0.call(uri);
        Box::pin(async move {
            match tokio::time::timeout(CONNECT, connecting).await {
                Ok(connected) => connected.map_err(Into::into),
                Err(_) => Err(format!("no connection within {} s", CONNECT.as_secs()).into()),
            }
        })
    }
}

#[cfg(test)]
mod tests;
