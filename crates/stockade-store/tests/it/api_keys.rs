//! API keys: shown once, kept as digests, revoked at once, and never found in a damaged database.

use crate::support::{Scratch, SetClock, add, at, name};
use rusqlite::Connection;
use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};
use stockade_core::identity::{Basis, IdentityError};
use stockade_core::ports::Timestamp;
use stockade_core::words::{Caller, CallerKind, Secret};
use stockade_store::{ApiKeys, ApiKeysError, KeyId, State, StateError};

fn copy(key: &Secret) -> Secret {
    Secret::new(key.expose().to_owned())
}

fn open(scratch: &Scratch) -> Result<Arc<State>, StateError> {
    State::open(&scratch.folder(), SetClock::at(0))
}

fn caller_of(keys: &ApiKeys, key: &Secret) -> Result<Caller, IdentityError> {
    keys.holder(key).map(|identity| identity.caller)
}

fn revoke(keys: &ApiKeys, id: &KeyId, time: i64) {
    at(time, |act| keys.revoke(id.as_str(), act)).unwrap();
}

/// Everything in the data folder, as one heap of bytes.
fn heap(scratch: &Scratch) -> Vec<u8> {
    let files = fs::read_dir(scratch.data()).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.is_file()).flat_map(|path| fs::read(path).unwrap()).collect()
}

fn holds(heap: &[u8], needle: &[u8]) -> bool {
    heap.windows(needle.len()).any(|window| window == needle)
}

#[test]
fn a_key_names_its_caller_until_it_is_revoked() {
    let scratch = Scratch::new();
    let keys = scratch.keys();
    let (id, key) = add(&keys, "alice", 7);
    let (_, other) = add(&keys, "bob", 8);
    let alice = Caller::new(name("alice"), CallerKind::ApiKey);
    let identity = keys.holder(&key).unwrap();
    assert_eq!(identity.caller, alice);
    let standing = identity.standing;
    assert_eq!((&standing.basis, &standing.scopes), (&Basis::Key { id: id.to_string() }, &None));
    assert_eq!((standing.expires, standing.certificate, standing.groups.len()), (None, None, 0));
    // Also after a restart.
    drop(keys);
    let keys = scratch.keys();
    assert_eq!(caller_of(&keys, &key), Ok(alice));
    assert_eq!(keys.stands(id.as_str()), Ok(()));
    revoke(&keys, &id, 9);
    let ended = IdentityError::EndedKey { id: id.to_string() };
    assert_eq!((caller_of(&keys, &key), keys.stands(id.as_str())), (Err(ended.clone()), Err(ended)));
    assert_eq!(keys.stands("aaaaaaaa"), Err(IdentityError::UnknownKey));
    assert_eq!(caller_of(&keys, &other).unwrap().name, name("bob"));
    // Revoking again changes nothing, not even the time.
    revoke(&keys, &id, 10);
    let rows = keys.list().unwrap();
    assert_eq!(rows.iter().map(|row| row.caller.as_str()).collect::<Vec<_>>(), ["alice", "bob"]);
    assert_eq!((rows[0].id.clone(), rows[0].created, rows[0].revoked), (id, Timestamp(7), Some(Timestamp(9))));
    let none = at(1, |act| keys.revoke("nokey123", act)).unwrap_err();
    assert!(matches!(none, ApiKeysError::NoSuchKey { .. }), "{none}");
}

#[test]
fn a_key_looks_as_promised_and_is_kept_nowhere() {
    let scratch = Scratch::new();
    let keys = scratch.keys();
    for _ in 0..10 {
        let (id, key) = add(&keys, "alice", 0);
        let [mark, middle, secret] = key.expose().splitn(3, '_').collect::<Vec<_>>()[..] else { panic!("three parts") };
        assert_eq!((mark, middle, secret.len()), ("stk", id.as_str(), 43));
        assert!(middle.len() == 8 && middle.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()));
        assert_eq!(
            base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, secret).unwrap().len(),
            32
        );
        let heap = heap(&scratch);
        assert!(holds(&heap, middle.as_bytes()), "the id is there");
        assert!(!holds(&heap, &secret.as_bytes()[..12]), "the secret is not");
        assert_eq!(format!("{key:?}"), "Secret(…)");
    }
}

