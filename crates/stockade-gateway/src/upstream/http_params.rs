//! The mirrored parameter headers `Mcp-Param-*` (MCP 2026-07-28, SEP-2243): which tool wants which, what the client's own
//! say, and what the upstream gets.
//!
//! Must never: let a header reach an upstream that says something else than the body; let a server or a client choose a
//! header outside of `Mcp-Param-*`.
//! Source: MCP 2026-07-28 "Custom Headers from Tool Parameters"; attack cases EV-02, EV-03, EV-13.

use crate::session::lock;
use http::{HeaderName, HeaderValue};
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use stockade_core::mcp::{
    Direction, Frame, HeaderParam, Method, Revision, check_result, decode_header_value, encode_header_value,
    header_params,
};
use stockade_core::ports::UpstreamError;
use stockade_core::wire::{Kind, Value};
use tokio::sync::Mutex as AsyncMutex;
use tokio::time::Instant;

const PREFIX: &str = "mcp-param-";
/// For how long a list of tools is believed.
const FRESH: Duration = Duration::from_secs(300);
/// How soon after an attempt the list is asked for again, for a tool that is not on it or after a failure.
const PAUSE: Duration = Duration::from_secs(10);
/// Tools of one server that are remembered.
const TOOLS: usize = 4096;

/// The mirrored parameters of one server's tools.
#[derive(Default)]
pub(crate) struct ToolHeaders {
    listed: Mutex<Option<Listed>>,
    tried: Mutex<Option<Instant>>,
    listing: AsyncMutex<()>,
}

struct Listed {
    at: Instant,
    tools: Tools,
}

impl ToolHeaders {
    /// The mirrored parameters of `tool`; nothing when they cannot be known. `list` is polled only when it is needed, and
    /// only once however many ask.
    pub(crate) async fn find(
        &self,
        tool: &str,
        list: impl Future<Output = Option<Tools>>,
    ) -> Option<Arc<[HeaderParam]>> {
        if let Some(found) = self.remembered(tool) {
            return Some(found);
        }
        let _turn = self.listing.lock().await;
        if let Some(found) = self.remembered(tool) {
            return Some(found);
        }
        let now = Instant::now();
        if lock(&self.tried).is_some_and(|tried| now.duration_since(tried) < PAUSE) {
            return None;
        }
        *lock(&self.tried) = Some(now);
        let tools = list.await?;
        let found = tools.params.get(tool).cloned();
        *lock(&self.listed) = Some(Listed { at: Instant::now(), tools });
        found
    }

    /// Forgets the list, because the upstream does not agree with it.
    pub(crate) fn expire(&self) {
        *lock(&self.listed) = None;
    }

    fn remembered(&self, tool: &str) -> Option<Arc<[HeaderParam]>> {
        let listed = lock(&self.listed);
        let listed = listed.as_ref().filter(|listed| listed.at.elapsed() < FRESH)?;
        listed.tools.params.get(tool).cloned()
    }
}

/// What a list says of its tools.
#[derive(Default)]
pub(crate) struct Tools {
    params: HashMap<String, Arc<[HeaderParam]>>,
}

impl Tools {
    /// Takes over one page. Returns the cursor of the next.
    ///
    /// # Errors
    /// When it is no page of a list.
    pub(crate) fn add_page(&mut self, page: &Frame) -> Result<Option<String>, UpstreamError> {
        let broke = |reason: String| UpstreamError::PeerBroke { reason };
        check_result(page, Method::ToolsList, Revision::V2026_07_28, Direction::ServerToClient)
            .map_err(|error| broke(format!("tools/list: {error}")))?;
        let result = page.result().ok_or_else(|| broke("tools/list without result".to_owned()))?;
        let tools = result.get("tools").and_then(Value::as_array);
        for tool in tools.into_iter().flat_map(|tools| tools.elements()) {
            let Some(name) = tool.get("name").and_then(Value::as_str) else { continue };
            // A tool with broken annotations is in nobody's list; a call to it is the upstream's to refuse.
            let params = tool.get("inputSchema").map(header_params).and_then(Result::ok).unwrap_or_default();
            if self.params.len() < TOOLS {
                self.params.insert(name.into_owned(), params.into());
            }
        }
        Ok(result.get("nextCursor").and_then(Value::as_str).map(Cow::into_owned))
    }
}

