//! Why a question got its answer.
//!
//! For: `stockade policy explain` and refusals that tell the operator what to change.
//! Must never: reach a caller. It names rules that the caller may not know of.

use crate::facts::Facts;
use crate::policy::{CedarPolicy, NO_RULE};
use crate::rule::{Rule, RuleKind};
use crate::source::Place;
use stockade_core::ports::{Question, Ruling};

/// Rules that are told of as near misses.
pub const NEAR_MISSES_LIMIT: usize = 8;

/// A ruling with its reasons.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// The ruling.
    pub ruling: Ruling,
    /// The rules that decided, with where they stand.
    pub decided: Vec<RulePlace>,
    /// Where nothing allows: permits for this caller and action that speak of something else. At most
    /// [`NEAR_MISSES_LIMIT`], those for the same server first.
    pub near_misses: Vec<RulePlace>,
}

/// A rule and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RulePlace {
    /// The rule's id.
    pub id: String,
    /// Where it was written.
    pub place: Place,
}

impl RulePlace {
    fn of(rule: &Rule) -> Self {
        Self { id: rule.id.clone(), place: rule.place.clone() }
    }
}

impl CedarPolicy {
    /// Answers a question and says why.
    #[must_use]
    pub fn explain(&self, question: &Question<'_>) -> Explanation {
        let facts = Facts::of(question);
        let ruling = self.judge(&facts);
        let (Ruling::Allow { rules } | Ruling::Ask { rules, .. } | Ruling::Deny { rules, .. }) = &ruling;
        let decided = distinct(self.rules().filter(|rule| rules.contains(&rule.id)));
        let near_misses = match &ruling {
            Ruling::Deny { reason, .. } if reason == NO_RULE => self.near_misses(question),
            _ => Vec::new(),
        };
        Explanation { ruling, decided, near_misses }
    }

    /// Nothing allowed it, so no permit was satisfied: those for this caller and action missed by their resource, or
    /// by a condition.
    fn near_misses(&self, question: &Question<'_>) -> Vec<RulePlace> {
        let near = self.rules().filter(|rule| {
            rule.kind != RuleKind::Forbid
                && rule.scope.actions.contains(question.action)
                && rule.scope.callers.contains(question.caller)
        });
        let (here, elsewhere): (Vec<_>, Vec<_>) =
            near.partition(|rule| rule.scope.servers.contains(question.server.as_str()));
        let mut places = distinct(here.into_iter().chain(elsewhere));
        places.truncate(NEAR_MISSES_LIMIT);
        places
    }
}

/// The parts of one `[[permit]]` are told once.
fn distinct<'r>(rules: impl Iterator<Item = &'r Rule>) -> Vec<RulePlace> {
    let mut places: Vec<RulePlace> = Vec::new();
    for place in rules.map(RulePlace::of) {
        if !places.contains(&place) {
            places.push(place);
        }
    }
    places
}
