//! Cursors of the merged lists: where to go on in each server's list, sealed.
//!
//! For: that no client can read, change or make up where a server's list goes on, nor use another's cursor (RX-06). The
//! seal is bound to the caller, the method and this process; it ends after [`LIFETIME`].
//! Must never: carry more than [`UPSTREAM_BYTES`] of one server's, or let a list go on for more than [`PAGES`] pages.

use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;
use std::time::Duration;
use stockade_core::mcp::Method;
use stockade_core::ports::{Moment, Seals};
use stockade_core::words::{CallerName, ServerName};

/// How long a client may wait before it asks for the next page.
const LIFETIME: Duration = Duration::from_secs(3600);
/// The longest cursor of a server's that is carried, in bytes.
pub(super) const UPSTREAM_BYTES: usize = 16 << 10;
/// Pages of one list.
pub(super) const PAGES: u32 = 10_000;

/// Tells this process from others: expiry is told by a clock that starts with the process. Not a secret, the seal's key is.
static PROCESS: LazyLock<u64> = LazyLock::new(|| RandomState::new().hash_one(std::process::id()));

/// Where to go on in one server's list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) server: ServerName,
    /// The server's own cursor, which may be empty; nothing means from the beginning.
    pub(super) cursor: Option<String>,
}

/// What a cursor says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cursor {
    /// The number of the page that it leads to; the first page is 0 and needs none.
    pub(super) page: u32,
    /// The servers whose lists go on.
    pub(super) places: Vec<Place>,
}

/// Whose cursors these are, and of which list.
pub(super) struct Binding<'b> {
    pub(super) caller: &'b CallerName,
    pub(super) method: Method,
    pub(super) now: Moment,
}

impl Binding<'_> {
    fn context(&self) -> Vec<u8> {
        let mut context = PROCESS.to_be_bytes().to_vec();
        for part in ["cursor", self.caller.as_str(), self.method.as_str()] {
            context.extend_from_slice(&(part.len() as u64).to_be_bytes());
            context.extend_from_slice(part.as_bytes());
        }
        context
    }

    /// Seals a cursor.
    pub(super) fn seal(&self, seals: &dyn Seals, cursor: &Cursor) -> String {
        let ends = u64::try_from((self.now.0 + LIFETIME).as_millis()).unwrap_or(u64::MAX);
        let mut plain = ends.to_be_bytes().to_vec();
        plain.extend_from_slice(&cursor.page.to_be_bytes());
        for place in &cursor.places {
            push_text(&mut plain, place.server.as_str());
            match &place.cursor {
                None => plain.push(0),
                Some(text) => {
                    plain.push(1);
                    push_text(&mut plain, text);
                }
            }
        }
        seals.seal(&self.context(), &plain)
    }

    /// Opens a cursor that was sealed for the same caller and list and has not ended.
    pub(super) fn open(&self, seals: &dyn Seals, sealed: &str) -> Option<Cursor> {
        let plain = seals.open(&self.context(), sealed)?;
        let (ends, rest) = plain.split_first_chunk::<8>()?;
        if self.now.0 >= Duration::from_millis(u64::from_be_bytes(*ends)) {
            return None;
        }
        let (page, mut rest) = rest.split_first_chunk::<4>()?;
        let mut places = Vec::new();
        while !rest.is_empty() {
            let server = ServerName::parse(take_text(&mut rest)?).ok()?;
            let (has_cursor, after) = rest.split_first()?;
            rest = after;
            let cursor = if *has_cursor == 0 { None } else { Some(take_text(&mut rest)?.to_owned()) };
            places.push(Place { server, cursor });
        }
        Some(Cursor { page: u32::from_be_bytes(*page), places })
    }
}

fn push_text(plain: &mut Vec<u8>, text: &str) {
    plain.extend_from_slice(&(text.len() as u64).to_be_bytes());
    plain.extend_from_slice(text.as_bytes());
}

