//! From samples to numbers: medians, ratios to the proxy, and the targets of the design.

use serde::Serialize;

use crate::idle::Memory;
use crate::load::Sample;
use crate::machine::Machine;
use crate::measure::{CellSamples, Measured};
use crate::plan::{Effort, Era, Scenario, Target};
use crate::process::TICKS_PER_SECOND;

/// Targets of the design, in the units of the report.
const CPU_RATIO_LIMIT: f64 = 1.5;
const ADDED_P50_LIMIT_US: f64 = 100.0;
const ADDED_P99_LIMIT_US: f64 = 1000.0;
const RESIDENT_LIMIT_MIB: f64 = 30.0;
const CONNECTION_LIMIT_KIB: f64 = 20.0;

/// One run, ready to be shown.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// What was measured, usually a commit.
    pub label: String,
    /// UTC date, `YYYY-MM-DD`.
    pub date: String,
    /// The era of all messages.
    pub era: Era,
    /// How long and how often.
    pub effort: Effort,
    /// Where.
    pub machine: Machine,
    /// Ordered by scenario, then target.
    pub cells: Vec<Cell>,
    /// Ordered by target.
    pub memory: Vec<MemoryCell>,
    /// The design's targets and what was found; empty without Stockade.
    pub targets: Vec<Verdict>,
}

/// One scenario through one target.
#[derive(Debug, Clone, Serialize)]
pub struct Cell {
    /// What was asked, how fast.
    pub scenario: Scenario,
    /// Through what.
    pub target: Target,
    /// The numbers, or why there are none.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// The numbers divided by those of the proxy, where both have some.
    pub to_proxy: Option<Ratios>,
}

/// What became of a cell.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum Outcome {
    /// Every answer of every round was right.
    Ok(Numbers),
    /// At least one was not.
    Failed {
        /// How many, over all rounds.
        errors: u64,
        /// The first one's text.
        first_error: String,
    },
}

/// Medians over the rounds.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Numbers {
    /// Answers in a second.
    pub requests_per_second: f64,
    /// Median latency in microseconds.
    pub p50_us: f64,
    /// 99th percentile of the latency in microseconds.
    pub p99_us: f64,
    /// User and system time of the process under test for one request, in microseconds.
    pub cpu_us: f64,
    /// Resident memory of the process under test under this load, in MiB.
    pub resident_mib: f64,
}

/// A target's numbers divided by the proxy's.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Ratios {
    /// Requests a second: higher is better.
    pub requests_per_second: f64,
    /// Median latency: lower is better.
    pub p50: f64,
    /// 99th percentile: lower is better.
    pub p99: f64,
    /// CPU time: lower is better. The one to trust on a shared machine.
    pub cpu: f64,
}

/// The memory of one target without load.
#[derive(Debug, Clone, Serialize)]
pub struct MemoryCell {
    /// Which one.
    pub target: Target,
    /// Before the first request, in MiB.
    pub fresh_mib: f64,
    /// With the connections open and idle, in MiB.
    pub connected_mib: f64,
    /// How many.
    pub connections: u32,
    /// For each of them, in KiB.
    pub connection_kib: f64,
    /// Why the numbers do not count, if they do not.
    pub error: Option<String>,
}

/// A target of the design and what was found.
#[derive(Debug, Clone, Serialize)]
pub struct Verdict {
    /// What the target is about, with its unit.
    pub what: &'static str,
    /// At most this.
    pub limit: f64,
    /// What was found; nothing if a cell that it needs failed.
    pub found: Option<f64>,
}

impl Verdict {
    /// What a person reads: met, missed or not measured.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self.found {
            Some(found) if found <= self.limit => "met",
            Some(_) => "missed",
            None => "not measured",
        }
    }
}

impl Report {
    /// Puts a run's numbers together.
    #[must_use]
    pub fn new(label: String, era: Era, effort: Effort, machine: Machine, measured: &Measured) -> Self {
        let mut cells: Vec<Cell> = measured.cells.iter().map(cell).collect();
        let proxies: Vec<_> = cells.iter().filter(|cell| cell.target == Target::Proxy).cloned().collect();
        for cell in &mut cells {
            let proxy = proxies.iter().find(|proxy| proxy.scenario == cell.scenario);
            cell.to_proxy = proxy.and_then(Cell::numbers).zip(cell.numbers()).map(|(proxy, own)| ratios(own, proxy));
        }
        let memory = measured.memory.iter().map(|(target, memory)| memory_cell(*target, memory)).collect();
        let date = jiff::Timestamp::now().strftime("%Y-%m-%d").to_string();
        let mut report = Self { label, date, era, effort, machine, cells, memory, targets: Vec::new() };
        report.targets = report.verdicts();
        report
    }

