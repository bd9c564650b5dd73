//! What is measured: eras, kinds of work, targets and the cells of one run.

use std::fmt;
use std::time::Duration;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// The two eras of the protocol, each by the revision that stands for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub enum Era {
    /// MCP 2026-07-28, stateless.
    Modern,
    /// MCP 2025-11-25, with a session for each connection.
    Legacy,
}

impl Era {
    /// The revision's name on the wire.
    #[must_use]
    pub fn revision(self) -> &'static str {
        match self {
            Self::Modern => "2026-07-28",
            Self::Legacy => "2025-11-25",
        }
    }
}

/// What every request of a cell asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub enum Work {
    /// `tools/call` of a tool that answers with 1 KiB of text.
    #[serde(rename = "echo_1k")]
    #[value(name = "echo_1k")]
    Echo1k,
    /// `tools/call` of a tool that answers with 64 KiB of text.
    #[serde(rename = "echo_64k")]
    #[value(name = "echo_64k")]
    Echo64k,
    /// `tools/list` of 200 tools.
    ToolsList,
}

impl Work {
    /// The JSON-RPC method.
    #[must_use]
    pub fn method(self) -> &'static str {
        match self {
            Self::Echo1k | Self::Echo64k => "tools/call",
            Self::ToolsList => "tools/list",
        }
    }

    /// The tool that is called, if one is.
    #[must_use]
    pub fn tool(self) -> Option<&'static str> {
        match self {
            Self::Echo1k => Some("echo_1k"),
            Self::Echo64k => Some("echo_64k"),
            Self::ToolsList => None,
        }
    }
}

impl fmt::Display for Work {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Echo1k => "tools/call, 1 KiB result",
            Self::Echo64k => "tools/call, 64 KiB result",
            Self::ToolsList => "tools/list, 200 tools",
        })
    }
}

/// What the load goes through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub enum Target {
    /// Nothing: straight to the upstream.
    Direct,
    /// The bare hyper reverse proxy, the limit of what a gateway can reach.
    Proxy,
    /// Stockade with every guard on.
    Stockade,
}

impl Target {
    /// All targets, in the order in which they are measured and shown.
    pub const ALL: [Self; 3] = [Self::Direct, Self::Proxy, Self::Stockade];

    /// The name in tables and on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Proxy => "proxy",
            Self::Stockade => "stockade",
        }
    }
}

/// How requests follow one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pace {
    /// Each connection sends the next request when the answer has come: shows throughput and CPU.
    Closed,
    /// Requests start at fixed times, this many a second over all connections: shows latency.
    Open {
        /// Requests a second.
        rate: u32,
    },
}

/// One line of the plan: measured for every target in every round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Scenario {
    /// What is asked for.
    pub work: Work,
    /// Keep-alive connections of the load generator.
    pub connections: u32,
    /// How requests follow one another.
    pub pace: Pace,
}

impl Scenario {
    /// The open-loop scenario that the latency target of the design is about.
    pub const LATENCY: Self = Self { work: Work::Echo1k, connections: 32, pace: Pace::Open { rate: 1000 } };
    /// The closed-loop scenario that the CPU target of the design is about.
    pub const COST: Self = Self { work: Work::Echo1k, connections: 32, pace: Pace::Closed };

    /// Whether latencies are those of single requests, and not of waiting for a core that other requests keep busy.
    #[must_use]
    pub fn shows_latency(&self) -> bool {
        self.connections == 1 || self.pace != Pace::Closed
    }

    /// Every scenario of a run.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let mut all = Vec::new();
        for work in [Work::Echo1k, Work::Echo64k, Work::ToolsList] {
            for connections in [1, 32] {
                all.push(Self { work, connections, pace: Pace::Closed });
            }
        }
        all.push(Self::LATENCY);
        all
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.connections == 1 { "" } else { "s" };
        write!(out, "{}, {} connection{plural}", self.work, self.connections)?;
        match self.pace {
            Pace::Closed => Ok(()),
            Pace::Open { rate } => write!(out, ", {rate} requests/s"),
        }
    }
}

/// How long and how often each cell is measured.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Effort {
    /// Rounds over all cells; medians are taken over them.
    pub rounds: u32,
    /// Load before the measured time of a cell, in milliseconds.
    pub warm_up_ms: u64,
    /// Measured time of a cell, in milliseconds.
    pub measure_ms: u64,
    /// Connections that the memory section keeps open.
    pub idle_connections: u32,
}

impl Effort {
    /// What a published number is made with.
    pub const FULL: Self = Self { rounds: 5, warm_up_ms: 1000, measure_ms: 2000, idle_connections: 500 };
    /// A smoke run: shows that everything works, its numbers mean little.
    pub const QUICK: Self = Self { rounds: 1, warm_up_ms: 100, measure_ms: 300, idle_connections: 50 };

    /// Warm-up and measured time of one cell.
    #[must_use]
    pub fn cell(&self) -> Duration {
        Duration::from_millis(self.warm_up_ms + self.measure_ms)
    }
}
