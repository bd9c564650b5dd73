//! The words of the road: names, ids, and text that others wrote.
//!
//! Must never: let a bare `String` travel between functions that mean different things by it.

use std::fmt;
use std::sync::Arc;

/// Why a name was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Not a name that `/mcp/{server}` and `server__tool` can carry without doubt.
    #[error(
        "server name `{name}` is not allowed: use 1 to 40 lower-case letters, digits, `-` or single `_`, starting and ending with a letter or digit"
    )]
    Server {
        /// What was said, escaped.
        name: String,
    },
    /// Not a name that can stand in a policy and in a record.
    #[error("caller name `{name}` is not allowed: use 1 to 128 letters, digits or any of `-_.@:/|%`")]
    Caller {
        /// What was said, escaped.
        name: String,
    },
}

/// A configured server. Lower-case, so that no two differ only by case; no `__`, so that `server__tool` splits one way.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ServerName(String);

impl ServerName {
    /// What stands between the server and the name of its tool or prompt on the merged route.
    pub const SEPARATOR: &'static str = "__";

    /// # Errors
    /// When the text is no server name.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let edges = text.bytes().next().is_some_and(inner) && text.bytes().last().is_some_and(inner);
        let all = text.bytes().all(|byte| inner(byte) || byte == b'-' || byte == b'_');
        if edges && all && text.len() <= 40 && !text.contains(Self::SEPARATOR) {
            Ok(Self(text.to_owned()))
        } else {
            Err(NameError::Server { name: Untrusted::new(text.to_owned()).for_log() })
        }
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// `server__name`, as the merged route shows it.
    #[must_use]
    pub fn prefixed(&self, name: &str) -> String {
        format!("{}{}{name}", self.0, Self::SEPARATOR)
    }

    /// Splits `server__name`; the server is what stands before the first separator.
    #[must_use]
    pub fn split(prefixed: &str) -> Option<(Self, &str)> {
        let (server, name) = prefixed.split_once(Self::SEPARATOR)?;
        Some((Self::parse(server).ok()?, name))
    }
}

impl fmt::Display for ServerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Who calls, as policies and records name them.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CallerName(String);

impl CallerName {
    /// # Errors
    /// When the text is no caller name.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let fine = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.@:/|%".contains(&byte);
        if !text.is_empty() && text.len() <= 128 && text.bytes().all(fine) {
            Ok(Self(text.to_owned()))
        } else {
            Err(NameError::Caller { name: Untrusted::new(text.to_owned()).for_log() })
        }
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CallerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How a caller was recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CallerKind {
    /// The operating system's user who started `stockade wrap`.
    LocalUser,
    /// The holder of an API key.
    ApiKey,
    /// The holder of a client certificate's key.
    Certificate,
    /// The holder of an access token.
    Token,
    /// Nobody in particular; only where a sandbox configuration names such a caller.
    Anonymous,
}

impl CallerKind {
    /// All of them, for generated tables.
    pub const ALL: [Self; 5] = [Self::LocalUser, Self::ApiKey, Self::Certificate, Self::Token, Self::Anonymous];

    /// The word for policies and records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LocalUser => "local-user",
            Self::ApiKey => "api-key",
            Self::Certificate => "certificate",
            Self::Token => "token",
            Self::Anonymous => "anonymous",
        }
    }
}

/// Where a caller of a token comes from. A new token of the same three is the same caller (attack case AU-18).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Origin {
    /// The token's issuer, whole (RFC 9068 §2.2 `iss`).
    pub issuer: String,
    /// Whom the issuer speaks of (`sub`).
    pub subject: String,
    /// The client that the token was issued to (`client_id`); empty where the issuer does not say.
    pub client: String,
}

/// A recognised caller: who it is, and nothing of what was shown to prove it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Caller {
    /// The name that rules use.
    pub name: CallerName,
    /// How they were recognised.
    pub kind: CallerKind,
    /// Where they come from, for callers of tokens.
    pub origin: Option<Arc<Origin>>,
}

impl Caller {
    /// A caller who comes from nowhere else.
    #[must_use]
    pub const fn new(name: CallerName, kind: CallerKind) -> Self {
        Self { name, kind, origin: None }
    }

    /// One text for exactly this caller, to bind sealed things to: no two callers have the same.
    #[must_use]
    pub fn binding(&self) -> String {
        let mut text = format!("{}\n{}", self.kind.as_str(), self.name);
        if let Some(origin) = &self.origin {
            for part in [&origin.issuer, &origin.subject, &origin.client] {
                // Each part goes with its length, so that no part can pretend to be two.
                text.push_str(&format!("\n{}:{part}", part.len()));
            }
        }
        text
    }
}

/// The id of one ticket, and so of its records: 26 characters of Crockford base 32, in the order of time (ULID layout:
/// 48 bits of milliseconds, 80 random bits).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TicketId([u8; 26]);

