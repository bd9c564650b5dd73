//! The load generator's process: many connections, one thread, every answer checked.
//!
//! It reads the account of the process under test itself, at the very moments between which it counts answers.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tokio::task::{JoinSet, LocalSet};
use tokio::time::{sleep, sleep_until, timeout};

use crate::histogram::Histogram;
use crate::plan::{Era, Pace, Scenario};
use crate::process::Account;
use crate::session::{CallError, Client, Endpoint};

/// How long connecting, shaking hands and the first answer may take, all connections together.
const OPEN_WAIT: Duration = Duration::from_secs(20);
/// How long the last answers and the ends of sessions may take after the measured time.
const CLOSE_WAIT: Duration = Duration::from_secs(10);

/// What one process of the generator does.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Load {
    /// Where to.
    pub endpoint: Endpoint,
    /// What, over how many connections, how fast.
    pub scenario: Scenario,
    /// In which era.
    pub era: Era,
    /// Load before the measured time, in milliseconds.
    pub warm_up_ms: u64,
    /// The measured time, in milliseconds.
    pub measure_ms: u64,
    /// The process under test.
    pub watched: u32,
}

/// What was measured in one cell in one round.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Sample {
    /// Right answers in the measured time.
    pub requests: u64,
    /// Wrong or missing answers at any time.
    pub errors: u64,
    /// The first error's text.
    pub first_error: Option<String>,
    /// The measured time in nanoseconds.
    pub elapsed_ns: u64,
    /// Half of all answers took at most this long, in nanoseconds.
    pub p50_ns: u64,
    /// 99 % of all answers took at most this long, in nanoseconds.
    pub p99_ns: u64,
    /// User and system time of the process under test in the measured time, in ticks of 1/100 s.
    pub cpu_ticks: u64,
    /// Resident memory of the process under test at the end of the measured time, in KiB.
    pub resident_kib: u64,
}

/// What all connections share. One thread runs them all.
struct Shared {
    counting: Cell<bool>,
    stopping: Cell<bool>,
    latencies: RefCell<Histogram>,
    errors: Cell<u64>,
    first_error: RefCell<Option<String>>,
}

impl Shared {
    fn fail(&self, error: &str) {
        self.errors.set(self.errors.get() + 1);
        self.first_error.borrow_mut().get_or_insert_with(|| error.to_owned());
    }
}

/// Runs the load; errors are part of the sample.
pub async fn run(load: Load) -> Sample {
    let shared = Rc::new(Shared {
        counting: Cell::new(false),
        stopping: Cell::new(false),
        latencies: RefCell::new(Histogram::new()),
        errors: Cell::new(0),
        first_error: RefCell::new(None),
    });
    let measured = LocalSet::new().run_until(measure(&load, &shared)).await;
    let (elapsed, cpu_ticks, resident_kib) = measured.unwrap_or_default();
    let latencies = shared.latencies.borrow();
    Sample {
        requests: latencies.count(),
        errors: shared.errors.get(),
        first_error: shared.first_error.borrow().clone(),
        elapsed_ns: u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX),
        p50_ns: latencies.quantile(0.5),
        p99_ns: latencies.quantile(0.99),
        cpu_ticks,
        resident_kib,
    }
}

