//! Names that try to be more than names.

use crate::words::{Asked, caller, loaded, of_permits, permit, ruled, shown};
use stockade_core::ports::{Action, Effect};
use stockade_core::words::ServerName;
use stockade_policy::{CedarPolicy, Glob, PolicySource, Sources};

const NOTHING: &str = "deny: no rule allows it";

/// Names as a hostile server or configuration might have them.
const HOSTILE: [&str; 14] = [
    "x\" || true || \"",
    "x\"); permit(principal, action, resource); //",
    "\");\npermit (principal, action, resource);\n//",
    "\\",
    "\\\"",
    "\\*",
    "a\nb",
    "a\0b",
    "\u{202E}elif_daer",
    "r\u{435}ad_file",
    "\u{1F980}",
    "files/../db",
    "__entity",
    "{\"__entity\":{\"type\":\"Stockade::Server\",\"id\":\"db\"}}",
];

fn tool(policy: &CedarPolicy, who: &str, name: &str) -> String {
    let asked = Asked {
        caller: caller(who),
        action: Action::Call,
        server: ServerName::parse("files").unwrap(),
        sort: "tool".to_owned(),
        name: name.to_owned(),
        effect: Effect::Read,
        revision: stockade_core::mcp::Revision::V2026_07_28,
    };
    shown(&ruled(policy, &asked))
}

/// The name as a glob that matches it alone.
fn exactly(name: &str) -> String {
    name.replace('\\', "\\\\").replace('*', "\\*")
}

#[test]
fn a_permit_for_a_hostile_name_allows_that_name_alone() {
    for name in HOSTILE {
        let mut table = permit("alice", "files", ["", "", ""], &[]);
        table.tools = vec![Glob::parse(&exactly(name)).unwrap()];
        let alone = loaded(&of_permits(vec![table.clone()]));
        table.tools = vec![Glob::parse(&format!("{}*", exactly(name))).unwrap(), Glob::parse("second").unwrap()];
        let prefix = loaded(&of_permits(vec![table]));
        assert_eq!(tool(&alone, "alice", name), "allow permit-1", "{name:?}");
        assert_eq!(tool(&prefix, "alice", &format!("{name}-more")), "allow permit-1", "{name:?}");
        assert_eq!(tool(&alone, "alice", &format!("{name}-more")), NOTHING, "{name:?}");
        for other in ["read_file", "x", "", "*"] {
            assert_eq!(tool(&alone, "alice", other), NOTHING, "{name:?} let {other:?} through");
            assert_eq!(tool(&prefix, "alice", other), NOTHING, "{name:?} let {other:?} through");
        }
        assert_eq!(tool(&alone, "bob", name), NOTHING, "{name:?}");
    }
}

#[test]
fn a_hostile_name_in_a_question_is_only_a_name() {
    let policy = loaded(&of_permits(vec![permit("alice", "files", ["read_file,list_*", "", ""], &[])]));
    for name in HOSTILE {
        assert_eq!(tool(&policy, "alice", name), NOTHING, "{name:?}");
        assert_eq!(tool(&policy, "alice", &format!("list_{name}")), "allow permit-1", "{name:?}");
    }
    for name in ["*", "read_*", "read_file\0", "read_file\n", " read_file", "READ_FILE", "read_fil\u{435}"] {
        assert_eq!(tool(&policy, "alice", name), NOTHING, "{name:?}");
    }
}

#[test]
fn a_star_that_is_a_character_is_no_wildcard() {
    let policy = loaded(&of_permits(vec![permit("alice", "files", [r"a\*b,c\**", "", ""], &[])]));
    for (name, expected) in [
        ("a*b", "allow permit-1"),
        ("axb", NOTHING),
        ("c*", "allow permit-1"),
        ("c*d", "allow permit-1"),
        ("cd", NOTHING),
    ] {
        assert_eq!(tool(&policy, "alice", name), expected, "{name:?}");
    }
}

/// `policy show` prints rules that can be copied into a file and mean the same there.
#[test]
fn the_shown_text_of_a_permit_means_what_the_permit_means() {
    for name in HOSTILE.iter().chain(&["plain", "a*b"]) {
        let mut table = permit("alice,ci-*", "files,db-*", ["", "", ""], &[]);
        table.tools =
            vec![Glob::parse(&exactly(name)).unwrap(), Glob::parse(&format!("*{}*z", exactly(name))).unwrap()];
        let compiled = loaded(&of_permits(vec![table]));
        let texts =
            compiled.rules().map(|rule| rule.text().replace("permit-1", &format!("copy-{}", rule.text().len())));
        let text = texts.collect::<Vec<_>>().join("\n");
        // Cedar warns of mixed scripts and marks of direction in files; those names keep to `[[permit]]`.
        let file = PolicySource { name: "copy.cedar".to_owned(), text: text.clone() };
        let copied = match CedarPolicy::load(&Sources { files: vec![file], ..Sources::default() }) {
            Ok(copied) => copied,
            Err(errors) => {
                let odd = errors
                    .problems()
                    .iter()
                    .all(|problem| problem.message.contains("script") || problem.message.contains("BIDI"));
                assert!(odd, "{name:?}: {errors}\n{text}");
                continue;
            }
        };
        for asked in [name.to_string(), format!("x{name}yz"), format!("{name}y"), "x".to_owned(), "*".to_owned()] {
            for who in ["alice", "ci-1", "bob"] {
                let [one, other] = [&compiled, &copied].map(|policy| tool(policy, who, &asked).starts_with("allow"));
                assert_eq!(one, other, "{who} {asked:?}\n{text}");
            }
        }
    }
}
