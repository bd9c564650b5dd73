//! The ticket: opened before anything else, closed after everything else, whatever happens in between.
//!
//! For: one entry in the record for what was refused, two for what was let through, also when the client goes away, a
//! guard panics or the process is asked to stop.
//! Must never: let a request be forwarded whose intent is not written.

use crate::ports::{Clock, Durability, Entropy, Moment, Record, RecordUnavailable};
use crate::record::{Entry, FindingNote, Outcome, Phase, Written};
use crate::refusal::Refused;
use crate::words::TicketId;
use std::sync::Arc;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    Intended,
    Closed,
}

/// One message's place in the record.
pub struct Ticket {
    clock: Arc<dyn Clock>,
    record: Arc<dyn Record>,
    facts: Entry,
    opened: Moment,
    state: State,
    durability: Durability,
}

impl Ticket {
    /// Findings that one entry lists; more are counted in the last one.
    pub const FINDINGS: usize = 32;

    /// Opens a ticket. `kind` is `request`, `notification`, `answer` or an event's name.
    pub fn open(
        clock: Arc<dyn Clock>,
        entropy: &dyn Entropy,
        record: Arc<dyn Record>,
        door: &'static str,
        kind: &'static str,
    ) -> Self {
        let mut random = [0; 10];
        entropy.fill(&mut random);
        let time = clock.wall();
        let id = TicketId::new(u64::try_from(time.0 / 1_000_000).unwrap_or(0), random);
        let opened = clock.moment();
        let facts = Entry::new(time, id, Phase::Refused, door, kind);
        Self { clock, record, facts, opened, state: State::Open, durability: Durability::Kernel }
    }

    /// Its id.
    #[must_use]
    pub const fn id(&self) -> TicketId {
        self.facts.ticket
    }

    /// True if its intent is on record and its outcome is not.
    pub(crate) fn is_intended(&self) -> bool {
        self.state == State::Intended
    }

    /// Ends a ticket that has nothing to tell because others have told it.
    pub(crate) const fn forgo(&mut self) {
        self.state = State::Closed;
    }

    /// What is known so far; guards fill it in.
    pub(crate) const fn facts(&mut self) -> &mut Entry {
        &mut self.facts
    }

    /// Adds a finding, keeping the list bounded.
    pub(crate) fn note_finding(&mut self, note: FindingNote) {
        let findings = &mut self.facts.findings;
        if let Some(same) = findings.iter_mut().find(|there| there.rule == note.rule && there.place == note.place) {
            same.count = same.count.saturating_add(note.count);
        } else if findings.len() < Self::FINDINGS {
            findings.push(note);
        } else if let Some(last) = findings.last_mut() {
            "and others".clone_into(&mut last.place);
            last.count = last.count.saturating_add(note.count);
        }
    }

    /// Writes the refusal. A record that cannot be written does not turn a refusal into anything else.
    pub(crate) async fn refuse(&mut self, refused: &Refused) {
        self.facts.decision = Some("deny");
        self.facts.rule = Some(refused.rule.clone());
        self.facts.reason = Some(refused.reason.clone());
        let entry = self.entry(Phase::Refused);
        self.state = State::Closed;
        if self.record.append(entry.clone(), Durability::Kernel).await.is_err() {
            self.record.append_detached(entry);
        }
    }

    /// Writes what happened beside requests, before it is acted on.
    ///
    /// # Errors
    /// When it cannot be written; then it must not happen.
    pub(crate) async fn event(&mut self) -> Result<Written, RecordUnavailable> {
        self.facts.decision = Some("allow");
        let entry = self.entry(Phase::Event);
        self.state = State::Closed;
        self.record.append(entry, Durability::Kernel).await
    }

    /// Writes the intent and waits until it is as durable as asked.
    ///
    /// # Errors
    /// When it cannot be written; then nothing must be forwarded.
    pub(crate) async fn intend(&mut self, durability: Durability) -> Result<Written, RecordUnavailable> {
        self.durability = durability;
        let entry = self.entry(Phase::Intent);
        let appended = self.record.append(entry, durability);
        // From here on the entry may be in the record, so that whatever ends the ticket must write an outcome.
        self.state = State::Intended;
        appended.await
    }

    /// Writes the outcome; `reason` is for the operator.
    ///
    /// # Errors
    /// When it cannot be written; then the answer must not be released.
    pub(crate) async fn close(
        &mut self,
        outcome: Outcome,
        reason: Option<String>,
    ) -> Result<Written, RecordUnavailable> {
        self.facts.outcome = Some(outcome);
        if reason.is_some() {
            self.facts.reason = reason;
        }
        let entry = self.entry(Phase::Outcome);
        let written = self.record.append(entry, self.durability);
        self.state = State::Closed;
        written.await
    }

    fn entry(&mut self, phase: Phase) -> Entry {
        self.facts.phase = phase;
        if phase != Phase::Intent {
            let took = self.clock.moment().0.saturating_sub(self.opened.0);
            self.facts.took_us = u64::try_from(took.as_micros()).ok();
        }
        if phase == Phase::Outcome {
            self.facts.time = self.clock.wall();
        }
        self.facts.clone()
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let (phase, outcome) = match self.state {
            State::Closed => return,
            State::Open => (Phase::Refused, None),
            State::Intended => (Phase::Outcome, Some(())),
        };
        let panicking = std::thread::panicking();
        if outcome.is_some() {
            self.facts.outcome = Some(if panicking { Outcome::Abandoned } else { Outcome::Cancelled });
        } else {
            self.facts.decision = Some("deny");
            self.facts.rule = Some("ticket".to_owned());
        }
        let reason = if panicking { "a guard panicked" } else { "the client went away or cancelled" };
        self.facts.reason = Some(reason.to_owned());
        let entry = self.entry(phase);
        self.record.append_detached(entry);
    }
}
