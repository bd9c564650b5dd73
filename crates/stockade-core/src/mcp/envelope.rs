//! The frame of a message: what JSON-RPC 2.0 says about it, read strictly.
//!
//! For: telling requests, notifications, results and errors apart in the one way that leaves no second reading.
//! Must never: look at what a method means; accept a message that another reader could take for something else.
//! Source: JSON-RPC 2.0 §4 to §6; attack cases PA-01 to PA-14.

use crate::wire::{Document, Kind, ReadError, Value, WireLimits, fold_name, to_json_string};
use crate::words::Untrusted;
use bytes::Bytes;
use std::borrow::Cow;
use std::fmt;
use std::hash::{Hash, Hasher};

use super::method::Method;
use super::shape::{has_control, resembles};

/// The id of a request, and of its answer: a string or an integer, and `1` is not `"1"`.
///
/// Two ids are equal when they are the same JSON value, however their strings were escaped.
#[derive(Clone)]
pub struct Id {
    value: IdValue,
    /// The JSON text as the peer wrote it, where it is not the one that we would write.
    raw: Option<Box<str>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum IdValue {
    Integer(i64),
    Text(Box<str>),
}

impl Id {
    /// The longest string that may be an id, in bytes between its quotes (PA-08).
    pub const TEXT_BYTES: usize = 1 << 10;
    /// The greatest integer that every JSON reader keeps exact, 2^53 - 1 (RFC 8259 §6).
    pub const INTEGER_MAX: i64 = (1 << 53) - 1;

    /// Reads an id: a string of at most [`Self::TEXT_BYTES`] without control characters, or an integer of at most
    /// [`Self::INTEGER_MAX`] in size that is written without fraction, exponent or negative zero.
    #[must_use]
    pub fn read(value: Value<'_>) -> Option<Self> {
        let raw = value.raw();
        match value.kind() {
            Kind::Number => {
                let integer =
                    value.as_i64().filter(|integer| integer.unsigned_abs() <= Self::INTEGER_MAX.unsigned_abs())?;
                (raw != "-0").then_some(Self { value: IdValue::Integer(integer), raw: None })
            }
            Kind::String if raw.len() <= Self::TEXT_BYTES + 2 => {
                let text = value.as_str().filter(|text| !has_control(text))?;
                let raw = (raw != to_json_string(&text)).then(|| raw.into());
                Some(Self { value: IdValue::Text(text.into()), raw })
            }
            _ => None,
        }
    }

    /// An id of our own making. Every `u32` is within the limits.
    #[must_use]
    pub fn from_number(number: u32) -> Self {
        Self { value: IdValue::Integer(number.into()), raw: None }
    }

    /// The JSON text, as the peer wrote it.
    #[must_use]
    pub fn to_json(&self) -> Cow<'_, str> {
        match (&self.raw, &self.value) {
            (Some(raw), _) => Cow::Borrowed(raw),
            (None, IdValue::Integer(integer)) => Cow::Owned(integer.to_string()),
            (None, IdValue::Text(text)) => Cow::Owned(to_json_string(text)),
        }
    }
}

impl PartialEq for Id {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl Eq for Id {}

impl Hash for Id {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.value.hash(state);
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Id({})", self.to_json())
    }
}

/// Which of the four messages of JSON-RPC 2.0 this is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Envelope {
    /// Wants an answer with the same id.
    Request {
        /// What the answer must carry.
        id: Id,
        /// The method, if it is one that we know; its name is [`Frame::method_name`].
        method: Option<Method>,
    },
    /// Wants no answer.
    Notification {
        /// The method, if it is one that we know; its name is [`Frame::method_name`].
        method: Option<Method>,
    },
    /// The answer to a request that went well.
    Result {
        /// The id of the request.
        id: Id,
    },
    /// The answer to a request that went wrong.
    Error {
        /// The id of the request, unless it could not be read.
        id: Option<Id>,
    },
}

/// Having one tells you: the bytes are one strict JSON-RPC 2.0 message that can be read in one way only.
#[derive(Debug, Clone)]
pub struct Frame {
    document: Document,
    envelope: Envelope,
}

