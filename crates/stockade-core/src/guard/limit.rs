//! Guard 6, `limit`.
//!
//! Proves: the caller is within their budget of calls, messages and things in flight.
//! Refuses when: one more would be over. Exactly: no window of the stated length ever holds more than the stated number
//! of forwarded calls, which a refilling bucket cannot promise.
//! Source: guide "Rate limit exceeded"; requirements; attack cases RX-01, RX-03.

use super::consent::Consented;
use super::validate::Message;
use crate::mcp::{CountedAs, Method};
use crate::ports::{Catalogue, Clock, Moment, Treatment};
use crate::refusal::{Refusal, Refused};
use crate::words::{CallerName, ServerName};
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The budgets of one caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitSettings {
    /// Calls in any window of [`Limiter::WINDOW`].
    pub calls_per_minute: u32,
    /// Other messages in any such window: handshakes, lists, notifications, answers.
    pub messages_per_minute: u32,
    /// Requests in flight at once.
    pub in_flight: u32,
    /// Streams that live on (`subscriptions/listen`) at once.
    pub streams: u32,
}

impl Default for LimitSettings {
    /// 100 calls as in the guide, 600 other messages, 64 in flight, 16 streams.
    fn default() -> Self {
        Self { calls_per_minute: 100, messages_per_minute: 600, in_flight: 64, streams: 16 }
    }
}

/// A sliding window. It counts in slices of 10 ms and takes a slice for full until all of it has left the window, so that
/// it errs towards fewer and keeps at most 6,001 slices whatever the limit.
#[derive(Debug, Default)]
struct Window {
    slices: VecDeque<(u64, u32)>,
    total: u64,
}

impl Window {
    const SLICE_MS: u64 = 10;
    const SLICES: u64 = 60_000 / Self::SLICE_MS;

    const fn slice(now: Moment) -> u64 {
        (now.0.as_millis() as u64) / Self::SLICE_MS
    }

    fn forget(&mut self, now: u64) {
        while let Some((slice, count)) = self.slices.front().copied() {
            if slice + Self::SLICES >= now {
                break;
            }
            self.total -= u64::from(count);
            self.slices.pop_front();
        }
    }

    fn take(&mut self, now: Moment, limit: u32) -> Result<u64, Duration> {
        let slice = Self::slice(now);
        self.forget(slice);
        if self.total >= u64::from(limit) {
            return Err(self.retry_after(now, limit));
        }
        self.add(slice);
        Ok(slice)
    }

    fn add(&mut self, slice: u64) {
        self.total += 1;
        match self.slices.back_mut() {
            Some((last, count)) if *last == slice => *count += 1,
            _ => self.slices.push_back((slice, 1)),
        }
    }

    /// Moves one that was taken in `slice` to `now`, when it really goes out.
    fn restamp(&mut self, slice: u64, now: Moment) {
        let current = Self::slice(now);
        if current <= slice {
            return;
        }
        self.forget(current);
        if let Ok(position) = self.slices.binary_search_by_key(&slice, |(there, _)| *there)
            && let Some((_, count)) = self.slices.get_mut(position)
            && *count > 0
        {
            *count -= 1;
            self.total -= 1;
            self.add(current);
        }
    }

    /// How long until enough slices have left the window for one more.
    fn retry_after(&self, now: Moment, limit: u32) -> Duration {
        let mut surplus = (self.total + 1).saturating_sub(u64::from(limit));
        for (slice, count) in &self.slices {
            if surplus <= u64::from(*count) {
                let free_at = Duration::from_millis((slice + Self::SLICES + 1) * Self::SLICE_MS);
                return free_at.saturating_sub(now.0);
            }
            surplus -= u64::from(*count);
        }
        Limiter::WINDOW
    }
}

#[derive(Debug, Default)]
struct Budget {
    calls: Window,
    messages: Window,
    in_flight: u32,
    streams: u32,
}

/// The budgets of all callers. One bucket a caller, however many sessions, addresses or versions they use (RX-03).
#[derive(Debug)]
pub struct Limiter {
    settings: LimitSettings,
    budgets: Mutex<HashMap<CallerName, Budget>>,
}

