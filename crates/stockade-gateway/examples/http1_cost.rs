//! What [`StrictHttp1`] costs per request: `cargo run --release -p stockade-gateway --example http1_cost`.
//!
//! A memory pipe answers every read with one whole request and swallows every answer, so that the difference between
//! the two columns is the wrapper and nothing else.
#![expect(clippy::print_stdout, reason = "the numbers are what this program is for")]

use std::{
    hint::black_box,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Instant,
};

use stockade_gateway::http1::{Http1Limits, StrictHttp1};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

const REQUESTS: u32 = 1_000_000;
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}";

fn main() -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let _entered = runtime.enter();
    println!("request                      bytes   bare ns   strict ns   per request over {REQUESTS} requests");
    for (name, request) in [
        ("tools/call, 120 byte body", call(120, false)),
        ("the same, chunked", call(120, true)),
        ("tools/call, 4 KiB body", call(4096, false)),
    ] {
        let bare = measure(Repeat { request: request.clone() }, request.len());
        let strict = StrictHttp1::new(Repeat { request: request.clone() }, Http1Limits::default(), Arc::new(|_| {}));
        let strict = measure(strict, request.len());
        println!("{name:<27} {:>6} {bare:>9} {strict:>11}", request.len());
    }
    Ok(())
}

/// A request as an MCP client sends it.
fn call(body_bytes: usize, chunked: bool) -> Vec<u8> {
    let body = "x".repeat(body_bytes);
    let (field, body) = if chunked {
        ("transfer-encoding: chunked".to_owned(), format!("{body_bytes:x}\r\n{body}\r\n0\r\n\r\n"))
    } else {
        (format!("content-length: {body_bytes}"), body)
    };
    format!(
        "POST /mcp/files HTTP/1.1\r\nhost: 127.0.0.1:8443\r\nconnection: keep-alive\r\ncontent-type: application/json\r\n\
         accept: application/json, text/event-stream\r\naccept-language: *\r\nsec-fetch-mode: cors\r\nuser-agent: node\r\n\
         accept-encoding: gzip, deflate\r\nauthorization: Bearer sk_0123456789abcdef0123456789abcdef0123456789abcdef\r\n\
         mcp-protocol-version: 2026-07-28\r\nmcp-method: tools/call\r\nmcp-name: read_file\r\n{field}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// Nanoseconds per request, all in.
fn measure(io: impl AsyncRead + AsyncWrite + Unpin, request_bytes: usize) -> u128 {
    let mut io = io;
    let mut context = Context::from_waker(Waker::noop());
    let mut buffer = vec![0; 16 * 1024];
    let started = Instant::now();
    for _ in 0..REQUESTS {
        let mut buffer = ReadBuf::new(black_box(&mut buffer));
        let read = Pin::new(&mut io).poll_read(&mut context, &mut buffer);
        assert!(matches!(read, Poll::Ready(Ok(()))) && buffer.filled().len() == request_bytes, "{read:?}");
        let written = Pin::new(&mut io).poll_write(&mut context, ANSWER);
        assert!(matches!(written, Poll::Ready(Ok(_))), "{written:?}");
    }
    started.elapsed().as_nanos() / u128::from(REQUESTS)
}

struct Repeat {
    request: Vec<u8>,
}

impl AsyncRead for Repeat {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, target: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        target.put_slice(&self.request);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Repeat {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