fn take_text<'p>(rest: &mut &'p [u8]) -> Option<&'p str> {
    let (length, after) = rest.split_first_chunk::<8>()?;
    let (text, after) = after.split_at_checked(usize::try_from(u64::from_be_bytes(*length)).ok()?)?;
    *rest = after;
    std::str::from_utf8(text).ok()
}

/// For the fuzz harness: opens `plain` as if it had come sealed, and says whether what it opens to comes back from a seal as
/// the same.
pub(super) fn reopen(plain: &[u8]) -> Option<bool> {
    struct Unsealed(Vec<u8>);
    impl Seals for Unsealed {
        fn seal(&self, _: &[u8], plain: &[u8]) -> String {
            plain.iter().map(|byte| format!("{byte:02x}")).collect()
        }
        fn open(&self, _: &[u8], sealed: &str) -> Option<Vec<u8>> {
            let digits = |at| sealed.get(at..at + 2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
            if sealed.is_empty() { Some(self.0.clone()) } else { (0..sealed.len()).step_by(2).map(digits).collect() }
        }
    }
    let caller = CallerName::parse("fuzz").ok()?;
    let binding = Binding { caller: &caller, method: Method::ToolsList, now: Moment(Duration::ZERO) };
    let seals = Unsealed(plain.to_vec());
    let cursor = binding.open(&seals, "")?;
    let again = binding.open(&seals, &binding.seal(&seals, &cursor));
    Some(again == Some(cursor))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Seals that keep the context beside the text, so that a test sees whether contexts differ.
    pub(crate) struct OpenSeals;

    impl Seals for OpenSeals {
        fn seal(&self, context: &[u8], plain: &[u8]) -> String {
            let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
            format!("{}-{}", hex(context), hex(plain))
        }

        fn open(&self, context: &[u8], sealed: &str) -> Option<Vec<u8>> {
            let (bound, plain) = sealed.split_once('-')?;
            let bytes = |hex: &str| -> Option<Vec<u8>> {
                (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok()).collect()
            };
            (bytes(bound)? == context).then(|| bytes(plain)).flatten()
        }
    }

    fn at(seconds: u64) -> Moment {
        Moment(Duration::from_secs(seconds))
    }

    fn place(server: &str, cursor: Option<&str>) -> Place {
        Place { server: ServerName::parse(server).unwrap(), cursor: cursor.map(str::to_owned) }
    }

    #[test]
    fn a_cursor_opens_for_its_caller_and_list_until_it_ends() {
        let (alice, bob) = (CallerName::parse("alice").unwrap(), CallerName::parse("bob").unwrap());
        let places = vec![place("a", Some("")), place("b", Some("päge 2")), place("c", None)];
        let cursor = Cursor { page: 3, places };
        let bound = |caller, method, now| Binding { caller, method, now: at(now) };
        let sealed = bound(&alice, Method::ToolsList, 100).seal(&OpenSeals, &cursor);
        for (caller, method, now, opens) in [
            (&alice, Method::ToolsList, 100, true),
            (&alice, Method::ToolsList, 3_699, true),
            (&alice, Method::ToolsList, 3_700, false),
            (&bob, Method::ToolsList, 100, false),
            (&alice, Method::PromptsList, 100, false),
        ] {
            let opened = bound(caller, method, now).open(&OpenSeals, &sealed);
            assert_eq!(opened, opens.then(|| cursor.clone()), "{caller} {method:?} {now}");
        }
    }

    #[test]
    fn what_is_no_cursor_does_not_open() {
        let alice = CallerName::parse("alice").unwrap();
        let binding = Binding { caller: &alice, method: Method::ToolsList, now: at(0) };
        let whole = binding.seal(&OpenSeals, &Cursor { page: 1, places: vec![place("a", Some("x"))] });
        assert!(binding.open(&OpenSeals, &whole).is_some());
        let header = 2 * (8 + 4);
        let start = whole.find('-').unwrap() + 1;
        for end in (start..whole.len()).step_by(2).filter(|end| *end != start + header) {
            assert_eq!(binding.open(&OpenSeals, whole.get(..end).unwrap()), None, "cut at {end}");
        }
        assert_eq!(binding.open(&OpenSeals, ""), None);
    }
}
