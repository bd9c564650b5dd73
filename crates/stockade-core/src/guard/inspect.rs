//! Guard 9, `inspect`.
//!
//! Proves: what comes back is what this method may bring in this revision, every text in it has been screened, lists show
//! only what the caller may use, and nothing in it is addressed to another caller.
//! Refuses when: the upstream broke the protocol, or asks the client for what it may not.
//! Source: requirements; attack cases IN-17, EV-12, EV-13, EV-14, PA-20, PA-22.

use super::authorise::rule_from_server;
use super::forward::{Outbound, Reply, progress_token};
use super::listing::filter_list;
use super::state;
use crate::mcp::{Direction, Era, Frame, InvalidMessage, Method, Revision, check_error, check_message, check_result};
use crate::pipeline::Road;
use crate::record::FindingNote;
use crate::refusal::{Refusal, Refused};
use crate::ticket::Ticket;
use crate::wire::{Edits, Kind, Value};
use crate::words::{SessionId, Untrusted};
use stockade_inspect::{Screen, TextKind, may_need_screening};

const META_SUBSCRIPTION: &str = "io.modelcontextprotocol/subscriptionId";

/// Having one tells you: the message was looked into, and what has to change in it before it may go out.
#[derive(Debug)]
pub struct Inspected<T> {
    pub(super) inner: T,
    pub(super) edits: Edits,
}

/// Looks into an answer.
///
/// # Errors
/// When it must be withheld.
pub fn inspect(
    ticket: &mut Ticket,
    outbound: &Outbound,
    reply: Reply,
    road: &Road,
) -> Result<Inspected<Reply>, Refused> {
    let frame = &reply.frame;
    let method = outbound.method();
    let revision = answered_revision(outbound, frame, road)?;
    if frame.error().is_some() {
        check_error(frame, revision, Direction::ServerToClient).map_err(|error| broke(&error))?;
    } else {
        check_result(frame, method, revision, Direction::ServerToClient).map_err(|error| broke(&error))?;
    }
    let mut edits = Edits::new();
    if let Some(result) = frame.result() {
        filter_list(ticket, outbound, result, road, &mut edits);
        keep_private(outbound, result, &mut edits);
        check_inputs(outbound, result, road)?;
        seal_state(outbound, result, road, &mut edits);
    }
    rename_subscription(outbound, frame, &["result", "_meta", META_SUBSCRIPTION], &mut edits);
    if let Some(body) = frame.result().or_else(|| frame.error()) {
        screen(ticket, road.screen(), body, kind_of(method), &mut edits);
    }
    if let Some(id) = frame.document().root().get("id") {
        let own = outbound.frame().id().map(|id| id.to_json().into_owned()).unwrap_or_default();
        edits.replace(id.span(), own);
    }
    Ok(Inspected { inner: reply, edits })
}

fn broke(error: &InvalidMessage) -> Refused {
    Refused::by("inspect", Refusal::UpstreamFailed, format!("the server broke the protocol: {error}"))
}

/// The revision of the answer: for a handshake, the one that the server has chosen.
fn answered_revision(outbound: &Outbound, frame: &Frame, road: &Road) -> Result<Revision, Refused> {
    if outbound.method() != Method::Initialize {
        return Ok(outbound.revision());
    }
    let Some(chosen) = frame.result().and_then(|result| result.get("protocolVersion")).and_then(Value::as_str) else {
        return Ok(outbound.revision());
    };
    match Revision::parse(&chosen) {
        Some(revision) if revision.era() == Era::Legacy && revision >= road.floor() => Ok(revision),
        _ => {
            let requested = Untrusted::new(chosen.as_ref()).for_log();
            let supported = Revision::ALL.into_iter().filter(|revision| *revision >= road.floor()).collect();
            let said = Refusal::UnsupportedVersion { requested, supported };
            Err(Refused::by("inspect", said, "the server chose a revision that is not allowed here"))
        }
    }
}

/// A list that was filtered, and whatever was read for one caller, is for that caller only (MCP 2026-07-28 caching;
/// attack case EV-14). How long is capped.
fn keep_private(outbound: &Outbound, result: Value<'_>, edits: &mut Edits) {
    /// One hour.
    const TTL_MS: i64 = 3_600_000;
    if outbound.revision().era() == Era::Legacy || !outbound.method().facts().cacheable {
        return;
    }
    if let Some(scope) = result.get("cacheScope")
        && scope.raw() != "\"private\""
    {
        edits.replace(scope.span(), *b"\"private\"");
    }
    if let Some(ttl) = result.get("ttlMs") {
        match ttl.as_i64() {
            Some(0..=TTL_MS) => {}
            Some(over) if over > TTL_MS => edits.replace(ttl.span(), TTL_MS.to_string()),
            _ => edits.replace(ttl.span(), *b"0"),
        }
    }
}

