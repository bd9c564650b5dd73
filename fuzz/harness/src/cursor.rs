//! Cursors of the merged lists, inside of their seals.

/// Whatever opens, seals and opens to the same again.
pub fn fuzz_cursor(data: &[u8]) {
    assert_ne!(stockade_gateway::reopen_cursor_for_fuzz(data), Some(false), "a cursor opened to something else");
}
