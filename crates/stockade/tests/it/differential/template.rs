//! The text of a message with marks for what Stockade may change in it.

use testkit::Era;

/// Where the JSON-RPC id stands.
const ID: &str = "§ID§";
/// Where a progress token stands.
const TOKEN: &str = "§TOKEN§";

/// A message as text; every byte outside of the marks is meant as it stands.
#[derive(Debug, Clone)]
pub(super) struct Template {
    text: String,
}

impl Template {
    pub(super) fn of(text: &str) -> Self {
        Self { text: text.to_owned() }
    }

    /// Fills in what an era wants in every message.
    pub(super) fn in_era(&self, era: Era) -> Self {
        let modern = |text: &'static str| if era.is_modern() { text } else { "" };
        let meta = modern(
            r#""io.modelcontextprotocol/protocolVersion":"2026-07-28" ,"io.modelcontextprotocol/clientCapabilities":{ "later":{}},"#,
        );
        let text = self.text.replace("§META§", meta).replace("§TYPE§", modern(r#""resultType":"complete", "#));
        let cache = modern(r#", "cacheScope":"private","ttlMs" : 0,"resultType":"complete""#);
        Self { text: text.replace("§CACHE§", cache) }
    }

    /// The bytes under this id and token, both as JSON text.
    pub(super) fn fill(&self, id: &str, token: &str) -> Vec<u8> {
        self.text.replace(ID, id).replace(TOKEN, token).into_bytes()
    }

    /// The number in the place of the id (or else of the token), if the bytes are otherwise these, with that very number
    /// in the place of the token.
    pub(super) fn number_in(&self, bytes: &[u8]) -> Option<String> {
        let mark = if self.text.contains(ID) { ID } else { TOKEN };
        let (start, _) = self.text.split_once(mark)?;
        // A token may stand before the id; it has as many digits as the number that is looked for.
        (1..=20).find_map(|digits| {
            let before = start.matches(TOKEN).count() * digits + start.replace(TOKEN, "").len();
            let number = std::str::from_utf8(bytes.get(before..before + digits)?).ok()?;
            let is_number = number.bytes().all(|byte| byte.is_ascii_digit());
            (is_number && self.fill(number, number) == bytes).then(|| number.to_owned())
        })
    }
}

/// Line breaks between values as the stdio framing has them: blanks.
pub(super) fn in_one_line(bytes: Vec<u8>) -> Vec<u8> {
    bytes.into_iter().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { byte }).collect()
}
