//! `stockade keys`: add, list, revoke. Works beside a running gateway, which sees the change at once.
//!
//! Must never: show a key but once, to whoever made it.

use crate::cli::KeysCommand;
use crate::config::Config;
use crate::exit::Exit;
use crate::output::{Complaint, Failure, Output, say};
use serde_json::json;
use stockade_core::ports::Timestamp;
use stockade_core::words::CallerName;
use stockade_store::{ApiKeys, ApiKeysError, DataFolder, KeyRing, KeyRow};

pub(crate) fn run(command: KeysCommand, config: &Config) -> Result<Exit, Failure> {
    let mut output = Output::new();
    match command {
        KeysCommand::Add { caller, json } => add(&caller, json, config, &mut output)?,
        KeysCommand::List { json } => list(json, config, &mut output)?,
        KeysCommand::Revoke { id, json } => revoke(&id, json, config, &mut output)?,
    }
    output.flush()?;
    Ok(Exit::Done)
}

fn open(config: &Config) -> Result<ApiKeys, Failure> {
    let folder =
        DataFolder::beside(&config.gateway.data).map_err(|error| Complaint::of(&error).with(Exit::Internal))?;
    let ring = KeyRing::open(&folder).map_err(|error| Complaint::of(&error).with(Exit::Internal))?;
    ApiKeys::open(&folder, &ring).map_err(|error| failed(&error))
}

fn add(caller: &str, json: bool, config: &Config, output: &mut Output) -> Result<(), Failure> {
    let caller = CallerName::parse(caller).map_err(|error| Complaint::of(&error).with(Exit::Usage))?;
    let (id, key) = open(config)?.add(&caller, now()).map_err(|error| failed(&error))?;
    if json {
        output.json(&json!({ "caller": caller.as_str(), "id": id.as_str(), "api_key": key.expose() }))?;
    } else {
        output.line(key.expose())?;
        // The key alone is data; it can be piped into a file or a store of secrets.
        say(format_args!("key `{}` for `{caller}`; it is shown only now", id.as_str()));
    }
    Ok(())
}

fn list(json: bool, config: &Config, output: &mut Output) -> Result<(), Failure> {
    let rows = open(config)?.list().map_err(|error| failed(&error))?;
    for row in &rows {
        let KeyRow { id, caller, created, expires, revoked } = row;
        if json {
            output.json(&json!({
                "id": id.as_str(),
                "caller": caller.as_str(),
                "created": shown(*created),
                "expires": expires.map(shown),
                "revoked": revoked.map(shown),
            }))?;
            continue;
        }
        let state = match (revoked, expires) {
            (Some(revoked), _) => format!("revoked {}", shown(*revoked)),
            (None, Some(expires)) => format!("until {}", shown(*expires)),
            (None, None) => "valid".to_owned(),
        };
        output.line(format_args!("{}  {caller}  made {}  {state}", id.as_str(), shown(*created)))?;
    }
    if rows.is_empty() {
        say("there are no keys; `stockade keys add CALLER` makes one");
    }
    Ok(())
}

fn revoke(id: &str, json: bool, config: &Config, output: &mut Output) -> Result<(), Failure> {
    open(config)?.revoke(id, now()).map_err(|error| failed(&error))?;
    if json {
        output.json(&json!({ "id": id, "revoked": true }))?;
    } else {
        say(format_args!("key `{id}` is no longer valid"));
    }
    Ok(())
}

fn failed(error: &ApiKeysError) -> Failure {
    let exit = if matches!(error, ApiKeysError::NoSuchKey { .. }) { Exit::Found } else { Exit::Internal };
    Complaint::of(error).with(exit)
}

/// The wall clock. A clock beyond 2262 counts as the end of time.
fn now() -> Timestamp {
    Timestamp(i64::try_from(jiff::Timestamp::now().as_nanosecond()).unwrap_or(i64::MAX))
}

/// RFC 3339 in UTC, to the second.
fn shown(time: Timestamp) -> String {
    let time = jiff::Timestamp::from_nanosecond(i128::from(time.0)).unwrap_or(jiff::Timestamp::MAX);
    format!("{time:.0}")
}
