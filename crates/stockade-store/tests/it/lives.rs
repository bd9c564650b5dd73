//! The life of a key: it expires, ages, is replaced, belongs to one environment, and says when it was used.

use crate::support::{Scratch, SetClock, add, at, environment, name, rules};
use std::sync::Arc;
use std::time::Duration;
use stockade_core::identity::IdentityError;
use stockade_core::ports::{Clock, Timestamp};
use stockade_core::words::Secret;
use stockade_store::{ApiKeys, ApiKeysError, KeyId, KeyRules, KeyState, NewKey, OVERLAP_LIMIT, Replacement, Scopes};

const SECOND: i64 = 1_000_000_000;
const DAY: i64 = 24 * 3600 * SECOND;
/// The day on which these stories begin.
const START: i64 = 20_000 * DAY;

fn days(count: u64) -> Duration {
    Duration::from_secs(count * 24 * 3600)
}

fn ended(id: &KeyId) -> Result<(), IdentityError> {
    Err(IdentityError::EndedKey { id: id.to_string() })
}

fn holds(keys: &ApiKeys, key: &Secret) -> Result<(), IdentityError> {
    keys.holder(key).map(drop)
}

fn rotate(keys: &ApiKeys, id: &KeyId, overlap: Duration, time: i64) -> Result<Replacement, ApiKeysError> {
    at(time, |act| keys.rotate(id.as_str(), overlap, None, act))
}

fn of_clock(scratch: &Scratch, clock: &Arc<SetClock>, rules: KeyRules) -> ApiKeys {
    scratch.keys_of(&scratch.state_by(clock), rules)
}

#[test]
fn a_key_carries_its_scopes_and_its_end() {
    let (scratch, clock) = (Scratch::new(), SetClock::at(START));
    let keys = of_clock(&scratch, &clock, rules());
    let (caller, scopes) = (name("ci"), Scopes::of(["files:read", "mcp"]).unwrap());
    let new = NewKey { caller: &caller, scopes: Some(&scopes), expires: Some(Timestamp(START + DAY)) };
    let (id, key) = at(START, |act| keys.add(new, act)).unwrap();
    let standing = keys.holder(&key).unwrap().standing;
    assert_eq!(standing.scopes.as_ref(), Some(scopes.as_set()));
    assert_eq!(standing.expires, Some(Timestamp(START + DAY)));
    assert!(standing.covers(&["mcp".to_owned()]) && !standing.covers(&["files:write".to_owned()]));
    // No scope at all is a key that may do nothing, and not one that may do everything.
    let nothing = Scopes::of([]).unwrap();
    let (_, idle) = at(START, |act| keys.add(NewKey { scopes: Some(&nothing), expires: None, ..new }, act)).unwrap();
    let standing = keys.holder(&idle).unwrap().standing;
    assert!(standing.scopes.is_some() && !standing.covers(&["mcp".to_owned()]));
    let row = keys.list().unwrap().into_iter().find(|row| row.id == id).unwrap();
    assert_eq!((row.scopes.as_ref(), row.environment), (Some(&scopes), Some(environment("production"))));
    let late = at(START, |act| keys.add(NewKey { expires: Some(Timestamp(START)), ..new }, act)).unwrap_err();
    assert!(matches!(late, ApiKeysError::NotAllowed { .. }), "{late}");
}

#[test]
fn a_key_ends_on_its_day_and_setting_the_clock_back_does_not_bring_it_back() {
    let (scratch, clock) = (Scratch::new(), SetClock::at(START));
    let keys = of_clock(&scratch, &clock, rules());
    let caller = name("ci");
    let new = NewKey { caller: &caller, scopes: None, expires: Some(Timestamp(START + DAY)) };
    let (id, key) = at(START, |act| keys.add(new, act)).unwrap();
    clock.pass(days(1) - Duration::from_nanos(1));
    assert_eq!(holds(&keys, &key), Ok(()));
    clock.pass(Duration::from_nanos(1));
    assert_eq!((holds(&keys, &key), keys.stands(id.as_str())), (ended(&id), ended(&id)));
    for back in [START + DAY / 2, START, 0, i64::MIN] {
        clock.set(back);
        assert_eq!((holds(&keys, &key), keys.stands(id.as_str())), (ended(&id), ended(&id)), "{back}");
    }
}

