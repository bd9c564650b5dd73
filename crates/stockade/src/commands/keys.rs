//! `stockade keys`: add, list, rotate, revoke. Works beside a running gateway, which sees each change at once.
//!
//! Must never: show a key but once, to whoever made it; take a key on the command line, where others can see it.

use crate::cli::KeysCommand;
use crate::config::{Config, Span};
use crate::exit::Exit;
use crate::operator;
use crate::operator_record::settle;
use crate::output::{Complaint, Failure, Output, say};
use crate::when::{NoTime, now, parse_end, parse_span, shown};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use stockade_core::ports::Timestamp;
use stockade_core::words::CallerName;
use stockade_gateway::SystemClock;
use stockade_inspect::escape::for_terminal;
use stockade_store::{
    Act, ApiKeys, ApiKeysError, DataFolder, EnvironmentName, KeyId, KeyRing, KeyRow, KeyState, NewKey, Scopes, State,
    StateError,
};

const DAY: u64 = 24 * 3600;

pub(crate) fn run(command: KeysCommand, config: &Config) -> Result<Exit, Failure> {
    let mut output = Output::new();
    match command {
        KeysCommand::Add { caller, scopes, expires, reason, json } => {
            let asked = Asked { expires: expires.as_deref(), reason: reason.as_deref(), json };
            add(&caller, &scopes, &asked, config, &mut output)?;
        }
        KeysCommand::List { json } => list(json, config, &mut output)?,
        KeysCommand::Rotate { id, overlap, expires, reason, json } => {
            let asked = Asked { expires: expires.as_deref(), reason: reason.as_deref(), json };
            rotate(&id, &overlap, &asked, config, &mut output)?;
        }
        KeysCommand::Revoke { id, reason, json } => revoke(&id, reason.as_deref(), json, config, &mut output)?,
    }
    output.flush()?;
    Ok(Exit::Done)
}

/// What several commands can be asked.
struct Asked<'a> {
    expires: Option<&'a str>,
    reason: Option<&'a str>,
    json: bool,
}

/// The keys, and what else a change needs.
struct Book {
    folder: DataFolder,
    state: Arc<State>,
    keys: ApiKeys,
    operator: CallerName,
    now: Timestamp,
}

impl Book {
    fn open(config: &Config) -> Result<Self, Failure> {
        let internal = |error: &dyn std::error::Error| Complaint::of(error).with(Exit::Internal);
        let folder = DataFolder::beside(&config.gateway.data).map_err(|error| internal(&error))?;
        let ring = KeyRing::open(&folder).map_err(|error| internal(&error))?;
        let state = State::open(&folder, Arc::new(SystemClock::new())).map_err(|error| internal(&error))?;
        let keys = ApiKeys::beside(&state, &ring, config.keys.clone()).map_err(|error| failed(&error))?;
        let operator = operator::name().map_err(|error| internal(&error))?;
        Ok(Self { folder, state, keys, operator, now: now() })
    }

    fn act<'a>(&'a self, reason: Option<&'a str>) -> Act<'a> {
        Act { operator: &self.operator, at: self.now, reason }
    }

    fn settle(&self) {
        settle(&self.folder, &self.state, self.now);
    }
}

fn add(
    caller: &str,
    scopes: &[String],
    asked: &Asked<'_>,
    config: &Config,
    output: &mut Output,
) -> Result<(), Failure> {
    let caller = CallerName::parse(caller).map_err(|error| Complaint::of(&error).with(Exit::Usage))?;
    let scopes = (!scopes.is_empty()).then(|| Scopes::of(scopes.iter().map(String::as_str))).transpose();
    let scopes = scopes.map_err(|error| Complaint::of(&error).with(Exit::Usage))?;
    let expires = asked.expires.map(|text| parse_end("--expires", text, now())).transpose().map_err(wrong_time)?;
    let book = Book::open(config)?;
    let new = NewKey { caller: &caller, scopes: scopes.as_ref(), expires };
    let (id, key) = book.keys.add(new, &book.act(asked.reason)).map_err(|error| failed(&error))?;
    // The key first: it exists, and nobody else can show it.
    if asked.json {
        let said = json!({
            "caller": caller.as_str(),
            "id": id.as_str(),
            "api_key": key.expose(),
            "environment": config.keys.environment.as_str(),
            "scopes": scopes.as_ref().map(Scopes::as_set),
            "expires": expires.map(shown),
        });
        output.json(&said)?;
    } else {
        // The key alone is data; it can be piped into a file or a store of secrets.
        output.line(key.expose())?;
        let until = expires.map_or_else(String::new, |time| format!(", until {}", shown(time)));
        say(format_args!("key `{id}` for `{caller}` in `{}`{until}; it is shown only now", config.keys.environment));
    }
    output.flush()?;
    book.settle();
    Ok(())
}

fn rotate(id: &str, overlap: &str, asked: &Asked<'_>, config: &Config, output: &mut Output) -> Result<(), Failure> {
    let overlap = parse_span("--overlap", overlap).map_err(wrong_time)?;
    let expires = asked.expires.map(|text| parse_end("--expires", text, now())).transpose().map_err(wrong_time)?;
    let book = Book::open(config)?;
    let made = book.keys.rotate(id, overlap, expires, &book.act(asked.reason)).map_err(|error| failed(&error))?;
    if asked.json {
        let said = json!({
            "caller": made.caller.as_str(),
            "id": made.id.as_str(),
            "api_key": made.key.expose(),
            "expires": made.expires.map(shown),
            "replaces": id,
            "old_ends": shown(made.old_ends),
        });
        output.json(&said)?;
    } else {
        output.line(made.key.expose())?;
        let (new, caller) = (&made.id, &made.caller);
        say(format_args!("key `{new}` for `{caller}`; it is shown only now"));
        say(format_args!("key `{id}` works until {}", shown(made.old_ends)));
    }
    output.flush()?;
    book.settle();
    Ok(())
}

