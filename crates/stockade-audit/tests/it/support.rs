//! A scratch folder, a waiter for futures, and entries.

use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use stockade_audit::{AuditLog, AuditOptions, OpenReport, StoredRecord};
use stockade_core::ports::{Durability, Record, Timestamp};
use stockade_core::record::{Entry, Outcome, Phase};
use stockade_core::words::TicketId;

/// A folder that goes when it is dropped.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let name = format!("stockade-audit-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn audit(&self) -> PathBuf {
        self.0.join("audit")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub(crate) fn open(folder: &Path, segment_bytes: u64) -> (AuditLog, OpenReport) {
    AuditLog::open(AuditOptions { folder: folder.to_owned(), segment_bytes, started: Timestamp(5) }).unwrap()
}

pub(crate) fn ticket(number: u64) -> TicketId {
    TicketId::new(number, [0; 10])
}

pub(crate) fn intent(number: u64) -> Entry {
    let mut entry = Entry::new(Timestamp(6), ticket(number), Phase::Intent, "stdio", "request");
    entry.caller = Some("alice".to_owned());
    entry.server = Some("files".to_owned());
    entry
}

pub(crate) fn outcome(number: u64) -> Entry {
    let mut entry = Entry::new(Timestamp(7), ticket(number), Phase::Outcome, "stdio", "request");
    entry.outcome = Some(Outcome::Delivered);
    entry
}

pub(crate) fn append(log: &AuditLog, entry: Entry) -> u64 {
    wait(log.append(entry, Durability::Kernel)).unwrap().sequence()
}

/// Makes a closed record of `calls` calls, two records each.
pub(crate) fn record(folder: &Path, calls: u64, segment_bytes: u64) {
    let (log, _) = open(folder, segment_bytes);
    for number in 0..calls {
        append(&log, intent(number));
        append(&log, outcome(number));
    }
    log.close().unwrap();
}

pub(crate) fn all(folder: &Path) -> Vec<StoredRecord> {
    stockade_audit::query(folder, stockade_audit::Filter::default()).unwrap().map(Result::unwrap).collect()
}

pub(crate) fn wait<T>(future: impl Future<Output = T>) -> T {
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
