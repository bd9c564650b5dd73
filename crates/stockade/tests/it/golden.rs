//! Texts that are kept in files. `UPDATE_GOLDEN=1` rewrites them; the difference is reviewed like code.

use crate::program::Program;
use std::path::{Path, PathBuf};

/// Compares with `tests/it/golden/NAME`.
#[track_caller]
pub(crate) fn check(name: &str, text: &str) {
    check_file(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/golden").join(name), text);
}

#[track_caller]
fn check_file(path: &Path, text: &str) {
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let kept = std::fs::read_to_string(path).unwrap_or_default();
    assert!(kept == text, "{} is not fresh; run with UPDATE_GOLDEN=1\n{text}", path.display());
}

#[test]
fn the_reference_page_is_fresh() {
    let page: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/configuration.md");
    check_file(&page, &stockade::config::markdown());
    let said = Program::new().run(&["config", "schema", "--markdown"]);
    assert_eq!((said.code, said.stdout), (Some(0), stockade::config::markdown()));
}

#[test]
fn the_help_is_as_reviewed() {
    let program = Program::new().with("COLUMNS", "100");
    let mut text = String::new();
    let pages: &[&[&str]] = &[
        &["--help"],
        &["up", "--help"],
        &["wrap", "--help"],
        &["keys", "--help"],
        &["keys", "add", "--help"],
        &["keys", "rotate", "--help"],
        &["revoke", "--help"],
        &["revoke", "token", "--help"],
        &["audit", "--help"],
        &["audit", "query", "--help"],
        &["config", "--help"],
        &["inspect", "--help"],
    ];
    for page in pages {
        let said = program.run(page);
        assert_eq!((said.code, said.stderr.as_str()), (Some(0), ""), "{page:?}");
        text.push_str(&format!("$ stockade {}\n{}\n", page.join(" "), said.stdout));
    }
    check("help.txt", &text);
}

#[test]
fn a_wrong_command_line_is_explained_and_ends_with_2() {
    for arguments in [&["upp"][..], &["keys", "add"], &["wrap"], &[], &["up", "--port", "1"]] {
        let said = Program::new().run(arguments);
        assert_eq!((said.code, said.stdout.as_str()), (Some(2), ""), "{arguments:?}: {said:?}");
        assert!(said.stderr.contains("Usage: stockade"), "{said:?}");
    }
}