/// The `Mcp-Param-*` headers for an upstream. Those of `known` parameters are made from the body; others of the client's go
/// on as they are, as the specification asks of intermediaries. With nothing known, the client's go on.
///
/// `said` are the client's own, names in lower case and values still encoded; nothing for a client that cannot have any.
///
/// # Errors
/// `HeaderMismatch` where the client's header and the argument are not both there, or not the same.
pub(crate) fn mirror_params(
    known: Option<&[HeaderParam]>,
    arguments: Option<Value<'_>>,
    said: Option<&[(String, String)]>,
) -> Result<Vec<(HeaderName, HeaderValue)>, UpstreamError> {
    let is_checked = said.is_some();
    let (known, said) = (known.unwrap_or_default(), said.unwrap_or_default());
    let mut headers = Vec::new();
    for param in known {
        let name = format!("{PREFIX}{}", param.header_name.to_ascii_lowercase());
        let argument = argument_of(arguments, &param.path);
        let mut values = said.iter().filter(|(there, _)| *there == name).map(|(_, value)| value);
        match (argument, values.next(), values.next()) {
            (None, None, _) => {}
            (Some(argument), Some(value), None) if agrees(param, value, argument) => {
                headers.push((to_name(&name)?, to_value(argument)?));
            }
            (Some(argument), None, None) if !is_checked => headers.push((to_name(&name)?, to_value(argument)?)),
            _ => return Err(UpstreamError::HeaderMismatch),
        }
    }
    let is_known = |name: &str| {
        known
            .iter()
            .any(|param| name.strip_prefix(PREFIX).is_some_and(|rest| rest.eq_ignore_ascii_case(&param.header_name)))
    };
    for (name, value) in said.iter().filter(|(name, _)| name.starts_with(PREFIX) && !is_known(name)) {
        // A name that is no token, or a value that is none, is nothing that an upstream could have recognised.
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value)) {
            headers.push((name, value));
        }
    }
    Ok(headers)
}

/// The argument at the end of a path; `null` counts as absent.
fn argument_of<'d>(arguments: Option<Value<'d>>, path: &[String]) -> Option<Value<'d>> {
    let found = path.iter().try_fold(arguments?, |value, name| value.get(name));
    found.filter(|value| value.kind() != Kind::Null)
}

fn agrees(param: &HeaderParam, value: &str, argument: Value<'_>) -> bool {
    decode_header_value(value.as_bytes()).is_ok_and(|said| param.matches(&said, argument))
}

fn to_name(name: &str) -> Result<HeaderName, UpstreamError> {
    HeaderName::from_bytes(name.as_bytes()).map_err(|_| UpstreamError::HeaderMismatch)
}

/// The value that the body has. Numbers and booleans are written as they stand there.
fn to_value(argument: Value<'_>) -> Result<HeaderValue, UpstreamError> {
    let text = argument.as_str().unwrap_or(Cow::Borrowed(argument.raw()));
    HeaderValue::from_str(&encode_header_value(&text)).map_err(|_| UpstreamError::HeaderMismatch)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use stockade_core::wire::{Document, WireLimits};

    fn read(text: &str) -> Document {
        Document::read(Bytes::from(text.to_owned()), &WireLimits::DEFAULT).unwrap()
    }

    fn check(arguments: &str, said: Option<&[(&str, &str)]>, expected: Option<&[(&str, &str)]>) {
        let schema = read(
            r#"{"properties":{"a":{"type":"string","x-mcp-header":"A"},"deep":{"properties":{"on":{"type":"boolean","x-mcp-header":"On"}}}}}"#,
        );
        let known = header_params(schema.root()).unwrap();
        let arguments = read(arguments);
        let own = |pairs: &[(&str, &str)]| -> Vec<_> {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        let said = said.map(own);
        let made = mirror_params(Some(&known), Some(arguments.root()), said.as_deref());
        let made = made.ok().map(|made| {
            made.iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect::<Vec<_>>()
        });
        assert_eq!(made, expected.map(own), "{said:?}");
    }

    #[test]
    fn a_client_without_headers_is_mirrored_from_the_body_alone() {
        check(
            r#"{"a":"b c ","deep":{"on":true}}"#,
            None,
            Some(&[("mcp-param-a", "=?base64?YiBjIA==?="), ("mcp-param-on", "true")]),
        );
        check(r#"{"a":null,"deep":{}}"#, None, Some(&[]));
    }

    #[test]
    fn a_client_with_headers_has_to_have_them_right() {
        check(
            r#"{"a":"x","deep":{"on":false}}"#,
            Some(&[("mcp-param-a", "x"), ("mcp-param-on", "false")]),
            Some(&[("mcp-param-a", "x"), ("mcp-param-on", "false")]),
        );
        check(r#"{"a":"x"}"#, Some(&[]), None);
        check(r#"{"a":"x","deep":{"on":false}}"#, Some(&[("mcp-param-a", "x"), ("mcp-param-on", "False")]), None);
        check(r#"{"deep":true}"#, Some(&[("mcp-param-on", "true")]), None);
        check(r#"{"a":1}"#, Some(&[("mcp-param-a", "1")]), None);
    }

    #[test]
    fn only_parameter_headers_with_valid_names_and_values_go_on() {
        check(
            "{}",
            Some(&[
                ("mcp-param-new", "1"),
                ("authorization", "Bearer x"),
                ("mcp-param-b d", "1"),
                ("mcp-param-e", "a\nb"),
                ("mcp-name", "x"),
            ]),
            Some(&[("mcp-param-new", "1")]),
        );
    }
}
