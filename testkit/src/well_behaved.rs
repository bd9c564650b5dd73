//! A server that does everything right, in every revision, so that a case only writes down what is wrong.

mod answers;
mod control;
mod door;
mod tool;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::received::Received;
use crate::reply::Reply;
use crate::script::Script;

pub use control::Control;
pub use tool::{Call, Tool, text};

type Override = Box<dyn Fn(&Received, Reply) + Send + Sync>;
type Intercept = Box<dyn Fn(&Received, &Reply) -> bool + Send + Sync>;
type Edit = Box<dyn Fn(&mut Value, &Received) + Send + Sync>;

/// A correct MCP server with tools, resources and prompts. It also checks its client: sessions, revisions, mirrored
/// headers and `_meta` must be right, so a gateway that forwards carelessly is refused as by any strict server.
pub struct WellBehaved {
    name: String,
    tools: Vec<Tool>,
    resources: Vec<(Value, Value)>,
    templates: Vec<Value>,
    prompts: Vec<(Value, Value)>,
    instructions: Option<String>,
    revisions: Vec<&'static str>,
    page_size: usize,
    progress_steps: u64,
    longest_delay: Duration,
    always_stream: bool,
    intercepts: Vec<Intercept>,
    overrides: HashMap<String, Override>,
    edits: Vec<(String, Edit)>,
    control: Control,
}

