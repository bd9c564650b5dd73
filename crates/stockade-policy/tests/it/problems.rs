//! What is refused at load, with its place.

use crate::words::{cedar, permit};
use stockade_core::ports::Policy as _;
use stockade_core::words::ServerName;
use stockade_policy::{CedarPolicy, PolicySource, Sources, Starter};

/// Every problem must stand at the expected place and say the expected words.
fn check(sources: &Sources, expected: &[(&str, &str)]) {
    assert_eq!(difference(sources, expected), None);
}

fn difference(sources: &Sources, expected: &[(&str, &str)]) -> Option<String> {
    let Err(errors) = CedarPolicy::load(sources) else { return Some(format!("no problem, but {expected:?}")) };
    let as_expected = errors.problems().iter().zip(expected).all(|(problem, (place, words))| {
        problem.place.to_string() == *place && problem.to_string().contains(words) && !problem.fix.is_empty()
    });
    let same = as_expected && errors.problems().len() == expected.len();
    (!same).then(|| format!("{errors}\nis not {expected:?}"))
}

#[test]
fn a_policy_that_could_not_work_is_refused_with_its_line() {
    let cases = [
        ("permit (principal, action, resource)", "team.cedar:1:37", "unexpected end of input"),
        ("\n  permit (principal, action, ressource);", "team.cedar:2:30", "ressource"),
        ("permit (principal, action == Stockade::Action::\"cal\", resource);", "team.cedar:1:30", "cal"),
        ("permit (principal == Stockade::User::\"a\", action, resource);", "team.cedar:1:22", "User"),
        (
            "permit (principal, action, resource)\nwhen { context.effect == Stockade::Effect::\"destuctive\" };",
            "team.cedar:2:26",
            "destuctive",
        ),
        (
            "permit (principal, action == Stockade::Action::\"connect\", resource)\nwhen { context.name == \"a\" };",
            "team.cedar:2:8",
            "`name`",
        ),
        (
            "permit (principal, action == Stockade::Action::\"call\", resource)\nwhen { resource.name == \"a\" };",
            "team.cedar:2:8",
            "`name`",
        ),
        (
            "permit (principal, action == Stockade::Action::\"read\", resource is Stockade::Tool);",
            "team.cedar:1:1",
            "the rule can never apply",
        ),
        ("// all\nforbid (principal, action, resource) when { 1 == 2 };", "team.cedar:2:1", "the rule can never apply"),
        (
            "forbid (principal, action, resource) when { Stockade::Caller::\"bob\".name == principal.name };",
            "team.cedar:1:45",
            "entity literals cannot be dereferenced",
        ),
        ("permit (principal, action, resource) when { principal.name };", "team.cedar:1:45", "Bool"),
        ("permit (principal, action, resource) when { context.server == \"\u{202E}\" };", "team.cedar:1:63", "BIDI"),
        (
            "permit (principal == Stockade::Caller::\"a b\", action, resource);",
            "team.cedar:1:1",
            "no caller can be called `a b`",
        ),
        (
            "permit (principal, action, resource in Stockade::Server::\"Files\");",
            "team.cedar:1:1",
            "is on no server that there could be",
        ),
        (
            "permit (principal, action, resource == Stockade::Tool::\"read_file\");",
            "team.cedar:1:1",
            "write the server, a slash and the name",
        ),
        (
            "permit (principal, action, resource == Stockade::Resource::\"a/file:///x/../y\");",
            "team.cedar:1:1",
            "is never asked for: the URI has a `.` or `..` segment",
        ),
        ("permit (principal == ?principal, action, resource);", "team.cedar:1:1", "template"),
        ("@aks(\"sure?\") permit (principal, action, resource);", "team.cedar:1:1", "`@aks` has no meaning"),
        ("@ask permit (principal, action, resource);", "team.cedar:1:1", "needs a reason"),
        ("@ask(\"a\\nb\") permit (principal, action, resource);", "team.cedar:1:1", "needs a reason"),
        ("@ask(\"sure?\") forbid (principal, action, resource);", "team.cedar:1:1", "a `forbid` cannot ask"),
        ("@id(\"a b\") permit (principal, action, resource);", "team.cedar:1:1", "`a b` is no name for a rule"),
        ("@id(\"permit-1\") permit (principal, action, resource);", "team.cedar:1:1", "rule of ours"),
        (
            "@id(\"x\") permit (principal, action, resource);\n@id(\"x\") forbid (principal, action, resource);",
            "team.cedar:2:1",
            "used at team.cedar:1:1 already",
        ),
    ];
    let wrong = cases.iter().filter_map(|(text, place, words)| difference(&cedar(text), &[(*place, *words)]));
    let wrong: Vec<_> = wrong.collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn all_problems_of_all_sources_are_told_at_once() {
    let files = [
        (
            "a.cedar",
            "permit (principal, action, resource) when { context.nothing };\n@aks forbid (principal, action, resource);",
        ),
        ("b.cedar", "permit ("),
        ("b.cedar", ""),
    ];
    let files = files.map(|(name, text)| PolicySource { name: name.to_owned(), text: text.to_owned() });
    let empty = permit("", "", ["*", "", ""], &[]);
    let sources = Sources { files: files.to_vec(), permits: vec![empty], ..Sources::default() };
    check(
        &sources,
        &[
            ("b.cedar:1:1", "two policy files are called `b.cedar`"),
            ("a.cedar:1:45", "`nothing`"),
            ("a.cedar:2:1", "`@aks` has no meaning"),
            ("b.cedar:1:9", "unexpected end of input"),
            ("stockade.toml:7:1", "names no caller"),
            ("stockade.toml:7:1", "names no server"),
        ],
    );
}

#[test]
fn a_rule_about_a_server_that_is_not_configured_is_refused() {
    let known = |names: &[&str]| Some(names.iter().map(|name| ServerName::parse(name).unwrap()).collect());
    let text = "forbid (principal, action, resource in Stockade::Server::\"flies\");\n\
                permit (principal, action, resource) unless { resource == Stockade::Tool::\"db/drop\" };";
    let of_permit = permit("alice", "files,*", ["", "", ""], &[]);
    let sources = Sources { permits: vec![of_permit], servers: known(&["flies", "db", "files"]), ..cedar(text) };
    CedarPolicy::load(&sources).unwrap();
    check(
        &Sources { servers: known(&["files"]), ..sources.clone() },
        &[
            ("team.cedar:1:1", "the server `flies` is not configured"),
            ("team.cedar:2:1", "the server `db` is not configured"),
        ],
    );
    check(
        &Sources { servers: known(&["flies", "db"]), ..sources },
        &[("stockade.toml:7:1", "the server `files` is not configured")],
    );
}

#[test]
fn a_problem_does_not_carry_the_control_characters_of_its_source() {
    let errors = CedarPolicy::load(&cedar("@id(\"\\u{1b}[2J\\u{202e}\") permit (principal, action, resource);"));
    let shown = errors.map(|_| ()).unwrap_err().to_string();
    assert!(!shown.chars().any(|character| character.is_control() || character == '\u{202E}'), "{shown:?}");
    assert!(shown.contains("\\u{1b}[2J\\u{202e}"), "{shown}");
}

#[test]
fn a_file_beyond_the_limit_is_refused() {
    let padded = |length: usize| cedar(&" ".repeat(length));
    CedarPolicy::load(&padded(1024 * 1024)).unwrap();
    check(&padded(1024 * 1024 + 1), &[("team.cedar:1:1", "more than 1048576 bytes")]);
}

#[test]
fn a_file_of_nothing_but_brackets_is_refused_and_the_process_lives() {
    let deep = format!("permit (principal, action, resource) when {{ {}true }};", "(".repeat(100_000));
    assert!(CedarPolicy::load(&cedar(&deep)).is_err());
    let nots = format!("permit (principal, action, resource) when {{ {}true }};", "!".repeat(100_000));
    assert!(CedarPolicy::load(&cedar(&nots)).is_err());
}

#[test]
fn the_revision_names_all_sources_in_their_order() {
    let file = |name: &str, text: &str| PolicySource { name: name.to_owned(), text: text.to_owned() };
    let (one, other) = (file("a", "permit (principal, action, resource);"), file("b", "// nothing"));
    let of = |files: &[PolicySource], permits: &[&str], starter: Option<&str>| {
        let permits = permits.iter().map(|who| permit(who, "files", ["", "", ""], &[])).collect();
        let starter = starter.map(|name| Starter::Wrap { server: ServerName::parse(name).unwrap() });
        let sources = Sources { files: files.to_vec(), permits, starter, servers: None };
        CedarPolicy::load(&sources).unwrap().revision()
    };
    let revisions = [
        of(&[], &[], None),
        of(std::slice::from_ref(&one), &[], None),
        of(&[one.clone(), other.clone()], &[], None),
        of(&[other.clone(), one.clone()], &[], None),
        of(&[file("c", &one.text), other], &[], None),
        of(&[], &["alice"], None),
        of(&[], &["alice", "bob"], None),
        of(&[], &["bob", "alice"], None),
        of(&[], &[], Some("files")),
        of(&[], &[], Some("db")),
    ];
    let distinct: std::collections::BTreeSet<_> = revisions.iter().collect();
    assert_eq!(distinct.len(), revisions.len(), "{revisions:?}");
    assert!(revisions.iter().all(|text| text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit())));
    assert_eq!(of(std::slice::from_ref(&one), &["alice"], None), of(&[one], &["alice"], None));
}
