//! Lists show what the caller may use: the filter that `inspect` applies to the answers of list methods.
//!
//! Each entry is judged by the policy function that judges its use, so that list and use cannot differ (AZ-05). A tool
//! whose `x-mcp-header` annotations are invalid is left out as the specification demands of HTTP clients (EV-13).

use super::authorise::permitted_entry;
use super::forward::Outbound;
use super::validate::Target;
use crate::mcp::{Era, HeaderParam, ListKind, Target as About, header_params};
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
            let mut note = |rule| {
                let name = entry.get(key).and_then(Value::as_str).unwrap_or_default();
                let place = format!("/{member}/{}", stockade_inspect::escape::for_log(&name, 40));
                ticket.note_finding(FindingNote { rule, place, count: 1 });
            };
            let drop = match verdict(outbound, kind, key, entry, road) {
                Verdict::Keep => false,
                Verdict::NotAllowed => true,
                Verdict::BadHeader => {
                    note("x-mcp-header");
                    true
                }
                Verdict::SecretInHeader => {
                    note("x-mcp-header-secret");
                    false
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
    /// Kept, and reported: a header with a secret in it stands in the log of every proxy.
    SecretInHeader,
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
    let (identity, revision) = (outbound.identity(), outbound.revision());
    if !permitted_entry(road.policy(), road.catalogue(), identity, revision, &server, &target) {
        return Verdict::NotAllowed;
    }
    let annotated = kind == ListKind::Tools && revision.era() == Era::Modern;
    let Some(schema) = entry.get("inputSchema").filter(|_| annotated) else { return Verdict::Keep };
    match header_params(schema) {
        Err(_) => Verdict::BadHeader,
        Ok(params) if params.iter().any(HeaderParam::suggests_secret) => Verdict::SecretInHeader,
        Ok(_) => Verdict::Keep,
    }
}
