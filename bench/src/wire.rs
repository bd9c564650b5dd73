//! A small HTTP/1.1 client over one keep-alive connection, cheap enough not to be what is measured.
//!
//! It reads what RFC 9112 §6 allows a server to send to a `POST`: a body with a length, or in chunks. Anything else,
//! bytes after an answer included, is an error.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Header lines of one answer.
const MAX_HEADERS: usize = 64;
/// Status line and headers of one answer, in bytes.
const MAX_HEAD_BYTES: usize = 16 * 1024;
/// Body of one answer, in bytes.
const MAX_BODY_BYTES: usize = 8 * 1024 * 1024;
const READ_BYTES: usize = 64 * 1024;

/// Why an exchange did not end with an answer.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// The connection could not be made or broke.
    #[error("the connection broke: {0}")]
    Broken(#[source] io::Error),
    /// The other side closed before the answer was complete.
    #[error("the connection was closed before the whole answer had come")]
    Closed,
    /// The head is not HTTP/1.1, or too long.
    #[error("the answer's head cannot be read: {0}")]
    Head(&'static str),
    /// The body's framing is wrong, or it is too long.
    #[error("the answer's body cannot be read: {0}")]
    Body(&'static str),
}

/// One answer; it borrows the connection's buffer.
#[derive(Debug)]
pub struct Answer<'connection> {
    /// HTTP status.
    pub status: u16,
    /// `Mcp-Session-Id`, if the answer has one.
    pub session: Option<String>,
    /// The whole body.
    pub body: &'connection [u8],
}

/// A keep-alive connection with one exchange at a time.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
    decoded: Vec<u8>,
}

/// What the head says about the rest.
struct Head {
    status: u16,
    length: usize,
    framing: Framing,
    session: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framing {
    Length(usize),
    Chunked,
}

impl Connection {
    /// Connects to `host:port`.
    ///
    /// # Errors
    /// When the connection cannot be made.
    pub async fn open(authority: &str) -> Result<Self, WireError> {
        let stream = TcpStream::connect(authority).await.map_err(WireError::Broken)?;
        stream.set_nodelay(true).map_err(WireError::Broken)?;
        Ok(Self { stream, received: Vec::with_capacity(READ_BYTES), decoded: Vec::new() })
    }

    /// Sends one request, head and body, and reads its answer. The caller sets the deadline.
    ///
    /// # Errors
    /// When the connection breaks or the answer is not HTTP as RFC 9112 has it.
    pub async fn exchange(&mut self, request: &[u8]) -> Result<Answer<'_>, WireError> {
        self.stream.write_all(request).await.map_err(WireError::Broken)?;
        self.received.clear();
        let head = loop {
            self.read_more().await?;
            if let Some(head) = parse_head(&self.received)? {
                break head;
            }
            if self.received.len() > MAX_HEAD_BYTES {
                return Err(WireError::Head("it is too long"));
            }
        };
        let body: &[u8] = match head.framing {
            Framing::Length(length) => {
                let end = head.length + length;
                while self.received.len() < end {
                    self.read_more().await?;
                }
                if self.received.len() > end {
                    return Err(WireError::Body("bytes follow it"));
                }
                &self.received[head.length..]
            }
            Framing::Chunked => {
                while !decode_chunks(&self.received[head.length..], &mut self.decoded)? {
                    self.read_more().await?;
                }
                &self.decoded
            }
        };
        Ok(Answer { status: head.status, session: head.session, body })
    }

    async fn read_more(&mut self) -> Result<(), WireError> {
        self.received.reserve(READ_BYTES);
        match self.stream.read_buf(&mut self.received).await.map_err(WireError::Broken)? {
            0 => Err(WireError::Closed),
            _ if self.received.len() > MAX_HEAD_BYTES + MAX_BODY_BYTES => Err(WireError::Body("it is too long")),
            _ => Ok(()),
        }
    }
}

