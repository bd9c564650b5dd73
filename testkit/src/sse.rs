//! Server-sent events, read as a browser reads them (WHATWG HTML §9.2.6), with nothing thrown away.

/// One dispatched event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SseEvent {
    /// The `event` field.
    pub event: Option<String>,
    /// The `data` lines, joined by a line feed.
    pub data: String,
    /// The `id` field.
    pub id: Option<String>,
    /// The `retry` field.
    pub retry: Option<String>,
}

/// Cuts a byte stream into events.
#[derive(Debug, Default)]
pub struct SseParser {
    line: Vec<u8>,
    after_return: bool,
    current: SseEvent,
    has_data: bool,
}

impl SseParser {
    /// Takes the next bytes, wherever they were cut, and gives the events that are now complete.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<SseEvent> {
        let mut events = Vec::new();
        for &byte in bytes {
            let follows_return = std::mem::take(&mut self.after_return);
            match byte {
                b'\n' if follows_return => {}
                b'\n' | b'\r' => {
                    self.after_return = byte == b'\r';
                    events.extend(self.end_line());
                }
                _ => self.line.push(byte),
            }
        }
        events
    }

    fn end_line(&mut self) -> Option<SseEvent> {
        let line = String::from_utf8_lossy(&std::mem::take(&mut self.line)).into_owned();
        if line.is_empty() {
            let event = std::mem::take(&mut self.current);
            return std::mem::take(&mut self.has_data).then_some(event);
        }
        let (field, value) = line.split_once(':').unwrap_or((&line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "data" => {
                if self.has_data {
                    self.current.data.push('\n');
                }
                self.has_data = true;
                self.current.data.push_str(value);
            }
            "event" => self.current.event = Some(value.to_owned()),
            "id" => self.current.id = Some(value.to_owned()),
            "retry" => self.current.retry = Some(value.to_owned()),
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::SseParser;

    fn check(stream: &str, expected: &[&str]) {
        for cut in 0..stream.len() {
            let mut parser = SseParser::default();
            let mut events = parser.feed(&stream.as_bytes()[..cut]);
            events.extend(parser.feed(&stream.as_bytes()[cut..]));
            let data: Vec<&str> = events.iter().map(|event| event.data.as_str()).collect();
            assert_eq!(data, expected, "{stream:?} cut at {cut}");
        }
    }

    #[test]
    fn events_are_the_same_wherever_the_stream_is_cut() {
        check("data: a\n\ndata: b\n\n", &["a", "b"]);
        check("data: a\r\n\r\ndata: b\r\n\r\n", &["a", "b"]);
        check("data:a\r\rdata:b\r\r", &["a", "b"]);
        check(": comment\nevent: x\nid: 7\nretry: 1\ndata: a\ndata: b\n\n", &["a\nb"]);
        check("event: only\n\ndata: never ended\n", &[]);
    }
}
