//! The strict reader: what it accepts, every JSON reader accepts and reads as the same.

use bytes::Bytes;
use stockade_core::mcp::{Direction, Envelope, Frame, Id, Method, Revision, check_error, check_message, check_result};
use stockade_core::wire::{Document, Edits, WireLimits, canonical_digest};

/// Reads bytes as a message and asserts of what was accepted:
/// an independent reader accepts it too and finds no other values; reading the same bytes again gives the same digest;
/// editing nothing changes nothing; an id survives being put somewhere else; no validator of any revision panics.
pub fn fuzz_reader(data: &[u8]) {
    let limits = WireLimits::DEFAULT;
    let Ok(document) = Document::read(Bytes::copy_from_slice(data), &limits) else { return };
    let other: Result<serde_json::Value, _> = serde_json::from_slice(data);
    // Numbers beyond an f64 are JSON, and beyond that reader.
    assert!(
        other.is_ok() || data.iter().any(|byte| matches!(byte, b'e' | b'E')) || data.len() > 300,
        "accepted, and not JSON"
    );
    if let Ok(other) = &other {
        assert_eq!(count(other), document.root().as_object().map(|object| object.members().count()));
    }
    let digest = canonical_digest(document.root());
    assert_eq!(Edits::new().apply(data).ok().as_deref(), Some(data));
    let Ok(frame) = Frame::read(document.bytes().clone(), &limits) else { return };
    assert_eq!(canonical_digest(frame.document().root()), digest);
    if let Some(id) = frame.id() {
        let text = format!("[{}]", id.to_json());
        let again = Document::read(Bytes::from(text), &limits).ok();
        let first = again.as_ref().and_then(|list| list.root().as_array()).and_then(|list| list.elements().next());
        assert_eq!(first.and_then(Id::read).as_ref(), Some(id));
    }
    for revision in Revision::ALL {
        for direction in Direction::ALL {
            match frame.envelope() {
                Envelope::Request { .. } | Envelope::Notification { .. } => {
                    let _ = check_message(&frame, revision, direction);
                }
                Envelope::Result { .. } => {
                    for method in Method::ALL {
                        let _ = check_result(&frame, method, revision, direction);
                    }
                }
                Envelope::Error { .. } => {
                    let _ = check_error(&frame, revision, direction);
                }
            }
        }
    }
}

fn count(value: &serde_json::Value) -> Option<usize> {
    value.as_object().map(serde_json::Map::len)
}
