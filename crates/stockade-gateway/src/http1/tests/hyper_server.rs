//! [`StrictHttp1`] before a real hyper server, over loopback sockets.

use std::{convert::Infallible, net::SocketAddr, sync::Mutex};

use http_body_util::{BodyExt, Full};
use hyper::{Request, Response, body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use super::super::*;

/// One connection's worth of server, and what its service saw: `METHOD path body`.
struct Server {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<String>>>,
    violations: Arc<Mutex<Vec<Violation>>>,
    tasks: JoinSet<()>,
}

async fn serve() -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let violations = Arc::new(Mutex::new(Vec::new()));
    let (service_seen, observed) = (Arc::clone(&seen), Arc::clone(&violations));
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let (socket, _) = listener.accept().await.unwrap();
        let observer: ViolationObserver = Arc::new(move |violation| observed.lock().unwrap().push(violation));
        let io = TokioIo::new(StrictHttp1::new(socket, Http1Limits::default(), observer));
        let service = service_fn(move |request: Request<Incoming>| answer(request, Arc::clone(&service_seen)));
        let mut server = hyper::server::conn::http1::Builder::new();
        // The outcome is what the client and the service saw; an error is expected in half of the cases.
        let _outcome = server.max_buf_size(SERVER_BUFFER_BYTES).serve_connection(io, service).await;
    });
    Server { address, seen, violations, tasks }
}

async fn answer(
    request: Request<Incoming>,
    seen: Arc<Mutex<Vec<String>>>,
) -> Result<Response<Full<bytes::Bytes>>, Infallible> {
    let line = format!("{} {}", request.method(), request.uri());
    let Ok(body) = request.into_body().collect().await else {
        seen.lock().unwrap().push(format!("{line} broken"));
        return Ok(Response::builder().status(400).body(Full::default()).unwrap());
    };
    let text = format!("{line} {}", String::from_utf8_lossy(&body.to_bytes()));
    seen.lock().unwrap().push(text.clone());
    Ok(Response::new(Full::from(text)))
}

/// Sends everything at once, reads to the end; returns the answers, what the service saw and what was reported.
async fn exchange(sent: &[u8]) -> (String, Vec<String>, Vec<Violation>) {
    let mut server = serve().await;
    let mut socket = TcpStream::connect(server.address).await.unwrap();
    socket.write_all(sent).await.unwrap();
    let mut answers = Vec::new();
    socket.read_to_end(&mut answers).await.unwrap();
    drop(socket);
    server.tasks.join_next().await.unwrap().unwrap();
    let seen = server.seen.lock().unwrap().clone();
    let violations = server.violations.lock().unwrap().clone();
    (String::from_utf8(answers).unwrap(), seen, violations)
}

fn statuses(answers: &str) -> Vec<&str> {
    answers.split("HTTP/1.1 ").skip(1).map(|answer| answer.split(' ').next().unwrap()).collect()
}

#[tokio::test]
async fn pa_15_a_smuggled_request_is_never_seen() {
    let inner = "POST /mcp HTTP/1.1\r\nHost: gw.test\r\nAuthorization: Bearer alice\r\nContent-Length: 0\r\n\r\n";
    for lengths in [
        "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 6\r\n",
        "Transfer-Encoding: identity, chunked\r\n",
        "Content-Length: 5\r\nContent-Length: 5\r\n",
        "Transfer-Encoding: chunked\nX: y\r\n",
    ] {
        let sent = format!("POST /mcp HTTP/1.1\r\nHost: gw.test\r\n{lengths}\r\n0\r\n\r\n{inner}");
        let (answers, seen, violations) = exchange(sent.as_bytes()).await;
        assert_eq!(statuses(&answers), ["400"], "{lengths:?}");
        assert!(answers.contains("Connection: close"), "{answers}");
        assert_eq!(seen, [""; 0], "{lengths:?}");
        assert_eq!(violations.len(), 1, "{lengths:?}");
    }
}

