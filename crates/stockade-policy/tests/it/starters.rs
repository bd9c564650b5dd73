//! The golden table of what the starters allow. `UPDATE_GOLDEN=1` rewrites it.

use crate::words::{Asked, loaded, ruled, shown};
use std::fmt::Write as _;
use std::path::Path;
use stockade_core::ports::Action;
use stockade_core::words::ServerName;
use stockade_policy::{Sources, Starter};

const OBJECTS: [&str; 8] = [
    "server mine",
    "server other",
    "tool mine/secure_query",
    "tool mine/anything",
    "tool other/secure_query",
    "resource mine/file:///a",
    "prompt mine/hello",
    "prompt other/hello",
];

fn table() -> String {
    let server = ServerName::parse("mine").unwrap();
    let starters = [
        ("no rules", None),
        ("wrap of `mine`", Some(Starter::Wrap { server: server.clone() })),
        ("sample server `mine`", Some(Starter::Sample { server })),
    ];
    let mut out = String::from("# Who may do what, where the operator has written no rules. `.` is a no.\n");
    for (name, starter) in starters {
        let policy = loaded(&Sources { starter, ..Sources::default() });
        for who in ["me", "alice", "anonymous"] {
            writeln!(out, "\n{name}: {who} ({})", Asked::new(who, "list", "server mine").caller.kind.as_str()).unwrap();
            writeln!(
                out,
                "{:26}{}",
                "",
                Action::ALL.map(|action| format!("{:9}", action.as_str())).concat().trim_end()
            )
            .unwrap();
            for object in OBJECTS {
                let cells = Action::ALL.map(|action| {
                    let ruling = shown(&ruled(&policy, &Asked::new(who, action.as_str(), object)));
                    let cell =
                        if ruling.starts_with("deny") { "." } else { ruling.split(' ').next().unwrap_or_default() };
                    format!("{cell:9}")
                });
                writeln!(out, "{object:26}{}", cells.concat().trim_end()).unwrap();
            }
        }
    }
    out
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a test may be asked to rewrite its golden file")]
fn the_starters_allow_what_was_reviewed() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/golden/starters.txt");
    let now = table();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &now).unwrap();
    }
    let reviewed = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(now, reviewed, "run with UPDATE_GOLDEN=1 and review the difference");
}
