//! A report as a table for people and as the results section of `docs/benchmarks.md`.

use std::fmt::Write as _;

use crate::plan::{Scenario, Target};
use crate::report::{Cell, Outcome, Report};

/// What stands before and after the results in the document.
const BEGIN: &str = "<!-- results:begin -->";
const END: &str = "<!-- results:end -->";
/// Columns of the table for people.
const COLUMNS: [&str; 10] =
    ["", "req/s", "p50 µs", "p99 µs", "CPU µs/req", "RSS MiB", "req/s ÷", "p50 ×", "p99 ×", "CPU ×"];

/// Why a document could not take the results.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum RenderError {
    /// The markers are not there, or in the wrong order.
    #[error("the document has no line `{BEGIN}` with a line `{END}` after it")]
    NoMarkers,
}

/// The table for people, one block for each scenario.
#[must_use]
pub fn table(report: &Report) -> String {
    let mut out = String::new();
    line(&mut out, &format!("{} · {} · {}", report.label, report.date, era_words(report)));
    line(&mut out, &machine_words(report));
    line(&mut out, &effort_words(report));
    line(&mut out, "The last four columns are ratios to the proxy. On a shared machine trust `CPU ×`.");
    for scenario in scenarios(report) {
        line(&mut out, "");
        line(&mut out, &format!("{scenario}"));
        line(&mut out, &padded(&COLUMNS.map(str::to_owned)));
        for cell in cells_of(report, scenario) {
            match &cell.outcome {
                Outcome::Ok(_) => line(&mut out, &padded(&row(cell))),
                Outcome::Failed { errors, first_error } => {
                    line(
                        &mut out,
                        &format!("{:<9} FAILED: {}", cell.target.name(), failure_words(*errors, first_error)),
                    );
                }
            }
        }
        for target in [Target::Proxy, Target::Stockade] {
            if let Some((p50, p99)) = report.added(scenario, target) {
                line(&mut out, &format!("{:<9} adds {p50:.0} µs at p50 and {p99:.0} µs at p99", target.name()));
            }
        }
    }
    line(&mut out, "");
    line(&mut out, "memory");
    for cell in &report.memory {
        let words = memory_row(cell);
        line(&mut out, &format!("{:<9} {}", cell.target.name(), words.join(", ")));
    }
    if !report.targets.is_empty() {
        line(&mut out, "");
        line(&mut out, "targets of the design");
        for verdict in &report.targets {
            let found = verdict.found.map_or_else(|| String::from("–"), short);
            line(
                &mut out,
                &format!("{:<12} {found} of at most {}: {}", verdict.word(), short(verdict.limit), verdict.what),
            );
        }
    }
    out
}

/// The results section in Markdown, without the markers.
#[must_use]
pub fn markdown(report: &Report) -> String {
    let mut out = String::new();
    line(&mut out, &format!("Measured on {} at `{}`, {}.", report.date, report.label, era_words(report)));
    line(&mut out, &format!("{}\n{}", machine_words(report), effort_words(report)));
    for scenario in scenarios(report) {
        let mut rows = vec![COLUMNS.map(str::to_owned)];
        let mut failures = String::new();
        for cell in cells_of(report, scenario) {
            rows.push(row(cell));
            if let Outcome::Failed { errors, first_error } = &cell.outcome {
                let words = failure_words(*errors, first_error);
                line(&mut failures, &format!("\n**{} failed**: {}", cell.target.name(), escaped(&words)));
            }
        }
        line(&mut out, &format!("\n### {scenario}\n\n{}", markdown_table(&rows)));
        out.push_str(&failures);
        for target in [Target::Proxy, Target::Stockade] {
            if let Some((p50, p99)) = report.added(scenario, target) {
                line(&mut out, &format!("\n`{}` adds {p50:.0} µs at p50 and {p99:.0} µs at p99.", target.name()));
            }
        }
    }
    line(&mut out, "\n### Memory\n");
    for cell in &report.memory {
        line(&mut out, &format!("- {}: {}", cell.target.name(), escaped(&memory_row(cell).join(", "))));
    }
    if !report.targets.is_empty() {
        let mut rows = vec![["target of the design", "at most", "found", ""].map(str::to_owned)];
        for verdict in &report.targets {
            let found = verdict.found.map_or_else(|| String::from("–"), short);
            rows.push([verdict.what.to_owned(), short(verdict.limit), found, verdict.word().to_owned()]);
        }
        line(&mut out, &format!("\n### Targets\n\n{}", markdown_table(&rows)));
    }
    out
}

/// Puts a results section between the markers of a document, in place of what was there.
///
/// # Errors
/// When the document does not hold both markers in their order.
pub fn insert(document: &str, section: &str) -> Result<String, RenderError> {
    let (before, rest) = document.split_once(BEGIN).ok_or(RenderError::NoMarkers)?;
    let (_, after) = rest.split_once(END).ok_or(RenderError::NoMarkers)?;
    Ok(format!("{before}{BEGIN}\n\n{}\n\n{END}{after}", section.trim()))
}

fn scenarios(report: &Report) -> Vec<Scenario> {
    let mut scenarios: Vec<_> = report.cells.iter().map(|cell| cell.scenario).collect();
    scenarios.dedup();
    scenarios
}

