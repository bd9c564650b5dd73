//! A client of a stdio server, which is `stockade wrap -- …` in most cases.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{Caller, PATIENCE, initialize_params, with_meta};
use crate::answer::Answer;
use crate::era::Era;
use crate::folder::TempFolder;
use crate::process::{Signal, signal, wait_until};

/// How long a process may take to leave by itself when the client is dropped.
const LEAVE_LIMIT: Duration = Duration::from_secs(2);

#[derive(Debug, Default)]
struct Output {
    lines: Vec<Vec<u8>>,
    ended: bool,
}

/// Bytes for standard input, and where to say whether they were taken.
type Writing = (Vec<u8>, Sender<bool>);

/// A started server process with its three streams. Killed by its own id on drop.
#[derive(Debug)]
pub struct StdioClient {
    child: Mutex<Child>,
    pid: u32,
    input: Mutex<Option<Sender<Writing>>>,
    output: Arc<(Mutex<Output>, Condvar)>,
    diagnostics: TempFolder,
    era: Era,
    next_id: AtomicI64,
    /// How long to wait for an answer.
    pub patience: Duration,
}

impl StdioClient {
    /// Starts `command` and, in the legacy era, initialises.
    ///
    /// # Panics
    /// When it cannot be started or the handshake fails.
    #[must_use]
    #[track_caller]
    pub fn connect(command: &[String], environment: &[(String, String)], era: Era) -> Self {
        let client = Self::unopened(command, environment, era);
        if !era.is_modern() {
            let answer = client.request("initialize", initialize_params(era));
            assert_eq!(answer.result()["protocolVersion"], era.revision(), "{answer}; stderr: {}", client.stderr());
            client.notify("notifications/initialized", json!({}));
        }
        client
    }

