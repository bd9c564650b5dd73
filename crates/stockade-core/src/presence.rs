//! Who is in the middle of something: the requests in flight, by the identity that began them.
//!
//! For: ending what a caller began when what proved the caller no longer holds (attack case AU-16).
//! Must never: keep more than an entry for each request in flight; outlive the request.

use crate::identity::Identity;
use futures_util::future::{AbortHandle, AbortRegistration};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The requests in flight.
#[derive(Debug, Default)]
pub(crate) struct Presence {
    next: AtomicU64,
    present: Mutex<HashMap<u64, (Identity, AbortHandle)>>,
}

/// One request in flight; it leaves when this is dropped.
#[derive(Debug)]
pub(crate) struct Present {
    presence: Arc<Presence>,
    number: u64,
}

impl Presence {
    fn lock(&self) -> MutexGuard<'_, HashMap<u64, (Identity, AbortHandle)>> {
        self.present.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Enters a request; the registration goes around its work.
    pub(crate) fn enter(self: &Arc<Self>, identity: &Identity) -> (Present, AbortRegistration) {
        let (handle, registration) = AbortHandle::new_pair();
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.lock().insert(number, (identity.clone(), handle));
        (Present { presence: Arc::clone(self), number }, registration)
    }

    /// Stops the work of everybody for whom `stands` is false; returns how many.
    pub(crate) fn end_unless(&self, stands: impl Fn(&Identity) -> bool) -> usize {
        // Asked outside of the lock: answering may take a store's own lock.
        let present: Vec<_> = self.lock().iter().map(|(number, (identity, _))| (*number, identity.clone())).collect();
        let fallen: Vec<_> = present.into_iter().filter(|(_, identity)| !stands(identity)).collect();
        let lock = self.lock();
        let ended = fallen.iter().filter_map(|(number, _)| lock.get(number));
        ended.map(|(_, work)| work.abort()).count()
    }
}

impl Drop for Present {
    fn drop(&mut self) {
        self.presence.lock().remove(&self.number);
    }
}