/// What a server wants to ask of the client (MCP 2026-07-28 `inputRequests`) must be declared by this very request and
/// allowed by the policy.
fn check_inputs(outbound: &Outbound, result: Value<'_>, road: &Road) -> Result<(), Refused> {
    let Some(requests) = result.get("inputRequests").and_then(Value::as_object) else { return Ok(()) };
    if outbound.revision().era() == Era::Legacy {
        return Ok(());
    }
    let declared = outbound
        .frame()
        .params()
        .and_then(|params| params.at(&["_meta", "io.modelcontextprotocol/clientCapabilities"]));
    for (_, request) in requests.members() {
        let method = request.get("method").and_then(Value::as_str).and_then(|name| Method::parse(&name));
        let (method, capability) = match method {
            Some(method @ Method::SamplingCreateMessage) => (method, "sampling"),
            Some(method @ Method::ElicitationCreate) => (method, "elicitation"),
            Some(method @ Method::RootsList) => (method, "roots"),
            _ => return Err(Refused::by("inspect", Refusal::UpstreamFailed, "the server asks for an unknown input")),
        };
        if declared.and_then(|declared| declared.get(capability)).is_none() {
            let reason = format!("the server asks for {capability}, which the client has not declared");
            return Err(Refused::by("inspect", Refusal::UpstreamFailed, reason));
        }
        if let Some(server) = outbound.reach().first() {
            rule_from_server(road.policy(), outbound.caller(), outbound.revision(), server, method)
                .map_err(|refused| Refused { said: Refusal::Withheld, ..refused })?;
        }
    }
    Ok(())
}

fn seal_state(outbound: &Outbound, result: Value<'_>, road: &Road, edits: &mut Edits) {
    if outbound.revision().era() == Era::Modern
        && let Some(value) = result.get("requestState")
        && let Some(text) = value.as_str()
    {
        edits.replace_string(value.span(), &state::seal(outbound.authorised(), road, &text));
    }
}

/// The subscription's id is the id of the request (MCP 2026-07-28 `subscriptions/listen`), which is the client's own.
fn rename_subscription(outbound: &Outbound, frame: &Frame, path: &[&str], edits: &mut Edits) {
    if let Some(value) = frame.document().root().at(path) {
        let own = outbound.frame().id().map(|id| id.to_json().into_owned()).unwrap_or_default();
        edits.replace(value.span(), own);
    }
}

const fn kind_of(method: Method) -> TextKind {
    match method {
        Method::ToolsList | Method::ResourcesList | Method::ResourcesTemplatesList | Method::PromptsList => {
            TextKind::ToolDescription
        }
        Method::ResourcesRead => TextKind::Document,
        Method::PromptsGet => TextKind::Prompt,
        _ => TextKind::ToolResult,
    }
}

/// Screens every string under `body`, names of members included, whatever the schema knows of it.
pub(super) fn screen(ticket: &mut Ticket, screen: &Screen, body: Value<'_>, kind: TextKind, edits: &mut Edits) {
    if may_need_screening(body.raw().as_bytes()) {
        screen_value(ticket, screen, body, kind, edits, &mut String::new());
    }
}

/// Recursion is safe: the reader has limited the depth to `WireLimits::DEPTH_CEILING`.
fn screen_value(
    ticket: &mut Ticket,
    engine: &Screen,
    value: Value<'_>,
    kind: TextKind,
    edits: &mut Edits,
    place: &mut String,
) {
    match value.kind() {
        Kind::String => screen_text(ticket, engine, value, kind, edits, place, Edits::replace_string),
        Kind::Array => {
            for (index, element) in value.as_array().into_iter().flat_map(|array| array.elements()).enumerate() {
                let length = place.len();
                place.push_str(&format!("/{index}"));
                screen_value(ticket, engine, element, kind, edits, place);
                place.truncate(length);
            }
        }
        Kind::Object => {
            let members = value.as_object().into_iter().flat_map(|object| object.members().with_name_spans());
            for (name, member) in members {
                screen_text(ticket, engine, name, kind, edits, place, Edits::rename);
                let length = place.len();
                if length < 100 {
                    let name = name.as_str().unwrap_or_default();
                    place.push('/');
                    place.push_str(&stockade_inspect::escape::for_log(&name, 40));
                }
                screen_value(ticket, engine, member, kind, edits, place);
                place.truncate(length);
            }
        }
        Kind::Null | Kind::Bool | Kind::Number => {}
    }
}

