//! The processes that came from a server: finding, killing and reaping them.
//!
//! **For:** the supervisor, which is a child subreaper: whatever loses its parent below it becomes its child.
//!
//! **Never:** signals a process that is not a child of this one. Only a child that nobody but us can reap is sure to
//! still be the process whose number was read; deeper ones come up by themselves when their parents are gone.
//!
//! **On the road:** beside it; runs in the supervisor only.

use std::fs;
use std::io;

use rustix::io::Errno;
use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, WaitOptions, WaitStatus, getpid, kill_process, wait, waitid, waitpid,
};

/// Reads who the children of this process are, dead and unreaped ones included. This process has one thread.
///
/// # Errors
/// `/proc` is not there or cannot be read.
pub(crate) fn children() -> io::Result<Vec<Pid>> {
    let own = getpid().as_raw_nonzero().get();
    match fs::read_to_string(format!("/proc/self/task/{own}/children")) {
        Ok(list) => Ok(list.split_ascii_whitespace().filter_map(parse_pid).collect()),
        // A kernel without CONFIG_PROC_CHILDREN.
        Err(error) if error.kind() == io::ErrorKind::NotFound => children_by_scan(own),
        Err(error) => Err(error),
    }
}

fn children_by_scan(own: i32) -> io::Result<Vec<Pid>> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let Some(pid) = entry?.file_name().to_str().and_then(parse_pid) else { continue };
        // A process that is gone by now has no parent to compare.
        let Ok(stat) = fs::read(format!("/proc/{}/stat", pid.as_raw_nonzero())) else { continue };
        if parent_in_stat(&stat) == Some(own) {
            found.push(pid);
        }
    }
    Ok(found)
}

/// The fourth field of `/proc/PID/stat` (proc_pid_stat(5)). The second is a name in parentheses that the process chooses
/// itself and that may hold spaces and parentheses, so fields are counted from the last one.
fn parent_in_stat(stat: &[u8]) -> Option<i32> {
    let after_name = stat.iter().rposition(|byte| *byte == b')')? + 1;
    let rest = std::str::from_utf8(stat.get(after_name..)?).ok()?;
    rest.split_ascii_whitespace().nth(1)?.parse().ok()
}

fn parse_pid(text: &str) -> Option<Pid> {
    Pid::from_raw(text.parse().ok()?)
}

/// Whether `server` has ended. It stays unreaped, so that its number and its group's number stay its own.
pub(crate) fn has_ended(server: Pid) -> bool {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    // An error means that there is no such child, which has ended in any sense that matters.
    !matches!(waitid(WaitId::Pid(server), options), Ok(None) | Err(Errno::INTR))
}

/// Reaps the children that are not `server` and have ended, and returns how many are left.
///
/// # Errors
/// `/proc` is not there or cannot be read.
pub(crate) fn reap_adopted(server: Pid) -> io::Result<usize> {
    let mut alive = 0;
    for child in children()?.into_iter().filter(|child| *child != server) {
        if let Ok(None) = waitpid(Some(child), WaitOptions::NOHANG) {
            alive += 1;
        }
    }
    Ok(alive)
}

/// Sends `signal` to every child of this process. None is reaped meanwhile, so each number still is the child's own.
///
/// # Errors
/// `/proc` is not there or cannot be read.
pub(crate) fn signal_children(signal: Signal) -> io::Result<()> {
    for child in children()? {
        // Refused (another user's process) or dead already: the caller counts what is left, whatever the answer is here.
        let _ = kill_process(child, signal);
    }
    Ok(())
}

/// What [`reap_all`] saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Left {
    /// The kernel says that this process has no child at all (ECHILD): with a subreaper, no descendant either.
    Nobody,
    /// At least one child has not ended.
    Somebody,
}

/// Reaps every child that has ended; keeps in `status` how `server` did.
pub(crate) fn reap_all(server: Pid, status: &mut Option<WaitStatus>) -> Left {
    loop {
        match wait(WaitOptions::NOHANG) {
            Ok(Some((pid, how))) if pid == server => *status = Some(how),
            Ok(Some(_)) | Err(Errno::INTR) => {}
            Ok(None) => return Left::Somebody,
            Err(_) => return Left::Nobody,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{children, children_by_scan, parent_in_stat};
    use std::process::Command;

    #[test]
    fn a_process_cannot_lie_about_its_parent_by_its_name() {
        assert_eq!(parent_in_stat(b"12 (sh) S 34 12 12 0"), Some(34));
        assert_eq!(parent_in_stat(b"12 (x) S 99 1 (y) S 34 12 12 0"), Some(34));
        assert_eq!(parent_in_stat(b"12 (a b) c) R 7 1"), Some(7));
        assert_eq!(parent_in_stat(b"12 sh S 34"), None);
        assert_eq!(parent_in_stat(b""), None);
    }

    #[test]
    fn both_ways_to_find_children_agree() {
        let mut child = Command::new("/bin/sleep").arg("30").spawn().unwrap();
        let id = i32::try_from(child.id()).unwrap();
        let own = i32::try_from(std::process::id()).unwrap();
        let scanned = children_by_scan(own).unwrap();
        // The test runs in a thread of its own, so the list of the main thread may lack the child; a scan may not.
        assert!(scanned.iter().any(|pid| pid.as_raw_nonzero().get() == id));
        assert!(children().unwrap().iter().all(|pid| scanned.contains(pid)));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!children_by_scan(own).unwrap().iter().any(|pid| pid.as_raw_nonzero().get() == id));
    }
}
