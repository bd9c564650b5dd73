//! `stockade up`: the HTTP gateway.
//!
//! Must never: print the key of a caller a second time; listen before everything behind the door is ready.

use crate::cli::UpOptions;
use crate::config::Config;
use crate::environment::Environment;
use crate::exit::Exit;
use crate::operator;
use crate::output::{Complaint, Failure, Output};
use crate::plan;
use crate::stop;
use crate::transport;
use crate::wiring::{Gateway, WiringError};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use stockade_core::ports::Clock;
use stockade_core::words::{CallerName, Secret, ServerName};
use stockade_gateway::{Http1Limits, HttpListener, HttpSettings, Hub, ServerTls};
use stockade_identity::DpopMode;
use stockade_policy::Starter;
use stockade_store::{Act, NewKey};

/// How long requests in flight may still take after the gateway was asked to stop.
const DRAIN: Duration = Duration::from_secs(10);
/// The caller of the first key.
const FIRST_CALLER: &str = "owner";

/// Runs the command to its end.
pub(crate) async fn run(options: UpOptions, config: Config, environment: Environment) -> ExitCode {
    match serve(options, config, environment).await {
        Ok(()) => Exit::Done.into(),
        Err(failure) => failure.end().into(),
    }
}

async fn serve(options: UpOptions, config: Config, environment: Environment) -> Result<(), Failure> {
    let data = config.gateway.data.clone();
    let sample = ServerName::parse("sample").map_err(|error| internal(&error))?;
    let is_sample = config.file.is_none();
    let servers = if is_sample {
        vec![plan::sample_server(sample.clone(), &data, &environment)?]
    } else {
        plan::servers(&config, &environment)?
    };
    let names: Vec<_> = servers.iter().map(|server| server.name.clone()).collect();
    if names.is_empty() {
        let fix = "add one: [servers.files] with `command = [\"npx\", \"-y\", …]` or `url = \"https://…\"`";
        return Err(Complaint::new("the configuration names no server").fix(fix).with(Exit::Usage));
    }
    let rules = plan::rules(&config, Starter::Sample { server: sample })?;
    let stopped = stop::watch_signals().map_err(|error| internal(&error))?;
    // A free port is known only once it is taken; any other is taken when everything behind it is ready.
    let mut address = config.gateway.listen;
    let mut taken = None;
    if address.port() == 0 {
        let listener = listen(address).await?;
        address = listener.address().map_err(|error| internal(&error))?;
        taken = Some(listener);
    }
    let url = url(address, config.tls.is_some());
    let mut plan = plan::plan(&config, data.clone(), servers, rules);
    plan.authentication = Some(plan::authentication(&config, &url, &names));
    let gateway = Gateway::build(plan).map_err(|error| unbuilt(&error))?;
    let tls = transport::server_tls(&config, gateway.clock.clone())?;
    let listener = match taken {
        Some(listener) => listener,
        None => listen(address).await?,
    };
    let key = first_key(&gateway, config.anonymous.is_some())?;
    report_opening(&gateway);
    let has_metadata = !gateway.authorization_servers.is_empty();
    let door = gateway.http_door(address.port(), settings(&config, &url, tls, has_metadata), &names);
    let sweep = tokio::spawn(Hub::sweep(Arc::downgrade(&gateway.hub)));
    let watch = tokio::spawn(Hub::watch(Arc::downgrade(&gateway.hub)));
    let serving = tokio::spawn(door.serve(listener, stopped));
    let told = tell(&options, &url, key.as_ref(), &names, &gateway);
    if let Err(Failure::Told(..)) = &told {
        told?;
    }
    let _ = serving.await;
    sweep.abort();
    watch.abort();
    gateway.close().await;
    Ok(())
}

/// Where clients reach the merged route, as far as this machine can say.
fn url(address: SocketAddr, has_tls: bool) -> String {
    format!("{}://{address}/mcp", if has_tls { "https" } else { "http" })
}

fn settings(config: &Config, url: &str, tls: Option<Arc<ServerTls>>, has_metadata: bool) -> HttpSettings {
    let timeouts = config.limits.timeouts;
    let resource = config.gateway.resource.clone().unwrap_or_else(|| url.to_owned());
    HttpSettings {
        hosts: config.gateway.hosts.clone(),
        origins: config.gateway.origins.clone(),
        resource,
        scopes: if config.sign_in.is_some() { vec![plan::SCOPE.to_owned()] } else { Vec::new() },
        has_metadata,
        requires_dpop: config.identity.dpop.mode == DpopMode::Require,
        http1: Http1Limits {
            head_deadline: timeouts.header,
            body_deadline: timeouts.body,
            idle_deadline: timeouts.idle,
            ..Http1Limits::default()
        },
        tls,
        admission: config.admission.clone(),
        connections: config.limits.connections,
        drain: DRAIN,
    }
}

