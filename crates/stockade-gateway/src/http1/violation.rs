//! What a client can do wrong on the wire, by name, and the status it is refused with.
//!
//! Nothing here holds a byte the peer sent: a violation goes to logs and to the audit record as it is.

/// Why a connection was refused. Reported once per connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Violation {
    /// The request line is not `method SP origin-form SP HTTP-version CRLF` (RFC 9112 §3).
    #[error("malformed request line: {fault}")]
    MalformedRequestLine {
        /// What is wrong with it.
        fault: RequestLineFault,
    },
    /// A version other than HTTP/1.1; HTTP/1.0 has neither a mandatory `Host` nor chunked bodies.
    #[error("the version is not HTTP/1.1")]
    UnsupportedVersion,
    /// A field line breaks RFC 9112 §5 or our stricter reading of it.
    #[error("malformed header field: {fault}")]
    MalformedField {
        /// What is wrong with it.
        fault: FieldFault,
    },
    /// A field that may occur once occurs twice. First-wins and last-wins both have victims.
    #[error("repeated header field `{field}`")]
    RepeatedField {
        /// Our own spelling of the name; `Mcp-Param-*` for any mirrored parameter.
        field: &'static str,
    },
    /// The length of the body cannot be known beyond doubt (RFC 9112 §6.3).
    #[error("ambiguous body length: {fault}")]
    AmbiguousLength {
        /// Why it is in doubt.
        fault: LengthFault,
    },
    /// The chunked coding is broken (RFC 9112 §7.1).
    #[error("malformed chunk: {fault}")]
    MalformedChunk {
        /// Where it broke.
        fault: ChunkFault,
    },
    /// Something legal in HTTP that has no use here and a history of attacks.
    #[error("refused feature: {feature}")]
    RefusedFeature {
        /// Which one.
        feature: Feature,
    },
    /// A limit on bytes or counts.
    #[error("too large: {part}")]
    TooLarge {
        /// What exceeded its limit.
        part: Part,
    },
    /// The client had a deadline and let it pass.
    #[error("too slow: {part}")]
    TooSlow {
        /// What it was sending.
        part: Part,
    },
}

impl Violation {
    /// The HTTP status of the refusal.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::UnsupportedVersion => 505,
            Self::RefusedFeature { feature: Feature::Expectation } => 417,
            Self::TooLarge { part: Part::RequestLine } => 414,
            Self::TooLarge { part: Part::Head | Part::Fields } => 431,
            Self::TooLarge { part: Part::Body } => 413,
            Self::TooSlow { .. } => 408,
            Self::MalformedRequestLine { .. }
            | Self::MalformedField { .. }
            | Self::RepeatedField { .. }
            | Self::AmbiguousLength { .. }
            | Self::MalformedChunk { .. }
            | Self::RefusedFeature { .. } => 400,
        }
    }
}

/// What is wrong with a request line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestLineFault {
    /// Not exactly three parts with one space between them, or an empty line before it.
    #[error("not three parts separated by one space")]
    Shape,
    /// The method is empty, too long or not an HTTP token.
    #[error("the method is not a token")]
    Method,
    /// The target does not begin with `/`: absolute-form, authority-form and `*` are refused.
    #[error("the target is not in origin-form")]
    TargetForm,
    /// The target holds a fragment, a control, a non-ASCII byte, a byte outside RFC 3986 or a broken `%` escape.
    #[error("the target holds a byte that a URI may not hold")]
    TargetByte,
}

/// What is wrong with a field line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FieldFault {
    /// A line ended by LF without CR before it.
    #[error("a line ends without carriage return")]
    BareLineFeed,
    /// A line begins with space or tab (obs-fold, RFC 9112 §5.2).
    #[error("a folded line")]
    Folded,
    /// A line without colon.
    #[error("no colon")]
    NoColon,
    /// Nothing before the colon.
    #[error("an empty name")]
    EmptyName,
    /// White space between name and colon (RFC 9112 §5.1).
    #[error("white space before the colon")]
    SpaceBeforeColon,
    /// A name with a byte that is not a token character.
    #[error("a name that is not a token")]
    Name,
    /// A control byte (a bare CR too) or a byte above 0x7e in a value.
    #[error("a control or non-ASCII byte in a value")]
    Value,
    /// No `Host` at all.
    #[error("no host")]
    MissingHost,
    /// A `Host` that is empty or holds anything but a name or address and a port.
    #[error("a host that is not a name or an address")]
    Host,
}

/// Why the length of a body is in doubt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LengthFault {
    /// `Content-Length` and `Transfer-Encoding` in one request.
    #[error("both a length and a transfer coding")]
    Both,
    /// A `Content-Length` that is not `1*DIGIT` or does not fit 64 bits.
    #[error("the length is not a number")]
    Number,
    /// A `Transfer-Encoding` that is not exactly `chunked`.
    #[error("the transfer coding is not exactly chunked")]
    Coding,
}

/// Where the chunked coding broke.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChunkFault {
    /// A size that is not one to sixteen hexadecimal digits.
    #[error("the size is not a hexadecimal number of at most sixteen digits")]
    Size,
    /// A size line ended by anything but CRLF.
    #[error("the size line does not end in CRLF")]
    LineEnd,
    /// An extension with a control or non-ASCII byte.
    #[error("an extension holds a control or non-ASCII byte")]
    ExtensionByte,
    /// An extension longer than [`super::CHUNK_EXTENSION_LIMIT_BYTES`].
    #[error("an extension is too long")]
    ExtensionLength,
    /// Chunk data not followed by CRLF.
    #[error("the data is not followed by CRLF")]
    DataEnd,
    /// Anything but CRLF after the last chunk: a trailer field.
    #[error("a trailer field")]
    Trailer,
}

/// Legal, and refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Feature {
    /// `CONNECT`, which turns the connection into a tunnel.
    #[error("method CONNECT")]
    Connect,
    /// `TRACE`, which echoes credentials.
    #[error("method TRACE")]
    Trace,
    /// `Upgrade` (h2c, WebSocket), which changes the framing under us.
    #[error("upgrade")]
    Upgrade,
    /// An `Expect` other than `100-continue` (RFC 9110 §10.1.1).
    #[error("unknown expectation")]
    Expectation,
}

/// A part of a request that has a limit or a deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Part {
    /// The request line.
    #[error("request line")]
    RequestLine,
    /// The request line and all fields, in bytes.
    #[error("head")]
    Head,
    /// The number of fields.
    #[error("number of fields")]
    Fields,
    /// The body.
    #[error("body")]
    Body,
}
