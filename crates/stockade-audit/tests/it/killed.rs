//! kill -9 under load (AD-07): what was acknowledged is there, every intent gets an outcome, the chain holds.

use crate::support::{Scratch, all, open};
use std::collections::{HashMap, HashSet};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use stockade_audit::{AuditLog, AuditOptions, OpenError, StoredRecord, verify};
use stockade_core::ports::Timestamp;

const ROUNDS: u64 = 24;

#[expect(clippy::disallowed_methods, reason = "the test needs a process that it can kill")]
fn start(folder: &std::path::Path, calls: Option<u64>) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_audit-stand-in"));
    command.arg(folder).args(calls.map(|calls| calls.to_string()));
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Lets it run until it has acknowledged `lines` lines, kills it, and gives all the whole lines it said.
fn kill_after(mut child: Child, lines: usize) -> Vec<String> {
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut said = Vec::new();
    let mut line = String::new();
    while output.read_line(&mut line).unwrap() > 0 {
        if line.ends_with('\n') {
            said.push(line.trim_end().to_owned());
        }
        line.clear();
        if said.len() == lines {
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    said
}

#[test]
fn what_was_acknowledged_survives_kill_9() {
    let scratch = Scratch::new();
    let mut acknowledged = Vec::new();
    let mut unknown = HashSet::new();
    let mut torn = 0;
    let mut random = 0x9E37_79B9_7F4A_7C15_u64;
    for round in 0..ROUNDS {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let lines = if round == 0 { 1 } else { usize::try_from(random % 3000).unwrap() + 1 };
        acknowledged.extend(kill_after(start(&scratch.audit(), None), lines));
        let (log, report) = open(&scratch.audit(), 16 * 1024);
        torn += usize::from(report.cut.is_some());
        for ticket in report.closed_as_unknown {
            assert!(unknown.insert(ticket), "an intent is closed once");
        }
        log.close().unwrap();
        let verified = verify(&scratch.audit(), |_| {}).unwrap();
        assert_eq!(verified.records, report.records);
    }
    let records = all(&scratch.audit());
    let places: HashMap<u64, &StoredRecord> = records.iter().map(|record| (record.sequence, record)).collect();
    for line in &acknowledged {
        let [step, ticket, sequence] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let record = places[&sequence.parse::<u64>().unwrap()];
        assert_eq!(record.ticket.as_deref(), Some(ticket));
        assert_eq!(record.phase, if step == "i" { "intent" } else { "outcome" });
    }
    let tickets = |phase: &str| -> Vec<&str> {
        records.iter().filter(|record| record.phase == phase).map(|record| record.ticket.as_deref().unwrap()).collect()
    };
    let (intents, outcomes) = (tickets("intent"), tickets("outcome"));
    assert_eq!(intents.len(), outcomes.len(), "one outcome for each intent");
    assert_eq!(HashSet::<&str>::from_iter(intents), HashSet::from_iter(outcomes));
    let told = records.iter().filter(|record| record.outcome.as_deref() == Some("unknown")).count();
    assert_eq!(told, unknown.len());
    assert!(told > 0 && acknowledged.len() > 1000, "{told} unknown, {} acknowledged", acknowledged.len());
    assert_eq!(torn, records.iter().filter(|record| record.kind == "unfinished-line").count());
}

#[test]
fn a_process_that_ends_in_order_leaves_nothing_to_repair() {
    let scratch = Scratch::new();
    let child = start(&scratch.audit(), Some(50));
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let said = String::from_utf8(output.stdout).unwrap().lines().count();
    assert_eq!(u64::try_from(said).unwrap(), verify(&scratch.audit(), |_| {}).unwrap().records);
}

#[test]
fn two_processes_cannot_append_at_once() {
    let scratch = Scratch::new();
    let mut child = start(&scratch.audit(), None);
    let mut output = BufReader::new(child.stdout.take().unwrap());
    output.read_line(&mut String::new()).unwrap();
    let options = AuditOptions::new(scratch.audit(), Timestamp(0));
    let Err(OpenError::Locked { holder, .. }) = AuditLog::open(options.clone()) else { panic!("it was opened twice") };
    assert_eq!(holder, Some(child.id()));
    child.kill().unwrap();
    child.wait().unwrap();
    AuditLog::open(options).unwrap();
}