    /// Starts `command` and says nothing yet. The process gets `PATH` and `environment`, nothing else.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn unopened(command: &[String], environment: &[(String, String)], era: Era) -> Self {
        let (program, arguments) = command.split_first().expect("a command");
        let diagnostics = TempFolder::new();
        let stderr = std::fs::File::create(stderr_path(&diagnostics)).expect("a file for stderr");
        let mut start = Command::new(program);
        start.args(arguments).env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        start.env("HOME", diagnostics.path()).envs(environment.iter().cloned());
        start.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(stderr);
        let mut child = start.spawn().unwrap_or_else(|cause| panic!("start {program}: {cause}"));
        let stdout = child.stdout.take().expect("stdout");
        let output = Arc::<(Mutex<Output>, Condvar)>::default();
        let shared = Arc::clone(&output);
        std::thread::spawn(move || {
            let mut reader = BufReader::new(stdout);
            let mut line = Vec::new();
            while reader.read_until(b'\n', &mut line).is_ok_and(|count| count > 0) {
                shared.0.lock().expect("output").lines.push(std::mem::take(&mut line));
                shared.1.notify_all();
            }
            shared.0.lock().expect("output").ended = true;
            shared.1.notify_all();
        });
        Self {
            pid: child.id(),
            input: Mutex::new(Some(start_writing(child.stdin.take().expect("stdin")))),
            child: Mutex::new(child),
            output,
            diagnostics,
            era,
            next_id: AtomicI64::new(1),
            patience: PATIENCE,
        }
    }

    /// Writes bytes as they are. Says whether the process took them all within `patience`.
    pub fn send_raw(&self, bytes: impl AsRef<[u8]>) -> bool {
        let (taken, is_taken) = channel();
        let writing = (bytes.as_ref().to_vec(), taken);
        let is_queued = self.input.lock().expect("input").as_ref().is_some_and(|input| input.send(writing).is_ok());
        is_queued && is_taken.recv_timeout(self.patience).unwrap_or(false)
    }

    /// Writes a message and a line feed.
    pub fn send(&self, message: &Value) -> bool {
        self.send_raw(format!("{message}\n"))
    }

    /// A correct request, to be bent and sent. Its id is in it.
    #[must_use]
    pub fn prepare(&self, method: &str, params: Value) -> Value {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": with_meta(self.era, params) })
    }

    /// Closes standard input.
    pub fn close_input(&self) {
        *self.input.lock().expect("input") = None;
    }

    /// Every line so far, with its line feed.
    #[must_use]
    pub fn lines(&self) -> Vec<Vec<u8>> {
        self.output.0.lock().expect("output").lines.clone()
    }

    /// Waits until there are more than `seen` lines, and gives line number `seen`; `None` at the end of output.
    ///
    /// # Panics
    /// When nothing came within `limit`.
    #[must_use]
    #[track_caller]
    pub fn line(&self, seen: usize, limit: Duration) -> Option<Vec<u8>> {
        let found =
            self.wait(limit, |output| output.lines.get(seen).cloned().map(Some).or(output.ended.then_some(None)));
        found.unwrap_or_else(|| panic!("no line within {limit:?}; stderr: {}", self.stderr()))
    }

    /// Waits for the answer to `id`; with it comes everything that was said since `seen` lines and is no other answer.
    ///
    /// # Panics
    /// When it did not come within `patience`.
    #[must_use]
    #[track_caller]
    pub fn answer(&self, id: &Value, seen: usize) -> Answer {
        let is_answer = |line: &Vec<u8>| {
            let message: Value = serde_json::from_slice(line).unwrap_or_default();
            message.get("method").is_none() && message.get("id") == Some(id)
        };
        let found = self.wait(self.patience, |output| {
            let new = output.lines.get(seen..).unwrap_or_default();
            new.iter().position(is_answer).map(|at| new[..=at].to_vec())
        });
        let lines = found.unwrap_or_else(|| {
            let said = String::from_utf8_lossy(&self.lines().concat()).into_owned();
            panic!("no answer to {id} within {:?}; stdout: {said}; stderr: {}", self.patience, self.stderr())
        });
        let of_this = |message: &Value| message.get("method").is_some() || message.get("id") == Some(id);
        let messages = lines.iter().filter_map(|line| serde_json::from_slice(line).ok()).filter(of_this).collect();
        Answer { head: None, messages, raw: lines.concat() }
    }

    /// The process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Sends a signal to it.
    pub fn signal(&self, kind: Signal) {
        signal(self.pid, kind);
    }

    /// Waits for its end; `None` when it still runs after `limit`.
    #[must_use]
    pub fn exit(&self, limit: Duration) -> Option<ExitStatus> {
        let mut status = None;
        wait_until(limit, || {
            status = self.child.lock().expect("child").try_wait().ok().flatten();
            status.is_some()
        });
        status
    }

    fn wait<T>(&self, limit: Duration, found: impl Fn(&Output) -> Option<T>) -> Option<T> {
        let deadline = Instant::now() + limit;
        let mut output = self.output.0.lock().expect("output");
        loop {
            let value = found(&output);
            let left = deadline.saturating_duration_since(Instant::now());
            if value.is_some() || left.is_zero() {
                return value;
            }
            output = self.output.1.wait_timeout(output, left).expect("output").0;
        }
    }
}

impl Caller for StdioClient {
    #[track_caller]
    fn request(&self, method: &str, params: Value) -> Answer {
        let message = self.prepare(method, params);
        let seen = self.output.0.lock().expect("output").lines.len();
        self.send(&message);
        self.answer(&message["id"], seen)
    }

    fn notify(&self, method: &str, params: Value) {
        self.send(&json!({ "jsonrpc": "2.0", "method": method, "params": with_meta(self.era, params) }));
    }

    fn era(&self) -> Era {
        self.era
    }

    fn pid(&self) -> Option<u32> {
        Some(self.pid)
    }

    fn stderr(&self) -> String {
        let bytes = std::fs::read(stderr_path(&self.diagnostics)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Drop for StdioClient {
    fn drop(&mut self) {
        self.close_input();
        if self.exit(LEAVE_LIMIT).is_none() {
            let mut child = self.child.lock().expect("child");
            drop(child.kill());
            drop(child.wait());
        }
    }
}

/// A process that does not read must not hang the test: a thread of its own does the writing.
fn start_writing(mut pipe: ChildStdin) -> Sender<Writing> {
    let (send, writings) = channel::<Writing>();
    std::thread::spawn(move || {
        for (bytes, taken) in writings {
            let is_taken = pipe.write_all(&bytes).and_then(|()| pipe.flush()).is_ok();
            // Who asked may have lost patience.
            let _nobody_waits = taken.send(is_taken);
        }
    });
    send
}

fn stderr_path(folder: &TempFolder) -> std::path::PathBuf {
    Path::new(folder.path()).join("stderr")
}
