//! Every method of every revision, with what the road must know about it, in one `match`.
//!
//! Source: protocol.md §2.1 to §2.3, read from the published schemas and the tasks extension.

use super::revision::{Revision, Revisions};

/// Who sends a message to whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the AI client towards the MCP server.
    ClientToServer,
    /// From the MCP server towards the AI client.
    ServerToClient,
}

impl Direction {
    /// Both, for tables and tests.
    pub const ALL: [Self; 2] = [Self::ClientToServer, Self::ServerToClient];

    /// The way back.
    #[must_use]
    pub const fn reverse(self) -> Self {
        match self {
            Self::ClientToServer => Self::ServerToClient,
            Self::ServerToClient => Self::ClientToServer,
        }
    }
}

/// Whether a method is asked with an id and answered, or only told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MethodKind {
    /// Has an id and gets an answer.
    Request,
    /// Has no id and gets none.
    Notification,
}

/// What a list method lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are those of the list methods")]
pub enum ListKind {
    Tools,
    Resources,
    ResourceTemplates,
    ResourceDirectory,
    Prompts,
    Tasks,
    Skills,
}

/// What a message is about, that is: what a policy names as its resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Target {
    /// The connection or the server as a whole.
    None,
    /// The tool in `params.name`.
    Tool,
    /// The resource in `params.uri`.
    Resource,
    /// The prompt in `params.name`.
    Prompt,
    /// The prompt or resource template in `params.ref`.
    Completion,
    /// The task in `params.taskId`.
    Task,
    /// A skill (SEP-2640).
    Skill,
    /// The streams of changes in `params.notifications`.
    Subscription,
    /// Everything of one kind.
    Listing(ListKind),
    /// The client's language model.
    Model,
    /// The person at the client.
    Person,
    /// The client's roots.
    Roots,
}

/// Which budget a message draws from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CountedAs {
    /// Work for the upstream: counted against the caller's calls.
    Call,
    /// Everything else; limited too, by a budget of its own.
    Other,
}

/// What the road must know about a method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// The name on the wire.
    pub name: &'static str,
    /// Request or notification.
    pub kind: MethodKind,
    /// The revisions in which a client may send it as a message of its own.
    pub from_client: Option<Revisions>,
    /// The revisions in which a server may send it as a message of its own.
    pub from_server: Option<Revisions>,
    /// The revisions in which it travels inside `inputRequests` (MCP 2026-07-28, SEP-2322).
    pub embedded: Option<Revisions>,
    /// What it is about.
    pub target: Target,
    /// Its complete result carries `ttlMs` and `cacheScope` from 2026-07-28 on (SEP-2549).
    pub cacheable: bool,
    /// Its result may be `input_required` from 2026-07-28 on (SEP-2322).
    pub may_require_input: bool,
    /// Which budget it draws from.
    pub counted_as: CountedAs,
    /// From 2026-07-28 on it belongs to this extension and not to the core.
    pub extension: Option<&'static str>,
}

/// The tasks extension of 2026-07-28.
const TASKS: &str = "io.modelcontextprotocol/tasks";
/// The skills extension (SEP-2640).
const SKILLS: &str = "io.modelcontextprotocol/skills";

const NEW_ELICITATION: Revisions = Revisions { from: Revision::V2025_06_18, to: Revision::V2025_11_25 };
const CORE_TASKS: Revisions = Revisions::only(Revision::V2025_11_25);
const TASKS_AND_EXTENSION: Revisions = Revisions { from: Revision::V2025_11_25, to: Revision::V2026_07_28 };

impl Facts {
    const fn request(name: &'static str, target: Target) -> Self {
        Self {
            name,
            kind: MethodKind::Request,
            from_client: None,
            from_server: None,
            embedded: None,
            target,
            cacheable: false,
            may_require_input: false,
            counted_as: CountedAs::Other,
            extension: None,
        }
    }

    const fn notification(name: &'static str, target: Target) -> Self {
        Self { kind: MethodKind::Notification, ..Self::request(name, target) }
    }

    const fn from_client(self, revisions: Revisions) -> Self {
        Self { from_client: Some(revisions), ..self }
    }

    const fn from_server(self, revisions: Revisions) -> Self {
        Self { from_server: Some(revisions), ..self }
    }

    const fn embedded(self) -> Self {
        Self { embedded: Some(Revisions::MODERN), ..self }
    }

    const fn cacheable(self) -> Self {
        Self { cacheable: true, ..self }
    }

    const fn may_require_input(self) -> Self {
        Self { may_require_input: true, ..self }
    }

    const fn call(self) -> Self {
        Self { counted_as: CountedAs::Call, ..self }
    }

