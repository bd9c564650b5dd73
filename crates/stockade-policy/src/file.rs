//! From the text of a Cedar file to rules, or to everything that is wrong with it.
//!
//! For: refusing at load what would be silent later: misspelt words, rules that can never apply, annotations that
//! nobody reads. Each of these could turn a no into a yes (`@aks` instead of `@ask`) or a forbid into nothing.
//! Must never: skip a policy and keep the rest.

use crate::address;
use crate::permit;
use crate::problem::PolicyProblem;
use crate::rule::{Read, Rule, RuleKind, Scope, server_of};
use crate::schema::{ID_SEPARATOR, Model, name};
use crate::source::{Place, PolicySource};
use cedar_policy::ffi::DetailedError;
use cedar_policy::{Effect, EntityUid, Policy, PolicyId, PolicySet, ValidationWarning};
use std::str::FromStr as _;
use stockade_core::words::{CallerName, ServerName};

/// Bytes of one Cedar file.
pub(crate) const FILE_LIMIT_BYTES: usize = 1024 * 1024;
/// Characters of an `@id`.
const ID_LIMIT: usize = 128;
/// Bytes of the reason of an `@ask`, which a person has to read.
const REASON_LIMIT_BYTES: usize = 500;

/// Annotations that have a meaning here; any other is refused.
const ANNOTATIONS: [&str; 3] = ["id", "ask", "description"];

/// Reads one file.
pub(crate) fn read(source: &PolicySource, model: &Model) -> Read {
    let start = Place { source: source.name.clone(), line: 1, column: 1 };
    if source.text.len() > FILE_LIMIT_BYTES {
        let message = format!("the file has more than {FILE_LIMIT_BYTES} bytes");
        return (Vec::new(), vec![PolicyProblem::new(start, message, "split it")]);
    }
    let set = match PolicySet::from_str(&source.text) {
        Ok(set) => set,
        Err(errors) => {
            let told = errors.iter().map(|error| told(source, &start, &DetailedError::from(error), SYNTAX_FIX));
            return (Vec::new(), told.collect());
        }
    };
    let file = File { source, start };
    let mut problems: Vec<_> = set
        .templates()
        .map(|template| {
            let message = format!("`{}` is a template (`?principal`, `?resource`)", template.id());
            PolicyProblem::new(file.start.clone(), message, "name the caller or the resource")
        })
        .collect();
    let mut rules: Vec<Rule> = Vec::new();
    let mut policies: Vec<_> = set.policies().map(|policy| (offset_of(policy), policy)).collect();
    policies.sort_by_key(|(offset, _)| *offset);
    for (number, (offset, policy)) in (1..).zip(policies) {
        match file.rule(number, offset, policy) {
            Ok(rule) => rules.push(rule),
            Err(found) => problems.extend(found),
        }
    }
    problems.extend(validate(source, &rules, model));
    problems.sort_by(|one, other| one.place.cmp(&other.place));
    (rules, problems)
}

const SYNTAX_FIX: &str = "see docs/policy.md for how a policy is written";
const NEVER_FIX: &str =
    "see docs/policy.md for which action goes with what, and whether the conditions contradict each other";
const MODEL_FIX: &str = "see docs/policy.md for the words of the model";

/// The public interface tells no positions of policies; this is what the type itself is built on. The version of
/// `cedar-policy` is pinned, and without it only the line in messages would be lost.
fn offset_of(policy: &Policy) -> usize {
    policy.as_ref().loc().map_or(0, |location| location.start())
}

struct File<'f> {
    source: &'f PolicySource,
    start: Place,
}

