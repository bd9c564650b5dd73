//! Guard 3, `validate`.
//!
//! Proves: the message is one that this revision of the protocol has, in this direction, with the parameters it wants;
//! its mirrored headers say what its body says; its session, if it has one, is this caller's on this route.
//! Refuses when: any of this does not hold.
//! Source: MCP revisions 2024-11-05 to 2026-07-28, attack cases PA-05 to PA-14, EV-01 to EV-09, AU-17 to AU-20.

use super::identify::Identified;
use super::read::Seen;
use crate::identity::Identity;
use crate::mcp::{
    Direction, Envelope, Era, Frame, Id, InvalidMessage, Method, Revision, Target as About, check_error, check_message,
    check_result, decode_header_value,
};
use crate::ports::{SessionError, Sessions};
use crate::refusal::{Refusal, Refused};
use crate::ticket::Ticket;
use crate::wire::{Kind, Value, canonical_digest};
use crate::words::{ServerName, Untrusted};

/// The `_meta` keys of MCP 2026-07-28 that requests carry.
const META_VERSION: &str = "io.modelcontextprotocol/protocolVersion";
const META_CLIENT: &str = "io.modelcontextprotocol/clientInfo";
const MODERN: Revision = Revision::V2026_07_28;

/// What a message is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// It wants an answer under this id.
    Request(Id),
    /// It wants none.
    Notification,
    /// It answers a request of this server's, of the method that [`Validated::method`] names.
    Answer(Id, ServerName),
}

/// What a message is about, by the names that the client used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// The server or servers themselves.
    Server,
    /// A tool.
    Tool(String),
    /// A resource or, for completions, a resource template.
    Resource(String),
    /// A prompt.
    Prompt(String),
}

impl Target {
    /// The name or URI, if it has one.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Server => None,
            Self::Tool(name) | Self::Resource(name) | Self::Prompt(name) => Some(name),
        }
    }
}

/// Having one tells you: the message is valid in its revision, and its session is the caller's own.
#[derive(Debug)]
pub struct Validated {
    pub(super) frame: Frame,
    pub(super) seen: Seen,
    pub(super) identity: Identity,
    pub(super) message: Message,
    pub(super) method: Method,
    pub(super) revision: Revision,
    pub(super) target: Target,
}

impl Validated {
    /// Request, notification or answer.
    #[must_use]
    pub const fn message(&self) -> &Message {
        &self.message
    }

    /// The method; for an answer, that of the request it answers.
    #[must_use]
    pub const fn method(&self) -> Method {
        self.method
    }

    /// The revision.
    #[must_use]
    pub const fn revision(&self) -> Revision {
        self.revision
    }
}

/// Checks a message against the protocol.
///
/// # Errors
/// The first thing that does not hold.
pub fn validate(
    ticket: &mut Ticket,
    identified: Identified,
    sessions: &dyn Sessions,
    floor: Revision,
) -> Result<Validated, Refused> {
    let Identified { frame, seen, identity } = identified;
    note_client(ticket, &frame);
    note_subject(ticket, &frame);
    let revision = revision_of(ticket, &frame, &seen, &identity, sessions)?;
    ticket.facts().revision = Some(revision.as_str());
    if revision < floor && frame.method() != Some(Method::Initialize) {
        let said = Refusal::UnsupportedVersion { requested: revision.to_string(), supported: supported(floor) };
        return Err(refuse(said, format!("revision {revision} is below the configured floor {floor}")));
    }
    let (message, method) = match frame.envelope() {
        Envelope::Request { id, .. } => (Message::Request(id.clone()), check(&frame, revision)?),
        Envelope::Notification { .. } => (Message::Notification, check(&frame, revision)?),
        Envelope::Result { id } => answer(&frame, &seen, Some(id), revision, sessions)?,
        Envelope::Error { id } => answer(&frame, &seen, id.as_ref(), revision, sessions)?,
    };
    let facts = ticket.facts();
    facts.method = Some(method.as_str().to_owned());
    let is_answer = matches!(message, Message::Answer(..));
    facts.kind = match message {
        Message::Request(_) => "request",
        Message::Notification => "notification",
        Message::Answer(..) => "answer",
    };
    let target = if is_answer { Target::Server } else { target_of(&frame, method) };
    facts.target = target.name().map(|name| Untrusted::new(name).for_log());
    if let Some(arguments) = frame.params().and_then(|params| params.get("arguments")) {
        facts.arguments = Some(canonical_digest(arguments));
        facts.shape = Some(shape_of(arguments));
    }
    if revision.era() == Era::Modern && !is_answer {
        check_mirrored(&seen, method, &target, matches!(message, Message::Request(_)), &frame)?;
    }
    Ok(Validated { frame, seen, identity, message, method, revision, target })
}

fn refuse(said: Refusal, reason: impl Into<String>) -> Refused {
    Refused::by("validate", said, reason)
}

