//! The walls between crates as cargo sees them: who may depend on whom, and who may not have what even through others.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::Finding;

/// Who may use which of ours. A new crate or edge needs a line in `ARCHITECTURE.md`, and one here.
const OURS: &[(&str, &[&str])] = &[
    ("stockade-core", &["stockade-inspect"]),
    ("stockade-inspect", &[]),
    ("stockade-policy", &["stockade-core"]),
    ("stockade-audit", &["stockade-core"]),
    ("stockade-vault", &["stockade-core"]),
    ("stockade-identity", &["stockade-core"]),
    ("stockade-issuer", &["stockade-core"]),
    ("stockade-store", &["stockade-core", "stockade-identity", "stockade-issuer"]),
    ("stockade-sandbox", &[]),
    ("stockade-gateway", &["stockade-core", "stockade-sandbox"]),
    ("stockade-server", &["stockade-core", "stockade-inspect"]),
    ("stockade-console", &["stockade-core", "stockade-audit"]),
    ("stockade", EVERYTHING),
    ("secure-server", &["stockade-server"]),
    ("stockade-bench", &["testkit"]),
    ("testkit", &[]),
    ("misuse", &["stockade-core"]),
    ("fuzz-harness", WITH_THE_BINARY),
    ("xtask", &[]),
];
/// Everything, and the configuration that the binary's library reads.
const WITH_THE_BINARY: &[&str] = &[
    "stockade",
    "stockade-core",
    "stockade-inspect",
    "stockade-policy",
    "stockade-audit",
    "stockade-vault",
    "stockade-identity",
    "stockade-issuer",
    "stockade-store",
    "stockade-sandbox",
    "stockade-gateway",
    "stockade-server",
    "stockade-console",
    "secure-server",
];
const EVERYTHING: &[&str] = &[
    "stockade-core",
    "stockade-inspect",
    "stockade-policy",
    "stockade-audit",
    "stockade-vault",
    "stockade-identity",
    "stockade-issuer",
    "stockade-store",
    "stockade-sandbox",
    "stockade-gateway",
    "stockade-server",
    "stockade-console",
    "secure-server",
];

/// A claim about foreign crates: only these of ours may name them as dependencies.
struct Reserved {
    what: &'static str,
    foreign: &'static [&'static str],
    ours: &'static [&'static str],
}

const RESERVED: &[Reserved] = &[
    Reserved {
        what: "a database client",
        foreign: &["rusqlite", "tokio-postgres", "deadpool-postgres", "postgres", "redis", "sqlx"],
        ours: &["stockade-store", "secure-server"],
    },
    Reserved {
        what: "an HTTP or TLS endpoint",
        foreign: &["hyper", "hyper-util", "hyper-rustls", "tokio-rustls", "axum", "reqwest", "tungstenite", "h2"],
        ours: &["stockade-gateway", "testkit", "stockade-bench"],
    },
    Reserved { what: "the MCP SDK", foreign: &["rmcp"], ours: &["stockade-server", "secure-server"] },
];

/// Crates that compute and do nothing else, and what must not stand below them however far down.
const PURE: &[&str] = &["stockade-core", "stockade-inspect", "stockade-policy", "stockade-identity", "stockade-issuer"];
const IMPURE: &[&str] = &["tokio", "mio", "socket2", "hyper", "reqwest", "rustls", "rusqlite", "rustix", "rmcp"];

/// Checks what `cargo metadata` says.
pub(super) fn check(metadata: &Value) -> Vec<Finding> {
    let graph = Graph::read(metadata);
    let mut findings = Vec::new();
    for (name, direct) in &graph.members {
        let allowed = OURS.iter().find(|(crate_name, _)| crate_name == name).map(|(_, allowed)| *allowed);
        let Some(allowed) = allowed else {
            let fix = "say in ARCHITECTURE.md what it claims, and in xtask/src/tidy/edges.rs what it may use";
            findings.push(graph.finding(name, format!("crate `{name}` is not in the table of crates"), fix));
            continue;
        };
        for used in direct {
            if graph.members.contains_key(used) && !allowed.contains(&used.as_str()) {
                let fix = "ask for it through a port of stockade-core, or change the table with a reason";
                findings.push(graph.finding(name, format!("`{name}` may not use `{used}`"), fix));
            }
            for Reserved { what, ours, .. } in RESERVED.iter().filter(|r| r.foreign.contains(&used.as_str())) {
                if !ours.contains(&name.as_str()) {
                    let problem = format!("`{name}` uses `{used}`; {what} is for {}", ours.join(", "));
                    findings.push(graph.finding(name, problem, "move what needs it into one of those"));
                }
            }
        }
        if PURE.contains(&name.as_str()) {
            let below = graph.below(name);
            for impure in IMPURE.iter().filter(|impure| below.contains(**impure)) {
                let fix = "find the dependency that brings it (`cargo tree -i`) and do without";
                findings.push(graph.finding(name, format!("`{name}` is pure and `{impure}` stands below it"), fix));
            }
        }
    }
    findings
}

/// Names instead of ids: two versions of one crate are one here.
#[derive(Debug, Default)]
struct Graph {
    /// Our crates with their direct dependencies, those for tests left out.
    members: BTreeMap<String, BTreeSet<String>>,
    /// Where their manifests are, from the workspace's folder.
    manifests: BTreeMap<String, String>,
    /// Everything in the lock file: who needs whom outside tests.
    edges: BTreeMap<String, BTreeSet<String>>,
}

