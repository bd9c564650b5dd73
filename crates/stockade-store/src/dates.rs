//! What day it is, told so that a clock that is set back brings nothing back.
//!
//! Expiry is a date, and dates come from a clock that people and programs can set. Since the start the monotonic clock counts
//! too, and of the two answers the one counts that denies: the later one for what ends, the earlier one for what forbids
//! until then. A clock that was wrongly set forward does its harm only until it is set right.
//!
//! Must never: read a clock of its own; remember a time beyond the end of the process.

use std::sync::Arc;
use std::time::Duration;
use stockade_core::ports::{Clock, Timestamp};

/// The dates of one process.
pub(crate) struct Dates {
    clock: Arc<dyn Clock>,
    started: Timestamp,
    started_moment: Duration,
}

impl Dates {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        let (started, started_moment) = (clock.wall(), clock.moment().0);
        Self { clock, started, started_moment }
    }

    /// The monotonic clock, for measuring how old something is.
    pub(crate) fn moment(&self) -> Duration {
        self.clock.moment().0
    }

    /// The latest that it may be: what ends is over by then.
    pub(crate) fn latest(&self) -> Timestamp {
        self.clock.wall().max(self.counted())
    }

    /// The earliest that it may be: what forbids until some time still does.
    pub(crate) fn earliest(&self) -> Timestamp {
        self.clock.wall().min(self.counted())
    }

    /// The start, and the time that has been counted since.
    fn counted(&self) -> Timestamp {
        after(self.started, self.clock.moment().0.saturating_sub(self.started_moment))
    }
}

/// `span` after `time`; the end of time if that is beyond it (2262).
pub(crate) fn after(time: Timestamp, span: Duration) -> Timestamp {
    Timestamp(time.0.saturating_add(i64::try_from(span.as_nanos()).unwrap_or(i64::MAX)))
}

/// `span` before `time`.
pub(crate) fn before(time: Timestamp, span: Duration) -> Timestamp {
    Timestamp(time.0.saturating_sub(i64::try_from(span.as_nanos()).unwrap_or(i64::MAX)))
}

/// How long `later` is after `earlier`; nothing if it is not.
pub(crate) fn between(earlier: Timestamp, later: Timestamp) -> Duration {
    Duration::from_nanos(u64::try_from(later.0.saturating_sub(earlier.0)).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;
    use stockade_core::ports::{Moment, PortFuture};

    struct SetClock(Mutex<(i64, u64)>);

    impl Clock for SetClock {
        fn wall(&self) -> Timestamp {
            Timestamp(self.0.lock().unwrap().0)
        }
        fn moment(&self) -> Moment {
            Moment(Duration::from_nanos(self.0.lock().unwrap().1))
        }
        fn sleep_until(&self, _: Moment) -> PortFuture<'static, ()> {
            Box::pin(std::future::ready(()))
        }
    }

    #[test]
    fn of_two_clocks_the_one_counts_that_denies() {
        let clock = Arc::new(SetClock(Mutex::new((1000, 50))));
        let dates = Dates::new(clock.clone());
        for (wall, moment, latest, earliest) in [
            (1000, 50, 1000, 1000),
            (1010, 60, 1010, 1010),
            // Set back: time goes on all the same.
            (200, 70, 1020, 200),
            // Set forward, and right again.
            (9000, 80, 9000, 1030),
            (1040, 90, 1040, 1040),
            // Suspended: the monotonic clock stood still.
            (5000, 90, 5000, 1040),
        ] {
            *clock.0.lock().unwrap() = (wall, moment);
            assert_eq!((dates.latest().0, dates.earliest().0), (latest, earliest), "{wall} {moment}");
        }
    }

    #[test]
    fn times_do_not_run_over() {
        assert_eq!(after(Timestamp(i64::MAX - 1), Duration::from_secs(9)), Timestamp(i64::MAX));
        assert_eq!(after(Timestamp(5), Duration::MAX), Timestamp(i64::MAX));
        assert_eq!(before(Timestamp(i64::MIN), Duration::from_secs(9)), Timestamp(i64::MIN));
        assert_eq!(between(Timestamp(9), Timestamp(3)), Duration::ZERO);
        assert_eq!(between(Timestamp(3), Timestamp(9)), Duration::from_nanos(6));
    }
}
