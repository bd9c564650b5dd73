//! The prepared bytes: what the upstream answers and what the load generator asks.
//!
//! Texts look like what tools return (sentences, line breaks), because a gateway's screening and string handling cost
//! depends on the text. Everything is made from constants, so two runs send the same bytes.

use serde_json::{Value, json};

use crate::plan::{Era, Work};

/// Tools that the upstream offers, the two echo tools included.
pub const TOOL_COUNT: usize = 200;
/// Where ids start. Every id has ten digits, so an answer's length does not depend on it.
pub const FIRST_ID: u64 = 1_000_000_000;
/// Ids that belong to one connection; more requests than this on one connection end its cell with an error.
pub const IDS_PER_CONNECTION: u64 = 10_000_000;

const VERBS: [&str; 18] = [
    "list",
    "read",
    "search",
    "create",
    "update",
    "archive",
    "restore",
    "compare",
    "count",
    "describe",
    "export",
    "import",
    "merge",
    "rename",
    "share",
    "summarise",
    "tag",
    "watch",
];
const NOUNS: [&str; 11] = [
    "branches",
    "calendars",
    "customers",
    "documents",
    "incidents",
    "invoices",
    "notebooks",
    "orders",
    "pipelines",
    "reports",
    "tickets",
];
const WORDS: [&str; 24] = [
    "the",
    "quarterly",
    "report",
    "shows",
    "that",
    "orders",
    "from",
    "northern",
    "region",
    "rose",
    "by",
    "twelve",
    "units",
    "while",
    "returns",
    "stayed",
    "level;",
    "delivery",
    "took",
    "two",
    "days",
    "on",
    "average",
    "there",
];
const LINE_WIDTH: usize = 76;

/// The text of a result: sentences with a line break every 76 characters or so, exactly `length` bytes of ASCII.
#[must_use]
pub fn text(length: usize) -> String {
    let mut text = String::with_capacity(length + 16);
    let mut line = 0;
    // Knuth's multiplier; any sequence without a short period would do.
    let mut state: u32 = 1;
    while text.len() < length {
        state = state.wrapping_mul(2_654_435_761).wrapping_add(12_345);
        let word = WORDS[(state >> 16) as usize % WORDS.len()];
        text.push_str(word);
        line += word.len() + 1;
        text.push(if line > LINE_WIDTH { '\n' } else { ' ' });
        if line > LINE_WIDTH {
            line = 0;
        }
    }
    text.truncate(length);
    text
}

/// How many bytes of text the work's tool answers with.
#[must_use]
pub fn text_length(work: Work) -> Option<usize> {
    match work {
        Work::Echo1k => Some(1024),
        Work::Echo64k => Some(64 * 1024),
        Work::ToolsList => None,
    }
}

/// The `result` member of the answer to `work`, as the schema of the era wants it.
#[must_use]
pub fn result(work: Work, era: Era) -> Value {
    let mut result = match text_length(work) {
        Some(length) => json!({"content": [{"type": "text", "text": text(length)}], "isError": false}),
        None => json!({"tools": tools()}),
    };
    if era == Era::Modern {
        result["resultType"] = json!("complete");
        if work == Work::ToolsList {
            result["ttlMs"] = json!(0);
            result["cacheScope"] = json!("private");
        }
    }
    result
}

/// All tools of the upstream: the two echo tools and 198 that look like those of real servers.
#[must_use]
pub fn tools() -> Vec<Value> {
    let mut tools = Vec::with_capacity(TOOL_COUNT);
    for (name, size) in [("echo_1k", "1 KiB"), ("echo_64k", "64 KiB")] {
        tools.push(json!({
            "name": name,
            "description": format!("Answers with {size} of text."),
            "inputSchema": {"type": "object", "properties": {"text": {"type": "string", "maxLength": 4096}},
                            "required": ["text"], "additionalProperties": false},
            "annotations": {"readOnlyHint": true},
        }));
    }
    for verb in VERBS {
        for noun in NOUNS {
            tools.push(tool(verb, noun));
        }
    }
    tools
}

/// A tool whose input schema has about 400 bytes, as in public servers.
fn tool(verb: &str, noun: &str) -> Value {
    json!({
        "name": format!("{verb}_{noun}"),
        "title": format!("{verb} {noun}"),
        "description": format!("Use this to {verb} {noun} of one project. Needs the project's id; the answer has one line for each entry."),
        "inputSchema": {
            "type": "object",
            "properties": {
                "project": {"type": "string", "description": "Id of the project", "minLength": 1, "maxLength": 64},
                "query": {"type": "string", "description": format!("Words that the {noun} must contain"), "maxLength": 256},
                "order": {"type": "string", "enum": ["newest", "oldest", "name"], "default": "newest"},
                "limit": {"type": "integer", "minimum": 1, "maximum": 100, "default": 20},
            },
            "required": ["project"],
            "additionalProperties": false,
        },
        "annotations": {"readOnlyHint": matches!(verb, "list" | "read" | "search" | "compare" | "count" | "describe")},
    })
}

/// The request for `work` with the id `FIRST_ID`, as a client of the era sends it.
#[must_use]
pub fn request(work: Work, era: Era) -> Value {
    let mut params = json!({});
    if let Some(tool) = work.tool() {
        params["name"] = json!(tool);
        params["arguments"] = json!({"text": "orders of the northern region, newest first"});
    }
    if era == Era::Modern {
        params["_meta"] = modern_meta();
    }
    json!({"jsonrpc": "2.0", "id": FIRST_ID, "method": work.method(), "params": params})
}

/// The `initialize` request of a legacy client.
#[must_use]
pub fn initialize() -> Value {
    let params = json!({"protocolVersion": Era::Legacy.revision(), "capabilities": {}, "clientInfo": client_info()});
    json!({"jsonrpc": "2.0", "id": FIRST_ID, "method": "initialize", "params": params})
}

/// The notification that ends a legacy handshake.
#[must_use]
pub fn initialized() -> Value {
    json!({"jsonrpc": "2.0", "method": "notifications/initialized"})
}

fn modern_meta() -> Value {
    json!({
        "io.modelcontextprotocol/protocolVersion": Era::Modern.revision(),
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": client_info(),
    })
}

fn client_info() -> Value {
    json!({"name": "stockade-bench", "version": env!("CARGO_PKG_VERSION")})
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::{TOOL_COUNT, text, tools};

    #[test]
    fn texts_have_the_promised_length_and_lines() {
        for length in [1, 1024, 65_536] {
            assert_eq!(text(length).len(), length);
        }
        let longest = text(65_536).lines().map(str::len).max();
        assert!(longest.is_some_and(|length| length < 100), "{longest:?}");
    }

    #[test]
    fn there_are_two_hundred_different_tools_with_realistic_schemas() {
        let tools = tools();
        let names: HashSet<_> = tools.iter().map(|tool| tool["name"].as_str().unwrap()).collect();
        assert_eq!((tools.len(), names.len()), (TOOL_COUNT, TOOL_COUNT));
        for tool in &tools[2..] {
            let size = tool["inputSchema"].to_string().len();
            assert!((350..=450).contains(&size), "{} has {size} bytes", tool["name"]);
        }
    }
}
