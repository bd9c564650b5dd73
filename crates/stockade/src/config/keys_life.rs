//! The keys of API keys' lives: how old they may get, and when the operator is warned. Part of the table in `keys.rs`.

use super::key::{Key, Shape, Table};
use super::keys::{of_profile, optional};
use super::value::Sort;
use std::time::Duration;

const DAY: Duration = Duration::from_secs(24 * 3600);
/// The greatest age that can be set.
const AGE_MOST: Duration = Duration::from_secs(366 * 24 * 3600);

pub(super) static WARN_AGE: Key = optional(
    "warn_age",
    Sort::Time { least: DAY, most: AGE_MOST },
    "14 days before `max_age`, but not in its first half",
    "From this age on a key is told of: at the start, in `stockade keys list`, and once a day in the log.",
);
pub(super) static MAX_AGE: Key = of_profile(
    "max_age",
    Sort::Time { least: DAY, most: AGE_MOST },
    ["", "", "90d", "90d"],
    "At this age a key stops working; without it age ends no key. `stockade keys rotate` gives its holder another one before.",
);

pub(super) static API_KEYS: Table = Table {
    name: "keys",
    shape: Shape::One,
    text: "How long API keys live. Made, listed, replaced and revoked they are by `stockade keys`.",
    keys: &[&WARN_AGE, &MAX_AGE],
    tables: &[],
};
