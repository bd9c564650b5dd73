//! What the road must know about a method, in types.

use super::revision::Revisions;

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

impl Facts {
    pub(super) const fn of_method(name: &'static str, kind: MethodKind, target: Target) -> Self {
        Self {
            name,
            kind,
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

    pub(super) const fn by_client(self, revisions: Revisions) -> Self {
        Self { from_client: Some(revisions), ..self }
    }

    pub(super) const fn by_server(self, revisions: Revisions) -> Self {
        Self { from_server: Some(revisions), ..self }
    }

    pub(super) const fn embedded(self) -> Self {
        Self { embedded: Some(Revisions::MODERN), ..self }
    }

    pub(super) const fn cacheable(self) -> Self {
        Self { cacheable: true, ..self }
    }

    pub(super) const fn may_require_input(self) -> Self {
        Self { may_require_input: true, ..self }
    }

    pub(super) const fn call(self) -> Self {
        Self { counted_as: CountedAs::Call, ..self }
    }

    pub(super) const fn of(self, extension: &'static str) -> Self {
        Self { extension: Some(extension), ..self }
    }
}
