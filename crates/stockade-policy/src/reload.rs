//! A policy that can be replaced while it is in use.
//!
//! For: a changed policy file takes effect without a restart, and a wrong one not at all: only a policy that was
//! loaded whole can be put in.
//! Must never: answer one question from two policies.

use crate::policy::CedarPolicy;
use arc_swap::ArcSwap;
use std::sync::Arc;
use stockade_core::ports::{Policy, Question, Ruling};

/// The policy in force.
#[derive(Debug)]
pub struct ReloadablePolicy {
    current: ArcSwap<CedarPolicy>,
}

impl ReloadablePolicy {
    /// Starts with `policy`.
    #[must_use]
    pub fn new(policy: CedarPolicy) -> Self {
        Self { current: ArcSwap::from_pointee(policy) }
    }

    /// Puts another policy in force, for the next question on. Its memory of rulings is its own and empty.
    pub fn replace(&self, policy: CedarPolicy) {
        self.current.store(Arc::new(policy));
    }

    /// The policy in force now, for those who need several answers, or an answer and its revision, from one.
    #[must_use]
    pub fn current(&self) -> Arc<CedarPolicy> {
        self.current.load_full()
    }
}

impl Policy for ReloadablePolicy {
    fn rule(&self, question: &Question<'_>) -> Ruling {
        self.current.load().rule(question)
    }

    fn revision(&self) -> String {
        self.current.load().revision()
    }
}
