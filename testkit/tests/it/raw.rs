//! The byte-exact client.

use std::time::{Duration, Instant};

use testkit::{RawHttp, Received, Reply, Upstream, endpoint};

use crate::LONG;

fn echo(received: &Received, reply: Reply) {
    reply.http(200, &[], &received.bytes);
}

#[test]
fn bytes_arrive_as_they_were_sent() {
    let upstream = Upstream::http(echo);
    let (address, path) = endpoint(upstream.url());
    let request = format!(
        "POST {path} HTTP/1.1\r\nhost:x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n"
    );
    let mut client = RawHttp::connect(address).expect("connect");
    for _ in 0..2 {
        let response = client.exchange(&request, LONG).expect("a response");
        assert_eq!((response.status(), response.body.as_slice()), (200, &b"abcde"[..]));
    }
    let seen = upstream.recorder().messages();
    assert_eq!(seen[1].http.as_ref().expect("HTTP").head.start, format!("POST {path} HTTP/1.1"));
    assert!(upstream.recorder().raw().starts_with(format!("POST {path} HTTP/1.1\r\nhost:x\r\n").as_bytes()));
}

#[test]
fn slow_bytes_and_silence_are_seen_for_what_they_are() {
    let upstream = Upstream::http(echo);
    let (address, _) = endpoint(upstream.url());
    let mut client = RawHttp::connect(address).expect("connect");
    let sent = client.send_slowly("GET / HTTP/1.1\r\n", Duration::from_millis(1));
    assert_eq!(sent, 16);
    let started = Instant::now();
    let silence = client.response(Duration::from_millis(50)).expect_err("no response");
    assert_eq!(silence.kind(), std::io::ErrorKind::TimedOut);
    assert!(started.elapsed() < Duration::from_secs(5));
    assert!(!client.closes_within(Duration::from_millis(50)));
    client.send("Content-Length: 0\r\n\r\n").expect("send");
    assert_eq!(client.response(LONG).expect("a response").status(), 200);
    upstream.cut_all();
    assert!(client.closes_within(LONG));
}

#[test]
fn an_endless_answer_ends_when_the_reader_leaves() {
    let upstream = Upstream::http(|_: &Received, reply: Reply| {
        reply.open(200, &[("Content-Type", "application/json")]);
        reply.flood([b' '; 1024], 1 << 30, Duration::ZERO);
    });
    let (address, _) = endpoint(upstream.url());
    let mut client = RawHttp::connect(address).expect("connect");
    client.send("GET / HTTP/1.1\r\n\r\n").expect("send");
    let mut read = 0;
    while read < 1 << 20 {
        read += client.bytes(LONG).expect("more bytes").len();
    }
    drop(client);
    assert!(upstream.recorder().wait_for_disconnect(1, LONG).is_some());
}
