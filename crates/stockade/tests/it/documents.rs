//! The documents say what is so: their configurations are taken, their commands and tests exist, their links lead somewhere.

use crate::program::Program;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;
use stockade_core::mcp::Revision;
use stockade_core::refusal::Refusal;
use testkit::certificates::{Authority, Leaf, replace};

/// Lines of `ARCHITECTURE.md`: what a newcomer reads in one go.
const ARCHITECTURE_LINES: usize = 300;
/// Where sources with tests are.
const SOURCES: [&str; 8] = ["attacks", "bench", "crates", "examples", "fuzz/harness", "misuse", "testkit", "xtask"];
/// Folders that are built or downloaded.
const NOT_OURS: [&str; 3] = ["target", "node_modules", "artifacts"];

/// One page, by its path from the repository's folder.
struct Page {
    path: PathBuf,
    text: String,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap()
}

/// Every file below `folder` whose name ends so.
fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap().map(Result::unwrap) {
            let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
            match entry.file_type().unwrap() {
                kind if kind.is_dir() && !NOT_OURS.contains(&name.as_str()) => folders.push(path),
                kind if kind.is_file() && name.ends_with(ending) => found.push(path),
                _ => {}
            }
        }
    }
    found.sort();
    found
}

/// The pages at the top, in `docs` and beside the parts.
fn pages() -> Vec<Page> {
    let root = root();
    let top = std::fs::read_dir(&root).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<PathBuf> = top.filter(|path| path.extension().is_some_and(|ending| ending == "md")).collect();
    for folder in ["docs", "attacks", "crates", "testkit"] {
        paths.extend(files(&root.join(folder), ".md"));
    }
    let page = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).unwrap();
        Page { path: path.strip_prefix(&root).unwrap().to_owned(), text }
    };
    paths.into_iter().map(page).collect()
}

/// The blocks of a page between ```` ```language ```` and ```` ``` ````.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut open: Option<(bool, String)> = None;
    for line in text.lines() {
        match (line.strip_prefix("```"), &mut open) {
            (Some(said), None) => open = Some((said.trim() == language, String::new())),
            (Some(_), Some(_)) => found.extend(open.take().filter(|(wanted, _)| *wanted).map(|(_, block)| block)),
            (None, Some((_, block))) => block.push_str(&format!("{line}\n")),
            (None, None) => {}
        }
    }
    found
}

/// A page without its blocks.
fn prose(text: &str) -> String {
    let mut is_inside = false;
    let outside = |line: &&str| {
        let is_fence = line.starts_with("```");
        is_inside ^= is_fence;
        !is_inside && !is_fence
    };
    text.lines().filter(outside).collect::<Vec<_>>().join("\n")
}

/// An example that only shows permits gets the servers that it speaks of, as the file around it would have them.
fn completed(example: &str) -> String {
    let table: toml::Table = example.parse().unwrap();
    if table.contains_key("servers") {
        return example.to_owned();
    }
    let permits = table.get("permit").and_then(toml::Value::as_array).into_iter().flatten();
    let named = permits.filter_map(|permit| permit.get("servers")?.as_array()).flatten();
    let servers: BTreeSet<&str> = named.filter_map(toml::Value::as_str).filter(|name| !name.contains('*')).collect();
    let added = servers.iter().map(|name| format!("\n[servers.{name}]\nurl = \"http://127.0.0.1:1/mcp\"\n"));
    format!("{example}{}", added.collect::<String>())
}

/// The certificates that examples of TLS name.
fn write_certificates(folder: &Path) {
    let folder = folder.join("tls");
    std::fs::create_dir(&folder).unwrap();
    let authority = Authority::new("authority");
    authority.issue(Leaf::server(&["localhost"])).write(&folder, "gateway");
    authority.issue(Leaf::client()).write(&folder, "to-db");
    replace(&folder.join("clients-ca.pem"), &authority.pem(), 0o644);
    replace(&folder.join("db-ca.pem"), &authority.pem(), 0o644);
    replace(&folder.join("clients-ca.crl"), &authority.revocation_list(&[], 30), 0o644);
}

