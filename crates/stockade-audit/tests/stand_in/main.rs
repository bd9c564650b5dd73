//! Stands in for the gateway in the tests of this crate: a process that opens the record, appends from some threads at once,
//! and says on standard output, one line each, what was acknowledged: `i` or `o` for intent or outcome, the ticket, and the
//! sequence number. It runs until it is killed, or for as many calls as the second argument says.

use std::io::Write;
use std::path::PathBuf;
use std::pin::pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use stockade_audit::{AuditLog, AuditOptions};
use stockade_core::ports::{Durability, Record, RecordUnavailable, Timestamp};
use stockade_core::record::{Entry, Outcome, Phase, Written};
use stockade_core::words::TicketId;

const THREADS: u64 = 4;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let Some(folder) = arguments.next().map(PathBuf::from) else { return ExitCode::from(2) };
    let calls = arguments.next().and_then(|text| text.to_str()?.parse().ok()).unwrap_or(u64::MAX);
    // Small segments, so that some processes die while they start a new one.
    let options = AuditOptions { folder, segment_bytes: 16 * 1024, started: Timestamp(1) };
    let log = match AuditLog::open(options) {
        Ok((log, _)) => log,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "{error}");
            return ExitCode::FAILURE;
        }
    };
    let next = AtomicU64::new(log.last_sequence() * THREADS);
    let last = next.load(Ordering::Relaxed).saturating_add(calls);
    thread::scope(|scope| {
        for number in 0..THREADS {
            let (log, next) = (&log, &next);
            scope.spawn(move || {
                while next.load(Ordering::Relaxed) < last {
                    call(log, next.fetch_add(1, Ordering::Relaxed), number);
                }
            });
        }
    });
    if log.close().is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// One call: its intent, and its outcome for every call but some.
fn call(log: &AuditLog, number: u64, thread: u64) {
    let ticket = TicketId::new(number, [u8::try_from(thread).unwrap_or_default(); 10]);
    let durability = if number.is_multiple_of(16) { Durability::Disk } else { Durability::Kernel };
    let mut intent = Entry::new(Timestamp(2), ticket, Phase::Intent, "http", "request");
    intent.server = Some("files".to_owned());
    acknowledge("i", ticket, wait(log.append(intent, durability)));
    if number % 5 != 4 {
        let mut outcome = Entry::new(Timestamp(3), ticket, Phase::Outcome, "http", "request");
        outcome.outcome = Some(Outcome::Delivered);
        acknowledge("o", ticket, wait(log.append(outcome, Durability::Kernel)));
    }
}

fn acknowledge(step: &str, ticket: TicketId, answer: Result<Written, RecordUnavailable>) {
    if let Ok(written) = answer {
        // One write per line, so that no line is torn among the threads.
        let line = format!("{step} {ticket} {}\n", written.sequence());
        let _ = std::io::stdout().lock().write_all(line.as_bytes());
    }
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return value;
        }
        thread::park();
    }
}
