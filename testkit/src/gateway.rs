//! Starts the real `stockade` binary and asks it questions.

mod launch;

use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Output};
use std::sync::Mutex;
use std::time::Duration;

use serde_json::Value;

use crate::audit::AuditRecord;
use crate::client::HttpClient;
use crate::config::Config;
use crate::era::Era;
use crate::folder::TempFolder;
use crate::invariants::Subject;
use crate::process::{Footprint, Signal, descendants, footprint, is_alive, signal, wait_until};
use launch::{config_path, launch, prepared, read_text, stderr_path};
pub(crate) use launch::{records, run};

/// How long a stop may take.
const STOP_LIMIT: Duration = Duration::from_secs(15);

/// How a gateway is started.
#[derive(Debug, Clone, Default)]
pub struct GatewayOptions {
    /// The text of `stockade.toml`; without it the gateway starts with no configuration.
    pub config: Option<String>,
    /// The data folder; a fresh temporary one by default.
    pub data: Option<PathBuf>,
    /// Further arguments of `stockade up`.
    pub arguments: Vec<String>,
    /// Its environment besides `PATH` and `HOME`; nothing of the test's own environment is passed.
    pub environment: Vec<(String, String)>,
}

impl From<Config> for GatewayOptions {
    fn from(config: Config) -> Self {
        Self { config: Some(config.to_toml()), ..Self::default() }
    }
}

/// A running `stockade up`. Killed by its own id on drop.
#[derive(Debug)]
pub struct Gateway {
    binary: PathBuf,
    options: GatewayOptions,
    folder: TempFolder,
    data: PathBuf,
    running: Mutex<Child>,
    pid: u32,
    url: String,
    api_key: String,
}

impl Gateway {
    /// Starts it and waits until it is ready.
    ///
    /// # Panics
    /// With its standard error, when it is not ready in time.
    #[must_use]
    #[track_caller]
    pub fn start(binary: impl AsRef<Path>, options: impl Into<GatewayOptions>) -> Self {
        match Self::try_start(binary, options) {
            Ok(gateway) => gateway,
            Err((status, stderr)) => panic!("the gateway did not start ({status:?}):\n{stderr}"),
        }
    }

    /// As `start`, for cases in which it must refuse.
    ///
    /// # Errors
    /// The exit status (`None` when it hung and was killed) and standard error of a gateway that did not become ready.
    pub fn try_start(
        binary: impl AsRef<Path>,
        options: impl Into<GatewayOptions>,
    ) -> Result<Self, (Option<ExitStatus>, String)> {
        let (binary, options) = (binary.as_ref().to_owned(), options.into());
        let folder = TempFolder::new();
        let data = options.data.clone().unwrap_or_else(|| folder.path().join("data"));
        if let Some(config) = &options.config {
            folder.write("stockade.toml", config);
        }
        let ready = launch(&binary, &options, &folder, &data)?;
        let (pid, url) = (ready.child.id(), ready.url);
        let api_key = ready.api_key.unwrap_or_default();
        Ok(Self { binary, options, folder, data, running: Mutex::new(ready.child), pid, url, api_key })
    }

    /// The URL of the merged route, as the gateway printed it.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The URL of the route of one server.
    #[must_use]
    pub fn url_of(&self, server: &str) -> String {
        format!("{}/{server}", self.url.trim_end_matches('/'))
    }

    /// `127.0.0.1:PORT`, for [`crate::RawHttp`].
    #[must_use]
    pub fn address(&self) -> &str {
        crate::client::endpoint(&self.url).0
    }

    /// The key that was made at the first start; empty when the data folder was there before.
    #[must_use]
    pub fn api_key(&self) -> &str {
        &self.api_key
    }

    /// The data folder.
    #[must_use]
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// The process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Standard error so far, of all starts.
    #[must_use]
    pub fn stderr(&self) -> String {
        read_text(&stderr_path(&self.folder))
    }

    /// Makes a key for a caller. The running gateway knows it at once.
    ///
    /// # Panics
    /// When the command fails.
    #[must_use]
    #[track_caller]
    pub fn key_for(&self, caller: &str) -> String {
        let output = self.command(&["keys", "add", caller, "--json"]);
        let said: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        let key = said["api_key"].as_str().filter(|_| output.status.success());
        key.unwrap_or_else(|| panic!("no key for {caller}: {output:?}")).to_owned()
    }

