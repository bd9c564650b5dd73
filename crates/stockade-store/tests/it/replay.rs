//! Proofs of possession are good once, over restarts too (AU-13).

use crate::support::{Scratch, SetClock, mode};
use std::sync::Arc;
use std::time::Duration;
use stockade_core::identity::IdentityError;
use stockade_core::ports::Timestamp;
use stockade_identity::ReplayRegister;
use stockade_store::{ReplayDatabase, ReplayError};

const SECOND: i64 = 1_000_000_000;

fn proof(number: u64) -> [u8; 32] {
    let mut hash = [0; 32];
    hash[..8].copy_from_slice(&number.to_be_bytes());
    hash
}

fn open(scratch: &Scratch, clock: &Arc<SetClock>, limit: u64) -> ReplayDatabase {
    ReplayDatabase::open_with_limit(&scratch.folder(), clock.clone(), limit).unwrap()
}

#[test]
fn a_proof_is_good_once_also_after_a_restart() {
    let (scratch, clock) = (Scratch::new(), SetClock::at(0));
    let until = Timestamp(60 * SECOND);
    let register = open(&scratch, &clock, 1000);
    assert_eq!(register.first_use(proof(1), until), Ok(true));
    assert_eq!(register.first_use(proof(1), until), Ok(false));
    assert_eq!(register.first_use(proof(2), until), Ok(true));
    drop(register);
    let register = open(&scratch, &clock, 1000);
    assert_eq!(register.first_use(proof(1), until), Ok(false));
    assert_eq!(register.first_use(proof(2), until), Ok(false));
    assert_eq!(register.first_use(proof(3), until), Ok(true));
    for file in ["replay.db", "replay.db-wal"] {
        assert_eq!(mode(&scratch.data().join(file)), 0o600, "{file}");
    }
}

#[test]
fn what_is_too_old_makes_room_and_a_full_register_denies() {
    let (scratch, clock) = (Scratch::new(), SetClock::at(0));
    let register = open(&scratch, &clock, 3);
    for number in 0..3 {
        assert_eq!(register.first_use(proof(number), Timestamp(60 * SECOND)), Ok(true));
    }
    let refused = register.first_use(proof(3), Timestamp(60 * SECOND));
    assert!(matches!(&refused, Err(IdentityError::Unavailable { reason }) if reason.contains("full")), "{refused:?}");
    clock.pass(Duration::from_secs(61));
    assert_eq!(register.first_use(proof(3), Timestamp(120 * SECOND)), Ok(true));
    assert_eq!(register.first_use(proof(3), Timestamp(120 * SECOND)), Ok(false));
    // The count is that of the database after a restart as well.
    drop(register);
    let register = open(&scratch, &clock, 2);
    assert_eq!(register.first_use(proof(4), Timestamp(120 * SECOND)), Ok(true));
    assert!(register.first_use(proof(5), Timestamp(120 * SECOND)).is_err());
}

#[test]
fn of_many_at_once_one_is_first() {
    let (scratch, clock) = (Scratch::new(), SetClock::at(0));
    let register = open(&scratch, &clock, 10_000);
    let first = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let first = |number| register.first_use(proof(number), Timestamp(60 * SECOND)).unwrap();
                    (0..500).filter(|number| first(*number)).count()
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum::<usize>()
    });
    assert_eq!(first, 500);
}

#[test]
fn a_damaged_register_is_not_an_empty_one() {
    let (scratch, clock) = (Scratch::new(), SetClock::at(0));
    drop(open(&scratch, &clock, 10));
    for wal in ["replay.db-wal", "replay.db-shm"] {
        std::fs::remove_file(scratch.data().join(wal)).ok();
    }
    let file = scratch.data().join("replay.db");
    for bytes in [b"".to_vec(), b"not a database, and long enough to be one of some sort".repeat(100)] {
        std::fs::write(&file, bytes).unwrap();
        let refused = ReplayDatabase::open(&scratch.folder(), clock.clone());
        assert!(matches!(refused, Err(ReplayError::Damaged { .. } | ReplayError::Database { .. })), "{refused:?}");
    }
}
