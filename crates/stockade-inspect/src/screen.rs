//! The front door: one text in, one report out.
//!
//! It must never hold state between texts: the same text and kind give the same report.

use crate::collector::Collector;
use crate::gate::may_need_screening;
use crate::kind::TextKind;
use crate::report::{Report, Severity};
use crate::unicode;

/// How a [`Screen`] judges. It decides what is called an attack, never what is looked for or cleaned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScreenConfig {
    /// The lowest severity which makes the verdict [`Verdict::Attack`](crate::Verdict::Attack). Default: `High`.
    pub attack_from: Severity,
}

impl Default for ScreenConfig {
    fn default() -> Self {
        Self { attack_from: Severity::High }
    }
}

/// The screening engine. It holds only its configuration, so sharing or copying one is cheap.
#[derive(Debug, Clone, Default)]
pub struct Screen {
    config: ScreenConfig,
}

impl Screen {
    /// Makes a screen which judges as `config` says.
    #[must_use]
    pub fn new(config: ScreenConfig) -> Self {
        Self { config }
    }

    /// Screens one text.
    ///
    /// Takes time linear in the length of `text`. The report holds at most [`MAX_FINDINGS`](crate::MAX_FINDINGS)
    /// findings and one more for the rest; the cleaning is always complete. Screening the cleaned text again, as the
    /// same kind, finds nothing.
    ///
    /// A [`TextKind::ToolDescription`] which begins like a JSON object is read as JSON: the escape `\u001b` counts as
    /// the character it stands for, and cleaning keeps the JSON well formed.
    #[must_use]
    pub fn screen<'t>(&self, text: &'t str, kind: TextKind) -> Report<'t> {
        let mut collector = Collector::new(text);
        if may_need_screening(text.as_bytes()) {
            unicode::scan(text, kind, &mut collector);
        }
        collector.into_report(self.config.attack_from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Verdict;

    #[test]
    fn a_screen_can_be_shared_between_threads() {
        fn shared<T: Send + Sync + Clone>(_: &T) {}
        shared(&Screen::default());
    }

    #[test]
    fn the_configured_severity_decides_what_is_an_attack() {
        let text = "a\u{200b}b";
        let verdict = |attack_from| Screen::new(ScreenConfig { attack_from }).screen(text, TextKind::Unknown).verdict();
        assert_eq!(verdict(Severity::High), Verdict::Suspicious);
        assert_eq!(verdict(Severity::Medium), Verdict::Attack);
    }
}