#[test]
fn a_clock_that_was_set_forward_does_harm_until_it_is_set_right_and_no_longer() {
    let (scratch, clock) = (Scratch::new(), SetClock::at(START));
    let rules = KeyRules { max_age: Some(days(90)), ..rules() };
    let keys = of_clock(&scratch, &clock, rules);
    let (id, key) = add(&keys, "alice", START);
    clock.set(START + 1000 * DAY);
    assert_eq!(holds(&keys, &key), ended(&id));
    clock.set(START);
    assert_eq!(holds(&keys, &key), Ok(()));
}

#[test]
fn a_key_that_is_too_old_ends_and_is_told_of_before() {
    let (scratch, clock) = (Scratch::new(), SetClock::at(START));
    let limited = KeyRules { warn_age: Some(days(76)), max_age: Some(days(90)), ..rules() };
    let keys = of_clock(&scratch, &clock, limited.clone());
    let (id, key) = add(&keys, "alice", START);
    let state = |keys: &ApiKeys| keys.list().unwrap()[0].state(&limited, clock.wall());
    let ends = Timestamp(START + 90 * DAY);
    assert_eq!((state(&keys), keys.holder(&key).unwrap().standing.expires), (KeyState::Valid, Some(ends)));
    clock.pass(days(76));
    assert_eq!((state(&keys), holds(&keys, &key)), (KeyState::Aging { ends }, Ok(())));
    clock.pass(days(14));
    assert_eq!((state(&keys), holds(&keys, &key)), (KeyState::TooOld { at: ends }, ended(&id)));
    // Without a greatest age, as in a sandbox, the same key works.
    assert_eq!(holds(&of_clock(&scratch, &clock, rules()), &key), Ok(()));
    let refused = rotate(&keys, &id, Duration::ZERO, clock.wall().0).unwrap_err();
    assert!(refused.to_string().contains("it is older than keys may be"), "{refused}");
}

#[test]
fn a_rotation_gives_a_key_like_the_old_one_and_both_work_for_a_while() {
    let (scratch, clock) = (Scratch::new(), SetClock::at(START));
    let keys = of_clock(&scratch, &clock, rules());
    let (caller, scopes) = (name("ci"), Scopes::of(["mcp"]).unwrap());
    let new = NewKey { caller: &caller, scopes: Some(&scopes), expires: Some(Timestamp(START + 30 * DAY)) };
    let (old_id, old) = at(START, |act| keys.add(new, act)).unwrap();
    clock.pass(days(10));
    let made = rotate(&keys, &old_id, days(1), clock.wall().0).unwrap();
    assert_eq!((made.caller, made.old_ends), (caller, Timestamp(START + 11 * DAY)));
    assert_eq!(made.expires, Some(Timestamp(START + 40 * DAY)), "it lasts as long as the old one did");
    let (one, other) = (keys.holder(&old).unwrap(), keys.holder(&made.key).unwrap());
    assert_eq!((one.caller, &one.standing.scopes), (other.caller, &other.standing.scopes));
    assert_eq!(one.standing.expires, Some(made.old_ends));
    let rows = keys.list().unwrap();
    assert_eq!((rows[0].rotated_to.as_ref(), rows[1].rotated_from.as_ref()), (Some(&made.id), Some(&old_id)));
    assert_eq!(rows[0].state(&rules(), clock.wall()), KeyState::Replaced { ends: made.old_ends });
    // It is replaced once: two who rotate at once would otherwise each have a key that the other does not know of.
    let again = rotate(&keys, &old_id, days(1), clock.wall().0).unwrap_err();
    assert!(matches!(again, ApiKeysError::ReplacedBefore { ref by, .. } if *by == made.id), "{again}");
    clock.pass(days(1));
    assert_eq!((holds(&keys, &old), holds(&keys, &made.key)), (ended(&old_id), Ok(())));
}

