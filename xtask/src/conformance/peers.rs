//! The two programs of a conformance run: the reference server and the gateway. Each says where it listens on its first
//! line; each is stopped when its value is dropped.

use std::fs;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::Child;
use std::sync::mpsc;
use std::time::Duration;

use crate::place::Place;
use crate::process::{ProcessError, Program, tail_of, wait};

/// Longest wait for the first line of a peer.
const READY_LIMIT: Duration = Duration::from_secs(30);
/// Longest first line, in bytes.
const FIRST_LINE_BYTES: u64 = 64 * 1024;
/// Longest wait for a peer whose standard input was closed, before it is killed.
const LEAVE_LIMIT: Duration = Duration::from_secs(2);

/// Why a peer is not there.
#[derive(Debug, thiserror::Error)]
pub enum PeerError {
    /// It could not be started.
    #[error("{peer} did not start")]
    NotStarted {
        /// Which.
        peer: &'static str,
        /// Why.
        #[source]
        cause: ProcessError,
    },
    /// It ended or stayed silent instead of saying where it listens.
    #[error("{peer} did not say where it listens within {} s; it said `{line}`{errors}", READY_LIMIT.as_secs())]
    NotReady {
        /// Which.
        peer: &'static str,
        /// Its first line, if any.
        line: String,
        /// The end of its standard error.
        errors: String,
    },
    /// Its folder or configuration could not be made.
    #[error("could not prepare `{path}` for {peer}")]
    Unprepared {
        /// Which peer.
        peer: &'static str,
        /// Which file or folder.
        path: String,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
}

/// The reference server of `fixtures/node/conformance-server.mjs`, on a port of its own.
#[derive(Debug)]
pub(super) struct Reference {
    peer: Peer,
}

impl Reference {
    pub(super) fn start(place: &Place, log: &Path) -> Result<Self, PeerError> {
        let script = place.fixtures().join("node/conformance-server.mjs");
        let program = Program::new(place.node(), &[&script.to_string_lossy(), "--port", "0"]);
        Ok(Self { peer: Peer::start("the reference server", program, log)? })
    }

    pub(super) fn url(&self) -> &str {
        &self.peer.url
    }
}

/// The gateway before one HTTP upstream, with every right that the suite needs and no other.
#[derive(Debug)]
pub(super) struct Gateway {
    peer: Peer,
}

impl Gateway {
    pub(super) fn start(binary: &Path, data: &Path, server: &str, upstream: &str) -> Result<Self, PeerError> {
        const PEER: &str = "the gateway";
        let unprepared =
            |path: &Path, cause| PeerError::Unprepared { peer: PEER, path: path.display().to_string(), cause };
        match fs::remove_dir_all(data) {
            Err(cause) if cause.kind() != io::ErrorKind::NotFound => return Err(unprepared(data, cause)),
            _ => {}
        }
        let configuration = data.with_extension("toml");
        fs::write(&configuration, configuration_of(server, upstream))
            .map_err(|cause| unprepared(&configuration, cause))?;
        let (config, folder) = (configuration.to_string_lossy(), data.to_string_lossy());
        let program = Program::new(binary, &["up", "--config", &config, "--data", &folder, "--json"]);
        Ok(Self { peer: Peer::start(PEER, program, &data.with_extension("log"))? })
    }

    /// The base, such as `http://127.0.0.1:4000`.
    pub(super) fn url(&self) -> &str {
        self.peer.url.trim_end_matches('/')
    }
}

/// The suite sends no key, so it comes in as the anonymous caller, which only the profile `sandbox` has.
fn configuration_of(server: &str, upstream: &str) -> String {
    format!(
        r#"[gateway]
listen = "127.0.0.1:0"
profile = "sandbox"

[anonymous]
caller = "conformance-suite"

[limits]
calls_per_minute = 100000
messages_per_minute = 100000

[servers.{server}]
url = "{upstream}"

[[permit]]
callers = ["conformance-suite"]
servers = ["{server}"]
tools = ["*"]
resources = ["*"]
prompts = ["*"]
from_server = ["sampling", "elicitation", "roots"]
"#
    )
}

#[derive(Debug)]
struct Peer {
    child: Child,
    url: String,
}

impl Peer {
    fn start(peer: &'static str, program: Program, log: &Path) -> Result<Self, PeerError> {
        let child = program.start(log).map_err(|cause| PeerError::NotStarted { peer, cause })?;
        let mut started = Self { child, url: String::new() };
        let line = started.first_line();
        match url_in(&line) {
            Some(url) => started.url = url,
            None => return Err(PeerError::NotReady { peer, line: line.trim_end().to_owned(), errors: tail_of(log) }),
        }
        Ok(started)
    }

    /// Reads on a thread of its own, which keeps draining the pipe until the peer ends, so that the peer never blocks.
    fn first_line(&mut self) -> String {
        let Some(output) = self.child.stdout.take() else { return String::new() };
        let (sender, receiver) = mpsc::channel();
        std::thread::spawn(move || {
            let mut reader = BufReader::new(output);
            let mut line = String::new();
            // An unreadable line is an empty one to the waiting side, which then reports it.
            let _ = reader.by_ref().take(FIRST_LINE_BYTES).read_line(&mut line);
            let _ = sender.send(line);
            let _ = io::copy(&mut reader, &mut io::sink());
        });
        receiver.recv_timeout(READY_LIMIT).unwrap_or_default()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        // It is ours and it is ending; there is nobody left to tell.
        let _ = wait(&mut self.child, LEAVE_LIMIT);
    }
}

fn url_in(line: &str) -> Option<String> {
    let value: serde_json::Value = serde_json::from_str(line).ok()?;
    value.get("url")?.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log_file(name: &str) -> std::path::PathBuf {
        std::env::temp_dir().join(format!("xtask-peers-{}-{name}", std::process::id()))
    }

    #[test]
    fn a_peer_says_where_it_listens_and_ends_with_its_value() {
        let log = log_file("ready");
        let program = Program::new("sh", &["-c", r#"echo '{"url":"http://127.0.0.1:9"}'; cat"#]);
        let peer = Peer::start("a peer", program, &log).unwrap();
        assert_eq!(peer.url, "http://127.0.0.1:9");
        let id = peer.child.id().to_string();
        drop(peer);
        fs::remove_file(&log).unwrap();
        assert!(!Program::new("kill", &["-0", &id]).succeeds());
    }

    #[test]
    fn a_peer_that_ends_at_once_is_reported_with_its_errors() {
        let log = log_file("ends");
        let program = Program::new("sh", &["-c", "echo no such command >&2; exit 2"]);
        let text = Peer::start("a peer", program, &log).unwrap_err().to_string();
        fs::remove_file(&log).unwrap();
        assert!(text.contains("no such command"), "{text}");
    }
}
