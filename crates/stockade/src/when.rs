//! Times as people write and read them.
//!
//! Must never: guess a unit or a time zone.

use crate::config::span;
use std::time::Duration;
use stockade_core::ports::Timestamp;

/// `2026-11-22`.
const DATE_CHARACTERS: usize = 10;

/// A time could not be understood.
#[derive(Debug, thiserror::Error)]
#[error("`{option}` is `{text}`, which is no {what}")]
pub(crate) struct NoTime {
    option: &'static str,
    text: String,
    what: &'static str,
}

/// The wall clock. A clock beyond 2262 counts as the end of time.
pub(crate) fn now() -> Timestamp {
    Timestamp(i64::try_from(jiff::Timestamp::now().as_nanosecond()).unwrap_or(i64::MAX))
}

/// RFC 3339 in UTC, to the second.
pub(crate) fn shown(time: Timestamp) -> String {
    let time = jiff::Timestamp::from_nanosecond(i128::from(time.0)).unwrap_or(jiff::Timestamp::MAX);
    format!("{time:.0}")
}

/// A span such as `90d`.
///
/// # Errors
/// When the text has no unit, or another one.
pub(crate) fn parse_span(option: &'static str, text: &str) -> Result<Duration, NoTime> {
    span(text).ok_or_else(|| NoTime {
        option,
        text: text.to_owned(),
        what: "span of time; write it like `24h` or `90d`",
    })
}

/// A span from `now`, a time in RFC 3339, or a date: its first instant in UTC.
///
/// # Errors
/// When the text is none of these.
pub(crate) fn parse_end(option: &'static str, text: &str, now: Timestamp) -> Result<Timestamp, NoTime> {
    let what = "end; write it like `90d`, `2026-11-22T15:04:05Z` or `2026-11-22`";
    let after = span(text).and_then(|span| now.0.checked_add(i64::try_from(span.as_nanos()).ok()?));
    let parsed = after.or_else(|| {
        let instant = text.parse::<jiff::Timestamp>().ok().or_else(|| {
            // A time without a zone is no date: its hours would be dropped.
            let date = Some(text).filter(|text| text.len() == DATE_CHARACTERS)?;
            let midnight = date.parse::<jiff::civil::Date>().ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
            Some(midnight.timestamp())
        });
        i64::try_from(instant?.as_nanosecond()).ok()
    });
    parsed.map(Timestamp).ok_or_else(|| NoTime { option, text: text.to_owned(), what })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_a_span_a_time_or_a_date() {
        let now = Timestamp(1_000_000_000_000_000_000);
        for (text, expected) in [
            ("90d", Some(now.0 + 7_776_000_000_000_000)),
            ("1970-01-01T00:00:01Z", Some(1_000_000_000)),
            ("1970-01-02", Some(86_400_000_000_000)),
            ("90", None),
            ("tomorrow", None),
            ("2026-11-22T15:04:05", None),
            ("", None),
            ("99999999999d", None),
        ] {
            assert_eq!(parse_end("--until", text, now).ok().map(|time| time.0), expected, "{text}");
        }
        let refused = parse_span("--overlap", "1 day").unwrap_err();
        assert_eq!(
            refused.to_string(),
            "`--overlap` is `1 day`, which is no span of time; write it like `24h` or `90d`"
        );
        assert_eq!(shown(Timestamp(1_700_000_000_000_000_000)), "2023-11-14T22:13:20Z");
    }
}
