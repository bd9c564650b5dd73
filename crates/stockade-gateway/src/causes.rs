//! Errors with their causes, for operators.

use stockade_core::words::Untrusted;

/// Causes that are told.
const CAUSES: usize = 8;

/// An error with its causes in one harmless line: names in certificates, among other things, are a peer's words.
pub(crate) fn describe(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source()).take(CAUSES);
    let mut last = error.to_string();
    let text = causes.fold(last.clone(), |text, cause| {
        let next = cause.to_string();
        // Wrappers that only repeat what they hold say it once.
        if std::mem::replace(&mut last, next.clone()) == next { text } else { format!("{text}: {next}") }
    });
    Untrusted::new(text).for_log()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{text}")]
    struct Link {
        text: &'static str,
        #[source]
        cause: Option<Box<Link>>,
    }

    #[test]
    fn each_cause_is_told_once_and_none_moves_the_cursor() {
        let link = |text, cause: Option<Link>| Link { text, cause: cause.map(Box::new) };
        let error = link("outer", Some(link("same", Some(link("same", Some(link("in\u{1b}[2Jner", None)))))));
        assert_eq!(describe(&error), "outer: same: in\\u{1b}[2Jner");
        let endless = (0..50).fold(link("x", None), |inner, _| link("y", Some(link("x", Some(inner)))));
        assert_eq!(describe(&endless).split(": ").count(), 1 + CAUSES);
    }
}
