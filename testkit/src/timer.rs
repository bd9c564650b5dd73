//! Does things later, on one thread, so that a thousand delayed answers are not a thousand threads.

use std::collections::BTreeMap;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

type Job = Box<dyn FnOnce() + Send>;

/// How long the thread sleeps when nothing is planned.
const IDLE: Duration = Duration::from_secs(3600);

/// One thread with a plan. Jobs run one after the other, in the order of their time.
#[derive(Debug)]
pub(crate) struct Timer {
    plan: Option<Sender<(Instant, Job)>>,
    thread: Option<JoinHandle<()>>,
}

impl Timer {
    pub(crate) fn start() -> Self {
        let (plan, planned) = channel::<(Instant, Job)>();
        let thread = std::thread::spawn(move || {
            let mut waiting: BTreeMap<(Instant, u64), Job> = BTreeMap::new();
            let mut number = 0_u64;
            loop {
                let pause = waiting
                    .first_key_value()
                    .map_or(IDLE, |((due, _), _)| due.saturating_duration_since(Instant::now()));
                match planned.recv_timeout(pause) {
                    Ok((due, job)) => {
                        number += 1;
                        waiting.insert((due, number), job);
                    }
                    Err(RecvTimeoutError::Timeout) => {
                        if let Some((_, job)) = waiting.pop_first() {
                            job();
                        }
                    }
                    Err(RecvTimeoutError::Disconnected) => return,
                }
            }
        });
        Self { plan: Some(plan), thread: Some(thread) }
    }

    pub(crate) fn after(&self, delay: Duration, job: impl FnOnce() + Send + 'static) {
        if let Some(plan) = &self.plan {
            drop(plan.send((Instant::now() + delay, Box::new(job))));
        }
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.plan = None;
        // The last owner may be a job on the timer's own thread, which cannot wait for itself.
        if let Some(thread) = self.thread.take().filter(|thread| thread.thread().id() != std::thread::current().id()) {
            drop(thread.join());
        }
    }
}
