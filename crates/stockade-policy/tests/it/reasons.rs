//! Explanations.

use crate::words::{Asked, cedar, loaded, permit};
use stockade_policy::{RulePlace, Sources};

fn check(sources: &Sources, asked: (&str, &str, &str), decided: &[&str], near_misses: &[&str]) {
    let explanation = loaded(sources).explain(&Asked::new(asked.0, asked.1, asked.2).question());
    let shown =
        |rules: &[RulePlace]| rules.iter().map(|rule| format!("{} {}", rule.id, rule.place)).collect::<Vec<_>>();
    assert_eq!(shown(&explanation.decided), decided, "{asked:?}");
    assert_eq!(shown(&explanation.near_misses), near_misses, "{asked:?}");
}

#[test]
fn an_explanation_names_the_rules_and_where_they_stand() {
    let text = "// who may what\n@id(\"reads\")\npermit (principal == Stockade::Caller::\"alice\",\n\
                \x20 action == Stockade::Action::\"call\", resource in Stockade::Server::\"files\")\n\
                \x20 when { context.effect == Stockade::Effect::\"read\" };\n\n  forbid (principal == Stockade::Caller::\"eve\", action, resource);\n";
    let permits = vec![permit("alice,ci-*", "db,files", ["query", "", ""], &[])];
    let sources = Sources { permits, ..cedar(text) };
    let (reads, forbid, table) =
        ("reads team.cedar:2:1", "team.cedar:policy2 team.cedar:7:3", "permit-1 stockade.toml:7:1");
    check(&sources, ("alice", "call", "tool files/x (read)"), &[reads], &[]);
    check(&sources, ("alice", "call", "tool files/query (read)"), &[reads, table], &[]);
    check(&sources, ("eve", "call", "tool files/x (read)"), &[forbid], &[]);
    check(&sources, ("alice", "call", "tool files/x"), &[], &[reads, table]);
    check(&sources, ("alice", "call", "tool db/x"), &[], &[table, reads]);
    check(&sources, ("ci-1", "call", "tool db/x"), &[], &[table]);
    check(&sources, ("alice", "read", "resource db/x"), &[], &[]);
    check(&sources, ("bob", "call", "tool db/query"), &[], &[]);
}

#[test]
fn near_misses_are_few() {
    let permits = (0..20).map(|_| permit("alice", "files", ["one", "", ""], &[])).collect();
    let policy = loaded(&Sources { permits, ..Sources::default() });
    let explanation = policy.explain(&Asked::new("alice", "call", "tool files/two").question());
    assert_eq!(explanation.near_misses.len(), 8);
}
