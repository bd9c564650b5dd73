//! The server on standard input and output.
//!
//! Must never: write anything but protocol messages to standard output, or wait for a query after the client has gone.

use crate::database::{Database, OpenError};
use crate::query::Budget;
use crate::tool::SecureServer;
use rmcp::service::ServerInitializeError;
use rmcp::transport::async_rw::AsyncRwTransport;
use rmcp::transport::io::stdio_pipes;
use rmcp::{RoleServer, ServiceExt};
use std::io;
use std::path::Path;
use std::time::Duration;

/// Bytes of one message; the longest query of escaped characters takes some twelve thousand.
const MESSAGE_BYTES: usize = 4 << 20;
/// How long the end of the process waits for interrupted queries.
const END_PATIENCE: Duration = Duration::from_secs(1);

/// Why the server ended before its client did.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// There is no database.
    #[error("could not start the sample server")]
    Database(#[source] OpenError),
    /// The operating system gave no threads.
    #[error("could not start the sample server's runtime")]
    Runtime(#[source] io::Error),
    /// The client did not speak the protocol. Its words are not repeated.
    #[error("the client did not open the conversation as the protocol demands")]
    PeerBrokeHandshake,
    /// The service's task was lost.
    #[error("the sample server was lost")]
    Lost(#[source] tokio::task::JoinError),
}

/// Serves on standard input and output until the client goes. `data` is the folder of the database; it is made, with
/// a small sample in it, if it is missing.
///
/// # Errors
/// When there is no database, or when the client does not speak the Model Context Protocol.
pub fn run_stdio(data: &Path) -> Result<(), ServeError> {
    let database = Database::open(data).map_err(ServeError::Database)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(ServeError::Runtime)?;
    let served = runtime.block_on(serve(SecureServer::new(database, Budget::DEFAULT)));
    runtime.shutdown_timeout(END_PATIENCE);
    served
}

async fn serve(server: SecureServer) -> Result<(), ServeError> {
    let (input, output) = stdio_pipes();
    let transport = AsyncRwTransport::<RoleServer, _, _>::new_server(input, output).with_max_line_length(MESSAGE_BYTES);
    let running = match server.serve(transport).await {
        Ok(running) => running,
        // The client went before it said anything that needs an answer.
        Err(ServerInitializeError::ConnectionClosed(_) | ServerInitializeError::Cancelled) => return Ok(()),
        Err(_) => return Err(ServeError::PeerBrokeHandshake),
    };
    running.waiting().await.map(drop).map_err(ServeError::Lost)
}
