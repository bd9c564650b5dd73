//! Room for what arrives in pieces and may be long: how a buffer grows towards its limit.
//!
//! For: keeping what one unfinished message holds near its size. Doubling alone would end at twice the limit, beside the
//! halves that it leaves behind (PA-19).
//! Must never: decide whether the limit is exceeded; whoever reads does.

use bytes::BytesMut;

/// Up to here buffers grow as they like.
const SMALL_BYTES: usize = 64 << 10;
/// What a buffer may hold beyond its limit, so that the byte over the limit is seen.
const BEYOND_BYTES: usize = 64 << 10;

/// The capacity for `wanted` bytes where no more than `limit` may come: four times as much, and all there may be once that
/// is near. Memory that is not written yet is not resident.
pub(crate) fn capacity_for(wanted: usize, limit: usize) -> usize {
    let most = limit.saturating_add(BEYOND_BYTES);
    let next = if wanted >= limit / 8 { most } else { wanted.saturating_mul(4) };
    next.min(most).max(wanted)
}

/// Makes room for `additional` bytes in a buffer that has grown large; a small one is left to itself.
pub(crate) fn make_room(buffer: &mut BytesMut, additional: usize, limit: usize) {
    let wanted = buffer.len().saturating_add(additional);
    if wanted <= buffer.capacity() || wanted < SMALL_BYTES {
        return;
    }
    let mut larger = BytesMut::with_capacity(capacity_for(wanted, limit));
    larger.extend_from_slice(buffer);
    *buffer = larger;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_never_grows_far_past_its_limit() {
        const LIMIT: usize = 4 << 20;
        let mut buffer = BytesMut::new();
        while buffer.len() <= LIMIT {
            make_room(&mut buffer, 4096, LIMIT);
            buffer.extend_from_slice(&[0; 4096]);
            assert!(buffer.capacity() <= (LIMIT + BEYOND_BYTES).max(2 * SMALL_BYTES), "{}", buffer.capacity());
        }
    }

    #[test]
    fn what_is_wanted_always_fits() {
        for (wanted, limit) in [(1, 0), (100, 10), (1 << 20, 4 << 20), (4 << 20, 4 << 20), (usize::MAX, 1)] {
            assert!(capacity_for(wanted, limit) >= wanted);
        }
    }
}
