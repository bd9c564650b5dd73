//! How rules weigh against each other.

use crate::words::{Asked, cedar, check, loaded, ruled};
use stockade_core::mcp::Revision;
use stockade_core::ports::{Action, Policy as _};
use stockade_policy::{ReloadablePolicy, Sources};

const NOTHING: &str = "deny: no rule allows it";

#[test]
fn without_rules_nobody_may_do_anything() {
    let policy = loaded(&Sources::default());
    for who in ["me", "alice", "anonymous"] {
        for action in Action::ALL.map(Action::as_str) {
            let object = match action {
                "call" => "tool files/read_file (read)",
                "read" => "resource files/file:///a",
                "get" | "complete" => "prompt files/hello",
                _ => "server files",
            };
            check(&policy, &[(who, action, object, NOTHING)]);
        }
    }
}

#[test]
fn a_forbid_beats_every_permit() {
    let policy = loaded(&cedar(
        r#"
        @id("all") permit (principal, action, resource);
        @id("no-wiping") forbid (principal, action == Stockade::Action::"call", resource is Stockade::Tool)
            when { resource.effect == Stockade::Effect::"destructive" };
        @id("not-bob") forbid (principal == Stockade::Caller::"bob", action, resource in Stockade::Server::"files");
        "#,
    ));
    check(
        &policy,
        &[
            ("alice", "call", "tool files/wipe (read)", "allow all"),
            ("alice", "call", "tool files/wipe (write)", "allow all"),
            ("alice", "call", "tool files/wipe", "deny no-wiping: forbidden by `no-wiping`"),
            ("bob", "call", "tool files/wipe", "deny no-wiping,not-bob: forbidden by `no-wiping`, `not-bob`"),
            ("bob", "connect", "server files", "deny not-bob: forbidden by `not-bob`"),
            ("bob", "connect", "server db", "allow all"),
        ],
    );
}

#[test]
fn an_ask_asks_unless_a_permit_needs_nobody_and_a_forbid_beats_both() {
    let policy = loaded(&cedar(
        r#"
        @id("b-ask") @ask("really write?") permit (principal, action == Stockade::Action::"call", resource is Stockade::Tool);
        @id("a-ask") @ask("really drop?") permit (principal, action == Stockade::Action::"call", resource == Stockade::Tool::"db/drop");
        @id("reads") permit (principal, action, resource is Stockade::Tool) when { context.effect == Stockade::Effect::"read" };
        @id("no") forbid (principal, action, resource == Stockade::Tool::"db/never");
        "#,
    ));
    check(
        &policy,
        &[
            ("alice", "call", "tool db/insert", "ask b-ask: really write?"),
            ("alice", "call", "tool db/drop", "ask a-ask,b-ask: really drop?; really write?"),
            ("alice", "call", "tool db/select (read)", "allow reads"),
            ("alice", "call", "tool db/drop (read)", "allow reads"),
            ("alice", "call", "tool db/never", "deny no: forbidden by `no`"),
            ("alice", "call", "tool db/never (read)", "deny no: forbidden by `no`"),
            ("alice", "list", "server db", NOTHING),
        ],
    );
}

#[test]
fn a_rule_that_cannot_be_evaluated_denies_even_where_another_allows() {
    let policy = loaded(&cedar(
        r#"
        @id("all") permit (principal, action, resource);
        permit (principal, action == Stockade::Action::"read", resource)
            when { 9223372036854775807 + (if resource.name like "a*" then 1 else 0) > 0 };
        @id("broken") forbid (principal, action == Stockade::Action::"get", resource)
            when { 9223372036854775807 + (if resource.name like "a*" then 1 else 0) < 0 };
        "#,
    ));
    let overflow = "overflow while attempting to add the values `9223372036854775807` and `1`";
    let of = |id: &str| format!("deny {id}: the rule `{id}` could not be evaluated: integer {overflow}");
    check(
        &policy,
        &[
            ("alice", "read", "resource files/b", "allow all,team.cedar:policy2"),
            ("alice", "read", "resource files/a", &of("team.cedar:policy2")),
            ("alice", "get", "prompt files/b", "allow all"),
            ("alice", "get", "prompt files/a", &of("broken")),
        ],
    );
}

