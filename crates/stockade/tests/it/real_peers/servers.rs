//! The stock servers, each with the calls that are made to it.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use testkit::TempFolder;

use super::drivers::{Saying, node, node_server, python};

/// A resource that the server `everything` does not have.
const UNLISTED: &str = "demo://no/such/thing";

/// The servers' common surroundings: a folder with a file, a repository and a memory in it.
pub(super) struct Servers {
    folder: TempFolder,
}

/// One server.
pub(super) struct Server {
    pub(super) command: Vec<String>,
    /// Whether it speaks 2026-07-28 beside the legacy revisions.
    pub(super) is_modern: bool,
    pub(super) calls: Value,
    /// What has to be somewhere in the answers, so that equal failures do not pass.
    telling: &'static [&'static str],
}

impl Servers {
    pub(super) fn new() -> Self {
        let folder = TempFolder::new();
        folder.write("note.txt", "a note, é\n");
        let memory = r#"{"type":"entity","name":"Ada","entityType":"person","observations":["wrote a note"]}"#;
        folder.write("memory.jsonl", memory);
        let git = |arguments: &[&str]| {
            let mut command = Command::new("git");
            command.current_dir(folder.path()).env("HOME", folder.path()).args(arguments);
            let date = "2026-01-01T00:00:00Z";
            command.env("GIT_AUTHOR_DATE", date).env("GIT_COMMITTER_DATE", date).env("GIT_CONFIG_NOSYSTEM", "1");
            let output = command.output().expect("start git");
            assert!(output.status.success(), "git {arguments:?}: {output:?}");
        };
        git(&["init", "--quiet", "--initial-branch=main", "repository"]);
        let inside = ["-C", "repository", "-c", "user.name=tester", "-c", "user.email=tester@example.com"];
        git(&[&inside[..], &["commit", "--quiet", "--allow-empty", "--message", "first"]].concat());
        Self { folder }
    }

    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    pub(super) fn of(&self, name: &str) -> Server {
        match name {
            "files" => self.files(),
            "everything" => Self::everything(),
            "memory" => self.memory(),
            "time" => Self::time(),
            "git" => self.git(),
            unknown => panic!("no server {unknown}"),
        }
    }

    fn files(&self) -> Server {
        let calls = json!([
            { "op": "list_tools" },
            call("read_text_file", json!({ "path": self.path("note.txt") })),
            call("write_file", json!({ "path": self.path("written.txt"), "content": "\u{e9}\n" })),
            call("read_text_file", json!({ "path": "/etc/hostname" })),
            call("list_allowed_directories", json!({})),
            { "op": "ping" },
        ]);
        let command = on_node("server-filesystem", &[&self.path("")]);
        Server { command, is_modern: false, calls, telling: &["a note, é", "Successfully wrote", "Access denied"] }
    }

    fn everything() -> Server {
        let document = "demo://resource/static/document/features.md";
        let calls = json!([
            { "op": "list_tools" },
            { "op": "list_resources" },
            { "op": "list_resource_templates" },
            { "op": "list_prompts" },
            call("echo", json!({ "message": "hello \u{1f980}" })),
            call("get-sum", json!({ "a": 1, "b": 2.5 })),
            call("get-structured-content", json!({ "location": "Chicago" })),
            call("get-tiny-image", json!({})),
            call("get-annotated-message", json!({ "messageType": "error", "includeImage": true })),
            { "op": "call_tool", "name": "trigger-long-running-operation", "arguments": { "duration": 0.4, "steps": 4 },
              "progress": true },
            call("trigger-sampling-request", json!({ "prompt": "a prompt" })),
            call("trigger-elicitation-request", json!({})),
            call("get-roots-list", json!({})),
            { "op": "set_level", "level": "debug" },
            { "op": "subscribe", "uri": document },
            call("toggle-subscriber-updates", json!({})),
            call("toggle-subscriber-updates", json!({})),
            { "op": "unsubscribe", "uri": document },
            { "op": "read_resource", "uri": document },
            { "op": "read_resource", "uri": UNLISTED },
            { "op": "get_prompt", "name": "args-prompt", "arguments": { "city": "Paris" } },
            { "op": "complete", "ref": { "type": "ref/prompt", "name": "completable-prompt" },
              "argument": { "name": "department", "value": "E" } },
            call("no-such-tool", json!({})),
        ]);
        let telling = &[
            "Echo: hello \u{1f980}",
            "notifications/progress",
            "notifications/message",
            "notifications/resources/updated",
            "a fixed answer",
            "User provided the requested information",
            "Current MCP Roots (1 total)",
            "Engineering",
        ];
        Server { command: on_node("server-everything", &[]), is_modern: false, calls, telling }
    }

