//! `subscriptions/listen` of the merged route (MCP 2026-07-28): the streams of several servers as one.
//!
//! Each server is asked only for what it can tell: the resources that are its own. One acknowledgement of ours says what
//! at least one server has agreed to; then everything that the servers say is passed on until the last has ended.
//! Must never: ask a server about another's resources; let it speak about them, or before it has acknowledged.

use super::owners::Owners;
use super::share::{Fan, SHARE, ShareError, none_answered, read_own};
use bytes::Bytes;
use futures_util::future::join_all;
use futures_util::stream::{FuturesUnordered, StreamExt};
use stockade_core::mcp::{Frame, Method};
use stockade_core::ports::{AskId, Exchange, Incoming, PortFuture, UpstreamError};
use stockade_core::wire::{Edits, Value, WireLimits, to_json_string};
use stockade_core::words::{CallerName, ServerName};
use tracing::debug;

/// What a stream may tell beside changes of single resources.
const SWITCHES: [&str; 3] = ["toolsListChanged", "promptsListChanged", "resourcesListChanged"];

/// What a client wants to be told, or what one server is asked for, or has agreed to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Filter {
    switches: Vec<&'static str>,
    resources: Vec<String>,
}

impl Filter {
    /// Reads `params.notifications`. What belongs to extensions is left out: it cannot be split among servers.
    fn read(notifications: Value<'_>) -> Self {
        let is_on = |switch: &&str| notifications.get(switch).and_then(Value::as_bool) == Some(true);
        let resources = notifications.get("resourceSubscriptions").and_then(Value::as_array);
        let resources = resources.into_iter().flat_map(|uris| uris.elements()).filter_map(Value::as_str);
        Self {
            switches: SWITCHES.into_iter().filter(is_on).collect(),
            resources: resources.map(std::borrow::Cow::into_owned).collect(),
        }
    }

    /// The share of one server; nothing if there is nothing in it for this one though there is for others.
    fn share(&self, owners: &Owners, caller: &CallerName, server: &ServerName) -> Option<Self> {
        let is_own = |uri: &&String| owners.find(caller, uri).as_ref() == Some(server);
        let resources: Vec<_> = self.resources.iter().filter(is_own).cloned().collect();
        let is_for_others = resources.is_empty() && self.switches.is_empty() && !self.resources.is_empty();
        (!is_for_others).then(|| Self { switches: self.switches.clone(), resources })
    }

    /// Takes in what a server has agreed to, as far as it was asked for it.
    fn add(&mut self, agreed: Self, asked: &Self) {
        self.switches = SWITCHES
            .into_iter()
            .filter(|switch| {
                self.switches.contains(switch) || (agreed.switches.contains(switch) && asked.switches.contains(switch))
            })
            .collect();
        self.resources.extend(agreed.resources.into_iter().filter(|uri| asked.resources.contains(uri)));
    }

