//! `stockade users`: add, list, remove, password. The users of the embedded authorization server. Works beside a running
//! gateway, which sees each change at once.
//!
//! Must never: show a password but one that was made here, once; take one on the command line, where others can see it.

use crate::cli::UsersCommand;
use crate::config::Config;
use crate::exit::Exit;
use crate::output::{Complaint, Failure, Output, say};
use crate::when::{now, shown};
use serde_json::json;
use std::io::Read;
use stockade_core::words::{CallerName, Secret};
use stockade_issuer::{LONGEST_BYTES, Users, UsersError};
use stockade_store::{DataFolder, IssuerDatabase, KeyRing, OsEntropy};

pub(crate) fn run(command: &UsersCommand, config: &Config) -> Result<Exit, Failure> {
    let mut output = Output::new();
    let database = open(config)?;
    let users = Users::new(&database, &OsEntropy);
    match command {
        UsersCommand::Add { name, password_stdin, json } => {
            let (name, said) = (parse(name)?, read_password(*password_stdin)?);
            let made = users.add(&name, said.as_ref(), now()).map_err(|error| failed(&error))?;
            tell(&mut output, &name, made.as_ref(), "was added", *json)?;
        }
        UsersCommand::Password { name, password_stdin, json } => {
            let (name, said) = (parse(name)?, read_password(*password_stdin)?);
            let made = users.set_password(&name, said.as_ref(), now()).map_err(|error| failed(&error))?;
            tell(&mut output, &name, made.as_ref(), "has another password and signs in again everywhere", *json)?;
        }
        UsersCommand::List { json } => list(&users, *json, &mut output)?,
        UsersCommand::Remove { name, json } => {
            let name = parse(name)?;
            users.remove(&name, now()).map_err(|error| failed(&error))?;
            if *json {
                output.json(&json!({ "name": name.as_str(), "removed": true }))?;
            } else {
                say(format_args!("user `{name}` is gone, and everything they were signed in to has ended"));
            }
        }
    }
    output.flush()?;
    Ok(Exit::Done)
}

fn open(config: &Config) -> Result<IssuerDatabase, Failure> {
    let internal = |error: &dyn std::error::Error| Complaint::of(error).with(Exit::Internal);
    let folder = DataFolder::beside(&config.gateway.data).map_err(|error| internal(&error))?;
    let ring = KeyRing::open(&folder).map_err(|error| internal(&error))?;
    IssuerDatabase::open(&folder, &ring).map_err(|error| internal(&error))
}

fn parse(name: &str) -> Result<CallerName, Failure> {
    CallerName::parse(name).map_err(|error| Complaint::of(&error).with(Exit::Usage))
}

/// The first line of standard input, without its end; nothing if it was not asked for.
fn read_password(password_stdin: bool) -> Result<Option<Secret>, Failure> {
    if !password_stdin {
        return Ok(None);
    }
    let limit = u64::try_from(LONGEST_BYTES).unwrap_or(u64::MAX).saturating_add(2);
    let mut text = String::new();
    let read = std::io::stdin().lock().take(limit).read_to_string(&mut text);
    // Owned before anything can fail, so that it is wiped.
    let text = Secret::new(text);
    read.map_err(|error| Complaint::new("the password cannot be read").because(error).with(Exit::Usage))?;
    let line = text.expose().split_once('\n').map_or(text.expose(), |(line, _)| line);
    Ok(Some(Secret::new(line.strip_suffix('\r').unwrap_or(line).to_owned())))
}

/// The password alone is data; it can be piped into a store of secrets.
fn tell(output: &mut Output, name: &CallerName, made: Option<&Secret>, what: &str, json: bool) -> Result<(), Failure> {
    if json {
        output.json(&json!({ "name": name.as_str(), "password": made.map(Secret::expose) }))?;
        return Ok(());
    }
    match made {
        Some(made) => {
            output.line(made.expose())?;
            say(format_args!("user `{name}` {what}; the password is shown only now"));
        }
        None => say(format_args!("user `{name}` {what}")),
    }
    Ok(())
}

fn list(users: &Users<'_>, json: bool, output: &mut Output) -> Result<(), Failure> {
    let rows = users.list().map_err(|error| failed(&error))?;
    for row in &rows {
        let (name, created, changed) = (row.name.as_str(), shown(row.created), shown(row.changed));
        if json {
            output.json(&json!({ "name": name, "created": created, "password_set": changed }))?;
        } else {
            output.line(format_args!("{name}  added {created}  password set {changed}"))?;
        }
    }
    if rows.is_empty() {
        say("there are no users; `stockade users add NAME` makes one");
    }
    Ok(())
}

fn failed(error: &UsersError) -> Failure {
    let exit = match error {
        UsersError::Exists { .. } | UsersError::Missing { .. } => Exit::Found,
        UsersError::Password { .. } => Exit::Usage,
        UsersError::Store { .. } => Exit::Internal,
    };
    Complaint::of(error).with(exit)
}
