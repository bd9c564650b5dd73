//! Guard 4, `authorise`.
//!
//! Proves: the policy lets this caller do this to that, on a server that the route reaches.
//! Refuses when: no rule allows it, a rule forbids it, or it is unclear what is meant.
//! Source: design §4 "Permissions"; attack cases AZ-01, AZ-04, AZ-05, AZ-13.
//!
//! The same function judges calls and the entries of lists, so that what is listed and what may be called cannot differ.

use super::validate::{Message, Target, Validated};
use crate::identity::{Challenge, ChallengeError, Identity};
use crate::mcp::{Method, Revision, Target as About};
use crate::ports::{Action, Catalogue, Object, Policy, Question, Route, Ruling, Upstreams};
use crate::refusal::{Refusal, Refused};
use crate::ticket::Ticket;
use crate::wire::Value;
use crate::words::{Caller, ServerName};
use std::sync::Arc;

/// What the policy said, short of no.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Permit {
    /// Allowed.
    Allowed,
    /// Allowed once a person has agreed.
    AfterConsent {
        /// What the person is to be asked.
        reason: String,
    },
}

/// Having one tells you: the policy allows the message, and which servers it may reach.
#[derive(Debug)]
pub struct Authorised {
    pub(super) validated: Validated,
    /// One server, but for handshakes and lists on the merged route.
    pub(super) reach: Vec<ServerName>,
    /// The target by the name that its server gives it.
    pub(super) target: Target,
    pub(super) permit: Permit,
}

impl Authorised {
    /// What was decided.
    #[must_use]
    pub const fn permit(&self) -> &Permit {
        &self.permit
    }

    pub(super) fn treatment(&self, catalogue: &dyn Catalogue) -> crate::ports::Treatment {
        let object = object_of(&self.target);
        let all = self.reach.iter().map(|server| catalogue.treatment(server, self.validated.method, object));
        // Several servers are reached only by handshakes and lists; the longest deadline is the one that all keep.
        all.reduce(|one, other| crate::ports::Treatment {
            effect: one.effect.max(other.effect),
            deadline: one.deadline.max(other.deadline),
            scopes: one.scopes,
        })
        .unwrap_or(crate::ports::Treatment {
            effect: crate::ports::Effect::Destructive,
            deadline: std::time::Duration::ZERO,
            scopes: Arc::new([]),
        })
    }
}

/// Asks the policy about a message.
///
/// # Errors
/// [`Refusal::PermissionDenied`], the same for what is forbidden and for what does not exist.
pub fn authorise(
    ticket: &mut Ticket,
    validated: Validated,
    policy: &dyn Policy,
    catalogue: &dyn Catalogue,
    upstreams: &dyn Upstreams,
) -> Result<Authorised, Refused> {
    let action = action_of(validated.method);
    let (candidates, target) = candidates(&validated, catalogue, upstreams)?;
    let single = candidates.len() == 1;
    let mut reach = Vec::with_capacity(candidates.len());
    let mut permit = Permit::Allowed;
    let mut denied = None;
    let mut lacking: Option<Arc<[String]>> = None;
    for server in candidates {
        let object = object_of(&target);
        let treatment = catalogue.treatment(&server, validated.method, object);
        let question = Question {
            caller: &validated.identity.caller,
            action,
            server: &server,
            object,
            effect: treatment.effect,
            revision: validated.revision,
        };
        match policy.rule(&question) {
            // The rules first: who may not do it at all learns of no scope.
            Ruling::Allow { .. } | Ruling::Ask { .. } if !validated.identity.standing.covers(&treatment.scopes) => {
                lacking.get_or_insert(treatment.scopes);
            }
            Ruling::Allow { rules } => {
                note_rules(ticket, &rules, policy);
                reach.push(server);
            }
            Ruling::Ask { rules, reason } => {
                note_rules(ticket, &rules, policy);
                permit = Permit::AfterConsent { reason };
                reach.push(server);
            }
            Ruling::Deny { rules, reason } => denied = Some((rules, reason)),
        }
    }
    if let (true, Some(scopes)) = (reach.is_empty(), lacking) {
        return Err(step_up(&scopes));
    }
    if reach.is_empty() {
        let (rules, reason) = denied.unwrap_or_else(|| (Vec::new(), "no configured server is reached".to_owned()));
        let rule = if rules.is_empty() { "policy: default deny".to_owned() } else { rules.join(",") };
        let reason = format!("{reason} (policy {})", policy.revision());
        return Err(Refused::by(rule, Refusal::PermissionDenied, reason));
    }
    subscriptions_allowed(&validated, &reach, policy, catalogue, upstreams)?;
    ticket.facts().decision = Some("allow");
    if let ([server], true) = (reach.as_slice(), single) {
        ticket.facts().server = Some(server.to_string());
    }
    Ok(Authorised { validated, reach, target, permit })
}

/// Asks for every scope of the operation at once (MCP 2026-07-28 `basic/authorization`, "Scope Challenge Handling").
fn step_up(scopes: &[String]) -> Refused {
    let reason = format!("the operation needs the scopes `{}`", scopes.join(" "));
    let error = Some(ChallengeError::InsufficientScope);
    Refused::by("scopes", Refusal::InsufficientScope, reason).with_challenge(Challenge {
        error,
        scopes: scopes.to_vec(),
        ..Challenge::default()
    })
}

