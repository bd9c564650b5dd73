//! What came back for one request, whatever carried it.

use serde_json::Value;

use crate::http_text::Head;

/// Everything that came back until the answer was there, or until the stream ended without one.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    /// The head of the HTTP response; `None` over stdio.
    pub head: Option<Head>,
    /// Every JSON-RPC message, in order: notifications, requests of the server, the answer.
    pub messages: Vec<Value>,
    /// The body, or the lines, as they came.
    pub raw: Vec<u8>,
}

impl Answer {
    /// The HTTP status; 0 over stdio.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.head.as_ref().and_then(Head::status).unwrap_or(0)
    }

    /// A response header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.as_ref()?.header(name)
    }

    /// Every message that is an answer: a result or an error. A right gateway gives exactly one.
    #[must_use]
    pub fn responses(&self) -> Vec<&Value> {
        let is_response = |message: &&Value| message.get("result").is_some() || message.get("error").is_some();
        self.messages.iter().filter(is_response).collect()
    }

    /// The notifications of one method.
    #[must_use]
    pub fn notifications(&self, method: &str) -> Vec<&Value> {
        self.messages.iter().filter(|message| message["method"] == method).collect()
    }

    /// The result.
    ///
    /// # Panics
    /// When the answer is not exactly one result.
    #[must_use]
    #[track_caller]
    pub fn result(&self) -> &Value {
        match self.responses()[..] {
            [response] if response.get("result").is_some() => &response["result"],
            _ => panic!("expected one result, got {self}"),
        }
    }

    /// The error object.
    ///
    /// # Panics
    /// When the answer is not exactly one error.
    #[must_use]
    #[track_caller]
    pub fn error(&self) -> &Value {
        match self.responses()[..] {
            [response] if response.get("error").is_some() => &response["error"],
            _ => panic!("expected one error, got {self}"),
        }
    }

    /// The code of the error.
    ///
    /// # Panics
    /// As [`Answer::error`].
    #[must_use]
    #[track_caller]
    pub fn error_code(&self) -> i64 {
        self.error()["code"].as_i64().unwrap_or_else(|| panic!("an error without a code: {self}"))
    }

    /// Fails unless the answer is one error of this code whose message holds `text`.
    #[track_caller]
    pub fn assert_error(&self, code: i64, text: &str) {
        assert_eq!(self.error_code(), code, "{self}");
        let message = self.error()["message"].as_str().unwrap_or_default();
        assert!(message.contains(text), "the message should hold {text:?}: {self}");
    }

    /// The text of all text items of a tool result, joined by line feeds.
    ///
    /// # Panics
    /// As [`Answer::result`].
    #[must_use]
    #[track_caller]
    pub fn text(&self) -> String {
        let items = self.result()["content"].as_array().cloned().unwrap_or_default();
        let texts: Vec<&str> = items.iter().filter_map(|item| item["text"].as_str()).collect();
        texts.join("\n")
    }
}

impl std::fmt::Display for Answer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        const SHOWN: usize = 2000;
        let start = self.head.as_ref().map_or("", |head| head.start.as_str());
        let body: String = String::from_utf8_lossy(&self.raw).chars().take(SHOWN).collect();
        write!(formatter, "[{start}] {body:?}")
    }
}
