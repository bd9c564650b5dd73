//! [`StrictHttp1`] over an in-memory pipe. Time is tokio's paused clock: it moves only when everybody waits.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    task::Wake,
    time::Duration,
};

use proptest::prelude::*;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
    time::{Instant, sleep},
};

use super::super::*;

const PIPE_BYTES: usize = 1 << 20;
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
const GET: &str = "GET /mcp HTTP/1.1\r\nHost: gw.test\r\n\r\n";

type Seen = Arc<Mutex<Vec<Violation>>>;

fn wrap(limits: Http1Limits) -> (DuplexStream, StrictHttp1<DuplexStream>, Seen) {
    let (client, server) = duplex(PIPE_BYTES);
    let seen = Seen::default();
    let log = Arc::clone(&seen);
    let observer: ViolationObserver = Arc::new(move |violation| log.lock().unwrap().push(violation));
    (client, StrictHttp1::new(server, limits, observer), seen)
}

fn run<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(test)
}

/// Reads until `count` bytes came, an error, or the end.
async fn read_up_to(strict: &mut StrictHttp1<DuplexStream>, count: usize) -> (Vec<u8>, Option<io::Error>) {
    let mut all = Vec::new();
    let mut piece = [0; 8192];
    while all.len() < count {
        match strict.read(&mut piece).await {
            Ok(0) => break,
            Ok(read) => all.extend_from_slice(&piece[..read]),
            Err(error) => return (all, Some(error)),
        }
    }
    (all, None)
}

fn status_of(answer: &[u8]) -> u16 {
    std::str::from_utf8(&answer[9..12]).unwrap().parse().unwrap()
}

/// What the server got, what the client got, what the observer got.
fn refused(request: &[u8]) -> (Vec<u8>, Vec<u8>, Vec<Violation>) {
    run(async {
        let (mut client, mut strict, seen) = wrap(Http1Limits::default());
        client.write_all(request).await.unwrap();
        let (delivered, error) = read_up_to(&mut strict, usize::MAX).await;
        let violation = strict.violation().expect("a violation");
        let error = error.expect("an error");
        assert_eq!(error.get_ref().unwrap().downcast_ref::<Violation>(), Some(&violation));
        assert!(strict.write(b"late").await.is_err(), "nothing may be written after a refusal");
        drop(strict);
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).await.unwrap();
        let seen = seen.lock().unwrap().clone();
        (delivered, answer, seen)
    })
}

#[test]
fn a_refusal_is_one_fixed_answer_and_one_report() {
    let (delivered, answer, seen) = refused(b"GET /mcp HTTP/1.1\r\nA: b\r\n\r\n");
    assert_eq!(delivered, b"");
    let expected = [
        "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\nCache-Control: no-store\r\n",
        "Content-Security-Policy: default-src 'none'; frame-ancestors 'none'\r\n",
        "Cross-Origin-Opener-Policy: same-origin\r\nCross-Origin-Resource-Policy: same-origin\r\n",
        "Referrer-Policy: no-referrer\r\nX-Content-Type-Options: nosniff\r\nX-Frame-Options: DENY\r\n\r\n",
    ];
    let expected = expected.concat();
    assert_eq!(std::str::from_utf8(&answer).unwrap(), expected);
    assert_eq!(seen, [Violation::MalformedField { fault: FieldFault::MissingHost }]);
}

#[test]
fn each_kind_of_violation_has_its_status() {
    let cases: [(String, u16); 8] = [
        (GET.replace("1.1", "1.0"), 505),
        (GET.replace("gw.test", "gw.test\r\nExpect: 1"), 417),
        (GET.replace("/mcp", &format!("/{}", "x".repeat(REQUEST_LINE_LIMIT_BYTES))), 414),
        (GET.replace("gw.test", &format!("gw.test\r\nA: {}", "x".repeat(HEAD_LIMIT_BYTES))), 431),
        (GET.replace("gw.test", &format!("gw.test{}", "\r\nA: b".repeat(FIELD_COUNT_LIMIT))), 431),
        (GET.replace("gw.test", "gw.test\r\nContent-Length: 2147483648"), 413),
        (GET.replace("gw.test", "gw.test\r\nContent-Length: 1\r\nContent-Length: 1"), 400),
        (GET.replace("GET", "TRACE"), 400),
    ];
    for (request, status) in cases {
        let (delivered, answer, seen) = refused(request.as_bytes());
        assert_eq!((delivered.len(), status_of(&answer), seen.len()), (0, status, 1), "{seen:?}");
    }
}

