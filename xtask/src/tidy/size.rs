//! Nothing grows past what a person reads in one go.

use super::Finding;
use super::files::RustFile;
use super::mask::{body, occurrences};

/// Lines of a file, tests not counted.
const FILE_LINES: usize = 600;
/// Lines of a function, from its name to its last brace; tests are free.
const FUNCTION_LINES: usize = 70;

pub(super) fn check(file: &RustFile<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let lines = file.lines_without_tests();
    if lines > FILE_LINES {
        let problem = format!("{lines} lines without tests; the limit is {FILE_LINES}");
        findings.push(file.finding(0, problem, "find the part that has a name of its own and give it a file"));
    }
    for at in occurrences(&file.code, "fn").filter(|at| !file.is_test(*at)) {
        let Some(name) = name_after(&file.code, at) else { continue };
        let Some(found) = body(&file.code, at) else { continue };
        let lines = file.line(found.end) - file.line(at) + 1;
        if lines > FUNCTION_LINES {
            let problem = format!("function `{name}` has {lines} lines; the limit is {FUNCTION_LINES}");
            findings.push(file.finding(at, problem, "find the step that has a name of its own and make it a function"));
        }
    }
    findings
}

/// The name behind `fn`; a function type has none.
fn name_after(code: &str, at: usize) -> Option<&str> {
    let rest = code.get(at..)?.strip_prefix("fn")?.trim_start();
    let name = rest.split(|character: char| !character.is_alphanumeric() && character != '_').next()?;
    (!name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_text(text: &str, expected: &[&str]) {
        let file = RustFile::read("crates/x/src/lib.rs", text);
        let said: Vec<String> = check(&file).into_iter().map(|f| format!("{}: {}", f.line, f.problem)).collect();
        assert_eq!(said, expected);
    }

    #[test]
    fn a_function_at_the_limit_passes_and_one_line_more_does_not() {
        let function = |lines: usize| format!("//! x\nfn long(f: fn(u8) -> u8) {{\n{}}}\n", "x();\n".repeat(lines - 2));
        check_text(&function(70), &[]);
        check_text(&function(71), &["2: function `long` has 71 lines; the limit is 70"]);
    }

    #[test]
    fn a_file_at_the_limit_passes_tests_do_not_count_and_one_line_more_does_not_pass() {
        let tests = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", "// x\n".repeat(500));
        check_text(&format!("{}{tests}", "// x\n".repeat(600)), &[]);
        check_text(&format!("{}{tests}", "// x\n".repeat(601)), &["1: 601 lines without tests; the limit is 600"]);
    }
}
