//! How many connections an address has.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Who counts as one: an IPv4 address, or the /64 that one IPv6 customer has at least.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Holder {
    V4(u32),
    V6(u64),
}

impl Holder {
    fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self::V4(address.to_bits()),
            IpAddr::V6(address) => Self::V6((address.to_bits() >> 64) as u64),
        }
    }
}

/// The count of each address that has a connection; so there are never more entries than connections.
#[derive(Debug)]
pub(super) struct AddressPlaces {
    most: usize,
    taken: Mutex<HashMap<Holder, usize>>,
}

/// One connection of an address, counted until this goes.
#[derive(Debug)]
pub(super) struct TakenPlace {
    places: Arc<AddressPlaces>,
    holder: Holder,
}

impl AddressPlaces {
    pub(super) fn new(most: usize) -> Self {
        Self { most, taken: Mutex::default() }
    }

    /// Nothing if the address has all its places.
    pub(super) fn take(places: &Arc<Self>, address: IpAddr) -> Option<TakenPlace> {
        let holder = Holder::of(address);
        let mut taken = places.taken();
        let count = taken.get(&holder).copied().unwrap_or_default();
        if count >= places.most {
            return None;
        }
        taken.insert(holder, count.saturating_add(1));
        drop(taken);
        Some(TakenPlace { places: Arc::clone(places), holder })
    }

    fn taken(&self) -> MutexGuard<'_, HashMap<Holder, usize>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for TakenPlace {
    fn drop(&mut self) {
        let mut taken = self.places.taken();
        match taken.get_mut(&self.holder) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(taken.remove(&self.holder)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_address_has_its_places_and_gets_them_back() {
        let places = Arc::new(AddressPlaces::new(2));
        let take = |address: &str| AddressPlaces::take(&places, address.parse().unwrap());
        let held = (take("192.0.2.1").unwrap(), take("192.0.2.1").unwrap());
        assert!(take("192.0.2.1").is_none());
        assert!(take("::ffff:192.0.2.1").is_none(), "the same address in another family");
        let other = take("192.0.2.2").unwrap();
        drop(held.0);
        let again = take("192.0.2.1").unwrap();
        assert!(take("192.0.2.1").is_none());
        drop((held.1, other, again));
        assert!(places.taken().is_empty(), "nothing is kept of who is gone");
    }

    #[test]
    fn a_network_of_ipv6_is_one_holder() {
        let places = Arc::new(AddressPlaces::new(1));
        let take = |address: &str| AddressPlaces::take(&places, address.parse().unwrap());
        let held = take("2001:db8:0:1::1").unwrap();
        assert!(take("2001:db8:0:1:ffff:ffff:ffff:ffff").is_none());
        let other = take("2001:db8:0:2::1");
        assert!(other.is_some());
        drop((held, other));
    }
}
