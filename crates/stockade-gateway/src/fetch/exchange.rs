//! One question and its answer on a connection of its own.
//!
//! Must never: connect to anything but the addresses it was given; read more than the limit.

use super::target::Target;
use super::{FetchedAnswer, GuardedFetchError};
use crate::causes::describe;
use bytes::{Bytes, BytesMut};
use http::header::{ACCEPT, AUTHORIZATION, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HOST, HeaderName, LOCATION};
use http::{HeaderMap, HeaderValue, Method};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body as _, Incoming};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use stockade_core::words::Secret;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Addresses that are tried.
const TRIES: usize = 4;
/// The longest that one of them may take.
const CONNECT: Duration = Duration::from_secs(3);
/// Header lines of an answer.
const HEADERS: usize = 64;
/// Bytes of an answer's head.
const HEAD_BYTES: usize = 64 << 10;

/// What is sent.
#[derive(Debug)]
pub(super) enum Request<'r> {
    Get,
    Form { authorization: &'r Secret, body: &'r Secret },
}

/// What came back.
#[derive(Debug)]
pub(super) struct Answer {
    status: u16,
    headers: HeaderMap,
    body: Bytes,
}

impl Answer {
    /// Where it leads, if it is a redirect that keeps the method (RFC 9110 §15.4).
    pub(super) fn redirect(&self) -> Option<&str> {
        if !matches!(self.status, 301 | 302 | 307 | 308) {
            return None;
        }
        self.text(&LOCATION)
    }

    fn text(&self, name: &HeaderName) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    pub(super) fn into_fetched(self) -> FetchedAnswer {
        let max_age = self.text(&CACHE_CONTROL).and_then(max_age);
        let content_type = self.text(&CONTENT_TYPE).map(str::to_owned);
        FetchedAnswer { status: self.status, content_type, body: self.body, max_age }
    }
}

/// How long an answer may be kept, by its `Cache-Control`.
fn max_age(text: &str) -> Option<Duration> {
    let directives = || text.split(',').map(str::trim);
    if directives().any(|word| word.eq_ignore_ascii_case("no-store") || word.eq_ignore_ascii_case("no-cache")) {
        return Some(Duration::ZERO);
    }
    directives().find_map(|word| {
        let (name, seconds) = word.split_once('=')?;
        let seconds = seconds.trim_matches('"').parse().ok().filter(|_| name.eq_ignore_ascii_case("max-age"))?;
        Some(Duration::from_secs(seconds))
    })
}

/// Connects to the first of the addresses that answers.
pub(super) async fn connect(addresses: &[SocketAddr]) -> io::Result<TcpStream> {
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in addresses.iter().take(TRIES) {
        match tokio::time::timeout(CONNECT, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Ok(Err(error)) => last = error,
            Err(_) => last = io::Error::from(io::ErrorKind::TimedOut),
        }
    }
    Err(last)
}

/// Speaks TLS with the host that the URL names.
pub(super) async fn secure(
    stream: TcpStream,
    target: &Target,
    tls: Arc<ClientConfig>,
) -> Result<TlsStream<TcpStream>, GuardedFetchError> {
    let name = ServerName::try_from(target.host().name().to_owned());
    let name = name.map_err(|_| target.refused("its host is no name that a certificate could have"))?;
    let connected = TlsConnector::from(tls).connect(name, stream).await;
    connected.map_err(|error| target.unreachable(describe(&error)))
}

/// A task that ends with its owner.
struct Owned(JoinHandle<()>);

impl Drop for Owned {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Asks and reads the whole answer.
pub(super) async fn converse(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    target: &Target,
    request: &Request<'_>,
    body_bytes: usize,
) -> Result<Answer, GuardedFetchError> {
    let broken = |error: hyper::Error| target.unreachable(describe(&error));
    let mut builder = http1::Builder::new();
    builder.max_headers(HEADERS).max_buf_size(HEAD_BYTES);
    let (mut sender, connection) = builder.handshake(TokioIo::new(stream)).await.map_err(broken)?;
    // The connection moves the bytes; what it meets is told by the answer too.
    let _moving = Owned(tokio::spawn(async move { connection.await.unwrap_or_default() }));
    let message = message(target, request).map_err(|_| target.refused("it cannot be asked over HTTP"))?;
    let answer = sender.send_request(message).await.map_err(broken)?;
    let (head, body) = answer.into_parts();
    let body = read(body, target, body_bytes).await?;
    Ok(Answer { status: head.status.as_u16(), headers: head.headers, body })
}

fn message(target: &Target, request: &Request<'_>) -> Result<http::Request<Full<Bytes>>, http::Error> {
    let builder = http::Request::builder()
        .uri(target.path())
        .header(HOST, target.authority())
        .header(ACCEPT, "application/json")
        .header(CONNECTION, "close");
    match request {
        Request::Get => builder.method(Method::GET).body(Full::default()),
        Request::Form { authorization, body } => {
            let mut secret = HeaderValue::from_str(authorization.expose())?;
            secret.set_sensitive(true);
            builder
                .method(Method::POST)
                .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
                .header(AUTHORIZATION, secret)
                .body(Full::new(Bytes::copy_from_slice(body.expose().as_bytes())))
        }
    }
}

async fn read(mut body: Incoming, target: &Target, limit: usize) -> Result<Bytes, GuardedFetchError> {
    let too_large = GuardedFetchError::TooLarge { limit };
    if body.size_hint().lower() > limit as u64 {
        return Err(too_large);
    }
    let mut read = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| target.unreachable(describe(&error)))?;
        let Ok(data) = frame.into_data() else { continue };
        if read.len().saturating_add(data.len()) > limit {
            return Err(too_large);
        }
        read.extend_from_slice(&data);
    }
    Ok(read.freeze())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cache_control_is_read_as_far_as_it_matters() {
        for (text, expected) in [
            ("max-age=60", Some(60)),
            ("public, Max-Age=\"60\", must-revalidate", Some(60)),
            ("no-store, max-age=60", Some(0)),
            ("max-age=60, no-cache", Some(0)),
            ("max-age=-1", None),
            ("max-age=soon", None),
            ("public", None),
            ("", None),
        ] {
            assert_eq!(max_age(text), expected.map(Duration::from_secs), "{text}");
        }
    }
}
