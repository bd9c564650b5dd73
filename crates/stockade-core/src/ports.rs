//! What the road asks of the world. The binary plugs the real things in; tests plug in others.
//!
//! Must never: name a file, a socket, a database or a process.

use crate::guard::{Outbound, Released};
use crate::identity::{Identity, IdentityError, Shown};
use crate::mcp::{Frame, Id, Method, Revision};
use crate::record::{Entry, Written};
use crate::words::{Caller, ServerName, SessionId};
use bytes::Bytes;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// A future that a port hands out.
pub type PortFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The wall clock: nanoseconds since 1970-01-01T00:00:00Z. For records and expiry, never for measuring.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

/// The monotonic clock: time since some start. For deadlines, limits and measuring.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(pub Duration);

/// Time.
pub trait Clock: Send + Sync {
    /// The wall clock now.
    fn wall(&self) -> Timestamp;
    /// The monotonic clock now.
    fn moment(&self) -> Moment;
    /// Resolves once the monotonic clock has reached `moment`.
    fn sleep_until(&self, moment: Moment) -> PortFuture<'static, ()>;
}

/// Random bytes from the operating system's generator.
pub trait Entropy: Send + Sync {
    /// Fills the whole of `bytes`, or the process ends: there is no going on without randomness.
    fn fill(&self, bytes: &mut [u8]);
}

/// Who calls: the only place where what was shown turns into a caller.
pub trait Identities: Send + Sync {
    /// Recognises the sender of one message. Called for every message; nothing of an earlier one helps.
    ///
    /// # Errors
    /// When nobody is recognised, or it cannot be known. An error is a deny.
    fn identify<'a>(&'a self, shown: &'a Shown) -> PortFuture<'a, Result<Identity, IdentityError>>;

    /// Says whether what proved `identity` still holds: not revoked, not expired. Quick, from memory; asked while a message
    /// is in flight, before its answer goes out, and while a stream is open.
    ///
    /// # Errors
    /// When it no longer holds, or that cannot be known. An error ends what was begun.
    fn stands(&self, identity: &Identity) -> Result<(), IdentityError>;
}

/// What a caller wants to do, in the words of policies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// Open a session, discover, ping, set the log level, cancel: to be there at all.
    Connect,
    /// See what there is. Judged for the listing; each entry is judged by the action that would use it.
    List,
    /// `tools/call`, and the tasks it makes.
    Call,
    /// `resources/read` and subscriptions to resources.
    Read,
    /// `prompts/get`.
    Get,
    /// `completion/complete`.
    Complete,
    /// A server asks the caller's model (`sampling/createMessage`).
    Sample,
    /// A server asks the caller's person (`elicitation/create`).
    Elicit,
    /// A server asks for the caller's roots (`roots/list`).
    Roots,
}

impl Action {
    /// All of them, for generated tables.
    pub const ALL: [Self; 9] = [
        Self::Connect,
        Self::List,
        Self::Call,
        Self::Read,
        Self::Get,
        Self::Complete,
        Self::Sample,
        Self::Elicit,
        Self::Roots,
    ];

    /// The word for policies and records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::List => "list",
            Self::Call => "call",
            Self::Read => "read",
            Self::Get => "get",
            Self::Complete => "complete",
            Self::Sample => "sample",
            Self::Elicit => "elicit",
            Self::Roots => "roots",
        }
    }
}

/// What an action is done to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Object<'q> {
    /// The server itself.
    Server,
    /// A tool, by the name its server gives it.
    Tool(&'q str),
    /// A resource, by URI.
    Resource(&'q str),
    /// A prompt, by the name its server gives it.
    Prompt(&'q str),
}

/// One question to the policy.
#[derive(Debug, Clone, Copy)]
pub struct Question<'q> {
    /// Who wants it.
    pub caller: &'q Caller,
    /// What they want.
    pub action: Action,
    /// On which server.
    pub server: &'q ServerName,
    /// To what.
    pub object: Object<'q>,
    /// What the operator says the object does; [`Effect::Destructive`] where nothing was said (AZ-10).
    pub effect: Effect,
    /// In which revision of the protocol.
    pub revision: Revision,
}

/// What a tool does to the world, by the operator's word; a server's own annotations never lower it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum Effect {
    /// Changes nothing.
    Read,
    /// Changes something.
    Write,
    /// May destroy something. What nobody has classified is taken for this.
    #[default]
    Destructive,
}

