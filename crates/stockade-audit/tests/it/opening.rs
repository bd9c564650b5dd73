//! Opening: what a killed process left, what nobody may have touched, and who may read.

use crate::support::{Scratch, all, append, intent, open, outcome, ticket};
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use stockade_audit::{AuditLog, AuditOptions, Flaw, OpenError, VerifyError, verify};
use stockade_core::ports::Timestamp;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

/// A folder as a killed process leaves it: `head.json` says that the record is open.
fn killed(folder: &Path, calls: u64, add: &[u8]) {
    let copy = folder.with_extension("copy");
    let (log, _) = open(folder, 1 << 20);
    for number in 0..calls {
        append(&log, intent(number));
        append(&log, outcome(number));
    }
    append(&log, intent(calls));
    fs::create_dir(&copy).unwrap();
    for name in ["record-00000001.jsonl", "head.json"] {
        fs::copy(folder.join(name), copy.join(name)).unwrap();
    }
    drop(log);
    fs::remove_dir_all(folder).unwrap();
    fs::rename(&copy, folder).unwrap();
    OpenOptions::new().append(true).open(folder.join("record-00000001.jsonl")).unwrap().write_all(add).unwrap();
}

#[test]
fn the_owner_alone_may_look() {
    let scratch = Scratch::new();
    fs::create_dir(scratch.audit()).unwrap();
    fs::set_permissions(scratch.audit(), fs::Permissions::from_mode(0o777)).unwrap();
    crate::support::record(&scratch.audit(), 1, 4096);
    assert_eq!(mode(&scratch.audit()), 0o700);
    for entry in fs::read_dir(scratch.audit()).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{path:?}");
    }
}

#[test]
fn an_unfinished_line_is_cut_off_and_told() {
    for add in [&b"{\"sequence\":4,\"ti"[..], b"\0\0\0\0", b"{", b"not json\n", b"\n"] {
        let scratch = Scratch::new();
        killed(&scratch.audit(), 1, add);
        assert!(matches!(
            verify(&scratch.audit(), |_| {}),
            Err(VerifyError::Bad { bad }) if bad.flaw == Flaw::Unfinished && bad.sequence == Some(4)
        ));
        let (log, report) = open(&scratch.audit(), 1 << 20);
        let cut = report.cut.unwrap();
        let bytes = add.strip_suffix(b"\n").unwrap_or(add);
        assert_eq!((cut.bytes, cut.digest), (bytes.len() as u64, stockade_core::wire::Digest::of(bytes).to_string()));
        assert_eq!(report.closed_as_unknown, [ticket(1).to_string()]);
        drop(log);
        assert_eq!(verify(&scratch.audit(), |_| {}).unwrap().records, 5);
        let records = all(&scratch.audit());
        assert_eq!(records[3].kind, "unfinished-line");
        let closed = &records[4];
        assert_eq!((closed.phase.as_str(), closed.outcome.as_deref()), ("outcome", Some("unknown")));
        assert_eq!((closed.caller.as_deref(), closed.server.as_deref()), (Some("alice"), Some("files")));
    }
}

#[test]
fn what_other_lines_follow_is_never_cut_off() {
    let scratch = Scratch::new();
    killed(&scratch.audit(), 1, b"not json\nnot json\n");
    let Err(OpenError::Damaged { bad }) = AuditLog::open(AuditOptions::new(scratch.audit(), Timestamp(0))) else {
        panic!("a damaged record was opened")
    };
    assert_eq!((bad.sequence, bad.line, bad.flaw), (Some(4), 5, Flaw::NotARecord));
}

#[test]
fn a_segment_that_was_not_finished_is_started_again() {
    for header in ["", "{\"segment\":2,\"form"] {
        let scratch = Scratch::new();
        killed(&scratch.audit(), 2, b"");
        fs::write(scratch.audit().join("record-00000002.jsonl"), header).unwrap();
        let (log, report) = open(&scratch.audit(), 4096);
        assert_eq!(report.cut.unwrap().file, "record-00000002.jsonl");
        (10..40).for_each(|number| assert!(append(&log, intent(number)) > 0));
        drop(log);
        assert!(verify(&scratch.audit(), |_| {}).unwrap().segments > 1);
    }
}

#[test]
fn a_first_start_that_was_killed_is_made_good() {
    for file in ["", "{\"segm"] {
        let scratch = Scratch::new();
        fs::create_dir(scratch.audit()).unwrap();
        fs::write(scratch.audit().join("record-00000001.jsonl"), file).unwrap();
        let (log, report) = open(&scratch.audit(), 4096);
        assert!(report.cut.is_some());
        append(&log, intent(1));
        drop(log);
        assert_eq!(verify(&scratch.audit(), |_| {}).unwrap().records, 1);
    }
}

#[test]
fn open_intents_of_earlier_segments_are_closed_too() {
    let scratch = Scratch::new();
    let (log, _) = open(&scratch.audit(), 4096);
    append(&log, intent(1000));
    for number in 0..50 {
        append(&log, intent(number));
        append(&log, outcome(number));
    }
    log.close().unwrap();
    assert!(verify(&scratch.audit(), |_| {}).unwrap().segments > 3);
    let (log, report) = open(&scratch.audit(), 4096);
    assert_eq!(report.closed_as_unknown, [ticket(1000).to_string()]);
    drop(log);
    let (log, report) = open(&scratch.audit(), 4096);
    assert_eq!(report.closed_as_unknown, [] as [String; 0]);
    drop(log);
}

#[test]
fn appends_after_closing_are_refused() {
    use stockade_core::ports::{Durability, Record};
    let scratch = Scratch::new();
    let (log, _) = open(&scratch.audit(), 4096);
    log.close().unwrap();
    assert!(crate::support::wait(log.append(intent(1), Durability::Kernel)).is_err());
    assert_eq!(verify(&scratch.audit(), |_| {}).unwrap().records, 0);
}

#[test]
fn an_empty_folder_is_no_record() {
    let scratch = Scratch::new();
    assert!(matches!(verify(scratch.path(), |_| {}), Err(VerifyError::Empty)));
    assert!(verify(&scratch.audit(), |_| {}).is_err());
}