    /// Whether any cell failed: then the run as a whole did.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.cells.iter().any(|cell| cell.numbers().is_none()) || self.memory.iter().any(|cell| cell.error.is_some())
    }

    /// The numbers of a cell.
    #[must_use]
    pub fn numbers(&self, scenario: Scenario, target: Target) -> Option<Numbers> {
        self.cells.iter().find(|cell| cell.scenario == scenario && cell.target == target).and_then(Cell::numbers)
    }

    /// How much longer one request takes through a target than directly, in microseconds at p50 and p99.
    ///
    /// Nothing for scenarios in which requests mostly wait for one another.
    #[must_use]
    pub fn added(&self, scenario: Scenario, target: Target) -> Option<(f64, f64)> {
        if !scenario.shows_latency() {
            return None;
        }
        let direct = self.numbers(scenario, Target::Direct)?;
        let through = self.numbers(scenario, target)?;
        Some((through.p50_us - direct.p50_us, through.p99_us - direct.p99_us))
    }

    fn verdicts(&self) -> Vec<Verdict> {
        let stockade = |cell: &&MemoryCell| cell.target == Target::Stockade;
        if !self.cells.iter().any(|cell| cell.target == Target::Stockade) {
            return Vec::new();
        }
        let cost = self.cells.iter().find(|cell| cell.scenario == Scenario::COST && cell.target == Target::Stockade);
        let added = self.added(Scenario::LATENCY, Target::Stockade);
        let memory = self.memory.iter().find(stockade).filter(|cell| cell.error.is_none());
        // A measured time so short that the proxy used no tick has no ratio.
        let verdict =
            |what, limit, found: Option<f64>| Verdict { what, limit, found: found.filter(|found| found.is_finite()) };
        vec![
            verdict(
                "CPU per request, as a multiple of the proxy's (32 connections, 1 KiB)",
                CPU_RATIO_LIMIT,
                cost.and_then(|cell| cell.to_proxy).map(|ratios| ratios.cpu),
            ),
            verdict("added latency p50 at 1,000 requests/s, µs", ADDED_P50_LIMIT_US, added.map(|added| added.0)),
            verdict("added latency p99 at 1,000 requests/s, µs", ADDED_P99_LIMIT_US, added.map(|added| added.1)),
            verdict("resident memory when idle, MiB", RESIDENT_LIMIT_MIB, memory.map(|cell| cell.fresh_mib)),
            verdict("memory per idle connection, KiB", CONNECTION_LIMIT_KIB, memory.map(|cell| cell.connection_kib)),
        ]
    }
}

impl Cell {
    /// The numbers, if the cell did not fail.
    #[must_use]
    pub fn numbers(&self) -> Option<Numbers> {
        match &self.outcome {
            Outcome::Ok(numbers) => Some(*numbers),
            Outcome::Failed { .. } => None,
        }
    }
}

fn cell(measured: &CellSamples) -> Cell {
    let errors = measured.samples.iter().map(|sample| sample.errors).sum();
    let silent = measured.samples.iter().any(|sample| sample.requests == 0) || measured.samples.is_empty();
    let outcome = if errors > 0 || silent {
        let first_error = measured.samples.iter().find_map(|sample| sample.first_error.clone());
        let first_error = first_error.unwrap_or_else(|| String::from("no answer came in the measured time"));
        Outcome::Failed { errors, first_error }
    } else {
        Outcome::Ok(numbers(&measured.samples))
    };
    Cell { scenario: measured.scenario, target: measured.target, outcome, to_proxy: None }
}

fn numbers(samples: &[Sample]) -> Numbers {
    let of = |value: fn(&Sample) -> f64| median(samples.iter().map(value).collect());
    Numbers {
        requests_per_second: of(|sample| sample.requests as f64 * 1e9 / sample.elapsed_ns as f64),
        p50_us: of(|sample| sample.p50_ns as f64 / 1e3),
        p99_us: of(|sample| sample.p99_ns as f64 / 1e3),
        cpu_us: of(|sample| sample.cpu_ticks as f64 * 1e6 / TICKS_PER_SECOND as f64 / sample.requests as f64),
        resident_mib: of(|sample| sample.resident_kib as f64 / 1024.0),
    }
}

