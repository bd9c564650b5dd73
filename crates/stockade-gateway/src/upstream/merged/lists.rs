//! Lists of the merged route: one page of ours is one page of each server's.
//!
//! Servers stand in the order of their names, entries in the order of their server. Names of tools and prompts get their
//! server's prefix; everything else of an entry stays byte for byte. Resources keep their URIs, and [`Owners`] learns
//! whose they are.
//! Must never: show an entry whose use would reach another server; fail because one server does.

use super::cursor::{Binding, Cursor, PAGES, Place, UPSTREAM_BYTES};
use super::handshake::{least_ttl_ms, server_info};
use super::owners::{ClaimError, Owners};
use super::share::{Fan, Meanwhile, Part, ShareError, none_answered, reason_of};
use std::collections::HashMap;
use stockade_core::mcp::{Era, ListKind};
use stockade_core::ports::{Incoming, Moment, UpstreamError};
use stockade_core::wire::{Edits, Value, push_json_string};
use stockade_core::words::{CallerName, ServerName, Untrusted};
use tracing::warn;

/// The longest name of a tool or prompt, in characters (MCP 2025-11-25 `tools`, "Tool Names").
const NAME_CHARACTERS: usize = 128;
/// JSON-RPC 2.0 §5.1: how a server says that it does not know its own cursor any more.
const BAD_PARAMS: i64 = -32602;

/// A list that can be merged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum List {
    Tools,
    Prompts,
    Resources,
    Templates,
}

impl List {
    /// The list of this kind, unless its entries belong to one server in a way that no prefix can tell.
    pub(super) const fn of(kind: ListKind) -> Option<Self> {
        match kind {
            ListKind::Tools => Some(Self::Tools),
            ListKind::Prompts => Some(Self::Prompts),
            ListKind::Resources => Some(Self::Resources),
            ListKind::ResourceTemplates => Some(Self::Templates),
            ListKind::ResourceDirectory | ListKind::Tasks | ListKind::Skills => None,
        }
    }

    const fn member(self) -> &'static str {
        match self {
            Self::Tools => "tools",
            Self::Prompts => "prompts",
            Self::Resources => "resources",
            Self::Templates => "resourceTemplates",
        }
    }
}

/// What a request asks for: a page, and for each server where its list goes on.
pub(super) struct Wanted {
    list: List,
    now: Moment,
    /// `None` for the first page.
    from: Option<Cursor>,
}

impl Wanted {
    /// Reads the request's cursor, if there is one.
    ///
    /// # Errors
    /// When it was not sealed here for this caller and list, or has ended.
    pub(super) fn read(fan: &Fan, list: List, now: Moment) -> Result<Self, UpstreamError> {
        let cursor = cursor_of(fan).and_then(Value::as_str);
        let unknown = UpstreamError::NotKnown { what: "cursor" };
        let Some(sealed) = cursor else { return Ok(Self { list, now, from: None }) };
        let from = binding(fan, now).open(fan.servers.seals.as_ref(), &sealed).ok_or(unknown.clone())?;
        let reach = fan.outbound.reach();
        if from.places.iter().any(|place| reach.contains(&place.server)) {
            Ok(Self { list, now, from: Some(from) })
        } else {
            Err(unknown)
        }
    }

    /// The servers to ask, in the order of their names, and the change to the request for each.
    fn asked(&self, fan: &Fan) -> (Vec<(ServerName, Edits)>, HashMap<ServerName, Place>) {
        let (mut asked, mut places) = (Vec::new(), HashMap::new());
        for server in fan.outbound.reach() {
            let place = match &self.from {
                None => Place { server: server.clone(), cursor: None },
                Some(from) => match from.places.iter().find(|place| place.server == *server) {
                    Some(place) => place.clone(),
                    None => continue,
                },
            };
            let mut edits = Edits::new();
            match (&place.cursor, cursor_of(fan)) {
                (Some(own), Some(ours)) => edits.replace_string(ours.span(), own),
                (None, Some(_)) => {
                    if let Some(params) = fan.outbound.frame().params().and_then(Value::as_object) {
                        edits.remove_members(params, |name| name == "cursor");
                    }
                }
                (_, None) => {}
            }
            asked.push((server.clone(), edits));
            places.insert(server.clone(), place);
        }
        (asked, places)
    }
}

fn cursor_of(fan: &Fan) -> Option<Value<'_>> {
    fan.outbound.frame().params().and_then(|params| params.get("cursor"))
}

fn binding(fan: &Fan, now: Moment) -> Binding<'_> {
    Binding { caller: &fan.outbound.caller().name, method: fan.outbound.method(), now }
}