#[test]
fn the_configurations_in_the_documents_are_right() {
    let mut checked = 0;
    for page in pages().iter().filter(|page| page.path.components().count() == 1 || page.path.starts_with("docs")) {
        for example in blocks(&page.text, "toml") {
            let program = Program::new();
            program.folder.write("stockade.toml", completed(&example));
            write_certificates(program.folder.path());
            let said = program.run(&["config", "check", "--config", "stockade.toml"]);
            assert_eq!(said.code, Some(0), "{}:\n{example}\n{}", page.path.display(), said.stderr);
            checked += 1;
        }
    }
    assert!(!blocks(&read("README.md"), "toml").is_empty() && checked > 1, "{checked} examples were found");
}

#[test]
fn the_commands_in_the_documents_exist() {
    let tasks = read("xtask/src/lib.rs");
    let mut checked = 0;
    for page in pages() {
        for line in blocks(&page.text, "sh").iter().flat_map(|block| block.lines()) {
            let line = line.split(" #").next().unwrap_or_default().replace("cargo run --release -- ", "stockade ");
            let words: Vec<&str> = line.split_whitespace().collect();
            match words.as_slice() {
                ["cargo", "xtask", task, ..] => {
                    assert!(tasks.contains(&format!("\n  {task} ")), "{}: no task `{task}`", page.path.display());
                }
                ["stockade", rest @ ..] => has_command(&page, rest),
                _ => continue,
            }
            checked += 1;
        }
    }
    assert!(checked > 10, "{checked} commands were found");
}

/// The words before the first option name a command, and it has every option that follows.
fn has_command(page: &Page, words: &[&str]) {
    let is_command = |word: &&&str| word.bytes().all(|byte| byte.is_ascii_lowercase());
    let mut command: Vec<&str> = words.iter().take_while(is_command).take(2).copied().collect();
    // A value may follow a command at once, as in `keys add alice`.
    let help = loop {
        let said = Program::new().run(&[command.as_slice(), &["--help"]].concat());
        if said.code == Some(0) || command.pop().is_none() {
            break said.stdout;
        }
    };
    assert!(!command.is_empty() && help.contains("Usage:"), "{}: no command {words:?}", page.path.display());
    let options = words.iter().take_while(|word| **word != "--").filter(|word| word.starts_with("--"));
    for option in options {
        assert!(help.contains(*option), "{}: {command:?} has no `{option}`", page.path.display());
    }
}

#[test]
fn the_links_in_the_documents_lead_somewhere() {
    let mut checked = 0;
    for page in pages() {
        let folder = root().join(page.path.parent().unwrap());
        for target in prose(&page.text).split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let file = target.split('#').next().unwrap_or_default();
            if file.is_empty() || target.contains("://") {
                continue;
            }
            assert!(folder.join(file).exists(), "{}: `{target}` leads nowhere", page.path.display());
            checked += 1;
        }
    }
    assert!(checked > 10, "{checked} links were found");
}

/// The rows of a page's tables whose last cell is about tests: the first cell and the last.
fn rows(text: &str) -> Vec<(String, String)> {
    let cells = |line: &str| -> Option<(String, String)> {
        let inside = line.strip_prefix('|')?.strip_suffix('|')?;
        let (first, rest) = inside.split_once('|')?;
        Some((first.trim().to_owned(), rest.rsplit('|').next()?.trim().to_owned()))
    };
    text.lines().filter_map(cells).filter(|(first, _)| !first.starts_with("---")).collect()
}

#[test]
fn the_tests_that_the_documents_name_exist() {
    let sources: Vec<PathBuf> = SOURCES.iter().flat_map(|folder| files(&root().join(folder), ".rs")).collect();
    let sources: String = sources.iter().map(|path| std::fs::read_to_string(path).unwrap()).collect();
    for page in ["THREATS.md", "PROMISES.md"] {
        let mut checked = 0;
        for (row, tests) in rows(&read(page)) {
            for name in tests.split('`').skip(1).step_by(2) {
                let exists = match name.split_once('/') {
                    Some(("attacks", _)) => root().join(name).join("case.rs").is_file(),
                    _ => name.starts_with("cargo xtask ") || sources.contains(&format!("fn {name}(")),
                };
                assert!(exists, "{page}, row `{row}`: there is no `{name}`");
                checked += 1;
            }
        }
        assert!(checked > 50, "{page} names {checked} tests");
    }
}

