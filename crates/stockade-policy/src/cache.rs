//! Rulings that were given before, for as long as one policy lives.
//!
//! For: a list of 200 tools asks 200 questions at each look; a caller repeats itself.
//! Must never: outlive its policy (each [`crate::CedarPolicy`] owns one), answer for facts that are not equal in every
//! part, or grow beyond its limits whatever callers name.

use crate::facts::Facts;
use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, BuildHasherDefault, Hasher};
use std::sync::{Mutex, PoisonError};
use stockade_core::mcp::Revision;
use stockade_core::ports::{Action, Effect, Object, Ruling};
use stockade_core::words::{CallerKind, CallerName, ServerName};

/// Parts that are locked one by one.
const SHARDS: usize = 16;
/// Rulings in one part. When it is full it is emptied: simple, and the next look fills it again.
pub(crate) const SHARD_LIMIT: usize = 512;
/// Bytes of an object's name that is remembered. Longer ones are judged each time.
pub(crate) const NAME_LIMIT_BYTES: usize = 256;

/// A bounded memory of rulings.
pub(crate) struct Cache {
    /// Keyed at random, so that nobody can choose names that fall into one place.
    hasher: RandomState,
    shards: [Mutex<Shard>; SHARDS],
}

type Shard = HashMap<u64, (Key, Ruling), BuildHasherDefault<AsIs>>;

impl Cache {
    pub(crate) fn new() -> Self {
        Self { hasher: RandomState::new(), shards: std::array::from_fn(|_| Mutex::default()) }
    }

    /// The ruling on exactly these facts, remembered or made now.
    pub(crate) fn remember(&self, facts: &Facts<'_>, make: impl FnOnce() -> Ruling) -> Ruling {
        if object_name(facts.object).is_some_and(|name| name.len() > NAME_LIMIT_BYTES) {
            return make();
        }
        let hash = self.hasher.hash_one(facts);
        // The remainder is below `SHARDS`, and there are as many.
        let Some(shard) = self.shards.get(usize::try_from(hash >> 32).unwrap_or_default() % SHARDS) else {
            return make();
        };
        // A poisoned lock guards whole entries only: a panic between two of them leaves none half written.
        let lock = || shard.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, ruling)) = lock().get(&hash).filter(|(key, _)| key.facts() == *facts) {
            return ruling.clone();
        }
        let ruling = make();
        let mut shard = lock();
        if shard.len() >= SHARD_LIMIT {
            shard.clear();
        }
        shard.insert(hash, (Key::of(facts), ruling.clone()));
        ruling
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().unwrap().len()).sum()
    }
}

impl std::fmt::Debug for Cache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Cache")
    }
}

/// [`Facts`] that own their names.
struct Key {
    caller: CallerName,
    kind: CallerKind,
    action: Action,
    server: ServerName,
    object: OwnedObject,
    effect: Effect,
    revision: Revision,
}

enum OwnedObject {
    Server,
    Tool(Box<str>),
    Resource(Box<str>),
    Prompt(Box<str>),
}

impl Key {
    fn of(facts: &Facts<'_>) -> Self {
        let Facts { caller, kind, action, server, object, effect, revision } = *facts;
        let object = match object {
            Object::Server => OwnedObject::Server,
            Object::Tool(name) => OwnedObject::Tool(name.into()),
            Object::Resource(name) => OwnedObject::Resource(name.into()),
            Object::Prompt(name) => OwnedObject::Prompt(name.into()),
        };
        Self { caller: caller.clone(), kind, action, server: server.clone(), object, effect, revision }
    }

    fn facts(&self) -> Facts<'_> {
        let object = match &self.object {
            OwnedObject::Server => Object::Server,
            OwnedObject::Tool(name) => Object::Tool(name),
            OwnedObject::Resource(name) => Object::Resource(name),
            OwnedObject::Prompt(name) => Object::Prompt(name),
        };
        let Self { caller, kind, action, server, effect, revision, .. } = self;
        Facts { caller, kind: *kind, action: *action, server, object, effect: *effect, revision: *revision }
    }
}

const fn object_name(object: Object<'_>) -> Option<&str> {
    match object {
        Object::Server => None,
        Object::Tool(name) | Object::Resource(name) | Object::Prompt(name) => Some(name),
    }
}

/// The keys of a shard are hashes already.
#[derive(Default)]
struct AsIs(u64);

impl Hasher for AsIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.iter().fold(self.0, |value, byte| value.rotate_left(8) ^ u64::from(*byte));
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_facts(object: Object<'_>, effect: Effect, then: impl FnOnce(&Facts<'_>)) {
        let (caller, server) = (CallerName::parse("alice").unwrap(), ServerName::parse("files").unwrap());
        let (kind, action, revision) = (CallerKind::ApiKey, Action::Call, Revision::V2025_11_25);
        then(&Facts { caller: &caller, kind, action, server: &server, object, effect, revision });
    }

    fn ruling(word: &str) -> Ruling {
        Ruling::Allow { rules: vec![word.to_owned()] }
    }

    #[test]
    fn equal_facts_are_judged_once_and_others_again() {
        let cache = Cache::new();
        let check = |object, effect, made: &str, expected: &str| {
            with_facts(object, effect, |facts| assert_eq!(cache.remember(facts, || ruling(made)), ruling(expected)));
        };
        check(Object::Tool("a"), Effect::Read, "first", "first");
        check(Object::Tool("a"), Effect::Read, "second", "first");
        check(Object::Tool("a"), Effect::Write, "third", "third");
        check(Object::Prompt("a"), Effect::Read, "fourth", "fourth");
        check(Object::Tool("b"), Effect::Read, "fifth", "fifth");
        check(Object::Server, Effect::Read, "sixth", "sixth");
        check(Object::Server, Effect::Read, "seventh", "sixth");
    }

    #[test]
    fn the_cache_stays_within_its_limits() {
        let cache = Cache::new();
        for number in 0..SHARDS * SHARD_LIMIT * 2 {
            let name = format!("tool-{number}");
            with_facts(Object::Tool(&name), Effect::Read, |facts| drop(cache.remember(facts, || ruling("x"))));
        }
        assert!(cache.len() <= SHARDS * SHARD_LIMIT, "{}", cache.len());
        assert!(cache.len() > SHARD_LIMIT, "{}", cache.len());
    }

    #[test]
    fn a_name_at_the_limit_is_remembered_and_a_longer_one_is_not() {
        let cache = Cache::new();
        for (length, remembered) in [(NAME_LIMIT_BYTES, 1), (NAME_LIMIT_BYTES + 1, 1)] {
            let name = "x".repeat(length);
            with_facts(Object::Tool(&name), Effect::Read, |facts| drop(cache.remember(facts, || ruling("x"))));
            assert_eq!(cache.len(), remembered, "{length}");
        }
    }
}
