//! Revocations: they bite at once, everywhere, for as long as they say, and whatever the clock says.

use crate::support::{Scratch, SetClock, add, at, name, rules};
use rusqlite::Connection;
use std::sync::Arc;
use std::time::{Duration, Instant};
use stockade_core::identity::IdentityError;
use stockade_core::ports::Timestamp;
use stockade_identity::{Revocations, Revoked};
use stockade_store::{LiveRevocations, NewKey, REVOCATIONS_LIMIT, RevocationList, RevocationTarget, RevocationsError};

const SECOND: i64 = 1_000_000_000;
const START: i64 = 1_800_000_000 * SECOND;
const ISSUER: &str = "https://login.example.com";
const OTHER: &str = "https://login.example.org";

fn is_revoked(list: &RevocationList, question: Revoked<'_>) -> bool {
    list.lists(question).unwrap()
}

fn revoke(list: &RevocationList, target: &RevocationTarget, until: Option<i64>) -> i64 {
    at(START, |act| list.revoke(target, until.map(Timestamp), act)).unwrap()
}

fn of_clock(scratch: &Scratch, clock: &std::sync::Arc<SetClock>) -> RevocationList {
    RevocationList::open(&scratch.state_by(clock)).unwrap()
}

#[test]
fn what_is_revoked_is_revoked_and_its_neighbours_are_not() {
    let scratch = Scratch::new();
    let list = of_clock(&scratch, &SetClock::at(START));
    let thumbprint = [7; 32];
    let (alice, bob, corp_bob, corp_bo) = (name("alice"), name("bob"), name("corp:bob"), name("corp:bo"));
    let caller = |name| Revoked::Caller { name };
    let certificate = |serial| Revoked::Certificate { thumbprint: &[1; 32], serial };
    let all: [(RevocationTarget, Vec<Revoked<'_>>, Vec<Revoked<'_>>); 7] = [
        (
            RevocationTarget::token("t1", Some(ISSUER)).unwrap(),
            vec![Revoked::Token { jti: "t1", issuer: ISSUER }],
            vec![
                Revoked::Token { jti: "t1", issuer: OTHER },
                Revoked::Token { jti: "t11", issuer: ISSUER },
                Revoked::Token { jti: "", issuer: ISSUER },
                Revoked::Subject { subject: "t1", issuer: ISSUER },
            ],
        ),
        (
            RevocationTarget::token("t2", None).unwrap(),
            vec![Revoked::Token { jti: "t2", issuer: ISSUER }, Revoked::Token { jti: "t2", issuer: OTHER }],
            vec![Revoked::Token { jti: "T2", issuer: ISSUER }],
        ),
        (
            RevocationTarget::subject("alice", Some(ISSUER)).unwrap(),
            vec![Revoked::Subject { subject: "alice", issuer: ISSUER }],
            vec![Revoked::Subject { subject: "alice", issuer: OTHER }, caller(&alice)],
        ),
        (
            RevocationTarget::issuer(OTHER).unwrap(),
            vec![Revoked::Issuer { issuer: OTHER }],
            vec![Revoked::Issuer { issuer: ISSUER }, Revoked::Issuer { issuer: "https://login.example.org/" }],
        ),
        (
            RevocationTarget::certificate("04:D2").unwrap(),
            vec![certificate(Some("4d2")), certificate(Some("04D2")), certificate(Some("0004d2"))],
            vec![certificate(Some("4d3")), certificate(Some("d2")), certificate(None)],
        ),
        (
            RevocationTarget::Thumbprint { thumbprint },
            vec![Revoked::Certificate { thumbprint: &thumbprint, serial: None }],
            vec![certificate(Some("7"))],
        ),
        (
            RevocationTarget::Caller { name: name("corp:bob") },
            vec![caller(&corp_bob)],
            vec![caller(&corp_bo), caller(&bob)],
        ),
    ];
    for (target, bitten, spared) in all {
        bitten.iter().for_each(|question| assert!(!is_revoked(&list, *question), "{target}: {question:?} too early"));
        let number = revoke(&list, &target, None);
        bitten.iter().for_each(|question| assert!(is_revoked(&list, *question), "{target}: {question:?}"));
        spared.iter().for_each(|question| assert!(!is_revoked(&list, *question), "{target}: {question:?} too"));
        assert_eq!(at(START, |act| list.lift(number, act)).unwrap(), target);
        bitten.iter().for_each(|question| assert!(!is_revoked(&list, *question), "{target}: {question:?} lifted"));
        let again = at(START, |act| list.lift(number, act)).unwrap_err();
        assert!(matches!(again, RevocationsError::NoSuchRevocation { .. }), "{again}");
    }
    assert_eq!(list.list().unwrap().iter().filter(|one| one.lifted == Some(Timestamp(START))).count(), 7);
}

#[test]
fn a_revocation_for_a_time_ends_by_both_clocks_or_not_at_all() {
    let (scratch, clock) = (Scratch::new(), SetClock::at(START));
    let list = of_clock(&scratch, &clock);
    let alice = name("alice");
    let question = Revoked::Caller { name: &alice };
    revoke(&list, &RevocationTarget::Caller { name: name("alice") }, Some(START + 60 * SECOND));
    // Setting the clock forward ends nothing.
    clock.set(START + 1000 * SECOND);
    assert!(is_revoked(&list, question));
    clock.set(START);
    clock.pass(Duration::from_secs(59));
    assert!(is_revoked(&list, question));
    clock.pass(Duration::from_secs(2));
    assert!(!is_revoked(&list, question));
    assert!(!list.list().unwrap()[0].holds(list.today()));
    let over =
        at(START, |act| list.revoke(&RevocationTarget::Caller { name: name("bob") }, Some(Timestamp(START)), act));
    assert!(matches!(over, Err(RevocationsError::Over)));
}