#[test]
fn every_attack_case_has_its_row_and_is_not_called_pending() {
    let threats = rows(&read("THREATS.md"));
    for case in files(&root().join("attacks"), "case.rs") {
        let id = case.parent().unwrap().file_name().unwrap().to_string_lossy().into_owned();
        let row = threats.iter().find(|(first, _)| *first == id);
        let tests = row.map(|(_, tests)| tests.as_str()).unwrap_or_default();
        assert!(tests.contains(&format!("`attacks/{id}`")), "THREATS.md does not name attacks/{id} in row {id}");
        assert!(!tests.contains("[test pending]"), "THREATS.md calls {id} pending, and it is there");
    }
}

#[test]
fn the_refusals_in_the_readme_are_those_of_the_gateway() {
    let readme = read("README.md");
    let told: BTreeSet<String> = readme.lines().filter(|line| line.starts_with("| `")).map(without_reason).collect();
    let all = all_refusals();
    let so: BTreeSet<String> = all
        .iter()
        .map(|refusal| {
            let words = refusal.words();
            format!("{} {} {}", words.code, words.message, words.status)
        })
        .collect();
    assert_eq!(told, so);
}

/// Code, message and status of a row, without the foot note's mark.
fn without_reason(row: &str) -> String {
    let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
    let plain = |at: usize| cells.get(at).map(|cell| cell.trim_matches('`').trim_end_matches(" ¹")).unwrap_or_default();
    format!("{} {} {}", plain(0), plain(1), plain(2))
}

fn all_refusals() -> Vec<Refusal> {
    let supported = vec![Revision::V2026_07_28];
    let all = vec![
        Refusal::NotJson,
        Refusal::TooLarge,
        Refusal::InvalidRequest,
        Refusal::MethodNotFound,
        Refusal::InvalidParams,
        Refusal::HeaderMismatch,
        Refusal::UnsupportedVersion { requested: String::new(), supported },
        Refusal::Unidentified,
        Refusal::MalformedCredential,
        Refusal::InsufficientScope,
        Refusal::NoSession,
        Refusal::SessionMissing,
        Refusal::NoRoute,
        Refusal::Forbidden,
        Refusal::MethodNotAllowed,
        Refusal::NotAcceptable,
        Refusal::UnsupportedMediaType,
        Refusal::BadFraming,
        Refusal::PermissionDenied,
        Refusal::RateLimited { retry_after: Duration::ZERO },
        Refusal::ConsentRequired,
        Refusal::TimedOut,
        Refusal::Withheld,
        Refusal::UpstreamFailed,
        Refusal::Unavailable,
        Refusal::Cancelled,
    ];
    all.iter().for_each(is_in_the_list);
    all
}

/// A new refusal does not compile here until it is in the list above.
fn is_in_the_list(refusal: &Refusal) {
    match refusal {
        Refusal::NotJson
        | Refusal::TooLarge
        | Refusal::InvalidRequest
        | Refusal::MethodNotFound
        | Refusal::InvalidParams
        | Refusal::HeaderMismatch
        | Refusal::UnsupportedVersion { .. }
        | Refusal::Unidentified
        | Refusal::MalformedCredential
        | Refusal::InsufficientScope
        | Refusal::NoSession
        | Refusal::SessionMissing
        | Refusal::NoRoute
        | Refusal::Forbidden
        | Refusal::MethodNotAllowed
        | Refusal::NotAcceptable
        | Refusal::UnsupportedMediaType
        | Refusal::BadFraming
        | Refusal::PermissionDenied
        | Refusal::RateLimited { .. }
        | Refusal::ConsentRequired
        | Refusal::TimedOut
        | Refusal::Withheld
        | Refusal::UpstreamFailed
        | Refusal::Unavailable
        | Refusal::Cancelled => {}
    }
}

#[test]
fn the_map_stays_short() {
    let lines = read("ARCHITECTURE.md").lines().count();
    assert!(lines <= ARCHITECTURE_LINES, "ARCHITECTURE.md has {lines} lines; the limit is {ARCHITECTURE_LINES}");
}

#[test]
fn every_decision_is_in_the_index() {
    let index = read("docs/README.md");
    let decisions = files(&root().join("docs/decisions"), ".md");
    assert!(decisions.len() >= 12);
    for path in decisions {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        assert!(index.contains(&format!("](decisions/{name})")), "docs/README.md does not list {name}");
    }
}
