//! Deadlines for the client: how long it may think, how long it may take over a head and over a body (attack PA-18).
//!
//! Time runs only while we wait for the client. A server that is slow to read costs the client nothing.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep_until};

use super::{Http1Limits, framing::Stage, violation::Part};

/// What the client took too long over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expired {
    /// It asked for nothing. Not a violation.
    Idle,
    Slow(Part),
}

#[derive(Debug, Clone, Copy)]
enum Phase {
    /// No request byte yet; `head_due` is set while the time for the first head runs from the connection's start.
    Idle {
        due: Instant,
        head_due: Option<Instant>,
    },
    Head {
        due: Instant,
    },
    Body {
        due: Instant,
        window_due: Instant,
        window_bytes: usize,
    },
    /// It is our turn.
    Ours,
}

#[derive(Debug)]
pub(super) struct Pace {
    limits: Http1Limits,
    phase: Phase,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Pace {
    /// Starts the time of the first head.
    pub(super) fn start(limits: Http1Limits) -> Self {
        let due = deadline(limits.head_deadline);
        Self { limits, phase: Phase::Idle { due, head_due: Some(due) }, sleep: None }
    }

    /// Takes note that `arrived` new bytes brought the request to `stage`.
    pub(super) fn arrived(&mut self, stage: Stage, arrived: usize) {
        self.phase = match (stage, self.phase) {
            (Stage::Head, Phase::Idle { head_due, .. }) => {
                Phase::Head { due: head_due.unwrap_or_else(|| deadline(self.limits.head_deadline)) }
            }
            (Stage::Head, Phase::Ours) => Phase::Head { due: deadline(self.limits.head_deadline) },
            (Stage::Head, phase) => phase,
            (Stage::Body, Phase::Body { due, window_due, window_bytes }) => {
                Phase::Body { due, window_due, window_bytes: window_bytes.saturating_add(arrived) }
            }
            (Stage::Body, _) => Phase::Body {
                due: deadline(self.limits.body_deadline),
                window_due: deadline(self.limits.body_window),
                window_bytes: 0,
            },
            (Stage::Complete, _) => Phase::Ours,
        };
    }

    /// The request is whole and answered: the client's time until the next one runs, if it does not already.
    pub(super) fn our_turn_is_over(&mut self) {
        if matches!(self.phase, Phase::Ours) {
            self.phase = Phase::Idle { due: deadline(self.limits.idle_deadline), head_due: None };
        }
    }

    /// Ready once the client was too slow. Registers the task for that moment otherwise.
    pub(super) fn poll_expired(&mut self, context: &mut Context<'_>) -> Poll<Expired> {
        match self.phase {
            Phase::Ours => Poll::Pending,
            Phase::Idle { due, .. } => self.poll_until(context, due).map(|()| Expired::Idle),
            Phase::Head { due } => self.poll_until(context, due).map(|()| Expired::Slow(Part::Head)),
            Phase::Body { due, window_due, window_bytes } => {
                ready!(self.poll_until(context, due.min(window_due)));
                let slow = Poll::Ready(Expired::Slow(Part::Body));
                if due <= window_due || window_bytes < self.limits.body_window_bytes {
                    return slow;
                }
                let window_due = deadline(self.limits.body_window);
                self.phase = Phase::Body { due, window_due, window_bytes: 0 };
                if self.poll_until(context, due.min(window_due)).is_ready() { slow } else { Poll::Pending }
            }
        }
    }

    /// Ready at `due`. The timer is moved only when it would ring too late: most requests never touch it.
    pub(super) fn poll_until(&mut self, context: &mut Context<'_>, due: Instant) -> Poll<()> {
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(due)));
        if sleep.deadline() > due {
            sleep.as_mut().reset(due);
        }
        ready!(sleep.as_mut().poll(context));
        if sleep.deadline() >= due {
            return Poll::Ready(());
        }
        sleep.as_mut().reset(due);
        sleep.as_mut().poll(context)
    }
}

/// `after` from now; a time too far to name is as good as a century.
pub(super) fn deadline(after: Duration) -> Instant {
    const CENTURY: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);
    Instant::now() + after.min(CENTURY)
}