impl Limiter {
    /// The length of the window.
    pub const WINDOW: Duration = Duration::from_secs(60);
    /// Callers that are kept track of; those without anything in their windows make room first.
    pub const CALLERS: usize = 100_000;

    /// A limiter with nothing used yet.
    #[must_use]
    pub fn new(settings: LimitSettings) -> Self {
        Self { settings, budgets: Mutex::new(HashMap::new()) }
    }

    fn with<T>(&self, caller: &CallerName, now: Moment, work: impl FnOnce(&mut Budget) -> T) -> Option<T> {
        let mut budgets = self.budgets.lock().unwrap_or_else(PoisonError::into_inner);
        if !budgets.contains_key(caller) {
            if budgets.len() >= Self::CALLERS {
                let slice = Window::slice(now);
                budgets.retain(|_, budget| {
                    budget.calls.forget(slice);
                    budget.messages.forget(slice);
                    budget.calls.total + budget.messages.total + u64::from(budget.in_flight + budget.streams) > 0
                });
            }
            if budgets.len() >= Self::CALLERS {
                return None;
            }
            budgets.insert(caller.clone(), Budget::default());
        }
        budgets.get_mut(caller).map(work)
    }

    fn take(&self, caller: &CallerName, now: Moment, class: Class) -> Result<u64, Refused> {
        let settings = self.settings;
        let limited = |what: &str, limit: u32, retry_after| {
            Refused::by("limit", Refusal::RateLimited { retry_after }, format!("over {limit} {what}"))
        };
        let result = self.with(caller, now, |budget| {
            let (used, most, what) = match class {
                Class::Call | Class::Other => (budget.in_flight, settings.in_flight, "requests in flight"),
                Class::Stream => (budget.streams, settings.streams, "streams"),
                Class::Message => (0, 1, ""),
            };
            if used >= most {
                return Err(limited(what, most, Duration::from_secs(1)));
            }
            let taken = match class {
                Class::Call | Class::Stream => budget
                    .calls
                    .take(now, settings.calls_per_minute)
                    .map_err(|retry| limited("calls a minute", settings.calls_per_minute, retry)),
                Class::Other | Class::Message => budget
                    .messages
                    .take(now, settings.messages_per_minute)
                    .map_err(|retry| limited("messages a minute", settings.messages_per_minute, retry)),
            }?;
            match class {
                Class::Call | Class::Other => budget.in_flight += 1,
                Class::Stream => budget.streams += 1,
                Class::Message => {}
            }
            Ok(taken)
        });
        result
            .unwrap_or_else(|| Err(limited("callers", u32::try_from(Self::CALLERS).unwrap_or(u32::MAX), Self::WINDOW)))
    }
}

/// How many entries about each server's misdeeds the record takes.
#[derive(Debug, Default)]
pub(crate) struct Notes(Mutex<HashMap<ServerName, Window>>);

impl Notes {
    /// True while there is room in this server's window. Servers are those of the configuration, so the table is bounded.
    pub(crate) fn take(&self, server: &ServerName, now: Moment) -> bool {
        let mut windows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let limit = crate::pipeline::Road::NOTES_PER_MINUTE;
        windows.entry(server.clone()).or_default().take(now, limit).is_ok()
    }
}

/// What a message draws from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Call,
    Other,
    Stream,
    Message,
}

/// A place among the things in flight, given back when it is dropped.
#[derive(Debug)]
struct Slot {
    limiter: Arc<Limiter>,
    caller: CallerName,
    class: Class,
    taken: u64,
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut budgets = self.limiter.budgets.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(budget) = budgets.get_mut(&self.caller) {
            match self.class {
                Class::Call | Class::Other => budget.in_flight = budget.in_flight.saturating_sub(1),
                Class::Stream => budget.streams = budget.streams.saturating_sub(1),
                Class::Message => {}
            }
        }
    }
}

/// Having one tells you: the caller's budget has room for this, and the room is taken.
#[derive(Debug)]
pub struct Admitted {
    pub(super) consented: Consented,
    slot: Slot,
}

impl Admitted {
    pub(super) fn treatment(&self, catalogue: &dyn Catalogue) -> Treatment {
        self.consented.authorised.treatment(catalogue)
    }

