//! A whole set-up in one line: client, gateway and upstream, in every way they can be joined.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::audit::AuditRecord;
use crate::client::{Caller, HttpClient, StdioClient};
use crate::config::{Config, Permit};
use crate::era::Era;
use crate::folder::TempFolder;
use crate::gateway::{Gateway, records, run};
use crate::invariants::Subject;
use crate::received::Transport;
use crate::recorder::Recorder;
use crate::script::Script;
use crate::upstream::Upstream;

/// The server's name on every stage.
const SERVER: &str = "files";

/// One way from client to server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lane {
    /// The gateway's door: `stockade up` or `stockade wrap`.
    pub door: Transport,
    /// How the gateway reaches the server; a wrapped server is always a child.
    pub upstream: Transport,
    /// How both sides speak.
    pub era: Era,
}

impl Lane {
    /// Every way: HTTP to HTTP, HTTP to stdio, stdio to stdio, each in every revision that it carries.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let over_http = [Transport::Http, Transport::Stdio].into_iter().flat_map(|upstream| {
            Era::OVER_HTTP.into_iter().map(move |era| Self { door: Transport::Http, upstream, era })
        });
        let over_stdio =
            Era::OVER_STDIO.into_iter().map(|era| Self { door: Transport::Stdio, upstream: Transport::Stdio, era });
        over_http.chain(over_stdio).collect()
    }

    /// One way for each pair of transports and each era: enough for most cases.
    #[must_use]
    pub fn typical() -> Vec<Self> {
        let wanted = |lane: &Self| [Era::Legacy("2025-11-25"), Era::Modern].contains(&lane.era);
        Self::all().into_iter().filter(wanted).collect()
    }
}

/// What stands at the client's side of the stage.
enum Door {
    Gateway(Box<Gateway>),
    /// Configuration for `stockade wrap`, and the data folder that its clients share.
    Wrap {
        folder: TempFolder,
        command: Vec<String>,
    },
}

/// A gateway before one scripted server named `files`, on one lane.
pub struct Stage {
    /// The lane.
    pub lane: Lane,
    /// The server.
    pub upstream: Upstream,
    door: Door,
}

impl Stage {
    /// Puts everything up. `config` is extended by the server; over HTTP everything on the server is permitted to
    /// everybody when `config` has no permits of its own.
    ///
    /// # Panics
    /// When the gateway does not start.
    #[must_use]
    #[track_caller]
    pub fn open(binary: impl AsRef<Path>, lane: Lane, script: impl Script, config: Config) -> Self {
        let upstream = Upstream::over(lane.upstream, script);
        let config = if config.has_permits() { config } else { config.permit(Permit::everything_on(SERVER)) };
        // `wrap` takes the command from its own arguments; rules and settings need the server's table all the same.
        let config = config.server(SERVER, upstream.entry());
        let door = match lane.door {
            Transport::Http => Door::Gateway(Box::new(Gateway::start(binary, config))),
            Transport::Stdio => {
                let folder = TempFolder::new();
                let file = folder.write("stockade.toml", config.to_toml());
                let text = |path: &Path| path.display().to_string();
                let mut command: Vec<String> =
                    vec![text(binary.as_ref()), "wrap".into(), "--name".into(), SERVER.into()];
                command.extend(["--config".into(), text(&file)]);
                command.extend(["--data".into(), text(&folder.path().join("data")), "--".into()]);
                command.extend(upstream.command().iter().cloned());
                Door::Wrap { folder, command }
            }
        };
        Self { lane, upstream, door }
    }

    /// A correct client in the lane's era. Over stdio the caller is the local user, whatever the name.
    ///
    /// # Panics
    /// When the handshake fails.
    #[must_use]
    #[track_caller]
    pub fn client(&self, caller: &str) -> Box<dyn Caller> {
        match &self.door {
            Door::Gateway(gateway) => Box::new(gateway.client(SERVER, caller, self.lane.era)),
            Door::Wrap { command, .. } => Box::new(StdioClient::connect(command, &[], self.lane.era)),
        }
    }

