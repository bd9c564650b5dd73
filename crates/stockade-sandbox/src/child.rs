//! A running server.
//!
//! **For:** its three pipes, how it ended, and ending it.
//!
//! **Never:** outlives its value: dropping it ends the server and everything that came from it.
//!
//! **On the road:** `forward` writes to `stdin` and reads from `stdout` and `stderr`.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, kill_process, kill_process_group, pidfd_send_signal};
use tokio::net::UnixStream;
use tokio::process::{Child as SupervisorProcess, ChildStderr, ChildStdin, ChildStdout};
use tokio::time::timeout;

use crate::control::{GRACE_LIMIT, Inbox, Report, encode_stop, send_with};
use crate::supervise::KILL_LIMIT;

/// Longest wait for a supervisor to end after its last word.
const SUPERVISOR_END_LIMIT: Duration = Duration::from_secs(1);

/// How a server ended. Unless the variant says otherwise, every process that came from it has ended too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Exit {
    /// It ended by itself with this code.
    Code(i32),
    /// It was ended by the signal with this number.
    Signal(i32),
    /// Something that came from it did not die of SIGKILL within five seconds: it hangs in the kernel, belongs to
    /// another user, or forks faster than it can be killed.
    Survived,
    /// The supervisor died before it could say how the server ended: it was killed by somebody, the server included.
    /// The server's process group was killed; processes that had left the group may be alive.
    SupervisorLost,
}

impl fmt::Display for Exit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(0) => formatter.write_str("the server ended normally"),
            Self::Code(code) => write!(formatter, "the server ended with code {code}"),
            Self::Signal(number) => match signal_name(*number) {
                Some(name) => write!(formatter, "the server was ended by signal {number} ({name})"),
                None => write!(formatter, "the server was ended by signal {number}"),
            },
            Self::Survived => {
                formatter.write_str("the server ended, but a process that it started could not be killed")
            }
            Self::SupervisorLost => formatter.write_str(
                "the server's supervisor was killed; processes that the server started may still be running",
            ),
        }
    }
}

fn signal_name(number: i32) -> Option<&'static str> {
    const NAMES: [(Signal, &str); 12] = [
        (Signal::HUP, "SIGHUP"),
        (Signal::INT, "SIGINT"),
        (Signal::QUIT, "SIGQUIT"),
        (Signal::ILL, "SIGILL"),
        (Signal::ABORT, "SIGABRT"),
        (Signal::BUS, "SIGBUS"),
        (Signal::FPE, "SIGFPE"),
        (Signal::KILL, "SIGKILL"),
        (Signal::SEGV, "SIGSEGV"),
        (Signal::PIPE, "SIGPIPE"),
        (Signal::TERM, "SIGTERM"),
        (Signal::XCPU, "SIGXCPU"),
    ];
    NAMES.iter().find(|(signal, _)| signal.as_raw() == number).map(|(_, name)| *name)
}

/// A server that was started by a [`Launcher`](crate::Launcher).
#[derive(Debug)]
#[must_use = "dropping a child kills it"]
pub struct Child {
    server: Pid,
    server_handle: Option<OwnedFd>,
    supervisor: SupervisorProcess,
    control: UnixStream,
    inbox: Inbox,
    exit: Option<Exit>,
    /// The server's standard input. Take it to write; dropping it tells the server to end.
    pub stdin: Option<ChildStdin>,
    /// The server's standard output. Take it to read; a server that nobody reads from stops when the pipe is full.
    pub stdout: Option<ChildStdout>,
    /// The server's standard error, raw. Take it to read, for the same reason.
    pub stderr: Option<ChildStderr>,
}

/// What the launcher puts together.
pub(crate) struct Parts {
    pub(crate) server: Pid,
    pub(crate) server_handle: Option<OwnedFd>,
    pub(crate) supervisor: SupervisorProcess,
    pub(crate) control: UnixStream,
    pub(crate) inbox: Inbox,
    pub(crate) stdin: ChildStdin,
    pub(crate) stdout: ChildStdout,
    pub(crate) stderr: ChildStderr,
}

impl Child {
    pub(crate) fn new(parts: Parts) -> Self {
        let Parts { server, server_handle, supervisor, control, inbox, stdin, stdout, stderr } = parts;
        Self {
            server,
            server_handle,
            supervisor,
            control,
            inbox,
            exit: None,
            stdin: Some(stdin),
            stdout: Some(stdout),
            stderr: Some(stderr),
        }
    }

