//! A scripted MCP server behind the gateway, over HTTP or as a child process.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::http_text::{BODY_LIMIT_BYTES, ByteStream, WRITE_DEADLINE};
use crate::received::{HttpPart, Received, Transport};
use crate::recorder::Recorder;
use crate::relay::{self, Report};
use crate::reply::Reply;
use crate::script::Script;
use crate::timer::Timer;

/// Longest life of one connection.
const LINK_LIFETIME: Duration = Duration::from_secs(900);

/// How a configuration names an upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServerEntry {
    /// `url = "…"`
    Url(String),
    /// `command = ["…"]`
    Command(Vec<String>),
}

/// A running upstream; it stops when dropped.
pub struct Upstream {
    entry: ServerEntry,
    recorder: Recorder,
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

struct Shared {
    script: Arc<dyn Script>,
    recorder: Recorder,
    timer: Arc<Timer>,
    stopping: AtomicBool,
    next_link: AtomicU64,
    live: Mutex<Vec<Reply>>,
}

impl Upstream {
    /// Serves `script` as Streamable HTTP on a free port of 127.0.0.1.
    #[must_use]
    pub fn http(script: impl Script) -> Self {
        let mut upstream = Self::start(script, serve_http);
        upstream.entry = ServerEntry::Url(format!("http://{}/mcp", upstream.address));
        upstream
    }

    /// Serves `script` as a stdio server, through `testkit-relay` as found by [`relay_path`].
    #[must_use]
    pub fn stdio(script: impl Script) -> Self {
        Self::stdio_by(&relay_path(), script)
    }

    /// As `stdio`, with a relay at a known path.
    #[must_use]
    pub fn stdio_by(relay: &Path, script: impl Script) -> Self {
        let mut upstream = Self::start(script, serve_relay);
        let command = vec![relay.display().to_string(), upstream.address.port().to_string()];
        upstream.entry = ServerEntry::Command(command);
        upstream
    }

    /// Serves `script` over the given transport.
    #[must_use]
    pub fn over(transport: Transport, script: impl Script) -> Self {
        match transport {
            Transport::Http => Self::http(script),
            Transport::Stdio => Self::stdio(script),
        }
    }

    /// How the configuration names it.
    #[must_use]
    pub fn entry(&self) -> &ServerEntry {
        &self.entry
    }

    /// The URL.
    ///
    /// # Panics
    /// For a stdio upstream.
    #[must_use]
    pub fn url(&self) -> &str {
        match &self.entry {
            ServerEntry::Url(url) => url,
            ServerEntry::Command(_) => panic!("a stdio upstream has no URL"),
        }
    }

    /// The command line.
    ///
    /// # Panics
    /// For an HTTP upstream.
    #[must_use]
    pub fn command(&self) -> &[String] {
        match &self.entry {
            ServerEntry::Command(command) => command,
            ServerEntry::Url(_) => panic!("an HTTP upstream has no command"),
        }
    }

    /// What reached it.
    #[must_use]
    pub fn recorder(&self) -> &Recorder {
        &self.recorder
    }

    /// The live children, for messages that nobody asked for, or for ending them from outside.
    #[must_use]
    pub fn children(&self) -> Vec<Reply> {
        let live = self.shared.live.lock().expect("links");
        live.iter().filter(|reply| reply.transport() == Transport::Stdio).map(Reply::next).collect()
    }

    /// Cuts every live link at once, as a crashed server does. New ones are still accepted.
    pub fn cut_all(&self) {
        for reply in self.shared.live.lock().expect("links").drain(..) {
            reply.hang_up();
        }
    }

    fn start(script: impl Script, serve: fn(&Arc<Shared>, TcpStream, u64)) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("listen on loopback");
        let address = listener.local_addr().expect("own address");
        let recorder = Recorder::default();
        let shared = Arc::new(Shared {
            script: Arc::new(script),
            recorder: recorder.clone(),
            timer: Arc::new(Timer::start()),
            stopping: AtomicBool::new(false),
            next_link: AtomicU64::new(1),
            live: Mutex::default(),
        });
        let for_thread = Arc::clone(&shared);
        let accepting = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if for_thread.stopping.load(Ordering::Relaxed) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                let shared = Arc::clone(&for_thread);
                let link = shared.next_link.fetch_add(1, Ordering::Relaxed);
                shared.recorder.note_open(link);
                std::thread::spawn(move || serve(&shared, stream, link));
            }
        });
        Self { entry: ServerEntry::Command(Vec::new()), recorder, address, shared, accepting: Some(accepting) }
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::Relaxed);
        drop(TcpStream::connect(self.address));
        if let Some(accepting) = self.accepting.take() {
            drop(accepting.join());
        }
        self.cut_all();
    }
}

