//! Lists show what the caller may use: the filter that `inspect` applies to the answers of list methods.
//!
//! Each entry is judged by the policy function that judges its use, so that list and use cannot differ (AZ-05). A tool
//! whose `x-mcp-header` annotations are invalid is left out as the specification demands of HTTP clients (EV-13).

use super::authorise::permitted_entry;
use super::forward::Outbound;
use super::validate::Target;
use crate::mcp::{Era, ListKind, Target as About, header_params};
use crate::pipeline::Road;
use crate::ports::Route;
use crate::record::FindingNote;
use crate::ticket::Ticket;
use crate::wire::{Edits, Value};
use crate::words::ServerName;

/// Takes out of a list what the caller may not use.
pub(super) fn filter_list(ticket: &mut Ticket, outbound: &Outbound, result: Value<'_>, road: &Road, edits: &mut Edits) {
    let About::Listing(kind) = outbound.method().facts().target else { return };
    let Some((member, key)) = entries_of(kind) else { return };
    let Some(entries) = result.get(member).and_then(Value::as_array) else { return };
    let mut dropped = false;
    let judged: Vec<_> = entries
        .elements()
        .map(|entry| {
            let drop = match verdict(outbound, kind, key, entry, road) {
                Verdict::Keep => false,
                Verdict::NotAllowed => true,
                Verdict::BadHeader => {
                    let place = format!("/{member}");
                    ticket.note_finding(FindingNote { rule: "x-mcp-header", place, count: 1 });
                    true
                }
            };
            dropped |= drop;
            (entry.span(), drop)
        })
        .collect();
    if dropped {
        edits.remove_items(&judged);
    }
}

const fn entries_of(kind: ListKind) -> Option<(&'static str, &'static str)> {
    match kind {
        ListKind::Tools => Some(("tools", "name")),
        ListKind::Resources => Some(("resources", "uri")),
        ListKind::ResourceTemplates => Some(("resourceTemplates", "uriTemplate")),
        ListKind::Prompts => Some(("prompts", "name")),
        ListKind::ResourceDirectory | ListKind::Tasks | ListKind::Skills => None,
    }
}

enum Verdict {
    Keep,
    NotAllowed,
    BadHeader,
}

fn verdict(outbound: &Outbound, kind: ListKind, key: &str, entry: Value<'_>, road: &Road) -> Verdict {
    let Some(name) = entry.get(key).and_then(Value::as_str) else { return Verdict::NotAllowed };
    let (server, own) = match (outbound.route(), kind) {
        (Route::One(server), _) => (Some(server.clone()), name.as_ref()),
        (Route::Merged, ListKind::Tools | ListKind::Prompts) => match ServerName::split(&name) {
            Some((server, own)) => (Some(server), own),
            None => (None, name.as_ref()),
        },
        (Route::Merged, _) => (road.upstreams().owner_of(outbound.caller(), &name), name.as_ref()),
    };
    let Some(server) = server else { return Verdict::NotAllowed };
    let target = match kind {
        ListKind::Tools => Target::Tool(own.to_owned()),
        ListKind::Prompts => Target::Prompt(own.to_owned()),
        _ => Target::Resource(own.to_owned()),
    };
    let (caller, revision) = (outbound.caller(), outbound.revision());
    if !permitted_entry(road.policy(), road.catalogue(), caller, revision, &server, &target) {
        return Verdict::NotAllowed;
    }
    let annotated = kind == ListKind::Tools && revision.era() == Era::Modern;
    if annotated && entry.get("inputSchema").is_some_and(|schema| header_params(schema).is_err()) {
        return Verdict::BadHeader;
    }
    Verdict::Keep
}
