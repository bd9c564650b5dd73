//! How many wrong credentials one address may show in a minute.
//!
//! An address is one IPv4 address or one /64 of IPv6, which is what one subscriber has. What is over the limit gets no
//! answer but 429, and nothing costly is done for it. A credential that is right passes all the same: keys have 256 random
//! bits and tokens a signature, so nothing is gained by guessing, and otherwise one neighbour behind the same address could
//! lock all the others out.

use crate::recent::Recent;
use crate::settings::ThrottleSettings;
use std::collections::VecDeque;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use stockade_core::ports::Moment;

/// Over which time wrong credentials are counted.
const WINDOW: Duration = Duration::from_secs(60);

/// Counts wrong credentials by address.
#[derive(Debug)]
pub(crate) struct Throttle {
    most: usize,
    wrong: Mutex<Recent<IpAddr, VecDeque<Duration>>>,
}

impl Throttle {
    pub(crate) fn new(settings: ThrottleSettings) -> Self {
        let most = usize::try_from(settings.wrong_per_minute).unwrap_or(usize::MAX);
        Self { most, wrong: Mutex::new(Recent::new(settings.addresses)) }
    }

    fn lock(&self) -> MutexGuard<'_, Recent<IpAddr, VecDeque<Duration>>> {
        self.wrong.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When the next wrong credential of this address gets an answer of its own; nothing if it does now.
    pub(crate) fn wait(&self, address: IpAddr, now: Moment) -> Option<Duration> {
        let mut table = self.lock();
        let wrong = table.get(&network(address))?;
        forget(wrong, now);
        let oldest = wrong.front().filter(|_| wrong.len() >= self.most)?;
        Some(oldest.saturating_add(WINDOW).saturating_sub(now.0))
    }

    /// Counts one. What comes over the limit is not counted, so that the table stays as large as it may be.
    pub(crate) fn count(&self, address: IpAddr, now: Moment) {
        let (mut table, address) = (self.lock(), network(address));
        if let Some(wrong) = table.get(&address) {
            forget(wrong, now);
            if wrong.len() < self.most {
                wrong.push_back(now.0);
            }
            return;
        }
        table.put(address, VecDeque::from([now.0]));
    }
}

fn forget(wrong: &mut VecDeque<Duration>, now: Moment) {
    while wrong.front().is_some_and(|at| now.0.saturating_sub(*at) >= WINDOW) {
        wrong.pop_front();
    }
}

/// What counts as one address.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn throttle(addresses: usize) -> Throttle {
        Throttle::new(ThrottleSettings { wrong_per_minute: 3, addresses })
    }

    fn at(seconds: u64) -> Moment {
        Moment(Duration::from_secs(seconds))
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn the_window_slides_and_is_never_exceeded() {
        let throttle = throttle(10);
        let one = address("192.0.2.1");
        for second in [0, 10, 20] {
            assert_eq!(throttle.wait(one, at(second)), None);
            throttle.count(one, at(second));
        }
        assert_eq!(throttle.wait(one, at(20)), Some(Duration::from_secs(40)));
        throttle.count(one, at(59));
        assert_eq!(throttle.wait(one, at(60)), None);
        throttle.count(one, at(60));
        assert_eq!(throttle.wait(one, at(60)), Some(Duration::from_secs(10)));
        assert_eq!(throttle.wait(address("192.0.2.2"), at(60)), None);
    }

    #[test]
    fn a_network_of_ipv6_is_one_address_and_ipv4_inside_it_is_ipv4() {
        for (one, other, is_same) in [
            ("2001:db8::1", "2001:db8::ffff:1", true),
            ("2001:db8::1", "2001:db8:0:1::1", false),
            ("::ffff:192.0.2.1", "192.0.2.1", true),
            ("::ffff:192.0.2.1", "::ffff:192.0.2.2", false),
        ] {
            assert_eq!(network(address(one)) == network(address(other)), is_same, "{one} {other}");
        }
    }

    #[test]
    fn the_table_is_bounded() {
        let throttle = throttle(2);
        for last in 0..100 {
            throttle.count(IpAddr::from([192, 0, 2, last]), at(0));
        }
        assert_eq!(throttle.lock().len(), 2);
    }
}
