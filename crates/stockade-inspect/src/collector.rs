//! Gathers the findings of one text and builds the cleaned text beside them.
//!
//! It must never list more than `MAX_FINDINGS` findings one by one, and never keep a byte that was cut or cut one that
//! was not, however many findings there are.

use core::ops::Range;
use std::borrow::Cow;

use crate::report::{Finding, Group, MAX_FINDINGS, Report, Severity};
use crate::rule::Rule;

const REST_RULE: &str = "unicode.more";
const REST_REASON: &str = "there is more than a report lists; everything in this span that is hidden was cleaned too";

/// Whether a cut went on from the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Run {
    Began,
    Continued,
}

pub(crate) struct Collector<'t> {
    text: &'t str,
    cleaned: String,
    copied_to: usize,
    findings: Vec<Finding>,
    open: Option<Open>,
    rest: Option<Finding>,
}

/// The finding that the next cut may still extend.
struct Open {
    finding: Finding,
    chars: usize,
}

impl<'t> Collector<'t> {
    pub(crate) fn new(text: &'t str) -> Self {
        Self { text, cleaned: String::new(), copied_to: 0, findings: Vec::new(), open: None, rest: None }
    }

    /// Records that `span` is `rule` and takes it out of the cleaned text, with `replacement` in its place.
    ///
    /// Cuts come in the order of the text and do not overlap.
    pub(crate) fn cut(&mut self, span: Range<usize>, rule: &'static Rule, replacement: &str) -> Run {
        self.cleaned.push_str(self.text.get(self.copied_to..span.start).unwrap_or_default());
        self.cleaned.push_str(replacement);
        self.copied_to = span.end;
        if let Some(open) = &mut self.open
            && open.finding.rule == rule.name
            && open.finding.span.end == span.start
        {
            open.finding.span.end = span.end;
            open.chars = open.chars.saturating_add(1);
            if rule.severity > open.finding.severity {
                open.finding.severity = rule.severity;
                open.finding.reason = rule.reason;
            }
            open.raise_if_dense(rule);
            return Run::Continued;
        }
        self.close();
        let finding =
            Finding { rule: rule.name, group: rule.group, span, severity: rule.severity, reason: rule.reason };
        self.open = Some(Open { finding, chars: 1 });
        Run::Began
    }

    /// Raises the latest `count` findings to `High`: seen together they are worse than each alone.
    pub(crate) fn raise_latest(&mut self, count: usize, reason: &'static str) {
        let open = self.open.iter_mut().map(|open| &mut open.finding);
        for finding in open.chain(self.findings.iter_mut().rev()).take(count) {
            raise(finding, reason);
        }
    }

    pub(crate) fn into_report(mut self, attack_from: Severity) -> Report<'t> {
        self.close();
        self.findings.extend(self.rest.take());
        if self.findings.is_empty() {
            return Report::new(self.findings, Cow::Borrowed(self.text), attack_from);
        }
        self.cleaned.push_str(self.text.get(self.copied_to..).unwrap_or_default());
        Report::new(self.findings, Cow::Owned(self.cleaned), attack_from)
    }

    fn close(&mut self) {
        let Some(Open { finding, .. }) = self.open.take() else { return };
        if self.findings.len() < MAX_FINDINGS {
            self.findings.push(finding);
        } else if let Some(rest) = &mut self.rest {
            rest.span.end = finding.span.end;
            rest.severity = rest.severity.max(finding.severity);
        } else {
            let Finding { span, severity, .. } = finding;
            self.rest = Some(Finding { rule: REST_RULE, group: Group::Unicode, span, severity, reason: REST_REASON });
        }
    }
}

impl Open {
    fn raise_if_dense(&mut self, rule: &'static Rule) {
        if let Some(dense) = &rule.dense
            && self.chars >= dense.run_chars
        {
            raise(&mut self.finding, dense.reason);
        }
    }
}

fn raise(finding: &mut Finding, reason: &'static str) {
    if finding.severity < Severity::High {
        finding.severity = Severity::High;
        finding.reason = reason;
    }
}
