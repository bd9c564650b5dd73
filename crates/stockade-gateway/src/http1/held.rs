//! Bytes that arrived before they could be delivered: an incomplete head, or a request that came early.

use tokio::io::ReadBuf;

/// Takes no memory while empty, which is nearly always.
#[derive(Debug, Default)]
pub(super) struct Held {
    bytes: Vec<u8>,
    /// How many at the front are gone already.
    delivered: usize,
    /// How many after those were judged and may be delivered.
    released: usize,
}

impl Held {
    pub(super) const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub(super) fn append(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// What was not yet released.
    pub(super) fn waiting(&self) -> &[u8] {
        self.bytes.get(self.delivered.saturating_add(self.released)..).unwrap_or_default()
    }

    pub(super) fn release(&mut self, count: usize) {
        self.released = self.released.saturating_add(count);
    }

    /// Moves released bytes to `target`; false when there are none.
    pub(super) fn deliver(&mut self, target: &mut ReadBuf<'_>) -> bool {
        let count = self.released.min(target.remaining());
        let end = self.delivered.saturating_add(count);
        let Some(bytes) = self.bytes.get(self.delivered..end).filter(|bytes| !bytes.is_empty()) else { return false };
        target.put_slice(bytes);
        self.delivered = end;
        self.released = self.released.saturating_sub(count);
        if self.delivered == self.bytes.len() {
            *self = Self::default();
        }
        true
    }
}
