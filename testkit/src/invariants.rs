//! What must hold after every attack case, whatever the case was (section 0.4 of the attack cases).

use std::path::PathBuf;
use std::process::Output;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::answer::Answer;
use crate::audit::AuditRecord;
use crate::canaries::Canaries;
use crate::gateway::records;
use crate::process::{Footprint, descendants, footprint, is_alive, wait_until};

/// Longest time that a benign call may take after a case.
const BENIGN_LIMIT: Duration = Duration::from_secs(1);
/// Longest time until memory and descriptors are back.
const SETTLE_LIMIT: Duration = Duration::from_secs(10);
/// How much more resident memory than before is accepted, in KiB.
const MEMORY_SLACK_KIB: u64 = 64 << 10;
/// How many more descriptors than before are accepted: the benign call's own connection and its upstream.
const DESCRIPTOR_SLACK: usize = 4;

/// The process under attack: a [`crate::Gateway`], or the `stockade wrap` of a stdio client
/// ([`crate::Stage::subject`]).
pub trait Subject {
    /// Its id.
    fn pid(&self) -> u32;

    /// Its data folder.
    fn data(&self) -> PathBuf;

    /// Its standard error so far.
    fn stderr(&self) -> String;

    /// Runs a `stockade` command on its data folder.
    fn command(&self, arguments: &[&str]) -> Output;

    /// The audit records, in order.
    ///
    /// # Panics
    /// When the command fails or prints something else than records.
    fn audit(&self) -> Vec<AuditRecord> {
        records(&self.command(&["audit", "query", "--json"]))
    }

    /// The exit code of `audit verify` (0 = whole, 1 = not) and what it says.
    fn audit_verify(&self) -> (i32, Value) {
        let output = self.command(&["audit", "verify", "--json"]);
        (output.status.code().unwrap_or(-1), serde_json::from_slice(&output.stdout).unwrap_or_default())
    }
}

/// What a case expects; made before the case runs, because it remembers how the gateway was.
pub struct Invariants<'a> {
    before: Footprint,
    benign: Box<dyn Fn() -> Answer + 'a>,
    canaries: Option<&'a Canaries>,
    requests: Option<usize>,
    children_allowed: usize,
}

impl<'a> Invariants<'a> {
    /// Remembers the process as it is now. `benign` is a call that must work after the case, such as
    /// `|| bob.call("read_file", json!({ "path": "a" }))`; make it once before this, so that caches are warm.
    ///
    /// # Panics
    /// When the gateway is not running.
    #[must_use]
    pub fn before(subject: &dyn Subject, benign: impl Fn() -> Answer + 'a) -> Self {
        let before = footprint(subject.pid()).expect("the gateway runs before the case");
        Self { before, benign: Box::new(benign), canaries: None, requests: None, children_allowed: usize::MAX }
    }

    /// None of these may occur in the data folder or on standard error.
    #[must_use]
    pub fn canaries(mut self, canaries: &'a Canaries) -> Self {
        self.canaries = Some(canaries);
        self
    }

    /// How many requests reached the gateway in its life so far, without the benign call that the check itself makes.
    #[must_use]
    pub fn requests(mut self, count: usize) -> Self {
        self.requests = Some(count);
        self
    }

    /// How many child processes may be alive; all by default, as running upstreams are.
    #[must_use]
    pub fn children_at_most(mut self, count: usize) -> Self {
        self.children_allowed = count;
        self
    }
}

/// Checks them all, and fails with every one that does not hold.
///
/// # Panics
/// When any does not hold.
#[track_caller]
pub fn check_invariants(subject: &dyn Subject, expected: &Invariants<'_>) {
    let mut broken = Vec::new();
    if is_alive(subject.pid()) {
        check_benign_call(expected, &mut broken);
        check_footprint(subject, expected.before, &mut broken);
    } else {
        broken.push("1: the gateway is gone".to_owned());
    }
    check_canaries(subject, expected, &mut broken);
    check_audit(subject, expected, &mut broken);
    if !wait_until(SETTLE_LIMIT, || descendants(subject.pid()).len() <= expected.children_allowed) {
        broken.push(format!("5: children left: {:?}", descendants(subject.pid())));
    }
    let stderr = subject.stderr();
    assert!(broken.is_empty(), "invariants broken:\n  {}\nstderr:\n{stderr}", broken.join("\n  "));
}

fn check_benign_call(expected: &Invariants<'_>, broken: &mut Vec<String>) {
    let started = Instant::now();
    // The client panics when it gets no answer at all; here that is one finding among others.
    match std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| (expected.benign)())) {
        Ok(answer) if answer.responses().iter().any(|response| response.get("result").is_some()) => {
            let took = started.elapsed();
            if took > BENIGN_LIMIT {
                broken.push(format!("1: a benign call took {took:?}"));
            }
        }
        Ok(answer) => broken.push(format!("1: a benign call failed: {answer}")),
        Err(_) => broken.push("1: a benign call got no answer".to_owned()),
    }
}

fn check_footprint(subject: &dyn Subject, before: Footprint, broken: &mut Vec<String>) {
    let is_back = |now: Footprint| {
        now.rss_kib <= before.rss_kib + MEMORY_SLACK_KIB && now.open_fds <= before.open_fds + DESCRIPTOR_SLACK
    };
    if !wait_until(SETTLE_LIMIT, || footprint(subject.pid()).is_some_and(is_back)) {
        broken.push(format!("4: the gateway holds {:?}, before the case {before:?}", footprint(subject.pid())));
    }
}

fn check_canaries(subject: &dyn Subject, expected: &Invariants<'_>, broken: &mut Vec<String>) {
    let Some(canaries) = expected.canaries else { return };
    broken.extend(canaries.found_below(&subject.data()).into_iter().map(|place| format!("2: {place}")));
    let on_stderr = canaries.found_in(subject.stderr().as_bytes());
    broken.extend(on_stderr.into_iter().map(|(kind, shape)| format!("2: {kind} ({shape}) on standard error")));
}

fn check_audit(subject: &dyn Subject, expected: &Invariants<'_>, broken: &mut Vec<String>) {
    let (code, said) = subject.audit_verify();
    if code != 0 {
        broken.push(format!("3: audit verify ended with {code}: {said}"));
    }
    let Some(requests) = expected.requests else { return };
    // The benign call above is a request, too. An entry is counted once it is durable, which may take a moment.
    let wanted = requests + usize::from(is_alive(subject.pid()));
    let count = || subject.audit().iter().filter(|record| AuditRecord::is_request(record)).count();
    if !wait_until(BENIGN_LIMIT, || count() == wanted) {
        broken.push(format!("3: {} requests in the audit log, {wanted} were sent", count()));
    }
}