#[test]
fn saying_it_again_never_makes_it_shorter() {
    let (scratch, clock) = (Scratch::new(), SetClock::at(START));
    let list = of_clock(&scratch, &clock);
    let target = RevocationTarget::Caller { name: name("alice") };
    let until = |list: &RevocationList| list.list().unwrap()[0].until;
    let number = revoke(&list, &target, Some(START + 60 * SECOND));
    for (said, holds) in [(Some(10), Some(60)), (Some(90), Some(90)), (None, None), (Some(100), None)] {
        let said = said.map(|seconds| START + seconds * SECOND);
        assert_eq!(revoke(&list, &target, said), number);
        assert_eq!(until(&list), holds.map(|seconds| Timestamp(START + seconds * SECOND)));
    }
    assert_eq!(list.list().unwrap().len(), 1);
    // Lifted, and revoked anew: another number.
    at(START, |act| list.lift(number, act)).unwrap();
    assert_ne!(revoke(&list, &target, None), number);
}

#[test]
fn what_another_process_revokes_bites_in_time() {
    let scratch = Scratch::new();
    let (gateway, command) = (scratch.revocations(), scratch.revocations());
    let limit = Duration::from_secs(1);
    for round in 0..5 {
        let caller = name(&format!("caller-{round}"));
        let question = Revoked::Caller { name: &caller };
        assert!(!is_revoked(&gateway, question));
        let number = revoke(&command, &RevocationTarget::Caller { name: caller.clone() }, None);
        let start = Instant::now();
        while !is_revoked(&gateway, question) {
            assert!(start.elapsed() < limit, "a revocation bites within a second");
        }
        at(START, |act| command.lift(number, act)).unwrap();
        let start = Instant::now();
        while is_revoked(&gateway, question) {
            assert!(start.elapsed() < limit, "and so it is lifted");
        }
    }
}

#[test]
fn what_cannot_be_read_denies() {
    let (scratch, clock) = (Scratch::new(), SetClock::at(START));
    let list = of_clock(&scratch, &clock);
    let alice = name("alice");
    let question = Revoked::Caller { name: &alice };
    assert_eq!(list.lists(question), Ok(false));
    let other = Connection::open(scratch.database()).unwrap();
    let broken = |what: &str| {
        other.execute_batch(what).unwrap();
        clock.pass(Duration::from_secs(1));
        let Err(IdentityError::Unavailable { reason }) = list.lists(question) else { panic!("{what}") };
        assert!(!reason.contains('/'), "{reason}");
    };
    // Something that this version does not understand may be what somebody counts on.
    broken(
        "INSERT INTO revocations (kind, value, issuer, at, revoked_by, reason) VALUES ('planet', 'x', '', 1, 'y', '')",
    );
    assert!(list.lists(question).is_err(), "and it stays so");
    other.execute_batch("DELETE FROM revocations").unwrap();
    clock.pass(Duration::from_secs(1));
    assert_eq!(list.lists(question), Ok(false));
    broken("DROP TABLE revocations");
}

#[test]
fn there_are_no_more_revocations_than_the_limit() {
    let (scratch, clock) = (Scratch::new(), SetClock::at(START));
    let list = of_clock(&scratch, &clock);
    let database = Connection::open(scratch.database()).unwrap();
    let fill = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
        INSERT INTO revocations (kind, value, issuer, at, until, revoked_by, reason)
        SELECT 'token', 't' || i, '', 1, CASE i WHEN 1 THEN 2 END, 'x', '' FROM n";
    database.execute(fill, [REVOCATIONS_LIMIT]).unwrap();
    let target = RevocationTarget::Caller { name: name("alice") };
    // The one that ended long ago makes room for one.
    revoke(&list, &target, None);
    let full = at(START, |act| list.revoke(&RevocationTarget::Caller { name: name("bob") }, None, act)).unwrap_err();
    assert!(matches!(full, RevocationsError::TooMany), "{full}");
    clock.pass(Duration::from_secs(1));
    assert!(is_revoked(&list, Revoked::Token { jti: "t100000", issuer: ISSUER }));
}

#[test]
fn a_key_is_revoked_when_it_no_longer_works_for_whatever_reason() {
    let (scratch, clock) = (Scratch::new(), SetClock::at(START));
    let state = scratch.state_by(&clock);
    let keys = Arc::new(scratch.keys_of(&state, rules()));
    let live = LiveRevocations::new(Arc::clone(&keys), Arc::new(RevocationList::open(&state).unwrap()));
    let caller = name("alice");
    let new = NewKey { caller: &caller, scopes: None, expires: Some(Timestamp(START + 5 * SECOND)) };
    let (expiring, _) = at(START, |act| keys.add(new, act)).unwrap();
    let (revoked, _) = add(&keys, "bob", START);
    let asked = |id: &str| live.is_revoked(Revoked::Key { id });
    assert_eq!((asked(expiring.as_str()), asked(revoked.as_str())), (Ok(false), Ok(false)));
    assert_eq!(asked("nokey123"), Ok(true), "what is not there does not hold");
    at(START, |act| keys.revoke(revoked.as_str(), act)).unwrap();
    clock.pass(Duration::from_secs(5));
    assert_eq!((asked(expiring.as_str()), asked(revoked.as_str())), (Ok(true), Ok(true)));
    assert_eq!(live.is_revoked(Revoked::Caller { name: &caller }), Ok(false));
    let other = Connection::open(scratch.database()).unwrap();
    other.execute_batch("DROP TABLE api_keys").unwrap();
    clock.pass(Duration::from_secs(1));
    assert!(matches!(asked(expiring.as_str()), Err(IdentityError::Unavailable { .. })));
}
