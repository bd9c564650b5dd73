//! What screening found. Spans and fixed words only: a report never repeats the text of a finding.

use core::ops::Range;
use std::borrow::Cow;

/// Most findings which one report lists one by one. Past it one more finding covers the rest.
pub const MAX_FINDINGS: usize = 64;

/// Added to a score for each further finding of the group, up to `MAX_MORE_SCORE`.
const MORE_SCORE: f64 = 0.005;

/// Most that further findings add. Smaller than the steps between severities, so that many harmless things never look
/// like one bad thing.
const MAX_MORE_SCORE: f64 = 0.04;

/// A family of rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Group {
    /// Text which gives orders to a model.
    Injection,
    /// Hidden and deceptive characters, terminal escapes.
    Unicode,
    /// Keys, tokens, passwords.
    Secrets,
    /// Data about people.
    Pii,
}

impl Group {
    /// All groups, in the order in which they are printed.
    pub const ALL: [Self; 4] = [Self::Injection, Self::Unicode, Self::Secrets, Self::Pii];

    /// The group's name in output.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Injection => "injection",
            Self::Unicode => "unicode",
            Self::Secrets => "secrets",
            Self::Pii => "pii",
        }
    }
}

/// How bad one finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Seen in honest text; cleaned all the same.
    Low,
    /// Has few honest uses.
    Medium,
    /// Hides or changes what a reader sees.
    High,
    /// Acts on the reader's machine.
    Critical,
}

impl Severity {
    /// The severity's name in output.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }

    fn score(self) -> f64 {
        match self {
            Self::Low => 0.15,
            Self::Medium => 0.4,
            Self::High => 0.8,
            Self::Critical => 0.95,
        }
    }
}

/// What the findings amount to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// Nothing was found.
    Clean,
    /// Something was found and cleaned.
    Suspicious,
    /// Something was found that is worth acting on.
    Attack,
}

impl Verdict {
    /// The verdict's name in output.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Clean => "clean",
            Self::Suspicious => "suspicious",
            Self::Attack => "attack",
        }
    }
}

/// One thing that was found, or one run of adjacent hidden characters of one rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The rule's stable name.
    pub rule: &'static str,
    /// The family that the rule belongs to.
    pub group: Group,
    /// Byte offsets into the original text, both on character boundaries.
    pub span: Range<usize>,
    /// How bad it is.
    pub severity: Severity,
    /// Why it is found, in fixed words.
    pub reason: &'static str,
}

/// The outcome of screening one text.
#[derive(Debug, Clone)]
pub struct Report<'t> {
    findings: Vec<Finding>,
    cleaned: Cow<'t, str>,
    attack_from: Severity,
}

impl<'t> Report<'t> {
    pub(crate) fn new(findings: Vec<Finding>, cleaned: Cow<'t, str>, attack_from: Severity) -> Self {
        Self { findings, cleaned, attack_from }
    }

    /// The findings in the order of the text; at most [`MAX_FINDINGS`] and one more that covers the rest.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// The text without what was found. Borrowed, and then the very input, exactly if nothing was found.
    #[must_use]
    pub fn cleaned(&self) -> &Cow<'t, str> {
        &self.cleaned
    }

    /// As [`Self::cleaned`], without a copy.
    #[must_use]
    pub fn into_cleaned(self) -> Cow<'t, str> {
        self.cleaned
    }

    /// Whether nothing was found.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.findings.is_empty()
    }

    /// The highest of the groups' scores, in 0..=1; 0 exactly if nothing was found.
    #[must_use]
    pub fn score(&self) -> f64 {
        Group::ALL.into_iter().map(|group| self.group_score(group)).fold(0.0, f64::max)
    }

    /// The gravest of the groups' verdicts.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        Group::ALL.into_iter().map(|group| self.group_verdict(group)).max().unwrap_or(Verdict::Clean)
    }

    /// The score of one group, in 0..=1: by its gravest finding, and a little more for each further one.
    #[must_use]
    pub fn group_score(&self, group: Group) -> f64 {
        let Some(severity) = self.gravest(group) else { return 0.0 };
        let further = self.findings.iter().filter(|finding| finding.group == group).skip(1);
        let more = further.fold(0.0, |sum, _| sum + MORE_SCORE);
        severity.score() + f64::min(more, MAX_MORE_SCORE)
    }

    /// The verdict of one group.
    #[must_use]
    pub fn group_verdict(&self, group: Group) -> Verdict {
        match self.gravest(group) {
            None => Verdict::Clean,
            Some(severity) if severity >= self.attack_from => Verdict::Attack,
            Some(_) => Verdict::Suspicious,
        }
    }

    fn gravest(&self, group: Group) -> Option<Severity> {
        self.findings.iter().filter(|finding| finding.group == group).map(|finding| finding.severity).max()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(severities: &[Severity]) -> Report<'static> {
        let finding = |&severity| Finding { rule: "r", group: Group::Unicode, span: 0..1, severity, reason: "r" };
        Report::new(severities.iter().map(finding).collect(), Cow::Borrowed(""), Severity::High)
    }

    #[test]
    fn the_gravest_finding_decides_the_verdict() {
        let check = |severities: &[Severity], expected| assert_eq!(report(severities).verdict(), expected);
        check(&[], Verdict::Clean);
        check(&[Severity::Low; MAX_FINDINGS], Verdict::Suspicious);
        check(&[Severity::Medium], Verdict::Suspicious);
        check(&[Severity::Low, Severity::High], Verdict::Attack);
        check(&[Severity::Critical], Verdict::Attack);
    }

    #[test]
    fn many_findings_of_one_severity_never_outscore_one_of_the_next() {
        let steps = [Severity::Low, Severity::Medium, Severity::High, Severity::Critical];
        for pair in steps.windows(2) {
            let many = report(&[pair[0]; MAX_FINDINGS + 1]).score();
            assert!(many > report(&pair[..1]).score());
            assert!(many < report(&pair[1..]).score());
        }
        assert!(report(&[Severity::Critical; MAX_FINDINGS + 1]).score() <= 1.0);
        assert!(report(&[]).score() == 0.0);
    }

    #[test]
    fn a_finding_counts_in_its_own_group_only() {
        let report = report(&[Severity::High]);
        assert_eq!(report.group_verdict(Group::Unicode), Verdict::Attack);
        assert_eq!(report.group_verdict(Group::Secrets), Verdict::Clean);
        assert!(report.group_score(Group::Injection) == 0.0);
    }
}
