//! Every change to a closed record is found, and the first bad record is named.

use crate::support::{Scratch, record};
use std::fs;
use std::path::{Path, PathBuf};
use stockade_audit::{AuditLog, AuditOptions, BadRecord, Flaw, OpenError, VerifyError, verify};
use stockade_core::ports::Timestamp;

const CALLS: u64 = 10;
const SEGMENT_BYTES: u64 = 4096;

struct Sample {
    _scratch: Scratch,
    folder: PathBuf,
    /// The first segment, which holds more than half of the records; the second holds the others.
    path: PathBuf,
    bytes: Vec<u8>,
}

impl Sample {
    fn new() -> Self {
        let scratch = Scratch::new();
        let folder = scratch.audit();
        record(&folder, CALLS, SEGMENT_BYTES);
        assert_eq!(verify(&folder, |_| {}).unwrap().segments, 2);
        let path = folder.join("record-00000001.jsonl");
        let bytes = fs::read(&path).unwrap();
        Self { _scratch: scratch, folder, path, bytes }
    }

    /// What `verify` says of the folder with `bytes` in the place of the segment.
    fn verdict(&self, bytes: &[u8]) -> BadRecord {
        self.put(bytes);
        bad(&self.folder)
    }

    /// Removed first: replacing a file's content makes some file systems write it to the disk at once.
    fn put(&self, bytes: &[u8]) {
        fs::remove_file(&self.path).unwrap();
        fs::write(&self.path, bytes).unwrap();
    }
}

fn bad(folder: &Path) -> BadRecord {
    match verify(folder, |_| {}) {
        Err(VerifyError::Bad { bad }) => bad,
        other => panic!("{other:?}"),
    }
}

/// Both segments, one after the other: the chain crosses their border.
fn each_segment(check: impl Fn(&Sample)) {
    let mut sample = Sample::new();
    check(&sample);
    sample.put(&sample.bytes);
    sample.path = sample.folder.join("record-00000002.jsonl");
    sample.bytes = fs::read(&sample.path).unwrap();
    check(&sample);
    sample.put(&sample.bytes);
    verify(&sample.folder, |_| {}).unwrap();
}

/// The line, from 1, that holds the byte at `place`.
fn line_of(bytes: &[u8], place: usize) -> u64 {
    1 + bytes[..place].iter().filter(|byte| **byte == b'\n').count() as u64
}

#[test]
fn every_changed_byte_is_found_and_its_record_named() {
    each_segment(|sample| {
        for place in 0..sample.bytes.len() {
            for change in [0x01, 0x20, 0x80] {
                let mut bytes = sample.bytes.clone();
                bytes[place] ^= change;
                let found = sample.verdict(&bytes);
                assert_eq!(found.line, line_of(&sample.bytes, place), "byte {place} ^ {change:#x}: {found}");
            }
        }
    });
}

#[test]
fn every_removed_byte_is_found() {
    each_segment(|sample| {
        for place in 0..sample.bytes.len() {
            let mut bytes = sample.bytes.clone();
            bytes.remove(place);
            let found = sample.verdict(&bytes);
            assert_eq!(found.line, line_of(&sample.bytes, place), "byte {place}: {found}");
        }
    });
}

#[test]
fn every_added_byte_is_found() {
    each_segment(|sample| {
        for place in 0..=sample.bytes.len() {
            for byte in [b' ', b'0', b'\n', b'"', 0] {
                let mut bytes = sample.bytes.clone();
                bytes.insert(place, byte);
                let found = sample.verdict(&bytes);
                let line = line_of(&sample.bytes, place);
                assert!(found.line == line || found.line == line + 1, "{byte:#x} at {place}: {found}");
            }
        }
    });
}

#[test]
fn every_swap_of_neighbours_is_found() {
    each_segment(|sample| {
        for place in 1..sample.bytes.len() {
            if sample.bytes[place - 1] == sample.bytes[place] {
                continue;
            }
            let mut bytes = sample.bytes.clone();
            bytes.swap(place - 1, place);
            let found = sample.verdict(&bytes);
            assert!(found.line <= line_of(&sample.bytes, place), "{place}: {found}");
        }
    });
}