    const fn of_extension(self, extension: &'static str) -> Self {
        Self { extension: Some(extension), ..self }
    }
}

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
        const ALL: Revisions = Revisions::ALL;
        const LEGACY: Revisions = Revisions::LEGACY;
        const MODERN: Revisions = Revisions::MODERN;
        const fn list(name: &'static str, kind: ListKind) -> Facts {
            Facts::request(name, Target::Listing(kind)).from_client(ALL).cacheable()
        }
        const fn client(name: &'static str, target: Target, revisions: Revisions) -> Facts {
            Facts::request(name, target).from_client(revisions)
        }
        const fn told_by_server(name: &'static str, target: Target, revisions: Revisions) -> Facts {
            Facts::notification(name, target).from_server(revisions)
        }
        match self {
            Self::Initialize => client("initialize", Target::None, LEGACY),
            Self::ServerDiscover => client("server/discover", Target::None, MODERN).cacheable(),
            Self::Ping => client("ping", Target::None, LEGACY).from_server(LEGACY),
            Self::ToolsList => list("tools/list", ListKind::Tools),
            Self::ToolsCall => client("tools/call", Target::Tool, ALL).may_require_input().call(),
            Self::ResourcesList => list("resources/list", ListKind::Resources),
            Self::ResourcesTemplatesList => list("resources/templates/list", ListKind::ResourceTemplates),
            Self::ResourcesRead => {
                client("resources/read", Target::Resource, ALL).cacheable().may_require_input().call()
            }
            Self::ResourcesSubscribe => client("resources/subscribe", Target::Resource, LEGACY).call(),
            Self::ResourcesUnsubscribe => client("resources/unsubscribe", Target::Resource, LEGACY),
            Self::ResourcesDirectoryRead => {
                client("resources/directory/read", Target::Listing(ListKind::ResourceDirectory), MODERN)
                    .call()
                    .of_extension(SKILLS)
            }
            Self::PromptsList => list("prompts/list", ListKind::Prompts),
            Self::PromptsGet => client("prompts/get", Target::Prompt, ALL).may_require_input().call(),
            Self::CompletionComplete => client("completion/complete", Target::Completion, ALL).call(),
            Self::LoggingSetLevel => client("logging/setLevel", Target::None, LEGACY),
            Self::SubscriptionsListen => client("subscriptions/listen", Target::Subscription, MODERN).call(),
            Self::TasksGet => task("tasks/get", TASKS_AND_EXTENSION).from_server(CORE_TASKS),
            Self::TasksResult => task("tasks/result", CORE_TASKS).from_server(CORE_TASKS),
            Self::TasksCancel => task("tasks/cancel", TASKS_AND_EXTENSION).from_server(CORE_TASKS),
            Self::TasksList => {
                client("tasks/list", Target::Listing(ListKind::Tasks), CORE_TASKS).from_server(CORE_TASKS).call()
            }
            Self::TasksUpdate => task("tasks/update", MODERN),
            Self::SkillsList => {
                client("skills/list", Target::Listing(ListKind::Skills), MODERN).of_extension(SKILLS)
            }
            Self::SkillsGet => client("skills/get", Target::Skill, MODERN).call().of_extension(SKILLS),
            Self::SamplingCreateMessage => {
                Facts::request("sampling/createMessage", Target::Model).from_server(LEGACY).embedded().call()
            }
            Self::ElicitationCreate => {
                Facts::request("elicitation/create", Target::Person).from_server(NEW_ELICITATION).embedded().call()
            }
            Self::RootsList => Facts::request("roots/list", Target::Roots).from_server(LEGACY).embedded(),
            Self::NotificationsInitialized => {
                Facts::notification("notifications/initialized", Target::None).from_client(LEGACY)
            }
            Self::NotificationsRootsListChanged => {
                Facts::notification("notifications/roots/list_changed", Target::Roots).from_client(LEGACY)
            }
            Self::NotificationsCancelled => told_by_server("notifications/cancelled", Target::None, ALL).from_client(ALL),
            Self::NotificationsProgress => told_by_server("notifications/progress", Target::None, ALL).from_client(LEGACY),
            Self::NotificationsMessage => told_by_server("notifications/message", Target::None, ALL),
            Self::NotificationsToolsListChanged => {
                told_by_server("notifications/tools/list_changed", Target::Listing(ListKind::Tools), ALL)
            }
            Self::NotificationsPromptsListChanged => {
                told_by_server("notifications/prompts/list_changed", Target::Listing(ListKind::Prompts), ALL)
            }
            Self::NotificationsResourcesListChanged => {
                told_by_server("notifications/resources/list_changed", Target::Listing(ListKind::Resources), ALL)
            }
            Self::NotificationsResourcesUpdated => told_by_server("notifications/resources/updated", Target::Resource, ALL),
            Self::NotificationsTasksStatus => {
                told_by_server("notifications/tasks/status", Target::Task, CORE_TASKS).from_client(CORE_TASKS)
            }
            Self::NotificationsTasks => told_by_server("notifications/tasks", Target::Task, MODERN).of_extension(TASKS),
            Self::NotificationsElicitationComplete => {
                told_by_server("notifications/elicitation/complete", Target::Person, CORE_TASKS)
            }
            Self::NotificationsSubscriptionsAcknowledged => {
                told_by_server("notifications/subscriptions/acknowledged", Target::Subscription, MODERN)
            }
        }
    }
}

const fn task(name: &'static str, revisions: Revisions) -> Facts {
    Facts::request(name, Target::Task).from_client(revisions).call().of_extension(TASKS)
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