impl Graph {
    fn read(metadata: &Value) -> Self {
        let root = metadata.get("workspace_root").and_then(Value::as_str).unwrap_or_default();
        let members: BTreeSet<&str> = strings(metadata.get("workspace_members")).collect();
        let mut graph = Self::default();
        let mut names = BTreeMap::new();
        for package in list(metadata.get("packages")) {
            let (Some(id), Some(name)) = (text(package, "id"), text(package, "name")) else { continue };
            names.insert(id.to_owned(), name.to_owned());
            if !members.contains(id) {
                continue;
            }
            let for_use =
                list(package.get("dependencies")).filter(|dependency| text(dependency, "kind") != Some("dev"));
            let used = for_use.filter_map(|dependency| text(dependency, "name")).map(str::to_owned).collect();
            let manifest = text(package, "manifest_path").unwrap_or_default().trim_start_matches(root);
            graph.manifests.insert(name.to_owned(), manifest.trim_start_matches('/').to_owned());
            graph.members.insert(name.to_owned(), used);
        }
        for node in list(metadata.pointer("/resolve/nodes")) {
            let Some(name) = text(node, "id").and_then(|id| names.get(id)) else { continue };
            let needs = list(node.get("deps"))
                .filter(|dependency| list(dependency.get("dep_kinds")).any(|kind| text(kind, "kind").is_none()));
            let needed = needs.filter_map(|dependency| names.get(text(dependency, "pkg")?)).cloned();
            graph.edges.entry(name.clone()).or_default().extend(needed);
        }
        graph
    }

    /// Everything below `name`, found breadth first; each crate is visited once.
    fn below(&self, name: &str) -> BTreeSet<&str> {
        let mut found = BTreeSet::new();
        let mut waiting = vec![name];
        while let Some(next) = waiting.pop() {
            for needed in self.edges.get(next).into_iter().flatten() {
                if found.insert(needed.as_str()) {
                    waiting.push(needed);
                }
            }
        }
        found
    }

    fn finding(&self, name: &str, problem: String, fix: &str) -> Finding {
        let path = self.manifests.get(name).cloned().unwrap_or_else(|| "Cargo.toml".to_owned());
        Finding { path, line: 1, problem, fix: fix.to_owned() }
    }
}

fn list(value: Option<&Value>) -> impl Iterator<Item = &Value> {
    value.and_then(Value::as_array).into_iter().flatten()
}

fn strings(value: Option<&Value>) -> impl Iterator<Item = &str> {
    list(value).filter_map(Value::as_str)
}

fn text<'value>(value: &'value Value, member: &str) -> Option<&'value str> {
    value.get(member).and_then(Value::as_str)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A workspace of one crate of ours with `uses`, where everything foreign needs `beneath`.
    fn check_crate(name: &str, uses: &[(&str, Option<&str>)], beneath: Option<&str>, expected: &[&str]) {
        let ours: Vec<&str> = OURS.iter().map(|(crate_name, _)| *crate_name).collect();
        let mut packages = vec![json!({"id": "stockade-audit", "name": "stockade-audit", "dependencies": []})];
        let dependencies: Vec<Value> = uses.iter().map(|(used, kind)| json!({"name": used, "kind": kind})).collect();
        packages
            .push(json!({"id": name, "name": name, "manifest_path": "/r/x/Cargo.toml", "dependencies": dependencies}));
        let resolved = uses.iter().map(|(used, kind)| json!({"pkg": used, "dep_kinds": [{"kind": kind}]}));
        let mut nodes = vec![json!({"id": name, "deps": resolved.collect::<Vec<_>>()})];
        for (used, _) in uses.iter().filter(|(used, _)| !ours.contains(used)) {
            packages.push(json!({"id": used, "name": used}));
            let deps: Vec<Value> = beneath.iter().map(|b| json!({"pkg": b, "dep_kinds": [{"kind": null}]})).collect();
            nodes.push(json!({"id": used, "deps": deps}));
        }
        packages.extend(beneath.iter().map(|b| json!({"id": b, "name": b})));
        let metadata = json!({
            "workspace_root": "/r", "workspace_members": ["stockade-audit", name],
            "packages": packages, "resolve": {"nodes": nodes},
        });
        let said: Vec<String> = check(&metadata).into_iter().map(|f| format!("{}: {}", f.path, f.problem)).collect();
        assert_eq!(said, expected);
    }

    #[test]
    fn an_edge_that_is_not_in_the_table_is_found_except_for_tests() {
        let problem = "x/Cargo.toml: `stockade-gateway` may not use `stockade-audit`";
        check_crate("stockade-gateway", &[("stockade-audit", None)], None, &[problem]);
        check_crate("stockade-gateway", &[("stockade-audit", Some("dev"))], None, &[]);
        check_crate("stockade", &[("stockade-audit", None)], None, &[]);
    }

    #[test]
    fn a_crate_that_is_not_in_the_table_is_found() {
        check_crate("stockade-new", &[], None, &["x/Cargo.toml: crate `stockade-new` is not in the table of crates"]);
    }

    #[test]
    fn reserved_crates_are_found_elsewhere() {
        let problem =
            "x/Cargo.toml: `stockade` uses `rusqlite`; a database client is for stockade-store, secure-server";
        check_crate("stockade", &[("rusqlite", None)], None, &[problem]);
        check_crate("stockade-store", &[("rusqlite", None)], None, &[]);
    }

    #[test]
    fn a_pure_crate_has_no_runtime_below_it_however_far_down() {
        let problem = "x/Cargo.toml: `stockade-core` is pure and `tokio` stands below it";
        check_crate("stockade-core", &[("innocent", None)], Some("tokio"), &[problem]);
        check_crate("stockade-core", &[("innocent", Some("dev"))], Some("tokio"), &[]);
        check_crate("stockade-core", &[("innocent", None)], Some("memchr"), &[]);
    }
}
