//! What operators do is noted with the change itself, and each note is handed over until it stands in the record.

use crate::support::{Scratch, add, at, name};
use rusqlite::Connection;
use std::time::Duration;
use stockade_core::ports::Timestamp;
use stockade_store::{
    Act, ApiKeysError, NewKey, OperatorEvent, OperatorEventKind, RevocationTarget, RevocationsError, Scopes,
    StateError, WAITING_LIMIT,
};

#[test]
fn every_change_has_its_note_in_order() {
    let scratch = Scratch::new();
    let (keys, revocations, events) = (scratch.keys(), scratch.revocations(), scratch.events());
    let (caller, scopes, operator) = (name("alice"), Scopes::of(["mcp"]).unwrap(), name("olga"));
    let act = Act { operator: &operator, at: Timestamp(5_000_000), reason: Some("lost\nlaptop\u{202e}") };
    let (id, _) = keys.add(NewKey { caller: &caller, scopes: Some(&scopes), expires: None }, &act).unwrap();
    let made = keys.rotate(id.as_str(), Duration::from_secs(60), None, &act).unwrap();
    keys.revoke(id.as_str(), &act).unwrap();
    let number = revocations.revoke(&RevocationTarget::Caller { name: caller }, None, &act).unwrap();
    revocations.lift(number, &act).unwrap();
    assert_eq!(events.waiting().unwrap(), 5);
    let taken = events.take(100).unwrap();
    let told: Vec<_> = taken.iter().map(|event| (event.kind, event.target.as_str())).collect();
    assert_eq!(
        told,
        [
            (OperatorEventKind::KeyAdded, id.as_str()),
            (OperatorEventKind::KeyRotated, made.id.as_str()),
            (OperatorEventKind::KeyRevoked, id.as_str()),
            (OperatorEventKind::Revoked, "caller alice"),
            (OperatorEventKind::RevocationLifted, "caller alice"),
        ]
    );
    assert!(taken.iter().all(|event| event.operator == operator && event.at == Timestamp(5_000_000)));
    assert_eq!(taken[0].reason, "for `alice` in `production`, limited to `mcp`: lost\\u{a}laptop\\u{202e}");
    assert!(taken[1].reason.starts_with(&format!("in the place of `{id}`, which works for 60 s more; for `alice`")));
}

#[test]
fn what_changes_nothing_has_no_note() {
    let scratch = Scratch::new();
    let (keys, events) = (scratch.keys(), scratch.events());
    let (id, _) = add(&keys, "alice", 1);
    assert!(at(1, |act| keys.revoke("nokey123", act)).is_err());
    assert!(at(1, |act| keys.rotate("nokey123", Duration::ZERO, None, act)).is_err());
    at(2, |act| keys.revoke(id.as_str(), act)).unwrap();
    at(3, |act| keys.revoke(id.as_str(), act)).unwrap();
    assert!(at(4, |act| keys.rotate(id.as_str(), Duration::ZERO, None, act)).is_err());
    assert_eq!(events.waiting().unwrap(), 2);
}

#[test]
fn a_note_that_was_taken_and_not_settled_is_doubtful_and_comes_again_under_the_same_name() {
    let scratch = Scratch::new();
    let keys = scratch.keys();
    add(&keys, "alice", 1);
    add(&keys, "bob", 2);
    let events = scratch.events();
    let first = events.take(1).unwrap();
    assert_eq!((first.len(), first[0].is_doubtful), (1, false));
    // The process ends here, and another takes over.
    let events = scratch.events();
    let again = events.take(10).unwrap();
    assert_eq!(again.iter().map(|event| event.is_doubtful).collect::<Vec<_>>(), [true, false]);
    assert_eq!((again[0].ticket, &again[0].target), (first[0].ticket, &first[0].target));
    assert_ne!(again[0].ticket, again[1].ticket);
    events.settle(&again[0]).unwrap();
    assert_eq!((events.waiting().unwrap(), scratch.events().waiting().unwrap()), (1, 1));
    events.settle(&again[1]).unwrap();
    assert_eq!((events.waiting().unwrap(), events.take(10).unwrap()), (0, Vec::<OperatorEvent>::new()));
}

#[test]
fn no_change_is_made_that_could_not_be_noted() {
    let scratch = Scratch::new();
    let (keys, revocations) = (scratch.keys(), scratch.revocations());
    let (id, key) = add(&keys, "alice", 1);
    let database = Connection::open(scratch.database()).unwrap();
    let fill = "WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
        INSERT INTO operator_events (at, ticket_random, operator, kind, target, reason)
        SELECT 1, zeroblob(10), 'x', 'key-added', '', '' FROM n";
    database.execute(fill, [WAITING_LIMIT]).unwrap();
    let refused = at(2, |act| keys.revoke(id.as_str(), act)).unwrap_err();
    assert!(matches!(refused, ApiKeysError::State(StateError::RecordBehind)), "{refused}");
    assert!(refused.to_string().contains("start the gateway"), "{refused}");
    assert!(keys.holder(&key).is_ok(), "nothing has changed");
    let refused = at(2, |act| revocations.revoke(&RevocationTarget::Caller { name: name("alice") }, None, act));
    assert!(matches!(refused, Err(RevocationsError::State(StateError::RecordBehind))));
    assert_eq!(revocations.list().unwrap(), []);
    let events = scratch.events();
    events.settle(&events.take(1).unwrap()[0]).unwrap();
    at(2, |act| keys.revoke(id.as_str(), act)).unwrap();
}

#[test]
fn settled_notes_do_not_pile_up() {
    let scratch = Scratch::new();
    let keys = scratch.keys();
    let database = Connection::open(scratch.database()).unwrap();
    let fill = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
        INSERT INTO operator_events (at, ticket_random, operator, kind, target, reason, recorded)
        SELECT 1, zeroblob(10), 'x', 'key-added', '', '', 1 FROM n";
    database.execute(fill, []).unwrap();
    add(&keys, "alice", 1);
    let events = scratch.events();
    events.settle(&events.take(1).unwrap()[0]).unwrap();
    let kept: i64 = database.query_row("SELECT count(*) FROM operator_events", [], |row| row.get(0)).unwrap();
    assert_eq!(kept, 1000);
}
