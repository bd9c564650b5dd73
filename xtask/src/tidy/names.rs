//! Names that say nothing, files that do not say what they are for, tests that do not run.

use super::Finding;
use super::files::TextFile;

/// What a module is called when nobody knew what belongs into it.
const EMPTY_NAMES: &[&str] = &["util", "utils", "helper", "helpers", "common", "misc", "manager", "managers"];
const SOURCES: &[&str] = &["rs", "mjs", "js", "py"];

pub(super) fn check(file: &TextFile) -> Vec<Finding> {
    let Some((stem, ending)) = file.path.rsplit_once('.') else { return Vec::new() };
    if !SOURCES.contains(&ending) {
        return Vec::new();
    }
    let mut findings: Vec<Finding> = stem
        .split('/')
        .filter(|part| EMPTY_NAMES.contains(part))
        .map(|part| finding(file, 1, format!("the name `{part}` says nothing"), "name it after what it does"))
        .collect();
    let Some(rust) = file.as_rust() else { return findings };
    for name in EMPTY_NAMES {
        let words = format!("mod {name}");
        findings.extend(super::mask::occurrences(&rust.code, &words).map(|at| {
            rust.finding(at, format!("the module name `{name}` says nothing"), "name it after what it does")
        }));
    }
    if file.path.contains("/src/") && !file.text.starts_with("//!") {
        let fix = "begin with `//!`: what it is for, what it must never do, where it sits on the road";
        findings.push(finding(file, 1, "the file has no module header".to_owned(), fix));
    }
    findings.extend(super::mask::occurrences(&rust.code, "#[ignore").map(|at| {
        rust.finding(at, "an ignored test".to_owned(), "assert the wrong behaviour and say why, or delete it")
    }));
    findings
}

fn finding(file: &TextFile, line: usize, problem: String, fix: &str) -> Finding {
    Finding { path: file.path.clone(), line, problem, fix: fix.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_file(path: &str, text: &str, expected: &[&str]) {
        let file = TextFile { path: path.into(), text: text.into() };
        let said: Vec<String> = check(&file).into_iter().map(|f| format!("{}: {}", f.line, f.problem)).collect();
        assert_eq!(said, expected, "{path}");
    }

    #[test]
    fn empty_names_are_found_in_paths_and_in_code() {
        check_file("crates/x/tests/common/mod.rs", "//! x", &["1: the name `common` says nothing"]);
        check_file("fixtures/node/util.mjs", "", &["1: the name `util` says nothing"]);
        check_file("crates/x/src/lib.rs", "//! x\nmod helpers {}", &["2: the module name `helpers` says nothing"]);
        check_file("crates/x/src/utility_meter.rs", "//! x", &[]);
        check_file("docs/common.md", "", &[]);
    }

    #[test]
    fn a_source_file_has_a_header_and_its_tests_run() {
        check_file("crates/x/src/a.rs", "use x;", &["1: the file has no module header"]);
        check_file("crates/x/tests/misuse/a.rs", "fn main() {}", &[]);
        check_file("crates/x/tests/it/main.rs", "#[ignore]\nfn a() {}", &["1: an ignored test"]);
    }
}
