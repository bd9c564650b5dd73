//! One key without its secret: what is known of it, and what it is worth now.
//!
//! Must never: call a key valid that one of the rules ends.

use super::scopes::Scopes;
use super::text::KeyId;
use crate::dates::{after, between};
use crate::environment::EnvironmentName;
use std::fmt;
use std::time::Duration;
use stockade_core::ports::Timestamp;
use stockade_core::words::CallerName;

/// What a gateway asks of every key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRules {
    /// Keys of another environment are refused.
    pub environment: EnvironmentName,
    /// From this age on the operator is warned; nothing where there is no maximum.
    pub warn_age: Option<Duration>,
    /// At this age a key ends; nothing where age does not end keys.
    pub max_age: Option<Duration>,
}

/// One key as a list shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRow {
    /// Its public part.
    pub id: KeyId,
    /// Whose it is.
    pub caller: CallerName,
    /// What it is limited to; nothing where scopes do not limit it.
    pub scopes: Option<Scopes>,
    /// The environment that it was made for; nothing for a key of the time before environments, until a gateway takes it over.
    pub environment: Option<EnvironmentName>,
    /// When it was made.
    pub created: Timestamp,
    /// When it ends by itself.
    pub expires: Option<Timestamp>,
    /// When it was last used, to the minute.
    pub last_used: Option<Timestamp>,
    /// The key that it has replaced.
    pub rotated_from: Option<KeyId>,
    /// The key that replaces it.
    pub rotated_to: Option<KeyId>,
    /// When it ends because it was replaced.
    pub overlap_ends: Option<Timestamp>,
    /// When it was revoked.
    pub revoked: Option<Timestamp>,
}

/// What a key is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyState {
    /// It works.
    Valid,
    /// It works, and its age will end it.
    Aging {
        /// When.
        ends: Timestamp,
    },
    /// It works until the key that replaces it works alone.
    Replaced {
        /// Until when.
        ends: Timestamp,
    },
    /// It was revoked.
    Revoked {
        /// When.
        at: Timestamp,
    },
    /// It has ended as it was to.
    Expired {
        /// When.
        at: Timestamp,
    },
    /// It was replaced, and the time for both is over.
    ReplacedLongAgo {
        /// Since when.
        at: Timestamp,
    },
    /// It has passed the greatest age.
    TooOld {
        /// When.
        at: Timestamp,
    },
    /// It was made for another environment, or for none.
    OfAnotherEnvironment,
}

impl KeyState {
    /// True if the key works.
    #[must_use]
    pub const fn holds(self) -> bool {
        matches!(self, Self::Valid | Self::Aging { .. } | Self::Replaced { .. })
    }

    /// One word for it, in programs' lists.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Aging { .. } => "aging",
            Self::Replaced { .. } => "replaced",
            Self::Revoked { .. } => "revoked",
            Self::Expired { .. } => "expired",
            Self::ReplacedLongAgo { .. } => "overlap-ended",
            Self::TooOld { .. } => "too-old",
            Self::OfAnotherEnvironment => "of-another-environment",
        }
    }

    /// The time that belongs to it: when the key ends, or has ended.
    #[must_use]
    pub const fn time(self) -> Option<Timestamp> {
        match self {
            Self::Valid | Self::OfAnotherEnvironment => None,
            Self::Aging { ends: time }
            | Self::Replaced { ends: time }
            | Self::Revoked { at: time }
            | Self::Expired { at: time }
            | Self::ReplacedLongAgo { at: time }
            | Self::TooOld { at: time } => Some(time),
        }
    }
}

impl fmt::Display for KeyState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Valid => "it works",
            Self::Aging { .. } => "it works, and will soon be too old",
            Self::Replaced { .. } => "it was replaced, and works for a while",
            Self::Revoked { .. } => "it was revoked",
            Self::Expired { .. } => "it has expired",
            Self::ReplacedLongAgo { .. } => "it was replaced, and the time for both is over",
            Self::TooOld { .. } => "it is older than keys may be",
            Self::OfAnotherEnvironment => "it was made for another environment",
        })
    }
}

