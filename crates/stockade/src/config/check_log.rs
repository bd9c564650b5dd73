//! What is logged.
//!
//! Must never: let a gateway for real use log more than `info`: what programs tell for debugging may hold what callers sent.

use super::checked::Profile;
use super::keys::LOG;
use super::problem::{Problem, quoted};
use super::raw::RawTable;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

/// The filter, if one is given and right.
pub(super) fn log(gateway: &RawTable, profile: Profile, problems: &mut Vec<Problem>) -> Option<String> {
    let text = gateway.text(&LOG)?;
    let place = gateway.place_of(&LOG);
    let filter = match EnvFilter::builder().parse(&text) {
        Ok(filter) => filter,
        Err(error) => {
            problems.push(Problem::at(
                place,
                format!("`log` is `{}`, which is no filter", quoted(&text)),
                quoted(&error.to_string()),
                "use `error`, `warn`, `info`, `debug`, or a filter such as `info,stockade_gateway=debug`",
            ));
            return None;
        }
    };
    let is_strict = matches!(profile, Profile::Production | Profile::Regulated);
    // Nothing is known of the level where a part is named without one: that means everything of it.
    let level = filter.max_level_hint().unwrap_or(LevelFilter::TRACE);
    if is_strict && level > LevelFilter::INFO {
        problems.push(Problem::at(
            place,
            format!("`log` is `{}`, which is more than `info`", quoted(&text)),
            format!(
                "what is told for debugging may hold what callers sent; profile `{}` has no place for that",
                profile.as_str()
            ),
            "use `info` or less, or another profile for a test",
        ));
    }
    Some(text)
}
