//! One rule: a Cedar policy with its name, its place, and what its scope lets it speak about.
//!
//! Must never: claim a scope narrower than the policy's own. The index leaves out what the scope rules out.

use crate::problem::PolicyProblem;
use crate::schema::{ID_SEPARATOR, name};
use crate::source::{CallerPattern, Place};
use cedar_policy::{ActionConstraint, EntityUid, Policy, PrincipalConstraint, ResourceConstraint};
use std::collections::BTreeSet;
use stockade_core::ports::Action;
use stockade_core::words::{Caller, CallerKind};

/// One rule of a policy, ready to be shown.
#[derive(Debug, Clone)]
pub struct Rule {
    pub(crate) id: String,
    pub(crate) place: Place,
    pub(crate) kind: RuleKind,
    pub(crate) scope: Scope,
    pub(crate) policy: Policy,
}

impl Rule {
    /// Its name in rulings and records. The parts of one `[[permit]]` share one.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Where it was written.
    #[must_use]
    pub const fn place(&self) -> &Place {
        &self.place
    }

    /// The rule in Cedar's own words.
    #[must_use]
    pub fn text(&self) -> String {
        self.policy.to_cedar().unwrap_or_else(|| self.policy.to_string())
    }
}

/// What a rule does when it is satisfied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RuleKind {
    Permit,
    /// A permit that counts after a person has agreed.
    Ask {
        reason: String,
    },
    Forbid,
}

/// What a rule may speak about, at most.
#[derive(Debug, Clone)]
pub(crate) struct Scope {
    pub(crate) actions: Actions,
    pub(crate) callers: Callers,
    pub(crate) servers: Servers,
}

/// Actions, as a set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Actions {
    Every,
    Some(Vec<Action>),
}

impl Actions {
    pub(crate) fn contains(&self, action: Action) -> bool {
        match self {
            Self::Every => true,
            Self::Some(actions) => actions.contains(&action),
        }
    }
}

/// Callers, as far as the scope alone tells.
#[derive(Debug, Clone)]
pub(crate) enum Callers {
    Every,
    Kind(CallerKind),
    Matching(Vec<CallerPattern>),
    Named(String),
}

impl Callers {
    /// True if the rule may speak about this caller.
    pub(crate) fn contains(&self, caller: &Caller) -> bool {
        match self {
            Self::Every => true,
            Self::Kind(kind) => caller.kind == *kind,
            Self::Named(name) => caller.name.as_str() == name,
            Self::Matching(patterns) => patterns.iter().any(|pattern| pattern.admits(caller)),
        }
    }

    /// The names to file the rule under; nothing if it must be looked at for every caller.
    pub(crate) fn names(&self) -> Option<BTreeSet<&str>> {
        match self {
            Self::Every | Self::Kind(_) => None,
            Self::Named(name) => Some(BTreeSet::from([name.as_str()])),
            Self::Matching(patterns) => patterns.iter().map(|pattern| pattern.glob().literal()).collect(),
        }
    }
}

impl CallerPattern {
    /// A name means whoever has it; a glob means only those who were recognised.
    fn admits(&self, caller: &Caller) -> bool {
        let recognised = caller.kind != CallerKind::Anonymous;
        (recognised || self.glob().literal().is_some()) && self.glob().matches(caller.name.as_str())
    }
}

/// Servers, as a set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Servers {
    Every,
    Some(Vec<String>),
}

impl Servers {
    pub(crate) fn contains(&self, server: &str) -> bool {
        match self {
            Self::Every => true,
            Self::Some(servers) => servers.iter().any(|known| known == server),
        }
    }

    /// The names to file the rule under; nothing if it must be looked at for every server.
    pub(crate) fn names(&self) -> Option<BTreeSet<&str>> {
        match self {
            Self::Every => None,
            Self::Some(servers) => Some(servers.iter().map(String::as_str).collect()),
        }
    }
}

impl Scope {
    /// The scope that the head of a policy states; what it leaves open is everything.
    pub(crate) fn of(policy: &Policy) -> Self {
        let actions = match policy.action_constraint() {
            ActionConstraint::Any => Actions::Every,
            ActionConstraint::Eq(one) => named_actions(std::slice::from_ref(&one)),
            ActionConstraint::In(some) => named_actions(&some),
        };
        let callers = match policy.principal_constraint() {
            // Callers are in no groups, so `in` is `==`.
            PrincipalConstraint::Eq(one) | PrincipalConstraint::In(one) | PrincipalConstraint::IsIn(_, one) => {
                Callers::Named(one.id().unescaped().to_owned())
            }
            PrincipalConstraint::Any | PrincipalConstraint::Is(_) => Callers::Every,
        };
        let servers = match policy.resource_constraint() {
            ResourceConstraint::Eq(one) | ResourceConstraint::In(one) | ResourceConstraint::IsIn(_, one) => {
                server_of(&one).map_or(Servers::Every, |server| Servers::Some(vec![server]))
            }
            ResourceConstraint::Any | ResourceConstraint::Is(_) => Servers::Every,
        };
        Self { actions, callers, servers }
    }
}

fn named_actions(uids: &[EntityUid]) -> Actions {
    let word = |uid: &EntityUid| Action::ALL.into_iter().find(|action| action.as_str() == uid.id().unescaped());
    // A word we do not know cannot come from a valid policy; looking at the rule always is the safe reading.
    uids.iter().map(word).collect::<Option<Vec<_>>>().map_or(Actions::Every, Actions::Some)
}

/// The server that an object is on, by its id.
pub(crate) fn server_of(uid: &EntityUid) -> Option<String> {
    let id = uid.id().unescaped();
    match uid.type_name().to_string().as_str() {
        name::SERVER => Some(id.to_owned()),
        name::TOOL | name::RESOURCE | name::PROMPT => id.split_once(ID_SEPARATOR).map(|(server, _)| server.to_owned()),
        _ => None,
    }
}

/// Rules and what was wrong with those that are none.
pub(crate) type Read = (Vec<Rule>, Vec<PolicyProblem>);
