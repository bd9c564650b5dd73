//! The revisions of the Model Context Protocol, by their dates.

use std::fmt;

/// A published revision. Later ones compare greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the names are the dates of the revisions")]
pub enum Revision {
    V2024_11_05,
    V2025_03_26,
    V2025_06_18,
    V2025_11_25,
    V2026_07_28,
}

/// How two peers agree on what they speak (MCP 2026-07-28 `basic/versioning`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Era {
    /// A handshake opens a session: every revision up to 2025-11-25.
    Legacy,
    /// Each request says everything about itself: 2026-07-28.
    Modern,
}

impl Revision {
    /// Every revision, oldest first.
    pub const ALL: [Self; 5] =
        [Self::V2024_11_05, Self::V2025_03_26, Self::V2025_06_18, Self::V2025_11_25, Self::V2026_07_28];

    /// The revision that `text` names, byte for byte.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|revision| revision.as_str() == text)
    }

    /// The name on the wire, `YYYY-MM-DD`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V2024_11_05 => "2024-11-05",
            Self::V2025_03_26 => "2025-03-26",
            Self::V2025_06_18 => "2025-06-18",
            Self::V2025_11_25 => "2025-11-25",
            Self::V2026_07_28 => "2026-07-28",
        }
    }

    /// The era it belongs to.
    #[must_use]
    pub const fn era(self) -> Era {
        match self {
            Self::V2024_11_05 | Self::V2025_03_26 | Self::V2025_06_18 | Self::V2025_11_25 => Era::Legacy,
            Self::V2026_07_28 => Era::Modern,
        }
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Revisions from one to another, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Revisions {
    /// The first.
    pub from: Revision,
    /// The last.
    pub to: Revision,
}

impl Revisions {
    /// All of them.
    pub const ALL: Self = Self { from: Revision::V2024_11_05, to: Revision::V2026_07_28 };
    /// Those with a handshake.
    pub const LEGACY: Self = Self { from: Revision::V2024_11_05, to: Revision::V2025_11_25 };
    /// Those without.
    pub const MODERN: Self = Self::only(Revision::V2026_07_28);

    /// One alone.
    #[must_use]
    pub const fn only(revision: Revision) -> Self {
        Self { from: revision, to: revision }
    }

    /// True if `revision` is one of them.
    #[must_use]
    pub fn contains(self, revision: Revision) -> bool {
        self.from <= revision && revision <= self.to
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revision_is_read_back_from_its_name_and_from_nothing_else() {
        for revision in Revision::ALL {
            assert_eq!(Revision::parse(revision.as_str()), Some(revision));
        }
        for other in ["", "2025-11-26", "2026-07-28 ", "DRAFT-2026-v1", "2026-7-28"] {
            assert_eq!(Revision::parse(other), None, "{other:?}");
        }
    }

    #[test]
    fn the_order_is_the_order_of_time() {
        assert!(Revision::ALL.is_sorted());
        assert_eq!(Revision::ALL.map(Revision::era).iter().filter(|era| **era == Era::Modern).count(), 1);
        assert!(
            !Revisions::LEGACY.contains(Revision::V2026_07_28) && Revisions::MODERN.contains(Revision::V2026_07_28)
        );
    }
}
