//! One answer from the writer to one who waits for it: a future that is settled once.
//!
//! Must never: be settled twice; wake anybody under a lock of the log. Written here because a channel crate or a runtime
//! would be a dependency for what is forty lines.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use stockade_core::ports::RecordUnavailable;
use stockade_core::record::Written;

/// What becomes of an append.
pub(crate) type Answer = Result<Written, RecordUnavailable>;

/// The side that answers. Clones are the same answer.
#[derive(Clone)]
pub(crate) struct Reply(Arc<Mutex<Slot>>);

enum Slot {
    Waiting(Option<Waker>),
    Settled(Answer),
}

impl Reply {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(Slot::Waiting(None))))
    }

    /// The future that resolves with the answer.
    pub(crate) fn future(&self) -> Answered {
        Answered(self.clone())
    }

    /// Answers, unless somebody has.
    pub(crate) fn settle(&self, answer: Answer) {
        let mut slot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Slot::Waiting(waker) = &mut *slot else { return };
        let waker = waker.take();
        *slot = Slot::Settled(answer);
        drop(slot);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Whether it has been answered.
    pub(crate) fn is_settled(&self) -> bool {
        matches!(*self.0.lock().unwrap_or_else(PoisonError::into_inner), Slot::Settled(_))
    }
}

/// Resolves once [`Reply::settle`] was called.
pub(crate) struct Answered(Reply);

impl Future for Answered {
    type Output = Answer;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Answer> {
        let mut slot = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *slot {
            Slot::Settled(answer) => Poll::Ready(answer.clone()),
            Slot::Waiting(waker) => {
                match waker {
                    Some(waker) => waker.clone_from(context.waker()),
                    None => *waker = Some(context.waker().clone()),
                }
                Poll::Pending
            }
        }
    }
}
