//! The servers: each is reached in one way, by settings that belong to that way.
//!
//! Must never: let a header through that the protocol or the connection is made of.

use super::address;
use super::check::refuse;
use super::check_transport::server_tls;
use super::checked::{Server, ServerEra, Target, ToolSettings, Upstream};
use super::key::Key;
use super::keys::{
    COMMAND, ENVIRONMENT, ERA, HEADERS, SERVER_DEADLINE, SERVER_EFFECT, SERVER_SCOPES, SERVERS, TOOL_DEADLINE,
    TOOL_EFFECT, TOOL_SCOPES, TOOLS, URL, WORKING_DIRECTORY,
};
use super::place::Place;
use super::problem::{Problem, quoted};
use super::raw::RawTable;
use http::{HeaderName, HeaderValue};
use std::collections::HashSet;
use std::path::Path;
use std::time::Duration;
use stockade_core::ports::Effect;
use stockade_core::words::{Secret, ServerName};
use stockade_gateway::is_reserved_header;

/// The servers that are right, and the names of all of them, so that a permit for a broken one is no second problem.
pub(super) struct CheckedServers {
    pub(super) servers: Vec<Server>,
    pub(super) names: Vec<String>,
}

pub(super) fn servers(root: &RawTable, base: &Path, problems: &mut Vec<Problem>) -> CheckedServers {
    let tables = root.all(&SERVERS);
    let names = tables.iter().map(|(chosen, _)| chosen.name.clone()).collect();
    let mut servers: Vec<Server> = Vec::with_capacity(tables.len());
    for (chosen, table) in tables {
        let name = name(&chosen.name, chosen.place, problems);
        let target = target(&chosen.name, table, base, problems);
        let (Some(name), Some(target)) = (name, target) else { continue };
        let deadline = table.time(&SERVER_DEADLINE).unwrap_or(Duration::ZERO);
        let effect = effect(table, &SERVER_EFFECT).unwrap_or_default();
        let mut tools: Vec<ToolSettings> = tools(table, effect, deadline, problems);
        tools.sort_by(|one, other| one.name.cmp(&other.name));
        let era = match table.text(&ERA).as_deref() {
            Some("legacy") => ServerEra::Legacy,
            Some("modern") => ServerEra::Modern,
            _ => ServerEra::Auto,
        };
        let scopes = scopes(table, &SERVER_SCOPES, problems);
        servers.push(Server { name, target, era, deadline, effect, scopes, tools, line: chosen.place.line });
    }
    servers.sort_by(|one, other| one.name.cmp(&other.name));
    CheckedServers { servers, names }
}

fn name(text: &str, place: Place, problems: &mut Vec<Problem>) -> Option<ServerName> {
    let parsed = ServerName::parse(text).map_err(|_| {
        let lower = text.to_lowercase().replace([' ', '.'], "-");
        let fix = match ServerName::parse(&lower) {
            Ok(name) => format!("call it `{name}`"),
            Err(_) => "use 1 to 40 lower-case letters, digits, `-` or single `_`; start and end with a letter or digit"
                .to_owned(),
        };
        let what = format!("`{}` is no name for a server", quoted(text));
        problems.push(Problem::at(place, what, "it stands in addresses and before `__` in the names of tools", fix));
    });
    parsed.ok()
}

fn target(name: &str, table: &RawTable, base: &Path, problems: &mut Vec<Problem>) -> Option<Target> {
    let section = format!("[servers.{}]", quoted(name));
    let mut stray = |keys: &[&Key], needs: &Key| {
        for key in keys.iter().filter(|key| table.mentions(key)) {
            let what = format!("`{}` in `{section}` has no use", key.name);
            let why = format!("it belongs to a server with a `{}`", needs.name);
            problems.push(Problem::at(table.place_of(key), what, why, "remove it"));
        }
    };
    match (table.mentions(&COMMAND), table.mentions(&URL)) {
        (true, false) => {
            stray(&[&HEADERS], &URL);
            // Says that it has no use.
            server_tls(table, None, base, problems);
            command(&section, table, base, problems)
        }
        (false, true) => {
            stray(&[&ENVIRONMENT, &WORKING_DIRECTORY], &COMMAND);
            upstream(table, base, problems)
        }
        (true, true) => {
            let why = "a server is either a process or an address";
            let (place, fix) = (table.place_of(&URL), "remove one of them, or make two servers of it");
            problems.push(Problem::at(place, format!("`{section}` has both `command` and `url`"), why, fix));
            None
        }
        (false, false) => {
            let why = "the gateway must know how to reach the server";
            let fix = "add `command = [\"PROGRAM\", \"ARGUMENT\"]` or `url = \"https://…\"`";
            problems.push(Problem::at(table.place, format!("`{section}` has no `command` and no `url`"), why, fix));
            None
        }
    }
}

