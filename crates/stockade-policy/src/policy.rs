//! The policy: loaded once, then asked.
//!
//! For: guard 4. Default deny; a forbid beats every permit; a permit that needs no person beats one that does; a rule
//! that fails to evaluate denies, for nobody knows what it would have said.
//! Must never: answer from anything but [`Facts`] and the rules; let a problem at load through.

use crate::address;
use crate::cache::Cache;
use crate::facts::Facts;
use crate::index::Index;
use crate::problem::{PolicyErrors, PolicyProblem};
use crate::rule::{Rule, RuleKind, server_of};
use crate::schema::{Model, is_in_model};
use crate::source::{Place, PolicySource, Sources};
use crate::{file, permit};
use cedar_policy::{Authorizer, Decision, PolicyId};
use std::collections::{BTreeMap, BTreeSet};
use stockade_core::ports::{Object, Policy, Question, Ruling};
use stockade_core::wire::Digest;
use stockade_core::words::ServerName;

/// Rules of all sources together; a `[[permit]]` makes up to four.
pub const RULES_LIMIT: usize = 10_000;
/// Hexadecimal digits of a revision.
const REVISION_DIGITS: usize = 16;
/// The reason where no rule applies.
pub const NO_RULE: &str = "no rule allows it";

/// A checked policy.
#[derive(Debug)]
pub struct CedarPolicy {
    pub(crate) rules: Vec<Rule>,
    pub(crate) model: Model,
    pub(crate) index: Index,
    authorizer: Authorizer,
    revision: String,
    cache: Cache,
}

impl CedarPolicy {
    /// Reads, compiles and checks all sources.
    ///
    /// # Errors
    /// Every problem of every source, if there is one: what is not a policy, what the model does not know, what can
    /// never apply, names used twice, tables that name nobody, servers that are not configured.
    pub fn load(sources: &Sources) -> Result<Self, PolicyErrors> {
        let model = match Model::read() {
            Ok(model) => model,
            Err(error) => return Err(one_problem(&whole_policy(), &error)),
        };
        let mut problems = same_names(sources);
        let mut rules = Vec::new();
        for source in &sources.files {
            let (read, found) = file::read(source, &model);
            rules.extend(read);
            problems.extend(found);
        }
        problems.extend(twice(&rules));
        let permits = (1..).zip(&sources.permits).map(|(number, table)| permit::compile(number, table));
        for (made, found) in permits.chain(sources.starter.as_ref().map(permit::compile_starter)) {
            problems.extend(permit::validate(&made, &model));
            rules.extend(made);
            problems.extend(found);
        }
        problems.extend(sources.servers.iter().flat_map(|known| strangers(sources, &rules, known)));
        if rules.len() > RULES_LIMIT {
            let message = format!("there are {} rules, more than {RULES_LIMIT}", rules.len());
            problems.push(PolicyProblem::new(whole_policy(), message, "use globs, or groups of servers and tools"));
        }
        if let Some(errors) = PolicyErrors::of(problems) {
            return Err(errors);
        }
        let mut index = Index::default();
        for (number, rule) in rules.iter().enumerate() {
            index.file(number, rule).map_err(|error| one_problem(&rule.place, &error))?;
        }
        let revision = revision_of(sources, &rules);
        Ok(Self { rules, model, index, authorizer: Authorizer::new(), revision, cache: Cache::new() })
    }

    /// The rules, in the order of the sources.
    pub fn rules(&self) -> impl ExactSizeIterator<Item = &Rule> {
        self.rules.iter()
    }

    /// Answers without looking at what was answered before.
    #[must_use]
    pub fn rule_afresh(&self, question: &Question<'_>) -> Ruling {
        self.judge(&Facts::of(question))
    }

    pub(crate) fn judge(&self, facts: &Facts<'_>) -> Ruling {
        if !is_in_model(facts.action, facts.object) {
            // Cedar would let `permit (principal, action, resource)` match it, unchecked against the model.
            return refused(format!("`{}` is no action for such an object", facts.action.as_str()));
        }
        if let Object::Resource(uri) = facts.object
            && let Err(error) = address::normal(uri)
        {
            return refused(format!("{error}, so that rules cannot judge it"));
        }
        let (request, entities) = match facts.ask(&self.model) {
            Ok(asked) => asked,
            Err(error) => return refused(error.to_string()),
        };
        let mut satisfied = Vec::new();
        let mut failed = BTreeMap::new();
        for set in self.index.places(facts) {
            let response = self.authorizer.is_authorized(&request, set, &entities);
            let denied = response.decision() == Decision::Deny;
            for id in response.diagnostics().reason() {
                match self.numbered(id) {
                    // Cedar names forbids where it denies and permits where it allows; anything else is a fault.
                    Some(rule) if denied == (rule.kind == RuleKind::Forbid) => satisfied.push(rule),
                    _ => drop(failed.insert(id.to_string(), "internal: an unknown rule decided".to_owned())),
                }
            }
            for error in response.diagnostics().errors() {
                let cedar_policy::AuthorizationError::PolicyEvaluationError(error) = error;
                let id = self
                    .numbered(error.policy_id())
                    .map_or_else(|| error.policy_id().to_string(), |rule| rule.id.clone());
                failed.insert(id, error.inner().to_string());
            }
        }
        weigh(&satisfied, failed)
    }

    fn numbered(&self, id: &PolicyId) -> Option<&Rule> {
        let id: &str = id.as_ref();
        self.rules.get(id.parse::<usize>().ok()?)
    }
}