impl Shared {
    fn enlist(&self, reply: &Reply) {
        let mut live = self.live.lock().expect("links");
        live.retain(|held| !held.is_gone());
        live.push(reply.clone());
        if self.stopping.load(Ordering::Relaxed) {
            reply.hang_up();
        }
    }

    fn ended(&self, reply: &Reply) {
        reply.hang_up();
        self.live.lock().expect("links").retain(|held| !held.is_gone());
        self.recorder.note_close(reply.link());
    }

    fn deliver(&self, link: u64, http: Option<HttpPart>, bytes: Vec<u8>, reply: Reply) {
        let received = Arc::new(Received {
            at: Instant::now(),
            link,
            transport: reply.transport(),
            http,
            json: serde_json::from_slice(&bytes).ok(),
            bytes,
        });
        self.recorder.note_message(Arc::clone(&received));
        self.script.on_message(&received, reply);
    }
}

fn serve_http(shared: &Arc<Shared>, stream: TcpStream, link: u64) {
    let writer = stream.try_clone().expect("clone the socket");
    let mut reader = ByteStream::new(stream).expect("set up the socket");
    let first = Reply::new(Transport::Http, link, writer, Arc::clone(&shared.timer));
    shared.enlist(&first);
    let deadline = Instant::now() + LINK_LIFETIME;
    while let Ok(head) = reader.head(deadline) {
        shared.recorder.note_raw(&head.bytes);
        let Ok(body) = reader.request_body(&head, deadline) else { break };
        shared.recorder.note_raw(&body);
        let mut words = head.start.split(' ').map(str::to_owned);
        let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        shared.deliver(link, Some(HttpPart { method, target, head }), body, first.next());
    }
    shared.ended(&first);
}

fn serve_relay(shared: &Arc<Shared>, mut stream: TcpStream, link: u64) {
    let writer = stream.try_clone().expect("clone the socket");
    writer.set_nodelay(true).expect("no delay");
    writer.set_write_timeout(Some(WRITE_DEADLINE)).expect("write deadline");
    let first = Reply::new(Transport::Stdio, link, writer, Arc::clone(&shared.timer));
    shared.enlist(&first);
    let mut line = Vec::new();
    while let Ok((kind, payload)) = relay::read_frame(&mut stream) {
        match Report::parse(kind) {
            Some(Report::Hello) => {
                let said: Value = serde_json::from_slice(&payload).unwrap_or_default();
                assert_eq!(said["version"], relay::VERSION, "testkit-relay is old: run `cargo build -p testkit`");
                let is_start = said.get("pid").is_some();
                shared.recorder.note_start(said);
                if is_start {
                    shared.script.on_start(&first.next());
                }
            }
            Some(Report::Input) => {
                shared.recorder.note_raw(&payload);
                let mut pieces = payload.split(|byte| *byte == b'\n').peekable();
                while let Some(piece) = pieces.next() {
                    line.extend_from_slice(piece);
                    if pieces.peek().is_some() {
                        shared.deliver(link, None, std::mem::take(&mut line), first.next());
                    }
                }
                assert!(line.len() <= BODY_LIMIT_BYTES, "a line longer than the test kit's limit");
            }
            Some(Report::EndOfInput) => shared.script.on_end_of_input(&first.next()),
            None => break,
        }
    }
    shared.ended(&first);
}

/// Where `testkit-relay` is: beside the test's own folder, as `cargo nextest run --workspace` builds it there.
/// Builds it when it is not there.
///
/// # Panics
/// When it can neither be found nor built.
#[must_use]
pub fn relay_path() -> PathBuf {
    let own = std::env::current_exe().expect("own path");
    let folders = own.ancestors().skip(1).take(2);
    let wanted: Vec<PathBuf> = folders.map(|folder| folder.join("testkit-relay")).collect();
    let find = || wanted.iter().find(|path| path.is_file()).cloned();
    find().unwrap_or_else(|| {
        let is_release = wanted.iter().any(|path| path.parent().is_some_and(|folder| folder.ends_with("release")));
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut build = Command::new(cargo);
        build.current_dir(env!("CARGO_MANIFEST_DIR")).args(["build", "--quiet", "--package", "testkit"]);
        build.args(is_release.then_some("--release"));
        let status = build.status().expect("start cargo");
        find().unwrap_or_else(|| panic!("no testkit-relay at {wanted:?}, and building it ended with {status}"))
    })
}