impl WellBehaved {
    /// A server without anything to offer, that speaks every revision and answers at once, by JSON.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            tools: Vec::new(),
            resources: Vec::new(),
            templates: Vec::new(),
            prompts: Vec::new(),
            instructions: None,
            revisions: vec!["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25", crate::era::MODERN],
            page_size: usize::MAX,
            progress_steps: 0,
            longest_delay: Duration::ZERO,
            always_stream: false,
            intercepts: Vec::new(),
            overrides: HashMap::new(),
            edits: Vec::new(),
            control: Control::default(),
        }
    }

    /// The server `files` of the attack cases: `read_file`, `list_dir`, `write_file`, `delete_file`, each with `path`.
    #[must_use]
    pub fn files() -> Self {
        let path = json!({ "type": "object", "properties": { "path": { "type": "string" } }, "required": ["path"] });
        let with_content = json!({ "type": "object", "required": ["path", "content"],
            "properties": { "path": { "type": "string" }, "content": { "type": "string" } } });
        let echo = |call: &Call| text(&format!("{} {}", call.tool, call.arguments["path"].as_str().unwrap_or("")));
        Self::new("files")
            .tool(Tool::new("read_file", echo).describe("Reads a file.").schema(path.clone()))
            .tool(Tool::new("list_dir", echo).describe("Lists a folder.").schema(path.clone()))
            .tool(Tool::new("write_file", echo).describe("Writes a file.").schema(with_content))
            .tool(Tool::new("delete_file", echo).describe("Deletes a file.").schema(path))
    }

    /// Offers a tool.
    #[must_use]
    pub fn tool(mut self, tool: Tool) -> Self {
        self.tools.push(tool);
        self
    }

    /// Offers a text resource.
    #[must_use]
    pub fn resource(mut self, uri: &str, name: &str, content: &str) -> Self {
        let contents = json!([{ "uri": uri, "mimeType": "text/plain", "text": content }]);
        self.resources.push((json!({ "uri": uri, "name": name, "mimeType": "text/plain" }), contents));
        self
    }

    /// Offers a resource template.
    #[must_use]
    pub fn template(mut self, uri_template: &str, name: &str) -> Self {
        self.templates.push(json!({ "uriTemplate": uri_template, "name": name }));
        self
    }

    /// Offers a prompt of one user message.
    #[must_use]
    pub fn prompt(mut self, name: &str, message: &str) -> Self {
        let messages = json!([{ "role": "user", "content": { "type": "text", "text": message } }]);
        self.prompts.push((json!({ "name": name, "description": "A prompt." }), messages));
        self
    }

    /// Gives instructions to the client.
    #[must_use]
    pub fn instructions(mut self, instructions: &str) -> Self {
        self.instructions = Some(instructions.to_owned());
        self
    }

    /// Speaks only these revisions.
    #[must_use]
    pub fn revisions(mut self, revisions: &[&'static str]) -> Self {
        self.revisions = revisions.to_vec();
        self
    }

    /// Gives lists in pages of this size.
    #[must_use]
    pub fn pages_of(mut self, size: usize) -> Self {
        self.page_size = size.max(1);
        self
    }

    /// Sends that many progress notifications before the result, to whom asked for progress.
    #[must_use]
    pub fn progress(mut self, steps: u64) -> Self {
        self.progress_steps = steps;
        self
    }

    /// Waits a random while, up to `longest`, before each answer to an act; answers then come in any order.
    #[must_use]
    pub fn delays(mut self, longest: Duration) -> Self {
        self.longest_delay = longest;
        self
    }

    /// Answers requests over HTTP by event stream instead of JSON.
    #[must_use]
    pub fn by_event_stream(mut self) -> Self {
        self.always_stream = true;
        self
    }

    /// Sees everything first, unchecked. `true` means that it answered (or chose not to).
    #[must_use]
    pub fn intercept(mut self, take: impl Fn(&Received, &Reply) -> bool + Send + Sync + 'static) -> Self {
        self.intercepts.push(Box::new(take));
        self
    }

    /// Answers this method instead of us, after the protocol checks.
    #[must_use]
    pub fn on(mut self, method: &str, answer: impl Fn(&Received, Reply) + Send + Sync + 'static) -> Self {
        self.overrides.insert(method.to_owned(), Box::new(answer));
        self
    }

    /// Changes the correct result of a method just before it is sent.
    #[must_use]
    pub fn edit(mut self, method: &str, change: impl Fn(&mut Value, &Received) + Send + Sync + 'static) -> Self {
        self.edits.push((method.to_owned(), Box::new(change)));
        self
    }

    /// The handle for sending notifications and forgetting sessions while the server runs. Take it before the server
    /// is handed to an upstream.
    #[must_use]
    pub fn control(&self) -> Control {
        self.control.clone()
    }

    fn result_of(&self, method: &str, received: &Received, modern: bool) -> Result<Value, (i64, &'static str)> {
        let name = received.name();
        let list = |member: &str, items: Vec<Value>| Ok(self.page(member, items, received));
        let find = |held: &[(Value, Value)], key: &str| {
            held.iter().find(|(definition, _)| definition[key] == name).map(|(_, content)| content.clone())
        };
        match method {
            "tools/list" => list("tools", self.tools.iter().map(|tool| tool.definition.clone()).collect()),
            "resources/list" => list("resources", self.resources.iter().map(|(item, _)| item.clone()).collect()),
            "resources/templates/list" => list("resourceTemplates", self.templates.clone()),
            "prompts/list" => list("prompts", self.prompts.iter().map(|(item, _)| item.clone()).collect()),
            "resources/read" => find(&self.resources, "uri")
                .map(|contents| json!({ "contents": contents }))
                .ok_or((if modern { -32602 } else { -32002 }, "Resource not found")),
            "prompts/get" => find(&self.prompts, "name")
                .map(|messages| json!({ "messages": messages }))
                .ok_or((-32602, "Unknown prompt")),
            "completion/complete" => Ok(json!({ "completion": { "values": [], "hasMore": false } })),
            "server/discover" if modern => Ok(self.discovery()),
            "ping" | "logging/setLevel" | "resources/subscribe" | "resources/unsubscribe" if !modern => Ok(json!({})),
            _ => Err((-32601, "Method not found")),
        }
    }

    fn page(&self, member: &str, items: Vec<Value>, received: &Received) -> Value {
        let from = received.params()["cursor"].as_str().and_then(|cursor| cursor.parse().ok()).unwrap_or(0);
        let rest = items.get(from..).unwrap_or_default();
        let mut result = Map::new();
        result.insert(member.to_owned(), rest.iter().take(self.page_size).cloned().collect());
        if rest.len() > self.page_size {
            result.insert("nextCursor".to_owned(), json!((from + self.page_size).to_string()));
        }
        Value::Object(result)
    }

    fn discovery(&self) -> Value {
        let mut result = json!({ "supportedVersions": self.revisions, "capabilities": self.capabilities(true) });
        if let Some(instructions) = &self.instructions {
            result["instructions"] = json!(instructions);
        }
        result
    }

    fn capabilities(&self, modern: bool) -> Value {
        let mut held = json!({});
        if !self.tools.is_empty() {
            held["tools"] = json!({ "listChanged": true });
        }
        if !self.resources.is_empty() || !self.templates.is_empty() {
            held["resources"] = json!({ "listChanged": true, "subscribe": true });
        }
        if !self.prompts.is_empty() {
            held["prompts"] = json!({ "listChanged": true });
        }
        if !modern {
            held["logging"] = json!({});
        }
        held
    }
}

impl Script for WellBehaved {
    fn on_message(&self, received: &Received, reply: Reply) {
        if self.intercepts.iter().any(|take| take(received, &reply)) {
            return;
        }
        match door::Errand::of(self, received) {
            Ok(errand) => answers::answer(self, received, reply, errand),
            Err(refusal) => refusal.send(received, &reply),
        }
    }
}

/// Keeps one script in the hands of the test and of the upstream.
impl<S: Script> Script for Arc<S> {
    fn on_message(&self, received: &Received, reply: Reply) {
        (**self).on_message(received, reply);
    }

    fn on_start(&self, reply: &Reply) {
        (**self).on_start(reply);
    }

    fn on_end_of_input(&self, reply: &Reply) {
        (**self).on_end_of_input(reply);
    }
}
