//! From the arguments of a call to a query.
//!
//! Must never: let anything through that the tool's own schema refuses.

use rmcp::model::JsonObject;

/// Characters of a query at most: code points, as JSON Schema counts them (2020-12 validation §6.3.1).
pub(crate) const QUERY_CHARACTERS: usize = 1000;
/// The one argument.
pub(crate) const QUERY: &str = "query";

/// Having one tells you: it is text of at most [`QUERY_CHARACTERS`] characters and came alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct QueryText(String);

/// Why arguments were refused. One text for all, as the security guide has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("Invalid request format")]
pub(crate) struct ArgumentsError;

impl QueryText {
    /// # Errors
    /// When `query` is missing, no text or too long, or when there is anything else.
    pub(crate) fn parse(arguments: Option<&JsonObject>) -> Result<Self, ArgumentsError> {
        let arguments = arguments.ok_or(ArgumentsError)?;
        let text = arguments.get(QUERY).and_then(|value| value.as_str()).ok_or(ArgumentsError)?;
        if arguments.len() != 1 || text.chars().count() > QUERY_CHARACTERS {
            return Err(ArgumentsError);
        }
        Ok(Self(text.to_owned()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn check(arguments: Value, expected: Result<&str, ArgumentsError>) {
        let parsed = QueryText::parse(arguments.as_object());
        assert_eq!(parsed.as_ref().map(QueryText::as_str), expected.as_ref().copied(), "{arguments}");
    }

    #[test]
    fn only_one_query_of_at_most_1000_characters_is_taken() {
        let astral = "\u{1f600}".repeat(QUERY_CHARACTERS);
        check(json!({ "query": "SELECT 1" }), Ok("SELECT 1"));
        check(json!({ "query": "" }), Ok(""));
        check(json!({ "query": astral }), Ok(&astral));
        check(json!({ "query": "x".repeat(QUERY_CHARACTERS + 1) }), Err(ArgumentsError));
        check(json!({ "query": format!("{astral}x") }), Err(ArgumentsError));
        check(json!({ "query": "SELECT 1", "limit": 5 }), Err(ArgumentsError));
        for other in [json!(1), json!(null), json!(["SELECT 1"]), json!({ "query": "SELECT 1" }), json!(true)] {
            check(json!({ "query": other }), Err(ArgumentsError));
        }
        check(json!({}), Err(ArgumentsError));
        check(json!({ "Query": "SELECT 1" }), Err(ArgumentsError));
        check(json!(null), Err(ArgumentsError));
    }
}
