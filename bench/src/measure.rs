//! One run: starts the parts, sends every cell's load through every target, round by round, and collects the samples.
//!
//! Targets take turns inside a round, so that a neighbour's noise hits all of them alike; one cell runs at a time.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{env, fs};

use serde::{Deserialize, Serialize};

use crate::idle::{Hold, Memory};
use crate::load::{Load, Sample};
use crate::plan::{Effort, Era, Scenario, Target};
use crate::process::{ProcessError, Running};
use crate::session::Endpoint;

/// How long a part may take until it is ready.
const READY_WAIT: Duration = Duration::from_secs(30);
/// What a cell may take beyond its warm-up and measured time.
const CELL_EXTRA: Duration = Duration::from_secs(45);
/// What the memory section may take for one target.
const HOLD_WAIT: Duration = Duration::from_secs(150);
/// Bytes of a log that an error shows.
const SHOWN_LOG_BYTES: usize = 2000;
/// What the upstream and the proxy get as a key: they ignore it, and requests stay equally long.
const UNUSED_KEY: &str = "the-direct-target-and-the-proxy-ask-for-no-key";

/// Why a run ended without a report.
#[derive(Debug, thiserror::Error)]
pub enum MeasureError {
    /// A part could not be started or did not say that it is ready.
    #[error("could not start `{}`{log}", part.name())]
    Start {
        /// Which one.
        part: Target,
        /// The end of its log, ready to be shown, if it has one.
        log: String,
        /// What happened.
        #[source]
        cause: ProcessError,
    },
    /// The load generator gave no numbers.
    #[error("the load generator gave no numbers for `{}`", part.name())]
    Generator {
        /// The target it was for.
        part: Target,
        /// What happened.
        #[source]
        cause: ProcessError,
    },
    /// A part said that it listens at something that is not `http://host:port`.
    #[error("a part listens at `{url}`, which is not `http://host:port`")]
    Url {
        /// What it said.
        url: String,
    },
    /// A file or pipe failed.
    #[error("could not {doing}")]
    Io {
        /// What was tried.
        doing: &'static str,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
}

/// What to measure, and with which program.
#[derive(Debug, Clone)]
pub struct Run {
    /// This program.
    pub program: PathBuf,
    /// The gateway's program.
    pub stockade: PathBuf,
    /// In which era.
    pub era: Era,
    /// How long and how often.
    pub effort: Effort,
    /// What the load goes through.
    pub targets: Vec<Target>,
}

/// The samples of one scenario through one target, one a round.
#[derive(Debug, Clone)]
pub struct CellSamples {
    /// What was asked, how fast.
    pub scenario: Scenario,
    /// Through what.
    pub target: Target,
    /// One for each round.
    pub samples: Vec<Sample>,
}

/// Everything that one run measured.
#[derive(Debug, Clone)]
pub struct Measured {
    /// Ordered by scenario, then target.
    pub cells: Vec<CellSamples>,
    /// One for each target.
    pub memory: Vec<(Target, Memory)>,
}

/// What a process of the generator reads from its standard input.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// Send load, answer with a [`Sample`].
    Load(Load),
    /// Hold connections, answer with a [`Memory`].
    Hold(Hold),
}

impl Run {
    /// How often `step` will be called.
    #[must_use]
    pub fn steps(&self) -> u64 {
        let cells = Scenario::all().len() * self.targets.len();
        cells as u64 * u64::from(self.effort.rounds) + self.targets.len() as u64
    }