/// The middle value; of an even number the mean of the two in the middle. Not for an empty list.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let (low, high) = ((values.len() - 1) / 2, values.len() / 2);
    f64::midpoint(values[low], values[high])
}

fn ratios(own: Numbers, proxy: Numbers) -> Ratios {
    Ratios {
        requests_per_second: own.requests_per_second / proxy.requests_per_second,
        p50: own.p50_us / proxy.p50_us,
        p99: own.p99_us / proxy.p99_us,
        cpu: own.cpu_us / proxy.cpu_us,
    }
}

fn memory_cell(target: Target, memory: &Memory) -> MemoryCell {
    let added = memory.connected_kib as f64 - memory.used_kib as f64;
    MemoryCell {
        target,
        fresh_mib: memory.fresh_kib as f64 / 1024.0,
        connected_mib: memory.connected_kib as f64 / 1024.0,
        connections: memory.connections,
        connection_kib: added / f64::from(memory.connections.max(1)),
        error: memory.error.clone(),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::{Outcome, Report, median};
    use crate::idle::Memory;
    use crate::load::Sample;
    use crate::machine::Machine;
    use crate::measure::{CellSamples, Measured};
    use crate::plan::{Effort, Era, Scenario, Target};

    /// A report with made-up samples: the proxy takes 20 µs of CPU, Stockade `cpu_ticks` for 10,000 requests.
    pub(crate) fn report(cpu_ticks: u64, errors: u64) -> Report {
        let sample = |target, requests: u64| {
            let (cpu_ticks, p50_ns, errors) = match target {
                Target::Direct => (10, 50_000, 0),
                Target::Proxy => (20, 90_000, 0),
                Target::Stockade => (cpu_ticks, 130_000, errors),
            };
            let first_error = (errors > 0).then(|| String::from("status 500 | \\n"));
            Sample {
                requests,
                errors,
                first_error,
                elapsed_ns: 1_000_000_000,
                p50_ns,
                p99_ns: 2 * p50_ns,
                cpu_ticks,
                resident_kib: 20 * 1024,
            }
        };
        let mut cells = Vec::new();
        for scenario in [Scenario::COST, Scenario::LATENCY] {
            for target in Target::ALL {
                let samples = [9_000, 10_000, 90_000].map(|requests| sample(target, requests)).to_vec();
                cells.push(CellSamples { scenario, target, samples });
            }
        }
        let memory =
            Memory { fresh_kib: 10_240, used_kib: 11_000, connected_kib: 16_000, connections: 500, error: None };
        let measured = Measured { cells, memory: vec![(Target::Proxy, memory.clone()), (Target::Stockade, memory)] };
        Report::new(String::from("abc1234"), Era::Modern, Effort::QUICK, Machine::of_this_process(), &measured)
    }

    fn check_verdicts(report: &Report, expected: [&str; 5]) {
        let words: Vec<_> = report.targets.iter().map(super::Verdict::word).collect();
        assert_eq!(words, expected, "{:?}", report.targets);
    }

    #[test]
    fn medians_and_ratios_come_from_the_middle_round() {
        let report = report(30, 0);
        let cell = report.numbers(Scenario::COST, Target::Stockade).unwrap();
        assert!((cell.requests_per_second - 10_000.0).abs() < 1.0 && (cell.cpu_us - 30.0).abs() < 0.01, "{cell:?}");
        assert_eq!(report.added(Scenario::LATENCY, Target::Stockade), Some((80.0, 160.0)));
        assert_eq!(report.added(Scenario::COST, Target::Stockade), None);
        check_verdicts(&report, ["met"; 5]);
        assert!(!report.has_failed());
        assert!((median(vec![4.0, 1.0, 3.0, 2.0]) - 2.5).abs() < f64::EPSILON);
    }

    #[test]
    fn a_missed_target_is_called_missed() {
        check_verdicts(&report(31, 0), ["missed", "met", "met", "met", "met"]);
    }

    #[test]
    fn a_cell_with_one_error_has_no_numbers() {
        let report = report(30, 1);
        assert!(report.has_failed());
        assert!(report.numbers(Scenario::COST, Target::Stockade).is_none());
        check_verdicts(&report, ["not measured", "not measured", "not measured", "met", "met"]);
        let failed = report.cells.iter().find(|cell| cell.target == Target::Stockade).unwrap();
        assert!(matches!(&failed.outcome, Outcome::Failed { errors: 3, first_error } if first_error.contains("500")));
        assert!(failed.to_proxy.is_none());
    }
}
