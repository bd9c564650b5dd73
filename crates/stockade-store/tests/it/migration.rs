//! Databases of older versions: what they hold stays, and works as it did.

use crate::support::{Scratch, SetClock, environment, rules};
use rusqlite::Connection;
use std::fs;
use std::sync::Arc;
use stockade_core::identity::IdentityError;
use stockade_core::ports::Timestamp;
use stockade_core::words::Secret;
use stockade_store::{ApiKeys, KeyRules, KeyState, StateError};

/// A data folder as the version before made it, with two keys: alice's works, bob's was revoked. The root key is all that
/// is not random in it.
const ROOT_KEY: [u8; 32] = *b"\x00\xff3456789abcdefghijklmnopqrstuvw";
const ALICE: &str = "stk_nsbzpq5y_IyySZfvAcNyLhTYJGoWD7n_9Q6mU1cVYgRjzYBBm3W8";
/// As the version before wrote it, statement by statement.
const SCHEMA_1: &str = "PRAGMA journal_mode = WAL;
    BEGIN IMMEDIATE;
    CREATE TABLE api_keys (
        id TEXT PRIMARY KEY, caller TEXT NOT NULL, digest BLOB NOT NULL,
        created INTEGER NOT NULL, expires INTEGER, revoked INTEGER
    ) STRICT;
    PRAGMA user_version = 1;
    COMMIT;";

/// The digest as that version computed it: HMAC-SHA-256 under a key that HKDF-SHA-256 derives from the root key.
fn digest(text: &str) -> Vec<u8> {
    use aws_lc_rs::{hkdf, hmac};
    let root = hkdf::Salt::new(hkdf::HKDF_SHA256, b"stockade root 1").extract(&ROOT_KEY);
    let info = [&b"api key digest 1"[..]];
    let key: hmac::Key = root.expand(&info, hmac::HMAC_SHA256).unwrap().into();
    hmac::sign(&key, text.as_bytes()).as_ref().to_vec()
}

fn made_by_schema_1() -> Scratch {
    let scratch = Scratch::new();
    drop(scratch.folder());
    fs::write(scratch.root_key(), ROOT_KEY).unwrap();
    crate::support::set_mode(&scratch.root_key(), 0o600);
    let database = Connection::open(scratch.database()).unwrap();
    database.execute_batch(SCHEMA_1).unwrap();
    let insert = "INSERT INTO api_keys (id, caller, digest, created, revoked) VALUES (?1, ?2, ?3, ?4, ?5)";
    database.execute(insert, rusqlite::params!["nsbzpq5y", "alice", digest(ALICE), 5, None::<i64>]).unwrap();
    database.execute(insert, rusqlite::params!["bbbbbbbb", "bob", digest("x"), 6, 7]).unwrap();
    drop(database);
    crate::support::set_mode(&scratch.database(), 0o600);
    scratch
}

fn alice(keys: &ApiKeys) -> Result<String, IdentityError> {
    keys.holder(&Secret::new(ALICE.to_owned())).map(|identity| identity.caller.name.to_string())
}

#[test]
fn keys_of_schema_1_work_after_the_migration_and_belong_to_the_gateway_that_took_them_over() {
    let scratch = made_by_schema_1();
    let keys = scratch.keys();
    assert_eq!(alice(&keys), Ok("alice".to_owned()));
    let rows = keys.list().unwrap();
    assert_eq!(rows.len(), 2);
    let [first, second] = &rows[..] else { panic!("two rows") };
    assert_eq!((first.created, first.environment.clone()), (Timestamp(5), Some(environment("production"))));
    assert_eq!((&first.scopes, first.last_used, &first.rotated_to), (&None, None, &None));
    assert_eq!(second.state(&rules(), Timestamp(100)), KeyState::Revoked { at: Timestamp(7) });
    drop(keys);
    // From then on they are none elsewhere.
    let sandbox = KeyRules { environment: environment("sandbox"), ..rules() };
    let elsewhere = scratch.keys_of(&scratch.state(), sandbox);
    assert!(matches!(alice(&elsewhere), Err(IdentityError::Rejected { check: "environment", .. })));
    assert_eq!(alice(&scratch.keys()), Ok("alice".to_owned()));
}

#[test]
fn a_command_migrates_and_takes_nothing_over() {
    let scratch = made_by_schema_1();
    let state = scratch.state();
    let beside = ApiKeys::beside(&state, &scratch.ring(), rules()).unwrap();
    assert_eq!(beside.list().unwrap()[0].environment, None);
    assert_eq!(beside.list().unwrap()[0].state(&rules(), Timestamp(9)), KeyState::OfAnotherEnvironment);
    assert_eq!(alice(&scratch.keys()), Ok("alice".to_owned()));
}

#[test]
fn a_key_of_schema_1_can_be_replaced_before_a_gateway_has_seen_it() {
    let scratch = made_by_schema_1();
    let beside = ApiKeys::beside(&scratch.state(), &scratch.ring(), rules()).unwrap();
    let made =
        crate::support::at(9, |act| beside.rotate("nsbzpq5y", std::time::Duration::from_secs(60), None, act)).unwrap();
    assert_eq!(beside.holder(&made.key).unwrap().caller.name.as_str(), "alice");
}

#[test]
fn processes_that_migrate_at_once_do_it_once() {
    for _ in 0..5 {
        let scratch = made_by_schema_1();
        let found: Vec<_> = std::thread::scope(|scope| {
            let starts: Vec<_> = (0..4).map(|_| scope.spawn(|| alice(&scratch.keys()))).collect();
            starts.into_iter().map(|start| start.join().unwrap()).collect()
        });
        assert!(found.iter().all(|found| *found == Ok("alice".to_owned())), "{found:?}");
    }
}

#[test]
fn an_older_process_goes_on_beside_a_newer_one() {
    let scratch = made_by_schema_1();
    let older = Connection::open(scratch.database()).unwrap();
    let count = "SELECT count(*) FROM (SELECT id, caller, digest, created, expires, revoked FROM api_keys)";
    let seen = |older: &Connection| older.query_row(count, [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(seen(&older), 2);
    let newer = scratch.keys();
    crate::support::add(&newer, "carol", 8);
    assert_eq!(seen(&older), 3);
}

#[test]
fn a_migration_that_fails_changes_nothing() {
    let scratch = made_by_schema_1();
    let database = Connection::open(scratch.database()).unwrap();
    // The last statement of the migration finds its name taken.
    database.execute_batch("CREATE TABLE operator_events (x)").unwrap();
    let refused = stockade_store::State::open(&scratch.folder(), SetClock::at(0)).unwrap_err();
    assert!(matches!(refused, StateError::Database { what: "bring up to date", .. }), "{refused}");
    let columns = "SELECT count(*) FROM pragma_table_info('api_keys')";
    assert_eq!(database.query_row(columns, [], |row| row.get::<_, i64>(0)).unwrap(), 6);
    database.execute_batch("DROP TABLE operator_events").unwrap();
    assert_eq!(alice(&scratch.keys()), Ok("alice".to_owned()));
    let state: Arc<_> = scratch.state();
    drop(state);
}
