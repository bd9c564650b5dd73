//! What the record says: one entry for each step of a ticket.
//!
//! A request that is refused has one entry, `refused`. A request that is let through has two: `intent`, durable before
//! anything is forwarded, and `outcome`. What happens beside requests (a message dropped, a session ended) is an `event`.

use crate::ports::Timestamp;
use crate::wire::Digest;
use crate::words::TicketId;

/// The step of a ticket that an entry tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// The request was refused; nothing was forwarded.
    Refused,
    /// The request passed every guard and is about to be forwarded.
    Intent,
    /// What became of it.
    Outcome,
    /// Something that happened beside requests.
    Event,
}

impl Phase {
    /// The word in the record.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Intent => "intent",
            Self::Outcome => "outcome",
            Self::Event => "event",
        }
    }
}

/// What became of a request that was let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The upstream's answer was released.
    Delivered,
    /// The upstream answered with a JSON-RPC error, which was released.
    UpstreamError,
    /// The answer was withheld.
    Withheld,
    /// No answer within the deadline.
    TimedOut,
    /// The client cancelled or went away.
    Cancelled,
    /// The upstream broke, lied or went away.
    UpstreamFailed,
    /// The road was left in the middle, by a panic or a shutdown.
    Abandoned,
    /// Found without outcome after a restart.
    Unknown,
}

impl Outcome {
    /// The word in the record.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::UpstreamError => "upstream-error",
            Self::Withheld => "withheld",
            Self::TimedOut => "timed-out",
            Self::Cancelled => "cancelled",
            Self::UpstreamFailed => "upstream-failed",
            Self::Abandoned => "abandoned",
            Self::Unknown => "unknown",
        }
    }
}

/// A finding of the screening engine, without the text that it found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FindingNote {
    /// The rule's id.
    pub rule: &'static str,
    /// Where in the message: a JSON pointer of our own words and indices, bounded.
    pub place: String,
    /// How often it was found there.
    pub count: u32,
}

/// One entry. Every text of a peer in it has been escaped and cut ([`crate::words::Untrusted::for_log`]).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// When, by the wall clock.
    pub time: Timestamp,
    /// Whose step.
    pub ticket: TicketId,
    /// Which step.
    pub phase: Phase,
    /// `stdio`, `http`.
    pub door: &'static str,
    /// Who, once recognised.
    pub caller: Option<String>,
    /// How they were recognised.
    pub caller_kind: Option<&'static str>,
    /// What the client calls itself; unverified.
    pub client: Option<String>,
    /// A digest that names the session and opens nothing.
    pub session: Option<String>,
    /// The revision of the protocol.
    pub revision: Option<&'static str>,
    /// The server, or nothing for the merged route.
    pub server: Option<String>,
    /// `request`, `notification`, `answer`, or whatever an event is called.
    pub kind: &'static str,
    /// The method.
    pub method: Option<String>,
    /// The tool, prompt or URI.
    pub target: Option<String>,
    /// The digest of the canonical arguments.
    pub arguments: Option<Digest>,
    /// The arguments' names and types, without values.
    pub shape: Option<String>,
    /// `allow`, `ask` or `deny`.
    pub decision: Option<&'static str>,
    /// The guard or the rules that decided, and the policy's revision.
    pub rule: Option<String>,
    /// Why, in words of ours for the operator.
    pub reason: Option<String>,
    /// What the screening engine found.
    pub findings: Vec<FindingNote>,
    /// What became of it.
    pub outcome: Option<Outcome>,
    /// Microseconds since the ticket was opened.
    pub took_us: Option<u64>,
    /// Bytes released to the caller.
    pub released_bytes: Option<u64>,
    /// Messages of the upstream that came before the answer.
    pub interim: Option<u64>,
}

impl Entry {
    /// An entry with nothing but its place filled in.
    #[must_use]
    pub const fn new(time: Timestamp, ticket: TicketId, phase: Phase, door: &'static str, kind: &'static str) -> Self {
        Self {
            time,
            ticket,
            phase,
            door,
            caller: None,
            caller_kind: None,
            client: None,
            session: None,
            revision: None,
            server: None,
            kind,
            method: None,
            target: None,
            arguments: None,
            shape: None,
            decision: None,
            rule: None,
            reason: None,
            findings: Vec::new(),
            outcome: None,
            took_us: None,
            released_bytes: None,
            interim: None,
        }
    }
}

/// Having one tells you: the entry is as durable as was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    sequence: u64,
}

impl Written {
    /// For the implementation of the record only (`cargo xtask tidy` lists who calls it): the entry stands at `sequence`.
    #[must_use]
    pub const fn assert_written(sequence: u64) -> Self {
        Self { sequence }
    }

    /// The entry's place in the record.
    #[must_use]
    pub const fn sequence(self) -> u64 {
        self.sequence
    }
}