/// The resources that a subscription names are read through it, so each is judged as if it were read (AZ-13).
fn subscriptions_allowed(
    validated: &Validated,
    reach: &[ServerName],
    policy: &dyn Policy,
    catalogue: &dyn Catalogue,
    upstreams: &dyn Upstreams,
) -> Result<(), Refused> {
    if validated.method != Method::SubscriptionsListen {
        return Ok(());
    }
    let named = validated.frame.params().and_then(|params| params.at(&["notifications", "resourceSubscriptions"]));
    for uri in named.and_then(Value::as_array).into_iter().flat_map(|uris| uris.elements()).filter_map(Value::as_str) {
        let server = match &validated.seen.route {
            Route::One(_) => reach.first().cloned(),
            Route::Merged => upstreams.owner_of(&validated.identity.caller, &uri),
        };
        let target = Target::Resource(uri.into_owned());
        let (identity, revision) = (&validated.identity, validated.revision);
        if !server.is_some_and(|server| permitted_entry(policy, catalogue, identity, revision, &server, &target)) {
            let reason = "a resource of the subscription may not be read";
            return Err(Refused::by("policy: default deny", Refusal::PermissionDenied, reason));
        }
    }
    Ok(())
}

fn note_rules(ticket: &mut Ticket, rules: &[String], policy: &dyn Policy) {
    ticket.facts().rule = Some(format!("{} (policy {})", rules.join(","), policy.revision()));
}

/// Which servers the message could mean, and its target by the server's own name.
fn candidates(
    validated: &Validated,
    catalogue: &dyn Catalogue,
    upstreams: &dyn Upstreams,
) -> Result<(Vec<ServerName>, Target), Refused> {
    if let Message::Answer(_, server) = &validated.message {
        return Ok((vec![server.clone()], Target::Server));
    }
    let route = match &validated.seen.route {
        Route::One(server) if catalogue.servers().contains(server) => {
            return Ok((vec![server.clone()], validated.target.clone()));
        }
        Route::One(_) => return Err(Refused::by("authorise", Refusal::NoRoute, "no such server is configured")),
        Route::Merged => catalogue.servers(),
    };
    let unknown =
        || Refused::by("policy: default deny", Refusal::PermissionDenied, "the name belongs to no configured server");
    let split = |name: &str| {
        let (server, name) = ServerName::split(name).ok_or_else(unknown)?;
        if route.contains(&server) { Ok((server, name.to_owned())) } else { Err(unknown()) }
    };
    match &validated.target {
        Target::Server => Ok((route.to_vec(), Target::Server)),
        Target::Tool(name) => split(name).map(|(server, name)| (vec![server], Target::Tool(name))),
        Target::Prompt(name) => split(name).map(|(server, name)| (vec![server], Target::Prompt(name))),
        Target::Resource(uri) => {
            let server = upstreams.owner_of(&validated.identity.caller, uri).ok_or_else(unknown)?;
            Ok((vec![server], validated.target.clone()))
        }
    }
}

pub(super) const fn object_of(target: &Target) -> Object<'_> {
    match target {
        Target::Server => Object::Server,
        Target::Tool(name) => Object::Tool(name.as_str()),
        Target::Resource(uri) => Object::Resource(uri.as_str()),
        Target::Prompt(name) => Object::Prompt(name.as_str()),
    }
}

/// The action of policies that a method stands for.
pub(crate) const fn action_of(method: Method) -> Action {
    let facts = method.facts();
    match facts.target {
        About::None => Action::Connect,
        About::Tool | About::Task | About::Skill => Action::Call,
        About::Resource => Action::Read,
        About::Prompt => Action::Get,
        About::Completion => Action::Complete,
        About::Listing(_) | About::Subscription => Action::List,
        About::Model => Action::Sample,
        About::Person => Action::Elicit,
        About::Roots => Action::Roots,
    }
}

/// True if a list may show this entry: if using it would be allowed, now or after consent. What only lacks a scope is shown,
/// so that a client learns of it and can ask its person for the scope.
pub(crate) fn permitted_entry(
    policy: &dyn Policy,
    catalogue: &dyn Catalogue,
    identity: &Identity,
    revision: Revision,
    server: &ServerName,
    target: &Target,
) -> bool {
    let (action, method) = match target {
        Target::Tool(_) => (Action::Call, Method::ToolsCall),
        Target::Resource(_) => (Action::Read, Method::ResourcesRead),
        Target::Prompt(_) => (Action::Get, Method::PromptsGet),
        Target::Server => (Action::Connect, Method::Ping),
    };
    let object = object_of(target);
    let effect = catalogue.treatment(server, method, object).effect;
    let question = Question { caller: &identity.caller, action, server, object, effect, revision };
    !matches!(policy.rule(&question), Ruling::Deny { .. })
}

/// Asks the policy whether a server may ask something of this caller's client.
///
/// # Errors
/// When it may not. Asking is a call in the other direction; an `Ask` ruling is a no while nobody can be asked.
pub(crate) fn rule_from_server(
    policy: &dyn Policy,
    caller: &Caller,
    revision: Revision,
    server: &ServerName,
    method: Method,
) -> Result<(), Refused> {
    let action = action_of(method);
    let effect = crate::ports::Effect::Destructive;
    let question = Question { caller, action, server, object: Object::Server, effect, revision };
    match policy.rule(&question) {
        Ruling::Allow { .. } => Ok(()),
        Ruling::Ask { reason, .. } => {
            Err(Refused::by("consent", Refusal::ConsentRequired, format!("a person must agree ({reason})")))
        }
        Ruling::Deny { rules, reason } => {
            let rule = if rules.is_empty() { "policy: default deny".to_owned() } else { rules.join(",") };
            Err(Refused::by(rule, Refusal::PermissionDenied, reason))
        }
    }
}
