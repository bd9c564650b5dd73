//! How fast the record is: `cargo run --release -p stockade-audit --example throughput -- FOLDER`. Prints one line of figures
//! for each way to wait and number of callers, and for verifying what was written.

use std::error::Error;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use stockade_audit::{AuditLog, AuditOptions, verify};
use stockade_core::ports::{Durability, Record, RecordUnavailable, Timestamp};
use stockade_core::record::{Entry, Outcome, Phase};
use stockade_core::words::TicketId;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args_os().nth(1).map(PathBuf::from).ok_or("which folder?")?;
    let runs = [
        (Durability::Kernel, 1, 400_000),
        (Durability::Kernel, 2, 400_000),
        (Durability::Kernel, 32, 400_000),
        (Durability::Disk, 1, 200),
        (Durability::Disk, 32, 6_400),
        (Durability::Disk, 256, 51_200),
    ];
    let (log, _) = AuditLog::open(AuditOptions::new(folder.clone(), Timestamp(0)))?;
    let log = Arc::new(log);
    let mut out = std::io::stdout();
    for (durability, callers, appends) in runs {
        let (start, before) = (Instant::now(), processor_time());
        let mut waits = run(&log, durability, callers, appends)?;
        let (wall, processor) = (start.elapsed(), processor_time().saturating_sub(before));
        waits.sort_unstable();
        let quantile = |part: usize| waits.get(waits.len() * part / 10_000).copied().unwrap_or_default();
        writeln!(
            out,
            "{durability:?} callers {callers}: {:.0} records/s, {:.2} us processor/record, wait p50 {:?} p99 {:?} p99.99 {:?} max {:?}",
            appends as f64 / wall.as_secs_f64(),
            processor.as_secs_f64() * 1e6 / appends as f64,
            quantile(5000),
            quantile(9900),
            quantile(9999),
            waits.last().copied().unwrap_or_default(),
        )?;
    }
    log.close()?;
    let start = Instant::now();
    let report = verify(&folder, |_| {})?;
    let rate = report.records as f64 / start.elapsed().as_secs_f64();
    writeln!(out, "verify: {rate:.0} records/s, {} bytes/record", report.bytes / report.records.max(1))?;
    Ok(())
}

/// Each caller is a task on two worker threads, as in the gateway.
fn run(
    log: &Arc<AuditLog>,
    durability: Durability,
    callers: u64,
    appends: u64,
) -> Result<Vec<Duration>, Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build()?;
    let tasks: Vec<_> = (0..callers)
        .map(|caller| {
            let log = Arc::clone(log);
            runtime.spawn(async move {
                let each = appends / callers;
                let mut waits = Vec::with_capacity(usize::try_from(each).unwrap_or_default());
                for number in 0..each {
                    let entry = entry(caller * each + number / 2, number % 2 == 0);
                    let start = Instant::now();
                    log.append(entry, durability).await?;
                    waits.push(start.elapsed());
                    tokio::task::yield_now().await;
                }
                Ok::<_, RecordUnavailable>(waits)
            })
        })
        .collect();
    let mut all = Vec::new();
    for task in tasks {
        all.extend(runtime.block_on(task)??);
    }
    Ok(all)
}

/// As large as those of an ordinary `tools/call`.
fn entry(number: u64, intent: bool) -> Entry {
    let phase = if intent { Phase::Intent } else { Phase::Outcome };
    let mut entry =
        Entry::new(Timestamp(1_764_000_000_000_000_000), TicketId::new(number, [9; 10]), phase, "http", "request");
    entry.caller = Some("alice".to_owned());
    entry.caller_kind = Some("api-key");
    entry.client = Some("some-client/1.0".to_owned());
    entry.revision = Some("2025-11-25");
    entry.server = Some("files".to_owned());
    entry.method = Some("tools/call".to_owned());
    entry.target = Some("read_file".to_owned());
    entry.shape = Some("{path:string}".to_owned());
    entry.decision = Some("allow");
    entry.rule = Some("starter@1".to_owned());
    if !intent {
        entry.outcome = Some(Outcome::Delivered);
        entry.took_us = Some(1234);
        entry.released_bytes = Some(1024);
    }
    entry
}

/// Processor time of this process so far, of user and system together.
fn processor_time() -> Duration {
    let usage = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(usage.tv_sec.unsigned_abs(), u32::try_from(usage.tv_nsec).unwrap_or_default())
}
