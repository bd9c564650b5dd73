//! What the kernel says about a process, and signals to it.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use rustix::process::Pid;

/// How often a condition is looked at again.
const POLL: Duration = Duration::from_millis(10);

/// What a process holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Footprint {
    /// Resident memory in KiB.
    pub rss_kib: u64,
    /// Open file descriptors.
    pub open_fds: usize,
    /// Threads.
    pub threads: usize,
}

/// The signals that tests send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Asks to end.
    Terminate,
    /// Ends at once.
    Kill,
    /// Asks to reload.
    HangUp,
    /// Freezes.
    Stop,
    /// Thaws.
    Continue,
}

/// Sends a signal to one process, by its id. Nothing happens when it is gone.
pub fn signal(pid: u32, kind: Signal) {
    use rustix::process::Signal as Raw;
    let raw = match kind {
        Signal::Terminate => Raw::TERM,
        Signal::Kill => Raw::KILL,
        Signal::HangUp => Raw::HUP,
        Signal::Stop => Raw::STOP,
        Signal::Continue => Raw::CONT,
    };
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        // The process may have ended by itself a moment ago.
        let _gone = rustix::process::kill_process(pid, raw);
    }
}

/// What a process holds now; `None` when it is gone.
#[must_use]
pub fn footprint(pid: u32) -> Option<Footprint> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let number = |name: &str| -> Option<u64> {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().next()?.parse().ok()
    };
    Some(Footprint {
        rss_kib: number("VmRSS:")?,
        open_fds: std::fs::read_dir(format!("/proc/{pid}/fd")).ok()?.count(),
        threads: usize::try_from(number("Threads:")?).ok()?,
    })
}

/// Is the process there and not merely waiting to be buried?
#[must_use]
pub fn is_alive(pid: u32) -> bool {
    stat(pid).is_some_and(|(state, _)| state != 'Z' && state != 'X')
}

/// The living children of a process, their children, and so on.
#[must_use]
pub fn descendants(pid: u32) -> Vec<u32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let mut by_parent: HashMap<u32, Vec<u32>> = HashMap::new();
    for child in pids {
        if let Some((state, parent)) = stat(child)
            && state != 'Z'
        {
            by_parent.entry(parent).or_default().push(child);
        }
    }
    let mut found = Vec::new();
    let mut open = vec![pid];
    while let Some(parent) = open.pop() {
        let children = by_parent.remove(&parent).unwrap_or_default();
        open.extend(&children);
        found.extend(children);
    }
    found
}

/// Waits until something is so; says whether it was within `limit`.
pub fn wait_until(limit: Duration, mut is_so: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + limit;
    loop {
        if is_so() {
            return true;
        }
        if Instant::now() >= deadline {
            return false;
        }
        std::thread::sleep(POLL);
    }
}

/// State and parent of a process (proc_pid_stat(5)); the command's name may hold spaces and brackets.
fn stat(pid: u32) -> Option<(char, u32)> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = stat.rsplit_once(") ")?;
    let mut words = rest.split(' ');
    Some((words.next()?.chars().next()?, words.next()?.parse().ok()?))
}