impl Policy for CedarPolicy {
    fn rule(&self, question: &Question<'_>) -> Ruling {
        let facts = Facts::of(question);
        self.cache.remember(&facts, || self.judge(&facts))
    }

    fn revision(&self) -> String {
        self.revision.clone()
    }
}

fn refused(reason: String) -> Ruling {
    Ruling::Deny { rules: Vec::new(), reason }
}

/// The ruling; its rules are in order of their ids, so that the order of the sources does not show.
fn weigh(satisfied: &[&Rule], failed: BTreeMap<String, String>) -> Ruling {
    if let Some((id, error)) = failed.first_key_value() {
        let reason = format!("the rule `{id}` could not be evaluated: {error}");
        return Ruling::Deny { rules: failed.into_keys().collect(), reason };
    }
    let of_kind = |wanted: fn(&RuleKind) -> bool| {
        let mut rules: Vec<_> = satisfied.iter().filter(|rule| wanted(&rule.kind)).copied().collect();
        rules.sort_by(|one, other| one.id.cmp(&other.id));
        rules.dedup_by(|one, other| one.id == other.id);
        rules
    };
    let ids = |rules: &[&Rule]| rules.iter().map(|rule| rule.id.clone()).collect::<Vec<_>>();
    let forbids = ids(&of_kind(|kind| *kind == RuleKind::Forbid));
    if !forbids.is_empty() {
        return Ruling::Deny { reason: format!("forbidden by {}", quoted(&forbids)), rules: forbids };
    }
    let permits = ids(&of_kind(|kind| *kind == RuleKind::Permit));
    if !permits.is_empty() {
        return Ruling::Allow { rules: permits };
    }
    let asks = of_kind(|kind| matches!(kind, RuleKind::Ask { .. }));
    if asks.is_empty() {
        return refused(NO_RULE.to_owned());
    }
    let mut reasons: Vec<&str> = Vec::new();
    for rule in &asks {
        if let RuleKind::Ask { reason } = &rule.kind
            && !reasons.contains(&reason.as_str())
        {
            reasons.push(reason);
        }
    }
    Ruling::Ask { rules: ids(&asks), reason: reasons.join("; ") }
}

fn quoted(ids: &[String]) -> String {
    ids.iter().map(|id| format!("`{id}`")).collect::<Vec<_>>().join(", ")
}

fn whole_policy() -> Place {
    Place { source: "policy".to_owned(), line: 1, column: 1 }
}

/// For faults of ours, which nobody can mend in the sources.
fn one_problem(place: &Place, error: &dyn std::error::Error) -> PolicyErrors {
    let cause = error.source().map_or(String::new(), |cause| format!(": {cause}"));
    PolicyErrors::internal(PolicyProblem::new(place.clone(), format!("{error}{cause}"), "report this"))
}

/// Files that could not be told apart in rule ids and messages.
fn same_names(sources: &Sources) -> Vec<PolicyProblem> {
    let mut seen = BTreeSet::new();
    let again = sources.files.iter().filter(|source| !seen.insert(source.name.as_str()));
    let problem = |source: &PolicySource| {
        let place = Place { source: source.name.clone(), line: 1, column: 1 };
        PolicyProblem::new(place, format!("two policy files are called `{}`", source.name), "rename one")
    };
    again.map(problem).collect()
}

/// Ids that two rules of files have.
fn twice(rules: &[Rule]) -> Vec<PolicyProblem> {
    let mut first: BTreeMap<&str, &Place> = BTreeMap::new();
    let mut problems = Vec::new();
    for rule in rules {
        if let Some(earlier) = first.insert(&rule.id, &rule.place) {
            let message = format!("the rule id `{}` is used at {earlier} already", rule.id);
            problems.push(PolicyProblem::new(rule.place.clone(), message, "give each rule its own `@id`"));
        }
    }
    problems
}

/// Rules about servers that are not configured: a forbid for a misspelt server forbids nothing.
fn strangers(sources: &Sources, rules: &[Rule], known: &[ServerName]) -> Vec<PolicyProblem> {
    let in_rules = rules.iter().flat_map(|rule| {
        let servers = rule.policy.entity_literals();
        servers.iter().filter_map(server_of).map(|server| (rule.place(), server)).collect::<Vec<_>>()
    });
    let in_permits = sources.permits.iter().flat_map(|permit| {
        let names = permit.servers.iter().filter_map(|pattern| pattern.glob().literal());
        names.map(|name| (&permit.place, name.to_owned()))
    });
    let mut problems: Vec<PolicyProblem> = Vec::new();
    for (place, server) in in_rules.chain(in_permits) {
        if known.iter().all(|name| name.as_str() != server) {
            let message = format!("the server `{server}` is not configured");
            let problem = PolicyProblem::new(place.clone(), message, "correct the name, or add the server");
            if !problems.contains(&problem) {
                problems.push(problem);
            }
        }
    }
    problems
}

/// The digest over everything that decides, in order, each part with its length before it.
fn revision_of(sources: &Sources, rules: &[Rule]) -> String {
    let mut bytes = Vec::new();
    let mut push = |part: &str| {
        bytes.extend_from_slice(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        bytes.extend_from_slice(part.as_bytes());
    };
    for source in &sources.files {
        push(&source.name);
        push(&source.text);
    }
    for rule in rules {
        push(&rule.id);
        push(&rule.text());
    }
    let digest = Digest::of(&bytes).to_string();
    digest.chars().take(REVISION_DIGITS).collect()
}
