//! The log: who appends, who waits, and who writes.
//!
//! Whoever appends while nobody writes becomes the writer: it takes everything that is queued, its own entry among it, and
//! writes it in one go to the kernel. So an entry that waits for the kernel only costs no change of thread; under contention
//! the queue makes groups by itself. Only what must wait for the disk goes to the keeper (`keeper.rs`).
//!
//! Must never: hold its lock over an operation on a file; acknowledge before the write; let an entry vanish without a trace.

use crate::folder::FolderLock;
use crate::keeper;
use crate::line::{FINDINGS_LIMIT, Row, TEXT_LIMIT};
use crate::reply::{Answer, Reply};
use crate::walk::Position;
use crate::writer::{Home, Tip, TooManyOpen, WriteError, Writer};
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use stockade_core::ports::{Durability, PortFuture, Record, RecordUnavailable, Timestamp};
use stockade_core::record::{Entry, Phase, Written};

/// Appends that may wait at one time, in the queue and for the disk together. A further one is refused at once.
pub(crate) const WAITING_LIMIT: usize = 4096;
/// Entries without a waiter that may stand in the queue. A further one is counted, and the count is the next thing that is
/// written.
pub(crate) const DETACHED_LIMIT: usize = 16_384;
/// Entries that one group holds at most.
const GROUP_ENTRIES: usize = 256;
/// Bytes of text, before escaping, after which a group takes no further entry.
const GROUP_BYTES: usize = 1024 * 1024;
/// Groups that one appending thread writes for others before it hands the queue to the keeper.
const GROUPS_PER_TURN: usize = 4;

/// How long things may take; fixed in production, shortened by tests.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// The longest that an append waits for the writer or the disk.
    pub(crate) wait: Duration,
    /// Between two looks at those who wait.
    pub(crate) look: Duration,
    /// The longest that the disk and `head.json` lag behind the kernel.
    pub(crate) head: Duration,
    /// Between two tries after a failure.
    pub(crate) retry: Duration,
}

impl Pace {
    pub(crate) const PRODUCTION: Self = Self {
        wait: Duration::from_secs(10),
        look: Duration::from_millis(250),
        head: Duration::from_secs(1),
        retry: Duration::from_millis(100),
    };
}

/// Whether the record can be written at present.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// The last thing that was tried went well.
    Writable,
    /// Appends fail until the cause is gone; the record goes on by itself then, unless the reason says otherwise.
    Blocked {
        /// What the operating system said, without paths.
        reason: String,
    },
}

/// The append-only record of one folder. Dropping it closes it: everything queued is written, synced, and `head.json`
/// says that it was closed.
pub struct AuditLog {
    log: Arc<Log>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    lock: Mutex<Option<FolderLock>>,
}

impl AuditLog {
    pub(crate) fn start(writer: Writer, home: Home, pace: Pace, lock: FolderLock) -> std::io::Result<Self> {
        let log = Arc::new(Log::new(writer, home, pace));
        let threads = keeper::start(&log)?;
        Ok(Self { log, threads: Mutex::new(threads), lock: Mutex::new(Some(lock)) })
    }

    /// Whether the record can be written at present.
    #[must_use]
    pub fn health(&self) -> Health {
        match self.log.lock().blocked.clone() {
            Some(reason) => Health::Blocked { reason },
            None => Health::Writable,
        }
    }

    /// The sequence number of the last record that was written.
    #[must_use]
    pub fn last_sequence(&self) -> u64 {
        self.log.lock().tip.position.sequence
    }

    /// Writes what is queued, waits for the disk, marks the record as closed, and lets another process have it. Appends fail
    /// from now on, and what is handed over without waiting is lost: whoever may still do so has to end before.
    ///
    /// # Errors
    /// When not everything could be written.
    pub fn close(&self) -> Result<(), RecordUnavailable> {
        self.log.close();
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            if thread.join().is_err() {
                return Err(unavailable("a thread of the record has ended early"));
            }
        }
        drop(self.lock.lock().unwrap_or_else(PoisonError::into_inner).take());
        let state = self.log.lock();
        match (&state.blocked, state.queue.len() as u64 + state.lost) {
            (None, 0) => Ok(()),
            (reason, left) => {
                let reason = reason.as_deref().unwrap_or("it was closed too early");
                Err(RecordUnavailable { reason: format!("{left} entries were left: {reason}") })
            }
        }
    }
}