#[test]
fn a_rotation_can_end_the_old_key_at_once_and_no_rotation_lasts_for_ever() {
    let (scratch, clock) = (Scratch::new(), SetClock::at(START));
    let keys = of_clock(&scratch, &clock, rules());
    let (id, old) = add(&keys, "alice", START);
    let refused = rotate(&keys, &id, OVERLAP_LIMIT + Duration::from_nanos(1), START).unwrap_err();
    assert!(matches!(refused, ApiKeysError::NotAllowed { .. }), "{refused}");
    let made = rotate(&keys, &id, Duration::ZERO, START).unwrap();
    assert_eq!((holds(&keys, &old), holds(&keys, &made.key), made.expires), (ended(&id), Ok(()), None));
    let made = rotate(&keys, &made.id, OVERLAP_LIMIT, START).unwrap();
    assert_eq!(made.old_ends, Timestamp(START + 30 * DAY));
}

#[test]
fn what_does_not_work_cannot_be_replaced() {
    let (scratch, clock) = (Scratch::new(), SetClock::at(START));
    let keys = of_clock(&scratch, &clock, rules());
    let (id, key) = add(&keys, "alice", START);
    at(START, |act| keys.revoke(id.as_str(), act)).unwrap();
    let revoked = rotate(&keys, &id, Duration::ZERO, START).unwrap_err();
    assert!(revoked.to_string().contains("it was revoked; make another with `stockade keys add alice`"), "{revoked}");
    let none = at(START, |act| keys.rotate("aaaaaaaa", Duration::ZERO, None, act)).unwrap_err();
    assert!(matches!(none, ApiKeysError::NoSuchKey { .. }), "{none}");
    // Nobody's key is repeated because it was given where its id belongs.
    for wrong in [key.expose().to_owned(), format!("stk_{}", key.expose()), "stk_\u{1b}[2J".to_owned()] {
        let refused = at(START, |act| keys.rotate(&wrong, Duration::ZERO, None, act)).unwrap_err();
        let words = refused.to_string();
        assert!(matches!(refused, ApiKeysError::WholeKey { .. }), "{words}");
        assert!(!words.contains(key.expose().split_at(13).1) && !words.contains('\u{1b}'), "{words}");
    }
    assert_eq!(keys.list().unwrap().len(), 1);
}

#[test]
fn a_key_of_one_environment_is_none_in_another() {
    let (scratch, clock) = (Scratch::new(), SetClock::at(START));
    let staging = KeyRules { environment: environment("staging"), ..rules() };
    let (_, key) = add(&of_clock(&scratch, &clock, staging.clone()), "alice", START);
    let production = of_clock(&scratch, &clock, rules());
    let Err(IdentityError::Rejected { check, reason }) = holds(&production, &key) else { panic!("it was taken") };
    assert_eq!(check, "environment");
    assert!(reason.ends_with("was made for `staging`, and this gateway is `production`"), "{reason}");
    let id = production.list().unwrap()[0].id.clone();
    assert!(matches!(production.stands(id.as_str()), Err(IdentityError::Rejected { .. })));
    assert!(matches!(rotate(&production, &id, days(1), START), Err(ApiKeysError::Ended { .. })));
    assert_eq!(holds(&of_clock(&scratch, &clock, staging), &key), Ok(()));
    // Ending it is always possible.
    at(START, |act| production.revoke(id.as_str(), act)).unwrap();
}

