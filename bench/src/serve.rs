//! The accept loop that the upstream and the proxy share.
//!
//! A served part prints one line, `{"url":…}`, when it listens, and ends when its standard input ends: a part cannot
//! outlive the run that started it.

use std::io::{self, Write};
use std::sync::Arc;

use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper_util::rt::TokioIo;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

/// Connections that one part serves at a time; more wait in the kernel's queue.
const MAX_CONNECTIONS: usize = 4096;

/// Serves on a free loopback port until standard input ends.
///
/// # Errors
/// When no port can be had or the ready line cannot be written.
pub async fn until_stdin_ends<S, B>(service: S) -> io::Result<()>
where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let ready = serde_json::json!({"url": format!("http://{}", listener.local_addr()?)});
    writeln!(io::stdout(), "{ready}")?;
    tokio::select! {
        accepted = accept(listener, service) => accepted,
        ended = stdin_ends() => ended,
    }
}

async fn accept<S, B>(listener: TcpListener, service: S) -> io::Result<()>
where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let slot = Arc::clone(&slots).acquire_owned().await.map_err(io::Error::other)?;
        let (stream, _peer) = listener.accept().await?;
        let service = service.clone();
        // The runtime owns the task and drops it when the part ends.
        tokio::spawn(async move {
            serve_one(stream, service).await;
            drop(slot);
        });
    }
}

async fn serve_one<S, B>(stream: TcpStream, service: S)
where
    S: Service<Request<Incoming>, Response = Response<B>>,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    B: Body + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    // A client that goes away is not an error of the part; the load generator counts what it did not get.
    if stream.set_nodelay(true).is_ok() {
        drop(http1::Builder::new().serve_connection(TokioIo::new(stream), service).await);
    }
}

/// Reads standard input to its end and throws away what comes.
async fn stdin_ends() -> io::Result<()> {
    let mut stdin = tokio::io::stdin();
    let mut ignored = [0_u8; 64];
    while stdin.read(&mut ignored).await? > 0 {}
    Ok(())
}