#[test]
fn nothing_but_the_very_key_is_a_key() {
    let scratch = Scratch::new();
    let keys = scratch.keys();
    let (id, key) = add(&keys, "alice", 0);
    let (other, _) = add(&keys, "bob", 0);
    let text = key.expose();
    let mut wrong = vec![
        String::new(),
        "stk_".to_owned(),
        format!("stk_{id}"),
        format!("stk_{id}_"),
        format!("{text}A"),
        format!("{text}="),
        format!(" {text}"),
        format!("{text}\n"),
        text.to_uppercase(),
        text.replace("stk_", "STK_"),
        text.replace(id.as_str(), other.as_str()),
        text.replace(id.as_str(), "aaaaaaaa"),
        text.replace(id.as_str(), "ääää"),
        "x".repeat(100_000),
    ];
    wrong.extend((0..text.len()).map(|end| text.split_at(end).0.to_owned()));
    for place in 0..text.len() {
        let mut changed = text.to_owned().into_bytes();
        changed[place] = if changed[place] == b'A' { b'B' } else { b'A' };
        wrong.push(String::from_utf8(changed).unwrap());
    }
    for text in wrong {
        assert_eq!(caller_of(&keys, &Secret::new(text.clone())), Err(IdentityError::UnknownKey), "{text}");
    }
    assert!(caller_of(&keys, &key).is_ok());
}

#[test]
fn what_another_process_does_is_seen_in_time() {
    let scratch = Scratch::new();
    let (gateway, command) = (scratch.keys(), scratch.keys());
    for round in 0..5 {
        let (id, key) = add(&command, "alice", round);
        let start = Instant::now();
        let limit = Duration::from_secs(1);
        while caller_of(&gateway, &key).is_err() {
            assert!(start.elapsed() < limit, "a new key works at once");
        }
        revoke(&command, &id, round);
        let start = Instant::now();
        while caller_of(&gateway, &key).is_ok() {
            assert!(start.elapsed() < limit, "a revoked key ends within a second");
        }
        assert_eq!(caller_of(&gateway, &key), Err(IdentityError::EndedKey { id: id.to_string() }));
    }
    assert_eq!(gateway.list().unwrap(), command.list().unwrap());
}

#[test]
fn an_expired_key_is_none() {
    let scratch = Scratch::new();
    let keys = scratch.keys();
    let (id, key) = add(&keys, "alice", 0);
    let expire = |at: i64| {
        let database = Connection::open(scratch.database()).unwrap();
        database.execute("UPDATE api_keys SET expires = ?1", [at]).unwrap();
        scratch.keys()
    };
    assert!(caller_of(&expire(i64::MAX), &key).is_ok());
    assert_eq!(caller_of(&expire(1), &key), Err(IdentityError::EndedKey { id: id.to_string() }));
}

#[test]
fn digests_of_another_root_key_are_worth_nothing() {
    let scratch = Scratch::new();
    let (_, key) = add(&scratch.keys(), "alice", 0);
    fs::remove_file(scratch.root_key()).unwrap();
    assert_eq!(caller_of(&scratch.keys(), &key), Err(IdentityError::UnknownKey));
}

#[test]
fn a_caller_name_that_was_smuggled_in_is_nobody() {
    let scratch = Scratch::new();
    let (_, key) = add(&scratch.keys(), "alice", 0);
    for smuggled in ["alice\nbob", "", "a b"] {
        let database = Connection::open(scratch.database()).unwrap();
        database.execute("UPDATE api_keys SET caller = ?1", [smuggled]).unwrap();
        assert_eq!(caller_of(&scratch.keys(), &key), Err(IdentityError::UnknownKey));
    }
}

