//! From the checked configuration to the plan of a gateway. Decides nothing that the configuration does not say.

use crate::config::{Config, Server, ServerEra, Target};
use crate::environment::Environment;
use crate::exit::Exit;
use crate::output::{Complaint, Failure};
use crate::wiring::Plan;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;
use stockade_core::mcp::Era;
use stockade_core::ports::Effect;
use stockade_core::words::{Caller, CallerKind, Secret, ServerName};
use stockade_gateway::{ChildLimits, ServerKind, ServerSpec, SessionLimits, ToolSpec};
use stockade_policy::{PolicySource, Sources, Starter};
use stockade_sandbox::{LaunchSpec, Launcher};

/// The largest policy file that is read.
const POLICY_BYTES: u64 = 1 << 20;
/// How long the sample server may take: the guide's number.
const SAMPLE_DEADLINE: Duration = Duration::from_secs(5);

/// The rules of the configuration, or `starter` where there is no configuration.
pub(crate) fn rules(config: &Config, starter: Starter) -> Result<Sources, Failure> {
    let servers = Some(config.servers.iter().map(|server| server.name.clone()).collect());
    if config.file.is_none() {
        return Ok(Sources { starter: Some(starter), ..Sources::default() });
    }
    let files = config.policy_files.iter().map(|path| read_policy(path)).collect::<Result<_, _>>()?;
    Ok(Sources { files, permits: config.permits.clone(), starter: None, servers })
}

fn read_policy(path: &Path) -> Result<PolicySource, Failure> {
    let failed = |why: String| {
        Complaint::new(format!("the policy file `{}` cannot be read", path.display()))
            .because(why)
            .fix("correct the file or take it out of `policy.files`")
            .with(Exit::Usage)
    };
    let size = std::fs::metadata(path).map_err(|error| failed(error.to_string()))?.len();
    if size > POLICY_BYTES {
        return Err(failed(format!("it has {size} bytes; at most {POLICY_BYTES} are read")));
    }
    let text = std::fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
    Ok(PolicySource { name: path.display().to_string(), text })
}

/// Everything but the servers and the rules.
pub(crate) fn plan(config: &Config, data: PathBuf, servers: Vec<ServerSpec>, rules: Sources) -> Plan {
    let limits = &config.limits;
    let anonymous = config.anonymous.clone().map(|name| Caller { name, kind: CallerKind::Anonymous });
    Plan {
        data,
        servers,
        rules,
        wire: limits.wire,
        limits: limits.caller,
        floor: config.gateway.oldest_revision,
        anonymous,
        sessions: SessionLimits { per_caller: limits.sessions_per_caller, idle: limits.session_idle },
        children: ChildLimits { per_caller: limits.children_per_caller, idle: limits.session_idle },
    }
}

/// The configured servers.
pub(crate) fn servers(config: &Config, environment: &Environment) -> Result<Vec<ServerSpec>, Failure> {
    config.servers.iter().map(|server| server_spec(config, server, environment)).collect()
}

fn server_spec(config: &Config, server: &Server, environment: &Environment) -> Result<ServerSpec, Failure> {
    let kind = match &server.target {
        Target::Command { program, arguments, environment: own, working_directory } => ServerKind::Stdio {
            launcher: Launcher::own_executable(),
            spec: LaunchSpec {
                program: program.into(),
                args: arguments.iter().map(OsString::from).collect(),
                environment: merged(environment, own),
                working_directory: working_directory.clone(),
                base_directory: config.base.clone(),
            },
            shows_stderr: false,
        },
        Target::Http(upstream) => ServerKind::Http {
            url: upstream
                .url
                .parse()
                .map_err(|error| unusable(server, &format!("its address is not usable: {error}")))?,
            headers: upstream.headers.iter().map(|pair| header(server, pair)).collect::<Result<_, _>>()?,
        },
    };
    Ok(ServerSpec { kind, ..settings_of(server) })
}

/// What the configuration says of a server beside where it is.
pub(crate) fn settings_of(server: &Server) -> ServerSpec {
    let tool = |tool: &crate::config::ToolSettings| {
        (tool.name.clone(), ToolSpec { effect: Some(tool.effect), deadline: Some(tool.deadline) })
    };
    ServerSpec {
        name: server.name.clone(),
        kind: ServerKind::Http { url: http_nowhere(), headers: Vec::new() },
        era: match server.era {
            ServerEra::Auto => None,
            ServerEra::Legacy => Some(Era::Legacy),
            ServerEra::Modern => Some(Era::Modern),
        },
        effect: Some(server.effect),
        deadline: server.deadline,
        tools: server.tools.iter().map(tool).collect(),
    }
}

/// An address that nothing can be reached at; every use of [`settings_of`] replaces it.
fn http_nowhere() -> stockade_gateway::Uri {
    stockade_gateway::Uri::from_static("http://127.0.0.1:0/")
}

/// The environment of a server: the base set, and over it what the operator has given.
fn merged(environment: &Environment, own: &[(String, Secret)]) -> Vec<(OsString, OsString)> {
    let mut all = environment.for_servers.clone();
    all.retain(|(name, _)| !own.iter().any(|(given, _)| name == given.as_str()));
    all.extend(own.iter().map(|(name, value)| (OsString::from(name), OsString::from(value.expose()))));
    all
}

fn header(
    server: &Server,
    (name, value): &(String, Secret),
) -> Result<(stockade_gateway::HeaderName, stockade_gateway::HeaderValue), Failure> {
    let bad = || unusable(server, &format!("its header `{name}` is not usable"));
    let header = name.parse().map_err(|_| bad())?;
    let mut value = stockade_gateway::HeaderValue::from_str(value.expose()).map_err(|_| bad())?;
    value.set_sensitive(true);
    Ok((header, value))
}

fn unusable(server: &Server, why: &str) -> Failure {
    Complaint::new(format!("the server `{}` cannot be used", server.name))
        .because(why)
        .fix(format!("correct `[servers.{}]` (line {})", server.name, server.line))
        .with(Exit::Usage)
}

/// The built-in sample server, run by this very executable.
pub(crate) fn sample_server(name: ServerName, data: &Path, environment: &Environment) -> Result<ServerSpec, Failure> {
    let tool = ToolSpec { effect: Some(Effect::Read), deadline: Some(SAMPLE_DEADLINE) };
    let executable = own_executable()?;
    Ok(ServerSpec {
        name,
        kind: ServerKind::Stdio {
            launcher: Launcher::own_executable(),
            spec: LaunchSpec {
                program: executable.into_os_string(),
                args: vec!["sample-server".into(), "--data".into(), data.join("sample").into_os_string()],
                environment: environment.for_servers.clone(),
                working_directory: None,
                base_directory: PathBuf::from("/"),
            },
            shows_stderr: false,
        },
        era: None,
        effect: None,
        deadline: SAMPLE_DEADLINE,
        tools: std::iter::once(("secure_query".to_owned(), tool)).collect(),
    })
}

fn own_executable() -> Result<PathBuf, Failure> {
    std::env::current_exe().map_err(|error| {
        Complaint::new("the sample server cannot be started")
            .because(format!("this program cannot find its own file: {error}"))
            .fix("start it by its full path")
            .with(Exit::Internal)
    })
}
