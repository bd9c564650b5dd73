//! From the checked configuration to the plan of a gateway. Decides nothing that the configuration does not say.

use crate::authentication::{AuthenticationPlan, SignInPlan};
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
    let anonymous = config.anonymous.clone().map(|name| Caller::new(name, CallerKind::Anonymous));
    Plan {
        data,
        servers,
        rules,
        wire: limits.wire,
        limits: limits.caller,
        floor: config.gateway.oldest_revision,
        anonymous,
        sessions: SessionLimits {
            per_caller: limits.sessions_per_caller,
            idle: limits.session_idle,
            life: limits.session_life,
        },
        children: ChildLimits { per_caller: limits.children_per_caller, idle: limits.session_idle },
        keys: config.keys.clone(),
        authentication: None,
    }
}

/// The scope of the embedded authorization server that every client gets.
pub(crate) const SCOPE: &str = "mcp";

/// Who is recognised by tokens and certificates. `url` is where clients reach the gateway if the configuration does not say.
pub(crate) fn authentication(config: &Config, url: &str, servers: &[ServerName]) -> AuthenticationPlan {
    AuthenticationPlan {
        identity: config.identity.clone(),
        resource: config.gateway.resource.clone().unwrap_or_else(|| url.to_owned()),
        environment: config.keys.environment.to_string(),
        sign_in: config.sign_in.as_ref().map(|sign_in| SignInPlan {
            registers: sign_in.registers,
            origins: sign_in.origins.clone(),
            servers: servers.to_vec(),
        }),
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
            tls: match &upstream.tls {
                Some(tls) => Some(crate::transport::upstream_tls(server, tls)?),
                None => None,
            },
        },
    };
    Ok(spec_of(server, kind))
}

/// What the configuration says of a server, which is reached by `kind`.
pub(crate) fn spec_of(server: &Server, kind: ServerKind) -> ServerSpec {
    let tool = |tool: &crate::config::ToolSettings| {
        let (effect, deadline) = (Some(tool.effect), Some(tool.deadline));
        (tool.name.clone(), ToolSpec { effect, deadline, scopes: tool.scopes.clone().map(Into::into) })
    };
    ServerSpec {
        name: server.name.clone(),
        kind,
        era: match server.era {
            ServerEra::Auto => None,
            ServerEra::Legacy => Some(Era::Legacy),
            ServerEra::Modern => Some(Era::Modern),
        },
        effect: Some(server.effect),
        deadline: server.deadline,
        scopes: server.scopes.clone().into(),
        tools: server.tools.iter().map(tool).collect(),
    }
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
    let tool = ToolSpec { effect: Some(Effect::Read), deadline: Some(SAMPLE_DEADLINE), scopes: None };
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
        scopes: Vec::new().into(),
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