fn revoke(id: &str, reason: Option<&str>, json: bool, config: &Config, output: &mut Output) -> Result<(), Failure> {
    let book = Book::open(config)?;
    book.keys.revoke(id, &book.act(reason)).map_err(|error| failed(&error))?;
    if json {
        output.json(&json!({ "id": id, "revoked": true }))?;
    } else {
        say(format_args!("key `{id}` is no longer valid"));
    }
    output.flush()?;
    book.settle();
    Ok(())
}

fn list(json: bool, config: &Config, output: &mut Output) -> Result<(), Failure> {
    let book = Book::open(config)?;
    let rows = book.keys.list().map_err(|error| failed(&error))?;
    let today = book.keys.today();
    let mut aging = 0_usize;
    for row in &rows {
        let state = row.state(book.keys.rules(), today);
        aging += usize::from(matches!(state, KeyState::Aging { .. }));
        let ends = row.ends(book.keys.rules());
        if json {
            output.json(&row_json(row, state, ends, today))?;
        } else {
            output.line(row_line(row, state, ends, today))?;
        }
    }
    if rows.is_empty() {
        say("there are no keys; `stockade keys add CALLER` makes one");
    }
    if aging > 0 {
        let keys = if aging == 1 { "1 key".to_owned() } else { format!("{aging} keys") };
        say(format_args!("{keys} will be too old soon; `stockade keys rotate ID` makes another in the place of one"));
    }
    Ok(())
}

fn row_json(row: &KeyRow, state: KeyState, ends: Option<Timestamp>, today: Timestamp) -> Value {
    json!({
        "id": row.id.as_str(),
        "caller": row.caller.as_str(),
        "scopes": row.scopes.as_ref().map(Scopes::as_set),
        "environment": row.environment.as_ref().map(EnvironmentName::as_str),
        "created": shown(row.created),
        "age_days": row.age(today).as_secs() / DAY,
        "expires": row.expires.map(shown),
        "ends": ends.map(shown),
        "last_used": row.last_used.map(shown),
        "state": state.as_str(),
        "rotated_from": row.rotated_from.as_ref().map(KeyId::as_str),
        "rotated_to": row.rotated_to.as_ref().map(KeyId::as_str),
        "overlap_ends": row.overlap_ends.map(shown),
        "revoked": row.revoked.map(shown),
    })
}

/// For people: which key, whose, where, how old, how long since its last use, and what it is worth.
fn row_line(row: &KeyRow, state: KeyState, ends: Option<Timestamp>, today: Timestamp) -> String {
    let environment = row.environment.as_ref().map_or("-", EnvironmentName::as_str);
    let scopes = row.scopes.as_ref().map_or_else(
        || "all scopes".to_owned(),
        |scopes| match scopes.to_text() {
            none if none.is_empty() => "no scope".to_owned(),
            some => format!("scopes {some}"),
        },
    );
    let used = row.last_used.map_or_else(|| "never used".to_owned(), |time| format!("used {}", shown(time)));
    let time = state.time().map(shown).unwrap_or_default();
    let worth = match state {
        KeyState::Valid => ends.map_or_else(|| "valid".to_owned(), |ends| format!("valid until {}", shown(ends))),
        KeyState::Aging { .. } => format!("valid until {time}, too old then"),
        KeyState::Replaced { .. } => {
            format!("valid until {time}, replaced by {}", row.rotated_to.as_ref().map_or("another", KeyId::as_str))
        }
        KeyState::Revoked { .. } => format!("revoked {time}"),
        KeyState::Expired { .. } => format!("expired {time}"),
        KeyState::ReplacedLongAgo { .. } => format!("replaced, ended {time}"),
        KeyState::TooOld { .. } => format!("too old since {time}"),
        KeyState::OfAnotherEnvironment if row.environment.is_none() => "waits for a gateway to take it over".to_owned(),
        KeyState::OfAnotherEnvironment => "refused here: of another environment".to_owned(),
    };
    let age = Span(Duration::from_secs(row.age(today).as_secs() / DAY * DAY));
    let age = if age.0.is_zero() { "0d".to_owned() } else { age.to_string() };
    let line = format!(
        "{}  {}  made {}  {age} old  {environment}  {scopes}  {used}  {worth}",
        row.id,
        row.caller,
        shown(row.created)
    );
    for_terminal(&line).into_owned()
}

fn wrong_time(error: NoTime) -> Failure {
    Complaint::of(&error).with(Exit::Usage)
}

fn failed(error: &ApiKeysError) -> Failure {
    let exit = match error {
        ApiKeysError::NoSuchKey { .. } | ApiKeysError::Ended { .. } | ApiKeysError::ReplacedBefore { .. } => {
            Exit::Found
        }
        ApiKeysError::WholeKey { .. } | ApiKeysError::NotAllowed { .. } | ApiKeysError::TooMany => Exit::Usage,
        ApiKeysError::State(StateError::RecordBehind) => Exit::Found,
        ApiKeysError::State(_) => Exit::Internal,
    };
    Complaint::of(error).with(exit)
}
