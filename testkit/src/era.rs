//! The two families of protocol revisions, and the headers that the modern one mirrors from the body.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

/// The stateless revision.
pub const MODERN: &str = "2026-07-28";

/// How a client speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Era {
    /// `initialize` first, in this revision.
    Legacy(&'static str),
    /// 2026-07-28: everything needed travels with each request.
    Modern,
}

impl Era {
    /// Every revision that Streamable HTTP carries.
    pub const OVER_HTTP: [Self; 4] =
        [Self::Legacy("2025-03-26"), Self::Legacy("2025-06-18"), Self::Legacy("2025-11-25"), Self::Modern];
    /// Every revision that stdio carries.
    pub const OVER_STDIO: [Self; 5] = [
        Self::Legacy("2024-11-05"),
        Self::Legacy("2025-03-26"),
        Self::Legacy("2025-06-18"),
        Self::Legacy("2025-11-25"),
        Self::Modern,
    ];

    /// The name of the revision.
    #[must_use]
    pub fn revision(self) -> &'static str {
        match self {
            Self::Legacy(revision) => revision,
            Self::Modern => MODERN,
        }
    }

    /// Is it the stateless one?
    #[must_use]
    pub fn is_modern(self) -> bool {
        self == Self::Modern
    }
}

/// What `Mcp-Name` repeats from the body, by method (MCP 2026-07-28 transports, SEP-2243).
#[must_use]
pub fn mirrored_name<'a>(method: &str, params: &'a Value) -> Option<&'a str> {
    let member = match method {
        "tools/call" | "prompts/get" => "name",
        "resources/read" => "uri",
        "tasks/get" | "tasks/update" | "tasks/cancel" => "taskId",
        _ => return None,
    };
    params.get(member)?.as_str()
}

/// A value as a mirrored header carries it: as it is, or behind the base64 sentinel.
#[must_use]
pub fn mirrored_value(value: &str) -> String {
    let is_plain = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_graphic()) && sentinel(value).is_none();
    if is_plain { value.to_owned() } else { format!("=?base64?{}?=", STANDARD.encode(value)) }
}

/// What a mirrored header says; `None` when its sentinel does not hold base64 of UTF-8.
pub(crate) fn unmirrored_value(header: &str) -> Option<String> {
    match sentinel(header) {
        Some(encoded) => String::from_utf8(STANDARD.decode(encoded).ok()?).ok(),
        None => Some(header.to_owned()),
    }
}

fn sentinel(header: &str) -> Option<&str> {
    header.strip_prefix("=?base64?")?.strip_suffix("?=")
}

#[cfg(test)]
mod tests {
    use super::{mirrored_value, unmirrored_value};

    #[test]
    fn a_mirrored_value_comes_back_as_it_was() {
        for value in ["read_file", "", " spaced", "löschen", "=?base64?eA==?=", "a\r\nb"] {
            let header = mirrored_value(value);
            assert!(header.bytes().all(|byte| byte.is_ascii_graphic()), "{header:?}");
            assert_eq!(unmirrored_value(&header).as_deref(), Some(value));
        }
        assert_eq!(mirrored_value("read_file"), "read_file");
        assert_eq!(mirrored_value("delete_file?"), "delete_file?");
        assert_eq!(unmirrored_value("=?base64?ZGVsZXRlX2ZpbGU=?=").as_deref(), Some("delete_file"));
        assert_eq!(unmirrored_value("=?base64?!!!?="), None);
    }
}