impl Drop for AuditLog {
    fn drop(&mut self) {
        // Whoever wants to know calls `close`; here nobody is left to tell.
        let _ = self.close();
    }
}

impl Record for AuditLog {
    fn append(&self, entry: Entry, durability: Durability) -> PortFuture<'static, Answer> {
        let reply = self.log.append(entry, durability);
        Box::pin(reply.future())
    }

    fn append_detached(&self, entry: Entry) {
        self.log.append_detached(entry);
    }
}

/// What the appending threads and the keeper share.
pub(crate) struct Log {
    state: Mutex<State>,
    /// Something for the keeper to do.
    pub(crate) work: Condvar,
    waiting: Mutex<Waiting>,
    /// Somebody has begun to wait.
    pub(crate) watch: Condvar,
    pub(crate) home: Home,
    pub(crate) pace: Pace,
}

/// Everything that changes. Held for moments only.
pub(crate) struct State {
    queue: VecDeque<Job>,
    detached: usize,
    /// Appends in the queue, in a group that is being written, or in `for_disk`.
    waiters: usize,
    /// Entries that found no room; told in the record before anything else.
    lost: u64,
    /// At home while nobody writes.
    writer: Option<Box<Writer>>,
    /// Written, and waiting for the disk.
    pub(crate) for_disk: Vec<(Reply, Written)>,
    /// The last line that the kernel has.
    pub(crate) tip: Tip,
    /// The last line that the disk has.
    pub(crate) synced: Position,
    /// The latest time that an entry has named.
    latest: Timestamp,
    pub(crate) suspect: Option<String>,
    pub(crate) blocked: Option<String>,
    /// Not before then does the keeper try again.
    pub(crate) retry: Option<Instant>,
    pub(crate) closing: bool,
}

/// Those who may have to be told that it takes too long.
pub(crate) struct Waiting {
    pub(crate) replies: Vec<(Instant, Reply)>,
    pub(crate) closing: bool,
}

struct Job {
    entry: Entry,
    waiter: Option<(Reply, Durability)>,
}

/// Whether the one who writes may also repair, which reads and rewrites whole segments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// An appending thread: short work only.
    Short,
    /// The keeper.
    Long,
}

