//! Every attack case is a folder that says what it is: `attacks/<ID>/case.md`.

use std::collections::BTreeSet;

use super::Finding;
use super::files::TextFile;

pub(super) fn check(files: &[TextFile]) -> Vec<Finding> {
    let inside = |file: &'_ TextFile| -> Option<(String, String)> {
        let (id, rest) = file.path.strip_prefix("attacks/")?.split_once('/')?;
        Some((id.to_owned(), rest.to_owned()))
    };
    let folders: BTreeSet<String> = files.iter().filter_map(inside).map(|(id, _)| id).collect();
    let described: BTreeSet<String> = files
        .iter()
        .filter(|file| !file.text.trim().is_empty())
        .filter_map(inside)
        .filter(|(_, rest)| rest == "case.md")
        .map(|(id, _)| id)
        .collect();
    let mut findings = Vec::new();
    for id in folders {
        let mut add = |problem: &str, fix: &str| {
            let path = format!("attacks/{id}/case.md");
            findings.push(Finding { path, line: 1, problem: problem.to_owned(), fix: fix.to_owned() });
        };
        if !is_case_id(&id) {
            add("the folder's name is no case id", "name it like `PA-01`: group, hyphen, number");
        }
        if !described.contains(&id) {
            add("the attack has no case.md", "write down what the enemy does and what must happen");
        }
    }
    findings
}

/// Two capital letters, a hyphen, two digits.
fn is_case_id(id: &str) -> bool {
    matches!(id.as_bytes(), [a, b, b'-', c, d]
        if a.is_ascii_uppercase() && b.is_ascii_uppercase() && c.is_ascii_digit() && d.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attack_folder_has_an_id_and_says_what_it_is() {
        let file = |path: &str, text: &str| TextFile { path: path.into(), text: text.into() };
        let files = [
            file("attacks/PA-01/case.md", "What the enemy does"),
            file("attacks/PA-02/request.bin", "x"),
            file("attacks/PA-03/case.md", " \n"),
            file("attacks/first/case.md", "x"),
            file("attacks/README.md", "x"),
        ];
        let said: Vec<String> = check(&files).into_iter().map(|f| format!("{}: {}", f.path, f.problem)).collect();
        assert_eq!(
            said,
            [
                "attacks/PA-02/case.md: the attack has no case.md",
                "attacks/PA-03/case.md: the attack has no case.md",
                "attacks/first/case.md: the folder's name is no case id",
            ]
        );
    }
}
