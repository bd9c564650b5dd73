//! The keys of one issuer as they are now: fetched ahead of time, by one at a time, kept for a while when the issuer is
//! down, and not longer.
//!
//! For: many requests that ask at once, of which none may make us ask the issuer more often than its interval.
//! Must never: use keys older than their limit; let who sends tokens decide how often an issuer is asked; stop refreshing
//! because the one who made us ask went away. So [`KeySource::keep`] does all the fetching, in a task with an owner.

use crate::discovery::{self, DocumentError};
use crate::key_set::{KEY_SET_BYTES, KeySet, KeySetError};
use crate::ports::Fetch;
use crate::settings::KeyLocation;
use arc_swap::ArcSwapOption;
use futures_channel::oneshot;
use futures_util::future::{Either, select};
use futures_util::task::AtomicWaker;
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;
use stockade_core::identity::IdentityError;
use stockade_core::ports::{Clock, Moment};

/// The longest that a new set takes, discovery and keys together.
const FETCH_DEADLINE: Duration = Duration::from_secs(10);
/// The longest that a request waits for one.
const WAIT_DEADLINE: Duration = Duration::from_secs(12);
/// Requests that wait for one set at the same time.
const WAITING: usize = 4096;
/// How long the place of the keys is believed before the issuer's metadata is read again.
const PLACE_LIFE: Duration = Duration::from_secs(3600);
/// The wait after the first failure; it doubles up to the interval.
const FIRST_RETRY: Duration = Duration::from_secs(1);

/// How often an issuer is asked, and how long it may be silent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// Between two times that a token made us ask.
    pub(crate) interval: Duration,
    /// Between two times that we ask by ourselves, at most: so long may a withdrawn key still count.
    pub(crate) period: Duration,
    /// How old keys may be that are used while the issuer is down.
    pub(crate) max_stale: Duration,
}

/// A set, and since when it is known to be right.
#[derive(Debug)]
pub(crate) struct Current {
    pub(crate) set: KeySet,
    /// Changes whenever the set does.
    pub(crate) generation: u64,
    /// When it was asked for.
    confirmed: Moment,
}

#[derive(Debug, thiserror::Error)]
enum RefreshError {
    #[error(transparent)]
    Document(DocumentError),
    #[error("`{url}`: {cause}")]
    KeySet {
        url: String,
        #[source]
        cause: KeySetError,
    },
    #[error("no whole answer within {} s", FETCH_DEADLINE.as_secs())]
    TimedOut,
}

#[derive(Debug, Default)]
struct State {
    /// When a refresh was last begun.
    begun: Option<Moment>,
    is_busy: bool,
    is_wanted: bool,
    due: Duration,
    failures: u32,
    /// Why the last one failed.
    problem: Option<String>,
    waiting: Vec<oneshot::Sender<()>>,
    /// Where the keys are, and when that was learnt.
    place: Option<(String, Moment)>,
    generations: u64,
}

/// The keys of one issuer.
pub(crate) struct KeySource {
    issuer: String,
    location: KeyLocation,
    fetch: Arc<dyn Fetch>,
    clock: Arc<dyn Clock>,
    pace: Pace,
    current: ArcSwapOption<Current>,
    state: Mutex<State>,
    bell: Bell,
}

impl std::fmt::Debug for KeySource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "KeySource({})", self.issuer)
    }
}