impl Log {
    fn new(writer: Writer, home: Home, pace: Pace) -> Self {
        let tip = writer.tip().clone();
        let state = State {
            queue: VecDeque::new(),
            detached: 0,
            waiters: 0,
            lost: 0,
            writer: Some(Box::new(writer)),
            for_disk: Vec::new(),
            synced: tip.position,
            tip,
            latest: Timestamp(0),
            suspect: None,
            blocked: None,
            retry: None,
            closing: false,
        };
        let waiting = Waiting { replies: Vec::new(), closing: false };
        Self {
            state: Mutex::new(state),
            work: Condvar::new(),
            waiting: Mutex::new(waiting),
            watch: Condvar::new(),
            home,
            pace,
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn lock_waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn append(&self, entry: Entry, durability: Durability) -> Reply {
        let reply = Reply::new();
        let mut state = self.lock();
        if let Some(refusal) = state.refusal() {
            drop(state);
            reply.settle(Err(refusal));
            return reply;
        }
        state.waiters += 1;
        state.queue.push_back(Job { entry, waiter: Some((reply.clone(), durability)) });
        let writer = state.writer.take();
        drop(state);
        if let Some(writer) = writer {
            self.write(writer, Turn::Short);
        }
        if !reply.is_settled() {
            let mut waiting = self.lock_waiting();
            waiting.replies.push((Instant::now() + self.pace.wait, reply.clone()));
            if waiting.replies.len() == 1 {
                self.watch.notify_one();
            }
        }
        reply
    }

    fn append_detached(&self, entry: Entry) {
        let mut state = self.lock();
        if state.detached >= DETACHED_LIMIT || state.closing {
            state.lost += 1;
            return;
        }
        state.detached += 1;
        state.queue.push_back(Job { entry, waiter: None });
        // Whoever is writing takes it along; only if nobody is, somebody has to be woken.
        if state.writer.is_some() {
            self.work.notify_one();
        }
    }

    /// Writes groups until the queue is empty, the turn is over, or a write fails; then the writer is at home again.
    pub(crate) fn write(&self, mut writer: Box<Writer>, turn: Turn) {
        for _ in 0..GROUPS_PER_TURN {
            let mut state = self.lock();
            if let Some(reason) = &state.suspect {
                writer.suspect(reason);
            }
            let synced = state.synced.place.segment;
            let group = state.take_group();
            if group.is_empty() && !(turn == Turn::Long && writer.needs_repair()) {
                break;
            }
            drop(state);
            let result = write_group(&mut writer, &group, turn, synced);
            if self.settle(&writer, group, turn, result) == Outlook::Blocked {
                break;
            }
        }
        let mut state = self.lock();
        state.writer = Some(writer);
        if state.closing || state.has_queue() || state.suspect.is_some() {
            self.work.notify_one();
        }
    }

    /// Tells everybody of the group what became of it.
    fn settle(&self, writer: &Writer, group: Group, turn: Turn, result: Result<Vec<Placed>, WriteError>) -> Outlook {
        let mut state = self.lock();
        let (outlook, answers) = match result {
            Ok(placed) => {
                state.tip = writer.tip().clone();
                state.blocked = None;
                state.retry = None;
                if turn == Turn::Long {
                    state.suspect = None;
                }
                (Outlook::Good, state.settle_written(group, placed))
            }
            Err(error) => {
                let reason = error.to_string();
                if writer.needs_repair() {
                    state.suspect.get_or_insert_with(|| reason.clone());
                }
                // Only the keeper puts off its next try, or a stream of appends would put it off for ever.
                let next = Instant::now() + self.pace.retry;
                state.retry = if turn == Turn::Long { Some(next) } else { state.retry.or(Some(next)) };
                let answers = state.settle_failed(group, &reason);
                state.blocked = Some(reason);
                (Outlook::Blocked, answers)
            }
        };
        if !state.for_disk.is_empty() || outlook == Outlook::Blocked {
            self.work.notify_one();
        }
        drop(state);
        for (reply, answer) in answers {
            reply.settle(answer);
        }
        outlook
    }

    fn close(&self) {
        self.lock().closing = true;
        self.work.notify_all();
    }
}

/// Whether going on makes sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outlook {
    Good,
    Blocked,
}

/// Entries that are written in one go.
struct Group {
    jobs: Vec<Job>,
    /// How many entries were lost before them.
    lost: u64,
    latest: Timestamp,
}

impl Group {
    const fn is_empty(&self) -> bool {
        self.jobs.is_empty() && self.lost == 0
    }
}

/// The sequence number of an entry, or why it has none.
type Placed = Result<u64, TooManyOpen>;

/// Writes the group: all of it or nothing.
fn write_group(writer: &mut Writer, group: &Group, turn: Turn, synced: u64) -> Result<Vec<Placed>, WriteError> {
    if turn == Turn::Long && writer.needs_repair() {
        writer.repair(synced)?;
    }
    writer.prepare()?;
    if group.lost > 0 {
        let reason = format!("{} entries found no room in the queue", group.lost);
        writer.push_event(&Row { reason: Some(&reason), ..Row::own(group.latest, Phase::Event, "entries-lost") });
    }
    let placed = group.jobs.iter().map(|job| writer.push(&Row::from(&job.entry))).collect();
    writer.commit()?;
    Ok(placed)
}

impl State {
    /// Why no further append may wait.
    fn refusal(&self) -> Option<RecordUnavailable> {
        if self.closing {
            return Some(unavailable("it is closed"));
        }
        let full = "too many entries wait for the disk";
        (self.waiters >= WAITING_LIMIT).then(|| unavailable(self.blocked.as_deref().unwrap_or(full)))
    }