/// Gathers one page.
///
/// # Errors
/// When no server has answered.
pub(super) async fn gather(fan: Fan, wanted: Wanted, meanwhile: Meanwhile) -> Result<Incoming, UpstreamError> {
    let (asked, places) = wanted.asked(&fan);
    let parts = fan.ask(asked, &meanwhile).await;
    let ttl_ms = least_ttl_ms(&parts);
    if parts.iter().all(|(_, part)| part.as_ref().is_err_and(|error| !error.is_nothing())) {
        return Err(no_page(parts, wanted.from.is_some()));
    }
    let caller = &fan.outbound.caller().name;
    let mut page = Page::new(wanted.list, caller, &fan.servers.owners, fan.servers.limits().message_bytes);
    for (server, part) in &parts {
        let result = part.as_ref().ok().and_then(|frame| frame.result());
        if let (Some(result), Some(place)) = (result, places.get(server)) {
            page.add(place, result);
        }
    }
    let number = wanted.from.as_ref().map_or(1, |from| from.page.saturating_add(1));
    let next = page.take_next(number);
    let next = next.map(|next| binding(&fan, wanted.now).seal(fan.servers.seals.as_ref(), &next));
    let ttl_ms = (fan.outbound.revision().era() == Era::Modern).then_some(ttl_ms);
    fan.answer(&page.finish(next.as_deref(), ttl_ms))
}

/// On a further page, a server that does not know its cursor any more is the client's to hear of.
fn no_page(parts: Vec<Part>, is_further: bool) -> UpstreamError {
    let failures: Vec<_> = parts.into_iter().filter_map(|(server, part)| Some((server, part.err()?))).collect();
    let forgotten = |error: &ShareError| matches!(error, ShareError::Declined { code: Some(BAD_PARAMS) });
    if is_further && failures.iter().any(|(_, error)| forgotten(error)) {
        return UpstreamError::NotKnown { what: "cursor" };
    }
    none_answered(failures)
}

/// A page in the making.
struct Page<'p> {
    list: List,
    caller: &'p CallerName,
    owners: &'p Owners,
    entries: Vec<u8>,
    /// Bytes that the page may have; a server's page that does not fit comes with the next one.
    room: usize,
    next: Vec<Place>,
}

impl<'p> Page<'p> {
    const fn new(list: List, caller: &'p CallerName, owners: &'p Owners, room: usize) -> Self {
        Self { list, caller, owners, entries: Vec::new(), room, next: Vec::new() }
    }

    /// Adds the page of one server's, which the message table has passed.
    fn add(&mut self, place: &Place, result: Value<'_>) {
        let Some(entries) = result.get(self.list.member()) else { return };
        if !self.entries.is_empty() && self.entries.len().saturating_add(entries.raw().len()) > self.room {
            self.next.push(place.clone());
            return;
        }
        for entry in entries.as_array().into_iter().flat_map(|array| array.elements()) {
            if let Err(error) = self.add_entry(&place.server, entry) {
                warn!(server = %place.server, list = self.list.member(), reason = reason_of(&error), "entry left out");
            }
        }
        if let Some(cursor) = result.get("nextCursor").and_then(Value::as_str) {
            if cursor.len() <= UPSTREAM_BYTES {
                self.next.push(Place { server: place.server.clone(), cursor: Some(cursor.into_owned()) });
            } else {
                warn!(server = %place.server, list = self.list.member(), "the rest is left out: its cursor is too long");
            }
        }
    }

    fn add_entry(&mut self, server: &ServerName, entry: Value<'_>) -> Result<(), EntryError> {
        let text = |name| entry.get(name).and_then(Value::as_str).ok_or(EntryError::Incomplete);
        let claimed = |uri: &str, cause| EntryError::Claim { uri: Untrusted::new(uri).for_log(), cause };
        match self.list {
            List::Tools | List::Prompts => {
                let start = self.entries.len();
                let separated = self.separate();
                push_renamed(separated, server, entry).inspect_err(|_| self.entries.truncate(start))
            }
            List::Resources => {
                let uri = text("uri")?;
                self.owners.claim_resource(self.caller, server, &uri).map_err(|cause| claimed(&uri, cause))?;
                self.separate().extend_from_slice(entry.raw().as_bytes());
                Ok(())
            }
            List::Templates => {
                let template = text("uriTemplate")?;
                let claim = self.owners.claim_template(self.caller, server, &template);
                claim.map_err(|cause| claimed(&template, cause))?;
                self.separate().extend_from_slice(entry.raw().as_bytes());
                Ok(())
            }
        }
    }

    fn separate(&mut self) -> &mut Vec<u8> {
        if !self.entries.is_empty() {
            self.entries.push(b',');
        }
        &mut self.entries
    }

