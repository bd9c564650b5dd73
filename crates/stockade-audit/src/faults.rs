//! Disks that fail: full in the middle of a line, refusing `fdatasync`, stuck, or robbed (AD-06). Tests only.

use crate::files::{FileFacts, Files, RealFiles};
use crate::log::{AuditLog, DETACHED_LIMIT, Health, Pace, WAITING_LIMIT};
use crate::open::{AuditOptions, OpenReport};
use crate::query::{Filter, query};
use crate::stored::StoredRecord;
use crate::verify::verify;
use rustix::io::Errno;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};
use stockade_core::ports::{Durability, Record, RecordUnavailable, Timestamp};
use stockade_core::record::{Entry, Phase, Written};
use stockade_core::words::TicketId;

const PACE: Pace = Pace {
    wait: Duration::from_secs(5),
    look: Duration::from_millis(5),
    head: Duration::from_millis(5),
    retry: Duration::from_millis(1),
};
const HURRIED: Pace = Pace { wait: Duration::from_millis(50), ..PACE };
/// The longest that a test waits for another thread.
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operation {
    Create,
    Open,
    Write,
    Truncate,
    Sync,
    SyncFolder,
    Rename,
    Remove,
}

/// What goes wrong with one operation.
#[derive(Debug, Clone, Copy)]
struct Fault {
    operation: Operation,
    /// So many go well before.
    after: u64,
    /// So many fail.
    times: u64,
    error: Errno,
    /// So many bytes are written before a write fails.
    partial: Option<usize>,
}

impl Fault {
    fn every(operation: Operation, error: Errno) -> Self {
        Self { operation, after: 0, times: u64::MAX, error, partial: None }
    }
}

/// Real files that fail as told. `sync` does nothing: what a power cut would do is not tested here.
#[derive(Default)]
struct FaultyFiles {
    faults: Mutex<Vec<Fault>>,
    /// What does not come back until it is let go.
    stuck: Mutex<Option<Operation>>,
    released: Condvar,
    stuck_now: AtomicU64,
    /// How many faults have struck.
    struck: AtomicU64,
}

impl FaultyFiles {
    fn inject(&self, fault: Fault) {
        self.faults.lock().unwrap().push(fault);
    }

    fn heal(&self) {
        self.faults.lock().unwrap().clear();
    }

    fn stick(&self, operation: Operation) {
        *self.stuck.lock().unwrap() = Some(operation);
    }

    fn release(&self) {
        *self.stuck.lock().unwrap() = None;
        self.released.notify_all();
    }

    fn judge(&self, operation: Operation) -> Result<(), (io::Error, Option<usize>)> {
        let mut stuck = self.stuck.lock().unwrap();
        while *stuck == Some(operation) {
            self.stuck_now.fetch_add(1, Ordering::SeqCst);
            stuck = self.released.wait(stuck).unwrap();
        }
        drop(stuck);
        for fault in self.faults.lock().unwrap().iter_mut().filter(|fault| fault.operation == operation) {
            if fault.after > 0 {
                fault.after -= 1;
            } else if fault.times > 0 {
                self.struck.fetch_add(1, Ordering::SeqCst);
                let partial = fault.partial.take().filter(|_| operation == Operation::Write);
                fault.times -= u64::from(partial.is_none());
                return Err((fault.error.into(), partial));
            }
        }
        Ok(())
    }

    fn simple(&self, operation: Operation) -> io::Result<()> {
        self.judge(operation).map_err(|(error, _)| error)
    }
}

impl Files for FaultyFiles {
    fn create(&self, path: &Path) -> io::Result<File> {
        self.simple(Operation::Create).and_then(|()| RealFiles.create(path))
    }

    fn open(&self, path: &Path) -> io::Result<File> {
        self.simple(Operation::Open).and_then(|()| RealFiles.open(path))
    }

    fn write_at(&self, file: &File, bytes: &[u8], offset: u64) -> io::Result<usize> {
        match self.judge(Operation::Write) {
            Ok(()) => RealFiles.write_at(file, bytes, offset),
            Err((_, Some(partial))) if partial > 0 => {
                RealFiles.write_at(file, &bytes[..partial.min(bytes.len())], offset)
            }
            Err((error, _)) => Err(error),
        }
    }

