//! Real conversations with the process over its standard streams, in both eras.

use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};
use testkit::{TempFolder, wait_until};

const PATIENCE: Duration = Duration::from_secs(30);
const MODERN: &str = "2026-07-28";
const LEGACY: [&str; 4] = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"];

/// The server as a process, and one client's side of the conversation.
struct Conversation {
    child: Child,
    input: Option<ChildStdin>,
    lines: Receiver<String>,
    modern: bool,
    _folder: TempFolder,
}

impl Conversation {
    fn start() -> Self {
        let folder = TempFolder::new();
        let mut command = Command::new(env!("CARGO_BIN_EXE_secure-server"));
        command.arg("--data").arg(folder.path().join("data")).env_clear();
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut child = command.spawn().unwrap();
        let (send, lines) = channel();
        let output = child.stdout.take().unwrap();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                drop(send.send(line));
            }
        });
        let input = child.stdin.take();
        Self { child, input, lines, modern: false, _folder: folder }
    }

    fn legacy(revision: &str) -> Self {
        let mut conversation = Self::start();
        let client = json!({ "name": "test", "version": "1" });
        let params = json!({ "protocolVersion": revision, "capabilities": {}, "clientInfo": client });
        let said = conversation.ask(0, "initialize", params);
        assert_eq!(said["result"]["protocolVersion"], revision, "{said}");
        assert_eq!(said["result"]["serverInfo"]["name"], "secure-mcp-server", "{said}");
        assert_eq!(said["result"]["serverInfo"]["version"], "1.0.0", "{said}");
        conversation.say(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }));
        conversation
    }

    fn modern() -> Self {
        let mut conversation = Self::start();
        conversation.modern = true;
        conversation
    }

    /// One in each revision.
    fn in_every_revision() -> Vec<Self> {
        LEGACY.into_iter().map(Self::legacy).chain([Self::modern()]).collect()
    }

    fn say(&mut self, message: &Value) {
        self.write(&message.to_string());
    }

    fn write(&mut self, line: &str) {
        writeln!(self.input.as_mut().unwrap(), "{line}").unwrap();
    }

    fn hear(&self) -> Value {
        serde_json::from_str(&self.lines.recv_timeout(PATIENCE).unwrap()).unwrap()
    }

    fn ask(&mut self, id: u32, method: &str, mut params: Value) -> Value {
        if self.modern {
            params["_meta"] = json!({
                "io.modelcontextprotocol/protocolVersion": MODERN,
                "io.modelcontextprotocol/clientInfo": { "name": "test", "version": "1" },
                "io.modelcontextprotocol/clientCapabilities": {},
            });
        }
        self.say(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }));
        let said = self.hear();
        assert_eq!(said["id"], id, "{said}");
        said
    }

    fn call(&mut self, arguments: &Value) -> Value {
        self.ask(7, "tools/call", json!({ "name": "secure_query", "arguments": arguments }))
    }

    /// Closes the server's input and gives its exit code.
    fn end(mut self) -> Option<i32> {
        drop(self.input.take());
        let mut code = None;
        let ended = wait_until(PATIENCE, || {
            code = self.child.try_wait().unwrap();
            code.is_some()
        });
        assert!(ended, "the server did not end");
        code.unwrap().code()
    }
}

