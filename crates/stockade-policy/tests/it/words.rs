//! Short words for questions, policies and rulings.

use stockade_core::mcp::Revision;
use stockade_core::ports::{Action, Effect, Object, Policy as _, Question, Ruling};
use stockade_core::words::{Caller, CallerKind, CallerName, ServerName};
use stockade_policy::{
    CallerPattern, CedarPolicy, FromServer, Glob, PermitRule, Place, PolicySource, ServerPattern, Sources,
};

/// `me` is the local user, `anonymous` is nobody, everybody else has an API key.
pub(crate) fn caller(name: &str) -> Caller {
    let kind = match name {
        "me" => CallerKind::LocalUser,
        "anonymous" => CallerKind::Anonymous,
        _ => CallerKind::ApiKey,
    };
    Caller::new(CallerName::parse(name).unwrap(), kind)
}

pub(crate) fn action(word: &str) -> Action {
    Action::ALL.into_iter().find(|action| action.as_str() == word).unwrap()
}

/// A question in one line: `tool files/read_file`, `server files`, with ` (read)` or ` (write)` behind it.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) caller: Caller,
    pub(crate) action: Action,
    pub(crate) server: ServerName,
    pub(crate) sort: String,
    pub(crate) name: String,
    pub(crate) effect: Effect,
    pub(crate) revision: Revision,
}

impl Asked {
    pub(crate) fn new(caller_name: &str, action_word: &str, object: &str) -> Self {
        let effects = [(" (read)", Effect::Read), (" (write)", Effect::Write), ("", Effect::Destructive)];
        let (object, effect) =
            effects.into_iter().find_map(|(end, effect)| Some((object.strip_suffix(end)?, effect))).unwrap();
        let (sort, id) = object.split_once(' ').unwrap();
        let (server, name) = id.split_once('/').unwrap_or((id, ""));
        Self {
            caller: caller(caller_name),
            action: action(action_word),
            server: ServerName::parse(server).unwrap(),
            sort: sort.to_owned(),
            name: name.to_owned(),
            effect,
            revision: Revision::V2025_11_25,
        }
    }

    pub(crate) fn question(&self) -> Question<'_> {
        let object = match self.sort.as_str() {
            "server" => Object::Server,
            "tool" => Object::Tool(&self.name),
            "resource" => Object::Resource(&self.name),
            "prompt" => Object::Prompt(&self.name),
            other => panic!("no sort of object: {other}"),
        };
        let Self { caller, action, server, effect, revision, .. } = self;
        Question { caller, action: *action, server, object, effect: *effect, revision: *revision }
    }
}

/// `allow a,b`, `ask a: reason`, `deny a: reason`, `deny: reason`.
pub(crate) fn shown(ruling: &Ruling) -> String {
    match ruling {
        Ruling::Allow { rules } => format!("allow {}", rules.join(",")),
        Ruling::Ask { rules, reason } => format!("ask {}: {reason}", rules.join(",")),
        Ruling::Deny { rules, reason } if rules.is_empty() => format!("deny: {reason}"),
        Ruling::Deny { rules, reason } => format!("deny {}: {reason}", rules.join(",")),
    }
}

/// Asks three times: afresh, to fill the cache, and from the cache. All must be one.
pub(crate) fn ruled(policy: &CedarPolicy, asked: &Asked) -> Ruling {
    let question = asked.question();
    let ruling = policy.rule_afresh(&question);
    assert_eq!(policy.rule(&question), ruling, "{asked:?}");
    assert_eq!(policy.rule(&question), ruling, "{asked:?}");
    assert_eq!(policy.explain(&question).ruling, ruling, "{asked:?}");
    ruling
}

/// One row: caller, action, object, ruling.
pub(crate) type Row<'r> = (&'r str, &'r str, &'r str, &'r str);

/// The one check of this suite.
pub(crate) fn check(policy: &CedarPolicy, rows: &[Row<'_>]) {
    for (caller_name, action_word, object, expected) in rows {
        let ruling = ruled(policy, &Asked::new(caller_name, action_word, object));
        assert_eq!(shown(&ruling), *expected, "{caller_name} {action_word} {object}");
    }
}

pub(crate) fn cedar(text: &str) -> Sources {
    let file = PolicySource { name: "team.cedar".to_owned(), text: text.to_owned() };
    Sources { files: vec![file], ..Sources::default() }
}

pub(crate) fn loaded(sources: &Sources) -> CedarPolicy {
    CedarPolicy::load(sources).unwrap_or_else(|errors| panic!("{errors}"))
}

/// A `[[permit]]` in which everything is a list of patterns with commas between.
pub(crate) fn permit(callers: &str, servers: &str, lists: [&str; 3], from_server: &[FromServer]) -> PermitRule {
    let [tools, resources, prompts] = lists.map(|list| split(list).map(|text| Glob::parse(text).unwrap()).collect());
    PermitRule {
        place: Place { source: "stockade.toml".to_owned(), line: 7, column: 1 },
        callers: split(callers).map(|text| CallerPattern::parse(text).unwrap()).collect(),
        servers: split(servers).map(|text| ServerPattern::parse(text).unwrap()).collect(),
        tools,
        resources,
        prompts,
        from_server: from_server.to_vec(),
    }
}

fn split(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').filter(|text| !text.is_empty())
}

pub(crate) fn of_permits(permits: Vec<PermitRule>) -> Sources {
    Sources { permits, ..Sources::default() }
}
