//! The environment of the gateway, and how long its API keys live.
//!
//! Must never: let keys live longer because something was left out.

use super::checked::Profile;
use super::keys::ENVIRONMENT_NAME;
use super::keys_life::{API_KEYS, MAX_AGE, WARN_AGE};
use super::problem::{Problem, quoted};
use super::raw::RawTable;
use std::time::Duration;
use stockade_store::{EnvironmentName, KeyRules};

/// How long before its end a key is told of.
const WARNING: Duration = Duration::from_secs(14 * 24 * 3600);

/// What is asked of keys.
pub(super) fn key_rules(
    root: &RawTable,
    gateway: &RawTable,
    profile: Profile,
    problems: &mut Vec<Problem>,
) -> Option<KeyRules> {
    let environment = environment(gateway, profile, problems);
    let nothing = RawTable::empty();
    let table = root.one(&API_KEYS).unwrap_or(&nothing);
    let max_age = table.time(&MAX_AGE).or_else(|| MAX_AGE.of_profile(profile)?.as_time());
    let given = table.time(&WARN_AGE);
    if let Some(warn_age) = given {
        let place = table.place_of(&WARN_AGE);
        match max_age {
            Some(max_age) if warn_age < max_age => {}
            Some(_) => problems.push(Problem::at(
                place,
                "`warn_age` is not before `max_age`",
                "the warning would come when the key has stopped working",
                "make it shorter; two weeks before `max_age` is a good time",
            )),
            None => problems.push(Problem::at(
                place,
                "`warn_age` has no use without `max_age`",
                "in this profile age alone ends no key",
                "add `max_age = \"90d\"`, or remove it",
            )),
        }
    }
    let warn_age = given.or_else(|| max_age.map(|age| age.saturating_sub(WARNING).max(age / 2)));
    Some(KeyRules { environment: environment?, warn_age, max_age })
}

fn environment(gateway: &RawTable, profile: Profile, problems: &mut Vec<Problem>) -> Option<EnvironmentName> {
    let given = gateway.text(&ENVIRONMENT_NAME);
    let name = given.or_else(|| ENVIRONMENT_NAME.of_profile(profile)?.as_word()).unwrap_or_default();
    let parsed = EnvironmentName::parse(&name).map_err(|_| {
        problems.push(Problem::at(
            gateway.place_of(&ENVIRONMENT_NAME),
            format!("`environment` is `{}`, which is no name of an environment", quoted(&name)),
            "keys and tokens carry the name, and are refused where it differs",
            "use 1 to 40 lower-case letters, digits, `-`, `_` or `.`, such as `staging-eu`",
        ));
    });
    parsed.ok()
}