    /// Measures everything; `step` is called before each cell with what comes.
    ///
    /// # Errors
    /// When a part does not start or the generator fails. Wrong answers are not errors here: the samples have them.
    pub fn measure(&self, mut step: impl FnMut(&str)) -> Result<Measured, MeasureError> {
        let mut memory = Vec::new();
        for &target in &self.targets {
            step(&format!("memory of idle connections, {}", target.name()));
            // New processes, so that nothing before them is in their memory.
            let upstream = self.start_upstream()?;
            let part = self.start_before(target, &upstream)?;
            memory.push((target, self.hold(part.as_ref().unwrap_or(&upstream))?));
        }
        let upstream = self.start_upstream()?;
        let mut parts = Vec::new();
        for &target in &self.targets {
            parts.extend(self.start_before(target, &upstream)?);
        }
        // Last, because it must end last.
        parts.push(upstream);
        let mut cells = self.empty_cells();
        for _ in 0..self.effort.rounds {
            for cell in &mut cells {
                step(&format!("{}, {}", cell.scenario, cell.target.name()));
                let part = parts.iter().find(|part| part.target == cell.target);
                let part = part.expect("a part was started for every target of the plan");
                cell.samples.push(self.load(part, cell.scenario)?);
            }
        }
        Ok(Measured { cells, memory })
    }

    fn empty_cells(&self) -> Vec<CellSamples> {
        let mut cells = Vec::new();
        for scenario in Scenario::all() {
            for &target in &self.targets {
                cells.push(CellSamples { scenario, target, samples: Vec::new() });
            }
        }
        cells
    }

    fn load(&self, part: &Part, scenario: Scenario) -> Result<Sample, MeasureError> {
        let Effort { warm_up_ms, measure_ms, .. } = self.effort;
        let (endpoint, watched) = (part.endpoint.clone(), part.running.pid());
        let order = Order::Load(Load { endpoint, scenario, era: self.era, warm_up_ms, measure_ms, watched });
        self.generate(part.target, &order, self.effort.cell() + CELL_EXTRA)
    }

    fn hold(&self, part: &Part) -> Result<Memory, MeasureError> {
        let (endpoint, watched) = (part.endpoint.clone(), part.running.pid());
        let order = Order::Hold(Hold { endpoint, era: self.era, connections: self.effort.idle_connections, watched });
        self.generate(part.target, &order, HOLD_WAIT)
    }

    fn generate<T>(&self, part: Target, order: &Order, deadline: Duration) -> Result<T, MeasureError>
    where
        T: serde::de::DeserializeOwned,
    {
        let failed = |cause| MeasureError::Generator { part, cause };
        let mut generator = Running::start(&self.program, &["load"], None).map_err(failed)?;
        generator.send(order).map_err(|cause| MeasureError::Io { doing: "write to the load generator", cause })?;
        generator.line(deadline).map_err(failed)
    }

    fn start_upstream(&self) -> Result<Part, MeasureError> {
        self.start_part(Target::Direct, &["upstream"])
    }

    /// Starts what stands before the upstream; before the direct target that is nothing.
    fn start_before(&self, target: Target, upstream: &Part) -> Result<Option<Part>, MeasureError> {
        let address = upstream.endpoint.authority.as_str();
        match target {
            Target::Direct => Ok(None),
            Target::Proxy => self.start_part(target, &["proxy", "--upstream", address]).map(Some),
            Target::Stockade => self.start_stockade(address).map(Some),
        }
    }

    fn start_part(&self, target: Target, arguments: &[&str]) -> Result<Part, MeasureError> {
        let failed = |cause| MeasureError::Start { part: target, log: String::new(), cause };
        let mut running = Running::start(&self.program, arguments, None).map_err(failed)?;
        let ready: Ready = running.line(READY_WAIT).map_err(failed)?;
        let endpoint =
            Endpoint { authority: authority(&ready.url)?, path: String::from("/mcp"), key: UNUSED_KEY.to_owned() };
        Ok(Part { target, endpoint, running, folder: None })
    }

