//! HTTP/1.1 as text: heads, bodies and chunks, read leniently and kept byte for byte.
//!
//! For: seeing exactly what the gateway sent. Never: judging it; a malformed header is kept as it is.

use std::io::{Error, ErrorKind, Read, Result, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// Longest head that is read, in bytes.
const HEAD_LIMIT_BYTES: usize = 1 << 20;
/// Longest body or line that is kept, in bytes.
pub(crate) const BODY_LIMIT_BYTES: usize = 256 << 20;
/// Longest single write before the peer counts as gone.
pub(crate) const WRITE_DEADLINE: Duration = Duration::from_secs(30);
/// Bytes asked from the socket at once.
const READ_BYTES: usize = 64 << 10;

/// The head of a request or response: the first line, the headers in order, and the bytes they came in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Head {
    /// Exactly what came, with the empty line at the end.
    pub bytes: Vec<u8>,
    /// The first line, without its line end.
    pub start: String,
    /// Names as sent and values without surrounding space, in order, repeated ones repeated.
    pub headers: Vec<(String, String)>,
}

impl Head {
    /// Takes a head apart. Bytes that are not UTF-8 become U+FFFD in `start` and `headers`, never in `bytes`.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes).into_owned();
        let mut lines = text.split("\r\n");
        let start = lines.next().unwrap_or_default().to_owned();
        let headers = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
            .collect();
        Self { bytes: bytes.to_vec(), start, headers }
    }

    /// The first header of that name, whatever its case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.all(name).into_iter().next()
    }

    /// Every header of that name, whatever its case, in order.
    #[must_use]
    pub fn all(&self, name: &str) -> Vec<&str> {
        let same = |(held, _): &&(String, String)| held.eq_ignore_ascii_case(name);
        self.headers.iter().filter(same).map(|(_, value)| value.as_str()).collect()
    }

    /// The status code, if this is the head of a response.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.start.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.parse().ok()
    }

    pub(crate) fn is_chunked(&self) -> bool {
        self.header("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked"))
    }

    pub(crate) fn content_length(&self) -> Option<usize> {
        self.header("content-length").and_then(|length| length.parse().ok())
    }
}

/// A socket with a buffer and deadlines.
#[derive(Debug)]
pub(crate) struct ByteStream {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl ByteStream {
    pub(crate) fn new(stream: TcpStream) -> Result<Self> {
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(WRITE_DEADLINE))?;
        Ok(Self { stream, buffer: Vec::new() })
    }

    pub(crate) fn socket(&self) -> &TcpStream {
        &self.stream
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.stream.write_all(bytes)
    }

    /// Waits for more bytes. `Ok(0)` means that the peer closed.
    fn fill(&mut self, deadline: Instant) -> Result<usize> {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Error::new(ErrorKind::TimedOut, "deadline passed"));
        }
        self.stream.set_read_timeout(Some(left))?;
        let mut piece = vec![0; READ_BYTES];
        let count = self.stream.read(&mut piece).map_err(|cause| match cause.kind() {
            ErrorKind::WouldBlock => Error::new(ErrorKind::TimedOut, "deadline passed"),
            _ => cause,
        })?;
        self.buffer.extend_from_slice(&piece[..count]);
        Ok(count)
    }

    fn fill_or_end(&mut self, deadline: Instant) -> Result<()> {
        match self.fill(deadline)? {
            0 => Err(Error::new(ErrorKind::UnexpectedEof, "the peer closed")),
            _ => Ok(()),
        }
    }

    /// Reads up to and with `end`.
    fn until(&mut self, end: &[u8], limit: usize, deadline: Instant) -> Result<Vec<u8>> {
        loop {
            if let Some(at) = self.buffer.windows(end.len()).position(|window| window == end) {
                return Ok(self.buffer.drain(..at + end.len()).collect());
            }
            if self.buffer.len() > limit {
                return Err(Error::new(ErrorKind::InvalidData, "longer than the test kit's limit"));
            }
            self.fill_or_end(deadline)?;
        }
    }

    /// Reads exactly `count` bytes.
    pub(crate) fn exactly(&mut self, count: usize, deadline: Instant) -> Result<Vec<u8>> {
        if count > BODY_LIMIT_BYTES {
            return Err(Error::new(ErrorKind::InvalidData, "longer than the test kit's limit"));
        }
        while self.buffer.len() < count {
            self.fill_or_end(deadline)?;
        }
        Ok(self.buffer.drain(..count).collect())
    }

    /// Whatever is there, waiting for the first byte; empty when the peer closed.
    pub(crate) fn some(&mut self, deadline: Instant) -> Result<Vec<u8>> {
        if self.buffer.is_empty() {
            self.fill(deadline)?;
        }
        Ok(std::mem::take(&mut self.buffer))
    }

    pub(crate) fn head(&mut self, deadline: Instant) -> Result<Head> {
        Ok(Head::parse(&self.until(b"\r\n\r\n", HEAD_LIMIT_BYTES, deadline)?))
    }

    /// One chunk of a chunked body; `None` after the last one.
    pub(crate) fn chunk(&mut self, deadline: Instant) -> Result<Option<Vec<u8>>> {
        let line = self.until(b"\r\n", HEAD_LIMIT_BYTES, deadline)?;
        let text = String::from_utf8_lossy(&line);
        let size = usize::from_str_radix(text.split(';').next().unwrap_or_default().trim(), 16)
            .map_err(|_| Error::new(ErrorKind::InvalidData, format!("chunk size {text:?}")))?;
        if size == 0 {
            while self.until(b"\r\n", HEAD_LIMIT_BYTES, deadline)? != b"\r\n" {}
            return Ok(None);
        }
        let chunk = self.exactly(size, deadline)?;
        self.exactly(2, deadline)?;
        Ok(Some(chunk))
    }

    /// The body of a request: by length, by chunks, or none.
    pub(crate) fn request_body(&mut self, head: &Head, deadline: Instant) -> Result<Vec<u8>> {
        if !head.is_chunked() {
            return self.exactly(head.content_length().unwrap_or(0), deadline);
        }
        let mut body = Vec::new();
        while let Some(chunk) = self.chunk(deadline)? {
            body.extend_from_slice(&chunk);
            if body.len() > BODY_LIMIT_BYTES {
                return Err(Error::new(ErrorKind::InvalidData, "longer than the test kit's limit"));
            }
        }
        Ok(body)
    }
}