    /// A correct client of one server's route, with a new key for `caller`.
    ///
    /// # Panics
    /// When the key cannot be made or the handshake fails.
    #[must_use]
    #[track_caller]
    pub fn client(&self, server: &str, caller: &str, era: Era) -> HttpClient {
        HttpClient::connect(&self.url_of(server), &self.key_for(caller), era)
    }

    /// The audit records, in order.
    ///
    /// # Panics
    /// When the command fails or prints something else than records.
    #[must_use]
    #[track_caller]
    pub fn audit(&self) -> Vec<AuditRecord> {
        Subject::audit(self)
    }

    /// Runs `stockade audit verify --json`: the exit code (0 = whole, 1 = not) and what it says.
    #[must_use]
    pub fn audit_verify(&self) -> (i32, Value) {
        Subject::audit_verify(self)
    }

    /// Runs any `stockade` command with this gateway's data folder (and configuration, if it has one).
    ///
    /// # Panics
    /// When the binary cannot be started.
    #[must_use]
    pub fn command(&self, arguments: &[&str]) -> Output {
        let config = self.options.config.as_ref().map(|_| config_path(&self.folder));
        let command = prepared(&self.binary, &self.options, &self.folder, &self.data);
        run(command, arguments, &self.data, config.as_deref())
    }

    /// Resident memory in KiB, descriptors and threads; `None` when it is gone.
    #[must_use]
    pub fn footprint(&self) -> Option<Footprint> {
        footprint(self.pid)
    }

    /// Resident memory in KiB; 0 when it is gone.
    #[must_use]
    pub fn rss_kib(&self) -> u64 {
        self.footprint().map_or(0, |held| held.rss_kib)
    }

    /// Open file descriptors; 0 when it is gone.
    #[must_use]
    pub fn open_fds(&self) -> usize {
        self.footprint().map_or(0, |held| held.open_fds)
    }

    /// Threads; 0 when it is gone.
    #[must_use]
    pub fn thread_count(&self) -> usize {
        self.footprint().map_or(0, |held| held.threads)
    }

    /// Its living children and theirs.
    #[must_use]
    pub fn children(&self) -> Vec<u32> {
        descendants(self.pid)
    }

    /// Does it run?
    #[must_use]
    pub fn is_alive(&self) -> bool {
        is_alive(self.pid)
    }

    /// Sends a signal.
    pub fn signal(&self, kind: Signal) {
        signal(self.pid, kind);
    }

    /// Kills it at once and waits for its end.
    pub fn kill9(&self) {
        signal(self.pid, Signal::Kill);
        self.wait_for_exit(STOP_LIMIT);
    }

    /// Asks it to end and waits; `None` when it still runs after 15 s.
    #[must_use]
    pub fn sigterm(&self) -> Option<ExitStatus> {
        signal(self.pid, Signal::Terminate);
        self.wait_for_exit(STOP_LIMIT)
    }

    /// Waits for its end; `None` when it still runs after `limit`.
    pub fn wait_for_exit(&self, limit: Duration) -> Option<ExitStatus> {
        let mut status = None;
        wait_until(limit, || {
            status = self.running.lock().expect("child").try_wait().ok().flatten();
            status.is_some()
        });
        status
    }

    /// Stops it, if it runs, and starts it again with the same data. The URL may have another port.
    ///
    /// # Panics
    /// When it does not stop, or is not ready in time.
    #[track_caller]
    pub fn restart(&mut self) {
        if self.is_alive() {
            assert!(self.sigterm().is_some(), "the gateway did not stop:\n{}", self.stderr());
        }
        let ready = launch(&self.binary, &self.options, &self.folder, &self.data)
            .unwrap_or_else(|(status, stderr)| panic!("the gateway did not start again ({status:?}):\n{stderr}"));
        self.pid = ready.child.id();
        self.url = ready.url;
        *self.running.lock().expect("child") = ready.child;
    }

    /// Replaces the configuration file; the gateway is not told.
    pub fn write_config(&mut self, config: &Config) {
        self.options.config = Some(config.to_toml());
        self.folder.write("stockade.toml", config.to_toml());
    }
}

impl Subject for Gateway {
    fn pid(&self) -> u32 {
        self.pid
    }

    fn data(&self) -> PathBuf {
        self.data.clone()
    }

    fn stderr(&self) -> String {
        Self::stderr(self)
    }

    fn command(&self, arguments: &[&str]) -> Output {
        Self::command(self, arguments)
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let mut child = self.running.lock().expect("child");
        drop(child.kill());
        drop(child.wait());
    }
}