impl KeySource {
    pub(crate) fn new(
        issuer: String,
        location: KeyLocation,
        fetch: Arc<dyn Fetch>,
        clock: Arc<dyn Clock>,
        pace: Pace,
    ) -> Self {
        let (state, bell) = (Mutex::default(), Bell::default());
        Self { issuer, location, fetch, clock, pace, current: ArcSwapOption::empty(), state, bell }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The keys, if they are fresh enough to be used.
    pub(crate) fn fresh(&self) -> Result<Arc<Current>, IdentityError> {
        let current = self.current.load_full();
        let now = self.clock.moment();
        let is_fresh = |current: &Arc<Current>| now.0.saturating_sub(current.confirmed.0) <= self.pace.max_stale;
        current.filter(is_fresh).ok_or_else(|| {
            let problem = self.lock().problem.clone();
            let problem = problem.unwrap_or_else(|| "they have not been fetched yet".to_owned());
            IdentityError::Unavailable { reason: format!("the keys of `{}`: {problem}", self.issuer) }
        })
    }

    /// Waits for a newer set than what is there, if the issuer may be asked now; returns at once if not.
    pub(crate) async fn renew(&self) {
        let Some(done) = self.want() else { return };
        self.bell.ring();
        let until = Moment(self.clock.moment().0.saturating_add(WAIT_DEADLINE));
        // Whichever comes first; who waits looks at what is there then.
        match select(done, self.clock.sleep_until(until)).await {
            Either::Left(_) | Either::Right(_) => {}
        }
    }

    /// Asks for a refresh, or for the end of the one that runs. Nothing if neither may be had.
    fn want(&self) -> Option<oneshot::Receiver<()>> {
        let now = self.clock.moment();
        let mut state = self.lock();
        let may_ask = state.begun.is_none_or(|begun| now.0 >= begun.0.saturating_add(self.pause(&state)));
        if !(state.is_busy || state.is_wanted || may_ask) {
            return None;
        }
        // Those who no longer wait make room.
        if state.waiting.len() >= WAITING {
            state.waiting.retain(|waiting| !waiting.is_canceled());
        }
        if state.waiting.len() >= WAITING {
            return None;
        }
        state.is_wanted |= !state.is_busy;
        let (sender, receiver) = oneshot::channel();
        state.waiting.push(sender);
        Some(receiver)
    }

    /// How long after the last refresh a token may cause another one: the interval, less while the issuer fails.
    fn pause(&self, state: &State) -> Duration {
        match state.failures {
            0 => self.pace.interval,
            failures => FIRST_RETRY.saturating_mul(1 << failures.min(10).saturating_sub(1)).min(self.pace.interval),
        }
    }

    /// Keeps the keys fresh. Never ends; whoever runs it owns all the fetching of this issuer.
    pub(crate) async fn keep(&self) {
        loop {
            let due = {
                let state = self.lock();
                if state.is_wanted { Duration::ZERO } else { state.due }
            };
            if self.clock.moment().0 >= due {
                self.refresh().await;
                continue;
            }
            match select(self.clock.sleep_until(Moment(due)), std::pin::pin!(self.bell.heard())).await {
                Either::Left(_) | Either::Right(_) => {}
            }
        }
    }

    async fn refresh(&self) {
        let begun = self.clock.moment();
        let place = {
            let mut state = self.lock();
            state.begun = Some(begun);
            state.is_busy = true;
            state.is_wanted = false;
            state.place.clone().filter(|(_, learnt)| begun.0.saturating_sub(learnt.0) < PLACE_LIFE)
        };
        let _busy = Busy(self);
        let end = Moment(begun.0.saturating_add(FETCH_DEADLINE));
        let fetching = std::pin::pin!(self.fetch_set(place.map(|(url, _)| url)));
        let fetched = match select(fetching, self.clock.sleep_until(end)).await {
            Either::Left((fetched, _)) => fetched,
            Either::Right(_) => Err(RefreshError::TimedOut),
        };
        let waiting = self.settle(begun, fetched);
        // Those who no longer wait do not want to know.
        waiting.into_iter().for_each(|waiting| waiting.send(()).unwrap_or_default());
    }

    async fn fetch_set(&self, place: Option<String>) -> Result<(String, KeySet, Option<Duration>), RefreshError> {
        let url = match (&self.location, place) {
            (KeyLocation::Address(url), _) => url.clone(),
            (KeyLocation::Discovery, Some(url)) => url,
            (KeyLocation::Discovery, None) => {
                discovery::keys_of(&*self.fetch, &self.issuer).await.map_err(RefreshError::Document)?
            }
        };
        let fetched = discovery::document(&*self.fetch, &url, KEY_SET_BYTES).await.map_err(RefreshError::Document)?;
        let max_age = fetched.max_age;
        let set = KeySet::read(fetched.body).map_err(|cause| RefreshError::KeySet { url: url.clone(), cause })?;
        Ok((url, set, max_age))
    }

    /// Takes the outcome in and says who waited for it.
    fn settle(
        &self,
        begun: Moment,
        fetched: Result<(String, KeySet, Option<Duration>), RefreshError>,
    ) -> Vec<oneshot::Sender<()>> {
        let mut state = self.lock();
        match fetched {
            Ok((url, set, max_age)) => {
                state.failures = 0;
                state.problem = None;
                // A long `max-age` does not make a withdrawn key live longer than the period.
                let period = max_age.unwrap_or(self.pace.period).min(self.pace.period).max(self.pace.interval);
                state.due = begun.0.saturating_add(period);
                if state.place.as_ref().is_none_or(|(place, _)| *place != url) {
                    state.place = Some((url, begun));
                }
                let before = self.current.load_full();
                let is_same = before.as_ref().is_some_and(|before| before.set.is_same(&set));
                if !is_same {
                    state.generations = state.generations.wrapping_add(1);
                }
                let generation = state.generations;
                self.current.store(Some(Arc::new(Current { set, generation, confirmed: begun })));
            }
            Err(error) => {
                state.failures = state.failures.saturating_add(1);
                state.problem = Some(error.to_string());
                state.due = begun.0.saturating_add(self.pause(&state));
                // The keys may have moved.
                state.place = None;
            }
        }
        std::mem::take(&mut state.waiting)
    }
}

/// A refresh under way; also one that was given up with the task that ran it.
struct Busy<'s>(&'s KeySource);

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.lock().is_busy = false;
    }
}

/// Wakes the one who keeps the keys.
#[derive(Debug, Default)]
struct Bell {
    is_rung: AtomicBool,
    waker: AtomicWaker,
}

impl Bell {
    fn ring(&self) {
        self.is_rung.store(true, Ordering::Release);
        self.waker.wake();
    }

    /// Ends once it was rung since it was last heard.
    async fn heard(&self) {
        poll_fn(|context| {
            self.waker.register(context.waker());
            if self.is_rung.swap(false, Ordering::AcqRel) { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}
