//! `stockade revoke`: what no longer holds, whatever its expiry says. A running gateway knows it within a second, on open
//! streams too.
//!
//! Must never: take a token or a key itself, which others could read on the command line; only its public name.

use crate::cli::{RevokeCommand, RevokeOptions};
use crate::config::Config;
use crate::exit::Exit;
use crate::operator;
use crate::operator_record::settle;
use crate::output::{Complaint, Failure, Output, say};
use crate::when::{now, parse_end, shown};
use serde_json::{Value, json};
use std::sync::Arc;
use stockade_core::ports::Timestamp;
use stockade_core::words::CallerName;
use stockade_gateway::SystemClock;
use stockade_inspect::escape::for_terminal;
use stockade_store::{
    Act, DataFolder, KEY_PREFIX, Revocation, RevocationList, RevocationTarget, RevocationTargetError, RevocationsError,
    State, StateError,
};

pub(crate) fn run(command: RevokeCommand, config: &Config) -> Result<Exit, Failure> {
    let mut output = Output::new();
    let (target, how) = match command {
        RevokeCommand::Token { id, issuer, how } => {
            check_is_public(&id)?;
            (RevocationTarget::token(&id, issuer.as_deref()), how)
        }
        RevokeCommand::Subject { subject, issuer, how } => {
            check_is_public(&subject)?;
            (RevocationTarget::subject(&subject, issuer.as_deref()), how)
        }
        RevokeCommand::Issuer { issuer, how } => (RevocationTarget::issuer(&issuer), how),
        RevokeCommand::Certificate { certificate, how } => (RevocationTarget::certificate(&certificate), how),
        RevokeCommand::Caller { name, how } => {
            check_is_public(&name)?;
            let name = CallerName::parse(&name).map_err(|error| Complaint::of(&error).with(Exit::Usage))?;
            (Ok(RevocationTarget::Caller { name }), how)
        }
        RevokeCommand::List { all, json } => {
            list(all, json, config, &mut output)?;
            output.flush()?;
            return Ok(Exit::Done);
        }
        RevokeCommand::Lift { number, reason, json } => {
            lift(number, reason.as_deref(), json, config, &mut output)?;
            return Ok(Exit::Done);
        }
    };
    let target = target.map_err(|error: RevocationTargetError| Complaint::of(&error).with(Exit::Usage))?;
    revoke(&target, &how, config, &mut output)?;
    Ok(Exit::Done)
}

/// Refuses what must not stand on a command line: a whole token or key. It is not repeated.
fn check_is_public(text: &str) -> Result<(), Failure> {
    let is_token = text.starts_with("eyJ") && text.matches('.').count() >= 2;
    if !is_token && !text.starts_with(KEY_PREFIX) {
        return Ok(());
    }
    let fix = if is_token {
        "name its id (`jti`), or its subject; treat the token as known to others, because they can read command lines"
    } else {
        "for an API key: `stockade keys revoke ID`, with the eight characters behind `stk_`"
    };
    let complaint = Complaint::new("that is the secret itself, and not its name");
    Err(complaint.fix(fix).with(Exit::Usage))
}

/// The list, and what else a change needs.
struct Book {
    folder: DataFolder,
    state: Arc<State>,
    list: RevocationList,
    operator: CallerName,
    now: Timestamp,
}

impl Book {
    fn open(config: &Config) -> Result<Self, Failure> {
        let internal = |error: &dyn std::error::Error| Complaint::of(error).with(Exit::Internal);
        let folder = DataFolder::beside(&config.gateway.data).map_err(|error| internal(&error))?;
        let state = State::open(&folder, Arc::new(SystemClock::new())).map_err(|error| internal(&error))?;
        let list = RevocationList::open(&state).map_err(|error| internal(&error))?;
        let operator = operator::name().map_err(|error| internal(&error))?;
        Ok(Self { folder, state, list, operator, now: now() })
    }

    fn act<'a>(&'a self, reason: Option<&'a str>) -> Act<'a> {
        Act { operator: &self.operator, at: self.now, reason }
    }

    fn settle(&self) {
        settle(&self.folder, &self.state, self.now);
    }
}

fn revoke(target: &RevocationTarget, how: &RevokeOptions, config: &Config, output: &mut Output) -> Result<(), Failure> {
    let until = how.until.as_deref().map(|text| parse_end("--until", text, now())).transpose();
    let until = until.map_err(|error| Complaint::of(&error).with(Exit::Usage))?;
    let book = Book::open(config)?;
    let number = book.list.revoke(target, until, &book.act(how.reason.as_deref())).map_err(|error| failed(&error))?;
    if how.json {
        output.json(&json!({ "number": number, "revoked": target.to_string(), "until": until.map(shown) }))?;
    } else {
        let until = until.map_or_else(|| "for good".to_owned(), |time| format!("at least until {}", shown(time)));
        let what = target.to_string();
        say(format_args!("revoked {until}: {}", for_terminal(&what)));
        say(format_args!("`stockade revoke lift {number}` takes it back"));
    }
    output.flush()?;
    book.settle();
    Ok(())
}

fn lift(number: i64, reason: Option<&str>, json: bool, config: &Config, output: &mut Output) -> Result<(), Failure> {
    let book = Book::open(config)?;
    let target = book.list.lift(number, &book.act(reason)).map_err(|error| failed(&error))?.to_string();
    if json {
        output.json(&json!({ "number": number, "lifted": target }))?;
    } else {
        say(format_args!("no longer revoked: {}", for_terminal(&target)));
    }
    output.flush()?;
    book.settle();
    Ok(())
}

fn list(all: bool, json: bool, config: &Config, output: &mut Output) -> Result<(), Failure> {
    let book = Book::open(config)?;
    let today = book.list.today();
    let rows = book.list.list().map_err(|error| failed(&error))?;
    let mut shown_any = false;
    for row in rows.iter().filter(|row| all || row.holds(today)) {
        shown_any = true;
        if json {
            output.json(&row_json(row, today))?;
        } else {
            output.line(row_line(row, today))?;
        }
    }
    if !shown_any {
        say("nothing is revoked");
    }
    Ok(())
}

fn row_json(row: &Revocation, today: Timestamp) -> Value {
    json!({
        "number": row.number,
        "revoked": row.target.to_string(),
        "in_force": row.holds(today),
        "at": shown(row.at),
        "until": row.until.map(shown),
        "by": row.by,
        "reason": row.reason,
        "lifted": row.lifted.map(shown),
    })
}

fn row_line(row: &Revocation, today: Timestamp) -> String {
    let until = match (row.lifted, row.until) {
        (Some(lifted), _) => format!("lifted {}", shown(lifted)),
        (None, Some(until)) if row.holds(today) => format!("until {}", shown(until)),
        (None, Some(until)) => format!("ended {}", shown(until)),
        (None, None) => "for good".to_owned(),
    };
    let reason = if row.reason.is_empty() { String::new() } else { format!("  ({})", row.reason) };
    let line = format!("{}  {}  {}  by {}  {until}{reason}", row.number, row.target, shown(row.at), row.by);
    for_terminal(&line).into_owned()
}

fn failed(error: &RevocationsError) -> Failure {
    let exit = match error {
        RevocationsError::NoSuchRevocation { .. } | RevocationsError::State(StateError::RecordBehind) => Exit::Found,
        RevocationsError::Over | RevocationsError::TooMany => Exit::Usage,
        RevocationsError::State(_) => Exit::Internal,
    };
    Complaint::of(error).with(exit)
}