    /// Reading only: the three doors are used at once, and the server keeps its memory in one file.
    fn memory(&self) -> Server {
        let calls = json!([
            { "op": "list_tools" },
            call("read_graph", json!({})),
            call("search_nodes", json!({ "query": "note" })),
            call("open_nodes", json!({ "names": ["Ada", "nobody"] })),
        ]);
        let mut command = vec!["env".to_owned(), format!("MEMORY_FILE_PATH={}", self.path("memory.jsonl"))];
        command.extend(on_node("server-memory", &[]));
        Server { command, is_modern: false, calls, telling: &["wrote a note"] }
    }

    fn time() -> Server {
        let convert = |zone: &str| {
            call("convert_time", json!({ "source_timezone": zone, "time": "12:00", "target_timezone": "Asia/Tokyo" }))
        };
        let calls = json!([{ "op": "list_tools" }, convert("Etc/UTC"), convert("No/Where")]);
        let command = vec![text(&python("mcp-server-time")), "--local-timezone".to_owned(), "Etc/UTC".to_owned()];
        Server { command, is_modern: true, calls, telling: &["T21:00:00+09:00", "No time zone found"] }
    }

    fn git(&self) -> Server {
        let repository = self.path("repository");
        let calls = json!([
            { "op": "list_tools" },
            { "op": "list_prompts" },
            call("git_status", json!({ "repo_path": repository })),
            call("git_log", json!({ "repo_path": repository, "max_count": 1 })),
            call("git_status", json!({ "repo_path": self.path("elsewhere") })),
        ]);
        let command = vec![text(&python("mcp-server-git")), "--repository".to_owned(), repository];
        Server { command, is_modern: true, calls, telling: &["nothing to commit", "Message: first"] }
    }
}

impl Server {
    /// The calls that act on the one server and do not look round. Not the resource that no server lists: where
    /// several might have it, nobody is asked.
    pub(super) fn acts(&self) -> Vec<Value> {
        let acts = ["call_tool", "read_resource", "get_prompt", "complete"];
        let is_act = |call: &&Value| acts.iter().any(|act| call["op"] == *act) && call["uri"] != UNLISTED;
        self.calls.as_array().into_iter().flatten().filter(is_act).cloned().collect()
    }

    /// Fails unless each call was made and the answers hold what the server is known for.
    #[track_caller]
    pub(super) fn assert_worked(&self, saying: &Saying, what: &str) {
        let results = saying.results();
        assert_eq!(results.len(), 1 + self.calls.as_array().map_or(0, Vec::len), "{what}: {saying:?}");
        let everything = format!("{}{}", json!(results), saying.notifications().concat());
        for telling in self.telling {
            assert!(everything.contains(telling), "{what}: {telling} is missing in {everything}");
        }
    }
}

fn call(name: &str, arguments: Value) -> Value {
    json!({ "op": "call_tool", "name": name, "arguments": arguments })
}

fn on_node(server: &str, arguments: &[&str]) -> Vec<String> {
    let mut command = vec![text(&node()), text(&node_server(server))];
    command.extend(arguments.iter().map(|argument| (*argument).to_owned()));
    command
}

fn text(path: &Path) -> String {
    path.display().to_string()
}
