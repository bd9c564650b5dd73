//! Builds `stockade.toml` for a case.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::upstream::ServerEntry;

/// A configuration; every method sets one thing. Values are JSON and written as TOML (1.2, 7, true, "x", ["x"]).
#[derive(Debug, Clone, Default)]
pub struct Config {
    gateway: BTreeMap<String, Value>,
    tables: BTreeMap<String, BTreeMap<String, Value>>,
    permits: Vec<Permit>,
    extra: String,
}

/// One `[[permit]]`: who may do what. Lists that were not given are left out.
#[derive(Debug, Clone, Default)]
pub struct Permit {
    members: BTreeMap<&'static str, Vec<String>>,
}

impl Permit {
    /// An empty one, which permits nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Everybody may do everything with these servers.
    #[must_use]
    pub fn everything_on(server: &str) -> Self {
        let all = ["*"];
        Self::new().servers(&[server]).callers(&all).tools(&all).resources(&all).prompts(&all)
    }

    /// The callers it is for.
    #[must_use]
    pub fn callers(self, names: &[&str]) -> Self {
        self.with("callers", names)
    }

    /// The servers it is about.
    #[must_use]
    pub fn servers(self, names: &[&str]) -> Self {
        self.with("servers", names)
    }

    /// The tools that may be called.
    #[must_use]
    pub fn tools(self, names: &[&str]) -> Self {
        self.with("tools", names)
    }

    /// The resources that may be read.
    #[must_use]
    pub fn resources(self, uris: &[&str]) -> Self {
        self.with("resources", uris)
    }

    /// The prompts that may be got.
    #[must_use]
    pub fn prompts(self, names: &[&str]) -> Self {
        self.with("prompts", names)
    }

    /// What the server may ask of the client: `sampling`, `elicitation`, `roots`.
    #[must_use]
    pub fn from_server(self, kinds: &[&str]) -> Self {
        self.with("from_server", kinds)
    }

    fn with(mut self, member: &'static str, values: &[&str]) -> Self {
        self.members.insert(member, values.iter().map(|value| (*value).to_owned()).collect());
        self
    }
}

impl Config {
    /// Listens on a free port of 127.0.0.1; everything else is the product's default.
    #[must_use]
    pub fn new() -> Self {
        Self::default().gateway("listen", json!("127.0.0.1:0"))
    }

    /// Sets a member of `[gateway]`.
    #[must_use]
    pub fn gateway(mut self, member: &str, value: Value) -> Self {
        self.gateway.insert(member.to_owned(), value);
        self
    }

    /// Sets the profile: `sandbox`, `internal`, `production` or `regulated`.
    #[must_use]
    pub fn profile(self, profile: &str) -> Self {
        self.gateway("profile", json!(profile))
    }

    /// Adds an upstream.
    #[must_use]
    pub fn server(self, name: &str, entry: &ServerEntry) -> Self {
        match entry {
            ServerEntry::Url(url) => self.set(&["servers", name], "url", json!(url)),
            ServerEntry::Command(command) => self.set(&["servers", name], "command", json!(command)),
        }
    }

    /// Sets a member of `[servers.NAME]`.
    #[must_use]
    pub fn server_setting(self, server: &str, member: &str, value: Value) -> Self {
        self.set(&["servers", server], member, value)
    }

    /// Sets a member of `[servers.NAME.tools.TOOL]`, such as `effect` or `deadline`.
    #[must_use]
    pub fn tool(self, server: &str, tool: &str, member: &str, value: Value) -> Self {
        self.set(&["servers", server, "tools", tool], member, value)
    }

    /// Sets a member of `[limits]`.
    #[must_use]
    pub fn limit(self, member: &str, value: Value) -> Self {
        self.set(&["limits"], member, value)
    }

    /// Sets a member of any table.
    #[must_use]
    pub fn set(mut self, table: &[&str], member: &str, value: Value) -> Self {
        let name = table.iter().map(|part| quoted(part)).collect::<Vec<_>>().join(".");
        self.tables.entry(name).or_default().insert(member.to_owned(), value);
        self
    }

    /// Adds a `[[permit]]`.
    #[must_use]
    pub fn permit(mut self, permit: Permit) -> Self {
        self.permits.push(permit);
        self
    }

    /// Was a permit added?
    #[must_use]
    pub fn has_permits(&self) -> bool {
        !self.permits.is_empty()
    }

    /// Adds text as it is at the end.
    #[must_use]
    pub fn append(mut self, toml: &str) -> Self {
        self.extra.push_str(toml);
        self.extra.push('\n');
        self
    }

    /// The file's text.
    #[must_use]
    pub fn to_toml(&self) -> String {
        let mut text = String::from("[gateway]\n");
        let write = |members: &BTreeMap<String, Value>| -> String {
            members.iter().map(|(member, value)| format!("{} = {}\n", quoted(member), toml_value(value))).collect()
        };
        text.push_str(&write(&self.gateway));
        for (name, members) in &self.tables {
            text.push_str(&format!("\n[{name}]\n{}", write(members)));
        }
        for permit in &self.permits {
            text.push_str("\n[[permit]]\n");
            for (member, values) in &permit.members {
                text.push_str(&format!("{member} = {}\n", toml_value(&json!(values))));
            }
        }
        text.push('\n');
        text.push_str(&self.extra);
        text
    }
}

/// A bare key where that is enough (TOML 1.0 "Keys").
fn quoted(key: &str) -> String {
    let is_bare = !key.is_empty() && key.chars().all(|letter| letter.is_ascii_alphanumeric() || "-_".contains(letter));
    if is_bare { key.to_owned() } else { json!(key).to_string() }
}

/// JSON strings, numbers, booleans and arrays are TOML already; objects become inline tables.
fn toml_value(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let pairs = members.iter().map(|(key, value)| format!("{} = {}", quoted(key), toml_value(value)));
            format!("{{ {} }}", pairs.collect::<Vec<_>>().join(", "))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(toml_value).collect::<Vec<_>>().join(", ")),
        Value::Null => panic!("TOML has no null"),
        plain => plain.to_string().replace('\u{7f}', "\\u007F"),
    }
}

#[cfg(test)]
mod tests {
    use super::{Config, Permit};
    use crate::upstream::ServerEntry;
    use serde_json::json;

    #[test]
    fn the_text_is_the_configuration_that_was_asked_for() {
        let config = Config::new()
            .profile("production")
            .server("files", &ServerEntry::Command(vec!["relay".into(), "4\"1".into()]))
            .server("db", &ServerEntry::Url("http://127.0.0.1:1/mcp".into()))
            .tool("files", "delete_file", "effect", json!("destructive"))
            .tool("files", "a.b", "deadline", json!("2s"))
            .limit("calls_per_minute", json!(100))
            .permit(Permit::new().callers(&["alice"]).servers(&["files"]).tools(&["*"]).from_server(&["roots"]));
        let expected = r#"[gateway]
listen = "127.0.0.1:0"
profile = "production"

[limits]
calls_per_minute = 100

[servers.db]
url = "http://127.0.0.1:1/mcp"

[servers.files]
command = ["relay", "4\"1"]

[servers.files.tools."a.b"]
deadline = "2s"

[servers.files.tools.delete_file]
effect = "destructive"

[[permit]]
callers = ["alice"]
from_server = ["roots"]
servers = ["files"]
tools = ["*"]

"#;
        assert_eq!(config.to_toml(), expected);
    }
}
