//! The processes behind a [`super::Gateway`]: the long one and the short ones.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;

use serde_json::Value;

use super::GatewayOptions;
use crate::audit::AuditRecord;
use crate::folder::TempFolder;
use crate::process::wait_until;

/// How long a start may take before the test fails; what the product promises is measured elsewhere.
const READY_LIMIT: Duration = Duration::from_secs(20);

/// What `up --json` says when it is ready.
pub(super) struct Ready {
    pub(super) child: Child,
    pub(super) url: String,
    pub(super) api_key: Option<String>,
}

pub(super) fn launch(
    binary: &Path,
    options: &GatewayOptions,
    folder: &TempFolder,
    data: &Path,
) -> Result<Ready, (Option<ExitStatus>, String)> {
    let mut command = prepared(binary, options, folder, data);
    command.arg("up");
    if options.config.is_some() {
        command.arg("--config").arg(config_path(folder));
    }
    command.arg("--data").arg(data).arg("--json").args(&options.arguments);
    let stderr = File::options().create(true).append(true).open(stderr_path(folder)).expect("a file for stderr");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(stderr);
    let mut child = command.spawn().unwrap_or_else(|cause| panic!("start {}: {cause}", binary.display()));
    let (send, lines) = channel();
    let stdout = child.stdout.take().expect("stdout");
    // Reads on after the first line, so that the gateway never writes into a closed pipe.
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            drop(send.send(line));
        }
    });
    let line = lines.recv_timeout(READY_LIMIT).unwrap_or_default();
    let said: Value = serde_json::from_str(&line).unwrap_or_default();
    if let Some(url) = said["url"].as_str() {
        let api_key = said["api_key"].as_str().map(str::to_owned);
        return Ok(Ready { child, url: url.to_owned(), api_key });
    }
    let mut status = None;
    wait_until(Duration::from_secs(2), || {
        status = child.try_wait().ok().flatten();
        status.is_some()
    });
    drop(child.kill());
    drop(child.wait());
    Err((status, format!("stdout: {line}\n{}", read_text(&stderr_path(folder)))))
}

/// Runs a command of the product to its end.
pub(crate) fn run(mut command: Command, arguments: &[&str], data: &Path, config: Option<&Path>) -> Output {
    command.args(arguments).arg("--data").arg(data).stdin(Stdio::null());
    if let Some(config) = config {
        command.arg("--config").arg(config);
    }
    command.output().expect("run stockade")
}

/// The records that `audit query --json` printed.
#[track_caller]
pub(crate) fn records(output: &Output) -> Vec<AuditRecord> {
    assert!(output.status.success(), "audit query failed: {output:?}");
    let lines = output.stdout.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| AuditRecord(serde_json::from_slice(line).expect("a record of JSON"))).collect()
}

pub(super) fn prepared(binary: &Path, options: &GatewayOptions, folder: &TempFolder, data: &Path) -> Command {
    let mut command = Command::new(binary);
    let path = std::env::var_os("PATH").unwrap_or_default();
    command.env_clear().env("PATH", path).env("HOME", folder.path());
    command.envs(options.environment.iter().cloned());
    command.current_dir(data.parent().filter(|parent| parent.is_dir()).unwrap_or(folder.path()));
    command
}

pub(super) fn config_path(folder: &TempFolder) -> PathBuf {
    folder.path().join("stockade.toml")
}

pub(super) fn stderr_path(folder: &TempFolder) -> PathBuf {
    folder.path().join("stderr")
}

pub(super) fn read_text(path: &Path) -> String {
    String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()).into_owned()
}