async fn listen(address: SocketAddr) -> Result<HttpListener, Failure> {
    HttpListener::bind(address).await.map_err(|error| {
        let fix = match error.kind() {
            std::io::ErrorKind::AddrInUse => {
                "stop what listens there, or set another `gateway.listen` (port 0 takes a free one)"
            }
            _ => "set another `gateway.listen`",
        };
        Complaint::new(format!("cannot listen on {address}")).because(error).fix(fix).with(Exit::Usage)
    })
}

/// Makes a key where there is none yet and somebody will need one.
fn first_key(gateway: &Gateway, has_anonymous: bool) -> Result<Option<Secret>, Failure> {
    let failed = |error: stockade_store::ApiKeysError| Complaint::of(&error).with(Exit::Internal);
    if has_anonymous || !gateway.api_keys.list().map_err(failed)?.is_empty() {
        return Ok(None);
    }
    let caller = CallerName::parse(FIRST_CALLER).map_err(|error| internal(&error))?;
    let operator = operator::name().map_err(|error| internal(&error))?;
    let act = Act { operator: &operator, at: gateway.clock.wall(), reason: Some("the first start") };
    let new = NewKey { caller: &caller, scopes: None, expires: None };
    gateway.api_keys.add(new, &act).map(|(_, key)| Some(key)).map_err(failed)
}

/// What the operator should know of the record that was found.
pub(crate) fn report_opening(gateway: &Gateway) {
    if gateway.folder.was_tightened() {
        tracing::warn!("the data folder was open to others; it is now for its owner only");
    }
    if let Some(cut) = &gateway.opened.cut {
        tracing::warn!(file = cut.file, bytes = cut.bytes, "the last process left a record unfinished; it was cut off");
    }
    let unknown = gateway.opened.closed_as_unknown.len();
    if unknown > 0 {
        tracing::warn!(unknown, "calls of the last process have no outcome; they are recorded as unknown");
    }
}

fn tell(
    options: &UpOptions,
    url: &str,
    key: Option<&Secret>,
    servers: &[ServerName],
    gateway: &Gateway,
) -> Result<(), Failure> {
    let data = gateway.folder.path().display().to_string();
    let mut output = Output::new();
    if options.json {
        let mut line = serde_json::json!({ "url": url, "data": data });
        if let (Some(key), Some(line)) = (key, line.as_object_mut()) {
            line.insert("api_key".to_owned(), key.expose().into());
        }
        output.json(&line)?;
        return Ok(output.flush()?);
    }
    let names: Vec<_> = servers.iter().map(ServerName::as_str).collect();
    output.line("Stockade is ready.")?;
    output.line("")?;
    output.line(format!("  all servers   {url}"))?;
    for name in &names {
        output.line(format!("  one server    {url}/{name}"))?;
    }
    output.line(format!("  data          {data}"))?;
    let shown = key.map_or("<your API key>", Secret::expose);
    match key {
        Some(key) => {
            output.line(format!("  API key       {}", key.expose()))?;
            output
                .line(format!("                of caller `{FIRST_CALLER}`; shown this once, kept only as a digest"))?;
        }
        None => output.line("  API key       one that was made before; `stockade keys add NAME` makes another")?,
    }
    let client = serde_json::json!({
        "mcpServers": {
            "stockade": { "type": "http", "url": url, "headers": { "Authorization": format!("Bearer {shown}") } }
        }
    });
    output.line("")?;
    output.line("For a client's configuration:")?;
    output.line("")?;
    output.line(serde_json::to_string_pretty(&client).unwrap_or_default())?;
    output.line("")?;
    output.line(format!("What happens is on record: stockade audit query --data {data}"))?;
    output.line("Ctrl-C stops it.")?;
    Ok(output.flush()?)
}

/// An error of building, for people.
pub(crate) fn unbuilt(error: &WiringError) -> Failure {
    let exit = match error {
        WiringError::Rules(_) | WiringError::Data(_) | WiringError::Authentication(_) => Exit::Usage,
        WiringError::Keys(_) | WiringError::State(_) | WiringError::ApiKeys(_) | WiringError::Audit(_) => {
            Exit::Internal
        }
    };
    if let WiringError::Rules(errors) = error {
        crate::output::say(errors);
        return Complaint::new("the rules cannot be used").fix("correct each of the places above").with(exit);
    }
    Complaint::of(error).with(exit)
}

pub(crate) fn internal(error: &dyn std::error::Error) -> Failure {
    Complaint::of(error).with(Exit::Internal)
}
