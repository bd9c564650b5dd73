//! One client on one connection: it asks the same thing again and again and checks every answer.
//!
//! The first answer is parsed and compared with what the upstream must have said; every later one must be 200, carry the
//! id that was asked, and have the first one's length.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::payload::{self, FIRST_ID, IDS_PER_CONNECTION};
use crate::plan::{Era, Work};
use crate::scan::Members;
use crate::wire::{Answer, Connection, WireError};

/// Bytes of an unexpected answer that an error shows.
const SHOWN_BYTES: usize = 200;
/// Decimal digits of every id.
const ID_DIGITS: usize = 10;

/// Why an answer does not count.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The exchange itself went wrong.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// The status is not the one that a success has.
    #[error("{asked} was answered with status {status}: {body}")]
    Status {
        /// What was asked.
        asked: &'static str,
        /// The HTTP status that came.
        status: u16,
        /// The start of the body.
        body: String,
    },
    /// The first answer is not what the upstream says.
    #[error("the first answer is not the upstream's: {what}: {body}")]
    Content {
        /// What is different.
        what: &'static str,
        /// The start of the body.
        body: String,
    },
    /// The answer is for another request, or for none.
    #[error("the answer to request {asked} does not carry its id: {body}")]
    Id {
        /// The id that was asked.
        asked: u64,
        /// The start of the body.
        body: String,
    },
    /// The answer's body has another length than the first one's.
    #[error("an answer has {found} bytes, the first one had {expected}")]
    Length {
        /// Bytes of the first answer.
        expected: usize,
        /// Bytes of this answer.
        found: usize,
    },
    /// The connection has used up its ids.
    #[error("one connection made more than {IDS_PER_CONNECTION} requests")]
    NoMoreIds,
}

/// Where requests go.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Endpoint {
    /// Host and port.
    pub authority: String,
    /// The MCP endpoint's path.
    pub path: String,
    /// The API key that goes into `Authorization`.
    pub key: String,
}

/// A client with one connection.
#[derive(Debug)]
pub struct Client {
    connection: Connection,
    endpoint: Endpoint,
    session: Option<String>,
    work: Work,
    request: Vec<u8>,
    id_at: usize,
    id: u64,
    last_id: u64,
    length: usize,
}

impl Client {
    /// Connects as client number `index` of its process, shakes hands where the era asks for it, makes the first request
    /// and checks its answer in full.
    ///
    /// # Errors
    /// When one of the answers is not the expected one.
    pub async fn open(endpoint: Endpoint, work: Work, era: Era, index: u32) -> Result<Self, CallError> {
        let mut connection = Connection::open(&endpoint.authority).await?;
        let session = if era == Era::Legacy { Some(shake_hands(&mut connection, &endpoint).await?) } else { None };
        let body = payload::request(work, era).to_string();
        let headers = headers(work, era, session.as_deref());
        let request = post(&endpoint, &headers, &body);
        let id_at = position(&request, &FIRST_ID.to_string());
        let id = FIRST_ID + u64::from(index) * IDS_PER_CONNECTION;
        let last_id = id + IDS_PER_CONNECTION - 1;
        let mut client = Self { connection, endpoint, session, work, request, id_at, id, last_id, length: 0 };
        client.first(era).await?;
        Ok(client)
    }

    /// Makes one request and checks status, id and length of its answer.
    ///
    /// # Errors
    /// When the answer is not the expected one; the connection must not be used any more.
    pub async fn call(&mut self) -> Result<(), CallError> {
        let length = self.length;
        let (id, answer) = self.ask().await?;
        if answer.body.len() != length {
            return Err(CallError::Length { expected: length, found: answer.body.len() });
        }
        carries(id, &answer)
    }

    /// Ends the session, if there is one, and the connection.
    ///
    /// # Errors
    /// When the server does not accept the end of its session (200, 202 and 204 are the ways to do so).
    pub async fn close(mut self) -> Result<(), CallError> {
        let Some(session) = self.session.take() else { return Ok(()) };
        let Endpoint { authority, path, key } = &self.endpoint;
        let request = format!(
            "DELETE {path} HTTP/1.1\r\nHost: {authority}\r\nAuthorization: Bearer {key}\r\nMcp-Session-Id: {session}\r\n\
             MCP-Protocol-Version: {}\r\n\r\n",
            Era::Legacy.revision()
        );
        let answer = self.connection.exchange(request.as_bytes()).await?;
        match answer.status {
            200 | 202 | 204 => Ok(()),
            _ => Err(unexpected("DELETE", &answer)),
        }
    }

    async fn first(&mut self, era: Era) -> Result<(), CallError> {
        let work = self.work;
        let (id, answer) = self.ask().await?;
        carries(id, &answer)?;
        verify(work, era, answer.body)?;
        self.length = answer.body.len();
        Ok(())
    }

    async fn ask(&mut self) -> Result<(u64, Answer<'_>), CallError> {
        if self.id >= self.last_id {
            return Err(CallError::NoMoreIds);
        }
        self.id += 1;
        write_id(&mut self.request[self.id_at..self.id_at + ID_DIGITS], self.id);
        let answer = self.connection.exchange(&self.request).await?;
        if answer.status == 200 { Ok((self.id, answer)) } else { Err(unexpected(self.work.method(), &answer)) }
    }
}

/// The legacy handshake; its result is the session's id.
async fn shake_hands(connection: &mut Connection, endpoint: &Endpoint) -> Result<String, CallError> {
    let answer = connection.exchange(&post(endpoint, "", &payload::initialize().to_string())).await?;
    if answer.status != 200 {
        return Err(unexpected("initialize", &answer));
    }
    let session = answer.session.clone().ok_or_else(|| different("there is no session id", answer.body))?;
    let headers = format!("MCP-Protocol-Version: {}\r\nMcp-Session-Id: {session}\r\n", Era::Legacy.revision());
    let answer = connection.exchange(&post(endpoint, &headers, &payload::initialized().to_string())).await?;
    if answer.status == 202 { Ok(session) } else { Err(unexpected("notifications/initialized", &answer)) }
}

