//! Which server a resource belongs to on the merged route, where URIs carry no server's name.
//!
//! Learned from the lists that each caller was shown. One rule: a claim never changes a route that is there already, so a
//! server cannot take over what another has (AZ-01), neither by listing the same URI nor by a template that covers it.
//! Must never: answer for one caller from what another was shown; grow without limit.
//! On the road: asked by `authorise` and `inspect`, told by the lists at `forward`.

use crate::session::lock;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
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

/// What each caller was shown, and by which server. Clones share it.
#[derive(Debug, Clone, Default)]
pub(in crate::upstream) struct Owners(Arc<Mutex<Callers>>);

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
        callers.uses += 1;
        let now = callers.uses;
        let known = callers.known.get_mut(caller)?;
        known.last_used = now;
        known.find(uri).cloned()
    }

    /// Takes a resource for a server.
    ///
    /// # Errors
    /// When reading it would reach another server today, or the server has taken too many.
    pub(super) fn claim_resource(&self, caller: &CallerName, server: &ServerName, uri: &str) -> Result<(), ClaimError> {
        self.claim(caller, |known| {
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
        self.claim(caller, |known| {
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
        take: impl FnOnce(&mut Known) -> Result<usize, ClaimError>,
    ) -> Result<(), ClaimError> {
        let mut callers = lock(&self.0);
        let taken = take(callers.enter(caller));
        callers.bytes += taken.as_ref().copied().unwrap_or(0);
        callers.make_room(caller);
        taken.map(|_| ())
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn caller(name: &str) -> CallerName {
        CallerName::parse(name).unwrap()
    }

    fn server(name: &str) -> ServerName {
        ServerName::parse(name).unwrap()
    }

    fn taken(by: &str) -> Result<(), ClaimError> {
        Err(ClaimError::Taken { owner: server(by) })
    }

    #[test]
    fn a_resource_stays_with_the_server_that_showed_it_first() {
        let (owners, alice) = (Owners::default(), caller("alice"));
        assert_eq!(owners.claim_resource(&alice, &server("files"), "file:///a"), Ok(()));
        assert_eq!(owners.claim_resource(&alice, &server("files"), "file:///a"), Ok(()));
        assert_eq!(owners.claim_resource(&alice, &server("evil"), "file:///a"), taken("files"));
        assert_eq!(owners.find(&alice, "file:///a"), Some(server("files")));
        assert_eq!(owners.find(&alice, "file:///b"), None);
    }

    #[test]
    fn what_one_caller_was_shown_says_nothing_to_another() {
        let (owners, alice, bob) = (Owners::default(), caller("alice"), caller("bob"));
        owners.claim_resource(&alice, &server("files"), "file:///a").unwrap();
        assert_eq!(owners.find(&bob, "file:///a"), None);
        assert_eq!(owners.claim_resource(&bob, &server("other"), "file:///a"), Ok(()));
        assert_eq!(owners.find(&alice, "file:///a"), Some(server("files")));
    }

    #[test]
    fn a_template_covers_what_starts_as_it_does_and_has_no_owner() {
        let (owners, alice) = (Owners::default(), caller("alice"));
        owners.claim_resource(&alice, &server("notes"), "file:///notes/1").unwrap();
        assert_eq!(owners.claim_template(&alice, &server("files"), "file:///{path}"), Ok(()));
        assert_eq!(owners.find(&alice, "file:///x"), Some(server("files")));
        assert_eq!(
            owners.find(&alice, "file:///{path}"),
            Some(server("files")),
            "completions name the template itself"
        );
        assert_eq!(owners.find(&alice, "file:///notes/1"), Some(server("notes")));
        assert_eq!(owners.find(&alice, "http://x"), None);
    }

    #[test]
    fn a_template_of_anothers_is_not_undercut() {
        let (owners, alice) = (Owners::default(), caller("alice"));
        owners.claim_template(&alice, &server("files"), "file:///{path}").unwrap();
        for template in ["file:///{other}", "file:///home/{path}", "file:///home/secret"] {
            assert_eq!(owners.claim_template(&alice, &server("evil"), template), taken("files"), "{template}");
        }
        assert_eq!(owners.claim_resource(&alice, &server("evil"), "file:///home/secret"), taken("files"));
        assert_eq!(owners.claim_template(&alice, &server("evil"), "fil{e}"), Err(ClaimError::NoScheme));
        assert_eq!(owners.claim_template(&alice, &server("evil"), "{+everything}"), Err(ClaimError::NoScheme));
        // A wider template leaves what the narrower one has.
        assert_eq!(owners.claim_template(&alice, &server("wide"), "file:{rest}"), Ok(()));
        assert_eq!(owners.find(&alice, "file:///x"), Some(server("files")));
        assert_eq!(owners.find(&alice, "file:x"), Some(server("wide")));
    }

    #[test]
    fn one_server_cannot_crowd_out_another() {
        let (owners, alice) = (Owners::default(), caller("alice"));
        let most = SERVER_BYTES / ENTRY_BYTES;
        for number in 0..most {
            owners.claim_resource(&alice, &server("flood"), &format!("flood:{number}")).unwrap();
        }
        let over = owners.claim_resource(&alice, &server("flood"), "flood:over");
        assert_eq!(over, Err(ClaimError::TooMany { what: "resources" }));
        assert_eq!(owners.claim_resource(&alice, &server("files"), "file:///a"), Ok(()));
    }

    #[test]
    fn templates_and_their_lengths_are_limited() {
        let (owners, alice) = (Owners::default(), caller("alice"));
        let too_many = Err(ClaimError::TooMany { what: "templates" });
        let long = format!("a:{}", "x".repeat(PREFIX_BYTES - 2));
        assert_eq!(owners.claim_template(&alice, &server("files"), &format!("{long}y{{z}}")), too_many);
        assert_eq!(owners.claim_template(&alice, &server("files"), &format!("{long}{{z}}")), Ok(()));
        for number in 1..TEMPLATES {
            owners.claim_template(&alice, &server("files"), &format!("b:{number}/{{z}}")).unwrap();
        }
        assert_eq!(owners.claim_template(&alice, &server("files"), "c:{z}"), too_many);
    }

    #[test]
    fn the_caller_unused_for_the_longest_time_makes_room() {
        let owners = Owners::default();
        for number in 0..CALLERS {
            owners.claim_resource(&caller(&format!("c{number}")), &server("files"), "file:///a").unwrap();
        }
        assert!(owners.find(&caller("c0"), "file:///a").is_some());
        owners.claim_resource(&caller("one-more"), &server("files"), "file:///a").unwrap();
        assert!(owners.find(&caller("c0"), "file:///a").is_some());
        assert!(owners.find(&caller("c1"), "file:///a").is_none());
        let callers = lock(&owners.0);
        assert_eq!((callers.known.len(), callers.bytes), (CALLERS, CALLERS * ENTRY_BYTES));
    }

    proptest! {
        #[test]
        fn no_claim_changes_a_route_that_is_there(
            claims in prop::collection::vec((0_usize..3, any::<bool>(), "[ab]:[ab/]{0,4}"), 1..40),
            asked in prop::collection::vec("[ab]:[ab/]{0,5}", 1..20),
        ) {
            let (owners, alice) = (Owners::default(), caller("alice"));
            for (number, is_template, text) in claims {
                let before: Vec<_> = asked.iter().map(|uri| owners.find(&alice, uri)).collect();
                let server = server(["one", "two", "three"][number]);
                let text = if is_template { format!("{text}{{x}}") } else { text };
                let claimed = if is_template {
                    owners.claim_template(&alice, &server, &text)
                } else {
                    owners.claim_resource(&alice, &server, &text)
                };
                prop_assert_eq!(owners.find(&alice, &text) == Some(server), claimed.is_ok());
                for (uri, before) in asked.iter().zip(before) {
                    if before.is_some() {
                        prop_assert_eq!(owners.find(&alice, uri), before, "{}", uri);
                    }
                }
            }
        }
    }
}
