//! The bare reverse proxy: the least that something between a client and an upstream can cost with hyper.
//!
//! What it is for: the limit that Stockade is compared with. It uses the same server, client, pool and allocator as the
//! gateway, streams bodies both ways, and looks at nothing but the connection-bound headers.
//! What it must never do: get slower for a better ratio. It keeps every optimisation that the gateway has.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, HOST, HeaderMap, HeaderName, HeaderValue, TE, TRAILER, TRANSFER_ENCODING, UPGRADE};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{Request, Response, StatusCode, Uri};
use http_body_util::{Either, Empty};
use hyper::body::Incoming;
use hyper::service::Service;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use crate::serve;

/// Idle upstream connections that are kept.
const POOL_SIZE: usize = 1024;
/// How long an idle upstream connection is kept.
const POOL_IDLE: Duration = Duration::from_secs(90);
/// RFC 9110 §7.6.1: what belongs to one connection only.
const HOP_BY_HOP: [HeaderName; 6] =
    [CONNECTION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE, HeaderName::from_static("keep-alive")];

/// Runs the proxy in front of `upstream` (host and port) until standard input ends.
///
/// # Errors
/// When it cannot listen.
pub async fn run(upstream: Authority) -> io::Result<()> {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let client = Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(POOL_IDLE)
        .pool_max_idle_per_host(POOL_SIZE)
        .build(connector);
    let host = HeaderValue::from_str(upstream.as_str()).map_err(io::Error::other)?;
    serve::until_stdin_ends(Proxy { client, upstream, host }).await
}

#[derive(Clone)]
struct Proxy {
    client: Client<HttpConnector, Incoming>,
    upstream: Authority,
    host: HeaderValue,
}

impl Service<Request<Incoming>> for Proxy {
    type Response = Response<Either<Incoming, Empty<Bytes>>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        let path = request.uri().path_and_query().cloned().unwrap_or(PathAndQuery::from_static("/"));
        let mut parts = http::uri::Parts::default();
        parts.scheme = Some(Scheme::HTTP);
        parts.authority = Some(self.upstream.clone());
        parts.path_and_query = Some(path);
        *request.uri_mut() = Uri::from_parts(parts).expect("scheme, authority and path make a URI");
        remove_hop_by_hop(request.headers_mut());
        request.headers_mut().insert(HOST, self.host.clone());
        let answer = self.client.request(request);
        Box::pin(async move {
            Ok(answer.await.map_or_else(
                |_| bad_gateway(),
                |mut response| {
                    remove_hop_by_hop(response.headers_mut());
                    response.map(Either::Left)
                },
            ))
        })
    }
}

fn remove_hop_by_hop(headers: &mut HeaderMap) {
    for name in &HOP_BY_HOP {
        headers.remove(name);
    }
}

fn bad_gateway() -> Response<Either<Incoming, Empty<Bytes>>> {
    let mut response = Response::new(Either::Right(Empty::new()));
    *response.status_mut() = StatusCode::BAD_GATEWAY;
    response
}
