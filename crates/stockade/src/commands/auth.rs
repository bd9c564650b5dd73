//! `stockade auth explain`: one credential, and every check that the gateway would make of it.
//!
//! For: operators whose clients are told no more than 401. It is the gateway's own code, with every check written down.
//! Must never: show a token, a key or a proof; take one on the command line, where others can see it; use a proof up.

use crate::authentication;
use crate::cli::AuthCommand;
use crate::config::Config;
use crate::exit::Exit;
use crate::output::{Complaint, Failure, Output};
use crate::plan;
use serde_json::json;
use std::io::Read;
use std::sync::Arc;
use stockade_core::identity::{Credential, Identity, Shown};
use stockade_core::ports::Clock;
use stockade_core::words::Secret;
use stockade_gateway::SystemClock;
use stockade_identity::Explanation;
use stockade_inspect::escape::for_terminal;
use stockade_store::{ApiKeys, DataFolder, KeyRing, RevocationList, State};

/// Bytes of standard input that are read: more than any credential has.
const INPUT_BYTES: u64 = 64 << 10;
/// Characters of one text of a step.
const SHOWN_CHARACTERS: usize = 400;

pub(crate) async fn run(command: AuthCommand, config: Config) -> Result<Exit, Failure> {
    let AuthCommand::Explain { url, get, dpop, json } = command;
    let url = url.or_else(|| config.gateway.resource.clone()).ok_or_else(|| {
        let fix = "set `gateway.resource`, or name the route with `--url`";
        Complaint::new("the gateway has no canonical URI, so no token can be meant for it").fix(fix).with(Exit::Usage)
    })?;
    let shown = shown(url.clone(), get, dpop)?;
    let explained = explain(&config, &url, &shown).await?;
    let mut output = Output::new();
    tell(&explained, json, &mut output)?;
    output.flush()?;
    Ok(if explained.outcome.is_ok() { Exit::Done } else { Exit::Found })
}

/// What a client would show: the first line of standard input is the credential, further lines are proofs.
fn shown(url: String, is_get: bool, has_proof: bool) -> Result<Shown, Failure> {
    // Wiped when it goes: it is the credential.
    let mut text = zeroize::Zeroizing::new(String::new());
    let read = std::io::stdin().lock().take(INPUT_BYTES).read_to_string(&mut text);
    read.map_err(|error| {
        Complaint::new("the credential cannot be read")
            .because(error)
            .fix("give it on standard input")
            .with(Exit::Usage)
    })?;
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let token = lines.next().ok_or_else(|| {
        let fix = "write it as the first line of standard input: `stockade auth explain < token.txt`";
        Complaint::new("there is no credential").fix(fix).with(Exit::Usage)
    })?;
    let secret = Secret::new(token.strip_prefix("Bearer ").unwrap_or(token).to_owned());
    let credential = if has_proof { Credential::Dpop(secret) } else { Credential::Bearer(secret) };
    let proofs = if has_proof { lines.take(2).map(str::to_owned).collect() } else { Vec::new() };
    let http_method = if is_get { "GET" } else { "POST" };
    Ok(Shown { proofs, http_method, url, ..Shown::only(credential) })
}

/// Builds what recognises callers beside a running gateway, and asks it.
async fn explain(config: &Config, url: &str, shown: &Shown) -> Result<Explanation, Failure> {
    let internal = |error: &dyn std::error::Error| Complaint::of(error).with(Exit::Internal);
    let folder = DataFolder::beside(&config.gateway.data).map_err(|error| internal(&error))?;
    let ring = KeyRing::open(&folder).map_err(|error| internal(&error))?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let state = State::open(&folder, Arc::clone(&clock)).map_err(|error| internal(&error))?;
    let keys = ApiKeys::beside(&state, &ring, config.keys.clone()).map_err(|error| internal(&error))?;
    let revocations = RevocationList::open(&state).map_err(|error| internal(&error))?;
    let servers: Vec<_> = config.servers.iter().map(|server| server.name.clone()).collect();
    let plan = plan::authentication(config, url, &servers);
    let built = authentication::build(&plan, &folder, &ring, &clock, &Arc::new(keys), &Arc::new(revocations))
        .map_err(|error| Complaint::of(&error).with(Exit::Usage))?;
    let fetching = {
        let authenticator = Arc::clone(&built.authenticator);
        tokio::spawn(async move { authenticator.keep().await })
    };
    let explained = built.authenticator.explain(shown).await;
    fetching.abort();
    Ok(explained)
}

/// A text of a step, harmless and not too long.
fn cut(text: &str) -> String {
    let text: String = text.chars().take(SHOWN_CHARACTERS).collect();
    for_terminal(&text).into_owned()
}

fn tell(explained: &Explanation, as_json: bool, output: &mut Output) -> Result<(), Failure> {
    for step in &explained.steps {
        let check = step.check.as_str();
        if as_json {
            let line = json!({ "check": check, "expected": step.expected, "found": step.found, "passed": step.passed });
            output.json(&line)?;
            continue;
        }
        let mark = if step.passed { "ok" } else { "NO" };
        output.line(format!("{mark}  {check}"))?;
        output.line(format!("      expected  {}", cut(&step.expected)))?;
        output.line(format!("      found     {}", cut(&step.found)))?;
    }
    match &explained.outcome {
        Ok(Identity { caller, standing }) if as_json => {
            let scopes = standing.scopes.as_ref().map(|scopes| scopes.iter().cloned().collect::<Vec<_>>());
            let kind = caller.kind.as_str();
            output.json(
                &json!({ "caller": caller.name.as_str(), "kind": kind, "scopes": scopes, "groups": standing.groups }),
            )?;
        }
        Ok(Identity { caller, standing }) => {
            let scopes = standing.scopes.as_ref().map_or_else(
                || "not limited by scopes".to_owned(),
                |scopes| scopes.iter().map(String::as_str).collect::<Vec<_>>().join(" "),
            );
            output.line(format!("It is `{}` ({}), with: {scopes}", caller.name, caller.kind.as_str()))?;
        }
        Err(error) if as_json => output.json(&json!({ "refused": error.to_string() }))?,
        Err(error) => output.line(format!("Refused: {error}"))?,
    }
    Ok(())
}
