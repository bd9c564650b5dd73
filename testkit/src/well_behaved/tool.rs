//! A tool: its definition and what it does.

use serde_json::{Value, json};

use crate::received::Received;
use crate::reply::Reply;

pub(super) type Answer = Box<dyn Fn(&Call) -> Value + Send + Sync>;
pub(super) type AnswerWith = Box<dyn Fn(&Call, &Value) -> Value + Send + Sync>;
pub(super) type Scripted = Box<dyn Fn(&Received, Reply) + Send + Sync>;

/// What a tool does when it is called.
pub(super) enum Act {
    Answer(Answer),
    /// Asks the client first: by a request of its own (legacy) or by `input_required` (modern).
    Ask {
        method: String,
        params: Value,
        then: AnswerWith,
    },
    Scripted(Scripted),
}

/// A tool of a [`super::WellBehaved`] server.
pub struct Tool {
    pub(super) definition: Value,
    pub(super) act: Act,
}

/// One call, as the tool's closure sees it.
#[derive(Debug, Clone)]
pub struct Call {
    /// The tool's name.
    pub tool: String,
    /// The arguments; an empty object when the call has none.
    pub arguments: Value,
    /// The whole message.
    pub received: Received,
}

impl Call {
    pub(super) fn of(received: &Received) -> Self {
        let arguments = received.params().get("arguments").cloned().unwrap_or_else(|| json!({}));
        Self { tool: received.name().to_owned(), arguments, received: received.clone() }
    }
}

impl Tool {
    /// A tool whose closure gives the result, such as [`text`].
    pub fn new(name: &str, answer: impl Fn(&Call) -> Value + Send + Sync + 'static) -> Self {
        Self::with(name, Act::Answer(Box::new(answer)))
    }

    /// A tool that first asks the client (`elicitation/create`, `sampling/createMessage`, `roots/list`) and makes its
    /// result from the call and the client's bare result.
    pub fn asking(
        name: &str,
        method: &str,
        params: Value,
        then: impl Fn(&Call, &Value) -> Value + Send + Sync + 'static,
    ) -> Self {
        Self::with(name, Act::Ask { method: method.to_owned(), params, then: Box::new(then) })
    }

    /// A tool whose closure does the whole answering itself, however badly.
    pub fn scripted(name: &str, answer: impl Fn(&Received, Reply) + Send + Sync + 'static) -> Self {
        Self::with(name, Act::Scripted(Box::new(answer)))
    }

    /// Sets the description.
    #[must_use]
    pub fn describe(self, description: &str) -> Self {
        self.member("description", json!(description))
    }

    /// Sets the input schema; without it any object is right.
    #[must_use]
    pub fn schema(self, schema: Value) -> Self {
        self.member("inputSchema", schema)
    }

    /// Sets any member of the definition.
    #[must_use]
    pub fn member(mut self, name: &str, value: Value) -> Self {
        self.definition[name] = value;
        self
    }

    fn with(name: &str, act: Act) -> Self {
        Self { definition: json!({ "name": name, "inputSchema": { "type": "object" } }), act }
    }
}

/// A tool result of one text.
#[must_use]
pub fn text(text: &str) -> Value {
    json!({ "content": [{ "type": "text", "text": text }] })
}
