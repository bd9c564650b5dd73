//! A client that sends exactly the bytes it is given.

use std::io::{Error, ErrorKind, Result};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::http_text::{BODY_LIMIT_BYTES, ByteStream, Head};

/// One connection. Every wait has a deadline.
#[derive(Debug)]
pub struct RawHttp {
    stream: ByteStream,
}

/// A whole HTTP response.
#[derive(Debug, Clone)]
pub struct Response {
    /// Status line and headers.
    pub head: Head,
    /// The body, unchunked.
    pub body: Vec<u8>,
}

impl Response {
    /// The status code; 0 if the status line has none.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.head.status().unwrap_or(0)
    }

    /// The body as JSON; `null` if it is none.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// How the rest of a body is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rest {
    Chunks,
    Bytes(usize),
    UntilClose,
}

impl Rest {
    pub(crate) fn of(head: &Head) -> Self {
        match head.status() {
            Some(204 | 304) => Self::Bytes(0),
            _ if head.is_chunked() => Self::Chunks,
            _ => head.content_length().map_or(Self::UntilClose, Self::Bytes),
        }
    }
}

/// Splits an `http://` or `https://` URL into the address to connect to and the path to ask for.
///
/// # Panics
/// When the URL is neither.
#[must_use]
pub fn endpoint(url: &str) -> (&str, &str) {
    let rest = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
    let rest = rest.unwrap_or_else(|| panic!("not an HTTP URL: {url}"));
    let at = rest.find('/').unwrap_or(rest.len());
    let (address, path) = rest.split_at(at);
    (address, if path.is_empty() { "/" } else { path })
}

impl RawHttp {
    /// Connects to an address such as `127.0.0.1:8443`.
    ///
    /// # Errors
    /// When nobody listens there.
    pub fn connect(address: &str) -> Result<Self> {
        Ok(Self { stream: ByteStream::new(TcpStream::connect(address)?)? })
    }

    /// Sends bytes.
    ///
    /// # Errors
    /// When the peer closed.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> Result<()> {
        self.stream.write(bytes.as_ref())
    }

    /// Sends bytes one by one, with a pause between them. Stops when the peer closed; says how many were sent.
    pub fn send_slowly(&mut self, bytes: impl AsRef<[u8]>, pause: Duration) -> usize {
        let bytes = bytes.as_ref();
        let sent = bytes.iter().take_while(|byte| {
            std::thread::sleep(pause);
            self.send([**byte]).is_ok()
        });
        sent.count()
    }

    /// Tells the peer that no more bytes come, while still reading.
    ///
    /// # Errors
    /// When the peer closed.
    pub fn end_sending(&self) -> Result<()> {
        self.stream.socket().shutdown(std::net::Shutdown::Write)
    }

    /// Reads a response with its whole body.
    ///
    /// # Errors
    /// When it is not there within `limit` or the connection ends before its end.
    pub fn response(&mut self, limit: Duration) -> Result<Response> {
        let deadline = Instant::now() + limit;
        let head = self.stream.head(deadline)?;
        let mut rest = Rest::of(&head);
        let mut body = Vec::new();
        while let Some(piece) = self.piece_until(&mut rest, deadline)? {
            body.extend_from_slice(&piece);
            if body.len() > BODY_LIMIT_BYTES {
                return Err(Error::new(ErrorKind::InvalidData, "longer than the test kit's limit"));
            }
        }
        Ok(Response { head, body })
    }

    /// Sends a request and reads its response.
    ///
    /// # Errors
    /// As `send` and `response`.
    pub fn exchange(&mut self, bytes: impl AsRef<[u8]>, limit: Duration) -> Result<Response> {
        // A gateway that refuses early closes while we still write; its answer can be read nevertheless.
        drop(self.send(bytes));
        self.response(limit)
    }

    /// Whatever comes next, without any meaning; empty when the peer closed.
    ///
    /// # Errors
    /// When nothing comes within `limit`.
    pub fn bytes(&mut self, limit: Duration) -> Result<Vec<u8>> {
        self.stream.some(Instant::now() + limit)
    }

    /// Does the peer close the connection within `limit`? Bytes that come before are thrown away.
    #[must_use]
    pub fn closes_within(&mut self, limit: Duration) -> bool {
        let deadline = Instant::now() + limit;
        loop {
            match self.stream.some(deadline) {
                Ok(bytes) if bytes.is_empty() => return true,
                Ok(_) => {}
                Err(cause) => return cause.kind() != ErrorKind::TimedOut,
            }
        }
    }

    pub(crate) fn head_until(&mut self, deadline: Instant) -> Result<Head> {
        self.stream.head(deadline)
    }

    /// The next piece of a body as it arrives; `None` at its end.
    pub(crate) fn piece_until(&mut self, rest: &mut Rest, deadline: Instant) -> Result<Option<Vec<u8>>> {
        match *rest {
            Rest::Chunks => {
                let chunk = self.stream.chunk(deadline)?;
                if chunk.is_none() {
                    *rest = Rest::Bytes(0);
                }
                Ok(chunk)
            }
            Rest::Bytes(0) => Ok(None),
            Rest::Bytes(count) => {
                *rest = Rest::Bytes(0);
                self.stream.exactly(count, deadline).map(Some)
            }
            Rest::UntilClose => {
                let bytes = self.stream.some(deadline)?;
                Ok(if bytes.is_empty() { None } else { Some(bytes) })
            }
        }
    }

    /// Can this kept connection carry another request?
    pub(crate) fn is_idle(&self) -> bool {
        let socket = self.stream.socket();
        let quiet = socket.set_nonblocking(true).is_ok()
            && socket.peek(&mut [0]).is_err_and(|cause| cause.kind() == ErrorKind::WouldBlock);
        socket.set_nonblocking(false).is_ok() && quiet
    }
}
