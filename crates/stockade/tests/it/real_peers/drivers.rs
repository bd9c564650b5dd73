//! The official clients as programs: `fixtures/node/client-ts2.mjs`, `client-ts1.mjs` and `fixtures/python/client.py`.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use testkit::TempFolder;

/// Longest life of one driver; its own limit for one call is shorter.
const DRIVER_LIMIT: Duration = Duration::from_secs(60);

/// A client implementation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Client {
    /// The official TypeScript client, 2.x.
    TypeScript2,
    /// The official TypeScript SDK, 1.x.
    TypeScript1,
    /// The official Python client.
    Python,
}

/// What a client is told about eras.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EraChoice {
    /// To find out what the server speaks.
    Auto,
    /// To shake hands.
    Legacy,
}

/// How a client reaches its server.
#[derive(Debug, Clone)]
pub(super) enum Door {
    /// As its child.
    Stdio(Vec<String>),
    /// URL and key.
    Http(String, String),
}

/// Everything that one run of a client printed.
#[derive(Debug)]
pub(super) struct Saying {
    lines: Vec<Value>,
    stderr: String,
}

/// A client at work. Killed by its own id on drop.
pub(super) struct Running {
    child: Child,
    lines: Receiver<String>,
    folder: TempFolder,
    deadline: Instant,
}

impl Client {
    pub(super) const ALL: [Self; 3] = [Self::TypeScript2, Self::TypeScript1, Self::Python];

    /// The eras to try with a server that speaks the legacy one, and perhaps the modern one, too.
    pub(super) fn eras(self, server_is_modern: bool) -> &'static [EraChoice] {
        match (self, server_is_modern) {
            (Self::TypeScript1, _) => &[EraChoice::Legacy],
            (_, true) => &[EraChoice::Auto, EraChoice::Legacy],
            (_, false) => &[EraChoice::Auto],
        }
    }

    /// Whether it ends up in the modern era with a server that speaks it.
    pub(super) fn speaks_modern(self, era: EraChoice) -> bool {
        self != Self::TypeScript1 && era == EraChoice::Auto
    }

    /// Makes the calls and waits for the end.
    #[track_caller]
    pub(super) fn drive(self, door: &Door, era: EraChoice, calls: &Value, root: &Path) -> Saying {
        let mut running = self.start(door, era, calls, root);
        let lines = running.rest();
        let stderr = running.stderr();
        let lines = lines.iter().map(|line| {
            serde_json::from_str(line).unwrap_or_else(|_| {
                // The 2.x client says on standard output what it does not ask for.
                json!({ "remark": line })
            })
        });
        Saying { lines: lines.collect(), stderr }
    }

    /// Starts to make the calls. The client's one root is the folder `root`.
    #[track_caller]
    pub(super) fn start(self, door: &Door, era: EraChoice, calls: &Value, root: &Path) -> Running {
        let folder = TempFolder::new();
        let file = folder.write("calls.json", calls.to_string());
        let mut command = match self {
            Self::TypeScript2 => script(&node(), "node/client-ts2.mjs"),
            Self::TypeScript1 => script(&node(), "node/client-ts1.mjs"),
            Self::Python => script(&python("python"), "python/client.py"),
        };
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("HOME", folder.path());
        let era = if era == EraChoice::Auto { "auto" } else { "legacy" };
        command.arg("--calls").arg(file).args(["--era", era, "--notifications"]);
        command.arg("--root").arg(format!("file://{}", root.display()));
        match door {
            Door::Stdio(server) => command.arg("--stdio").args(server),
            Door::Http(url, key) => command.args(["--url", url, "--key", key]),
        };
        let stderr = std::fs::File::create(folder.path().join("stderr")).expect("a file for stderr");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(stderr);
        let mut child = command.spawn().expect("start the client");
        let stdout = BufReader::new(child.stdout.take().expect("stdout"));
        let (send, lines) = channel();
        std::thread::spawn(move || stdout.lines().map_while(Result::ok).try_for_each(|line| send.send(line)));
        Running { child, lines, folder, deadline: Instant::now() + DRIVER_LIMIT }
    }
}

impl Running {
    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits for a line with `text` in it.
    #[track_caller]
    pub(super) fn wait_for_line(&mut self, text: &str) {
        while let Some(line) = self.line() {
            if line.contains(text) {
                return;
            }
        }
        panic!("the client ended without {text}: {}", self.stderr());
    }

    #[track_caller]
    fn rest(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.line()).collect()
    }

    #[track_caller]
    fn line(&mut self) -> Option<String> {
        use std::sync::mpsc::RecvTimeoutError;
        match self.lines.recv_timeout(self.deadline.saturating_duration_since(Instant::now())) {
            Ok(line) => Some(line),
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => panic!("the client did not end in time: {}", self.stderr()),
        }
    }

    fn stderr(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("stderr")).unwrap_or_default()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Saying {
    /// The connection and each call, in order.
    pub(super) fn results(&self) -> Vec<Value> {
        self.lines.iter().filter(|line| line.get("op").is_some()).cloned().collect()
    }

    /// Each notification once, sorted: when they arrive between the answers is up to chance.
    pub(super) fn notifications(&self) -> Vec<String> {
        let mut said: Vec<String> = self
            .lines
            .iter()
            .filter(|line| line.get("notification").is_some() && !is_last_progress(line))
            .map(Value::to_string)
            .collect();
        said.sort();
        said.dedup();
        said
    }

    /// Fails unless `other` got the same answers and was told the same.
    #[track_caller]
    pub(super) fn assert_same(&self, other: &Self, what: &str) {
        let (own, others) = (self.results(), other.results());
        for (own, other_one) in own.iter().zip(&others) {
            assert_eq!(own, other_one, "{what}: stderr: {}", other.stderr);
        }
        assert_eq!(own.len(), others.len(), "{what}: stderr: {}", other.stderr);
        assert_eq!(self.notifications(), other.notifications(), "{what}");
    }
}

/// Progress that comes in one read with the answer: the clients have then forgotten, or not yet, who asked for it.
fn is_last_progress(line: &Value) -> bool {
    let params = &line["params"];
    line["notification"] == "notifications/progress" && params["progress"] == params["total"]
}

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the workspace")
}

fn script(runtime: &Path, name: &str) -> Command {
    let mut command = Command::new(runtime);
    command.arg(workspace().join("fixtures").join(name));
    command
}

#[track_caller]
fn installed(path: &str) -> PathBuf {
    let path = workspace().join(".test-deps").join(path);
    assert!(path.exists(), "`{}` is not there: run `cargo xtask deps`", path.display());
    path
}

/// The pinned Node.
#[track_caller]
pub(super) fn node() -> PathBuf {
    let machine = if cfg!(target_arch = "aarch64") { "arm64" } else { "x64" };
    installed(&format!("node22/node_modules/node-linux-{machine}/bin/node"))
}

/// A stock server from npm, as the file that Node runs.
#[track_caller]
pub(super) fn node_server(name: &str) -> PathBuf {
    installed(&format!("node/node_modules/@modelcontextprotocol/{name}/dist/index.js"))
}

/// A program of the pinned Python environment.
#[track_caller]
pub(super) fn python(name: &str) -> PathBuf {
    installed(&format!("python/bin/{name}"))
}
