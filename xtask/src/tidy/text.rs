//! What may not be written into the repository: paths of the machine it was written on, hosts of package registries
//! (the machine's own settings choose those).

use std::path::Path;

use super::Finding;
use super::files::TextFile;

/// Put together here, so that this file is not a finding itself.
const REGISTRY_HOSTS: &[&str] = &[
    concat!("registry.", "npmjs.org"),
    concat!("registry.", "yarnpkg.com"),
    concat!("pypi", ".org"),
    concat!("files.", "pythonhosted.org"),
    concat!("static.", "crates.io"),
    concat!("index.", "crates.io"),
];
/// Folders that are the same on every machine and say nothing about this one.
const PLAIN_FOLDERS: &[&str] = &["/", "/tmp", "/var/tmp", "/home", "/root", "/srv", "/opt", "/usr/src"];

/// This checkout's folder, and the one around it unless every machine has it.
pub(super) fn machine_paths(root: &Path) -> Vec<String> {
    [Some(root), root.parent()]
        .into_iter()
        .flatten()
        .map(|path| path.to_string_lossy().into_owned())
        .filter(|path| !PLAIN_FOLDERS.contains(&path.as_str()))
        .map(|path| path + "/")
        .collect()
}

pub(super) fn check(files: &[TextFile], machine_paths: &[String]) -> Vec<Finding> {
    files.iter().flat_map(|file| check_file(file, machine_paths)).collect()
}

fn check_file(file: &TextFile, machine_paths: &[String]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (number, line) in (1..).zip(file.text.lines()) {
        let mut add = |problem: &str, fix: &str| {
            let (problem, fix) = (problem.to_owned(), fix.to_owned());
            findings.push(Finding { path: file.path.clone(), line: number, problem, fix });
        };
        if machine_paths.iter().any(|path| names_path(line, path)) {
            add("a path of this machine", "write it from the workspace's folder, or take it from the command line");
        }
        if REGISTRY_HOSTS.iter().any(|host| line.contains(host)) {
            add("the host of a package registry", "name the package and its version; the machine knows its registry");
        }
    }
    findings
}

/// Not inside a longer path.
fn names_path(line: &str, path: &str) -> bool {
    let in_path = |character: char| character.is_alphanumeric() || "_-./~".contains(character);
    line.match_indices(path).any(|(at, _)| {
        let before = line.get(..at).unwrap_or_default();
        before.ends_with("file://") || !before.chars().next_back().is_some_and(in_path)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_line(line: &str, expected: &[&str]) {
        let file = TextFile { path: "a.md".into(), text: format!("first\n{line}\n") };
        let paths = machine_paths(Path::new("/builds/anna/stockade"));
        let said: Vec<String> =
            check(&[file], &paths).into_iter().map(|f| format!("{}: {}", f.line, f.problem)).collect();
        assert_eq!(said, expected, "{line}");
    }

    #[test]
    fn paths_of_this_machine_are_found() {
        check_line("see /builds/anna/stockade/x", &["2: a path of this machine"]);
        check_line("file:///builds/anna/x", &["2: a path of this machine"]);
        check_line("see /srv/builds/anna/x and /tmp/x", &[]);
        assert_eq!(machine_paths(Path::new("/tmp/stockade")), ["/tmp/stockade/"]);
    }

    #[test]
    fn registry_hosts_are_found() {
        let host = REGISTRY_HOSTS.first().unwrap();
        check_line(&format!("https://{host}/x"), &["2: the host of a package registry"]);
        check_line("https://example.com/x", &[]);
    }
}