#[test]
fn a_newer_database_is_left_alone() {
    let scratch = Scratch::new();
    drop(scratch.keys());
    Connection::open(scratch.database()).unwrap().execute_batch("PRAGMA user_version = 3").unwrap();
    assert!(matches!(open(&scratch), Err(StateError::Newer { found: 3 })));
}

#[test]
fn a_damaged_database_is_never_taken_for_an_empty_one() {
    let scratch = Scratch::new();
    let keys = scratch.keys();
    (0..200).for_each(|number| drop(add(&keys, "alice", number)));
    drop(keys);
    let whole = fs::read(scratch.database()).unwrap();
    assert!(whole.len() > 3 * 4096, "{}", whole.len());
    let refused = |bytes: &[u8]| {
        for suffix in ["-wal", "-shm"] {
            let _ = fs::remove_file(scratch.data().join(format!("state.db{suffix}")));
        }
        fs::write(scratch.database(), bytes).unwrap();
        let error = open(&scratch).map(drop).unwrap_err();
        let words = error.to_string();
        assert!(matches!(error, StateError::Damaged { .. } | StateError::Database { .. }), "{words}");
        assert!(words.contains("restore") && !words.contains('/'), "{words}");
    };
    for length in [0, 1, 15, 16, 99, 100, 4095, 4096, whole.len() / 2, whole.len() - 4096] {
        refused(&whole[..length]);
    }
    // The magic, the page size, the schema's page, and the head of each later page.
    for place in (0..16).chain([17]).chain((4096..whole.len()).step_by(4096)) {
        let mut flipped = whole.clone();
        flipped[place] ^= 0xFF;
        refused(&flipped);
    }
    refused(b"this is no database at all, but it is long enough to look like one if nobody reads what it says in the beginning");
    fs::write(scratch.database(), whole).unwrap();
    assert_eq!(scratch.keys().list().unwrap().len(), 200);
}

#[test]
fn a_database_that_fails_while_we_run_lets_nobody_in() {
    let scratch = Scratch::new();
    let keys = scratch.keys();
    let (_, key) = add(&keys, "alice", 0);
    let other = Connection::open(scratch.database()).unwrap();
    other.execute_batch("DROP TABLE api_keys").unwrap();
    let start = Instant::now();
    while caller_of(&keys, &key).is_ok() {
        assert!(start.elapsed() < Duration::from_secs(1));
    }
    let Err(IdentityError::Unavailable { reason }) = caller_of(&keys, &copy(&key)) else { panic!("it was readable") };
    assert!(!reason.contains('/') && !reason.contains(key.expose()), "{reason}");
}

#[test]
fn starts_at_the_same_time_make_one_database() {
    for _ in 0..5 {
        let scratch = Scratch::new();
        scratch.ring();
        let keys: Vec<Secret> = std::thread::scope(|scope| {
            let starts: Vec<_> = (0..4).map(|_| scope.spawn(|| add(&scratch.keys(), "alice", 0).1)).collect();
            starts.into_iter().map(|start| start.join().unwrap()).collect()
        });
        let all = scratch.keys();
        assert!(keys.iter().all(|key| caller_of(&all, key).is_ok()));
    }
}

#[test]
fn many_callers_at_once_get_their_own_names() {
    let scratch = Scratch::new();
    let keys = scratch.keys();
    let made: Vec<_> = (0..16).map(|number| (number, add(&keys, &format!("caller-{number}"), number).1)).collect();
    std::thread::scope(|scope| {
        for (number, key) in &made {
            let keys = &keys;
            scope.spawn(move || {
                (0..500)
                    .for_each(|_| assert_eq!(caller_of(keys, key).unwrap().name, name(&format!("caller-{number}"))));
            });
        }
    });
}