impl Effect {
    /// The word for configuration, policies and records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Destructive => "destructive",
        }
    }
}

/// The policy's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ruling {
    /// Some rule allows it and none forbids it.
    Allow {
        /// The ids of the rules that decided.
        rules: Vec<String>,
    },
    /// A rule allows it after a person has agreed.
    Ask {
        /// The ids of the rules that decided.
        rules: Vec<String>,
        /// What the rule's author wants the person to be asked.
        reason: String,
    },
    /// No rule allows it, a rule forbids it, or the evaluation failed.
    Deny {
        /// The ids of the rules that decided; empty when none allows it.
        rules: Vec<String>,
        /// Why, for the operator.
        reason: String,
    },
}

/// The policy: who may do what. Pure; the same question gets the same answer until the revision changes.
pub trait Policy: Send + Sync {
    /// Answers one question. Never fails: what cannot be evaluated is denied.
    fn rule(&self, question: &Question<'_>) -> Ruling;
    /// Names the set of rules in force, for records.
    fn revision(&self) -> String;
}

/// The record cannot be written, so nothing may happen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the record cannot be written: {reason}")]
pub struct RecordUnavailable {
    /// What the writer met, without paths.
    pub reason: String,
}

/// How long to wait for an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Durability {
    /// Until the kernel has it: survives the end of the process.
    Kernel,
    /// Until the disk has it: survives the end of the machine.
    Disk,
}

/// The append-only record.
pub trait Record: Send + Sync {
    /// Appends one entry and resolves once it is as durable as asked. Dropping the future does not take the entry back.
    ///
    /// # Errors
    /// When it cannot be made durable. The act that it announces must then not happen.
    fn append(&self, entry: Entry, durability: Durability) -> PortFuture<'static, Result<Written, RecordUnavailable>>;

    /// Hands an entry over without waiting, for those who cannot wait: tickets that are dropped.
    fn append_detached(&self, entry: Entry);
}

/// What a live legacy session is, as far as the guards need to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionFacts {
    /// The revision that was negotiated.
    pub revision: Revision,
    /// What the client called itself at `initialize`; recorded, never believed.
    pub client: Option<String>,
}

/// Why a session could not be used. To the caller all of these are the same 404.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    /// No session has this id, or it has ended.
    #[error("no such session")]
    Unknown,
    /// It belongs to another caller: somebody tries a stolen or guessed id (AU-17).
    #[error("the session belongs to another caller")]
    OfAnotherCaller,
    /// It was opened on another route (AU-20).
    #[error("the session belongs to another route")]
    OfAnotherRoute,
}

/// The live legacy sessions. A session routes; it never authorises.
pub trait Sessions: Send + Sync {
    /// Finds the session `id` of the caller on `route`. What the caller showed with this message becomes what the session
    /// stands on from now on: a newer token, for example.
    ///
    /// # Errors
    /// When there is none for exactly this caller and route.
    fn find(&self, id: &SessionId, identity: &Identity, route: &Route) -> Result<SessionFacts, SessionError>;
    /// The request of an upstream's that the client of this session was asked under `id` and has not answered yet.
    fn asked(&self, session: &SessionId, id: &Id) -> Option<(ServerName, Method)>;
    /// Ends a session whose handshake was refused after the upstream had answered it: nobody will learn its id.
    fn forget(&self, session: &SessionId);
}

/// Where a message came in, and so what it can reach.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Route {
    /// `/mcp/{server}`, or the one server of `stockade wrap`: names unchanged.
    One(ServerName),
    /// `/mcp`: every server, names prefixed.
    Merged,
}

/// Sealing of what we give to clients to keep for us: `requestState`, cursors.
pub trait Seals: Send + Sync {
    /// Seals `plain`, bound to `context`. Text of the base64url alphabet.
    fn seal(&self, context: &[u8], plain: &[u8]) -> String;
    /// Opens what [`Seals::seal`] made for the same context; nothing for anything else.
    fn open(&self, context: &[u8], sealed: &str) -> Option<Vec<u8>>;
}

/// What the configuration says of one tool or method of one server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Treatment {
    /// What it does to the world.
    pub effect: Effect,
    /// How long one call may take, from the start of forwarding to the end of the answer.
    pub deadline: Duration,
    /// The scopes that a caller who is limited by scopes needs for it, all of them.
    pub scopes: Arc<[String]>,
}