    fn start_stockade(&self, upstream: &str) -> Result<Part, MeasureError> {
        let folder = Folder::create(&self.program)?;
        let (config, data, log) = (folder.0.join("stockade.toml"), folder.0.join("data"), folder.0.join("log"));
        fs::write(&config, configuration(upstream))
            .map_err(|cause| MeasureError::Io { doing: "write the gateway's configuration", cause })?;
        let (config, data) = (config.to_string_lossy(), data.to_string_lossy());
        let arguments = ["up", "--config", config.as_ref(), "--data", data.as_ref(), "--json"];
        let failed = |cause| MeasureError::Start { part: Target::Stockade, log: end_of(&log), cause };
        let mut running = Running::start(&self.stockade, &arguments, Some(&log)).map_err(failed)?;
        let ready: Ready = running.line(READY_WAIT).map_err(failed)?;
        let endpoint = Endpoint {
            authority: authority(&ready.url)?,
            path: String::from("/mcp/bench"),
            key: ready.api_key.unwrap_or_default(),
        };
        Ok(Part { target: Target::Stockade, endpoint, running, folder: Some(folder) })
    }
}

/// A started target. Fields are dropped in this order: a process ends before its folder goes.
#[derive(Debug)]
struct Part {
    target: Target,
    endpoint: Endpoint,
    running: Running,
    #[expect(dead_code, reason = "held so that the folder is removed when the process has ended")]
    folder: Option<Folder>,
}

/// The line that a part prints when it listens.
#[derive(Debug, Deserialize)]
struct Ready {
    url: String,
    api_key: Option<String>,
}

/// The gateway's configuration: every guard on, the limits out of the way, everything allowed by one rule.
fn configuration(upstream: &str) -> String {
    format!(
        r#"[gateway]
listen = "127.0.0.1:0"
profile = "internal"

[limits]
calls_per_minute = 1_000_000
messages_per_minute = 1_000_000

[servers.bench]
url = "http://{upstream}/mcp"

[servers.bench.tools.echo_1k]
effect = "read"

[servers.bench.tools.echo_64k]
effect = "read"

[[permit]]
callers = ["*"]
servers = ["bench"]
tools = ["*"]
"#
    )
}

/// `host:port` of `http://host:port`, with or without a path behind it.
fn authority(url: &str) -> Result<String, MeasureError> {
    let rest = url.strip_prefix("http://").and_then(|rest| rest.split('/').next());
    let has_port = |rest: &&str| rest.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    rest.filter(has_port).map(str::to_owned).ok_or_else(|| MeasureError::Url { url: url.to_owned() })
}

fn end_of(log: &Path) -> String {
    let log = fs::read_to_string(log).unwrap_or_default();
    let mut start = log.len().saturating_sub(SHOWN_LOG_BYTES);
    while !log.is_char_boundary(start) {
        start += 1;
    }
    if log.is_empty() { log } else { format!("; the end of its log:\n{}", log[start..].trim_end()) }
}

/// A folder for one gateway, removed when it is dropped.
///
/// It lies beside this program and not in the system's temporary folder, which is often kept in memory: the audit log
/// must meet a real disk.
#[derive(Debug)]
struct Folder(PathBuf);

impl Folder {
    fn create(program: &Path) -> Result<Self, MeasureError> {
        let beside = program.parent().map_or_else(env::temp_dir, Path::to_path_buf);
        let folder = beside.join(format!("stockade-bench-{}", std::process::id()));
        let failed = |cause| MeasureError::Io { doing: "make a folder for the gateway", cause };
        if folder.exists() {
            fs::remove_dir_all(&folder).map_err(failed)?;
        }
        fs::create_dir(&folder).map_err(failed)?;
        Ok(Self(folder))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            eprintln!("the folder `{}` could not be removed: {error}", self.0.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{authority, configuration};

    #[test]
    fn only_an_address_with_a_port_is_one() {
        assert_eq!(authority("http://127.0.0.1:80").unwrap(), "127.0.0.1:80");
        assert_eq!(authority("http://127.0.0.1:80/mcp").unwrap(), "127.0.0.1:80");
        for wrong in ["https://127.0.0.1:80", "http://127.0.0.1", "127.0.0.1:80", "http://127.0.0.1:http", ""] {
            assert!(authority(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_configuration_points_at_the_upstream() {
        assert!(configuration("127.0.0.1:81").contains("url = \"http://127.0.0.1:81/mcp\"\n"));
    }
}