#[test]
fn an_offending_chunk_line_is_not_delivered() {
    let head = "POST /mcp HTTP/1.1\r\nHost: gw.test\r\nTransfer-Encoding: chunked\r\n\r\n";
    for bad in ["0x10\r\n", "-1\r\n", "fffffffffffffffff\r\n", "5 ;a\r\n", "1\nx", "0\r\nA: b\r\n\r\n", "1\r\nxy\r\n"] {
        let (delivered, answer, seen) = refused(format!("{head}{bad}").as_bytes());
        assert_eq!((delivered, status_of(&answer)), (Vec::new(), 400), "{bad:?} {seen:?}");
        assert!(matches!(seen.as_slice(), [Violation::MalformedChunk { .. }]), "{bad:?} {seen:?}");
    }
    let endless = format!("{head}1;{}", "a".repeat(900_000));
    let (_, answer, seen) = refused(endless.as_bytes());
    assert_eq!(status_of(&answer), 400);
    assert_eq!(seen, [Violation::MalformedChunk { fault: ChunkFault::ExtensionLength }]);
}

#[test]
fn an_early_request_waits_for_the_answer_before_it() {
    run(async {
        let (mut client, mut strict, _) = wrap(Http1Limits::default());
        client.write_all(GET.repeat(2).as_bytes()).await.unwrap();
        assert_eq!(read_up_to(&mut strict, GET.len()).await.0, GET.as_bytes());
        let mut piece = [0; 64];
        tokio::select! {
            biased;
            read = strict.read(&mut piece) => panic!("delivered too early: {read:?}"),
            () = tokio::task::yield_now() => {}
        }
        let (first, second) = ANSWER.split_at(ANSWER.len() - 1);
        strict.write_all(first).await.unwrap();
        tokio::select! {
            biased;
            read = strict.read(&mut piece) => panic!("delivered within the answer: {read:?}"),
            () = tokio::task::yield_now() => {}
        }
        strict.write_all(second).await.unwrap();
        assert_eq!(read_up_to(&mut strict, GET.len()).await.0, GET.as_bytes());
    });
}

#[test]
fn a_bad_early_request_does_not_harm_the_answer_before_it() {
    run(async {
        let (mut client, mut strict, seen) = wrap(Http1Limits::default());
        client.write_all(format!("{GET}BAD\r\n\r\n").as_bytes()).await.unwrap();
        assert_eq!(read_up_to(&mut strict, GET.len()).await.0, GET.as_bytes());
        strict.write_all(ANSWER).await.unwrap();
        assert!(seen.lock().unwrap().is_empty(), "judged before its turn");
        assert!(read_up_to(&mut strict, 1).await.1.is_some());
        drop(strict);
        let mut answers = Vec::new();
        client.read_to_end(&mut answers).await.unwrap();
        let refusal = answers.strip_prefix(ANSWER).expect("the good answer first");
        assert_eq!(status_of(refusal), 400);
    });
}

#[test]
fn an_answer_that_has_begun_is_cut_and_not_mixed_with_a_refusal() {
    run(async {
        let (mut client, mut strict, seen) = wrap(Http1Limits::default());
        let head = "POST /mcp HTTP/1.1\r\nHost: gw.test\r\nTransfer-Encoding: chunked\r\n\r\n";
        client.write_all(head.as_bytes()).await.unwrap();
        assert_eq!(read_up_to(&mut strict, head.len()).await.0, head.as_bytes());
        let begun = &ANSWER[..ANSWER.len() - 1];
        strict.write_all(begun).await.unwrap();
        client.write_all(b"zz\r\n").await.unwrap();
        assert!(read_up_to(&mut strict, 1).await.1.is_some());
        assert!(strict.write_all(b"k").await.is_err());
        drop(strict);
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).await.unwrap();
        assert_eq!(answer, begun);
        assert_eq!(seen.lock().unwrap().len(), 1);
    });
}

