//! A message as one line, for the framings in which a line end means something: stdio and event streams.
//!
//! Must never: touch a message's meaning. Line ends between its values mean nothing in JSON, and inside of strings there are
//! none; the strict reader has seen to that.

use bytes::Bytes;

/// The same message with spaces in the place of line ends; the very bytes where it has none.
pub(crate) fn one_line(message: Bytes) -> Bytes {
    if memchr::memchr2(b'\n', b'\r', &message).is_none() {
        return message;
    }
    message.iter().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { *byte }).collect()
}