#[tokio::test]
async fn pa_16_a_broken_chunk_ends_the_connection_within_one_answer() {
    let inner = "GET /smuggled HTTP/1.1\r\nHost: gw.test\r\n\r\n";
    let extension = format!("1;{}\r\nx\r\n0\r\n\r\n", "a".repeat(1 << 20));
    for body in [
        "0x10\r\n",
        "-1\r\n",
        "fffffffffffffffff\r\n",
        "1\nx\n0\n\n",
        "1 \r\nx\r\n0\r\n\r\n",
        "0\r\nA: b\r\n\r\n",
        &extension,
    ] {
        let sent = format!("POST /mcp HTTP/1.1\r\nHost: gw.test\r\nTransfer-Encoding: chunked\r\n\r\n{body}{inner}");
        let (answers, seen, violations) = exchange(sent.as_bytes()).await;
        let shown = body.lines().next().filter(|line| line.len() < 30);
        assert_eq!(statuses(&answers), ["400"], "{shown:?}");
        assert!(!seen.iter().any(|line| line.contains("smuggled")), "{shown:?} {seen:?}");
        assert!(matches!(violations.as_slice(), [Violation::MalformedChunk { .. }]), "{shown:?} {violations:?}");
    }
}

#[tokio::test]
async fn pipelined_good_requests_are_answered_in_order() {
    let sent = "GET /1 HTTP/1.1\r\nHost: gw.test\r\n\r\n\
        POST /2 HTTP/1.1\r\nHost: gw.test\r\nContent-Length: 3\r\n\r\nabc\
        HEAD /3 HTTP/1.1\r\nHost: gw.test\r\n\r\n\
        POST /4 HTTP/1.1\r\nHost: gw.test\r\nTransfer-Encoding: chunked\r\n\r\n3\r\ndef\r\n0\r\n\r\n\
        GET /5 HTTP/1.1\r\nHost: gw.test\r\nConnection: close\r\n\r\n";
    let (answers, seen, violations) = exchange(sent.as_bytes()).await;
    assert_eq!(statuses(&answers), ["200"; 5]);
    assert_eq!(seen, ["GET /1 ", "POST /2 abc", "HEAD /3 ", "POST /4 def", "GET /5 "]);
    assert_eq!(violations, []);
}

#[tokio::test]
async fn a_bad_request_behind_good_ones_gets_its_refusal_after_their_answers() {
    let good = "POST /1 HTTP/1.1\r\nHost: gw.test\r\nContent-Length: 3\r\n\r\nabc";
    let sent = format!("{good}{good}GET /2 HTTP/1.1\nHost: gw.test\n\n{good}");
    let (answers, seen, violations) = exchange(sent.as_bytes()).await;
    assert_eq!(statuses(&answers), ["200", "200", "400"]);
    assert_eq!(seen, ["POST /1 abc"; 2]);
    assert_eq!(violations, [Violation::MalformedField { fault: FieldFault::BareLineFeed }]);
}

#[tokio::test]
async fn an_expected_continue_is_answered_before_the_body() {
    let mut server = serve().await;
    let mut socket = TcpStream::connect(server.address).await.unwrap();
    let head =
        "POST /1 HTTP/1.1\r\nHost: gw.test\r\nExpect: 100-continue\r\nConnection: close\r\nContent-Length: 3\r\n\r\n";
    socket.write_all(head.as_bytes()).await.unwrap();
    let mut interim = [0; 25];
    socket.read_exact(&mut interim).await.unwrap();
    assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");
    socket.write_all(b"abc").await.unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    assert_eq!(statuses(&answer), ["200"]);
    server.tasks.join_next().await.unwrap().unwrap();
    assert_eq!(*server.seen.lock().unwrap(), ["POST /1 abc"]);
}

#[tokio::test]
async fn a_kept_alive_connection_serves_one_request_after_another() {
    let mut server = serve().await;
    let mut socket = TcpStream::connect(server.address).await.unwrap();
    for _ in 0..3 {
        socket.write_all(b"GET /1 HTTP/1.1\r\nHost: gw.test\r\n\r\n").await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"GET /1 ") {
            assert_ne!(socket.read_buf(&mut answer).await.unwrap(), 0, "closed early");
        }
    }
    drop(socket);
    server.tasks.join_next().await.unwrap().unwrap();
    assert_eq!(server.seen.lock().unwrap().len(), 3);
    assert_eq!(*server.violations.lock().unwrap(), []);
}
