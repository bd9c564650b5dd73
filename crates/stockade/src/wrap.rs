//! `stockade wrap`: the guards before one stdio server, on our own standard streams.
//!
//! Must never: write anything to standard output but released messages; start the server by way of a shell.

use crate::cli::WrapOptions;
use crate::config::Config;
use crate::environment::Environment;
use crate::exit::Exit;
use crate::operator;
use crate::output::{Complaint, Failure};
use crate::plan;
use crate::stop;
use crate::up::{internal, report_opening, unbuilt};
use crate::wiring::{Gateway, WiringError};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use stockade_core::words::{Caller, CallerKind, ServerName};
use stockade_gateway::{Hub, ServerKind, ServerSpec, serve_stdio};
use stockade_policy::Starter;
use stockade_sandbox::{LaunchSpec, Launcher};
use stockade_store::DataFolderError;

/// Wraps of one name that may run at once, each with a record of its own.
const AT_ONCE: u32 = 64;
/// How long one request may take where nothing is configured.
const DEADLINE: Duration = Duration::from_secs(60);

/// Runs the command to its end.
pub(crate) async fn run(options: WrapOptions, config: Config, environment: Environment) -> ExitCode {
    match serve(options, config, environment).await {
        Ok(()) => Exit::Done.into(),
        Err(failure) => failure.end().into(),
    }
}

async fn serve(options: WrapOptions, config: Config, environment: Environment) -> Result<(), Failure> {
    let name = match &options.name {
        Some(name) => ServerName::parse(name).map_err(|error| Complaint::of(&error).with(Exit::Usage))?,
        None => name_of(&options.command).map_err(|error| internal(&error))?,
    };
    let user = operator::name().map_err(|error| internal(&error))?;
    let caller = Caller::new(user, CallerKind::LocalUser);
    let mut stopped = stop::watch_signals().map_err(|error| internal(&error))?;
    let gateway = build(&options, &config, &environment, &name)?;
    report_opening(&gateway);
    tracing::info!(server = %name, "guarding; what happens is on record: stockade audit query --data {}", gateway.folder.path().display());
    let sweep = tokio::spawn(Hub::sweep(Arc::downgrade(&gateway.hub)));
    let (road, hub) = (Arc::clone(&gateway.road), Arc::clone(&gateway.hub));
    let serving = serve_stdio(road, hub, caller, name, tokio::io::stdin(), tokio::io::stdout());
    tokio::select! {
        () = serving => {}
        _ = stopped.wait_for(|stop| *stop) => {}
        () = stop::reader_gone(std::io::stdout()) => {}
    }
    sweep.abort();
    gateway.close().await;
    // A thread of the runtime may still wait for standard input, which nobody can interrupt.
    Ok(())
}

/// Builds the gateway in the folder that was named, or in the first free one of this name: several clients may wrap the
/// same server at once, and each process writes a record of its own.
fn build(
    options: &WrapOptions,
    config: &Config,
    environment: &Environment,
    name: &ServerName,
) -> Result<Gateway, Failure> {
    let attempt = |data: PathBuf| -> Result<Result<Gateway, WiringError>, Failure> {
        let servers = vec![server(options, config, environment, name)?];
        let rules = plan::rules(config, Starter::Wrap { server: name.clone() })?;
        Ok(Gateway::build(plan::plan(config, data, servers, rules)))
    };
    let data = &config.gateway.data;
    if config.gateway.data_is_named {
        return attempt(data.clone())?.map_err(|error| unbuilt(&error));
    }
    let mut last = None;
    for number in 1..=AT_ONCE {
        match attempt(data.join("wrap").join(format!("{name}-{number}")))? {
            Err(WiringError::Data(DataFolderError::InUse { path, process })) => {
                last = Some(WiringError::Data(DataFolderError::InUse { path, process }));
            }
            built => return built.map_err(|error| unbuilt(&error)),
        }
    }
    let complaint = Complaint::new(format!("{AT_ONCE} wraps of `{name}` run already"));
    Err(last.map_or_else(|| complaint.with(Exit::Internal), |error| unbuilt(&error)))
}

fn server(
    options: &WrapOptions,
    config: &Config,
    environment: &Environment,
    name: &ServerName,
) -> Result<ServerSpec, Failure> {
    let mut command = options.command.iter();
    let program = command.next().cloned().unwrap_or_default();
    let base = std::env::current_dir().map_err(|error| {
        Complaint::new("the current folder cannot be found")
            .because(error)
            .fix("start it in a folder that exists")
            .with(Exit::Internal)
    })?;
    let kind = ServerKind::Stdio {
        launcher: Launcher::own_executable(),
        spec: LaunchSpec {
            program,
            args: command.cloned().collect(),
            environment: environment.for_servers.clone(),
            working_directory: None,
            base_directory: base,
        },
        shows_stderr: true,
    };
    Ok(match config.servers.iter().find(|server| server.name == *name) {
        Some(server) => plan::spec_of(server, kind),
        None => ServerSpec {
            name: name.clone(),
            kind,
            era: None,
            effect: None,
            deadline: DEADLINE,
            scopes: Vec::new().into(),
            tools: Default::default(),
        },
    })
}

/// A name from the command: the last part of the package or script, as `server-filesystem` from
/// `npx -y @modelcontextprotocol/server-filesystem DIR`.
fn name_of(command: &[OsString]) -> Result<ServerName, stockade_core::words::NameError> {
    const RUNNERS: [&str; 12] =
        ["npx", "uvx", "uv", "node", "python", "python3", "deno", "bun", "bunx", "pipx", "docker", "run"];
    let texts = command.iter().map(|part| part.to_string_lossy());
    let telling = texts.filter(|text| !text.starts_with('-')).map(|text| {
        let file = Path::new(text.as_ref()).file_name().map(|file| file.to_string_lossy().into_owned());
        file.unwrap_or_default()
    });
    let mut parts = telling.filter(|file| !RUNNERS.contains(&file.as_str()));
    let clean = |text: &str| {
        let text = text.split('@').next().unwrap_or_default().to_ascii_lowercase();
        let stem = [".js", ".mjs", ".py", ".ts", ".exe"].iter().find_map(|end| text.strip_suffix(end)).unwrap_or(&text);
        let kept: String =
            stem.chars().map(|c| if c.is_ascii_lowercase() || c.is_ascii_digit() { c } else { '-' }).take(40).collect();
        kept.trim_matches('-').to_owned()
    };
    let name = parts.find_map(|part| ServerName::parse(&clean(&part)).ok());
    name.map_or_else(|| ServerName::parse("server"), Ok)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_made_from_the_package_or_script() {
        for (command, expected) in [
            (&["npx", "-y", "@modelcontextprotocol/server-filesystem", "/tmp"][..], "server-filesystem"),
            (&["npx", "some-server@1.2.3"], "some-server"),
            (&["/usr/bin/python3", "/opt/My_Server.py"], "my-server"),
            (&["uvx", "mcp-server-git", "--repository", "."], "mcp-server-git"),
            (&["node", "dist/index.js"], "index"),
            (&["--", "-"], "server"),
        ] {
            let command: Vec<_> = command.iter().map(OsString::from).collect();
            assert_eq!(name_of(&command).unwrap().as_str(), expected);
        }
    }
}