/// Elapsed time, CPU ticks and resident KiB of the measured time; `None` after an error that leaves nothing to measure.
async fn measure(load: &Load, shared: &Rc<Shared>) -> Option<(Duration, u64, u64)> {
    let clients = match timeout(OPEN_WAIT, open_all(load)).await {
        Ok(Ok(clients)) => clients,
        Ok(Err(error)) => {
            shared.fail(&error.to_string());
            return None;
        }
        Err(_) => {
            shared.fail(&format!("the connections were not ready after {} s", OPEN_WAIT.as_secs()));
            return None;
        }
    };
    let mut tasks = JoinSet::new();
    let start = Instant::now();
    for (index, client) in clients.into_iter().enumerate() {
        let schedule = Schedule::new(load.scenario, index, start);
        tasks.spawn_local(drive(client, schedule, Rc::clone(shared)));
    }
    sleep(Duration::from_millis(load.warm_up_ms)).await;
    let before = account(load.watched, shared)?;
    let begin = Instant::now();
    shared.counting.set(true);
    sleep(Duration::from_millis(load.measure_ms)).await;
    shared.counting.set(false);
    let elapsed = begin.elapsed();
    let after = account(load.watched, shared)?;
    shared.stopping.set(true);
    let ended = timeout(CLOSE_WAIT, async { while tasks.join_next().await.is_some() {} }).await;
    if ended.is_err() {
        shared.fail(&format!("answers were missing {} s after the end", CLOSE_WAIT.as_secs()));
    }
    Some((elapsed, after.cpu_ticks.saturating_sub(before.cpu_ticks), after.resident_kib))
}

fn account(pid: u32, shared: &Shared) -> Option<Account> {
    Account::of(pid).map_err(|error| shared.fail(&error.to_string())).ok()
}

async fn open_all(load: &Load) -> Result<Vec<Client>, CallError> {
    let mut clients = Vec::new();
    for index in 0..load.scenario.connections {
        clients.push(Client::open(load.endpoint.clone(), load.scenario.work, load.era, index).await?);
    }
    Ok(clients)
}

/// Asks until the run stops or an answer is wrong.
async fn drive(mut client: Client, mut schedule: Schedule, shared: Rc<Shared>) {
    while !shared.stopping.get() {
        let started = schedule.next().await;
        if let Err(error) = client.call().await {
            shared.fail(&error.to_string());
            return;
        }
        if shared.counting.get() {
            let took = u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX);
            shared.latencies.borrow_mut().record(took);
        }
    }
    if let Err(error) = client.close().await {
        shared.fail(&error.to_string());
    }
}

/// When one connection's requests start.
struct Schedule {
    due: Instant,
    /// `None` in a closed loop.
    every: Option<Duration>,
}

impl Schedule {
    fn new(scenario: Scenario, index: usize, start: Instant) -> Self {
        match scenario.pace {
            Pace::Closed => Self { due: start, every: None },
            Pace::Open { rate } => {
                // Each connection takes its turn: request k of the whole is one of connection k modulo their number.
                let turn = Duration::from_secs(1) / rate.max(1);
                let index = u32::try_from(index).unwrap_or(u32::MAX);
                Self { due: start + turn * index, every: Some(turn * scenario.connections) }
            }
        }
    }

    /// Waits for the next request's time and says from when its latency counts.
    ///
    /// In the open loop that is the time it was due if the connection was still waiting for the answer before: what was
    /// slow must not hide what it held up. If the connection was free, it is the time of sending, so that the timer's
    /// resolution (1 ms) is not taken for latency.
    async fn next(&mut self) -> Instant {
        let now = Instant::now();
        let Some(every) = self.every else { return now };
        let due = self.due;
        self.due += every;
        if due <= now {
            return due;
        }
        sleep_until(due.into()).await;
        Instant::now()
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::Schedule;
    use crate::plan::{Pace, Scenario, Work};

    #[tokio::test(flavor = "current_thread")]
    async fn a_late_request_counts_from_when_it_was_due() {
        let scenario = Scenario { work: Work::Echo1k, connections: 4, pace: Pace::Open { rate: 1000 } };
        let start = Instant::now() - Duration::from_millis(100);
        let mut schedule = Schedule::new(scenario, 3, start);
        assert_eq!(schedule.next().await, start + Duration::from_millis(3));
        assert_eq!(schedule.next().await, start + Duration::from_millis(7));
    }

    #[tokio::test(flavor = "current_thread")]
    async fn an_early_request_waits_and_counts_from_its_sending() {
        let scenario = Scenario { work: Work::Echo1k, connections: 1, pace: Pace::Open { rate: 1000 } };
        let start = Instant::now() + Duration::from_millis(5);
        let begun = Schedule::new(scenario, 0, start).next().await;
        assert!(begun >= start);
    }
}
