//! Descriptors that must not reach a server.
//!
//! **For:** files that somebody opened without `O_CLOEXEC`: a C library, or the program that started the gateway.
//!
//! **Never:** closes a descriptor, which might be owned by somebody in this process.
//!
//! **On the road:** beside it; runs in the supervisor only, before the server is started.

use std::fs;
use std::io;
use std::os::fd::{BorrowedFd, RawFd};

use rustix::io::{Errno, FdFlags, fcntl_setfd};

/// Marks every descriptor above 2 close-on-exec, so that a program started from now on gets 0, 1 and 2 only.
///
/// # Errors
/// `/proc/self/fd` cannot be read, or a descriptor cannot be marked: then nothing may be started.
pub(crate) fn keep_from_children() -> io::Result<()> {
    // The list is taken first: reading the folder needs a descriptor of its own, which is gone when marking starts.
    let mut numbers: Vec<RawFd> = Vec::new();
    for entry in fs::read_dir("/proc/self/fd")? {
        let name = entry?.file_name();
        let number = name.to_str().and_then(|text| text.parse().ok()).ok_or(io::ErrorKind::InvalidData)?;
        numbers.push(number);
    }
    for number in numbers.into_iter().filter(|number| *number > 2) {
        match mark(number) {
            // The folder's own descriptor is in its list.
            Ok(()) | Err(Errno::BADF) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(())
}

#[expect(unsafe_code, reason = "a descriptor that no value in this process owns can only be named by its number")]
fn mark(number: RawFd) -> Result<(), Errno> {
    // JUSTIFICATION: inherited descriptors have no owner in safe code, and neither std nor rustix has `close_range`.
    // SAFETY: `number` is not -1 (it came from a folder listing and is above 2). The borrow ends with this function,
    // and the supervisor has one thread, so nothing closes the descriptor meanwhile. If it is closed already, the call
    // answers EBADF; it only sets a flag and neither closes, reads nor writes.
    let descriptor = unsafe { BorrowedFd::borrow_raw(number) };
    fcntl_setfd(descriptor, FdFlags::CLOEXEC)
}