    fn to_json(&self) -> String {
        let mut members: Vec<_> = self.switches.iter().map(|switch| format!(r#""{switch}":true"#)).collect();
        if !self.resources.is_empty() {
            let uris: Vec<_> = self.resources.iter().map(|uri| to_json_string(uri)).collect();
            members.push(format!(r#""resourceSubscriptions":[{}]"#, uris.join(",")));
        }
        format!("{{{}}}", members.join(","))
    }
}

/// One server's stream that has been acknowledged.
struct Stream {
    server: ServerName,
    exchange: Box<dyn Exchange>,
}

/// What opening the streams came to.
struct Opened {
    streams: Vec<Stream>,
    agreed: Filter,
}

type Opening = PortFuture<'static, Result<Opened, UpstreamError>>;
type Step = PortFuture<'static, (Stream, Result<Incoming, UpstreamError>)>;

/// Several streams as one. Nothing happens but inside of [`Exchange::next`].
pub(super) struct Listening {
    opening: Option<Opening>,
    steps: FuturesUnordered<Step>,
    judge: Judge,
    /// True once some server has ended its stream in good order.
    is_ended_well: bool,
}

/// Who may speak about which resource.
struct Judge {
    owners: Owners,
    caller: CallerName,
    limits: WireLimits,
}

impl Judge {
    /// True if the message is the server's to send: no acknowledgement, and not about another server's resource. What is
    /// owned by nobody may be a part of what the server owns.
    fn passes(&self, server: &ServerName, frame: &Frame) -> bool {
        match frame.method() {
            Some(Method::NotificationsSubscriptionsAcknowledged) => false,
            Some(Method::NotificationsResourcesUpdated) => {
                let uri = frame.params().and_then(|params| params.get("uri")).and_then(Value::as_str);
                let owner = uri.and_then(|uri| self.owners.find(&self.caller, &uri));
                owner.is_none_or(|owner| owner == *server)
            }
            _ => true,
        }
    }
}

/// Begins to listen to every server in reach that has something to tell.
///
/// # Errors
/// When the resources asked for belong to no server in reach.
pub(super) fn begin(fan: Fan) -> Result<Box<dyn Exchange>, UpstreamError> {
    let caller = fan.outbound.caller().name.clone();
    let owners = fan.servers.owners.clone();
    let judge = Judge { owners: owners.clone(), caller: caller.clone(), limits: *fan.servers.limits() };
    let filter = fan.outbound.frame().params().and_then(|params| params.get("notifications"));
    let wanted = filter.map(Filter::read).unwrap_or_default();
    let of_server = |server: &ServerName| Some((server.clone(), wanted.share(&owners, &caller, server)?));
    let shares: Vec<_> = fan.outbound.reach().iter().filter_map(of_server).collect();
    if shares.is_empty() {
        return Err(UpstreamError::NotKnown { what: "resource" });
    }
    let opening = Box::pin(open_all(fan, shares));
    Ok(Box::new(Listening { opening: Some(opening), steps: FuturesUnordered::new(), judge, is_ended_well: false }))
}

/// Opens all streams at once. One that is not acknowledged in time is left out.
async fn open_all(fan: Fan, shares: Vec<(ServerName, Filter)>) -> Result<Opened, UpstreamError> {
    let method = fan.outbound.method();
    let fan = &fan;
    let opened = join_all(shares.into_iter().map(|(server, asked)| async move {
        let mut edits = Edits::new();
        if let Some(there) = fan.outbound.frame().params().and_then(|params| params.get("notifications")) {
            edits.replace(there.span(), asked.to_json());
        }
        let work = async { acknowledged(fan.send(&server, edits).await?).await };
        let opened = tokio::time::timeout(SHARE, work).await.unwrap_or(Err(ShareError::TimedOut));
        if let Err(error) = &opened {
            fan.servers.note_share(&server, method, Some(error));
        }
        (server, asked, opened)
    }));
    let (mut streams, mut agreed, mut failures) = (Vec::new(), Filter::default(), Vec::new());
    for (server, asked, opened) in opened.await {
        match opened {
            Ok((exchange, said)) => {
                agreed.add(said, &asked);
                streams.push(Stream { server, exchange });
            }
            Err(error) => failures.push((server, error)),
        }
    }
    if streams.is_empty() { Err(none_answered(failures)) } else { Ok(Opened { streams, agreed }) }
}

/// Waits for the acknowledgement, which is the first thing that a server may say on the stream.
async fn acknowledged(mut exchange: Box<dyn Exchange>) -> Result<(Box<dyn Exchange>, Filter), ShareError> {
    match exchange.next().await.map_err(ShareError::upstream)? {
        Incoming::Message { frame, .. } if frame.method() == Some(Method::NotificationsSubscriptionsAcknowledged) => {
            let said = frame.params().and_then(|params| params.get("notifications")).map(Filter::read);
            Ok((exchange, said.unwrap_or_default()))
        }
        Incoming::Answer { frame, .. } if frame.error().is_some() => {
            let code = frame.error().and_then(|error| error.get("code")).and_then(Value::as_i64);
            Err(ShareError::Declined { code })
        }
        Incoming::Message { .. } | Incoming::Answer { .. } | Incoming::Pause { .. } | Incoming::Streaming => {
            Err(ShareError::Unacknowledged)
        }
    }
}

/// The next thing that one server says, and its stream to go on with.
fn step(mut stream: Stream) -> Step {
    Box::pin(async move {
        let incoming = stream.exchange.next().await;
        (stream, incoming)
    })
}

impl Listening {
    /// Our own acknowledgement. The id of the subscription is replaced at `inspect`.
    fn acknowledge(&mut self, opened: Opened) -> Result<Incoming, UpstreamError> {
        let first = opened.streams.first().map(|stream| stream.server.clone());
        let server = first.ok_or(UpstreamError::Cancelled)?;
        self.steps.extend(opened.streams.into_iter().map(step));
        let text = format!(
            r#"{{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{{"_meta":{{"io.modelcontextprotocol/subscriptionId":0}},"notifications":{}}}}}"#,
            opened.agreed.to_json()
        );
        let frame = read_own(&[text.as_bytes()], &self.judge.limits)?;
        Ok(Incoming::Message { frame, server, ask: None })
    }

    /// How it ends when every server has ended.
    fn end(&self) -> Result<Incoming, UpstreamError> {
        if !self.is_ended_well {
            return Err(UpstreamError::Gone { reason: "every server's stream has broken off".to_owned() });
        }
        let text = br#"{"jsonrpc":"2.0","id":0,"result":{"_meta":{"io.modelcontextprotocol/subscriptionId":0},"resultType":"complete"}}"#;
        Ok(Incoming::Answer { frame: read_own(&[text], &self.judge.limits)?, session: None })
    }
}

impl Exchange for Listening {
    fn next(&mut self) -> PortFuture<'_, Result<Incoming, UpstreamError>> {
        Box::pin(async move {
            if let Some(opening) = self.opening.as_mut() {
                let opened = opening.await;
                self.opening = None;
                return self.acknowledge(opened?);
            }
            while let Some((stream, incoming)) = self.steps.next().await {
                match incoming {
                    Ok(Incoming::Message { frame, server, ask }) => {
                        let passes = self.judge.passes(&stream.server, &frame);
                        self.steps.push(step(stream));
                        if passes {
                            return Ok(Incoming::Message { frame, server, ask });
                        }
                        debug!(%server, "a message that is not this server's to send was dropped");
                    }
                    Ok(Incoming::Pause { .. } | Incoming::Streaming) => self.steps.push(step(stream)),
                    Ok(Incoming::Answer { frame, .. }) => self.is_ended_well |= frame.result().is_some(),
                    Err(error) => debug!(server = %stream.server, reason = %error, "stream ended"),
                }
            }
            self.end()
        })
    }

    /// In this era servers ask nothing of clients, so there is nothing to refuse.
    fn refuse(&mut self, _ask: AskId, _refusal: Bytes) -> PortFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}
