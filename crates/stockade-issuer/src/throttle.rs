//! How often somebody may do something. In memory, of a fixed size, on the monotonic clock.
//!
//! Must never: grow with the number of strangers; let one in because it has forgotten another.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::time::Duration;
use stockade_core::ports::Moment;

/// Keys that one throttle tells apart. Those beyond it share one allowance.
pub const KEYS: usize = 4_096;

/// Who sends, for limits: an IPv4 address, the /64 of an IPv6 address, or nobody known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Sender {
    Unknown,
    V4([u8; 4]),
    V6([u16; 4]),
}

impl Sender {
    pub(crate) fn of(peer: Option<IpAddr>) -> Self {
        match peer.map(|address| address.to_canonical()) {
            None => Self::Unknown,
            Some(IpAddr::V4(address)) => Self::V4(address.octets()),
            Some(IpAddr::V6(address)) => {
                let [one, two, three, four, ..] = address.segments();
                Self::V6([one, two, three, four])
            }
        }
    }
}

/// Too often; there is room again after `wait`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooOften {
    pub(crate) wait: Duration,
}

/// `count` in `window` at once, and one more each `window / count` (the generic cell rate algorithm, ITU-T I.371: the state of
/// a key is the time at which it would be idle).
pub(crate) struct Throttle<K> {
    interval: Duration,
    window: Duration,
    idle_at: HashMap<K, Duration>,
    /// Of all keys for which there is no room.
    others_idle_at: Duration,
}

impl<K: Copy + Eq + Hash> Throttle<K> {
    pub(crate) fn new(count: u32, window: Duration) -> Self {
        let interval = window.checked_div(count).unwrap_or(window);
        Self { interval, window, idle_at: HashMap::new(), others_idle_at: Duration::ZERO }
    }

    /// Takes one, or says after how long there will be one.
    pub(crate) fn take(&mut self, key: K, now: Moment) -> Result<(), TooOften> {
        let now = now.0;
        if self.idle_at.len() >= KEYS && !self.idle_at.contains_key(&key) {
            // A key that is idle again is as one that was never seen.
            self.idle_at.retain(|_, idle_at| *idle_at > now);
        }
        let has_room = self.idle_at.len() < KEYS || self.idle_at.contains_key(&key);
        let place = if has_room { self.idle_at.entry(key).or_default() } else { &mut self.others_idle_at };
        let next = (*place).max(now).saturating_add(self.interval);
        let ahead = next.saturating_sub(now);
        if ahead > self.window {
            return Err(TooOften { wait: ahead.saturating_sub(self.window) });
        }
        *place = next;
        Ok(())
    }

    /// Gives back one that was taken and turned out to be none.
    pub(crate) fn give_back(&mut self, key: K) {
        if let Some(idle_at) = self.idle_at.get_mut(&key) {
            *idle_at = idle_at.saturating_sub(self.interval);
        }
    }

    /// Forgets what `key` has taken.
    pub(crate) fn forget(&mut self, key: &K) {
        self.idle_at.remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn at(milliseconds: u64) -> Moment {
        Moment(Duration::from_millis(milliseconds))
    }

    #[test]
    fn so_many_at_once_and_then_one_by_one() {
        let mut throttle = Throttle::new(6, MINUTE);
        for _ in 0..6 {
            assert_eq!(throttle.take(1, at(5)), Ok(()));
        }
        assert_eq!(throttle.take(1, at(5)), Err(TooOften { wait: Duration::from_secs(10) }));
        assert_eq!(throttle.take(1, at(10_004)), Err(TooOften { wait: Duration::from_millis(1) }));
        assert_eq!(throttle.take(2, at(10_004)), Ok(()), "others are not held up");
        assert_eq!(throttle.take(1, at(10_005)), Ok(()));
        assert!(throttle.take(1, at(10_005)).is_err());
        throttle.give_back(1);
        assert_eq!(throttle.take(1, at(10_005)), Ok(()));
        throttle.forget(&1);
        assert_eq!(throttle.take(1, at(10_005)), Ok(()));
    }

    #[test]
    fn strangers_beyond_the_table_share_one_allowance_and_push_nobody_out() {
        let mut throttle = Throttle::new(2, MINUTE);
        for key in 0..KEYS {
            assert_eq!(throttle.take(key, at(0)), Ok(()));
            assert_eq!(throttle.take(key, at(0)), Ok(()));
        }
        assert_eq!(throttle.take(KEYS, at(0)), Ok(()));
        assert_eq!(throttle.take(KEYS + 1, at(0)), Ok(()));
        assert!(throttle.take(KEYS + 2, at(0)).is_err());
        assert!(throttle.take(0, at(0)).is_err(), "who is known is not forgotten");
        assert_eq!(throttle.idle_at.len(), KEYS);
        assert_eq!(throttle.take(KEYS + 3, at(60_001)), Ok(()), "idle keys make room");
        assert_eq!(throttle.idle_at.len(), 1);
    }

    #[test]
    fn an_ipv6_network_is_one_sender_and_a_mapped_address_is_its_ipv4() {
        let of = |text: &str| Sender::of(Some(text.parse().unwrap()));
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:2"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
    }
}
