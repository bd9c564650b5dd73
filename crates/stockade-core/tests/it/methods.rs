//! The golden table of who may send which method in which revision. `UPDATE_GOLDEN=1` rewrites it.

use std::fmt::Write as _;
use std::path::Path;
use stockade_core::mcp::{CountedAs, Direction, Method, MethodKind, Revision};

fn table() -> String {
    let mut out = String::from(
        "# > client to server, < server to client, = both, i inside inputRequests, - not at all\n# method, kind, one column for each revision, target, treatment\n",
    );
    let columns = Revision::ALL.map(|revision| format!("{:10}", revision.as_str())).join(" ");
    writeln!(out, "{:41} {:12} {columns}", "", "").unwrap();
    for method in Method::ALL {
        let facts = method.facts();
        let kind = match facts.kind {
            MethodKind::Request => "request",
            MethodKind::Notification => "notification",
        };
        write!(out, "{:41} {kind:12}", method.as_str()).unwrap();
        for revision in Revision::ALL {
            let [to_server, to_client] = Direction::ALL.map(|direction| method.is_allowed(revision, direction));
            let embedded = facts.embedded.is_some_and(|revisions| revisions.contains(revision));
            let sign = match (to_server, to_client, embedded) {
                (true, true, _) => "=",
                (true, false, _) => ">",
                (false, true, _) => "<",
                (false, false, true) => "i",
                (false, false, false) => "-",
            };
            write!(out, " {sign:10}").unwrap();
        }
        let mut treatment = vec![format!("{:?}", facts.target)];
        treatment.extend(facts.cacheable.then(|| "cacheable".to_owned()));
        treatment.extend(facts.may_require_input.then(|| "may require input".to_owned()));
        treatment.extend((facts.counted_as == CountedAs::Call).then(|| "counts as a call".to_owned()));
        treatment.extend(facts.extension.map(str::to_owned));
        writeln!(out, " {}", treatment.join(", ")).unwrap();
    }
    out
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a test may be asked to rewrite its golden file")]
fn who_may_send_what_is_as_reviewed() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/golden/methods.txt");
    let now = table();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &now).unwrap();
    }
    let reviewed = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(now, reviewed, "run with UPDATE_GOLDEN=1 and review the difference");
}