    /// The process id of the server itself, which is also its process group. For showing; signals go through [`Child::stop`].
    pub fn id(&self) -> u32 {
        self.server.as_raw_nonzero().get().unsigned_abs()
    }

    /// The process id of the supervisor; `None` when it has ended.
    pub fn supervisor_id(&self) -> Option<u32> {
        self.supervisor.id()
    }

    /// Waits until the server and everything that came from it has ended.
    ///
    /// What a server leaves behind when it ends gets SIGTERM, a moment, and SIGKILL. Can be dropped and called again;
    /// after the end it answers at once.
    pub async fn wait(&mut self) -> Exit {
        if let Some(exit) = self.exit {
            return exit;
        }
        let report = match self.inbox.next(&self.control).await {
            Ok(Some((note, _))) => Report::decode(note),
            Ok(None) => Err(io::ErrorKind::UnexpectedEof.into()),
            Err(error) => Err(error),
        };
        let exit = match report {
            Ok(Report::Exited { code }) => Exit::Code(code),
            Ok(Report::Killed { signal }) => Exit::Signal(signal),
            Ok(Report::Survived) => Exit::Survived,
            Ok(Report::Started { .. } | Report::NotStarted { .. }) | Err(_) => self.give_up_on_supervisor(),
        };
        self.exit = Some(exit);
        // Only so that no zombie is left; if it takes longer, the runtime reaps it later.
        let _ = timeout(SUPERVISOR_END_LIMIT, self.supervisor.wait()).await;
        exit
    }

    /// Ends the server: closes its standard input (if it was not taken), then SIGTERM to its process group, then SIGKILL
    /// to everything that came from it.
    ///
    /// The server has half of `grace` to go after its input closed, and the other half after SIGTERM. Whoever took
    /// `stdin` drops it before. `grace` is at most ten minutes; it is over early when the server goes early.
    pub async fn stop(mut self, grace: Duration) -> Exit {
        let half = grace.min(GRACE_LIMIT) / 2;
        self.stdin = None;
        if let Ok(exit) = timeout(half, self.wait()).await {
            return exit;
        }
        self.order_stop(half);
        match timeout(half + KILL_LIMIT + SUPERVISOR_END_LIMIT, self.wait()).await {
            Ok(exit) => exit,
            Err(_) => {
                let exit = self.give_up_on_supervisor();
                self.exit = Some(exit);
                exit
            }
        }
    }

    fn order_stop(&self, grace: Duration) {
        // Five bytes always fit: it is the first thing that goes this way since the launch was read. If the supervisor is gone,
        // `wait` says so.
        let _ = send_with(self.control.as_fd(), &encode_stop(grace), &[]);
        // A server may have stopped its supervisor. The number is safe: a child that was not reaped keeps it.
        if let Some(supervisor) = self.supervisor_pid() {
            let _ = kill_process(supervisor, Signal::CONT);
        }
    }

    /// The last resort when the supervisor is dead or stuck: kills it and the server's process group.
    fn give_up_on_supervisor(&self) -> Exit {
        if let Some(supervisor) = self.supervisor_pid() {
            let _ = kill_process(supervisor, Signal::KILL);
        }
        if let Some(handle) = &self.server_handle {
            // While the server lives, its group has its number. Once it is dead, the number may be somebody else's.
            if is_alive(handle) {
                let _ = kill_process_group(self.server, Signal::KILL);
            }
            let _ = pidfd_send_signal(handle, Signal::KILL);
        }
        Exit::SupervisorLost
    }

    fn supervisor_pid(&self) -> Option<Pid> {
        Pid::from_raw(i32::try_from(self.supervisor.id()?).ok()?)
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // Closing the socket alone would end the server too, after the grace that a lost gateway leaves it.
        if self.exit.is_none() {
            self.order_stop(Duration::ZERO);
        }
    }
}

/// A pidfd becomes readable when its process ends (pidfd_open(2)).
fn is_alive(handle: &OwnedFd) -> bool {
    let mut polled = [PollFd::new(handle, PollFlags::IN)];
    poll(&mut polled, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })) == Ok(0)
}

#[cfg(test)]
mod tests {
    use super::Exit;

    #[test]
    fn exits_are_said_in_words() {
        let cases = [
            (Exit::Code(0), "the server ended normally"),
            (Exit::Code(3), "the server ended with code 3"),
            (Exit::Signal(9), "the server was ended by signal 9 (SIGKILL)"),
            (Exit::Signal(40), "the server was ended by signal 40"),
        ];
        for (exit, expected) in cases {
            assert_eq!(exit.to_string(), expected);
        }
    }
}