fn headers(work: Work, era: Era, session: Option<&str>) -> String {
    let mut headers = format!("MCP-Protocol-Version: {}\r\n", era.revision());
    if let Some(session) = session {
        headers.push_str(&format!("Mcp-Session-Id: {session}\r\n"));
    }
    if era == Era::Modern {
        headers.push_str(&format!("Mcp-Method: {}\r\n", work.method()));
        if let Some(tool) = work.tool() {
            headers.push_str(&format!("Mcp-Name: {tool}\r\n"));
        }
    }
    headers
}

fn post(endpoint: &Endpoint, headers: &str, body: &str) -> Vec<u8> {
    let Endpoint { authority, path, key } = endpoint;
    format!(
        "POST {path} HTTP/1.1\r\nHost: {authority}\r\nAccept: application/json, text/event-stream\r\n\
         Content-Type: application/json\r\nAuthorization: Bearer {key}\r\n{headers}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// Where the prepared request holds its id: the last place, because headers come before the body and the body has one.
fn position(request: &[u8], id: &str) -> usize {
    memchr::memmem::rfind(request, id.as_bytes()).expect("a prepared request holds the first id")
}

fn write_id(digits: &mut [u8], mut id: u64) {
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (id % 10) as u8;
        id /= 10;
    }
}

fn carries(id: u64, answer: &Answer<'_>) -> Result<(), CallError> {
    let mut digits = [0_u8; ID_DIGITS];
    write_id(&mut digits, id);
    match Members::find(answer.body, "id") {
        Some(member) if member.value == digits => Ok(()),
        _ => Err(CallError::Id { asked: id, body: shown(answer.body) }),
    }
}

/// Compares the first answer with what the upstream says to this work.
fn verify(work: Work, era: Era, body: &[u8]) -> Result<(), CallError> {
    let answer: Value = serde_json::from_slice(body).map_err(|_| different("it is not JSON", body))?;
    let result = &answer["result"];
    if era == Era::Modern && result["resultType"] != "complete" {
        return Err(different("the result type", body));
    }
    let expected = payload::result(work, era);
    match work {
        Work::Echo1k | Work::Echo64k if result["content"] != expected["content"] => Err(different("the content", body)),
        Work::ToolsList if result["tools"].as_array().map(Vec::len) != Some(payload::TOOL_COUNT) => {
            Err(different("the number of tools", body))
        }
        _ => Ok(()),
    }
}

fn unexpected(asked: &'static str, answer: &Answer<'_>) -> CallError {
    CallError::Status { asked, status: answer.status, body: shown(answer.body) }
}

fn different(what: &'static str, body: &[u8]) -> CallError {
    CallError::Content { what, body: shown(body) }
}

fn shown(body: &[u8]) -> String {
    String::from_utf8_lossy(&body[..body.len().min(SHOWN_BYTES)]).escape_debug().to_string()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Endpoint, carries, headers, position, post, verify, write_id};
    use crate::payload::{self, FIRST_ID};
    use crate::plan::{Era, Work};
    use crate::wire::Answer;

    #[test]
    fn the_id_of_a_prepared_request_can_be_changed_in_place() {
        let endpoint = Endpoint { authority: "h:1".into(), path: "/mcp".into(), key: FIRST_ID.to_string() };
        let mut request = post(
            &endpoint,
            &headers(Work::Echo1k, Era::Modern, None),
            &payload::request(Work::Echo1k, Era::Modern).to_string(),
        );
        let at = position(&request, &FIRST_ID.to_string());
        write_id(&mut request[at..at + 10], 1_234_567_890);
        let text = String::from_utf8(request).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.contains("Mcp-Name: echo_1k") && head.contains(&format!("Bearer {FIRST_ID}")));
        assert_eq!(serde_json::from_str::<Value>(body).unwrap()["id"], json!(1_234_567_890_u64));
    }

    fn check(work: Work, change: fn(&mut Value), expected: Result<(), &str>) {
        let mut answer = json!({"jsonrpc": "2.0", "id": 1, "result": payload::result(work, Era::Modern)});
        change(&mut answer);
        match (verify(work, Era::Modern, answer.to_string().as_bytes()), expected) {
            (Ok(()), Ok(())) => {}
            (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{error}"),
            (found, expected) => panic!("{found:?}, not {expected:?}"),
        }
    }

    #[test]
    fn a_first_answer_that_is_not_the_upstreams_is_an_error() {
        check(Work::Echo1k, |_| {}, Ok(()));
        check(Work::ToolsList, |_| {}, Ok(()));
        check(Work::Echo1k, |answer| answer["result"]["content"][0]["text"] = json!("short"), Err("the content"));
        check(Work::Echo1k, |answer| answer["result"]["resultType"] = json!("task"), Err("the result type"));
        check(
            Work::ToolsList,
            |answer| drop(answer["result"]["tools"].as_array_mut().unwrap().pop()),
            Err("number of tools"),
        );
    }

    #[test]
    fn an_answer_with_another_id_is_an_error() {
        let answer = |body| Answer { status: 200, session: None, body };
        assert!(carries(FIRST_ID, &answer(br#"{"jsonrpc":"2.0","result":{},"id":1000000000}"#)).is_ok());
        for body in [&br#"{"id":1000000001}"#[..], br#"{"id":"1000000000"}"#, br#"{"result":{"id":1000000000}}"#, b""] {
            assert!(carries(FIRST_ID, &answer(body)).is_err());
        }
    }
}
