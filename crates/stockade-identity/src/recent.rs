//! A table of bounded size that forgets what was not used for the longest.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;

/// At most `limit` entries.
#[derive(Debug)]
pub(crate) struct Recent<K, V> {
    entries: HashMap<K, (u64, V)>,
    /// From the one that was not used for the longest.
    order: BTreeMap<u64, K>,
    next: u64,
    limit: usize,
}

impl<K: Eq + Hash + Clone, V> Recent<K, V> {
    pub(crate) fn new(limit: usize) -> Self {
        Self { entries: HashMap::new(), order: BTreeMap::new(), next: 0, limit: limit.max(1) }
    }

    /// The entry, which counts as used now.
    pub(crate) fn get(&mut self, key: &K) -> Option<&mut V> {
        let (place, value) = self.entries.get_mut(key)?;
        let key = self.order.remove(place)?;
        *place = self.next;
        self.order.insert(self.next, key);
        self.next += 1;
        Some(value)
    }

    /// Puts an entry in, in place of the one that was not used for the longest if there is no room.
    pub(crate) fn put(&mut self, key: K, value: V) {
        self.remove(&key);
        if self.entries.len() >= self.limit
            && let Some((_, oldest)) = self.order.pop_first()
        {
            self.entries.remove(&oldest);
        }
        self.order.insert(self.next, key.clone());
        self.entries.insert(key, (self.next, value));
        self.next += 1;
    }

    pub(crate) fn remove(&mut self, key: &K) {
        if let Some((place, _)) = self.entries.remove(key) {
            self.order.remove(&place);
        }
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_used_for_the_longest_goes_first() {
        let mut recent = Recent::new(2);
        recent.put("a", 1);
        recent.put("b", 2);
        assert_eq!(recent.get(&"a").copied(), Some(1));
        recent.put("c", 3);
        assert_eq!(recent.get(&"b"), None);
        recent.put("c", 4);
        assert_eq!((recent.get(&"a").copied(), recent.get(&"c").copied()), (Some(1), Some(4)));
        assert_eq!(recent.len(), 2);
        recent.remove(&"c");
        assert_eq!(recent.get(&"c"), None);
        assert_eq!((recent.len(), recent.order.len()), (1, 1));
    }
}
