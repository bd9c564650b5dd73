//! Reading and writing together: what is written is read back, whatever was in it and however it was cut.

use proptest::prelude::*;

use super::*;

/// Decodes `stream` cut at every `piece_bytes`.
fn decode(stream: &[u8], piece_bytes: usize, limits: SseLimits) -> Result<Vec<SseEvent>, SseDecodeError> {
    let mut decoder = Decoder::new(limits);
    let mut events = Vec::new();
    for mut piece in stream.chunks(piece_bytes.max(1)) {
        while let Some(event) = decoder.next_event(&mut piece)? {
            events.push(event);
        }
        assert!(piece.is_empty(), "a decoder that wants more has taken all");
    }
    Ok(events)
}

/// Any cut must give the same.
fn check(stream: &[u8], expected: Result<&[SseEvent], SseDecodeError>) {
    for piece_bytes in [usize::MAX, 1, 2, 3, 7] {
        let events = decode(stream, piece_bytes, SseLimits::default());
        assert_eq!(
            events.as_deref().map_err(|error| *error),
            expected,
            "{:?} cut at {piece_bytes}",
            String::from_utf8_lossy(stream)
        );
    }
}

fn data(text: &str) -> SseEvent {
    SseEvent { data: Some(text.to_owned()), ..SseEvent::default() }
}

fn id(text: &str) -> SseEvent {
    SseEvent { id: Some(text.to_owned()), ..SseEvent::default() }
}

#[test]
fn every_line_end_ends_a_line() {
    check(b"data: a\n\ndata: b\r\n\r\ndata: c\r\rdata: d\n\r\ndata: e\r\n\n", Ok(&["a", "b", "c", "d", "e"].map(data)));
    check(b"data: a\r\ndata: b\rdata: c\ndata\n\n", Ok(&[data("a\nb\nc\n")]));
}

#[test]
fn fields_are_read_as_the_standard_says() {
    check(b"data:x\n\n", Ok(&[data("x")]));
    check(b"data:  x \n\n", Ok(&[data(" x ")]));
    check(b"data\n\n", Ok(&[data("")]));
    check(b"data: a:b\n\n", Ok(&[data("a:b")]));
    check(b"Data: x\nDATA: y\n data: z\nfoo: x\n\n", Ok(&[]));
    check(b": comment\n:data: x\ndata: y\n\n", Ok(&[data("y")]));
    check(
        b"event: message\nevent: b\ndata: x\n\ndata: y\n\n",
        Ok(&[SseEvent { event: Some("b".into()), ..data("x") }, data("y")]),
    );
    check(b"data: never ended\n", Ok(&[]));
    check(b"\n\n\r\r", Ok(&[]));
    check(b"event: alone\n\n", Ok(&[]));
    check(
        "data: \u{2028}\u{2029}\u{85}\u{0b}\u{0c}x\n\n".as_bytes(),
        Ok(&[data("\u{2028}\u{2029}\u{85}\u{0b}\u{0c}x")]),
    );
}

#[test]
fn one_byte_order_mark_is_dropped_at_the_start_only() {
    check("\u{feff}data: x\n\n".as_bytes(), Ok(&[data("x")]));
    check("\u{feff}\u{feff}data: x\n\n".as_bytes(), Ok(&[]));
    check("data: x\n\n\u{feff}data: y\n\n".as_bytes(), Ok(&[data("x")]));
}

#[test]
fn ids_and_retry_times_are_kept_without_data() {
    check(b"id: 1\n\n", Ok(&[id("1")]));
    check(b"id: 1\ndata:\n\n", Ok(&[SseEvent { data: Some(String::new()), ..id("1") }]));
    check(b"id\n\n", Ok(&[id("")]));
    check(b"id: a\0b\n\nid: 1\nid: a\0b\n\n", Ok(&[id("1")]));
    check(b"retry: 1500\n\n", Ok(&[SseEvent { retry: Some(1500), ..SseEvent::default() }]));
    for retry in ["-1", "+1", "1.5", "1 ", "", "0x1", "18446744073709551616", "\u{661}"] {
        check(format!("retry: {retry}\n\n").as_bytes(), Ok(&[]));
    }
}

#[test]
fn text_that_is_not_utf_8_ends_the_stream() {
    for bad in [b"data: \xff\n".as_slice(), b": \xc3\n", b"data: \xed\xa0\x80\n", b"\xc0\xaf\n"] {
        check(bad, Err(SseDecodeError::NotUtf8));
    }
}

#[test]
fn each_limit_holds_at_its_boundary_and_for_good() {
    let limits = SseLimits { line_limit_bytes: 10, event_limit_bytes: 12, filler_limit_bytes: 20 };
    let check = |stream: &[u8], expected: Result<usize, SseDecodeError>| {
        for piece_bytes in [usize::MAX, 1, 4] {
            let events = decode(stream, piece_bytes, limits).map(|events| events.len());
            assert_eq!(events, expected, "{:?}", String::from_utf8_lossy(stream));
        }
    };
    check(b"data:12345\n\n", Ok(1));
    check(b"data:123456\n\n", Err(SseDecodeError::LineTooLong { limit_bytes: 10 }));
    check(b"data:123456", Err(SseDecodeError::LineTooLong { limit_bytes: 10 }));
    check(b"data:12345\nid:1234567\n\n", Ok(1));
    check(b"data:12345\nid:12345678\n\n", Err(SseDecodeError::LineTooLong { limit_bytes: 10 }));
    check(b"data:12345\nevent:1234\nid:1234\n\n", Err(SseDecodeError::EventTooLarge { limit_bytes: 12 }));
    check(b"data:1234\ndata:12345\ndata:12\n\n", Err(SseDecodeError::EventTooLarge { limit_bytes: 12 }));
    check(b":12345678\n:12345678\ndata\n\n:12345678\n:12345678\n", Ok(1));
    check(b":12345678\n:12345678\n\n", Err(SseDecodeError::TooMuchFiller { limit_bytes: 20 }));
    check(b"id\nid:2\nid:3\nid:4\nid:5\nid:6\n\n", Err(SseDecodeError::TooMuchFiller { limit_bytes: 20 }));

    let mut decoder = Decoder::new(limits);
    let failed = decoder.next_event(&mut b"data:123456".as_slice());
    assert_eq!(decoder.next_event(&mut b"\n\ndata: x\n\n".as_slice()), failed);
}