    /// Whether something waits to be written.
    pub(crate) fn has_queue(&self) -> bool {
        !self.queue.is_empty() || self.lost > 0
    }

    /// Takes the writer, if nobody has it.
    pub(crate) const fn take_writer(&mut self) -> Option<Box<Writer>> {
        self.writer.take()
    }

    /// Whether nobody writes.
    pub(crate) const fn is_writer_home(&self) -> bool {
        self.writer.is_some()
    }

    /// Takes `count` waiters off the books.
    pub(crate) const fn dismiss(&mut self, count: usize) {
        self.waiters = self.waiters.saturating_sub(count);
    }

    /// The next group. Whoever was told that it took too long is left out: what was refused is not recorded as done.
    fn take_group(&mut self) -> Group {
        let mut jobs = Vec::new();
        let mut bytes = 0;
        while jobs.len() < GROUP_ENTRIES && bytes < GROUP_BYTES {
            let Some(job) = self.queue.pop_front() else { break };
            match &job.waiter {
                None => self.detached = self.detached.saturating_sub(1),
                Some((reply, _)) if reply.is_settled() => {
                    self.dismiss(1);
                    continue;
                }
                Some(_) => {}
            }
            bytes += weight(&job.entry);
            self.latest = self.latest.max(job.entry.time);
            jobs.push(job);
        }
        Group { jobs, lost: self.lost, latest: self.latest }
    }

    fn settle_written(&mut self, group: Group, placed: Vec<Placed>) -> Vec<(Reply, Answer)> {
        self.lost = self.lost.saturating_sub(group.lost);
        let mut answers = Vec::new();
        for (job, placed) in group.jobs.into_iter().zip(placed) {
            match (job.waiter, placed) {
                (Some((reply, Durability::Disk)), Ok(sequence)) => {
                    self.for_disk.push((reply, Written::assert_written(sequence)));
                }
                (Some((reply, Durability::Kernel)), Ok(sequence)) => {
                    answers.push((reply, Ok(Written::assert_written(sequence))));
                }
                (Some((reply, _)), Err(error)) => answers.push((reply, Err(unavailable(&error.to_string())))),
                (None, Ok(_)) => {}
                (None, Err(_)) => self.lost += 1,
            }
        }
        self.dismiss(answers.len());
        answers
    }

    /// Everybody who waits is told, in the group and behind it; what nobody waits for goes back to the front.
    fn settle_failed(&mut self, group: Group, reason: &str) -> Vec<(Reply, Answer)> {
        let behind = std::mem::take(&mut self.queue);
        let mut answers = Vec::new();
        self.detached = 0;
        for job in group.jobs.into_iter().chain(behind) {
            match job.waiter {
                Some((reply, _)) => answers.push((reply, Err(unavailable(reason)))),
                None => {
                    self.detached += 1;
                    self.queue.push_back(job);
                }
            }
        }
        self.dismiss(answers.len());
        answers
    }
}

/// Roughly the bytes of an entry, so that a group of huge ones is a small group.
fn weight(entry: &Entry) -> usize {
    let texts = [
        &entry.caller,
        &entry.client,
        &entry.session,
        &entry.server,
        &entry.method,
        &entry.target,
        &entry.shape,
        &entry.rule,
        &entry.reason,
    ];
    let own = texts.into_iter().flatten().map(|text| text.len().min(TEXT_LIMIT)).sum::<usize>();
    let findings = entry.findings.iter().take(FINDINGS_LIMIT).map(|finding| finding.place.len().min(TEXT_LIMIT));
    own + findings.sum::<usize>()
}

pub(crate) fn unavailable(reason: &str) -> RecordUnavailable {
    RecordUnavailable { reason: reason.to_owned() }
}