/// Remembers that it was called.
#[derive(Default)]
struct Alarm(AtomicBool);

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// A server that reads during its answer and, as hyper does, not again until it is woken.
async fn answer_and_wait(sent: &str, wait: Duration) -> bool {
    let (mut client, mut strict, _) = wrap(Http1Limits::default());
    client.write_all(sent.as_bytes()).await.unwrap();
    assert_eq!(read_up_to(&mut strict, GET.len()).await.0, GET.as_bytes());
    let alarm = Arc::new(Alarm::default());
    let waker = Waker::from(Arc::clone(&alarm));
    let mut context = Context::from_waker(&waker);
    let mut piece = [0; 64];
    assert!(Pin::new(&mut strict).poll_read(&mut context, &mut ReadBuf::new(&mut piece)).is_pending());
    assert!(!alarm.0.load(Ordering::SeqCst), "woken before the answer");
    assert!(Pin::new(&mut strict).poll_write(&mut context, ANSWER).is_ready());
    sleep(wait).await;
    alarm.0.load(Ordering::SeqCst)
}

#[test]
fn a_server_that_waits_is_woken_for_an_early_request_and_for_the_idle_deadline() {
    let idle = Http1Limits::default().idle_deadline;
    assert!(run(answer_and_wait(&GET.repeat(2), Duration::ZERO)), "an early request was forgotten");
    assert!(!run(answer_and_wait(GET, idle - Duration::from_secs(1))), "woken for nothing");
    assert!(run(answer_and_wait(GET, idle + Duration::from_secs(1))), "the idle deadline was forgotten");
}

#[test]
fn a_client_that_leaves_during_an_answer_is_noticed() {
    run(async {
        let (mut client, mut strict, seen) = wrap(Http1Limits::default());
        client.write_all(GET.as_bytes()).await.unwrap();
        assert_eq!(read_up_to(&mut strict, GET.len()).await.0, GET.as_bytes());
        drop(client);
        assert_eq!(strict.read(&mut [0; 8]).await.unwrap(), 0);
        assert!(seen.lock().unwrap().is_empty());
    });
}

/// Sends `request`, then one byte of `drip` every `every`; returns how long the connection lived and what came back.
fn drip(request: &str, drip: &str, every: Duration) -> (Duration, Vec<u8>, Vec<Violation>) {
    run(async {
        let limits = Http1Limits::default();
        let (client, mut strict, seen) = wrap(limits);
        let (mut client_read, mut client_write) = tokio::io::split(client);
        let started = Instant::now();
        client_write.write_all(request.as_bytes()).await.unwrap();
        let drip = drip.to_owned();
        let dripping = tokio::spawn(async move {
            for byte in drip.bytes() {
                sleep(every).await;
                if client_write.write_all(&[byte]).await.is_err() {
                    break;
                }
            }
            client_write
        });
        let (_, _) = read_up_to(&mut strict, usize::MAX).await;
        let lived = started.elapsed();
        dripping.abort();
        drop(strict);
        let mut answer = Vec::new();
        client_read.read_to_end(&mut answer).await.unwrap();
        let seen = seen.lock().unwrap().clone();
        (lived, answer, seen)
    })
}

#[test]
fn a_dripped_head_ends_at_the_head_deadline() {
    let (lived, answer, seen) = drip("", &GET.repeat(10), Duration::from_secs(3));
    assert_eq!((status_of(&answer), seen), (408, vec![Violation::TooSlow { part: Part::Head }]));
    let due = Http1Limits::default().head_deadline;
    assert!(lived >= due && lived < due + Duration::from_secs(2), "{lived:?}");
}

#[test]
fn a_dripped_body_ends_at_its_window() {
    let head = "POST /mcp HTTP/1.1\r\nHost: gw.test\r\nContent-Length: 100000\r\n\r\n";
    let (lived, answer, seen) = drip(head, &"x".repeat(1000), Duration::from_millis(100));
    assert_eq!((status_of(&answer), seen), (408, vec![Violation::TooSlow { part: Part::Body }]));
    assert!(lived < Duration::from_secs(7), "{lived:?}");
}

#[test]
fn a_steady_body_ends_at_the_body_deadline() {
    let head = "POST /mcp HTTP/1.1\r\nHost: gw.test\r\nContent-Length: 1000000\r\n\r\n";
    let (lived, answer, seen) = drip(head, &"x".repeat(100_000), Duration::from_millis(1));
    assert_eq!((status_of(&answer), seen), (408, vec![Violation::TooSlow { part: Part::Body }]));
    let due = Http1Limits::default().body_deadline;
    assert!(lived >= due && lived < due + Duration::from_secs(2), "{lived:?}");
}