fn cells_of(report: &Report, scenario: Scenario) -> impl Iterator<Item = &Cell> {
    report.cells.iter().filter(move |cell| cell.scenario == scenario)
}

fn row(cell: &Cell) -> [String; 10] {
    let none = || String::from("–");
    let mut row = std::array::from_fn(|_| none());
    row[0] = cell.target.name().to_owned();
    if let Outcome::Ok(numbers) = &cell.outcome {
        row[1] = format!("{:.0}", numbers.requests_per_second);
        row[2] = format!("{:.0}", numbers.p50_us);
        row[3] = format!("{:.0}", numbers.p99_us);
        row[4] = format!("{:.1}", numbers.cpu_us);
        row[5] = format!("{:.1}", numbers.resident_mib);
    }
    if let Some(ratios) = &cell.to_proxy {
        let values = [ratios.requests_per_second, ratios.p50, ratios.p99, ratios.cpu];
        for (place, value) in row[6..].iter_mut().zip(values) {
            *place = if value.is_finite() { format!("{value:.2}") } else { none() };
        }
    }
    row
}

fn memory_row(cell: &crate::report::MemoryCell) -> Vec<String> {
    match &cell.error {
        Some(error) => vec![format!("FAILED after {} connections: {error}", cell.connections)],
        None => vec![
            format!("{:.1} MiB when idle", cell.fresh_mib),
            format!("{:.1} MiB with {} idle connections", cell.connected_mib, cell.connections),
            format!("{:.1} KiB for each", cell.connection_kib),
        ],
    }
}

fn era_words(report: &Report) -> String {
    format!("MCP {}", report.era.revision())
}

fn machine_words(report: &Report) -> String {
    let machine = &report.machine;
    format!(
        "{}, {} cores, {} MiB of memory, Linux {}, {}, load {} before the run.",
        machine.cpu, machine.cores, machine.memory_mib, machine.kernel, machine.rustc, machine.load_before
    )
}

fn effort_words(report: &Report) -> String {
    let effort = &report.effort;
    format!(
        "Medians over {} rounds of {:.1} s for each cell, after {:.1} s of warm-up.",
        effort.rounds,
        effort.measure_ms as f64 / 1000.0,
        effort.warm_up_ms as f64 / 1000.0
    )
}

fn failure_words(errors: u64, first_error: &str) -> String {
    format!("{errors} errors; the first: {first_error}")
}

fn markdown_table<const N: usize>(rows: &[[String; N]]) -> String {
    let mut out = String::new();
    for (index, row) in rows.iter().enumerate() {
        let cells: Vec<_> = row.iter().map(|cell| escaped(cell)).collect();
        line(&mut out, &format!("| {} |", cells.join(" | ")));
        if index == 0 {
            line(&mut out, &format!("|---|{}", "---:|".repeat(N - 1)));
        }
    }
    out.trim_end().to_owned()
}

/// Text from a peer must not end a cell or become markup.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('|', "\\|").replace('<', "&lt;").replace('`', "\\`")
}

/// The first column to the left, numbers to the right.
fn padded(row: &[String; 10]) -> String {
    let mut out = format!("{:<9}", row[0]);
    for cell in &row[1..] {
        let width = 11_usize.saturating_sub(cell.chars().count());
        let _ = write!(out, "{}{cell}", " ".repeat(width));
    }
    out
}

fn short(value: f64) -> String {
    if value.abs() < 10.0 { format!("{value:.2}") } else { format!("{value:.0}") }
}

fn line(out: &mut String, text: &str) {
    out.push_str(text);
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use super::{RenderError, insert, markdown, table};
    use crate::report::tests::report;

    #[test]
    fn the_section_replaces_what_stood_between_the_markers() {
        let document = "# Title\n<!-- results:begin -->\nold\n<!-- results:end -->\nrest\n";
        let once = insert(document, "\nnew\n").unwrap();
        assert_eq!(once, "# Title\n<!-- results:begin -->\n\nnew\n\n<!-- results:end -->\nrest\n");
        assert_eq!(insert(&once, "new").unwrap(), once);
        for wrong in ["", "<!-- results:begin -->", "<!-- results:end --><!-- results:begin -->"] {
            assert_eq!(insert(wrong, "new"), Err(RenderError::NoMarkers));
        }
    }

    #[test]
    fn both_forms_show_numbers_ratios_and_targets() {
        let report = report(30, 0);
        let people = table(&report);
        assert!(people.contains("stockade  adds 80 µs at p50 and 160 µs at p99"), "{people}");
        assert!(people.contains("met          1.50 of at most 1.50"), "{people}");
        let page = markdown(&report);
        let row = "| stockade | 10000 | 130 | 260 | 30.0 | 20.0 | 1.00 | 1.44 | 1.44 | 1.50 |";
        assert!(page.contains(row), "{page}");
        assert!(page.contains("abc1234"), "{page}");
    }

    #[test]
    fn a_failed_cell_is_shown_as_failed_and_its_error_escaped() {
        let report = report(30, 1);
        assert!(table(&report).contains("stockade  FAILED: 3 errors; the first: status 500"));
        let page = markdown(&report);
        assert!(page.contains("**stockade failed**: 3 errors; the first: status 500 \\| \\\\n"), "{page}");
        assert!(page.contains("| stockade | – | – |"), "{page}");
    }
}
