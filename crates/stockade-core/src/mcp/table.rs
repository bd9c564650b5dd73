//! The message table: for each revision, direction and method, what its messages look like.
//!
//! For: refusing every message that the published schemas refuse, and those that they let pass though the text of the
//! specification does not (protocol.md §5).
//! Must never: be laxer than the published schema of a message; look into positions that carry data.
//! On the road: `validate`, and again when an upstream's answer comes back.
//!
//! Absent `params` count as an empty object: what is required in them is then missing.

mod base;
mod content;
mod elicitation;
mod errors;
mod input;
mod lifecycle;
mod notices;
mod prompts;
mod resources;
mod sampling;
mod tasks;
mod tools;

use super::envelope::{Envelope, Frame};
use super::facts::{Direction, MethodKind};
use super::method::Method;
use super::revision::{Era, Revision};
use super::shape::{Fault, Rule, Shape, Table, check};
use crate::wire::{Document, Value, WireLimits};
use bytes::Bytes;

/// Why a frame is no message of the protocol. None of them repeats what the peer wrote.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidMessage {
    /// No revision and no extension that we know has this method.
    #[error("unknown method")]
    UnknownMethod,
    /// The method is not one of this revision.
    #[error("`{}` is not part of revision {revision}", .method.as_str())]
    NotInRevision {
        /// The method.
        method: Method,
        /// The revision that is spoken.
        revision: Revision,
    },
    /// The method is only sent the other way.
    #[error("`{}` is not sent in this direction", .method.as_str())]
    WrongDirection {
        /// The method.
        method: Method,
    },
    /// A request without id, or a notification with one.
    #[error("`{}` is a {}", .method.as_str(), match .method.facts().kind {
        MethodKind::Request => "request and has an id",
        MethodKind::Notification => "notification and has no id",
    })]
    WrongKind {
        /// The method.
        method: Method,
    },
    /// An answer where a question was due, or the reverse.
    #[error("an answer in the place of a question, or the reverse")]
    WrongEnvelope,
    /// A member of `params` breaks a rule.
    #[error("`{path}`: {rule}")]
    Params {
        /// Where, in words of the table.
        path: Box<str>,
        /// Which rule.
        rule: Rule,
    },
    /// A member of `result` or `error` breaks a rule.
    #[error("`{path}`: {rule}")]
    Answer {
        /// Where, in words of the table.
        path: Box<str>,
        /// Which rule.
        rule: Rule,
    },
}

impl InvalidMessage {
    /// The JSON-RPC error code to answer with, where the message wants an answer.
    #[must_use]
    pub fn code(&self) -> i32 {
        match self {
            Self::UnknownMethod | Self::NotInRevision { .. } | Self::WrongDirection { .. } => -32601,
            Self::WrongKind { .. } | Self::WrongEnvelope | Self::Answer { .. } => -32600,
            Self::Params { .. } => -32602,
        }
    }

    /// The rule broken and where, if it is about a member.
    #[must_use]
    pub fn fault(&self) -> Option<(&str, Rule)> {
        match self {
            Self::Params { path, rule } | Self::Answer { path, rule } => Some((path, *rule)),
            Self::UnknownMethod
            | Self::NotInRevision { .. }
            | Self::WrongDirection { .. }
            | Self::WrongKind { .. }
            | Self::WrongEnvelope => None,
        }
    }
}

/// Checks a request or notification.
///
/// # Errors
/// The first thing that is wrong.
pub fn check_message(frame: &Frame, revision: Revision, direction: Direction) -> Result<Method, InvalidMessage> {
    let (method, kind) = match frame.envelope() {
        Envelope::Request { method, .. } => (method, MethodKind::Request),
        Envelope::Notification { method } => (method, MethodKind::Notification),
        Envelope::Result { .. } | Envelope::Error { .. } => return Err(InvalidMessage::WrongEnvelope),
    };
    let method = method.ok_or(InvalidMessage::UnknownMethod)?;
    if !method.is_allowed(revision, direction) {
        return Err(if method.is_allowed(revision, direction.reverse()) {
            InvalidMessage::WrongDirection { method }
        } else {
            InvalidMessage::NotInRevision { method, revision }
        });
    }
    if method.facts().kind != kind {
        return Err(InvalidMessage::WrongKind { method });
    }
    let shape = params_shape(method, revision);
    let checked = match frame.params() {
        Some(params) => check(params, shape, revision),
        None => empty_object().map_or(Ok(()), |empty| check(empty.root(), shape, revision)),
    };
    checked.map_err(|fault| params_fault(fault.in_member("params")))?;
    Ok(method)
}

