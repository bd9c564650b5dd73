//! What an idle connection costs: opens many, makes one request on each, and holds them.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::{sleep, timeout};

use crate::plan::{Era, Work};
use crate::process::Account;
use crate::session::{Client, Endpoint};

/// How long opening all connections may take.
const OPEN_WAIT: Duration = Duration::from_secs(60);
/// How long the process under test is left alone before its memory is read.
const SETTLE: Duration = Duration::from_millis(500);

/// The memory of the process under test, in KiB.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Memory {
    /// Before the first request.
    pub fresh_kib: u64,
    /// After one connection was used and closed: what the first request makes for all is there.
    pub used_kib: u64,
    /// With all connections open and idle.
    pub connected_kib: u64,
    /// How many connections were open.
    pub connections: u32,
    /// The first error, if not all connections could be opened and used.
    pub error: Option<String>,
}

/// What one process of the generator holds open.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Hold {
    /// Where to.
    pub endpoint: Endpoint,
    /// In which era.
    pub era: Era,
    /// How many connections.
    pub connections: u32,
    /// The process under test.
    pub watched: u32,
}

/// Opens the connections, uses each once, and reads the memory of the process under test while they are idle.
pub async fn run(hold: Hold) -> Memory {
    let mut memory = Memory { fresh_kib: 0, used_kib: 0, connected_kib: 0, connections: 0, error: None };
    let filled = timeout(OPEN_WAIT, fill(&mut memory, hold)).await;
    memory.error = match filled {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(error.to_string()),
        Err(_) => Some(format!("the connections were not ready after {} s", OPEN_WAIT.as_secs())),
    };
    memory
}

async fn fill(memory: &mut Memory, hold: Hold) -> Result<(), Box<dyn std::error::Error>> {
    let Hold { endpoint, era, connections, watched } = hold;
    sleep(SETTLE).await;
    memory.fresh_kib = Account::of(watched)?.resident_kib;
    Client::open(endpoint.clone(), Work::Echo1k, era, 0).await?.close().await?;
    sleep(SETTLE).await;
    memory.used_kib = Account::of(watched)?.resident_kib;
    let mut held = Vec::new();
    for index in 0..connections {
        held.push(Client::open(endpoint.clone(), Work::Echo1k, era, index).await?);
        memory.connections += 1;
    }
    sleep(SETTLE).await;
    memory.connected_kib = Account::of(watched)?.resident_kib;
    for client in held {
        client.close().await?;
    }
    Ok(())
}