impl Drop for Conversation {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[test]
fn the_tool_is_offered_as_the_guide_says() {
    for mut conversation in Conversation::in_every_revision() {
        let said = conversation.ask(1, "tools/list", json!({}));
        let tools = said["result"]["tools"].as_array().unwrap();
        assert_eq!(tools.len(), 1, "{said}");
        assert_eq!(tools[0]["name"], "secure_query");
        assert_eq!(tools[0]["description"], "Execute validated queries");
        assert_eq!(
            tools[0]["inputSchema"],
            json!({
                "type": "object",
                "properties": { "query": { "type": "string", "maxLength": 1000 } },
                "required": ["query"],
                "additionalProperties": false,
            })
        );
    }
}

#[test]
fn a_modern_client_discovers_the_server() {
    let mut conversation = Conversation::modern();
    let said = conversation.ask(1, "server/discover", json!({}));
    let result = &said["result"];
    let versions = result["supportedVersions"].as_array().unwrap();
    assert!(versions.contains(&json!(MODERN)) && versions.contains(&json!("2024-11-05")), "{said}");
    assert_eq!(result["_meta"]["io.modelcontextprotocol/serverInfo"]["name"], "secure-mcp-server", "{said}");
    assert!(result["capabilities"]["tools"].is_object(), "{said}");
}

#[test]
fn a_query_is_answered_in_every_revision() {
    for mut conversation in Conversation::in_every_revision() {
        let said = conversation.call(&json!({ "query": "SELECT name FROM planets WHERE id = 3" }));
        let expected = json!({ "columns": ["name"], "rows": [["Earth"]], "truncated": false });
        assert_eq!(said["result"]["structuredContent"], expected, "{said}");
        let text = said["result"]["content"][0]["text"].as_str().unwrap();
        assert_eq!(serde_json::from_str::<Value>(text).unwrap(), expected);
        assert_ne!(said["result"]["isError"], true);
        assert_eq!(conversation.end(), Some(0));
    }
}

#[test]
fn arguments_that_the_schema_refuses_never_run() {
    for mut conversation in Conversation::in_every_revision() {
        for arguments in [
            json!({}),
            json!({ "query": 1 }),
            json!({ "query": null }),
            json!({ "query": "x".repeat(1001) }),
            json!({ "query": "SELECT 1", "more": true }),
            json!([]),
            json!("SELECT 1"),
        ] {
            let said = conversation.call(&arguments);
            assert_eq!(said["error"]["code"], -32602, "{arguments}: {said}");
            assert_eq!(said["error"]["message"], "Invalid request format", "{arguments}: {said}");
        }
        let said = conversation.ask(8, "tools/call", json!({ "name": "secure_query" }));
        assert_eq!(said["error"]["message"], "Invalid request format", "{said}");
        let said = conversation.call(&json!({ "query": "\u{1f600}".repeat(1000) }));
        assert_eq!(said["result"]["isError"], true, "1000 characters pass the validation: {said}");
        let said = conversation.ask(9, "tools/call", json!({ "name": "other", "arguments": { "query": "SELECT 1" } }));
        assert_eq!(said["error"]["code"], -32602, "{said}");
    }
}

#[test]
fn members_that_come_twice_are_refused() {
    let mut conversation = Conversation::legacy("2025-11-25");
    conversation.write(
        "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"tools/call\",\"params\":{\"name\":\"secure_query\",\
         \"arguments\":{\"query\":\"SELECT 1\"},\"arguments\":{\"query\":\"SELECT 2\"}}}",
    );
    let said = conversation.hear();
    assert_eq!(said["error"]["message"], "Invalid request format", "{said}");
}

#[test]
fn a_refused_query_is_a_tool_error_that_says_why() {
    for mut conversation in [Conversation::legacy("2025-11-25"), Conversation::modern()] {
        let said = conversation.call(&json!({ "query": "ATTACH 'x' AS y" }));
        assert_eq!(said["result"]["isError"], true, "{said}");
        let text = said["result"]["content"][0]["text"].as_str().unwrap();
        assert!(text.starts_with("Permission denied"), "{text}");
    }
}

const ENDLESS: &str = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c";

#[test]
fn an_endless_query_says_timeout_and_the_server_lives() {
    let mut conversation = Conversation::modern();
    let start = Instant::now();
    let said = conversation.call(&json!({ "query": ENDLESS }));
    assert!(start.elapsed() >= Duration::from_millis(4900), "{:?}", start.elapsed());
    assert_eq!(said["result"]["isError"], true, "{said}");
    assert_eq!(said["result"]["content"][0]["text"], "Timeout", "{said}");
    let said = conversation.call(&json!({ "query": "SELECT 1" }));
    assert_eq!(said["result"]["structuredContent"]["rows"], json!([[1]]));
}

#[test]
fn a_cancelled_query_frees_its_turn() {
    let mut conversation = Conversation::legacy("2025-11-25");
    // As many as run at once; a fifth would have to wait for five seconds, were they not ended.
    for id in 100..104 {
        let params = json!({ "name": "secure_query", "arguments": { "query": ENDLESS } });
        conversation.say(&json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params }));
    }
    for id in 100..104 {
        let params = json!({ "requestId": id });
        conversation.say(&json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": params }));
    }
    let params = json!({ "name": "secure_query", "arguments": { "query": "SELECT 1" } });
    conversation.say(&json!({ "jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params }));
    let said = std::iter::repeat_with(|| conversation.hear()).find(|said| said["id"] == 7).unwrap();
    assert_eq!(said["result"]["structuredContent"]["rows"], json!([[1]]), "{said}");
}

#[test]
fn the_server_ends_when_its_input_does_and_the_last_query_has() {
    let mut conversation = Conversation::legacy("2025-11-25");
    let params = json!({ "name": "secure_query", "arguments": { "query": ENDLESS } });
    conversation.say(&json!({ "jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params }));
    assert_eq!(conversation.end(), Some(0));
}

#[test]
fn the_command_line_is_explained() {
    let output = Command::new(env!("CARGO_BIN_EXE_secure-server")).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "usage: secure-server --data DIR\n");
}
