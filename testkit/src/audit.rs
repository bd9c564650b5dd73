//! One record of the audit log, read by names that are kept in this file only.

use serde_json::Value;

/// A record as `stockade audit query --json` prints it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRecord(pub Value);

impl AuditRecord {
    /// A member as text; empty when it is missing or no text.
    #[must_use]
    pub fn text(&self, member: &str) -> &str {
        self.0.get(member).and_then(Value::as_str).unwrap_or_default()
    }

    /// `refused`, `intent`, `outcome` or `event`.
    #[must_use]
    pub fn phase(&self) -> &str {
        match self.text("phase") {
            "" => self.text("kind"),
            phase => phase,
        }
    }

    /// `request`, `notification`, `answer`, or what an event is called.
    #[must_use]
    pub fn kind(&self) -> &str {
        self.text("kind")
    }

    /// `allow`, `ask` or `deny`.
    #[must_use]
    pub fn decision(&self) -> &str {
        self.text("decision")
    }

    /// What became of an intent, such as `delivered` or `timed-out`.
    #[must_use]
    pub fn outcome(&self) -> &str {
        self.text("outcome")
    }

    /// Why, for the operator.
    #[must_use]
    pub fn reason(&self) -> &str {
        self.text("reason")
    }

    /// Which guard or rule decided.
    #[must_use]
    pub fn rule(&self) -> &str {
        self.text("rule")
    }

    /// Who.
    #[must_use]
    pub fn caller(&self) -> &str {
        self.text("caller")
    }

    /// The method.
    #[must_use]
    pub fn method(&self) -> &str {
        self.text("method")
    }

    /// The tool, prompt or URI.
    #[must_use]
    pub fn target(&self) -> &str {
        match self.text("target") {
            "" => self.text("tool"),
            target => target,
        }
    }

    /// The ticket, which an intent and its outcome share.
    #[must_use]
    pub fn ticket(&self) -> &str {
        self.text("ticket")
    }

    /// The place in the log.
    #[must_use]
    pub fn sequence(&self) -> Option<u64> {
        self.0.get("sequence").and_then(Value::as_u64)
    }

    /// The place of the intent that this outcome belongs to.
    #[must_use]
    pub fn intent_sequence(&self) -> Option<u64> {
        self.0.get("intent_sequence").and_then(Value::as_u64)
    }

    /// Does it stand for one request? An intent and its outcome count once; events, notifications and answers do not.
    #[must_use]
    pub fn is_request(&self) -> bool {
        let begins = ["refused", "intent"].contains(&self.phase()) && self.intent_sequence().is_none();
        begins && !["notification", "answer"].contains(&self.kind())
    }
}

#[cfg(test)]
mod tests {
    use super::AuditRecord;
    use serde_json::json;

    #[test]
    fn an_intent_and_its_outcome_count_as_one_request() {
        let records = [
            json!({ "phase": "intent", "kind": "request", "sequence": 1, "decision": "allow" }),
            json!({ "phase": "outcome", "kind": "request", "sequence": 2, "intent_sequence": 1 }),
            json!({ "phase": "refused", "kind": "request", "sequence": 3, "decision": "deny" }),
            json!({ "phase": "intent", "kind": "notification", "sequence": 4 }),
            json!({ "phase": "event", "kind": "session-ended", "sequence": 5 }),
        ];
        let requests = records.into_iter().map(AuditRecord).filter(AuditRecord::is_request);
        assert_eq!(requests.filter_map(|record| record.sequence()).collect::<Vec<_>>(), [1, 3]);
    }
}
