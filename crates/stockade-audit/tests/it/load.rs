//! Many at once.

use crate::support::{Scratch, all, append, intent, open, outcome, wait};
use std::collections::HashSet;
use std::sync::Mutex;
use stockade_audit::{Filter, Health, query, verify};
use stockade_core::ports::{Durability, Record, Timestamp};

#[test]
fn sixty_four_callers_get_sixty_four_thousand_places() {
    const CALLERS: u64 = 64;
    const APPENDS: u64 = 1000;
    let scratch = Scratch::new();
    let (log, _) = open(&scratch.audit(), 1024 * 1024);
    let places = Mutex::new(HashSet::new());
    std::thread::scope(|scope| {
        for caller in 0..CALLERS {
            let (log, places) = (&log, &places);
            scope.spawn(move || {
                let mut mine = Vec::new();
                for number in 0..APPENDS {
                    let durability = if number % 250 == 0 { Durability::Disk } else { Durability::Kernel };
                    let id = caller * APPENDS + number / 2;
                    let entry = if number % 2 == 0 { intent(id) } else { outcome(id) };
                    mine.push(wait(log.append(entry, durability)).unwrap().sequence());
                }
                assert!(mine.is_sorted(), "one caller's records stand in the order of their appends");
                places.lock().unwrap().extend(mine);
            });
        }
    });
    assert_eq!(log.health(), Health::Writable);
    // While the process still has it open.
    assert_eq!(verify(&scratch.audit(), |_| {}).unwrap().records, CALLERS * APPENDS);
    log.close().unwrap();
    assert_eq!(*places.lock().unwrap(), (1..=CALLERS * APPENDS).collect());
    let report = verify(&scratch.audit(), |_| {}).unwrap();
    assert_eq!((report.records, report.vouched), (CALLERS * APPENDS, CALLERS * APPENDS));
    assert!(report.segments > 10, "{report:?}");
    let (log, report) = open(&scratch.audit(), 1024 * 1024);
    assert_eq!((report.records, report.closed_as_unknown.len()), (CALLERS * APPENDS, 0));
    drop(log);
}

#[test]
fn what_nobody_waits_for_is_written_all_the_same() {
    let scratch = Scratch::new();
    let (log, _) = open(&scratch.audit(), 1024 * 1024);
    for number in 0..500 {
        log.append_detached(intent(number));
        drop(log.append(outcome(number), Durability::Disk));
    }
    log.close().unwrap();
    let records = all(&scratch.audit());
    assert_eq!(records.len(), 1000);
    assert!(records.chunks(2).all(|pair| pair[0].phase == "intent" && pair[1].ticket == pair[0].ticket));
}

#[test]
fn progress_reaches_the_end() {
    let scratch = Scratch::new();
    crate::support::record(&scratch.audit(), 5000, 256 * 1024);
    let mut seen = Vec::new();
    let report = verify(&scratch.audit(), |progress| seen.push(progress)).unwrap();
    assert!(seen.len() > 2 && seen.is_sorted_by_key(|progress| progress.records));
    let last = seen.last().unwrap();
    assert_eq!((last.records, last.bytes, last.bytes), (report.records, report.bytes, last.bytes_in_all));
}

#[test]
fn queries_give_what_matches_while_somebody_appends() {
    let scratch = Scratch::new();
    let (log, _) = open(&scratch.audit(), 4096);
    for number in 0..100 {
        let mut entry = intent(number);
        entry.time = Timestamp(i64::try_from(number).unwrap() * 1_000_000_000);
        entry.caller = Some(if number % 10 == 0 { "bob" } else { "alice" }.to_owned());
        entry.decision = Some(if number % 2 == 0 { "allow" } else { "deny" });
        append(&log, entry);
    }
    let check = |filter: Filter, expected: Vec<u64>| {
        let found: Vec<u64> = query(&scratch.audit(), filter).unwrap().map(|record| record.unwrap().sequence).collect();
        assert_eq!(found, expected);
    };
    let wanted = Filter::default;
    check(Filter { caller: Some("bob".to_owned()), limit: Some(3), ..wanted() }, vec![1, 11, 21]);
    check(Filter { caller: Some("bob".to_owned()), decision: Some("deny".to_owned()), ..wanted() }, vec![]);
    let (since, until) = (Some(Timestamp(5_000_000_000)), Some(Timestamp(7_000_000_000)));
    check(Filter { since, until, ..wanted() }, vec![6, 7]);
    check(Filter { ticket: Some(crate::support::ticket(42).to_string()), ..wanted() }, vec![43]);
    check(Filter { phase: Some("outcome".to_owned()), ..wanted() }, vec![]);
    check(Filter { server: Some("files".to_owned()), limit: Some(0), ..wanted() }, vec![]);
    check(Filter { server: Some("files".to_owned()), ..wanted() }, (1..=100).collect());
    drop(log);
}
