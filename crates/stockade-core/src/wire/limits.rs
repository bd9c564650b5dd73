//! The limits of the strict reader, each with its unit.

/// What one message may cost before anybody has looked at its meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WireLimits {
    /// Bytes of one whole message. Never above [`WireLimits::MESSAGE_BYTES_CEILING`].
    pub message_bytes: usize,
    /// Containers inside containers. Never above [`WireLimits::DEPTH_CEILING`].
    pub depth: usize,
    /// Members of one object, or elements of one array.
    pub members: usize,
    /// Values in the whole message, members' names counted as values.
    pub values: usize,
    /// Bytes of one string between its quotes, as written.
    pub string_bytes: usize,
    /// Bytes of one member's name between its quotes, as written.
    pub name_bytes: usize,
}

impl WireLimits {
    /// Offsets are kept in 32 bits; this leaves room for edits.
    pub const MESSAGE_BYTES_CEILING: usize = 1 << 30;
    /// What the attack cases allow at most (PA-03).
    pub const DEPTH_CEILING: usize = 128;

    /// The defaults: 4 MiB, 64 levels, 65,536 members, 131,072 values, 4 MiB strings, 4 KiB names.
    pub const DEFAULT: Self = Self {
        message_bytes: 4 << 20,
        depth: 64,
        members: 1 << 16,
        values: 1 << 17,
        string_bytes: 4 << 20,
        name_bytes: 4 << 10,
    };

    /// The same limits with every value brought under its ceiling.
    #[must_use]
    pub fn within_ceilings(mut self) -> Self {
        self.message_bytes = self.message_bytes.min(Self::MESSAGE_BYTES_CEILING);
        self.depth = self.depth.min(Self::DEPTH_CEILING);
        self
    }
}

impl Default for WireLimits {
    fn default() -> Self {
        Self::DEFAULT
    }
}