fn screen_text(
    ticket: &mut Ticket,
    engine: &Screen,
    value: Value<'_>,
    kind: TextKind,
    edits: &mut Edits,
    place: &str,
    replace: impl FnOnce(&mut Edits, std::ops::Range<usize>, &str),
) {
    if !may_need_screening(value.raw().as_bytes()) {
        return;
    }
    let Some(text) = value.as_str() else { return };
    let report = engine.screen(&text, kind);
    if report.is_clean() {
        return;
    }
    for finding in report.findings() {
        ticket.note_finding(FindingNote { rule: finding.rule, place: place.to_owned(), count: 1 });
    }
    replace(edits, value.span(), report.cleaned());
}

/// What a message that comes before the answer, or outside of any request, is to become.
pub(crate) enum Interim {
    /// It goes to the client.
    Pass(Inspected<Frame>),
    /// It is dropped; the reason is for the record.
    Drop(&'static str),
    /// It is a request that the server may not make; the server gets the refusal.
    Refuse(Refused),
}

/// Looks into a message of an upstream's that is no answer. `outbound` is the request that it came with, if any.
pub(crate) fn inspect_interim(
    ticket: &mut Ticket,
    frame: Frame,
    from: &crate::pipeline::FromServer<'_>,
    road: &Road,
) -> Interim {
    let (revision, outbound) = (from.revision, from.outbound);
    let method = match check_message(&frame, revision, Direction::ServerToClient) {
        Ok(method) => method,
        Err(_) => return Interim::Drop("not a message that a server may send in this revision"),
    };
    let mut edits = Edits::new();
    if frame.id().is_some() {
        let Some(ask) = from.ask else { return Interim::Drop("a request where none may be made") };
        if method != Method::Ping
            && let Err(refused) = rule_from_server(road.policy(), from.caller, revision, from.server, method)
        {
            return Interim::Refuse(refused);
        }
        if let Some(id) = frame.document().root().get("id") {
            edits.replace(id.span(), ask.0.to_string());
        }
    } else if let Err(reason) = belongs(method, &frame, revision, outbound, &mut edits) {
        return Interim::Drop(reason);
    }
    if let Some(params) = frame.params() {
        screen(ticket, road.screen(), params, TextKind::ToolResult, &mut edits);
    }
    Interim::Pass(Inspected { inner: frame, edits })
}

/// Says whether a notification belongs to the request it came with, and gives it the client's own tokens.
fn belongs(
    method: Method,
    frame: &Frame,
    revision: Revision,
    outbound: Option<&Outbound>,
    edits: &mut Edits,
) -> Result<(), &'static str> {
    let modern = revision.era() == Era::Modern;
    match method {
        Method::NotificationsProgress => {
            let own =
                outbound.and_then(|outbound| progress_token(outbound.frame())).ok_or("progress nobody asked for")?;
            let said = frame.params().and_then(|params| params.get("progressToken")).ok_or("progress without token")?;
            edits.replace(said.span(), own.raw());
        }
        // It names the request by the server's own id, which the client has never seen.
        Method::NotificationsCancelled if !modern => return Err("a server took back a request of its own"),
        Method::NotificationsMessage if modern => {
            let asked = outbound.and_then(|outbound| outbound.frame().params());
            asked
                .and_then(|params| params.at(&["_meta", "io.modelcontextprotocol/logLevel"]))
                .ok_or("log nobody asked for")?;
        }
        _ if modern => {
            let listening = outbound.filter(|outbound| outbound.method() == Method::SubscriptionsListen);
            let listening = listening.ok_or("a notification outside of a subscription")?;
            rename_subscription(listening, frame, &["params", "_meta", META_SUBSCRIPTION], edits);
        }
        _ => {}
    }
    Ok(())
}

impl Inspected<Reply> {
    pub(super) fn session(&self) -> Option<SessionId> {
        self.inner.session.clone()
    }
}
