//! Every method of every revision, with what the road must know about it, in one `match`.
//!
//! Source: protocol.md §2.1 to §2.3, read from the published schemas and the tasks extension.

use super::facts::{Direction, Facts, ListKind, MethodKind, Target};
use super::revision::{Revision, Revisions};

/// A method that some revision or a known extension of it defines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "each name is the method's name; `Method::facts` says the rest")]
pub enum Method {
    Initialize,
    ServerDiscover,
    Ping,
    ToolsList,
    ToolsCall,
    ResourcesList,
    ResourcesTemplatesList,
    ResourcesRead,
    ResourcesSubscribe,
    ResourcesUnsubscribe,
    ResourcesDirectoryRead,
    PromptsList,
    PromptsGet,
    CompletionComplete,
    LoggingSetLevel,
    SubscriptionsListen,
    TasksGet,
    TasksResult,
    TasksCancel,
    TasksList,
    TasksUpdate,
    SkillsList,
    SkillsGet,
    SamplingCreateMessage,
    ElicitationCreate,
    RootsList,
    NotificationsInitialized,
    NotificationsRootsListChanged,
    NotificationsCancelled,
    NotificationsProgress,
    NotificationsMessage,
    NotificationsToolsListChanged,
    NotificationsPromptsListChanged,
    NotificationsResourcesListChanged,
    NotificationsResourcesUpdated,
    NotificationsTasksStatus,
    NotificationsTasks,
    NotificationsElicitationComplete,
    NotificationsSubscriptionsAcknowledged,
}

impl Method {
    /// Every method, in the order of the type.
    pub const ALL: [Self; 39] = [
        Self::Initialize,
        Self::ServerDiscover,
        Self::Ping,
        Self::ToolsList,
        Self::ToolsCall,
        Self::ResourcesList,
        Self::ResourcesTemplatesList,
        Self::ResourcesRead,
        Self::ResourcesSubscribe,
        Self::ResourcesUnsubscribe,
        Self::ResourcesDirectoryRead,
        Self::PromptsList,
        Self::PromptsGet,
        Self::CompletionComplete,
        Self::LoggingSetLevel,
        Self::SubscriptionsListen,
        Self::TasksGet,
        Self::TasksResult,
        Self::TasksCancel,
        Self::TasksList,
        Self::TasksUpdate,
        Self::SkillsList,
        Self::SkillsGet,
        Self::SamplingCreateMessage,
        Self::ElicitationCreate,
        Self::RootsList,
        Self::NotificationsInitialized,
        Self::NotificationsRootsListChanged,
        Self::NotificationsCancelled,
        Self::NotificationsProgress,
        Self::NotificationsMessage,
        Self::NotificationsToolsListChanged,
        Self::NotificationsPromptsListChanged,
        Self::NotificationsResourcesListChanged,
        Self::NotificationsResourcesUpdated,
        Self::NotificationsTasksStatus,
        Self::NotificationsTasks,
        Self::NotificationsElicitationComplete,
        Self::NotificationsSubscriptionsAcknowledged,
    ];

    /// The method that `name` names, byte for byte.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.as_str() == name)
    }

    /// The name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.facts().name
    }

    /// Whether it may be sent as a message of its own, in `revision`, by the side that `direction` names.
    ///
    /// True for methods of known extensions too; whether the extension was agreed is for the caller to know.
    #[must_use]
    pub fn is_allowed(self, revision: Revision, direction: Direction) -> bool {
        let facts = self.facts();
        let revisions = match direction {
            Direction::ClientToServer => facts.from_client,
            Direction::ServerToClient => facts.from_server,
        };
        revisions.is_some_and(|revisions| revisions.contains(revision))
    }

    /// What the road must know about it.
    #[must_use]
    pub const fn facts(self) -> Facts {
        match self {
            Self::Initialize => asked("initialize", Target::None, LEGACY),
            Self::ServerDiscover => asked("server/discover", Target::None, MODERN).cacheable(),
            Self::Ping => asked("ping", Target::None, LEGACY).by_server(LEGACY),
            Self::ToolsList => listed("tools/list", ListKind::Tools),
            Self::ToolsCall => asked("tools/call", Target::Tool, ALL).may_require_input().call(),
            Self::ResourcesList => listed("resources/list", ListKind::Resources),
            Self::ResourcesTemplatesList => listed("resources/templates/list", ListKind::ResourceTemplates),
            Self::ResourcesRead => {
                asked("resources/read", Target::Resource, ALL).cacheable().may_require_input().call()
            }
            Self::ResourcesSubscribe => asked("resources/subscribe", Target::Resource, LEGACY).call(),
            Self::ResourcesUnsubscribe => asked("resources/unsubscribe", Target::Resource, LEGACY),
            Self::ResourcesDirectoryRead => asked("resources/directory/read", DIRECTORY, MODERN).call().of(SKILLS),
            Self::PromptsList => listed("prompts/list", ListKind::Prompts),
            Self::PromptsGet => asked("prompts/get", Target::Prompt, ALL).may_require_input().call(),
            Self::CompletionComplete => asked("completion/complete", Target::Completion, ALL).call(),
            Self::LoggingSetLevel => asked("logging/setLevel", Target::None, LEGACY),
            Self::SubscriptionsListen => asked("subscriptions/listen", Target::Subscription, MODERN).call(),
            Self::TasksGet => asked("tasks/get", Target::Task, TASKS_SINCE).by_server(CORE_TASKS).call().of(TASKS),
            Self::TasksResult => asked("tasks/result", Target::Task, CORE_TASKS).by_server(CORE_TASKS).call(),
            Self::TasksCancel => {
                asked("tasks/cancel", Target::Task, TASKS_SINCE).by_server(CORE_TASKS).call().of(TASKS)
            }
            Self::TasksList => asked("tasks/list", TASK_LIST, CORE_TASKS).by_server(CORE_TASKS).call(),
            Self::TasksUpdate => asked("tasks/update", Target::Task, MODERN).call().of(TASKS),
            Self::SkillsList => asked("skills/list", Target::Listing(ListKind::Skills), MODERN).of(SKILLS),
            Self::SkillsGet => asked("skills/get", Target::Skill, MODERN).call().of(SKILLS),
            Self::SamplingCreateMessage => asked_by_server("sampling/createMessage", Target::Model, LEGACY).call(),
            Self::ElicitationCreate => asked_by_server("elicitation/create", Target::Person, ELICITATION).call(),
            Self::RootsList => asked_by_server("roots/list", Target::Roots, LEGACY),
            Self::NotificationsInitialized => told_by_client("notifications/initialized", Target::None),
            Self::NotificationsRootsListChanged => told_by_client("notifications/roots/list_changed", Target::Roots),
            Self::NotificationsCancelled => told("notifications/cancelled", Target::None, ALL).by_client(ALL),
            Self::NotificationsProgress => told("notifications/progress", Target::None, ALL).by_client(LEGACY),
            Self::NotificationsMessage => told("notifications/message", Target::None, ALL),
            Self::NotificationsToolsListChanged => changed("notifications/tools/list_changed", ListKind::Tools),
            Self::NotificationsPromptsListChanged => changed("notifications/prompts/list_changed", ListKind::Prompts),
            Self::NotificationsResourcesListChanged => {
                changed("notifications/resources/list_changed", ListKind::Resources)
            }
            Self::NotificationsResourcesUpdated => told("notifications/resources/updated", Target::Resource, ALL),
            Self::NotificationsTasksStatus => {
                told("notifications/tasks/status", Target::Task, CORE_TASKS).by_client(CORE_TASKS)
            }
            Self::NotificationsTasks => told("notifications/tasks", Target::Task, MODERN).of(TASKS),
            Self::NotificationsElicitationComplete => {
                told("notifications/elicitation/complete", Target::Person, CORE_TASKS)
            }
            Self::NotificationsSubscriptionsAcknowledged => {
                told("notifications/subscriptions/acknowledged", Target::Subscription, MODERN)
            }
        }
    }
}

