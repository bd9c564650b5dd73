//! From `[[permit]]` tables and starters to Cedar policies.
//!
//! For: the few rules most people need, without learning Cedar.
//! Must never: paste a name into the text of a policy. Policies are built in Cedar's JSON form, in which a name is a
//! value and cannot end a string, start a wildcard or add a clause (attack: a tool named `x" || true || "`).

use crate::clause;
use crate::glob::Glob;
use crate::problem::PolicyProblem;
use crate::rule::{Actions, Callers, Read, Rule, RuleKind, Scope, Servers};
use crate::schema::{Model, entity_json, name};
use crate::source::{CallerPattern, FromServer, PermitRule, Place, ServerPattern, Starter};
use cedar_policy::{Policy, PolicySet};
use serde_json::{Value, json};
use stockade_core::ports::Action;
use stockade_core::words::{CallerKind, ServerName};

/// The one tool of the sample server.
const SAMPLE_TOOL: &str = "secure_query";
/// Callers, servers or globs in one list of one table.
pub(crate) const LIST_LIMIT: usize = 1000;

/// How the ids of the rules made here start. Files may not use them.
const RESERVED: [&str; 2] = ["permit-", "starter-"];

/// True for ids that only rules made here have.
pub(crate) fn is_reserved(id: &str) -> bool {
    RESERVED.iter().any(|start| id.starts_with(start))
}

/// Compiles the table that is the `number`th, counted from 1. Its rules are all called `permit-{number}`.
pub(crate) fn compile(number: usize, permit: &PermitRule) -> Read {
    let problems = problems_of(permit);
    if !problems.is_empty() {
        return (Vec::new(), problems);
    }
    let id = format!("permit-{number}");
    let who = Who::Patterns(&permit.callers);
    let mut on_server = vec![Action::Connect, Action::List];
    // Tasks are questions about the server; whoever may call something on it may follow what came of it.
    on_server.extend((!permit.tools.is_empty()).then_some(Action::Call));
    on_server.extend(
        [FromServer::Sampling, FromServer::Elicitation, FromServer::Roots]
            .into_iter()
            .filter_map(|asked| permit.from_server.contains(&asked).then_some(action_of(asked))),
    );
    let parts = [
        Part { who, servers: &permit.servers, actions: &on_server, object: name::SERVER, names: None },
        Part::of(permit, who, &[Action::Call], name::TOOL, &permit.tools),
        Part::of(permit, who, &[Action::Read, Action::Complete], name::RESOURCE, &permit.resources),
        Part::of(permit, who, &[Action::Get, Action::Complete], name::PROMPT, &permit.prompts),
    ];
    let wanted = parts.into_iter().filter(|part| part.names.is_none_or(|names| !names.is_empty()));
    gather(wanted.map(|part| part.rule(&id, &permit.place)))
}

/// Compiles a starter. Its rules are called `starter-wrap` or `starter-sample`.
pub(crate) fn compile_starter(starter: &Starter) -> Read {
    let place = Place { source: "starter".to_owned(), line: 1, column: 1 };
    match starter {
        Starter::Wrap { server } => gather([everything_on(server, &place)].into_iter()),
        Starter::Sample { server } => {
            let sample = [Glob::exactly(SAMPLE_TOOL)];
            let servers = [ServerPattern::exactly(server)];
            // Everybody who had to prove who they are.
            let kinds = [CallerKind::ApiKey, CallerKind::Token, CallerKind::Certificate];
            let parts = kinds.into_iter().map(Who::Kind).flat_map(|who| {
                let (servers, on_server) = (servers.as_slice(), &[Action::Connect, Action::List]);
                let tool = Some(sample.as_slice());
                [
                    Part { who, servers, actions: on_server, object: name::SERVER, names: None },
                    Part { who, servers, actions: &[Action::Call], object: name::TOOL, names: tool },
                ]
            });
            gather(parts.map(|part| part.rule("starter-sample", &place)))
        }
    }
}

fn gather(results: impl Iterator<Item = Result<Rule, PolicyProblem>>) -> Read {
    let mut read = Read::default();
    for result in results {
        match result {
            Ok(rule) => read.0.push(rule),
            Err(problem) => read.1.push(problem),
        }
    }
    read
}

/// Absence denies, so a table that names nobody is a mistake and not a rule for all.
fn problems_of(permit: &PermitRule) -> Vec<PolicyProblem> {
    let problem = |message: &str, fix: &str| PolicyProblem::new(permit.place.clone(), message, fix);
    let mut problems = Vec::new();
    if permit.callers.is_empty() {
        problems.push(problem(
            "the permit names no caller",
            "add `callers = [\"NAME\"]`, or `[\"*\"]` for every recognised caller",
        ));
    }
    if permit.servers.is_empty() {
        problems.push(problem("the permit names no server", "add `servers = [\"NAME\"]`, or `[\"*\"]` for all"));
    }
    let lists = [
        ("callers", permit.callers.len()),
        ("servers", permit.servers.len()),
        ("tools", permit.tools.len()),
        ("resources", permit.resources.len()),
        ("prompts", permit.prompts.len()),
    ];
    let long = lists.into_iter().filter(|(_, length)| *length > LIST_LIMIT);
    problems.extend(long.map(|(list, _)| {
        problem(
            &format!("`{list}` has more than {LIST_LIMIT} entries"),
            "use `*`, or split it into several `[[permit]]` tables",
        )
    }));
    problems
}

