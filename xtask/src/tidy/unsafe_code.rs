//! `unsafe` lives in one crate, and every use of it says why it is needed and why it holds.

use super::Finding;
use super::files::RustFile;
use super::mask::occurrences;

/// The crate that may.
const CRATE: &str = "stockade-sandbox";
/// How far above an `unsafe` its two comments may begin, in lines.
const COMMENT_LINES: usize = 16;

pub(super) fn check(file: &RustFile<'_>) -> Vec<Finding> {
    let places = occurrences(&file.code, "unsafe");
    if file.product_crate() != Some(CRATE) {
        let problem = || format!("`unsafe` outside {CRATE}");
        return places
            .map(|at| file.finding(at, problem(), "find a safe way, or move it into stockade-sandbox"))
            .collect();
    }
    places
        .filter_map(|at| {
            let line = file.line(at);
            let above: Vec<&str> = file.text.lines().take(line).skip(line.saturating_sub(COMMENT_LINES + 1)).collect();
            let missing: Vec<&str> = ["JUSTIFICATION:", "SAFETY:"]
                .into_iter()
                .filter(|word| !above.iter().any(|line| line.trim_start().starts_with("//") && line.contains(word)))
                .collect();
            (!missing.is_empty()).then(|| {
                let problem = format!("`unsafe` without `// {}`", missing.join("` and `// "));
                file.finding(at, problem, "say above it why safe code will not do and why it holds")
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_text(path: &str, text: &str, expected: &[&str]) {
        let file = RustFile::read(path, text);
        let said: Vec<String> = check(&file).into_iter().map(|f| format!("{}: {}", f.line, f.problem)).collect();
        assert_eq!(said, expected, "{text}");
    }

    #[test]
    fn unsafe_is_found_outside_the_sandbox_even_in_tests() {
        let problem = "1: `unsafe` outside stockade-sandbox";
        check_text("crates/stockade-core/src/x.rs", "unsafe { x() }", &[problem]);
        check_text("crates/stockade-core/tests/it/x.rs", "unsafe { x() }", &[problem]);
        check_text("crates/stockade-core/src/x.rs", "#![forbid(unsafe_code)] // unsafe", &[]);
    }

    #[test]
    fn unsafe_in_the_sandbox_needs_both_comments() {
        let path = "crates/stockade-sandbox/src/x.rs";
        check_text(path, "// JUSTIFICATION: a\n// SAFETY: b\nunsafe { x() }", &[]);
        check_text(path, "// SAFETY: b\nunsafe { x() }", &["2: `unsafe` without `// JUSTIFICATION:`"]);
        check_text(path, "unsafe { x() }", &["1: `unsafe` without `// JUSTIFICATION:` and `// SAFETY:`"]);
    }
}
