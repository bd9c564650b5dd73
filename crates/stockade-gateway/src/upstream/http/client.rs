//! The HTTP client under all upstreams: HTTP/1.1 over TCP or TLS, no redirects, no proxies, no cookies.
//!
//! Must never: reach for another address than the one it was given; trust a certificate that the system does not.

use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::{Connect, HttpConnector};
use hyper_util::client::legacy::{Builder, Client};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls_platform_verifier::BuilderVerifierExt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use stockade_core::ports::UpstreamError;
use tokio::sync::OnceCell;
use tower_service::Service;

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
type Secure = Client<Timed<HttpsConnector<HttpConnector>>, Full<Bytes>>;

/// Sends requests. Clones share their connections.
#[derive(Clone)]
pub(crate) struct HttpClient {
    clients: Arc<Clients>,
}

struct Clients {
    plain: Plain,
    /// Made at the first `https` request: reading the system's roots takes milliseconds that `wrap` has not.
    secure: OnceCell<Secure>,
}

impl HttpClient {
    pub(crate) fn new() -> Self {
        let plain = build(Timed(tcp(true)));
        Self { clients: Arc::new(Clients { plain, secure: OnceCell::new() }) }
    }

    /// Sends one request and waits for the head of its response. The caller sets the deadline by dropping this.
    pub(super) async fn send(&self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, UpstreamError> {
        let sent = match request.uri().scheme_str() {
            Some("http") => self.clients.plain.request(request).await,
            Some("https") => self.secure().await?.request(request).await,
            _ => return Err(UpstreamError::Unavailable { reason: "its URL is neither http nor https".to_owned() }),
        };
        sent.map_err(|error| {
            let reason = describe(&error);
            if error.is_connect() { UpstreamError::Unavailable { reason } } else { UpstreamError::Gone { reason } }
        })
    }

    async fn secure(&self) -> Result<&Secure, UpstreamError> {
        let unavailable = |reason| UpstreamError::Unavailable { reason };
        let make = async || {
            let made = tokio::task::spawn_blocking(tls).await.map_err(|error| unavailable(error.to_string()))?;
            let config = made.map_err(|error| unavailable(format!("TLS: {error}")))?;
            let builder = HttpsConnectorBuilder::new().with_tls_config(config).https_only().enable_http1();
            Ok(build(Timed(builder.wrap_connector(tcp(false)))))
        };
        self.clients.secure.get_or_try_init(make).await
    }
}

fn tls() -> Result<rustls::ClientConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(builder.with_platform_verifier()?.with_no_client_auth())
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

/// An error with its causes, for operators.
pub(super) fn describe(error: &dyn std::error::Error) -> String {
    /// Causes that are told.
    const CAUSES: usize = 8;
    let causes = std::iter::successors(error.source(), |cause| cause.source()).take(CAUSES);
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
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
