//! Running the suite once and reading what it wrote: one folder per scenario with a `checks.json`.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::place::Place;
use crate::process::{ProcessError, Program};

/// Longest time for one requirement set. A healthy one takes five seconds.
const SUITE_LIMIT: Duration = Duration::from_secs(10 * 60);
/// The suite's exit code when a required scenario failed; others mean that it did not work.
const EXIT_REQUIRED_FAILED: i32 = 1;
/// `server-<scenario>-2026-01-31T10-20-30-400Z`: the length of the time and of the hyphen before it.
const STAMP_LENGTH: usize = "-2026-01-31T10-20-30-400Z".len();

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum SuiteError {
    /// It could not be started, or was stopped at its limit.
    #[error("the suite could not be run")]
    NotRun {
        /// Why.
        #[source]
        cause: ProcessError,
    },
    /// It ended in a way of its own.
    #[error("the suite ended with {ending}; its log is `{log}`")]
    Broke {
        /// How it ended.
        ending: String,
        /// Where its words are.
        log: String,
    },
    /// It wrote nothing.
    #[error("the suite wrote no results into `{folder}`")]
    Nothing {
        /// Where they should be.
        folder: String,
    },
    /// Its results could not be read.
    #[error("could not read the suite's results in `{path}`")]
    Unreadable {
        /// Which file or folder.
        path: String,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// Its results are not what this version writes.
    #[error("the suite's results in `{path}` have another shape than this version writes")]
    OtherShape {
        /// Which file.
        path: String,
        /// What the reader said.
        #[source]
        cause: serde_json::Error,
    },
}

/// One verdict of the suite.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Check {
    /// Such as `wire-schema-valid`; several checks of a scenario may share it.
    pub id: String,
    /// What tells checks of one id apart.
    pub name: String,
    /// `SUCCESS`, `FAILURE`, `WARNING`, `SKIPPED`, or `INFO` for a remark that judges nothing.
    pub status: String,
    /// What went wrong, in the suite's words.
    #[serde(rename = "errorMessage", default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// One scenario with its checks in the order in which they were made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Scenario {
    /// Such as `tools-call-simple-text`.
    pub name: String,
    /// What was judged.
    pub checks: Vec<Check>,
}

impl Scenario {
    fn count(&self, status: &str) -> usize {
        self.checks.iter().filter(|check| check.status == status).count()
    }
}

/// What one run of a requirement set said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The revision whose requirements were run.
    pub revision: String,
    /// Whether all required scenarios passed. Others are run too and may fail.
    pub required_passed: bool,
    /// By name.
    pub scenarios: Vec<Scenario>,
}

impl Report {
    /// For people: a line per scenario.
    #[must_use]
    pub fn table(&self, way: &str) -> String {
        let width = self.scenarios.iter().map(|scenario| scenario.name.len()).max().unwrap_or_default();
        let mut text = format!("{:width$}  passed  failed  ({way}, {})\n", "scenario", self.revision);
        let (mut passed, mut failed) = (0, 0);
        for scenario in &self.scenarios {
            let (right, wrong) = (scenario.count("SUCCESS"), scenario.count("FAILURE"));
            (passed, failed) = (passed + right, failed + wrong);
            // Writing to a `String` cannot fail.
            let _ = writeln!(text, "{:width$}  {right:6}  {wrong:6}", scenario.name);
        }
        let required = if self.required_passed { "all required passed" } else { "required scenarios failed" };
        let _ = writeln!(text, "{:width$}  {passed:6}  {failed:6}  {required}", "total");
        text
    }

    pub(super) fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }
}

/// Runs the requirement set of `revision` against `url`; what the suite writes goes into `output`, emptied before.
pub(super) fn run(place: &Place, url: &str, revision: &str, output: &Path) -> Result<Report, SuiteError> {
    match fs::remove_dir_all(output) {
        Err(cause) if cause.kind() != io::ErrorKind::NotFound => return Err(unreadable(output, cause)),
        _ => {}
    }
    let entry = place.fixtures().join("node/node_modules/@modelcontextprotocol/conformance/dist/index.js");
    let (entry, folder) = (entry.to_string_lossy(), output.to_string_lossy());
    let arguments = [&*entry, "server", "--url", url, "--requirements", revision, "--output-dir", &*folder];
    let log = output.with_extension("log");
    let ended = Program::new(place.node(), &arguments).log_status(&log, SUITE_LIMIT);
    let status = ended.map_err(|cause| SuiteError::NotRun { cause })?;
    let required_passed = match status.code() {
        Some(0) => true,
        Some(EXIT_REQUIRED_FAILED) => false,
        _ => return Err(SuiteError::Broke { ending: status.to_string(), log: log.display().to_string() }),
    };
    let scenarios = read(output)?;
    if scenarios.is_empty() {
        return Err(SuiteError::Nothing { folder: folder.into_owned() });
    }
    Ok(Report { revision: revision.to_owned(), required_passed, scenarios })
}

fn read(output: &Path) -> Result<Vec<Scenario>, SuiteError> {
    let entries = match fs::read_dir(output) {
        Ok(entries) => entries,
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(cause) => return Err(unreadable(output, cause)),
    };
    let mut scenarios = Vec::new();
    for entry in entries {
        let folder = entry.map_err(|cause| unreadable(output, cause))?.path();
        let Some(name) = scenario_of(&folder) else { continue };
        scenarios.push(Scenario { name, checks: read_checks(&folder.join("checks.json"))? });
    }
    scenarios.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(scenarios)
}

fn read_checks(path: &PathBuf) -> Result<Vec<Check>, SuiteError> {
    let bytes = fs::read(path).map_err(|cause| unreadable(path, cause))?;
    serde_json::from_slice(&bytes).map_err(|cause| SuiteError::OtherShape { path: path.display().to_string(), cause })
}

fn scenario_of(folder: &Path) -> Option<String> {
    let name = folder.file_name()?.to_str()?.strip_prefix("server-")?;
    let end = name.len().checked_sub(STAMP_LENGTH)?;
    name.get(..end).filter(|scenario| !scenario.is_empty()).map(str::to_owned)
}

fn unreadable(path: &Path, cause: io::Error) -> SuiteError {
    SuiteError::Unreadable { path: path.display().to_string(), cause }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_name_yields_its_scenario() {
        let check = |folder: &str, expected: Option<&str>| {
            assert_eq!(scenario_of(Path::new(folder)).as_deref(), expected, "{folder}");
        };
        check("out/server-ping-2026-11-22T15-05-57-800Z", Some("ping"));
        check("out/server-server-sse-polling-2026-11-22T15-05-59-550Z", Some("server-sse-polling"));
        check("out/server-2026-11-22T15-05-59-550Z", None);
        check("out/client-ping-2026-11-22T15-05-57-800Z", None);
        check("out/server-ping", None);
    }

    #[test]
    fn the_suites_own_json_is_read() {
        let written = r#"[{"id":"ping","name":"Ping","status":"FAILURE","timestamp":"t","errorMessage":"no answer"}]"#;
        let checks: Vec<Check> = serde_json::from_str(written).unwrap();
        let scenario = Scenario { name: "ping".into(), checks };
        let report = Report { revision: "2025-11-25".into(), required_passed: false, scenarios: vec![scenario] };
        let lines: Vec<String> = report.table("direct").lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(lines, ["scenariopassedfailed(direct,2025-11-25)", "ping01", "total01requiredscenariosfailed"]);
    }
}