#[test]
fn what_the_model_does_not_have_is_denied_even_where_all_is_allowed() {
    let policy = loaded(&cedar("permit (principal, action, resource);"));
    let odd = |action: &str| format!("deny: `{action}` is no action for such an object");
    check(
        &policy,
        &[
            ("alice", "call", "server files", "allow team.cedar:policy1"),
            ("alice", "call", "prompt files/a", &odd("call")),
            ("alice", "call", "resource files/a", &odd("call")),
            ("alice", "read", "tool files/a", &odd("read")),
            ("alice", "read", "server files", &odd("read")),
            ("alice", "get", "tool files/a", &odd("get")),
            ("alice", "complete", "tool files/a", &odd("complete")),
            ("alice", "connect", "tool files/a", &odd("connect")),
            ("alice", "sample", "prompt files/a", &odd("sample")),
        ],
    );
}

#[test]
fn a_resource_that_is_not_written_in_normal_form_is_denied_even_where_all_is_allowed() {
    let policy = loaded(&cedar("permit (principal, action, resource);"));
    let why = |what: &str| format!("deny: the URI {what}, so that rules cannot judge it");
    check(
        &policy,
        &[
            ("alice", "read", "resource files/file:///srv/a", "allow team.cedar:policy1"),
            ("alice", "read", "resource files/file:///srv/../a", &why("has a `.` or `..` segment")),
            ("alice", "complete", "resource files/FILE:///srv/a", &why("has capital letters in its scheme")),
            ("alice", "call", "tool files/..", "allow team.cedar:policy1"),
        ],
    );
}

#[test]
fn every_fact_of_a_question_decides_and_no_ruling_is_given_for_another() {
    let policy = loaded(&cedar(
        r#"permit (principal == Stockade::Caller::"alice", action == Stockade::Action::"call", resource == Stockade::Tool::"files/a")
           when { principal.kind == Stockade::Kind::"api-key" && principal.name == "alice"
               && context.revision == Stockade::Revision::"2025-11-25" && context.effect == Stockade::Effect::"write"
               && context.server == "files" && context has name && context.name == "a"
               && resource.server == "files" && resource.name == "a" && resource.effect == Stockade::Effect::"write" };"#,
    ));
    let right = Asked::new("alice", "call", "tool files/a (write)");
    check(&policy, &[("alice", "call", "tool files/a (write)", "allow team.cedar:policy1")]);
    check(
        &policy,
        &[
            ("bob", "call", "tool files/a (write)", NOTHING),
            ("alice", "call", "tool files/a (read)", NOTHING),
            ("alice", "call", "tool files/a", NOTHING),
            ("alice", "call", "tool files/b (write)", NOTHING),
            ("alice", "call", "tool db/a (write)", NOTHING),
            ("alice", "call", "server files (write)", NOTHING),
            ("alice", "get", "prompt files/a (write)", NOTHING),
        ],
    );
    let mut wrong = right.clone();
    wrong.caller.kind = stockade_core::words::CallerKind::LocalUser;
    assert_eq!(crate::words::shown(&ruled(&policy, &wrong)), NOTHING);
    let wrong = Asked { revision: Revision::V2026_07_28, ..right };
    assert_eq!(crate::words::shown(&ruled(&policy, &wrong)), NOTHING);
}

#[test]
fn a_replaced_policy_answers_the_next_question() {
    let asked = Asked::new("alice", "connect", "server files");
    let policy = ReloadablePolicy::new(loaded(&cedar("permit (principal, action, resource);")));
    let (before, held) = (policy.revision(), policy.current());
    assert_eq!(crate::words::shown(&policy.rule(&asked.question())), "allow team.cedar:policy1");
    policy.replace(loaded(&Sources::default()));
    assert_eq!(crate::words::shown(&policy.rule(&asked.question())), NOTHING);
    assert_ne!(policy.revision(), before);
    assert_eq!(crate::words::shown(&held.rule(&asked.question())), "allow team.cedar:policy1");
    assert_eq!(held.revision(), before);
}