/// Why bytes are not a frame. None of them repeats what the peer wrote, but for a method, in its escaped form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The strict reader refused the bytes.
    #[error("the message cannot be read")]
    Unreadable {
        /// What is wrong, and where.
        #[source]
        cause: ReadError,
    },
    /// The message is an array (PA-10).
    #[error("batches are not accepted")]
    Batch,
    /// The message is neither object nor array.
    #[error("the message is not an object")]
    NotAnObject,
    /// `id` is neither a short string nor an exact integer (PA-08).
    #[error("`id` is not a string of at most 1024 bytes or an integer within ±(2^53−1)")]
    BadId,
    /// `jsonrpc` is not `"2.0"`.
    #[error("`jsonrpc` is not `\"2.0\"`")]
    NotVersionTwo {
        /// The id to answer with.
        id: Option<Id>,
    },
    /// Not exactly one of `method`, `result` and `error` is there.
    #[error("not exactly one of `method`, `result` and `error` is there")]
    NoSingleKind {
        /// The id to answer with.
        id: Option<Id>,
    },
    /// `method` is not a name: no string, empty, too long or with control characters (PA-14).
    #[error("`method` is not a name of 1 to 256 bytes without control characters: `{said}`")]
    BadMethod {
        /// What stands there, escaped and cut for the record.
        said: String,
        /// The id to answer with.
        id: Option<Id>,
    },
    /// `params` is not an object, or stands in an answer.
    #[error("`params` is not an object of a request or notification")]
    BadParams {
        /// The id to answer with.
        id: Option<Id>,
    },
    /// A result has no `id`.
    #[error("a result without `id`")]
    ResultWithoutId,
    /// A member looks like `{member}` and is not it (PA-05, PA-06).
    #[error("a member looks like `{member}` and is not it")]
    LookAlike {
        /// The member of the protocol.
        member: &'static str,
        /// The id to answer with.
        id: Option<Id>,
    },
}

impl FrameError {
    /// The JSON-RPC error code to answer with: -32700 where the bytes are no JSON, -32600 for everything else.
    #[must_use]
    pub fn code(&self) -> i32 {
        match self {
            Self::Unreadable { cause } => match cause {
                ReadError::NotUtf8 { .. }
                | ReadError::NotJson { .. }
                | ReadError::Truncated
                | ReadError::LoneSurrogate { .. } => -32700,
                ReadError::TooLarge { .. }
                | ReadError::TooDeep { .. }
                | ReadError::TooMany { .. }
                | ReadError::TooLong { .. }
                | ReadError::DuplicateName { .. } => -32600,
            },
            Self::Batch
            | Self::NotAnObject
            | Self::BadId
            | Self::NotVersionTwo { .. }
            | Self::NoSingleKind { .. }
            | Self::BadMethod { .. }
            | Self::BadParams { .. }
            | Self::ResultWithoutId
            | Self::LookAlike { .. } => -32600,
        }
    }

    /// The id of the broken message, if it could be read beyond doubt.
    #[must_use]
    pub fn id(&self) -> Option<&Id> {
        match self {
            Self::NotVersionTwo { id }
            | Self::NoSingleKind { id }
            | Self::BadMethod { id, .. }
            | Self::BadParams { id }
            | Self::LookAlike { id, .. } => id.as_ref(),
            Self::Unreadable { .. } | Self::Batch | Self::NotAnObject | Self::BadId | Self::ResultWithoutId => None,
        }
    }
}

/// The members of an envelope, in the order in which `Members` holds them.
const NAMES: [&str; 6] = ["jsonrpc", "id", "method", "params", "result", "error"];

#[derive(Default)]
struct Members<'d> {
    jsonrpc: Option<Value<'d>>,
    id: Option<Value<'d>>,
    method: Option<Value<'d>>,
    params: Option<Value<'d>>,
    result: Option<Value<'d>>,
    error: Option<Value<'d>>,
    look_alike: Option<&'static str>,
}

impl<'d> Members<'d> {
    fn of(root: Value<'d>) -> Option<Self> {
        let mut members = Self::default();
        for (name, value) in root.as_object()?.members() {
            match name.as_ref() {
                "jsonrpc" => members.jsonrpc = Some(value),
                "id" => members.id = Some(value),
                "method" => members.method = Some(value),
                "params" => members.params = Some(value),
                "result" => members.result = Some(value),
                "error" => members.error = Some(value),
                stranger => {
                    let folded = fold_name(stranger);
                    let known = NAMES.into_iter().find(|known| resembles(stranger, &folded, known));
                    members.look_alike = members.look_alike.or(known);
                }
            }
        }
        Some(members)
    }
}

