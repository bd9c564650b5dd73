//! The modern era's requests: whether the upstream speaks 2026-07-28 at all, and the headers that mirror the body.
//!
//! Must never: take a header from a client that the body does not bear out; remember anything of a caller's.
//! Source: MCP 2026-07-28 "Streamable HTTP", "Standard MCP Request Headers", `server/discover`; attack cases EV-02, EV-03.

use super::HOUSEKEEPING;
use super::conversation::{Conversation, PROTOCOL_VERSION};
use super::reply::{Reply, read_frame};
use crate::session::lock;
use crate::upstream::http_params::{ToolHeaders, Tools, mirror_params};
use crate::upstream::probe::{Probed, discover_request, read_discovery};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use std::sync::Mutex;
use std::time::Duration;
use stockade_core::guard::Outbound;
use stockade_core::mcp::{Era, Frame, Method, Revision, Target, encode_header_value};
use stockade_core::ports::UpstreamError;
use stockade_core::wire::{Value, to_json_string};
use tokio::sync::Mutex as AsyncMutex;
use tokio::time::Instant;

const METHOD: HeaderName = HeaderName::from_static("mcp-method");
const NAME: HeaderName = HeaderName::from_static("mcp-name");
/// For how long an upstream that speaks another era is not asked again.
const NOT_MODERN: Duration = Duration::from_secs(10);
/// Pages of `tools/list` that are read for the annotations of a tool.
const PAGES: usize = 64;

/// What is known of an upstream whatever the caller.
#[derive(Default)]
pub(super) struct Stateless {
    probed: Mutex<Option<(Probed, Instant)>>,
    probing: AsyncMutex<()>,
    pub(super) tools: ToolHeaders,
}

impl Stateless {
    fn remembered(&self) -> Option<Probed> {
        let (probed, at) = (*lock(&self.probed))?;
        (probed == Probed::Modern || at.elapsed() < NOT_MODERN).then_some(probed)
    }
}

impl Conversation {
    /// Asks the upstream whether it speaks 2026-07-28, unless that is known. A "yes" holds for the life of the link.
    ///
    /// # Errors
    /// `OtherEra` when it does not; `Unavailable` when it cannot be asked.
    pub(super) async fn check_era(&self) -> Result<(), UpstreamError> {
        if self.upstream().is_known_modern {
            return Ok(());
        }
        if let Some(probed) = self.stateless.remembered() {
            return verdict(probed);
        }
        let _turn = self.stateless.probing.lock().await;
        if let Some(probed) = self.stateless.remembered() {
            return verdict(probed);
        }
        let number = self.next_number();
        let asked = self.ask_own(Method::ServerDiscover, discover_request(number), number);
        let probed = match tokio::time::timeout(HOUSEKEEPING, asked).await {
            Ok(Ok(frame)) => read_discovery(&frame),
            // It answered, and what it said is no answer of the modern era.
            Ok(Err(UpstreamError::PeerBroke { .. } | UpstreamError::TooLarge { .. })) => Probed::Legacy,
            Ok(Err(UpstreamError::Unavailable { reason } | UpstreamError::Gone { reason })) => {
                return Err(UpstreamError::Unavailable { reason });
            }
            Ok(Err(error)) => return Err(error),
            Err(_) => {
                return Err(UpstreamError::Unavailable { reason: "it does not say in time what it speaks".to_owned() });
            }
        };
        *lock(&self.stateless.probed) = Some((probed, Instant::now()));
        verdict(probed)
    }

    /// A request of the link's own, and its answer.
    async fn ask_own(&self, method: Method, body: Bytes, number: u32) -> Result<Frame, UpstreamError> {
        let response = self.post(body, standard(method)).await?;
        let reply = Reply::read(response, self.limits()).await?;
        self.answer_of(reply, number).await
    }

    /// The headers that mirror a request, made from its body.
    ///
    /// # Errors
    /// `HeaderMismatch` where the client's own `Mcp-Param-*` say something else.
    pub(super) async fn mirror(&self, outbound: &Outbound) -> Result<HeaderMap, UpstreamError> {
        let params = outbound.frame().params();
        let task = params.and_then(|params| params.get("taskId")).and_then(Value::as_str);
        let name = match outbound.method().facts().target {
            Target::Tool | Target::Prompt | Target::Resource => outbound.target().name(),
            Target::Task => task.as_deref(),
            _ => None,
        };
        let mut headers = standard(outbound.method());
        if let Some(name) = name {
            // What is encoded is visible ASCII.
            let value = HeaderValue::from_str(&encode_header_value(name)).map_err(|_| UpstreamError::HeaderMismatch)?;
            headers.insert(NAME, value);
        }
        let known = match name {
            Some(name) if outbound.method() == Method::ToolsCall => {
                self.stateless.tools.find(name, self.list_tools()).await
            }
            _ => None,
        };
        let arguments = params.and_then(|params| params.get("arguments"));
        for (name, value) in mirror_params(known.as_deref(), arguments, outbound.mirrored_params())? {
            headers.append(name, value);
        }
        Ok(headers)
    }

    /// The headers of a notification.
    pub(super) fn mirror_method(&self, bytes: &Bytes) -> Result<HeaderMap, UpstreamError> {
        let method = read_frame(bytes.clone(), self.limits())?.method();
        let method = method.ok_or_else(|| UpstreamError::PeerBroke { reason: "no message to send".to_owned() })?;
        Ok(standard(method))
    }

    /// Reads the annotations of all tools from all pages of the upstream's own list; nothing when that cannot be had.
    async fn list_tools(&self) -> Option<Tools> {
        let listing = async {
            let mut tools = Tools::default();
            let mut cursor: Option<String> = None;
            for _ in 0..PAGES {
                let number = self.next_number();
                let page = self.ask_own(Method::ToolsList, list_request(number, cursor.as_deref()), number).await?;
                cursor = tools.add_page(&page)?;
                if cursor.is_none() {
                    break;
                }
            }
            Ok::<_, UpstreamError>(tools)
        };
        match tokio::time::timeout(HOUSEKEEPING, listing).await {
            Ok(Ok(tools)) => Some(tools),
            Ok(Err(error)) => {
                tracing::debug!(server = %self.owner().server, %error, "tools not listed");
                None
            }
            Err(_) => {
                tracing::debug!(server = %self.owner().server, "tools not listed in time");
                None
            }
        }
    }
}

fn standard(method: Method) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(PROTOCOL_VERSION, HeaderValue::from_static(Revision::V2026_07_28.as_str()));
    headers.insert(METHOD, HeaderValue::from_static(method.as_str()));
    headers
}

fn verdict(probed: Probed) -> Result<(), UpstreamError> {
    match probed {
        Probed::Modern => Ok(()),
        Probed::Legacy => {
            let supported = Revision::ALL.into_iter().filter(|revision| revision.era() == Era::Legacy).collect();
            Err(UpstreamError::OtherEra { requested: Revision::V2026_07_28, supported })
        }
    }
}

/// `tools/list` in our own name.
fn list_request(number: u32, cursor: Option<&str>) -> Bytes {
    let version = env!("CARGO_PKG_VERSION");
    let cursor = cursor.map(|cursor| format!(r#","cursor":{}"#, to_json_string(cursor))).unwrap_or_default();
    Bytes::from(format!(
        r#"{{"jsonrpc":"2.0","id":{number},"method":"tools/list","params":{{"_meta":{{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{{"name":"stockade","version":"{version}"}},"io.modelcontextprotocol/clientCapabilities":{{}}}}{cursor}}}}}"#
    ))
}