    pub(super) const fn is_stream(&self) -> bool {
        matches!(self.slot.class, Class::Stream)
    }

    /// Counts the call at the moment when it is forwarded, not when it was admitted: writing the intent takes time.
    pub(super) fn stamp(&self, now: Moment) {
        let slot = &self.slot;
        let class = slot.class;
        let _ = slot.limiter.with(&slot.caller, now, |budget| match class {
            Class::Call | Class::Stream => budget.calls.restamp(slot.taken, now),
            Class::Other | Class::Message => budget.messages.restamp(slot.taken, now),
        });
    }
}

/// Takes room in the caller's budget.
///
/// # Errors
/// [`Refusal::RateLimited`] with the time after which there is room again.
pub fn admit(limiter: &Arc<Limiter>, consented: Consented, clock: &dyn Clock) -> Result<Admitted, Refused> {
    let validated = &consented.authorised.validated;
    let class = match (&validated.message, validated.method) {
        (Message::Notification | Message::Answer(..), _) => Class::Message,
        (Message::Request(_), Method::SubscriptionsListen) => Class::Stream,
        (Message::Request(_), method) if method.facts().counted_as == CountedAs::Call => Class::Call,
        (Message::Request(_), _) => Class::Other,
    };
    let caller = validated.identity.caller.name.clone();
    let taken = limiter.take(&caller, clock.moment(), class)?;
    let slot = Slot { limiter: Arc::clone(limiter), caller, class, taken };
    Ok(Admitted { consented, slot })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(ms: u64) -> Moment {
        Moment(Duration::from_millis(ms))
    }

    #[test]
    fn the_call_over_the_limit_is_refused_and_told_when_to_come_back() {
        let mut window = Window::default();
        for call in 0..100 {
            assert!(window.take(at(1_000 + call), 100).is_ok());
        }
        let retry = window.take(at(1_200), 100).unwrap_err();
        assert!(window.take(at(1_200 + retry.as_millis() as u64 - 10), 100).is_err());
        assert!(window.take(at(1_200 + retry.as_millis() as u64), 100).is_ok());
        assert!((59_800..=59_830).contains(&retry.as_millis()), "{retry:?}");
    }

    #[test]
    fn a_limit_of_nothing_lets_nothing_through() {
        assert!(Window::default().take(at(0), 0).is_err());
    }

    #[test]
    fn a_late_start_counts_from_then() {
        let mut window = Window::default();
        let taken = window.take(at(0), 1).unwrap();
        window.restamp(taken, at(5_000));
        assert!(window.take(at(60_500), 1).is_err());
        assert!(window.take(at(65_020), 1).is_ok());
    }

    #[test]
    fn callers_do_not_share_and_slots_come_back() {
        let limiter = Arc::new(Limiter::new(LimitSettings { in_flight: 1, ..LimitSettings::default() }));
        let (alice, bob) = (CallerName::parse("alice").unwrap(), CallerName::parse("bob").unwrap());
        let taken = limiter.take(&alice, at(0), Class::Call).unwrap();
        let slot = Slot { limiter: Arc::clone(&limiter), caller: alice.clone(), class: Class::Call, taken };
        assert!(limiter.take(&alice, at(1), Class::Call).unwrap_err().reason.contains("in flight"));
        assert!(limiter.take(&bob, at(1), Class::Call).is_ok());
        drop(slot);
        assert!(limiter.take(&alice, at(2), Class::Call).is_ok());
    }

    proptest! {
        #[test]
        fn no_window_ever_holds_more_than_the_limit(gaps in prop::collection::vec((0_u64..2_000, 0_u64..300), 1..400), limit in 1_u32..20) {
            let mut window = Window::default();
            let (mut now, mut sent) = (0, Vec::new());
            for (gap, delay) in gaps {
                now += gap;
                if let Ok(taken) = window.take(at(now), limit) {
                    now += delay;
                    window.restamp(taken, at(now));
                    sent.push(now);
                }
            }
            for (index, start) in sent.iter().enumerate() {
                let within = sent[index..].iter().take_while(|time| **time < start + 60_000).count();
                prop_assert!(within <= limit as usize);
            }
        }
    }
}