    /// As `client`, for cases that need more than [`Caller`].
    ///
    /// # Panics
    /// On a stdio lane.
    #[must_use]
    #[track_caller]
    pub fn http_client(&self, caller: &str) -> HttpClient {
        self.gateway().client(SERVER, caller, self.lane.era)
    }

    /// As `client`, for cases that need more than [`Caller`].
    ///
    /// # Panics
    /// On an HTTP lane.
    #[must_use]
    #[track_caller]
    pub fn stdio_client(&self) -> StdioClient {
        match &self.door {
            Door::Wrap { command, .. } => StdioClient::connect(command, &[], self.lane.era),
            Door::Gateway(_) => panic!("this lane's door is HTTP"),
        }
    }

    /// The gateway.
    ///
    /// # Panics
    /// On a stdio lane, where each client starts its own.
    #[must_use]
    #[track_caller]
    pub fn gateway(&self) -> &Gateway {
        match &self.door {
            Door::Gateway(gateway) => gateway,
            Door::Wrap { .. } => panic!("this lane's door is stdio: the client is the gateway's process"),
        }
    }

    /// The data folder of the gateway, or of all wrapped clients.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        match &self.door {
            Door::Gateway(gateway) => gateway.data().to_owned(),
            Door::Wrap { folder, .. } => folder.path().join("data"),
        }
    }

    /// What the invariants are checked on: the gateway, or on a stdio lane the process that `client` started.
    ///
    /// # Panics
    /// When `client` is not of this stage's door.
    #[must_use]
    #[track_caller]
    pub fn subject<'a>(&'a self, client: &'a dyn Caller) -> Box<dyn Subject + 'a> {
        match &self.door {
            Door::Gateway(gateway) => Box::new(gateway.as_ref()),
            Door::Wrap { .. } => Box::new(Wrapped { stage: self, client, pid: client.pid().expect("a stdio client") }),
        }
    }

    /// The audit records, in order, of whichever door.
    ///
    /// # Panics
    /// When the command fails or prints something else than records.
    #[must_use]
    #[track_caller]
    pub fn audit(&self) -> Vec<AuditRecord> {
        records(&self.command(&["audit", "query", "--json"]))
    }

    /// Runs a `stockade` command on the stage's data folder.
    ///
    /// # Panics
    /// When the binary cannot be started.
    #[must_use]
    pub fn command(&self, arguments: &[&str]) -> Output {
        match &self.door {
            Door::Gateway(gateway) => gateway.command(arguments),
            Door::Wrap { folder, command } => {
                let mut asked = Command::new(&command[0]);
                asked.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("HOME", folder.path());
                run(asked, arguments, &self.data(), Some(&folder.path().join("stockade.toml")))
            }
        }
    }

    /// What reached the server.
    #[must_use]
    pub fn recorder(&self) -> &Recorder {
        self.upstream.recorder()
    }

    /// A client that made one call of `tool`, with the recorder empty again: warm caches, sessions and children.
    ///
    /// # Panics
    /// When that call fails.
    #[must_use]
    #[track_caller]
    pub fn warm_client(&self, caller: &str, tool: &str, arguments: Value) -> Box<dyn Caller> {
        let client = self.client(caller);
        let answer = client.call(tool, arguments);
        assert!(answer.responses().iter().any(|response| response.get("result").is_some()), "warm-up: {answer}");
        self.recorder().clear();
        client
    }
}

/// The `stockade wrap` behind one stdio client.
struct Wrapped<'a> {
    stage: &'a Stage,
    client: &'a dyn Caller,
    pid: u32,
}

impl Subject for Wrapped<'_> {
    fn pid(&self) -> u32 {
        self.pid
    }

    fn data(&self) -> PathBuf {
        self.stage.data()
    }

    fn stderr(&self) -> String {
        self.client.stderr()
    }

    fn command(&self, arguments: &[&str]) -> Output {
        self.stage.command(arguments)
    }
}

impl<S: Subject + ?Sized> Subject for &S {
    fn pid(&self) -> u32 {
        (**self).pid()
    }

    fn data(&self) -> PathBuf {
        (**self).data()
    }

    fn stderr(&self) -> String {
        (**self).stderr()
    }

    fn command(&self, arguments: &[&str]) -> Output {
        (**self).command(arguments)
    }
}
