//! What holds for all policies: rules drawn at random, every question of a small world.

use crate::words::{Asked, loaded, permit, ruled};
use proptest::prelude::{Just, ProptestConfig, Strategy, prop, prop_oneof, proptest};
use stockade_core::ports::{Action, Ruling};
use stockade_policy::{CedarPolicy, Glob, PolicySource, Sources};

const CALLERS: [&str; 3] = ["alice", "bob", "me"];
const OBJECTS: [&str; 9] = [
    "server files",
    "server db",
    "tool files/read_file (read)",
    "tool files/read_dir (write)",
    "tool files/wipe",
    "tool db/read_file",
    "resource files/file:///srv/a (read)",
    "prompt db/hello",
    "prompt files/read_me",
];

fn world() -> impl Iterator<Item = Asked> {
    CALLERS.into_iter().flat_map(|who| {
        OBJECTS
            .into_iter()
            .flat_map(move |object| Action::ALL.into_iter().map(move |action| Asked::new(who, action.as_str(), object)))
    })
}

fn rank(ruling: &Ruling) -> u8 {
    match ruling {
        Ruling::Deny { .. } => 0,
        Ruling::Ask { .. } => 1,
        Ruling::Allow { .. } => 2,
    }
}

/// `later` allows nothing that `earlier` does not.
fn no_more(earlier: &CedarPolicy, later: &CedarPolicy) {
    for asked in world() {
        let (before, after) = (ruled(earlier, &asked), ruled(later, &asked));
        assert!(rank(&after) <= rank(&before), "{asked:?}: {before:?} became {after:?}");
    }
}

/// Every rule has an `@id`, so that moving it does not rename it.
fn policy_of(rules: &[String]) -> CedarPolicy {
    let numbered = rules.iter().enumerate();
    let text: String = numbered.map(|(number, rule)| format!("@id(\"r{number}\") {rule}\n")).collect();
    policy_of_text(text)
}

fn policy_of_text(text: String) -> CedarPolicy {
    loaded(&Sources { files: vec![PolicySource { name: "p".to_owned(), text }], ..Sources::default() })
}

fn head() -> impl Strategy<Value = String> {
    let principals = ["principal", "principal == Stockade::Caller::\"alice\"", "principal in Stockade::Caller::\"me\""];
    let places = [
        ("action", "resource"),
        ("action", "resource in Stockade::Server::\"files\""),
        ("action in [Stockade::Action::\"call\", Stockade::Action::\"list\"]", "resource in Stockade::Server::\"db\""),
        ("action == Stockade::Action::\"call\"", "resource == Stockade::Tool::\"files/read_file\""),
        ("action == Stockade::Action::\"call\"", "resource is Stockade::Tool in Stockade::Server::\"files\""),
        ("action == Stockade::Action::\"complete\"", "resource is Stockade::Prompt"),
    ];
    let conditions = [
        "",
        "when { context.effect != Stockade::Effect::\"destructive\" }",
        "unless { principal.name == \"bob\" }",
        "when { context.server == \"files\" }",
        // Fails for one server: an error, which must deny.
        "when { 9223372036854775807 + (if context.server == \"db\" then 1 else 0) > 0 }",
    ];
    (
        prop::sample::select(principals.to_vec()),
        prop::sample::select(places.to_vec()),
        prop::sample::select(conditions.to_vec()),
    )
        .prop_map(|(principal, (action, resource), condition)| {
            format!("({principal}, {action}, {resource}) {condition};")
        })
}

fn rule() -> impl Strategy<Value = String> {
    (prop_oneof![Just("permit"), Just("@ask(\"sure?\") permit"), Just("forbid")], head())
        .prop_map(|(effect, head)| format!("{effect} {head}"))
}

/// A glob of the world, and one that matches no more.
fn narrowed() -> impl Strategy<Value = (&'static str, &'static str)> {
    prop::sample::select(
        &[
            ("*", "read_*"),
            ("*", "wipe"),
            ("read_*", "read_f*"),
            ("read_*", "read_file"),
            ("*e*", "*file"),
            ("file:*", "file:///srv/*"),
            ("*", "file:///srv/a"),
            ("h*", "hello"),
            ("read_*", r"read_\*"),
        ][..],
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn adding_a_forbid_never_allows_more(rules in prop::collection::vec(rule(), 0..6), forbid in head()) {
        let mut more = rules.clone();
        more.push(format!("forbid {forbid}"));
        no_more(&policy_of(&rules), &policy_of(&more));
    }

    #[test]
    fn leaving_a_permit_out_never_allows_more(rules in prop::collection::vec(rule(), 0..6), head in head()) {
        // A permit that fails denies, so that adding one may also allow less; one that cannot fail may not.
        let permit = format!("permit {}", head.split(" when { 9223").next().unwrap_or_default().trim_end_matches(';'));
        let mut more = rules.clone();
        more.push(format!("{permit};"));
        no_more(&policy_of(&more), &policy_of(&rules));
    }

    #[test]
    fn the_order_of_rules_does_not_matter(rules in prop::collection::vec(rule(), 0..8), turn in 0_usize..8) {
        let numbered = rules.iter().enumerate();
        let mut texts: Vec<_> = numbered.map(|(number, rule)| format!("@id(\"r{number}\") {rule}\n")).collect();
        let straight = policy_of_text(texts.concat());
        texts.reverse();
        let turns = turn.checked_rem(texts.len()).unwrap_or_default();
        texts.rotate_left(turns);
        let turned = policy_of_text(texts.concat());
        for asked in world() {
            assert_eq!(ruled(&straight, &asked), ruled(&turned, &asked), "{asked:?}");
        }
    }

    #[test]
    fn narrowing_a_glob_never_allows_more(
        (wide, narrow) in narrowed(),
        list in 0_usize..3,
        other in prop::sample::select(&["", "read_file", "x*"][..]),
        servers in prop::sample::select(&["files", "*", "files,db", "f*"][..]),
    ) {
        let of = |pattern: &str| {
            let mut table = permit("alice,b*", servers, ["", "", ""], &[]);
            let globs = [pattern, other].into_iter().filter(|text| !text.is_empty());
            let globs = globs.map(|text| Glob::parse(text).unwrap()).collect();
            match list {
                0 => table.tools = globs,
                1 => table.resources = globs,
                _ => table.prompts = globs,
            }
            loaded(&Sources { permits: vec![table], ..Sources::default() })
        };
        no_more(&of(wide), &of(narrow));
    }

    #[test]
    fn a_permit_allows_exactly_the_tools_that_its_glob_matches(pattern in r"[ab*\\]{1,6}", name in r#"[ab*\\"\n]{0,6}"#) {
        let Ok(glob) = Glob::parse(&pattern) else { return Ok(()) };
        let expected = glob.matches(&name);
        let mut table = permit("alice", "files", ["", "", ""], &[]);
        table.tools = vec![glob];
        let policy = loaded(&Sources { permits: vec![table], ..Sources::default() });
        let asked = Asked { name: name.clone(), ..Asked::new("alice", "call", "tool files/x") };
        assert_eq!(rank(&ruled(&policy, &asked)) == 2, expected, "{pattern:?} on {name:?}");
    }
}