impl Frame {
    /// The longest method name, in bytes. The longest that we know has 40.
    pub const METHOD_BYTES: usize = 256;

    /// Reads one message.
    ///
    /// Members beside those of JSON-RPC stay, unread, unless they look like one of them.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn read(bytes: Bytes, limits: &WireLimits) -> Result<Self, FrameError> {
        let document = Document::read(bytes, limits).map_err(|cause| FrameError::Unreadable { cause })?;
        let envelope = Self::envelope_of(document.root())?;
        Ok(Self { document, envelope })
    }

    fn envelope_of(root: Value<'_>) -> Result<Envelope, FrameError> {
        if root.kind() == Kind::Array {
            return Err(FrameError::Batch);
        }
        let members = Members::of(root).ok_or(FrameError::NotAnObject)?;
        let id = members.id.map(|id| Id::read(id).ok_or(FrameError::BadId)).transpose()?;
        if let Some(member) = members.look_alike {
            // With two candidates for the id there is none to trust.
            return Err(FrameError::LookAlike { member, id: id.filter(|_| member != "id") });
        }
        if members.jsonrpc.and_then(Value::as_str).as_deref() != Some("2.0") {
            return Err(FrameError::NotVersionTwo { id });
        }
        match (members.method, members.result, members.error) {
            (Some(method), None, None) => {
                let name = method.as_str().filter(|name| is_method_name(name));
                let Some(name) = name else {
                    let said = Untrusted::new(method.as_str().unwrap_or_else(|| method.raw().into())).for_log();
                    return Err(FrameError::BadMethod { said, id });
                };
                if members.params.is_some_and(|params| params.kind() != Kind::Object) {
                    return Err(FrameError::BadParams { id });
                }
                let method = Method::parse(&name);
                Ok(match id {
                    Some(id) => Envelope::Request { id, method },
                    None => Envelope::Notification { method },
                })
            }
            (None, Some(_), None) | (None, None, Some(_)) if members.params.is_some() => {
                Err(FrameError::BadParams { id })
            }
            (None, Some(_), None) => id.map(|id| Envelope::Result { id }).ok_or(FrameError::ResultWithoutId),
            (None, None, Some(_)) => Ok(Envelope::Error { id }),
            _ => Err(FrameError::NoSingleKind { id }),
        }
    }

    /// Which of the four it is.
    #[must_use]
    pub fn envelope(&self) -> &Envelope {
        &self.envelope
    }

    /// The id, where there is one.
    #[must_use]
    pub fn id(&self) -> Option<&Id> {
        match &self.envelope {
            Envelope::Request { id, .. } | Envelope::Result { id } => Some(id),
            Envelope::Error { id } => id.as_ref(),
            Envelope::Notification { .. } => None,
        }
    }

    /// The method, if this is a request or notification of one that we know.
    #[must_use]
    pub fn method(&self) -> Option<Method> {
        match &self.envelope {
            Envelope::Request { method, .. } | Envelope::Notification { method } => *method,
            Envelope::Result { .. } | Envelope::Error { .. } => None,
        }
    }

    /// The method's name as the peer gave it, known or not. What others say: not for a caller's eyes.
    #[must_use]
    pub fn method_name(&self) -> Option<Cow<'_, str>> {
        self.document.root().get("method")?.as_str()
    }

    /// The parameters, always an object.
    #[must_use]
    pub fn params(&self) -> Option<Value<'_>> {
        self.document.root().get("params")
    }

    /// The result.
    #[must_use]
    pub fn result(&self) -> Option<Value<'_>> {
        self.document.root().get("result")
    }

    /// The error.
    #[must_use]
    pub fn error(&self) -> Option<Value<'_>> {
        self.document.root().get("error")
    }

    /// The message as read.
    #[must_use]
    pub fn document(&self) -> &Document {
        &self.document
    }
}

fn is_method_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= Frame::METHOD_BYTES && !has_control(name)
}