/// The head if it is complete.
fn parse_head(received: &[u8]) -> Result<Option<Head>, WireError> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    let status = response.parse(received).map_err(|_| WireError::Head("it is not HTTP/1.1"))?;
    let httparse::Status::Complete(length) = status else { return Ok(None) };
    let status = response.code.ok_or(WireError::Head("it has no status"))?;
    let (mut framing, mut session) = (Framing::Length(0), None);
    for header in response.headers.iter() {
        if header.name.eq_ignore_ascii_case("content-length") {
            let length = std::str::from_utf8(header.value).ok().and_then(|text| text.parse().ok());
            framing = Framing::Length(length.ok_or(WireError::Head("its content length is not a number"))?);
        } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
            framing = Framing::Chunked;
        } else if header.name.eq_ignore_ascii_case("mcp-session-id") {
            session = Some(String::from_utf8_lossy(header.value).into_owned());
        }
    }
    if matches!(framing, Framing::Length(length) if length > MAX_BODY_BYTES) {
        return Err(WireError::Body("it is too long"));
    }
    Ok(Some(Head { status, length, framing, session }))
}

/// Decodes what has come of a chunked body; true when the last chunk is there.
///
/// It starts anew each time more has come: only targets that answer in chunks pay for it, and those are not expected.
fn decode_chunks(mut rest: &[u8], decoded: &mut Vec<u8>) -> Result<bool, WireError> {
    decoded.clear();
    loop {
        let Ok(size) = httparse::parse_chunk_size(rest) else { return Err(WireError::Body("a chunk's size is wrong")) };
        let httparse::Status::Complete((start, size)) = size else { return Ok(false) };
        let size = usize::try_from(size).ok().filter(|size| *size <= MAX_BODY_BYTES);
        let size = size.ok_or(WireError::Body("a chunk is too long"))?;
        let Some(chunk) = rest.get(start..start + size) else { return Ok(false) };
        decoded.extend_from_slice(chunk);
        match rest.get(start + size..start + size + 2) {
            None => return Ok(false),
            Some(b"\r\n") => rest = &rest[start + size + 2..],
            Some(_) => return Err(WireError::Body("a chunk does not end where it says")),
        }
        if size == 0 {
            return if rest.is_empty() { Ok(true) } else { Err(WireError::Body("bytes follow it")) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Framing, decode_chunks, parse_head};

    fn check_chunks(text: &str, expected: Result<Option<&str>, &str>) {
        let mut decoded = Vec::new();
        let found = decode_chunks(text.as_bytes(), &mut decoded);
        match (found, expected) {
            (Ok(true), Ok(Some(body))) => assert_eq!(decoded, body.as_bytes()),
            (Ok(false), Ok(None)) => {}
            (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{text:?}: {error}"),
            (found, expected) => panic!("{text:?} gave {found:?}, not {expected:?}"),
        }
    }

    #[test]
    fn chunks_are_joined_and_broken_ones_refused() {
        check_chunks("3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", Ok(Some("abcde")));
        check_chunks("3\r\nabc\r\n", Ok(None));
        check_chunks("3\r\nab", Ok(None));
        check_chunks("3\r\nabcX\r\n", Err("where it says"));
        check_chunks("zz\r\n", Err("size is wrong"));
        check_chunks("0\r\n\r\nmore", Err("bytes follow"));
        check_chunks("fffffff\r\n", Err("too long"));
    }

    #[test]
    fn a_head_gives_status_framing_and_session() {
        let head =
            parse_head(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nMcp-Session-Id: s1\r\n\r\nhello").unwrap().unwrap();
        assert_eq!((head.status, head.framing, head.session.as_deref()), (200, Framing::Length(5), Some("s1")));
        let head = parse_head(b"HTTP/1.1 502 Bad\r\nTransfer-Encoding: chunked\r\n\r\n").unwrap().unwrap();
        assert_eq!((head.status, head.framing), (502, Framing::Chunked));
        assert!(parse_head(b"HTTP/1.1 200 OK\r\ncontent-le").unwrap().is_none());
        assert!(parse_head(b"SSH-2.0-x\r\n\r\n").is_err());
        assert!(parse_head(b"HTTP/1.1 200 OK\r\ncontent-length: many\r\n\r\n").is_err());
    }
}
