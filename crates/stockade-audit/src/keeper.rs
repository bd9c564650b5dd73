//! The two threads of the log. The keeper does what appending threads must not: it waits for the disk, writes what was handed
//! over without a waiter, keeps `head.json` fresh, repairs, retries, and closes. The watcher tells those who wait that it
//! takes too long; it is a thread of its own because the keeper may be stuck in the very operation that takes too long.
//!
//! Must never: let the watcher touch a file; wake up while there is nothing to do.

use crate::head::Closing;
use crate::log::{Log, State, Turn, unavailable};
use crate::walk::Position;
use crate::writer::{Writer, write_head};
use std::io;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Instant;

/// Starts both.
pub(crate) fn start(log: &Arc<Log>) -> io::Result<Vec<JoinHandle<()>>> {
    let watched = Arc::clone(log);
    let watcher = Builder::new().name("audit-watcher".to_owned()).spawn(move || watch(&watched))?;
    let kept = Arc::clone(log);
    let keeper = Builder::new().name("audit-keeper".to_owned()).spawn(move || Keeper::new(&kept).keep());
    if keeper.is_err() {
        end_watch(log);
    }
    Ok(vec![keeper?, watcher])
}

struct Keeper<'l> {
    log: &'l Log,
    /// What `head.json` says.
    head: Position,
    head_due: Instant,
}

/// What the keeper has found to do.
struct Chore {
    writer: Option<Box<Writer>>,
    sync: bool,
    head: bool,
}

impl<'l> Keeper<'l> {
    fn new(log: &'l Log) -> Self {
        let head = log.lock().synced;
        Self { log, head, head_due: Instant::now() }
    }

    fn keep(&mut self) {
        while let Some(chore) = self.wait() {
            if let Some(writer) = chore.writer {
                self.log.write(writer, Turn::Long);
            }
            if chore.sync || chore.head {
                self.sync();
            }
            if chore.head {
                self.refresh_head(Closing::Open);
            }
        }
        self.close();
        end_watch(self.log);
    }

    /// Sleeps until there is something to do; nothing once the log closes.
    fn wait(&mut self) -> Option<Chore> {
        let log = self.log;
        let mut state = log.lock();
        loop {
            if state.closing {
                return None;
            }
            let now = Instant::now();
            let may_try = state.retry.is_none_or(|retry| retry <= now);
            let to_write = may_try && (state.has_queue() || state.suspect.is_some());
            let writer = if to_write { state.take_writer() } else { None };
            let head = state.tip.position != self.head && self.head_due <= now;
            let sync = !state.for_disk.is_empty();
            if writer.is_some() || head || sync {
                if writer.is_some() {
                    state.retry = None;
                }
                return Some(Chore { writer, sync, head });
            }
            state = self.sleep(state, now);
        }
    }

    fn sleep<'s>(&self, state: MutexGuard<'s, State>, now: Instant) -> MutexGuard<'s, State>
    where
        'l: 's,
    {
        let retry = state.retry.filter(|retry| *retry > now && (state.has_queue() || state.suspect.is_some()));
        let head = (state.tip.position != self.head).then_some(self.head_due);
        match [retry, head].into_iter().flatten().min() {
            Some(until) => {
                let timeout = until.saturating_duration_since(now);
                self.log.work.wait_timeout(state, timeout).unwrap_or_else(PoisonError::into_inner).0
            }
            None => self.log.work.wait(state).unwrap_or_else(PoisonError::into_inner),
        }
    }

    /// Waits for the disk once, for everybody who wants it.
    fn sync(&self) {
        let mut state = self.log.lock();
        let replies = std::mem::take(&mut state.for_disk);
        let tip = state.tip.clone();
        let suspect = state.suspect.clone();
        drop(state);
        // Once `fdatasync` has failed, its next success says nothing about what it has dropped.
        let result = match suspect {
            Some(reason) => Err(reason),
            None => self.log.home.files.sync(&tip.file).map_err(|error| format!("the disk failed the record: {error}")),
        };
        let mut state = self.log.lock();
        state.dismiss(replies.len());
        match &result {
            Ok(()) => state.synced = tip.position,
            Err(reason) => {
                state.suspect = Some(reason.clone());
                state.blocked = Some(reason.clone());
                state.retry = Some(Instant::now() + self.log.pace.retry);
            }
        }
        drop(state);
        for (reply, written) in replies {
            reply.settle(result.as_ref().map(|()| written).map_err(|reason| unavailable(reason)));
        }
    }

    /// Brings `head.json` up to what the disk has. If it cannot be written, the older one stays true, and it is tried again.
    fn refresh_head(&mut self, closing: Closing) -> Option<()> {
        self.head_due = Instant::now() + self.log.pace.head;
        let synced = self.log.lock().synced;
        if synced != self.head || closing == Closing::Closed {
            write_head(&self.log.home, synced, closing).ok()?;
            self.head = synced;
        }
        Some(())
    }

    /// Writes what is left, waits for the disk, and marks the record as closed if nothing is missing.
    fn close(&mut self) {
        let Some(writer) = self.wait_for_writer() else {
            self.log.lock().blocked = Some("the disk does not answer in time".to_owned());
            return;
        };
        self.log.write(writer, Turn::Long);
        loop {
            let mut state = self.log.lock();
            if !state.has_queue() || state.blocked.is_some() {
                break;
            }
            let Some(writer) = state.take_writer() else { break };
            drop(state);
            self.log.write(writer, Turn::Long);
        }
        self.sync();
        let state = self.log.lock();
        let complete = state.blocked.is_none() && state.tip.position == state.synced;
        drop(state);
        if complete && self.refresh_head(Closing::Closed).is_none() {
            self.log.lock().blocked = Some("`head.json` cannot be written".to_owned());
        }
    }

    /// The writer, as soon as the thread that has it has ended its turn.
    fn wait_for_writer(&self) -> Option<Box<Writer>> {
        let until = Instant::now() + self.log.pace.wait;
        let mut state = self.log.lock();
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if state.is_writer_home() || left.is_zero() {
                return state.take_writer();
            }
            state = self.log.work.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// Settles what takes too long.
fn watch(log: &Log) {
    let mut waiting = log.lock_waiting();
    while !waiting.closing {
        if waiting.replies.is_empty() {
            waiting = log.watch.wait(waiting).unwrap_or_else(PoisonError::into_inner);
            continue;
        }
        waiting = log.watch.wait_timeout(waiting, log.pace.look).unwrap_or_else(PoisonError::into_inner).0;
        let now = Instant::now();
        let mut late = Vec::new();
        waiting.replies.retain(|(until, reply)| {
            let waits = !reply.is_settled();
            if waits && *until <= now {
                late.push(reply.clone());
            }
            waits && *until > now
        });
        drop(waiting);
        for reply in late {
            reply.settle(Err(unavailable("the disk does not answer in time")));
        }
        waiting = log.lock_waiting();
    }
    for (_, reply) in waiting.replies.drain(..) {
        reply.settle(Err(unavailable("it is closed")));
    }
}

fn end_watch(log: &Log) {
    log.lock_waiting().closing = true;
    log.watch.notify_all();
}
