//! The files that git knows or would take, and Rust sources made ready for the rules.

use std::ops::Range;

use super::Finding;
use super::mask;
use crate::place::Place;
use crate::process::{ProcessError, Program};

/// Why the workspace could not be listed.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// git failed.
    #[error("git could not list the files")]
    Git {
        /// What it said.
        #[source]
        cause: ProcessError,
    },
    /// cargo failed.
    #[error("cargo could not list the crates")]
    Cargo {
        /// What it said.
        #[source]
        cause: ProcessError,
    },
    /// cargo's answer is not to be read.
    #[error("cargo's answer is no JSON")]
    Metadata {
        /// What the reader said.
        #[source]
        cause: serde_json::Error,
    },
}

/// One text file.
#[derive(Debug)]
pub(super) struct TextFile {
    /// From the workspace's folder, with `/`.
    pub(super) path: String,
    pub(super) text: String,
}

/// Everything tracked, and everything new that is not ignored. Files that are no UTF-8 are left out: they are data.
pub(super) fn of_workspace(place: &Place) -> Result<Vec<TextFile>, FilesError> {
    let list = Program::new("git", &["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    let names = list.inside(place.root()).read().map_err(|cause| FilesError::Git { cause })?;
    let read = |name: &str| {
        let bytes = std::fs::read(place.root().join(name)).ok()?;
        Some(TextFile { path: name.to_owned(), text: String::from_utf8(bytes).ok()? })
    };
    Ok(names.split('\0').filter(|name| !name.is_empty()).filter_map(read).collect())
}

/// What `cargo metadata` says of the workspace and all it depends on.
pub(super) fn metadata(place: &Place) -> Result<serde_json::Value, FilesError> {
    let list = Program::new("cargo", &["metadata", "--format-version", "1", "--locked"]);
    let text = list.inside(place.root()).read().map_err(|cause| FilesError::Cargo { cause })?;
    serde_json::from_str(&text).map_err(|cause| FilesError::Metadata { cause })
}

/// A Rust source with its comments and strings blanked out, and with the parts that are tests known.
#[derive(Debug)]
pub(super) struct RustFile<'file> {
    pub(super) path: &'file str,
    pub(super) text: &'file str,
    /// As long as `text`; comments and the insides of strings are spaces.
    pub(super) code: String,
    /// Byte ranges of what is compiled for tests only.
    tests: Vec<Range<usize>>,
}

impl TextFile {
    pub(super) fn as_rust(&self) -> Option<RustFile<'_>> {
        self.path.ends_with(".rs").then(|| RustFile::read(&self.path, &self.text))
    }
}

impl<'file> RustFile<'file> {
    pub(super) fn read(path: &'file str, text: &'file str) -> Self {
        let code = mask::blank_out(text);
        let in_test_folder = path.split('/').any(|part| matches!(part, "tests" | "benches" | "tests.rs"));
        let whole = 0..text.len();
        let tests = if in_test_folder { vec![whole] } else { mask::test_ranges(&code) };
        Self { path, text, code, tests }
    }

    /// The crate's folder name, such as `stockade-core`, for files below `crates/`.
    pub(super) fn product_crate(&self) -> Option<&'file str> {
        self.path.strip_prefix("crates/")?.split('/').next()
    }

    /// The same for what is built into the product: no examples, no tests.
    pub(super) fn product_source(&self) -> Option<&'file str> {
        self.product_crate().filter(|name| self.path.starts_with(&format!("crates/{name}/src/")))
    }

    pub(super) fn is_test(&self, at: usize) -> bool {
        self.tests.iter().any(|range| range.contains(&at))
    }

    /// The line of a byte, from 1.
    pub(super) fn line(&self, at: usize) -> usize {
        1 + self.code.bytes().take(at).filter(|byte| *byte == b'\n').count()
    }

    /// Lines that are not in a test.
    pub(super) fn lines_without_tests(&self) -> usize {
        let in_tests: usize = self.tests.iter().map(|range| self.line(range.end) - self.line(range.start) + 1).sum();
        self.text.lines().count().saturating_sub(in_tests)
    }

    /// Where `words` stand in the code outside tests, not as a part of a longer name.
    pub(super) fn uses(&self, words: &str) -> Vec<usize> {
        mask::occurrences(&self.code, words).filter(|at| !self.is_test(*at)).collect()
    }

    pub(super) fn finding(&self, at: usize, problem: String, fix: &str) -> Finding {
        Finding { path: self.path.to_owned(), line: self.line(at), problem, fix: fix.to_owned() }
    }
}
