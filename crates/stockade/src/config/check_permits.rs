//! The `[[permit]]` tables: each names somebody, somewhere, and servers that exist.
//!
//! Must never: take an absent list for "all".

use super::check_servers::CheckedServers;
use super::key::Key;
use super::keys::{
    PERMIT, PERMIT_CALLERS, PERMIT_FROM_SERVER, PERMIT_PROMPTS, PERMIT_RESOURCES, PERMIT_SERVERS, PERMIT_TOOLS,
};
use super::place::Place;
use super::problem::{Problem, quoted};
use super::raw::RawTable;
use super::suggest::nearest;
use std::error::Error;
use stockade_policy::{CallerPattern, FromServer, Glob, PermitRule, ServerPattern};

/// `source` is what the operator called the file; explanations of decisions name it.
pub(super) fn permits(
    root: &RawTable,
    servers: &CheckedServers,
    source: &str,
    problems: &mut Vec<Problem>,
) -> Vec<PermitRule> {
    let tables = root.all(&PERMIT).iter();
    tables.map(|(_, table)| permit(table, servers, source, problems)).collect()
}

fn permit(table: &RawTable, servers: &CheckedServers, source: &str, problems: &mut Vec<Problem>) -> PermitRule {
    for key in [&PERMIT_CALLERS, &PERMIT_SERVERS] {
        let empty = table.given(key).is_some() && table.texts(key).is_empty();
        if empty || !table.mentions(key) {
            problems.push(Problem::at(
                table.place_of(key),
                format!("the permit names no {}", key.name.trim_end_matches('s')),
                "what is left out allows nothing, so this table would be without effect",
                format!("add `{0} = [\"NAME\"]`, or `{0} = [\"*\"]` for all", key.name),
            ));
        }
    }
    let callers = list(table, &PERMIT_CALLERS, problems, |text| CallerPattern::parse(text).map_err(|e| told(&e)));
    let named = list(table, &PERMIT_SERVERS, problems, |text| {
        let pattern = ServerPattern::parse(text).map_err(|error| told(&error))?;
        known(text, servers).map(|()| pattern)
    });
    let globs = |key: &Key, problems: &mut Vec<Problem>| {
        list(table, key, problems, |text| Glob::parse(text).map_err(|error| told(&error)))
    };
    let (tools, resources) = (globs(&PERMIT_TOOLS, problems), globs(&PERMIT_RESOURCES, problems));
    let prompts = globs(&PERMIT_PROMPTS, problems);
    let from_server = list(table, &PERMIT_FROM_SERVER, problems, |text| {
        let why = "servers can ask for three things".to_owned();
        FromServer::parse(text).ok_or((why, "use `sampling`, `elicitation` or `roots`".to_owned()))
    });
    let Place { line, column, .. } = table.place;
    let place = stockade_policy::Place { source: source.to_owned(), line, column };
    PermitRule { place, callers, servers: named, tools, resources, prompts, from_server }
}

/// Why an entry is refused, and what to do.
type Refused = (String, String);

fn list<T>(
    table: &RawTable,
    key: &Key,
    problems: &mut Vec<Problem>,
    read: impl Fn(&str) -> Result<T, Refused>,
) -> Vec<T> {
    let mut entries = Vec::new();
    for (text, place) in table.texts(key) {
        match read(&text) {
            Ok(entry) => entries.push(entry),
            Err((why, fix)) => {
                let what = format!("`{}` in `{}` cannot be used", quoted(&text), key.name);
                problems.push(Problem::at(place, what, why, fix));
            }
        }
    }
    entries
}

fn known(text: &str, servers: &CheckedServers) -> Result<(), Refused> {
    let glob = Glob::parse(text).map_err(|error| told(&error))?;
    if text == "*" || servers.names.iter().any(|name| glob.matches(name)) {
        return Ok(());
    }
    let fix = match nearest(text, servers.names.iter().map(String::as_str)) {
        Some(name) => format!("did you mean `{}`?", quoted(name)),
        None => format!("add `[servers.{}]`, or remove it from the permit", quoted(text)),
    };
    Err(("no server has this name".to_owned(), fix))
}

/// The words of an error and of what caused it.
fn told(error: &dyn Error) -> Refused {
    let mut why = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        why = format!("{why}: {inner}");
        cause = inner.source();
    }
    (why, "correct it; `*` stands for any characters".to_owned())
}