/// The revisions from `floor` on.
fn supported(floor: Revision) -> Vec<Revision> {
    Revision::ALL.into_iter().filter(|revision| *revision >= floor).collect()
}

fn check(frame: &Frame, revision: Revision) -> Result<Method, Refused> {
    check_message(frame, revision, Direction::ClientToServer).map_err(|error| invalid(frame, &error))
}

fn invalid(frame: &Frame, error: &InvalidMessage) -> Refused {
    let said = match error.code() {
        -32601 => Refusal::MethodNotFound,
        -32602 => Refusal::InvalidParams,
        _ => Refusal::InvalidRequest,
    };
    let method = frame.method_name().map(|name| Untrusted::new(name).for_log()).unwrap_or_default();
    refuse(said, format!("`{method}`: {error}"))
}

/// Says which revision the message is in: by itself where it can, by its session where it cannot.
fn revision_of(
    ticket: &mut Ticket,
    frame: &Frame,
    seen: &Seen,
    identity: &Identity,
    sessions: &dyn Sessions,
) -> Result<Revision, Refused> {
    let in_meta = frame.params().and_then(|params| params.at(&["_meta", META_VERSION]));
    let header = match seen.protocol_version.as_deref().map(|text| (text, Revision::parse(text))) {
        None => None,
        Some((_, Some(revision))) => Some(revision),
        Some((text, None)) => {
            let reason = format!("MCP-Protocol-Version `{}` is no known revision", Untrusted::new(text).for_log());
            // Who speaks without sessions is told of what is spoken without them.
            let supported = if in_meta.is_some() { vec![MODERN] } else { Revision::ALL.to_vec() };
            let said = Refusal::UnsupportedVersion { requested: Untrusted::new(text).for_log(), supported };
            return Err(refuse(said, reason));
        }
    };
    let is_handshake = frame.method() == Some(Method::Initialize);
    if (in_meta.is_some() && !is_handshake) || header == Some(MODERN) {
        return modern_revision(frame, seen, in_meta, header);
    }
    if is_handshake {
        let asked = frame.params().and_then(|params| params.get("protocolVersion")).and_then(Value::as_str);
        let asked = asked.and_then(|text| Revision::parse(&text)).filter(|revision| revision.era() == Era::Legacy);
        // A revision that nobody knows is answered by the server with one that it speaks (MCP 2025-11-25, "Lifecycle").
        return Ok(asked.unwrap_or(Revision::V2025_11_25));
    }
    let Some(id) = &seen.session else {
        return Err(refuse(Refusal::SessionMissing, "a legacy message outside of any session"));
    };
    ticket.facts().session = Some(id.digest());
    let facts = sessions.find(id, identity, &seen.route).map_err(no_session)?;
    ticket.facts().client = facts.client.clone();
    if header.is_some_and(|header| header != facts.revision) {
        let reason = format!("MCP-Protocol-Version differs from the session's revision {}", facts.revision);
        return Err(refuse(Refusal::InvalidRequest, reason));
    }
    Ok(facts.revision)
}

/// The refusal for a session that cannot be used; the rule says when somebody tries another's.
pub(crate) fn no_session(error: SessionError) -> Refused {
    let rule = match error {
        SessionError::Unknown => "validate",
        SessionError::OfAnotherCaller | SessionError::OfAnotherRoute => "session-binding",
    };
    Refused::by(rule, Refusal::NoSession, error.to_string())
}

fn modern_revision(
    frame: &Frame,
    seen: &Seen,
    in_meta: Option<Value<'_>>,
    header: Option<Revision>,
) -> Result<Revision, Refused> {
    if matches!(frame.envelope(), Envelope::Result { .. } | Envelope::Error { .. }) {
        return Err(refuse(Refusal::InvalidRequest, "clients send no answers in 2026-07-28"));
    }
    let body = in_meta.and_then(Value::as_str);
    let has_headers = seen.mirrored.is_some();
    match (body.as_deref(), header) {
        (Some(body), Some(header)) if body != header.as_str() => {
            Err(refuse(Refusal::HeaderMismatch, "MCP-Protocol-Version differs from the body's revision"))
        }
        (Some(body), None) if has_headers && body == MODERN.as_str() => {
            Err(refuse(Refusal::HeaderMismatch, "MCP-Protocol-Version is missing"))
        }
        (Some(body), _) if body != MODERN.as_str() => {
            let requested = Untrusted::new(body).for_log();
            let reason = format!("revision `{}` is not stateless", Untrusted::new(body).for_log());
            Err(refuse(Refusal::UnsupportedVersion { requested, supported: vec![MODERN] }, reason))
        }
        // What is missing in the body, the message table refuses with -32602.
        _ => Ok(MODERN),
    }
}