impl KeyRow {
    /// What it is worth at `now` under `rules`. A time that is reached is over.
    #[must_use]
    pub fn state(&self, rules: &KeyRules, now: Timestamp) -> KeyState {
        let reached = |time: Option<Timestamp>| time.filter(|time| *time <= now);
        let too_old = self.too_old_at(rules);
        if let Some(at) = self.revoked {
            return KeyState::Revoked { at };
        }
        if let Some(at) = reached(self.overlap_ends) {
            return KeyState::ReplacedLongAgo { at };
        }
        if let Some(at) = reached(self.expires) {
            return KeyState::Expired { at };
        }
        if let Some(at) = reached(too_old) {
            return KeyState::TooOld { at };
        }
        if self.environment.as_ref() != Some(&rules.environment) {
            return KeyState::OfAnotherEnvironment;
        }
        let is_aging = rules.warn_age.is_some_and(|age| self.age(now) >= age);
        match (self.overlap_ends, too_old) {
            (Some(ends), _) => KeyState::Replaced { ends },
            (None, Some(ends)) if is_aging => KeyState::Aging { ends },
            (None, _) => KeyState::Valid,
        }
    }

    /// How old it is; nothing for one that was made in the future.
    #[must_use]
    pub fn age(&self, now: Timestamp) -> Duration {
        between(self.created, now)
    }

    /// The earliest time that ends it, of all that is known now.
    #[must_use]
    pub fn ends(&self, rules: &KeyRules) -> Option<Timestamp> {
        [self.revoked, self.overlap_ends, self.expires, self.too_old_at(rules)].into_iter().flatten().min()
    }

    fn too_old_at(&self, rules: &KeyRules) -> Option<Timestamp> {
        rules.max_age.map(|age| after(self.created, age))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(text: &str) -> EnvironmentName {
        EnvironmentName::parse(text).unwrap()
    }

    fn rules() -> KeyRules {
        let span = |nanoseconds| Some(Duration::from_nanos(nanoseconds));
        KeyRules { environment: environment("here"), warn_age: span(70), max_age: span(90) }
    }

    /// Made at 100, for `here`.
    fn row(change: impl FnOnce(&mut KeyRow)) -> KeyRow {
        let mut row = KeyRow {
            id: KeyId::of_database("aaaaaaaa".to_owned()),
            caller: CallerName::parse("alice").unwrap(),
            scopes: None,
            environment: Some(environment("here")),
            created: Timestamp(100),
            expires: None,
            last_used: None,
            rotated_from: None,
            rotated_to: None,
            overlap_ends: None,
            revoked: None,
        };
        change(&mut row);
        row
    }

    #[test]
    fn a_key_ends_by_whatever_ends_it_first() {
        let at = Timestamp;
        let never = row(|_| {});
        let expiring = row(|row| row.expires = Some(at(150)));
        let replaced = row(|row| row.overlap_ends = Some(at(120)));
        let revoked = row(|row| row.revoked = Some(at(110)));
        for (row, now, expected) in [
            (&never, 100, KeyState::Valid),
            (&never, 169, KeyState::Valid),
            (&never, 170, KeyState::Aging { ends: at(190) }),
            (&never, 189, KeyState::Aging { ends: at(190) }),
            (&never, 190, KeyState::TooOld { at: at(190) }),
            (&never, i64::MAX, KeyState::TooOld { at: at(190) }),
            // Made in the future: the clock was set back since.
            (&never, 1, KeyState::Valid),
            (&expiring, 149, KeyState::Valid),
            (&expiring, 150, KeyState::Expired { at: at(150) }),
            (&replaced, 119, KeyState::Replaced { ends: at(120) }),
            (&replaced, 120, KeyState::ReplacedLongAgo { at: at(120) }),
            // Revoked is revoked, whatever the clock says.
            (&revoked, 1, KeyState::Revoked { at: at(110) }),
            (&revoked, 200, KeyState::Revoked { at: at(110) }),
        ] {
            assert_eq!(row.state(&rules(), at(now)), expected, "{now}");
        }
        assert_eq!(never.ends(&rules()), Some(at(190)));
        assert_eq!(expiring.ends(&rules()), Some(at(150)));
        assert_eq!(never.ends(&KeyRules { max_age: None, ..rules() }), None);
    }

    #[test]
    fn a_key_of_another_environment_is_none() {
        for other in [Some(environment("there")), None] {
            let row = row(|row| row.environment = other);
            let state = row.state(&rules(), Timestamp(101));
            assert_eq!((state, state.holds()), (KeyState::OfAnotherEnvironment, false));
        }
    }
}