    /// Where the list goes on after this page, which is followed by page `number`.
    fn take_next(&mut self, number: u32) -> Option<Cursor> {
        let places = std::mem::take(&mut self.next);
        if places.is_empty() {
            return None;
        }
        if number >= PAGES {
            warn!(list = self.list.member(), "the rest is left out: there are more than {PAGES} pages");
            return None;
        }
        Some(Cursor { page: number, places })
    }

    /// The result as JSON text. `ttl_ms` is there in MCP 2026-07-28 and not before.
    fn finish(self, next: Option<&str>, ttl_ms: Option<i64>) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.entries.len() + 256 + next.map_or(0, str::len));
        out.extend_from_slice(format!("{{\"{}\":[", self.list.member()).as_bytes());
        out.extend_from_slice(&self.entries);
        out.push(b']');
        if let Some(next) = next {
            out.extend_from_slice(b",\"nextCursor\":");
            push_json_string(&mut out, next);
        }
        if let Some(ttl_ms) = ttl_ms {
            let info = server_info();
            let modern = format!(
                r#","resultType":"complete","ttlMs":{ttl_ms},"cacheScope":"private","_meta":{{"io.modelcontextprotocol/serverInfo":{info}}}"#
            );
            out.extend_from_slice(modern.as_bytes());
        }
        out.push(b'}');
        out
    }
}

/// Why an entry is left out. The texts are for logs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum EntryError {
    /// The prefix makes the name too long.
    #[error("the name `{name}` has more than {NAME_CHARACTERS} characters")]
    LongName {
        /// The prefixed name, made harmless.
        name: String,
    },
    /// Its URI belongs to nobody or to somebody else.
    #[error("`{uri}` cannot be this server's")]
    Claim {
        /// The URI or template, made harmless.
        uri: String,
        #[source]
        cause: ClaimError,
    },
    /// It has no name or URI; the message table has seen to that before.
    #[error("it has no name")]
    Incomplete,
}

