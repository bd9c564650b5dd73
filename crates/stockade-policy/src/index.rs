//! Which rules need to be looked at for a question.
//!
//! For: Cedar's time grows with the number of policies it is given. A rule is filed under each action, caller and
//! server that its scope names; a question looks only into the places where its own rules can be.
//! Must never: leave out a rule that could be satisfied. A rule is filed under a name only if its scope says so, and
//! under "every" otherwise.

use crate::facts::Facts;
use crate::rule::Rule;
use cedar_policy::{PolicyId, PolicySet};
use std::collections::{BTreeSet, HashMap};
use stockade_core::ports::Action;

/// Places under which one rule is filed for one action; a rule that names more is filed under "every" instead.
const PLACES_LIMIT: usize = 64;

/// The rules by action, caller and server.
#[derive(Debug, Default)]
pub(crate) struct Index {
    actions: HashMap<Action, ByCaller>,
}

#[derive(Debug, Default)]
struct ByCaller {
    named: HashMap<String, ByServer>,
    every: ByServer,
}

#[derive(Debug, Default)]
struct ByServer {
    named: HashMap<String, PolicySet>,
    every: PolicySet,
}

/// A rule could not be filed. Only a fault of ours: the numbers of rules are unique.
#[derive(Debug, thiserror::Error)]
#[error("internal: the rule cannot be filed: {reason}")]
pub(crate) struct IndexError {
    reason: String,
}

impl Index {
    /// Files a rule under its number, which Cedar then reports.
    pub(crate) fn file(&mut self, number: usize, rule: &Rule) -> Result<(), IndexError> {
        let policy = rule.policy.new_id(PolicyId::new(number.to_string()));
        let (callers, servers) = (rule.scope.callers.names(), rule.scope.servers.names());
        let places = |names: &Option<BTreeSet<&str>>| names.as_ref().map_or(1, BTreeSet::len);
        let callers = callers.filter(|names| names.len().saturating_mul(places(&servers)) <= PLACES_LIMIT);
        let servers = servers.filter(|names| names.len().saturating_mul(places(&callers)) <= PLACES_LIMIT);
        for action in Action::ALL.into_iter().filter(|action| rule.scope.actions.contains(*action)) {
            let by_caller = self.actions.entry(action).or_default();
            for caller in each(callers.as_ref()) {
                let by_server = match caller {
                    Some(name) => by_caller.named.entry(name.to_owned()).or_default(),
                    None => &mut by_caller.every,
                };
                for server in each(servers.as_ref()) {
                    let set = match server {
                        Some(name) => by_server.named.entry(name.to_owned()).or_default(),
                        None => &mut by_server.every,
                    };
                    set.add(policy.clone()).map_err(|error| IndexError { reason: error.to_string() })?;
                }
            }
        }
        Ok(())
    }

    /// The sets in which the rules for a question are: at most four, none of them empty, no rule in two of them.
    pub(crate) fn places(&self, facts: &Facts<'_>) -> impl Iterator<Item = &PolicySet> {
        let by_caller = self.actions.get(&facts.action);
        let by_server = by_caller.into_iter().flat_map(|by_caller| {
            by_caller.named.get(facts.caller.as_str()).into_iter().chain(std::iter::once(&by_caller.every))
        });
        let server = facts.server.as_str();
        by_server
            .flat_map(move |by_server| by_server.named.get(server).into_iter().chain(std::iter::once(&by_server.every)))
            .filter(|set| !set.is_empty())
    }
}

/// The names, or once nothing.
fn each<'n>(names: Option<&'n BTreeSet<&'n str>>) -> impl Iterator<Item = Option<&'n str>> {
    let every = names.is_none().then_some(None);
    names.into_iter().flatten().map(|name| Some(*name)).chain(every)
}