#[test]
fn every_removed_moved_or_repeated_record_is_found() {
    each_segment(|sample| {
        let lines: Vec<&[u8]> = sample.bytes.split_inclusive(|byte| *byte == b'\n').collect();
        for first in 0..lines.len() {
            let mut removed = lines.clone();
            removed.remove(first);
            let found = sample.verdict(&removed.concat());
            assert_eq!(found.line, first as u64 + 1, "removed {first}: {found}");
            for second in 0..lines.len() {
                let mut repeated = lines.clone();
                repeated.insert(second, lines[first]);
                sample.verdict(&repeated.concat());
                if first < second {
                    let mut swapped = lines.clone();
                    swapped.swap(first, second);
                    let found = sample.verdict(&swapped.concat());
                    assert_eq!(found.line, first as u64 + 1, "swapped {first} and {second}: {found}");
                }
            }
        }
    });
}

#[test]
fn every_cut_is_found() {
    each_segment(|sample| {
        for length in 0..sample.bytes.len() {
            let found = sample.verdict(&sample.bytes[..length]);
            assert!(found.line <= line_of(&sample.bytes, length), "{length}: {found}");
        }
    });
}

#[test]
fn a_cut_at_the_end_of_a_line_is_found_by_the_head() {
    let sample = Sample::new();
    let second = sample.folder.join("record-00000002.jsonl");
    let bytes = fs::read(&second).unwrap();
    let kept = bytes[..bytes.len() - 1].iter().rposition(|byte| *byte == b'\n').unwrap() + 1;
    fs::write(&second, &bytes[..kept]).unwrap();
    let found = bad(&sample.folder);
    assert_eq!((found.sequence, found.flaw), (Some(2 * CALLS), Flaw::CutOff { known: 2 * CALLS }));
    assert!(matches!(open(&sample.folder), Err(OpenError::Damaged { bad }) if bad == found));
}

#[test]
fn a_missing_segment_is_found() {
    for (segment, flaw) in [(1, Flaw::MissingSegment), (2, Flaw::CutOff { known: 2 * CALLS })] {
        let sample = Sample::new();
        let file = format!("record-0000000{segment}.jsonl");
        fs::remove_file(sample.folder.join(&file)).unwrap();
        let found = bad(&sample.folder);
        assert_eq!((found.file.as_str(), found.flaw), (file.as_str(), flaw));
        assert!(matches!(open(&sample.folder), Err(OpenError::Damaged { bad }) if bad == found));
    }
}

#[test]
fn what_is_added_after_the_closing_is_found() {
    let sample = Sample::new();
    let second = sample.folder.join("record-00000002.jsonl");
    let bytes = fs::read(&second).unwrap();
    let last = bytes[..bytes.len() - 1].iter().rposition(|byte| *byte == b'\n').unwrap() + 1;
    // A line that fits the chain in every respect: whoever can hash can make one.
    let digest = stockade_core::wire::Digest::of(&bytes[last..bytes.len() - 1]).to_string();
    let forged = format!(
        "{{\"sequence\":21,\"time\":\"1970-01-01T00:00:00.000000000Z\",\"previous\":\"{digest}\",\"phase\":\"event\",\"kind\":\"x\"}}\n"
    );
    fs::write(&second, [bytes.clone(), forged.into_bytes()].concat()).unwrap();
    assert_eq!(bad(&sample.folder).flaw, Flaw::AfterClosing);
    fs::write(&second, [bytes, b"rubbish".to_vec()].concat()).unwrap();
    assert_eq!((bad(&sample.folder).flaw, bad(&sample.folder).sequence), (Flaw::Unfinished, Some(21)));
    assert!(matches!(open(&sample.folder), Err(OpenError::Damaged { .. })));
}

#[test]
fn a_false_head_is_found() {
    let sample = Sample::new();
    let head = sample.folder.join("head.json");
    let text = fs::read_to_string(&head).unwrap();
    for (from, to) in
        [("\"sequence\":20", "\"sequence\":19"), ("\"line\":", "\"line\":1"), ("\"segment\":2", "\"segment\":3")]
    {
        fs::write(&head, text.replace(from, to)).unwrap();
        assert!(matches!(verify(&sample.folder, |_| {}), Err(VerifyError::Bad { .. })), "{from} to {to}");
        assert!(open(&sample.folder).is_err(), "{from} to {to}");
    }
    fs::write(&head, "{}").unwrap();
    assert!(matches!(verify(&sample.folder, |_| {}), Err(VerifyError::Head { .. })));
    fs::remove_file(&head).unwrap();
    assert!(matches!(verify(&sample.folder, |_| {}), Err(VerifyError::Head { .. })));
    assert!(matches!(open(&sample.folder), Err(OpenError::Head { .. })));
}

fn open(folder: &Path) -> Result<(), OpenError> {
    AuditLog::open(AuditOptions::new(folder.to_owned(), Timestamp(0))).map(drop)
}
