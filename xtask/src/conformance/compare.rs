//! Comparing two reports of the suite.

use std::collections::BTreeSet;
use std::fmt;

use super::suite::{Check, Report, Scenario};

/// A remark of the suite that judges nothing; how many there are depends on how a stream happened to be cut.
const REMARK: &str = "INFO";

/// One check that came out otherwise through the gateway than directly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The scenario.
    pub scenario: String,
    /// The check's id and name, or nothing when the whole scenario was not run on one side.
    pub check: String,
    /// Its statuses directly, in order, as words.
    pub direct: String,
    /// Its statuses through the gateway, with the suite's words where it failed.
    pub through: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scenario, check, direct, through } = self;
        write!(out, "{scenario} {check}: {direct} directly, {through} through the gateway")
    }
}

/// Every check that differs, scenario by scenario. Checks that share an id and a name are compared as a list.
#[must_use]
pub fn compare(direct: &Report, through: &Report) -> Vec<Difference> {
    let names: BTreeSet<&str> = [direct, through]
        .iter()
        .flat_map(|report| report.scenarios.iter().map(|scenario| scenario.name.as_str()))
        .collect();
    names.into_iter().flat_map(|name| differences_in(name, find(direct, name), find(through, name))).collect()
}

fn find<'report>(report: &'report Report, name: &str) -> Option<&'report Scenario> {
    report.scenarios.iter().find(|scenario| scenario.name == name)
}

fn differences_in(name: &str, direct: Option<&Scenario>, through: Option<&Scenario>) -> Vec<Difference> {
    let (Some(one), Some(other)) = (direct, through) else {
        let said = |scenario: Option<&Scenario>| if scenario.is_some() { "run" } else { "not run" }.to_owned();
        return vec![Difference {
            scenario: name.to_owned(),
            check: String::new(),
            direct: said(direct),
            through: said(through),
        }];
    };
    let judged = |check: &&Check| check.status != REMARK;
    let keys: BTreeSet<(&str, &str)> =
        one.checks.iter().chain(&other.checks).filter(judged).map(|check| (&*check.id, &*check.name)).collect();
    keys.into_iter()
        .filter_map(|(id, check_name)| {
            let of = |scenario: &'_ Scenario| -> Vec<Check> {
                scenario.checks.iter().filter(judged).filter(|c| c.id == id && c.name == check_name).cloned().collect()
            };
            let (here, there) = (of(one), of(other));
            let statuses = |checks: &[Check]| checks.iter().map(|check| check.status.clone()).collect::<Vec<_>>();
            (statuses(&here) != statuses(&there)).then(|| Difference {
                scenario: name.to_owned(),
                check: format!("{id} ({check_name})"),
                direct: in_words(&here),
                through: in_words(&there),
            })
        })
        .collect()
}

fn in_words(checks: &[Check]) -> String {
    if checks.is_empty() {
        return "no verdict".to_owned();
    }
    let word = |check: &Check| match &check.error {
        Some(error) => format!("{} [{}]", check.status, error.escape_debug()),
        None => check.status.clone(),
    };
    checks.iter().map(word).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(scenarios: &[(&str, &[(&str, &str)])]) -> Report {
        let check = |&(id, status): &(&str, &str)| Check {
            id: id.into(),
            name: id.to_uppercase(),
            status: status.into(),
            error: (status == "FAILURE").then(|| "no answer".into()),
        };
        let scenario = |&(name, checks): &(&str, &[(&str, &str)])| Scenario {
            name: name.into(),
            checks: checks.iter().map(check).collect(),
        };
        let scenarios = scenarios.iter().map(scenario).collect();
        Report { revision: "2025-11-25".into(), required_passed: true, scenarios }
    }

    fn check(direct: &Report, through: &Report, expected: &[&str]) {
        let lines: Vec<String> = compare(direct, through).iter().map(ToString::to_string).collect();
        assert_eq!(lines, expected);
    }

    #[test]
    fn equal_reports_have_no_difference_and_remarks_do_not_count() {
        let direct = report(&[("ping", &[("a", "SUCCESS"), ("b", "FAILURE"), ("note", "INFO")])]);
        let through = report(&[("ping", &[("a", "SUCCESS"), ("b", "FAILURE")])]);
        check(&direct, &through, &[]);
    }

    #[test]
    fn a_check_that_changes_either_way_is_a_difference() {
        let good = report(&[("ping", &[("a", "SUCCESS")])]);
        let bad = report(&[("ping", &[("a", "FAILURE")])]);
        check(&good, &bad, &["ping a (A): SUCCESS directly, FAILURE [no answer] through the gateway"]);
        check(&bad, &good, &["ping a (A): FAILURE [no answer] directly, SUCCESS through the gateway"]);
    }

    #[test]
    fn a_check_or_scenario_that_is_missing_is_a_difference() {
        let direct = report(&[("list", &[("a", "SUCCESS")]), ("ping", &[("a", "SUCCESS"), ("a", "SUCCESS")])]);
        let through = report(&[("ping", &[("a", "SUCCESS")])]);
        check(
            &direct,
            &through,
            &[
                "list : run directly, not run through the gateway",
                "ping a (A): SUCCESS, SUCCESS directly, SUCCESS through the gateway",
            ],
        );
    }
}