impl File<'_> {
    fn rule(&self, number: usize, offset: usize, policy: &Policy) -> Result<Rule, Vec<PolicyProblem>> {
        let place = Place::at(&self.source.name, &self.source.text, offset);
        let mut problems = Vec::new();
        let mut refuse = |message: String, fix: &str| problems.push(PolicyProblem::new(place.clone(), message, fix));
        for (annotation, _) in policy.annotations() {
            if !ANNOTATIONS.contains(&annotation) {
                refuse(format!("the annotation `@{annotation}` has no meaning"), "use `@id`, `@ask` or `@description`");
            }
        }
        let id = match policy.annotation("id") {
            None => format!("{}:policy{number}", self.source.name),
            Some(id) => {
                if !is_id(id) {
                    refuse(format!("`{id}` is no name for a rule"), "use 1 to 128 letters, digits or any of `-_.:/`");
                }
                if permit::is_reserved(id) {
                    refuse(format!("`{id}` is the name of a rule of ours"), "choose an `@id` that starts otherwise");
                }
                id.to_owned()
            }
        };
        let kind = match (policy.effect(), policy.annotation("ask")) {
            (Effect::Permit, None) => RuleKind::Permit,
            (Effect::Forbid, None) => RuleKind::Forbid,
            (Effect::Permit, Some(reason)) => {
                if reason.trim().is_empty() || reason.len() > REASON_LIMIT_BYTES || reason.chars().any(char::is_control)
                {
                    refuse(
                        "`@ask` needs a reason of one line".to_owned(),
                        "write what the person is asked: `@ask(\"delete a branch?\")`",
                    );
                }
                RuleKind::Ask { reason: reason.to_owned() }
            }
            (Effect::Forbid, Some(_)) => {
                refuse("a `forbid` cannot ask".to_owned(), "put `@ask` on a `permit`, or remove it");
                RuleKind::Forbid
            }
        };
        for uid in policy.entity_literals() {
            if let Some((message, fix)) = unmatchable(&uid) {
                refuse(message, fix);
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        Ok(Rule { id, place, kind, scope: Scope::of(policy), policy: policy.clone() })
    }
}

/// Checks a file's rules against the model. Warnings count: a policy that can never apply, or that reads other than it
/// looks, is not what its author meant.
fn validate(source: &PolicySource, rules: &[Rule], model: &Model) -> Vec<PolicyProblem> {
    let mut set = PolicySet::new();
    let mut problems = Vec::new();
    for rule in rules {
        if let Err(error) = set.add(rule.policy.clone()) {
            problems.push(PolicyProblem::new(rule.place.clone(), error.to_string(), SYNTAX_FIX));
        }
    }
    let result = model.check(&set);
    let in_place = |id: &PolicyId, error: &DetailedError| {
        let start = Place { source: source.name.clone(), line: 1, column: 1 };
        told(source, rules.iter().find(|rule| rule.policy.id() == id).map_or(&start, Rule::place), error, MODEL_FIX)
    };
    let mut wrong: Vec<&PolicyId> = Vec::new();
    let mut found = Vec::new();
    for error in result.validation_errors() {
        wrong.push(error.policy_id());
        found.push(in_place(error.policy_id(), &without_id(error.policy_id(), DetailedError::from(error))));
    }
    // Of a rule that is wrong anyway, Cedar also says that it cannot apply.
    for warning in result.validation_warnings().filter(|warning| !wrong.contains(&warning.policy_id())) {
        let mut told = in_place(warning.policy_id(), &without_id(warning.policy_id(), DetailedError::from(warning)));
        if let ValidationWarning::ImpossiblePolicy(_) | ValidationWarning::InvalidActionApplication(_) = warning {
            told = PolicyProblem::new(told.place, "the rule can never apply", NEVER_FIX);
        }
        found.push(told);
    }
    // Cedar repeats itself for each action that a rule may be about; the author mends one place.
    found.sort_by(|one, other| (&one.place, &one.message).cmp(&(&other.place, &other.message)));
    found.dedup_by(|one, other| one.place == other.place);
    problems.extend(found);
    problems
}

fn is_id(id: &str) -> bool {
    let fine = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:/".contains(&byte);
    (1..=ID_LIMIT).contains(&id.len()) && id.bytes().all(fine)
}

/// Cedar's own number for a policy says nothing to a reader who is told the line.
fn without_id(id: &PolicyId, mut error: DetailedError) -> DetailedError {
    if let Some(rest) = error.message.strip_prefix(&format!("for policy `{id}`, ")) {
        error.message = rest.to_owned();
    }
    error
}

/// Cedar's words, at the first position it names or else at `place`.
fn told(source: &PolicySource, place: &Place, error: &DetailedError, fix: &str) -> PolicyProblem {
    let label = error.source_locations.first();
    let place = label.map_or_else(|| place.clone(), |label| Place::at(&source.name, &source.text, label.loc.start));
    let hint = label.and_then(|label| label.label.as_deref()).map_or(String::new(), |label| format!(": {label}"));
    PolicyProblem::new(place, format!("{}{hint}", error.message), error.help.as_deref().unwrap_or(fix))
}

/// Says why nothing can ever have this id.
fn unmatchable(uid: &EntityUid) -> Option<(String, &'static str)> {
    let (type_name, id) = (uid.type_name().to_string(), uid.id().unescaped());
    match type_name.as_str() {
        name::CALLER if CallerName::parse(id).is_err() => {
            Some((format!("no caller can be called `{id}`"), "use 1 to 128 letters, digits or any of `-_.@:/`"))
        }
        name::SERVER | name::TOOL | name::RESOURCE | name::PROMPT => unmatchable_object(uid, &type_name, id),
        _ => None,
    }
}

fn unmatchable_object(uid: &EntityUid, type_name: &str, id: &str) -> Option<(String, &'static str)> {
    let is_server = type_name == name::SERVER;
    let server = server_of(uid).filter(|server| ServerName::parse(server).is_ok());
    if server.is_none() {
        let fix = if is_server {
            "use the server's name in the configuration"
        } else {
            "write the server, a slash and the name: `files/read_file`"
        };
        return Some((format!("`{type_name}::{id:?}` is on no server that there could be"), fix));
    }
    let own_name = id.split_once(ID_SEPARATOR).map(|(_, own_name)| own_name);
    let abnormal = own_name.filter(|_| type_name == name::RESOURCE).and_then(|uri| address::normal(uri).err());
    abnormal
        .map(|why| (format!("`{id}` is never asked for: {why}"), "write the URI in its normal form (RFC 3986 §6.2.2)"))
}