/// The tasks extension of 2026-07-28.
const TASKS: &str = "io.modelcontextprotocol/tasks";
/// The skills extension (SEP-2640).
const SKILLS: &str = "io.modelcontextprotocol/skills";

const ALL: Revisions = Revisions::ALL;
const LEGACY: Revisions = Revisions::LEGACY;
const MODERN: Revisions = Revisions::MODERN;
/// Elicitation as a request of its own.
const ELICITATION: Revisions = Revisions { from: Revision::V2025_06_18, to: Revision::V2025_11_25 };
/// Tasks as part of the core; the completion of an elicitation is of the same revision.
const CORE_TASKS: Revisions = Revisions::only(Revision::V2025_11_25);
/// Tasks of the core, then of the extension.
const TASKS_SINCE: Revisions = Revisions { from: Revision::V2025_11_25, to: Revision::V2026_07_28 };

const DIRECTORY: Target = Target::Listing(ListKind::ResourceDirectory);
const TASK_LIST: Target = Target::Listing(ListKind::Tasks);

/// A request of the client.
const fn asked(name: &'static str, target: Target, revisions: Revisions) -> Facts {
    Facts::of_method(name, MethodKind::Request, target).by_client(revisions)
}

/// A request of the client for a page of a list.
const fn listed(name: &'static str, kind: ListKind) -> Facts {
    asked(name, Target::Listing(kind), ALL).cacheable()
}

/// A request of the server, from 2026-07-28 on inside results only.
const fn asked_by_server(name: &'static str, target: Target, revisions: Revisions) -> Facts {
    Facts::of_method(name, MethodKind::Request, target).by_server(revisions).embedded()
}

/// A notification of the server.
const fn told(name: &'static str, target: Target, revisions: Revisions) -> Facts {
    Facts::of_method(name, MethodKind::Notification, target).by_server(revisions)
}

/// A notification of the server that a list has changed.
const fn changed(name: &'static str, kind: ListKind) -> Facts {
    told(name, Target::Listing(kind), ALL)
}

/// A notification that only legacy clients send.
const fn told_by_client(name: &'static str, target: Target) -> Facts {
    Facts::of_method(name, MethodKind::Notification, target).by_client(LEGACY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_is_read_back_from_its_name_and_from_nothing_else() {
        for (position, method) in Method::ALL.into_iter().enumerate() {
            assert_eq!(Method::parse(method.as_str()), Some(method));
            assert_eq!(method as usize, position, "every method stands in `ALL`, in order");
        }
        for other in ["", "tools/Call", "tools/call\0", "tools/call ", "tools\u{2215}call", "notifications/unknown"] {
            assert_eq!(Method::parse(other), None, "{other:?}");
        }
    }

    #[test]
    fn a_modern_server_asks_nothing_and_a_modern_client_tells_only_that_it_cancels() {
        let allowed = |direction, kind| {
            Method::ALL
                .into_iter()
                .filter(|method| method.facts().kind == kind && method.is_allowed(Revision::V2026_07_28, direction))
                .collect::<Vec<_>>()
        };
        assert_eq!(allowed(Direction::ServerToClient, MethodKind::Request), []);
        assert_eq!(allowed(Direction::ClientToServer, MethodKind::Notification), [Method::NotificationsCancelled]);
    }
}