/// Appends an entry under its prefixed name, everything else byte for byte.
fn push_renamed(out: &mut Vec<u8>, server: &ServerName, entry: Value<'_>) -> Result<(), EntryError> {
    let name = entry.get("name").ok_or(EntryError::Incomplete)?;
    let prefixed = server.prefixed(&name.as_str().ok_or(EntryError::Incomplete)?);
    if prefixed.chars().count() > NAME_CHARACTERS {
        return Err(EntryError::LongName { name: Untrusted::new(prefixed).for_log() });
    }
    let (whole, part) = (entry.span(), name.span());
    let (raw, start) = (entry.raw().as_bytes(), whole.start);
    let before = raw.get(..part.start.saturating_sub(start)).ok_or(EntryError::Incomplete)?;
    let after = raw.get(part.end.saturating_sub(start)..).ok_or(EntryError::Incomplete)?;
    out.extend_from_slice(before);
    push_json_string(out, &prefixed);
    out.extend_from_slice(after);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use proptest::prelude::*;
    use stockade_core::wire::{Document, WireLimits, to_json_string};

    fn server(name: &str) -> ServerName {
        ServerName::parse(name).unwrap()
    }

    fn read(text: &str) -> Document {
        Document::read(Bytes::from(text.to_owned()), &WireLimits::DEFAULT).unwrap()
    }

    fn place(name: &str, cursor: Option<&str>) -> Place {
        Place { server: server(name), cursor: cursor.map(str::to_owned) }
    }

    /// One page made of these servers' results, in bytes, and where it goes on.
    fn page(list: List, room: usize, parts: &[(&str, &str)]) -> (String, Vec<Place>) {
        let (owners, alice) = (Owners::default(), CallerName::parse("alice").unwrap());
        let mut page = Page::new(list, &alice, &owners, room);
        for (name, result) in parts {
            page.add(&place(name, Some("here")), read(result).root());
        }
        let next = page.take_next(1).map(|cursor| cursor.places).unwrap_or_default();
        (String::from_utf8(page.finish(None, None)).unwrap(), next)
    }

    #[test]
    fn names_get_their_prefix_and_nothing_else_changes() {
        let check = |list, parts: &[(&str, &str)], expected: &str| {
            assert_eq!(page(list, 1 << 20, parts).0, expected);
        };
        check(List::Tools, &[], r#"{"tools":[]}"#);
        check(
            List::Tools,
            &[("a", r#"{"tools":[]}"#), ("b", r#"{"tools":[{"name":"x"}]}"#)],
            r#"{"tools":[{"name":"b__x"}]}"#,
        );
        check(
            List::Tools,
            &[
                (
                    "a",
                    r#"{"tools":[{ "x" : 1e400, "name" : "na\u006de" , "_meta":{"name":"y"}}, {"name":"z"}],"tools2":[]}"#,
                ),
                ("b", r#"{"tools":[{"name":"__q"}]}"#),
            ],
            r#"{"tools":[{ "x" : 1e400, "name" : "a__name" , "_meta":{"name":"y"}},{"name":"a__z"},{"name":"b____q"}]}"#,
        );
        check(List::Prompts, &[("a", r#"{"prompts":[{"name":"\" \\"}]}"#)], r#"{"prompts":[{"name":"a__\" \\"}]}"#);
        check(
            List::Resources,
            &[
                ("a", r#"{"resources":[{"uri":"x:1","name":"n"}]}"#),
                ("b", r#"{"resources":[{"uri":"x:1","name":"mine"}, {"name":"n", "uri":"x:2"}]}"#),
            ],
            r#"{"resources":[{"uri":"x:1","name":"n"},{"name":"n", "uri":"x:2"}]}"#,
        );
        check(
            List::Templates,
            &[
                (
                    "a",
                    r#"{"resourceTemplates":[{"uriTemplate":"x:/{p}","name":"n"},{"uriTemplate":"{all}","name":"n"}]}"#,
                ),
                ("b", r#"{"resourceTemplates":[{"uriTemplate":"x:/in/{p}","name":"n"}]}"#),
            ],
            r#"{"resourceTemplates":[{"uriTemplate":"x:/{p}","name":"n"}]}"#,
        );
    }

    #[test]
    fn a_name_that_the_prefix_makes_too_long_is_left_out() {
        let tool = |length: usize| format!(r#"{{"tools":[{{"name":"{}"}},{{"name":"x"}}]}}"#, "é".repeat(length));
        let fits = NAME_CHARACTERS - "a__".len();
        assert!(page(List::Tools, 1 << 20, &[("a", &tool(fits))]).0.contains("é"));
        assert_eq!(page(List::Tools, 1 << 20, &[("a", &tool(fits + 1))]).0, r#"{"tools":[{"name":"a__x"}]}"#);
    }

    #[test]
    fn what_does_not_fit_comes_with_the_next_page() {
        let long = format!(r#"{{"tools":[{{"name":"{}"}}]}}"#, "x".repeat(60));
        let parts = [("a", long.as_str()), ("b", &long), ("c", r#"{"tools":[{"name":"y"}],"nextCursor":""}"#)];
        let (text, next) = page(List::Tools, 100, &parts);
        assert_eq!(text.matches("xxx__").count() + text.matches("a__x").count(), 1);
        assert!(text.contains("c__y") && !text.contains("b__"));
        assert_eq!(next, [place("b", Some("here")), place("c", Some(""))]);
    }

    #[test]
    fn a_list_goes_on_only_so_far() {
        let cursor = |length| format!(r#"{{"tools":[],"nextCursor":"{}"}}"#, "c".repeat(length));
        assert_eq!(page(List::Tools, 100, &[("a", &cursor(UPSTREAM_BYTES))]).1.len(), 1);
        assert_eq!(page(List::Tools, 100, &[("a", &cursor(UPSTREAM_BYTES + 1))]).1, []);
        let (owners, alice) = (Owners::default(), CallerName::parse("alice").unwrap());
        for (number, goes_on) in [(PAGES - 1, true), (PAGES, false)] {
            let mut page = Page::new(List::Tools, &alice, &owners, 100);
            page.add(&place("a", None), read(&cursor(1)).root());
            assert_eq!(page.take_next(number).is_some(), goes_on);
        }
    }

    #[test]
    fn the_modern_result_says_how_long_and_for_whom_it_may_be_kept() {
        let (owners, alice) = (Owners::default(), CallerName::parse("alice").unwrap());
        let text = Page::new(List::Tools, &alice, &owners, 100).finish(Some("c"), Some(5));
        let document = read(std::str::from_utf8(&text).unwrap());
        let member = |name| document.root().get(name).map(Value::raw);
        assert_eq!(member("nextCursor"), Some(r#""c""#));
        assert_eq!((member("ttlMs"), member("cacheScope")), (Some("5"), Some(r#""private""#)));
        assert_eq!(member("resultType"), Some(r#""complete""#));
    }

    proptest! {
        #[test]
        fn a_prefixed_name_splits_back_to_its_server_and_name(
            name in "[a-z0-9]([a-z0-9-]|_[a-z0-9-]){0,12}[a-z0-9]", tool in "[A-Za-z0-9_.é\"\\\\-]{0,40}",
        ) {
            let server = server(&name);
            let document = read(&format!(r#"[{{"title":"t","name":{}}}]"#, to_json_string(&tool)));
            let mut out = Vec::new();
            push_renamed(&mut out, &server, document.root().as_array().unwrap().elements().next().unwrap()).unwrap();
            let renamed = read(std::str::from_utf8(&out).unwrap());
            let shown = renamed.root().get("name").unwrap().as_str().unwrap().into_owned();
            prop_assert_eq!(ServerName::split(&shown), Some((server, tool.as_str())));
        }
    }
}