    fn truncate(&self, file: &File, length: u64) -> io::Result<()> {
        self.simple(Operation::Truncate).and_then(|()| RealFiles.truncate(file, length))
    }

    fn sync(&self, _file: &File) -> io::Result<()> {
        self.simple(Operation::Sync)
    }

    fn sync_folder(&self, _folder: &Path) -> io::Result<()> {
        self.simple(Operation::SyncFolder)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.simple(Operation::Rename).and_then(|()| RealFiles.rename(from, to))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.simple(Operation::Remove).and_then(|()| RealFiles.remove(path))
    }

    fn facts(&self, file: &File) -> io::Result<FileFacts> {
        RealFiles.facts(file)
    }
}

struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Self(std::env::temp_dir().join(format!("stockade-faults-{}-{number}", std::process::id())))
    }

    fn open(&self, files: &Arc<FaultyFiles>, pace: Pace) -> AuditLog {
        self.try_open(files, pace).unwrap().0
    }

    fn try_open(&self, files: &Arc<FaultyFiles>, pace: Pace) -> Result<(AuditLog, OpenReport), crate::open::OpenError> {
        let options = AuditOptions { folder: self.0.clone(), segment_bytes: 4096, started: Timestamp(0) };
        AuditLog::open_with(options, Arc::<FaultyFiles>::clone(files), pace)
    }

    /// Opens and closes it with a healthy disk, verifies it, and gives the records.
    fn records(&self) -> Vec<StoredRecord> {
        self.open(&Arc::default(), PACE).close().unwrap();
        let records: Vec<_> = query(&self.0, Filter::default()).unwrap().map(Result::unwrap).collect();
        assert_eq!(verify(&self.0, |_| {}).unwrap().records, records.len() as u64);
        records
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn event(number: u64) -> Entry {
    let mut entry = Entry::new(Timestamp(1), TicketId::new(number, [0; 10]), Phase::Event, "http", "test");
    entry.reason = Some(number.to_string());
    entry
}

fn numbers(records: &[StoredRecord]) -> Vec<u64> {
    records
        .iter()
        .filter(|record| record.kind == "test")
        .map(|record| record.reason.as_ref().unwrap().parse().unwrap())
        .collect()
}

fn append(log: &AuditLog, number: u64, durability: Durability) -> Result<Written, RecordUnavailable> {
    wait(log.append(event(number), durability))
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

/// Waits for another thread.
fn until(what: &str, mut reached: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !reached() {
        assert!(Instant::now() < end, "never: {what}");
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_disk_that_is_full_in_the_middle_of_a_line_leaves_no_half_record() {
    for partial in (0..200).step_by(7) {
        for trimming in [None, Some(Fault { times: 2, ..Fault::every(Operation::Truncate, Errno::IO) })] {
            let (scratch, files) = (Scratch::new(), Arc::default());
            let log = scratch.open(&files, PACE);
            append(&log, 1, Durability::Kernel).unwrap();
            trimming.into_iter().for_each(|fault| files.inject(fault));
            files.inject(Fault { partial: Some(partial), ..Fault::every(Operation::Write, Errno::NOSPC) });
            let refused = append(&log, 2, Durability::Kernel).unwrap_err();
            assert!(refused.reason.contains("no room"), "{refused}");
            assert!(matches!(log.health(), Health::Blocked { .. }));
            append(&log, 3, Durability::Disk).unwrap_err();
            files.heal();
            append(&log, 4, Durability::Kernel).unwrap();
            assert_eq!(log.health(), Health::Writable);
            log.close().unwrap();
            assert_eq!(numbers(&scratch.records()), [1, 4]);
        }
    }
}

#[test]
fn what_nobody_waits_for_outlives_a_full_disk() {
    let (scratch, files) = (Scratch::new(), Arc::default());
    let log = scratch.open(&files, PACE);
    files.inject(Fault::every(Operation::Write, Errno::NOSPC));
    (0..1000).for_each(|number| log.append_detached(event(number)));
    append(&log, 5000, Durability::Kernel).unwrap_err();
    files.heal();
    // By itself, without any further append.
    until("the detached entries are written", || log.last_sequence() == 1000);
    log.close().unwrap();
    assert_eq!(numbers(&scratch.records()), (0..1000).collect::<Vec<_>>());
}

#[test]
fn after_a_failed_fdatasync_the_segment_is_proved_and_a_new_one_started() {
    let (scratch, files) = (Scratch::new(), Arc::default());
    let log = scratch.open(&files, PACE);
    append(&log, 1, Durability::Disk).unwrap();
    append(&log, 2, Durability::Kernel).unwrap();
    files.inject(Fault::every(Operation::Sync, Errno::IO));
    append(&log, 3, Durability::Disk).unwrap_err();
    // The page cache would take it, but what it is worth is not known.
    let refused = append(&log, 4, Durability::Kernel).unwrap_err();
    assert!(refused.reason.contains("disk failed"), "{refused}");
    files.heal();
    until("the record goes on", || append(&log, 5, Durability::Disk).is_ok());
    log.close().unwrap();
    let records = scratch.records();
    assert_eq!(numbers(&records)[..3], [1, 2, 3]);
    assert_eq!(numbers(&records).last(), Some(&5));
    assert!(!numbers(&records).contains(&4));
    assert_eq!(verify(&scratch.0, |_| {}).unwrap().segments, 2);
}

#[test]
fn what_the_disk_has_dropped_is_never_papered_over() {
    let (scratch, files) = (Scratch::new(), Arc::default());
    let log = scratch.open(&files, PACE);
    append(&log, 1, Durability::Disk).unwrap();
    append(&log, 2, Durability::Disk).unwrap();
    files.inject(Fault::every(Operation::Sync, Errno::IO));
    // No repair before the file has been cut.
    files.inject(Fault::every(Operation::Open, Errno::IO));
    append(&log, 3, Durability::Disk).unwrap_err();
    let segment = File::options().write(true).open(scratch.0.join("record-00000001.jsonl")).unwrap();
    segment.set_len(segment.metadata().unwrap().len() - 20).unwrap();
    files.heal();
    until(
        "it is told",
        || matches!(log.health(), Health::Blocked { reason } if reason.contains("cannot be read back")),
    );
    append(&log, 4, Durability::Kernel).unwrap_err();
    assert!(log.close().is_err());
}

#[test]
fn a_segment_that_is_taken_away_stops_the_record() {
    let cut: fn(&Path) = |path| File::options().write(true).open(path).unwrap().set_len(10).unwrap();
    let remove: fn(&Path) = |path| std::fs::remove_file(path).unwrap();
    for robbery in [cut, remove] {
        let (scratch, files) = (Scratch::new(), Arc::default());
        let log = scratch.open(&files, PACE);
        append(&log, 1, Durability::Kernel).unwrap();
        robbery(&scratch.0.join("record-00000001.jsonl"));
        until("it is noticed", || append(&log, 2, Durability::Kernel).is_err());
        assert!(matches!(log.health(), Health::Blocked { reason } if reason.contains("by somebody else")));
        append(&log, 3, Durability::Disk).unwrap_err();
    }
}

#[test]
fn a_disk_that_does_not_answer_is_waited_for_no_longer_than_allowed() {
    let (scratch, files) = (Scratch::new(), Arc::<FaultyFiles>::default());
    let log = scratch.open(&files, HURRIED);
    files.stick(Operation::Sync);
    let refused = append(&log, 1, Durability::Disk).unwrap_err();
    assert!(refused.reason.contains("in time"), "{refused}");
    append(&log, 2, Durability::Kernel).unwrap();
    files.release();
    until("the disk answers again", || append(&log, 3, Durability::Disk).is_ok());
    log.close().unwrap();
    let written = numbers(&scratch.records());
    assert_eq!((written[..2].to_vec(), written.last()), (vec![1, 2], Some(&3)));
}

#[test]
fn a_writer_that_is_stuck_fills_its_queue_and_no_more() {
    let (scratch, files) = (Scratch::new(), Arc::<FaultyFiles>::default());
    let log = scratch.open(&files, HURRIED);
    files.stick(Operation::Write);
    thread::scope(|scope| {
        let first = scope.spawn(|| append(&log, 0, Durability::Kernel));
        until("the writer is stuck", || files.stuck_now.load(Ordering::SeqCst) > 0);
        // Refused in time, and then not written: nobody acts on it, so nobody finds it.
        assert!(append(&log, 1, Durability::Kernel).unwrap_err().reason.contains("in time"));
        let waiting: Vec<_> =
            (2..WAITING_LIMIT as u64).map(|number| log.append(event(number), Durability::Kernel)).collect();
        assert!(append(&log, 9, Durability::Kernel).unwrap_err().reason.contains("too many"));
        let lost = 7;
        (0..DETACHED_LIMIT as u64 + lost).for_each(|number| log.append_detached(event(100_000 + number)));
        waiting.into_iter().for_each(|answer| assert!(wait(answer).unwrap_err().reason.contains("in time")));
        files.release();
        // It may have been told that it takes too long, and still stands: it was being written at that moment.
        let _ = first.join().unwrap();
        until("the queue is written", || log.last_sequence() >= DETACHED_LIMIT as u64 + 2);
        append(&log, 500_000, Durability::Disk).unwrap();
        log.close().unwrap();
        let records = scratch.records();
        let told: Vec<_> = records.iter().filter(|record| record.kind == "entries-lost").collect();
        assert_eq!(told.len(), 1);
        assert_eq!(told[0].reason.as_deref(), Some("7 entries found no room in the queue"));
        let written = numbers(&records);
        assert_eq!((written[0], written[1], written.len()), (0, 100_000, DETACHED_LIMIT + 2));
    });
}

/// Whatever fails, and whenever: what was acknowledged stands, what stands is whole, and afterwards the record goes on.
#[test]
fn one_failure_anywhere_loses_nothing_that_was_acknowledged() {
    let operations = [
        Operation::Create,
        Operation::Open,
        Operation::Write,
        Operation::Truncate,
        Operation::Sync,
        Operation::SyncFolder,
        Operation::Rename,
        Operation::Remove,
    ];
    for operation in operations {
        for error in [Errno::NOSPC, Errno::IO, Errno::ROFS] {
            let mut after = 0;
            while strike(Fault { operation, after, times: 2, error, partial: Some(40) }) {
                after += 1;
            }
            assert!(
                after > 0 || operation == Operation::Truncate || operation == Operation::Open,
                "{operation:?} never struck"
            );
        }
    }
}

/// One run with one fault; tells whether the fault was reached.
fn strike(fault: Fault) -> bool {
    const APPENDS: u64 = 40;
    let (scratch, files) = (Scratch::new(), Arc::<FaultyFiles>::default());
    files.inject(fault);
    let mut acknowledged = Vec::new();
    let mut detached = 0;
    if let Ok((log, _)) = scratch.try_open(&files, PACE) {
        for number in 0..APPENDS {
            let durability = if number % 4 == 3 { Durability::Disk } else { Durability::Kernel };
            if number % 10 == 5 {
                log.append_detached(event(1000 + number));
                detached += 1;
            } else if append(&log, number, durability).is_ok() {
                acknowledged.push(number);
            }
        }
        files.heal();
        until("it goes on", || append(&log, 5000, Durability::Disk).is_ok());
        log.close().unwrap();
        let written = numbers(&scratch.records());
        assert_eq!(written.iter().filter(|number| (1000..2000).contains(*number)).count(), detached, "{fault:?}");
        assert!(
            acknowledged.iter().all(|number| written.contains(number)),
            "{fault:?}: {acknowledged:?} in {written:?}"
        );
        let mut once = written.clone();
        once.retain(|number| *number != 5000);
        assert!(once.iter().all(|number| once.iter().filter(|other| *other == number).count() == 1), "{fault:?}");
    } else {
        files.heal();
        scratch.records();
    }
    files.struck.load(Ordering::SeqCst) > 0
}
