//! The merged route `/mcp`: all servers as if they were one, names as `server__tool`.
//!
//! For: handshakes, lists and streams, which go to several servers at once and come back as one answer of our own making.
//! What names a tool, prompt or resource goes to the one server that it names and does not pass here.
//! Must never: let one server answer, speak or be taken for another (AZ-01); fail because one of them is down; merge what
//! servers say about themselves (IN-05).
//! On the road: `forward`. The answer takes the same guards as any server's: its entries are judged one by one at
//! `inspect`.

mod cursor;
mod handshake;
mod listen;
mod lists;
mod owners;
mod share;
#[cfg(test)]
mod tests;

use super::servers::Servers;
use crate::session::Session;
use lists::{List, Wanted};
use share::{Fan, Gathering};
use std::sync::Arc;
use stockade_core::guard::Outbound;
use stockade_core::mcp::{Method, Target};
use stockade_core::ports::{Exchange, UpstreamError};

pub(super) use owners::Owners;
pub(super) use share::{Noted, ShareError};

/// See `cursor::reopen`.
pub(crate) fn reopen_cursor(plain: &[u8]) -> Option<bool> {
    cursor::reopen(plain)
}

/// Begins the exchange for a request that is not for one server alone. Nothing for a request that is: its server is the
/// one in reach. `opening` is the session that the request opens, if it opens one.
///
/// # Errors
/// When the request brings a cursor that is not ours, or means something that only its keeper could know.
pub(super) fn begin(
    servers: &Servers,
    outbound: &Arc<Outbound>,
    opening: Option<&Arc<Session>>,
) -> Result<Option<Box<dyn Exchange>>, UpstreamError> {
    let hub = servers.hub().ok_or(UpstreamError::Cancelled)?;
    let shared = hub.servers.get().ok_or(UpstreamError::Cancelled)?;
    let session = opening.cloned().or_else(|| servers.session_of(outbound));
    let fan = Fan { servers: Arc::clone(shared), outbound: Arc::clone(outbound), opening: opening.cloned() };
    Ok(Some(match outbound.method() {
        Method::Initialize => Gathering::begin(session, |_| handshake::initialize(fan)),
        Method::ServerDiscover => Gathering::begin(session, |meanwhile| handshake::discover(fan, meanwhile)),
        Method::Ping => Gathering::begin(session, |_| handshake::ping(fan)),
        Method::LoggingSetLevel => Gathering::begin(session, |meanwhile| handshake::set_level(fan, meanwhile)),
        Method::SubscriptionsListen => listen::begin(fan)?,
        method => match method.facts().target {
            Target::Tool | Target::Resource | Target::Prompt | Target::Completion => return Ok(None),
            Target::Listing(kind) => {
                let list = List::of(kind).ok_or(UpstreamError::NotKnown { what: "list" })?;
                let now = hub.road().ok_or(UpstreamError::Cancelled)?.clock().moment();
                let wanted = Wanted::read(&fan, list, now)?;
                Gathering::begin(session, |meanwhile| lists::gather(fan, wanted, meanwhile))
            }
            Target::Task => return Err(UpstreamError::NotKnown { what: "task" }),
            Target::Skill => return Err(UpstreamError::NotKnown { what: "skill" }),
            // No request of a client's is about these.
            Target::None | Target::Subscription | Target::Model | Target::Person | Target::Roots => {
                return Err(UpstreamError::NotKnown { what: "method" });
            }
        },
    }))
}