const fn action_of(asked: FromServer) -> Action {
    match asked {
        FromServer::Sampling => Action::Sample,
        FromServer::Elicitation => Action::Elicit,
        FromServer::Roots => Action::Roots,
    }
}

/// Checks rules made here against the model. What it finds is a fault of ours; that a name mixes scripts is its server's
/// business, so warnings do not count.
pub(crate) fn validate(rules: &[Rule], model: &Model) -> Vec<PolicyProblem> {
    let check = |rule: &Rule| {
        let set = PolicySet::from_policies([rule.policy.clone()]).map_err(|error| error.to_string())?;
        let result = model.check(&set);
        result.validation_errors().next().map_or(Ok(()), |error| Err(error.to_string()))
    };
    let problem = |rule: &Rule, error: String| {
        PolicyProblem::new(
            rule.place.clone(),
            format!("internal: the rule made of this is wrong: {error}"),
            "report this",
        )
    };
    rules.iter().filter_map(|rule| check(rule).err().map(|error| problem(rule, error))).collect()
}

/// Whom a part is for.
#[derive(Debug, Clone, Copy)]
enum Who<'p> {
    Patterns(&'p [CallerPattern]),
    Kind(CallerKind),
}

/// One Cedar policy to be: some actions on one sort of object.
#[derive(Debug, Clone, Copy)]
struct Part<'p> {
    who: Who<'p>,
    servers: &'p [ServerPattern],
    actions: &'p [Action],
    object: &'static str,
    /// What the object may be called; `None` for servers, which `servers` has named already.
    names: Option<&'p [Glob]>,
}

impl<'p> Part<'p> {
    fn of(
        permit: &'p PermitRule,
        who: Who<'p>,
        actions: &'p [Action],
        object: &'static str,
        names: &'p [Glob],
    ) -> Self {
        Self { who, servers: &permit.servers, actions, object, names: Some(names) }
    }

    fn rule(self, id: &str, place: &Place) -> Result<Rule, PolicyProblem> {
        let servers: Option<Vec<_>> = self.servers.iter().map(|server| server.glob().literal()).collect();
        let one_server = match servers.as_deref() {
            Some([one]) => Some(*one),
            _ => None,
        };
        let mut clauses = Vec::new();
        let one_caller = match self.who {
            Who::Kind(kind) => {
                clauses.push(clause::of_kind(kind));
                None
            }
            Who::Patterns([one]) if one.glob().literal().is_some() => one.glob().literal(),
            Who::Patterns(patterns) => {
                clauses.push(clause::callers(patterns));
                None
            }
        };
        if one_server.is_none() {
            clauses.extend(clause::names("server", self.servers.iter().map(ServerPattern::glob)));
        }
        clauses.extend(self.names.and_then(|names| clause::names("name", names.iter())));
        let resource = match one_server {
            Some(server) => {
                json!({ "op": "is", "entity_type": self.object, "in": { "entity": entity_json(name::SERVER, server) } })
            }
            None => json!({ "op": "is", "entity_type": self.object }),
        };
        let actions: Vec<Value> =
            self.actions.iter().map(|action| entity_json(name::ACTION, action.as_str())).collect();
        let principal = match one_caller {
            Some(one) => json!({ "op": "==", "entity": entity_json(name::CALLER, one) }),
            None => json!({ "op": "All" }),
        };
        let policy = json!({
            "effect": "permit",
            "annotations": { "id": id },
            "principal": principal,
            "action": { "op": "in", "entities": actions },
            "resource": resource,
            "conditions": clauses.into_iter().map(|body| json!({ "kind": "when", "body": body })).collect::<Value>(),
        });
        let scope = Scope {
            actions: Actions::Some(self.actions.to_vec()),
            callers: match self.who {
                Who::Kind(kind) => Callers::Kind(kind),
                Who::Patterns(patterns) => Callers::Matching(patterns.to_vec()),
            },
            servers: servers
                .map_or(Servers::Every, |names| Servers::Some(names.into_iter().map(str::to_owned).collect())),
        };
        build(id, place, scope, policy)
    }
}

fn everything_on(server: &ServerName, place: &Place) -> Result<Rule, PolicyProblem> {
    let policy = json!({
        "effect": "permit",
        "annotations": { "id": "starter-wrap" },
        "principal": { "op": "All" },
        "action": { "op": "All" },
        "resource": { "op": "in", "entity": entity_json(name::SERVER, server.as_str()) },
        "conditions": [{
            "kind": "when",
            "body": clause::of_kind(CallerKind::LocalUser),
        }],
    });
    let scope = Scope {
        actions: Actions::Every,
        callers: Callers::Kind(CallerKind::LocalUser),
        servers: Servers::Some(vec![server.as_str().to_owned()]),
    };
    build("starter-wrap", place, scope, policy)
}

fn build(id: &str, place: &Place, scope: Scope, policy: Value) -> Result<Rule, PolicyProblem> {
    let policy = Policy::from_json(None, policy).map_err(|error| {
        PolicyProblem::new(place.clone(), format!("internal: no policy can be made of this: {error}"), "report this")
    })?;
    Ok(Rule { id: id.to_owned(), place: place.clone(), kind: RuleKind::Permit, scope, policy })
}