#[test]
fn the_use_of_a_key_is_noted_once_a_minute_and_written_by_whoever_has_time() {
    let (scratch, clock) = (Scratch::new(), SetClock::at(START));
    let (keys, beside) = (of_clock(&scratch, &clock, rules()), of_clock(&scratch, &clock, rules()));
    let (_, key) = add(&keys, "alice", START);
    let (_, unused) = add(&keys, "bob", START + 1);
    let used = |keys: &ApiKeys| keys.list().unwrap()[0].last_used;
    assert_eq!(keys.write_last_used().unwrap(), 0);
    for _ in 0..100 {
        keys.holder(&key).unwrap();
    }
    let wrong = Secret::new(format!("{}x", unused.expose()));
    assert_eq!(holds(&keys, &wrong), Err(IdentityError::UnknownKey));
    assert_eq!(used(&beside), None, "nothing is written on the way");
    assert_eq!(keys.write_last_used().unwrap(), 1);
    assert_eq!((used(&keys), used(&beside)), (Some(Timestamp(START)), Some(Timestamp(START))));
    clock.pass(Duration::from_secs(59));
    keys.holder(&key).unwrap();
    assert_eq!(keys.write_last_used().unwrap(), 0);
    clock.pass(Duration::from_secs(1));
    keys.holder(&key).unwrap();
    assert_eq!(keys.write_last_used().unwrap(), 1);
    assert_eq!(used(&beside), Some(Timestamp(START + 60 * SECOND)));
    assert_eq!(beside.list().unwrap()[1].last_used, None);
}

#[test]
fn two_rotations_at_once_make_one_key() {
    let scratch = Scratch::new();
    let keys = scratch.keys();
    for round in 0..5 {
        let (id, old) = add(&keys, "alice", round);
        let made: Vec<Result<Replacement, ApiKeysError>> = std::thread::scope(|scope| {
            let beside = || {
                let keys = scratch.keys();
                rotate(&keys, &id, days(1), keys.today().0)
            };
            let starts: Vec<_> = (0..4).map(|_| scope.spawn(beside)).collect();
            starts.into_iter().map(|start| start.join().unwrap()).collect()
        });
        let (made, refused): (Vec<_>, Vec<_>) = made.into_iter().partition(Result::is_ok);
        assert_eq!((made.len(), refused.len()), (1, 3));
        assert!(refused.iter().all(|refused| matches!(refused, Err(ApiKeysError::ReplacedBefore { .. }))));
        let made = made.into_iter().next().unwrap().unwrap();
        assert_eq!((holds(&scratch.keys(), &old), holds(&scratch.keys(), &made.key)), (Ok(()), Ok(())));
    }
    assert_eq!(keys.list().unwrap().len(), 10);
}

#[test]
fn there_are_no_more_keys_than_the_limit_and_those_that_ended_long_ago_make_room() {
    let (scratch, clock) = (Scratch::new(), SetClock::at(START));
    let keys = of_clock(&scratch, &clock, rules());
    drop(add(&keys, "alice", START));
    let database = rusqlite::Connection::open(scratch.database()).unwrap();
    let fill = "WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
        INSERT INTO api_keys (id, caller, digest, environment, created, revoked)
        SELECT 'x' || i, 'bob', x'00', 'production', i, CASE i WHEN 2 THEN ?2 END FROM n";
    let recently = START - 399 * DAY;
    database.execute(fill, [stockade_store::KEYS_LIMIT, recently]).unwrap();
    let caller = name("carol");
    let new = NewKey { caller: &caller, scopes: None, expires: None };
    let full = at(START, |act| keys.add(new, act)).unwrap_err();
    assert!(matches!(full, ApiKeysError::TooMany), "{full}");
    let other = keys.list().unwrap().into_iter().find(|row| row.caller == name("alice")).unwrap().id;
    assert!(matches!(rotate(&keys, &other, days(1), START), Err(ApiKeysError::TooMany)));
    // 400 days after its end the revoked one goes.
    at(START + 2 * DAY, |act| keys.add(new, act)).unwrap();
    assert_eq!(keys.list().unwrap().len(), usize::try_from(stockade_store::KEYS_LIMIT).unwrap());
}
