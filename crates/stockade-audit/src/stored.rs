//! What a line of the record says, read back.
//!
//! Must never: believe a line. Whether it is the line that was written is the business of [`crate::walk`].

use crate::hash::LineHash;
use serde::Deserialize;

/// One record as it stands in the file. The fields are those of [`stockade_core::record::Entry`].
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoredRecord {
    /// Its place in the record, from 1.
    pub sequence: u64,
    /// RFC 3339, UTC, nanoseconds.
    pub time: String,
    /// The hash of the line before it, 64 hexadecimal digits.
    pub previous: String,
    /// The ticket; absent for what the record tells of itself.
    pub ticket: Option<String>,
    /// `refused`, `intent`, `outcome` or `event`.
    pub phase: String,
    /// `stdio` or `http`; absent for what the record tells of itself.
    pub door: Option<String>,
    /// `request`, `notification`, `answer`, or whatever an event is called.
    pub kind: String,
    /// Who.
    pub caller: Option<String>,
    /// How they were recognised.
    pub caller_kind: Option<String>,
    /// What the client calls itself; unverified.
    pub client: Option<String>,
    /// A digest that names the session and opens nothing.
    pub session: Option<String>,
    /// The revision of the protocol.
    pub revision: Option<String>,
    /// The server.
    pub server: Option<String>,
    /// The method.
    pub method: Option<String>,
    /// The tool, prompt or URI.
    pub target: Option<String>,
    /// SHA-256 of the canonical arguments, 64 hexadecimal digits.
    pub arguments: Option<String>,
    /// The arguments' names and types, without values.
    pub shape: Option<String>,
    /// `allow`, `ask` or `deny`.
    pub decision: Option<String>,
    /// What decided.
    pub rule: Option<String>,
    /// Why, for the operator.
    pub reason: Option<String>,
    /// What the screening engine found.
    #[serde(default)]
    pub findings: Vec<StoredFinding>,
    /// How many more findings there were.
    #[serde(default)]
    pub findings_left_out: u64,
    /// What became of it.
    pub outcome: Option<String>,
    /// Microseconds since the ticket was opened.
    pub took_us: Option<u64>,
    /// Bytes released to the caller.
    pub released_bytes: Option<u64>,
    /// Messages of the upstream that came before the answer.
    pub interim: Option<u64>,
}

/// A finding of the screening engine.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoredFinding {
    /// The rule's id.
    pub rule: String,
    /// Where in the message.
    pub place: String,
    /// How often it was found there.
    pub count: u32,
}

impl StoredRecord {
    /// Nothing when the line is no record of this format.
    pub(crate) fn parse(line: &[u8]) -> Option<Self> {
        serde_json::from_slice(line).ok()
    }
}

/// As much of a record as the chain and a restart need; the rest is only required to be JSON.
#[derive(Debug, Deserialize)]
pub(crate) struct RecordLink<'a> {
    pub(crate) sequence: u64,
    pub(crate) previous: &'a str,
    #[serde(default)]
    pub(crate) ticket: Option<&'a str>,
    pub(crate) phase: &'a str,
}

impl<'a> RecordLink<'a> {
    pub(crate) fn parse(line: &'a [u8]) -> Option<Self> {
        serde_json::from_slice(line).ok()
    }
}

/// The first line of a segment.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StoredHeader<'a> {
    pub(crate) segment: u64,
    pub(crate) format: u32,
    pub(crate) first_sequence: u64,
    pub(crate) previous: &'a str,
    #[serde(borrow)]
    pub(crate) open: Vec<&'a str>,
}

impl<'a> StoredHeader<'a> {
    pub(crate) fn parse(line: &'a [u8]) -> Option<Self> {
        serde_json::from_slice(line).ok()
    }
}

/// The hash that a line, of either kind, says the line before it has.
pub(crate) fn previous_of(line: &[u8]) -> Option<LineHash> {
    #[derive(Deserialize)]
    struct Link<'a> {
        previous: &'a str,
    }
    LineHash::parse(serde_json::from_slice::<Link<'_>>(line).ok()?.previous)
}