fn answer(
    frame: &Frame,
    seen: &Seen,
    id: Option<&Id>,
    revision: Revision,
    sessions: &dyn Sessions,
) -> Result<(Message, Method), Refused> {
    let (Some(id), Some(session)) = (id, &seen.session) else {
        return Err(refuse(Refusal::InvalidRequest, "an answer without id or session"));
    };
    let Some((server, method)) = sessions.asked(session, id) else {
        return Err(refuse(Refusal::InvalidRequest, "an answer that nothing waits for"));
    };
    if frame.result().is_some() {
        check_result(frame, method, revision, Direction::ClientToServer)
    } else {
        check_error(frame, revision, Direction::ClientToServer)
    }
    .map_err(|error| invalid(frame, &error))?;
    Ok((Message::Answer(id.clone(), server), method))
}

fn target_of(frame: &Frame, method: Method) -> Target {
    let text = |path: &[&str]| {
        let value = frame.params().and_then(|params| params.at(path)).and_then(Value::as_str);
        value.map(|text| text.into_owned()).unwrap_or_default()
    };
    match method.facts().target {
        About::Tool => Target::Tool(text(&["name"])),
        About::Prompt => Target::Prompt(text(&["name"])),
        About::Resource => Target::Resource(text(&["uri"])),
        About::Completion => match text(&["ref", "type"]).as_str() {
            "ref/prompt" => Target::Prompt(text(&["ref", "name"])),
            _ => Target::Resource(text(&["ref", "uri"])),
        },
        _ => Target::Server,
    }
}

/// MCP 2026-07-28 "Server Validation": the headers must be there and say what the body says.
fn check_mirrored(
    seen: &Seen,
    method: Method,
    target: &Target,
    is_request: bool,
    frame: &Frame,
) -> Result<(), Refused> {
    let Some(mirrored) = &seen.mirrored else { return Ok(()) };
    let mismatch = |reason: &str| Err(refuse(Refusal::HeaderMismatch, reason));
    match &mirrored.method {
        Some(said) if said == method.as_str() => {}
        Some(_) => return mismatch("Mcp-Method differs from the body"),
        // What notifications must mirror is left open by the specification.
        None if is_request => return mismatch("Mcp-Method is missing"),
        None => {}
    }
    let task = frame.params().and_then(|params| params.get("taskId")).and_then(Value::as_str);
    let name = match method.facts().target {
        About::Tool | About::Prompt | About::Resource => target.name(),
        About::Task => task.as_deref(),
        _ => None,
    };
    let Some(name) = name else { return Ok(()) };
    let Some(said) = &mirrored.name else {
        return if is_request { mismatch("Mcp-Name is missing") } else { Ok(()) };
    };
    match decode_header_value(said.as_bytes()) {
        Ok(said) if said == name => Ok(()),
        Ok(_) => mismatch("Mcp-Name differs from the body"),
        Err(_) => mismatch("Mcp-Name is not encoded as the specification says"),
    }
}

/// What the message says it is about, so that the record of a refusal tells it, too (PA-14).
fn note_subject(ticket: &mut Ticket, frame: &Frame) {
    let facts = ticket.facts();
    facts.method = frame.method_name().map(|name| Untrusted::new(name).for_log());
    let target = frame.method().map_or(Target::Server, |method| target_of(frame, method));
    facts.target = target.name().map(|name| Untrusted::new(name).for_log());
}

fn note_client(ticket: &mut Ticket, frame: &Frame) {
    if let Some(client) = client_of(frame) {
        ticket.facts().client = Some(client);
    }
}

/// What the client calls itself in a handshake or in `_meta`, name and version, for records; nobody has checked it.
#[must_use]
pub fn client_of(frame: &Frame) -> Option<String> {
    let params = frame.params()?;
    let info = params.get("clientInfo").or_else(|| params.at(&["_meta", META_CLIENT]))?;
    let part = |name| info.get(name).and_then(Value::as_str).map(|text| Untrusted::new(text).for_log());
    Some(format!("{} {}", part("name")?, part("version").unwrap_or_default()).trim_end().to_owned())
}

/// Names and types of arguments without their values, for records: at most 16 members and one level.
fn shape_of(arguments: Value<'_>) -> String {
    const MEMBERS: usize = 16;
    let word = |value: Value<'_>| match value.kind() {
        Kind::Null => "null".to_owned(),
        Kind::Bool => "bool".to_owned(),
        Kind::Number => "number".to_owned(),
        Kind::String => format!("string({})", value.span().len().saturating_sub(2)),
        Kind::Array => format!("array({})", value.as_array().map_or(0, |array| array.elements().take(1000).count())),
        Kind::Object => "object".to_owned(),
    };
    let members = arguments.as_object().into_iter().flat_map(|object| object.members());
    let mut parts: Vec<_> = members
        .take(MEMBERS + 1)
        .map(|(name, value)| format!("{}:{}", stockade_inspect::escape::for_log(&name, 40), word(value)))
        .collect();
    if parts.len() > MEMBERS {
        parts.truncate(MEMBERS);
        parts.push("…".to_owned());
    }
    parts.join(",")
}