/// Checks a result. `request` is the method that it answers; `direction` is the way of the result itself.
///
/// # Errors
/// The first thing that is wrong.
pub fn check_result(
    frame: &Frame,
    request: Method,
    revision: Revision,
    direction: Direction,
) -> Result<(), InvalidMessage> {
    let (Envelope::Result { .. }, Some(result)) = (frame.envelope(), frame.result()) else {
        return Err(InvalidMessage::WrongEnvelope);
    };
    if !request.is_allowed(revision, direction.reverse()) {
        return Err(InvalidMessage::NotInRevision { method: request, revision });
    }
    let shape = result_shape(request, revision).ok_or(InvalidMessage::WrongKind { method: request })?;
    check(result, shape, revision).map_err(|fault| answer_fault(fault.in_member("result")))
}

/// Checks an error. A modern client sends none (MCP 2026-07-28: clients never answer).
///
/// # Errors
/// The first thing that is wrong.
pub fn check_error(frame: &Frame, revision: Revision, direction: Direction) -> Result<(), InvalidMessage> {
    let (Envelope::Error { id }, Some(error)) = (frame.envelope(), frame.error()) else {
        return Err(InvalidMessage::WrongEnvelope);
    };
    if revision.era() == Era::Modern && direction == Direction::ClientToServer {
        return Err(InvalidMessage::WrongEnvelope);
    }
    if id.is_none() && revision <= Revision::V2025_06_18 {
        return Err(answer_fault(Fault::new(Rule::Missing).in_member("id")));
    }
    let code_shape = error.get("code").and_then(Value::as_i64).and_then(|code| errors::shape_of_code(code, revision));
    check(error, Shape::Object(&errors::ERROR), revision)
        .and_then(|()| code_shape.map_or(Ok(()), |shape| check(error, shape, revision)))
        .map_err(|fault| answer_fault(fault.in_member("error")))
}

fn params_fault(fault: Fault) -> InvalidMessage {
    InvalidMessage::Params { path: fault.path(), rule: fault.rule }
}

fn answer_fault(fault: Fault) -> InvalidMessage {
    InvalidMessage::Answer { path: fault.path(), rule: fault.rule }
}

/// What absent parameters are checked as. Reading two braces cannot fail.
fn empty_object() -> Option<Document> {
    Document::read(Bytes::from_static(b"{}"), &WireLimits::DEFAULT).ok()
}

const fn object(table: &'static Table) -> Shape {
    Shape::Object(table)
}

/// The parameters of a request or notification.
fn params_shape(method: Method, revision: Revision) -> Shape {
    match method {
        Method::Initialize => object(&lifecycle::INITIALIZE),
        Method::ServerDiscover
        | Method::Ping
        | Method::ResourcesDirectoryRead
        | Method::SkillsList
        | Method::SkillsGet => object(&base::BARE_REQUEST),
        Method::ToolsList
        | Method::ResourcesList
        | Method::ResourcesTemplatesList
        | Method::PromptsList
        | Method::TasksList => object(&base::PAGED_REQUEST),
        Method::ToolsCall => object(&tools::CALL),
        Method::ResourcesRead => object(&resources::READ),
        Method::ResourcesSubscribe | Method::ResourcesUnsubscribe => object(&resources::SUBSCRIBE),
        Method::PromptsGet => object(&prompts::GET),
        Method::CompletionComplete => object(&prompts::COMPLETE),
        Method::LoggingSetLevel => object(&notices::SET_LEVEL),
        Method::SubscriptionsListen => object(&notices::LISTEN),
        Method::TasksGet | Method::TasksResult | Method::TasksCancel => object(&tasks::BY_ID),
        Method::TasksUpdate => object(&tasks::UPDATE),
        Method::SamplingCreateMessage => object(&sampling::CREATE_MESSAGE),
        Method::ElicitationCreate if revision < Revision::V2025_11_25 => object(&elicitation::FORM),
        Method::ElicitationCreate => Shape::Tagged(&elicitation::MODES),
        Method::RootsList => object(&sampling::LIST_ROOTS),
        Method::NotificationsInitialized | Method::NotificationsRootsListChanged => object(&base::BARE_NOTIFICATION),
        Method::NotificationsCancelled => object(&notices::CANCELLED),
        Method::NotificationsProgress => object(&notices::PROGRESS),
        Method::NotificationsMessage => object(&notices::LOG_MESSAGE),
        Method::NotificationsToolsListChanged
        | Method::NotificationsPromptsListChanged
        | Method::NotificationsResourcesListChanged => object(&base::BARE_STREAM_NOTIFICATION),
        Method::NotificationsResourcesUpdated => object(&resources::UPDATED),
        Method::NotificationsTasksStatus => tasks::STATUS_CHANGED,
        Method::NotificationsTasks => tasks::CHANGED,
        Method::NotificationsElicitationComplete => object(&elicitation::COMPLETED),
        Method::NotificationsSubscriptionsAcknowledged => object(&notices::ACKNOWLEDGED),
    }
}