impl TicketId {
    /// Makes one from the wall clock (milliseconds since 1970) and ten random bytes.
    #[must_use]
    pub fn new(unix_ms: u64, random: [u8; 10]) -> Self {
        const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
        let tail = random.iter().fold(0_u128, |value, byte| (value << 8) | u128::from(*byte));
        let mut bits = (u128::from(unix_ms & 0xFFFF_FFFF_FFFF) << 80) | tail;
        let mut text = [b'0'; 26];
        for place in text.iter_mut().rev() {
            *place = ALPHABET.get((bits & 31) as usize).copied().unwrap_or(b'0');
            bits >>= 5;
        }
        Self(text)
    }

    /// The 26 characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for TicketId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A legacy session's id as a client presents it. Opens nothing by itself: the caller is always checked beside it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct SessionId(String);

impl SessionId {
    /// Takes the header's value; anything that is not 1 to 256 visible ASCII characters is no session (MCP 2025-11-25,
    /// Streamable HTTP, "Session Management").
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let fine = (1..=256).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        fine.then(|| Self(text.to_owned()))
    }

    /// An id of our own making, from 256 random bits: 64 hexadecimal digits.
    #[must_use]
    pub fn from_random(random: [u8; 32]) -> Self {
        Self(random.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// The id, for the wire only.
    #[must_use]
    pub fn as_wire(&self) -> &str {
        &self.0
    }

    /// A short name for records that lets nobody use the session.
    #[must_use]
    pub fn digest(&self) -> String {
        let digest = crate::wire::Digest::of(self.0.as_bytes()).to_string();
        digest.get(..16).unwrap_or_default().to_owned()
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionId({})", self.digest())
    }
}

/// What a peer said. It can be compared and matched by those who unwrap it on purpose; it cannot be shown by accident.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Untrusted<T>(T);

impl<T> Untrusted<T> {
    /// Marks a value as a peer's word.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// The value, for a caller that judges it.
    pub const fn as_alleged(&self) -> &T {
        &self.0
    }
}

impl<T: AsRef<str>> Untrusted<T> {
    /// Characters that a record or log line keeps of one peer's text.
    pub const LOG_CHARACTERS: usize = 256;

    /// One line without controls or invisible characters, cut at [`Self::LOG_CHARACTERS`] with a visible mark.
    #[must_use]
    pub fn for_log(&self) -> String {
        stockade_inspect::escape::for_log(self.0.as_ref(), Self::LOG_CHARACTERS)
    }

    /// For HTML, as text or inside a quoted attribute: markup and hidden characters are written out. Not cut.
    #[must_use]
    pub fn for_html(&self) -> String {
        stockade_inspect::escape::for_html(self.0.as_ref()).into_owned()
    }
}

/// Something that must not be seen. No `Display`, `Debug` of its content, `Clone` or `==`; wiped when it goes.
pub struct Secret(zeroize::Zeroizing<String>);

impl Secret {
    /// Takes the text over.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(zeroize::Zeroizing::new(text))
    }

    /// The text, for the one comparison or computation that needs it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn server_names_split_one_way() {
        for (name, allowed) in [
            ("files", true),
            ("my-files_2", true),
            ("a", true),
            ("", false),
            ("FILES", false),
            ("files.", false),
            ("a__b", false),
            ("a_", false),
            ("-a", false),
            ("fi les", false),
            ("f\u{456}les", false),
        ] {
            assert_eq!(ServerName::parse(name).is_ok(), allowed, "{name:?}");
        }
        let (server, tool) = ServerName::split("a__b__c").unwrap();
        assert_eq!((server.as_str(), tool), ("a", "b__c"));
        assert_eq!(server.prefixed(tool), "a__b__c");
    }

    #[test]
    fn no_two_callers_have_the_same_binding() {
        let name = CallerName::parse("corp:alice").unwrap();
        let from = |issuer: &str, subject: &str, client: &str| Caller {
            name: name.clone(),
            kind: CallerKind::Token,
            origin: Some(Arc::new(Origin {
                issuer: issuer.to_owned(),
                subject: subject.to_owned(),
                client: client.to_owned(),
            })),
        };
        let callers = [
            Caller::new(name.clone(), CallerKind::ApiKey),
            Caller::new(name.clone(), CallerKind::Token),
            from("a", "b", "c"),
            from("a", "b\n1:c", ""),
            from("a\n1:b", "c", ""),
            from("a", "", "b"),
        ];
        let bindings: std::collections::HashSet<_> = callers.iter().map(Caller::binding).collect();
        assert_eq!(bindings.len(), callers.len());
    }

    #[test]
    fn tickets_sort_by_time() {
        let earlier = TicketId::new(1_700_000_000_000, [255; 10]);
        let later = TicketId::new(1_700_000_000_001, [0; 10]);
        assert!(earlier < later);
        assert_eq!(earlier.as_str().len(), 26);
    }

    #[test]
    fn a_secret_does_not_show_itself() {
        assert_eq!(format!("{:?}", Secret::new("hunter2".to_owned())), "Secret(…)");
    }
}
