//! Every example of `docs/policy.md` does what the page says.
//!
//! An example is one or more blocks of `toml` or `cedar`, then a table of caller, action, object, answer.

use crate::words::{Asked, loaded, ruled};
use serde::Deserialize;
use std::path::Path;
use stockade_core::ports::Ruling;
use stockade_policy::{CallerPattern, FromServer, Glob, PermitRule, Place, PolicySource, ServerPattern, Sources};

/// As many as the page has; a block that is lost is noticed.
const EXAMPLES: usize = 6;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Page {
    permit: Vec<Table>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    #[serde(default)]
    callers: Vec<String>,
    #[serde(default)]
    servers: Vec<String>,
    #[serde(default)]
    tools: Vec<String>,
    #[serde(default)]
    resources: Vec<String>,
    #[serde(default)]
    prompts: Vec<String>,
    #[serde(default)]
    from_server: Vec<String>,
}

impl Table {
    fn permit(&self) -> PermitRule {
        let globs = |list: &[String]| list.iter().map(|text| Glob::parse(text).unwrap()).collect();
        PermitRule {
            place: Place { source: "stockade.toml".to_owned(), line: 1, column: 1 },
            callers: self.callers.iter().map(|text| CallerPattern::parse(text).unwrap()).collect(),
            servers: self.servers.iter().map(|text| ServerPattern::parse(text).unwrap()).collect(),
            tools: globs(&self.tools),
            resources: globs(&self.resources),
            prompts: globs(&self.prompts),
            from_server: self.from_server.iter().map(|word| FromServer::parse(word).unwrap()).collect(),
        }
    }
}

#[derive(Default)]
struct Example {
    sources: Sources,
    rows: Vec<[String; 4]>,
}

fn examples(page: &str) -> Vec<Example> {
    let mut examples = vec![Example::default()];
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        if let Some(language) = line.strip_prefix("```") {
            let block: String =
                lines.by_ref().take_while(|line| *line != "```").map(|line| format!("{line}\n")).collect();
            if examples.last().is_some_and(|example| !example.rows.is_empty()) {
                examples.push(Example::default());
            }
            let example = examples.last_mut().unwrap();
            match language {
                "toml" => {
                    let page: Page = toml::from_str(&block).unwrap_or_else(|error| panic!("{error}\n{block}"));
                    example.sources.permits.extend(page.permit.iter().map(Table::permit));
                }
                "cedar" => {
                    let name = format!("example{}.cedar", example.sources.files.len());
                    example.sources.files.push(PolicySource { name, text: block });
                }
                "text" => {}
                other => panic!("a block of {other:?} is run by nobody"),
            }
        } else if let Some(row) = line.strip_prefix("| `") {
            let cells: Vec<String> = format!("`{row}").split('|').map(|cell| cell.trim().replace('`', "")).collect();
            let example = examples.last_mut().unwrap();
            example.rows.push([0, 1, 2, 3].map(|column| cells[column].clone()));
        }
    }
    examples
}

fn answered(ruling: &Ruling) -> String {
    match ruling {
        Ruling::Allow { .. } => "allow".to_owned(),
        Ruling::Ask { reason, .. } => format!("ask: {reason}"),
        Ruling::Deny { reason, .. } => format!("deny: {}", reason.replace('`', "")),
    }
}

#[test]
fn the_examples_of_the_manual_do_what_it_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/policy.md");
    let examples = examples(&std::fs::read_to_string(path).unwrap());
    assert_eq!(examples.len(), EXAMPLES);
    for (number, example) in examples.iter().enumerate() {
        assert!(!example.rows.is_empty(), "example {number} has no table");
        let policy = loaded(&example.sources);
        for [who, action, object, expected] in &example.rows {
            let ruling = ruled(&policy, &Asked::new(who, action, object));
            assert_eq!(answered(&ruling), *expected, "example {number}: {who} {action} {object}");
        }
    }
}