/// The result of a request; nothing for notifications.
fn result_shape(request: Method, revision: Revision) -> Option<Shape> {
    let modern = revision.era() == Era::Modern;
    let has_tasks = revision == Revision::V2025_11_25;
    Some(match request {
        Method::Initialize => object(&lifecycle::INITIALIZE_RESULT),
        Method::ServerDiscover => object(&lifecycle::DISCOVER_RESULT),
        Method::ToolsList => object(&tools::LIST_RESULT),
        Method::ToolsCall if modern => Shape::Tagged(&tools::CALL_RESULTS),
        Method::ToolsCall if has_tasks => Shape::Told(&tools::CALL_RESULT_OR_TASK),
        Method::ToolsCall => object(&tools::CALL_RESULT),
        Method::ResourcesList => object(&resources::LIST_RESULT),
        Method::ResourcesTemplatesList => object(&resources::TEMPLATES_RESULT),
        Method::ResourcesRead if modern => Shape::Tagged(&prompts::READ_RESULTS),
        Method::ResourcesRead => object(&resources::READ_RESULT),
        Method::PromptsList => object(&prompts::LIST_RESULT),
        Method::PromptsGet if modern => Shape::Tagged(&prompts::GET_RESULTS),
        Method::PromptsGet => object(&prompts::GET_RESULT),
        Method::CompletionComplete => object(&prompts::COMPLETE_RESULT),
        Method::SubscriptionsListen => object(&notices::LISTEN_RESULT),
        Method::TasksGet if modern => tasks::DETAILED_RESULT,
        Method::TasksCancel if modern => object(&base::BARE_RESULT),
        Method::TasksGet | Method::TasksCancel => tasks::TASK_RESULT,
        Method::TasksList => object(&tasks::LIST_RESULT),
        Method::SamplingCreateMessage if has_tasks => Shape::Told(&sampling::CREATE_MESSAGE_RESULT_OR_TASK),
        Method::SamplingCreateMessage => object(&sampling::CREATE_MESSAGE_RESULT),
        Method::ElicitationCreate if has_tasks => Shape::Told(&elicitation::RESULT_OR_TASK),
        Method::ElicitationCreate => object(&elicitation::RESULT),
        Method::RootsList => object(&sampling::LIST_ROOTS_RESULT),
        // The result of `tasks/result` is that of the request which made the task; only its keeper knows which.
        Method::Ping
        | Method::ResourcesSubscribe
        | Method::ResourcesUnsubscribe
        | Method::ResourcesDirectoryRead
        | Method::LoggingSetLevel
        | Method::TasksResult
        | Method::TasksUpdate
        | Method::SkillsList
        | Method::SkillsGet => object(&base::BARE_RESULT),
        Method::NotificationsInitialized
        | Method::NotificationsRootsListChanged
        | Method::NotificationsCancelled
        | Method::NotificationsProgress
        | Method::NotificationsMessage
        | Method::NotificationsToolsListChanged
        | Method::NotificationsPromptsListChanged
        | Method::NotificationsResourcesListChanged
        | Method::NotificationsResourcesUpdated
        | Method::NotificationsTasksStatus
        | Method::NotificationsTasks
        | Method::NotificationsElicitationComplete
        | Method::NotificationsSubscriptionsAcknowledged => return None,
    })
}