#[test]
fn an_event_is_written_as_one_line_per_field() {
    let mut output = String::new();
    let (event_id, name) = (EventId::parse("s-1.~_9").unwrap(), EventName::parse("message").unwrap());
    let event = OutgoingEvent { id: Some(&event_id), event: Some(&name), data: Some("{\"a\":1}"), retry: Some(5) };
    Encoder.encode(event, &mut output).unwrap();
    assert_eq!(output, "id: s-1.~_9\nevent: message\nretry: 5\ndata: {\"a\":1}\n\n");
    check(Encoder::KEEP_ALIVE, Ok(&[]));
}

#[test]
fn pa_20_nothing_breaks_out_of_its_line() {
    let forged = "data: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}";
    for end in ["\n\n", "\r\r", "\r\n\r\n", "\n", "\r"] {
        let mut output = String::from("before");
        let text = format!("progress{end}{forged}{end}");
        let event = OutgoingEvent { data: Some(&text), ..OutgoingEvent::default() };
        assert_eq!(Encoder.encode(event, &mut output), Err(SseEncodeError::LineEndInData));
        assert_eq!(output, "before");
        assert_eq!(EventId::parse(&text), Err(SseEncodeError::Id));
        assert_eq!(EventName::parse(&text), Err(SseEncodeError::Name));
    }
    for text in ["x\u{2028}data: y\u{2028}\u{2028}", "x\\n\\ndata: y", "event: a", "retry: 0", "id: 7", ":x", "", " x"]
    {
        let mut output = String::new();
        Encoder.encode(OutgoingEvent { data: Some(text), ..OutgoingEvent::default() }, &mut output).unwrap();
        check(output.as_bytes(), Ok(&[data(text)]));
    }
    assert_eq!(Encoder.encode(OutgoingEvent::default(), &mut String::new()), Err(SseEncodeError::Empty));
}

#[test]
fn ids_and_names_hold_at_their_boundaries() {
    assert!(EventId::parse(&"a".repeat(128)).is_ok() && EventName::parse(&"a".repeat(64)).is_ok());
    assert_eq!(EventId::parse(&"a".repeat(129)), Err(SseEncodeError::Id));
    assert_eq!(EventName::parse(&"a".repeat(65)), Err(SseEncodeError::Name));
    for text in ["", " ", "a b", "a\0", "\u{e9}", "a:b", "a,b", "a/b"] {
        assert_eq!(
            (EventId::parse(text), EventName::parse(text)),
            (Err(SseEncodeError::Id), Err(SseEncodeError::Name))
        );
    }
}

/// Text that is likely to hit the format's own marks.
fn any_stream() -> impl Strategy<Value = Vec<u8>> {
    let marks = ["data", "id", "event", "retry", ":", " ", "\n", "\r", "\r\n", "7", "\0", "\u{feff}", "\u{2028}", "x"];
    let part = prop_oneof![9 => prop::sample::select(marks.to_vec()).prop_map(|mark| mark.as_bytes().to_vec()), 1 => prop::collection::vec(any::<u8>(), 1..3)];
    prop::collection::vec(part, 0..80).prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn cutting_a_stream_changes_nothing(stream in any_stream(), piece_bytes in 1_usize..20) {
        let limits = SseLimits { line_limit_bytes: 40, event_limit_bytes: 40, filler_limit_bytes: 60 };
        prop_assert_eq!(decode(&stream, usize::MAX, limits), decode(&stream, piece_bytes, limits));
    }

    #[test]
    fn what_is_written_is_read_back(
        events in prop::collection::vec(("[A-Za-z0-9._~-]{1,128}", "[A-Za-z0-9_-]{1,64}", "[^\r\n]{0,200}", any::<Option<u64>>()), 0..5),
        piece_bytes in 1_usize..50,
    ) {
        let mut output = String::new();
        let mut expected = Vec::new();
        for (id, name, text, retry) in events {
            let (event_id, event_name) = (EventId::parse(&id).unwrap(), EventName::parse(&name).unwrap());
            Encoder.encode(OutgoingEvent { id: Some(&event_id), event: Some(&event_name), data: Some(&text), retry }, &mut output).unwrap();
            output.push_str(std::str::from_utf8(Encoder::KEEP_ALIVE).unwrap());
            expected.push(SseEvent { id: Some(id), event: Some(name), data: Some(text), retry });
        }
        prop_assert_eq!(decode(output.as_bytes(), piece_bytes, SseLimits::default()), Ok(expected));
    }
}
