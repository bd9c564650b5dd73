//! Which server a resource belongs to on the merged route, where URIs carry no server's name.
//!
//! Learned from the lists that each caller was shown. One rule: a claim never changes a route that is there already, so a
//! server cannot take over what another has (AZ-01), neither by listing the same URI nor by a template that covers it.
//! Must never: answer for one caller from what another was shown; grow without limit.
//! On the road: asked by `authorise` and `inspect`, told by the lists at `forward`.

use crate::session::lock;
use std::collections::HashMap;
use std::sync::Mutex;
use stockade_core::wire::Digest;
use stockade_core::words::{CallerName, ServerName};

/// Callers whose resources are remembered; the one unused for the longest time makes room and has to list again.
const CALLERS: usize = 4_096;
/// Bytes that all callers' entries may take together; callers make room in the same order.
const TOTAL_BYTES: usize = 128 << 20;
/// Bytes that the entries of one server may take for one caller, about 13,000 resources. What a server claims beyond it
/// is refused, so that no server can crowd out another.
const SERVER_BYTES: usize = 2 << 20;
/// What one entry is counted as, beside the text of a template.
const ENTRY_BYTES: usize = 160;
/// Templates of one caller. Each look-up by template passes all of them.
const TEMPLATES: usize = 512;
/// The longest literal beginning of a template, in bytes.
const PREFIX_BYTES: usize = 2 << 10;

/// Why a resource or template stays without owner, and so cannot be shown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum ClaimError {
    /// It would be read from another server today.
    #[error("it belongs to `{owner}` already")]
    Taken {
        /// Which one.
        owner: ServerName,
    },
    /// The template begins with a variable before its scheme has ended, so it could mean anything (RFC 3986 §3.1).
    #[error("the template names no scheme")]
    NoScheme,
    /// The server or the caller has too much of it.
    #[error("there are too many {what}")]
    TooMany {
        /// `resources` or `templates`.
        what: &'static str,
    },
}

/// What each caller was shown, and by which server.
#[derive(Debug, Default)]
pub(in crate::upstream) struct Owners(Mutex<Callers>);

#[derive(Debug, Default)]
struct Callers {
    known: HashMap<CallerName, Known>,
    bytes: usize,
    uses: u64,
}

#[derive(Debug, Default)]
struct Known {
    resources: HashMap<Digest, ServerName>,
    /// The literal beginning of each template.
    templates: HashMap<String, ServerName>,
    /// Bytes that each server's entries take.
    spent: HashMap<ServerName, usize>,
    last_used: u64,
}

impl Owners {
    /// The server that showed this caller the resource, or else the template with the longest literal beginning that the
    /// URI starts with.
    pub(in crate::upstream) fn find(&self, caller: &CallerName, uri: &str) -> Option<ServerName> {
        let mut callers = lock(&self.0);
        callers.enter(caller).find(uri).cloned()
    }

    /// Takes a resource for a server.
    ///
    /// # Errors
    /// When reading it would reach another server today, or the server has taken too many.
    pub(super) fn claim_resource(&self, caller: &CallerName, server: &ServerName, uri: &str) -> Result<(), ClaimError> {
        self.claim(caller, server, |known| {
            known.not_of_another(server, uri)?;
            let digest = Digest::of(uri.as_bytes());
            if known.resources.contains_key(&digest) {
                return Ok(0);
            }
            known.spend(server, ENTRY_BYTES, "resources")?;
            known.resources.insert(digest, server.clone());
            Ok(ENTRY_BYTES)
        })
    }

    /// Takes all URIs for a server that start as its template does and have no owner.
    ///
    /// # Errors
    /// When another server has a template that covers this one, or the template says too little, or there are too many.
    pub(super) fn claim_template(
        &self,
        caller: &CallerName,
        server: &ServerName,
        template: &str,
    ) -> Result<(), ClaimError> {
        let prefix = template.split_once('{').map_or(template, |(prefix, _)| prefix);
        if !prefix.contains(':') {
            return Err(ClaimError::NoScheme);
        }
        self.claim(caller, server, |known| {
            if let Some(owner) = known.by_template(prefix).filter(|owner| *owner != server) {
                return Err(ClaimError::Taken { owner: owner.clone() });
            }
            if known.templates.contains_key(prefix) {
                return Ok(0);
            }
            if known.templates.len() >= TEMPLATES || prefix.len() > PREFIX_BYTES {
                return Err(ClaimError::TooMany { what: "templates" });
            }
            let bytes = ENTRY_BYTES + prefix.len();
            known.spend(server, bytes, "templates")?;
            known.templates.insert(prefix.to_owned(), server.clone());
            Ok(bytes)
        })
    }

    fn claim(
        &self,
        caller: &CallerName,
        server: &ServerName,
        take: impl FnOnce(&mut Known) -> Result<usize, ClaimError>,
    ) -> Result<(), ClaimError> {
        let mut callers = lock(&self.0);
        let bytes = take(callers.enter(caller))?;
        callers.bytes += bytes;
        if bytes > 0 {
            callers.make_room(caller);
        }
        drop(callers);
        tracing::trace!(%server, bytes, "claimed");
        Ok(())
    }
}

impl Callers {
    fn enter(&mut self, caller: &CallerName) -> &mut Known {
        self.uses += 1;
        let now = self.uses;
        let known = self.known.entry(caller.clone()).or_default();
        known.last_used = now;
        known
    }

    /// Forgets the callers unused for the longest time, never the one at work.
    fn make_room(&mut self, but: &CallerName) {
        while self.known.len() > CALLERS || self.bytes > TOTAL_BYTES {
            let others = self.known.iter().filter(|(name, _)| *name != but);
            let Some(oldest) = others.min_by_key(|(_, known)| known.last_used).map(|(name, _)| name.clone()) else {
                return;
            };
            if let Some(gone) = self.known.remove(&oldest) {
                self.bytes = self.bytes.saturating_sub(gone.spent.values().sum());
            }
        }
    }
}

impl Known {
    fn find(&self, uri: &str) -> Option<&ServerName> {
        self.resources.get(&Digest::of(uri.as_bytes())).or_else(|| self.by_template(uri))
    }

    fn by_template(&self, uri: &str) -> Option<&ServerName> {
        let covering = self.templates.iter().filter(|(prefix, _)| uri.starts_with(prefix.as_str()));
        covering.max_by_key(|(prefix, _)| prefix.len()).map(|(_, server)| server)
    }

    fn not_of_another(&self, server: &ServerName, uri: &str) -> Result<(), ClaimError> {
        match self.find(uri) {
            Some(owner) if owner != server => Err(ClaimError::Taken { owner: owner.clone() }),
            _ => Ok(()),
        }
    }

    fn spend(&mut self, server: &ServerName, bytes: usize, what: &'static str) -> Result<(), ClaimError> {
        let spent = self.spent.entry(server.clone()).or_default();
        if *spent + bytes > SERVER_BYTES {
            return Err(ClaimError::TooMany { what });
        }
        *spent += bytes;
        Ok(())
    }
}