#[test]
fn a_silent_connection_ends_without_a_word() {
    let (lived, answer, seen) = drip("", "", Duration::from_secs(1));
    assert_eq!((answer, seen), (Vec::new(), Vec::new()));
    assert!(lived >= Http1Limits::default().head_deadline && lived < Duration::from_secs(12), "{lived:?}");
}

#[test]
fn between_requests_the_idle_deadline_runs_and_within_an_answer_none() {
    run(async {
        let limits = Http1Limits::default();
        let (mut client, mut strict, seen) = wrap(limits);
        client.write_all(GET.as_bytes()).await.unwrap();
        assert_eq!(read_up_to(&mut strict, GET.len()).await.0, GET.as_bytes());
        let mut piece = [0; 64];
        tokio::select! {
            biased;
            read = strict.read(&mut piece) => panic!("ended within an answer: {read:?}"),
            () = sleep(limits.idle_deadline * 100) => {}
        }
        strict.write_all(ANSWER).await.unwrap();
        let answered = Instant::now();
        assert_eq!(strict.read(&mut piece).await.unwrap(), 0);
        let idle = answered.elapsed();
        assert!(idle >= limits.idle_deadline && idle < limits.idle_deadline + Duration::from_secs(1), "{idle:?}");
        assert!(seen.lock().unwrap().is_empty());
    });
}

fn any_request() -> impl Strategy<Value = Vec<u8>> {
    let target = "/[a-z0-9/_.-]{0,40}(\\?[a-z=&]{0,20})?";
    let fields = prop::collection::vec(("X-[A-Za-z0-9-]{1,20}", "[ -~]{0,60}"), 0..12);
    let body = prop_oneof![
        Just(None),
        prop::collection::vec(any::<u8>(), 0..300).prop_map(|body| Some((body, None))),
        (prop::collection::vec(any::<u8>(), 0..300), 1_usize..64).prop_map(|(body, size)| Some((body, Some(size)))),
    ];
    (target, fields, body).prop_map(|(target, fields, body)| {
        let mut request = format!("POST {target} HTTP/1.1\r\nhost: gw.test\r\n");
        for (name, value) in fields {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        let mut body_bytes = Vec::new();
        match body {
            None => {}
            Some((body, None)) => {
                request.push_str(&format!("content-length: {}\r\n", body.len()));
                body_bytes = body;
            }
            Some((body, Some(size))) => {
                request.push_str("transfer-encoding: chunked\r\n");
                for chunk in body.chunks(size) {
                    body_bytes.extend_from_slice(format!("{:X};a=b\r\n", chunk.len()).as_bytes());
                    body_bytes.extend_from_slice(chunk);
                    body_bytes.extend_from_slice(b"\r\n");
                }
                body_bytes.extend_from_slice(b"0\r\n\r\n");
            }
        }
        let mut request = request.into_bytes();
        request.extend_from_slice(b"\r\n");
        request.extend_from_slice(&body_bytes);
        request
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn legal_requests_pass_byte_for_byte_however_they_are_cut(
        requests in prop::collection::vec(any_request(), 1..4),
        cuts in prop::collection::vec(1_usize..200, 1..40),
    ) {
        run(async {
            let (mut client, mut strict, seen) = wrap(Http1Limits::default());
            let stream = requests.concat();
            let sending = tokio::spawn(async move {
                let mut rest = stream.as_slice();
                for cut in cuts.iter().cycle() {
                    let (piece, after) = rest.split_at((*cut).min(rest.len()));
                    client.write_all(piece).await.unwrap();
                    tokio::task::yield_now().await;
                    rest = after;
                    if rest.is_empty() {
                        break;
                    }
                }
                client
            });
            for request in &requests {
                let (delivered, error) = read_up_to(&mut strict, request.len()).await;
                assert_eq!(&delivered, request, "{error:?}");
                strict.write_all(ANSWER).await.unwrap();
            }
            drop(sending.await.unwrap());
            assert!(seen.lock().unwrap().is_empty());
        });
    }
}