fn command(section: &str, table: &RawTable, base: &Path, problems: &mut Vec<Problem>) -> Option<Target> {
    let place = table.place_of(&COMMAND);
    let mut words = table.texts(&COMMAND);
    // Arguments may hold secrets, so none is repeated.
    for (_, place) in words.iter().filter(|(word, _)| word.contains('\0')) {
        let why = "the operating system takes no such argument";
        problems.push(Problem::at(*place, "`command` has a word with a zero character", why, "remove the character"));
    }
    let program = (!words.is_empty()).then(|| words.remove(0).0).filter(|program| !program.is_empty());
    if program.is_none() && table.given(&COMMAND).is_some() {
        let (what, why) = (format!("`command` in `{section}` names no program"), "its first word is the program");
        problems.push(Problem::at(place, what, why, format!("write it like `command = {}`", COMMAND.sort.example())));
    }
    let environment = environment(table, problems);
    let working_directory = table.text(&WORKING_DIRECTORY).map(|text| base.join(text));
    let arguments = words.into_iter().map(|(word, _)| word).collect();
    Some(Target::Command { program: program?, arguments, environment, working_directory })
}

fn environment(table: &RawTable, problems: &mut Vec<Problem>) -> Vec<(String, Secret)> {
    let mut variables = Vec::new();
    for (name, value, place) in table.pairs(&ENVIRONMENT) {
        let plain = !name.is_empty() && !name.contains(['=', '\0']);
        if plain && !value.contains('\0') {
            variables.push((name, Secret::new(value)));
            continue;
        }
        problems.push(Problem::at(
            place,
            format!("`{}` in `environment` cannot be a variable", quoted(&name)),
            "names have no `=`, and neither name nor value has a zero character",
            "correct the name or the value",
        ));
    }
    variables
}

fn upstream(table: &RawTable, base: &Path, problems: &mut Vec<Problem>) -> Option<Target> {
    let url = table
        .text(&URL)
        .and_then(|text| address::url(&text).map_err(|error| refuse(problems, table.place_of(&URL), &URL, error)).ok());
    let mut headers: Vec<(String, Secret)> = Vec::new();
    let mut seen = HashSet::new();
    for (name, value, place) in table.pairs(&HEADERS) {
        match header(&name, &value) {
            Ok(name) if seen.insert(name.clone()) => headers.push((name, Secret::new(value))),
            Ok(name) => {
                let (what, why) = (format!("`{name}` stands twice in `headers`"), "names of headers have no case");
                problems.push(Problem::at(place, what, why, "remove one of them"));
            }
            Err((why, fix)) => {
                let what = format!("`{}` in `headers` cannot be set", quoted(&name));
                problems.push(Problem::at(place, what, why, fix));
            }
        }
    }
    let tls = server_tls(table, table.text(&URL).as_deref(), base, problems);
    Some(Target::Http(Upstream { url: url?, headers, tls }))
}

/// The name in lower case, or why the header is refused and what to do.
fn header(name: &str, value: &str) -> Result<String, (&'static str, &'static str)> {
    let parsed = HeaderName::from_bytes(name.as_bytes())
        .map_err(|_| ("it is no name of a header (RFC 9110 §5.1)", "correct the name"))?;
    let lower = parsed.as_str();
    if is_reserved_header(&parsed) {
        return Err(("the connection and the protocol are made of it, so the gateway alone sets it", "remove it"));
    }
    let plain = value.bytes().all(|byte| matches!(byte, 0x20..=0x7e)) && value.trim() == value;
    if HeaderValue::from_str(value).is_err() || !plain {
        let why = "its value has a line break, a control or a character beyond ASCII, or a space at an end";
        return Err((why, "correct the value"));
    }
    Ok(lower.to_owned())
}

fn tools(table: &RawTable, own: Effect, deadline: Duration, problems: &mut Vec<Problem>) -> Vec<ToolSettings> {
    let mut tools = Vec::new();
    for (chosen, tool) in table.all(&TOOLS) {
        if chosen.name.is_empty() {
            let why = "the settings of a tool need the tool's name";
            problems.push(Problem::at(chosen.place, "a tool has an empty name", why, "write the tool's name"));
        }
        tools.push(ToolSettings {
            name: chosen.name.clone(),
            effect: effect(tool, &TOOL_EFFECT).unwrap_or(own),
            deadline: tool.time(&TOOL_DEADLINE).unwrap_or(deadline),
            scopes: tool.mentions(&TOOL_SCOPES).then(|| scopes(tool, &TOOL_SCOPES, problems)),
        });
    }
    tools
}

/// The scopes of a list; a wrong one is a problem (RFC 6749 §3.3).
fn scopes(table: &RawTable, key: &Key, problems: &mut Vec<Problem>) -> Vec<String> {
    let is_scope = |text: &str| {
        !text.is_empty()
            && text.bytes().all(|byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e))
            && text.len() <= 128
    };
    let mut scopes = Vec::new();
    for (text, place) in table.texts(key) {
        if is_scope(&text) {
            scopes.push(text);
            continue;
        }
        let what = format!("`{}` in `scopes` is no scope", quoted(&text));
        let why = "scopes have no spaces, quotes or backslashes, and 1 to 128 characters (RFC 6749 §3.3)";
        problems.push(Problem::at(place, what, why, "write each scope by itself, such as `\"files:read\"`"));
    }
    scopes
}

fn effect(table: &RawTable, key: &Key) -> Option<Effect> {
    match table.text(key)?.as_str() {
        "read" => Some(Effect::Read),
        "write" => Some(Effect::Write),
        _ => Some(Effect::Destructive),
    }
}