/// What the operator has said of servers and their tools.
pub trait Catalogue: Send + Sync {
    /// The configured servers, in order of their names.
    fn servers(&self) -> &[ServerName];
    /// How to treat a request to `server`.
    fn treatment(&self, server: &ServerName, method: Method, object: Object<'_>) -> Treatment;
}

/// Why an upstream gave no answer. None of these texts reaches a caller.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UpstreamError {
    /// It could not be reached or started.
    #[error("not available: {reason}")]
    Unavailable {
        /// What was tried and what came of it.
        reason: String,
    },
    /// It went away in the middle.
    #[error("went away before it answered: {reason}")]
    Gone {
        /// What was seen.
        reason: String,
    },
    /// It sent something that is not the protocol.
    #[error("broke the protocol: {reason}")]
    PeerBroke {
        /// What was wrong, in words of ours.
        reason: String,
    },
    /// It sent more than the limit.
    #[error("sent more than {limit} bytes")]
    TooLarge {
        /// How many bytes it might have sent.
        limit: usize,
    },
    /// It speaks another era.
    #[error("speaks {}, not {requested}", .supported.iter().map(|one| one.as_str()).collect::<Vec<_>>().join(", "))]
    OtherEra {
        /// What the client speaks.
        requested: Revision,
        /// What the upstream speaks, as far as is known.
        supported: Vec<Revision>,
    },
    /// A mirrored `Mcp-Param-*` header differs from the body (MCP 2026-07-28, -32020).
    #[error("a mirrored parameter header differs from the body")]
    HeaderMismatch,
    /// The thing asked for belongs to nobody we know: a cursor, a resource, a task.
    #[error("{what} is not known here")]
    NotKnown {
        /// `cursor`, `resource`, `task`.
        what: &'static str,
    },
    /// Too many of something are open for this caller.
    #[error("too many {what}")]
    TooMany {
        /// `sessions`, `children`.
        what: &'static str,
    },
    /// The client cancelled, or the session ended.
    #[error("cancelled")]
    Cancelled,
}

/// Names a request of an upstream's that waits for the client's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AskId(pub u64);

/// What comes from an upstream.
#[derive(Debug)]
pub enum Incoming {
    /// A notification or, with an [`AskId`], a request of the upstream's.
    Message {
        /// The message, strictly read.
        frame: Frame,
        /// Who sent it.
        server: ServerName,
        /// Under which id the client will be asked.
        ask: Option<AskId>,
    },
    /// The upstream answers with a stream of events, whether or not anything comes before the answer.
    Streaming,
    /// The upstream has closed its stream and will go on later (MCP 2025-11-25, SSE polling).
    Pause {
        /// After how long the client may come back.
        retry: Option<Duration>,
    },
    /// The answer. Nothing comes after it.
    Answer {
        /// The message, strictly read; its id is still the upstream's.
        frame: Frame,
        /// The session that was opened by it.
        session: Option<SessionId>,
    },
}

/// One request on its way. Dropping it cancels it upstream.
pub trait Exchange: Send {
    /// The next thing that the upstream says.
    ///
    /// # Errors
    /// When there will be no answer.
    fn next(&mut self) -> PortFuture<'_, Result<Incoming, UpstreamError>>;
    /// Answers a request of the upstream's that the road has refused.
    fn refuse(&mut self, ask: AskId, refusal: Bytes) -> PortFuture<'_, ()>;
}

/// The servers behind us.
pub trait Upstreams: Send + Sync {
    /// Sends a request.
    fn request(&self, outbound: Arc<Outbound>) -> PortFuture<'_, Result<Box<dyn Exchange>, UpstreamError>>;
    /// Sends a notification, or the answer to a request of an upstream's.
    fn send(&self, outbound: Arc<Outbound>) -> PortFuture<'_, Result<(), UpstreamError>>;
    /// On the merged route: which server owns a resource.
    fn owner_of(&self, caller: &Caller, uri: &str) -> Option<ServerName>;
}

/// Where released messages go before the answer does.
pub trait Outlet: Send {
    /// Learns of a request before anything is done for it, so that it can be cancelled by its id.
    fn started(&mut self, id: &Id, method: Option<Method>);
    /// The upstream answers with a stream; a door that can should do the same.
    fn stream(&mut self) {}
    /// Takes one message for the client.
    fn send(&mut self, message: Released) -> PortFuture<'_, ()>;
    /// The upstream pauses the stream; the client may come back for the rest.
    fn pause(&mut self, retry: Option<Duration>) -> PortFuture<'_, ()>;
}
