//! Strict HTTP/1.1: what passes is a prefix of what came, cutting changes no verdict, and httparse (the parser behind
//! the server) finds the same requests in what passed.

use std::{
    cell::RefCell,
    io,
    pin::{Pin, pin},
    rc::Rc,
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
};

use stockade_gateway::http1::{FIELD_COUNT_LIMIT, Http1Limits, StrictHttp1, Violation};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    runtime::Runtime,
};

use crate::pieces;

const ANSWER: &[u8] = b"HTTP/1.1 204 No Content\r\n\r\n";
/// What the stand-in for the server reads at once; small, so that held bytes are delivered in parts.
const SERVER_READ_BYTES: usize = 512;

thread_local! {
    /// For the timers, which never ring here.
    static RUNTIME: io::Result<Runtime> = tokio::runtime::Builder::new_current_thread().enable_time().build();
}

/// The first byte says how the rest, what a client sends, is cut.
pub fn fuzz_http1(data: &[u8]) {
    let (size, stream) = pieces(data);
    RUNTIME.with(|runtime| {
        assert!(runtime.is_ok(), "no runtime: {runtime:?}");
        let Ok(runtime) = runtime else { return };
        let _entered = runtime.enter();
        let (whole, cut) = (pass(stream, usize::MAX), pass(stream, size));
        assert_eq!(whole.violation, cut.violation, "cutting changed the verdict");
        if whole.violation.is_none() {
            assert_eq!((&whole.delivered, whole.answers), (&cut.delivered, cut.answers), "cutting changed what passed");
        }
        for passed in [&whole, &cut] {
            check(stream, passed);
        }
    });
}

/// What came of one connection.
struct Passed {
    delivered: Vec<u8>,
    answers: usize,
    violation: Option<Violation>,
    written: Vec<u8>,
}

fn check(stream: &[u8], passed: &Passed) {
    assert!(stream.starts_with(&passed.delivered), "other bytes came out than went in");
    let rest = stream.get(passed.delivered.len()..).unwrap_or_default();
    let head_ends = rest.windows(4).any(|window| window == b"\r\n\r\n");
    assert!(passed.violation.is_some() || !head_ends, "a whole head neither passed nor was refused");

    let after_answers = passed.written.strip_prefix(ANSWER.repeat(passed.answers).as_slice());
    assert!(after_answers.is_some(), "the refusal stands within an answer");
    let refusal = after_answers.unwrap_or_default();
    assert_eq!(refusal.is_empty(), passed.violation.is_none(), "a refusal without a violation, or the reverse");
    assert!(refusal.is_empty() || refusal.starts_with(b"HTTP/1.1 "), "the refusal is not an answer");

    let requests = count_requests(&passed.delivered);
    let open = requests.checked_sub(passed.answers);
    assert!(
        matches!(open, Some(0 | 1)),
        "the server sees {requests} requests, the wrapper answered {}",
        passed.answers
    );
}

/// Plays the server: reads until nothing more comes without an answer, answers, reads on.
fn pass(stream: &[u8], size: usize) -> Passed {
    let written = Rc::default();
    let client =
        Client { unsent: stream.chunks(size).map(<[u8]>::to_vec).rev().collect(), written: Rc::clone(&written) };
    let reported = Arc::new(Mutex::new(Vec::new()));
    let observer = Arc::clone(&reported);
    let report = move |violation| {
        if let Ok(mut reported) = observer.lock() {
            reported.push(violation);
        }
    };
    let mut strict = pin!(StrictHttp1::new(client, Http1Limits::default(), Arc::new(report)));
    let mut context = Context::from_waker(Waker::noop());
    let (mut delivered, mut answers, mut answered_at) = (Vec::new(), 0, None);
    loop {
        let mut piece = [0; SERVER_READ_BYTES];
        let mut piece = ReadBuf::new(&mut piece);
        match strict.as_mut().poll_read(&mut context, &mut piece) {
            Poll::Ready(Ok(())) if piece.filled().is_empty() => break,
            Poll::Ready(Ok(())) => delivered.extend_from_slice(piece.filled()),
            Poll::Ready(Err(_)) => break,
            Poll::Pending => {
                assert_ne!(answered_at, Some(delivered.len()), "no request passed, yet an answer is awaited");
                answered_at = Some(delivered.len());
                let sent = strict.as_mut().poll_write(&mut context, ANSWER);
                assert!(matches!(sent, Poll::Ready(Ok(length)) if length == ANSWER.len()), "the answer did not go out");
                answers += 1;
            }
        }
    }
    let violation = strict.violation();
    let reported = reported.lock().map(|reported| reported.clone()).unwrap_or_default();
    assert_eq!(reported, violation.into_iter().collect::<Vec<_>>(), "reported other than happened");
    Passed { delivered, answers, violation, written: written.take() }
}

/// How many requests httparse finds in bytes that passed. The last body may be incomplete.
fn count_requests(delivered: &[u8]) -> usize {
    let mut rest = delivered;
    let mut count = 0;
    while !rest.is_empty() {
        let mut fields = [httparse::EMPTY_HEADER; FIELD_COUNT_LIMIT];
        let mut request = httparse::Request::new(&mut fields);
        let head = request.parse(rest);
        // A head is judged whole and delivered in parts only when the server's buffer is small, and then to its end.
        assert!(matches!(head, Ok(httparse::Status::Complete(_))), "the server cannot read what passed: {head:?}");
        let Ok(httparse::Status::Complete(length)) = head else { return count };
        let named = |name: &str| {
            let fields = request.headers.iter().filter(|field| field.name.eq_ignore_ascii_case(name));
            fields.map(|field| field.value).collect::<Vec<_>>()
        };
        let (lengths, codings) = (named("content-length"), named("transfer-encoding"));
        assert_eq!(named("host").len(), 1, "not one host");
        assert!(lengths.len() + codings.len() <= 1, "an ambiguous length passed");
        count += 1;
        rest = rest.get(length..).unwrap_or_default();
        if let Some(length) = lengths.first() {
            let length = std::str::from_utf8(length).ok().and_then(|length| length.parse::<usize>().ok());
            assert!(length.is_some(), "a length that is no number passed");
            rest = rest.get(length.unwrap_or(usize::MAX)..).unwrap_or_default();
        } else if !codings.is_empty() {
            rest = after_chunks(rest);
        }
    }
    count
}

/// What follows a chunked body; nothing when it is incomplete.
fn after_chunks(body: &[u8]) -> &[u8] {
    let mut rest = body;
    loop {
        let line = httparse::parse_chunk_size(rest);
        assert!(line.is_ok(), "a chunk size passed that the server cannot read");
        let Ok(httparse::Status::Complete((line_bytes, size))) = line else { return &[] };
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        let chunk_bytes = line_bytes.saturating_add(size).saturating_add(2);
        let Some(after) = rest.get(chunk_bytes..) else { return &[] };
        assert!(
            rest.get(..chunk_bytes).is_some_and(|chunk| chunk.ends_with(b"\r\n")),
            "a chunk without its end passed"
        );
        if size == 0 {
            return after;
        }
        rest = after;
    }
}

/// A client that has sent everything it will and reads every answer at once.
struct Client {
    /// Last piece first.
    unsent: Vec<Vec<u8>>,
    written: Rc<RefCell<Vec<u8>>>,
}

impl AsyncRead for Client {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, target: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if let Some(mut piece) = self.unsent.pop() {
            let rest = piece.split_off(piece.len().min(target.remaining()));
            target.put_slice(&piece);
            if !rest.is_empty() {
                self.unsent.push(rest);
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Client {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.written.borrow_mut().extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
