//! Server-sent events: cutting changes nothing, and what we write is read back as it was.

use stockade_gateway::sse::{Decoder, Encoder, EventId, EventName, OutgoingEvent, SseDecodeError, SseEvent, SseLimits};

use crate::pieces;

/// Small enough for a fuzzer to reach.
const SMALL: SseLimits = SseLimits { line_limit_bytes: 64, event_limit_bytes: 96, filler_limit_bytes: 128 };

/// The first byte says how the rest, a stream, is cut.
pub fn fuzz_sse(data: &[u8]) {
    let (size, stream) = pieces(data);
    for limits in [SMALL, SseLimits::default()] {
        let whole = decode(stream, usize::MAX, limits);
        assert_eq!(whole, decode(stream, size, limits), "cutting changed the events");
        for event in &whole.0 {
            check_event(event, limits);
        }
    }
}

/// All events up to the end or an error.
fn decode(stream: &[u8], size: usize, limits: SseLimits) -> (Vec<SseEvent>, Option<SseDecodeError>) {
    let mut decoder = Decoder::new(limits);
    let mut events = Vec::new();
    for mut piece in stream.chunks(size) {
        loop {
            match decoder.next_event(&mut piece) {
                Ok(Some(event)) => events.push(event),
                Ok(None) => break,
                Err(error) => {
                    assert_eq!(
                        decoder.next_event(&mut b"data: x\n\n".as_slice()),
                        Err(error),
                        "a dead stream came back"
                    );
                    return (events, Some(error));
                }
            }
        }
        assert!(piece.is_empty(), "the decoder stopped before the end of its input");
    }
    (events, None)
}

fn check_event(event: &SseEvent, limits: SseLimits) {
    let texts = [&event.id, &event.event, &event.data];
    let text_bytes: usize = texts.iter().filter_map(|text| text.as_ref()).map(String::len).sum();
    assert!(text_bytes <= limits.event_limit_bytes, "an event exceeds its limit");
    assert!(event.id.is_some() || event.data.is_some() || event.retry.is_some(), "an event without content");
    for line in [&event.id, &event.event].into_iter().flatten() {
        assert!(!line.contains(['\r', '\n']), "a field holds a line end");
    }

    let id = event.id.as_deref().and_then(|id| EventId::parse(id).ok());
    let name = event.event.as_deref().and_then(|name| EventName::parse(name).ok());
    let outgoing =
        OutgoingEvent { id: id.as_ref(), event: name.as_ref(), data: event.data.as_deref(), retry: event.retry };
    let mut written = String::new();
    if Encoder.encode(outgoing, &mut written).is_err() {
        assert!(written.is_empty(), "a refused event left bytes");
        return;
    }
    let expected = SseEvent {
        id: id.map(|id| id.as_str().to_owned()),
        event: name.map(|name| name.as_str().to_owned()),
        data: event.data.clone(),
        retry: event.retry,
    };
    let again = decode(written.as_bytes(), usize::MAX, SseLimits::default());
    assert_eq!(again, (vec![expected], None), "what was written is not what is read");
}
