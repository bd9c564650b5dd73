//! The supervisor: the process between the gateway and a server.
//!
//! **For:** starting one server, and making sure that neither it nor anything that came from it is there after the end.
//!
//! **Never:** reads or writes the server's traffic, starts a second thread, goes before its last descendant, or waits without a limit.
//!
//! **On the road:** beside it; a process of its own, run from the gateway's executable.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream as StdUnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::{
    DumpableBehavior, Pid, PidfdFlags, Signal, WaitStatus, getpid, kill_process_group, pidfd_open, set_child_subreaper,
    set_dumpable_behavior, setsid,
};
use tokio::net::UnixStream;
use tokio::signal::unix::{Signal as SignalStream, SignalKind, signal};
use tokio::time::{Instant, timeout, timeout_at};

use crate::control::{Inbox, LAUNCH_LIMIT_BYTES, Launch, Report, decode_stop, receive_with, send_with};
use crate::descendants::{Left, has_ended, reap_adopted, reap_all, signal_children};
use crate::descriptors::keep_from_children;

/// The hidden first argument that makes an executable a supervisor.
pub const SUPERVISE_COMMAND: &str = "__supervise";

/// Longest wait of a new supervisor for its launch.
const LAUNCH_LIMIT: Duration = Duration::from_secs(10);
/// Between SIGTERM and SIGKILL when the gateway is gone, or somebody ends the supervisor with a signal.
const LOST_GRACE: Duration = Duration::from_millis(500);
/// Between SIGTERM and SIGKILL for what a server leaves behind when it ended by itself.
const LEFTOVER_GRACE: Duration = Duration::from_millis(200);
/// Longest time that SIGKILL is repeated.
pub(crate) const KILL_LIMIT: Duration = Duration::from_secs(5);
/// Longest pause between two looks at what is left. A SIGCHLD ends it early.
const LOOK_INTERVAL: Duration = Duration::from_millis(5);

/// Exit codes as shells use them.
const CODE_MISUSED: i32 = 2;
const CODE_NOT_STARTED: i32 = 126;
const CODE_SIGNAL_BASE: i32 = 128;
const CODE_SURVIVED: i32 = 1;

/// Runs this process as a supervisor and returns the code to exit with: the server's, or 128 and the signal's number.
///
/// Call it first thing in `main` when the first argument is [`SUPERVISE_COMMAND`], before a runtime or any thread
/// exists, and exit with what it returns. Everything it needs comes through standard input, which must be the socket of a
/// [`Launcher`](crate::Launcher); other arguments are for those who read `ps`. It changes the whole process: a session
/// of its own without a terminal, child subreaper, every open descriptor close-on-exec.
#[must_use]
pub fn supervise_main() -> i32 {
    match prepare() {
        Ok((control, launch, descriptors)) => match run(control, &launch, descriptors) {
            Ok(code) => code,
            Err(error) => complain(&error),
        },
        Err(error) => complain(&error),
    }
}

fn complain(error: &io::Error) -> i32 {
    // Only somebody who starts this by hand sees it; for the gateway the closed socket is the message.
    let _ = writeln!(io::stderr(), "`{SUPERVISE_COMMAND}` is how stockade runs itself for each server: {error}");
    CODE_MISUSED
}

fn prepare() -> io::Result<(StdUnixStream, Launch, [OwnedFd; 3])> {
    // A duplicate, above 2 and close-on-exec; number 0 itself is replaced in the server.
    let control = StdUnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    control.set_read_timeout(Some(LAUNCH_LIMIT))?;
    let (launch, descriptors) = receive_launch(&control)?;
    // A session of its own: no terminal to type into, no signal from the terminal's keys, no group shared with the gateway.
    setsid()?;
    set_child_subreaper(Some(getpid()))?;
    // The server runs as the same user: it may not trace this process or write its memory (ptrace(2)).
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    rustix::thread::set_name(c"stockade-watch")?;
    keep_from_children()?;
    Ok((control, launch, descriptors))
}

fn receive_launch(mut control: &StdUnixStream) -> io::Result<(Launch, [OwnedFd; 3])> {
    let mut length = [0; 4];
    let (count, descriptors) = receive_with(control.as_fd(), &mut length)?;
    let descriptors = <[OwnedFd; 3]>::try_from(descriptors).map_err(|_| io::ErrorKind::InvalidData)?;
    let rest = length.get_mut(count..).ok_or(io::ErrorKind::InvalidData)?;
    control.read_exact(rest)?;
    let length = usize::try_from(u32::from_le_bytes(length)).map_err(|_| io::ErrorKind::InvalidData)?;
    if length > LAUNCH_LIMIT_BYTES {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut bytes = vec![0; length];
    control.read_exact(&mut bytes)?;
    let launch = Launch::decode(&bytes).ok_or(io::ErrorKind::InvalidData)?;
    Ok((launch, descriptors))
}

fn run(control: StdUnixStream, launch: &Launch, descriptors: [OwnedFd; 3]) -> io::Result<i32> {
    // One thread: the runtime is only the loop that waits for socket, signals and time.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
    runtime.block_on(async {
        control.set_nonblocking(true)?;
        let control = UnixStream::from_std(control)?;
        // Before the start, so that no end of a child is missed.
        let mut signals = Signals::listen()?;
        let server = match start(launch, descriptors) {
            Ok(server) => server,
            Err(error) => {
                let errno = error.raw_os_error().unwrap_or(rustix::io::Errno::INVAL.raw_os_error());
                say(&control, Report::NotStarted { errno }, None);
                return Ok(CODE_NOT_STARTED);
            }
        };
        // The number still is the server's, because nobody has reaped it.
        let handle = pidfd_open(server, PidfdFlags::empty()).ok();
        say(&control, Report::Started { server: server.as_raw_nonzero().get() }, handle);
        let grace = watch(server, &control, &mut signals).await;
        let report = end(server, grace, &mut signals).await;
        say(&control, report, None);
        Ok(match report {
            Report::Exited { code } => code,
            Report::Killed { signal } => CODE_SIGNAL_BASE + signal,
            Report::Started { .. } | Report::NotStarted { .. } | Report::Survived => CODE_SURVIVED,
        })
    })
}

fn start(launch: &Launch, [stdin, stdout, stderr]: [OwnedFd; 3]) -> io::Result<Pid> {
    let mut command = Command::new(&launch.program);
    command
        .args(&launch.arguments)
        .env_clear()
        .envs(launch.environment.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::from(stdin))
        .stdout(Stdio::from(stdout))
        .stderr(Stdio::from(stderr))
        .process_group(0);
    if let Some(folder) = &launch.working_directory {
        command.current_dir(folder);
    }
    // The handle that std gives is not kept: this process reaps by number, and only where it says so. `command` goes with
    // this function, and with it the supervisor's copies of the pipes.
    let number = command.spawn()?.id();
    i32::try_from(number).ok().and_then(Pid::from_raw).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// Tells the gateway. If it is gone, nobody has to know.
fn say(control: &UnixStream, report: Report, handle: Option<OwnedFd>) {
    let handles: Vec<_> = handle.iter().map(AsFd::as_fd).collect();
    let _ = send_with(control.as_fd(), &report.encode(), &handles);
}

struct Signals {
    child: SignalStream,
    terminate: SignalStream,
    interrupt: SignalStream,
    hang_up: SignalStream,
}

impl Signals {
    fn listen() -> io::Result<Self> {
        Ok(Self {
            child: signal(SignalKind::child())?,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// Waits until a child ends, at most until the next look is due.
    async fn child_or_look(&mut self) {
        let _ = timeout(LOOK_INTERVAL, self.child.recv()).await;
    }
}

/// Waits for the reason to end, and says how long the server has to go by itself.
async fn watch(server: Pid, control: &UnixStream, signals: &mut Signals) -> Duration {
    let mut inbox = Inbox::default();
    loop {
        tokio::select! {
            _ = signals.child.recv() => {
                if has_ended(server) {
                    return LEFTOVER_GRACE;
                }
                // What was adopted and has ended is not kept as a zombie. Without `/proc` it is reaped at the end.
                let _ = reap_adopted(server);
            }
            note = inbox.next(control) => {
                return match note {
                    Ok(Some((bytes, _))) => decode_stop(bytes).unwrap_or(LOST_GRACE),
                    Ok(None) | Err(_) => LOST_GRACE,
                };
            }
            // A service manager sends these to every process of a service.
            _ = signals.terminate.recv() => return LOST_GRACE,
            _ = signals.interrupt.recv() => return LOST_GRACE,
            _ = signals.hang_up.recv() => return LOST_GRACE,
        }
    }
}

/// Ends the server and everything that came from it.
async fn end(server: Pid, grace: Duration, signals: &mut Signals) -> Report {
    if !grace.is_zero() {
        ask_to_end(server, grace, signals).await;
    }
    let deadline = Instant::now() + KILL_LIMIT;
    let mut status = None;
    loop {
        if status.is_none() {
            // The server is not reaped, so its group's number is its own. This gets most of them at once.
            let _ = kill_process_group(server, Signal::KILL);
        }
        // Each round reaches one level deeper, because the children of the dead become ours.
        let _ = signal_children(Signal::KILL);
        if reap_all(server, &mut status) == Left::Nobody {
            return status.map_or(Report::Survived, ended);
        }
        if Instant::now() >= deadline {
            return Report::Survived;
        }
        signals.child_or_look().await;
    }
}

/// SIGTERM, and the time to obey. Over early when nobody is left but the server's own entry.
async fn ask_to_end(server: Pid, grace: Duration, signals: &mut Signals) {
    let _ = kill_process_group(server, Signal::TERM);
    let _ = signal_children(Signal::TERM);
    let mut deadline = Instant::now() + grace;
    let mut server_ended = false;
    while Instant::now() < deadline {
        if !server_ended && has_ended(server) {
            server_ended = true;
            // A long grace is for the server; what it leaves behind gets a short one.
            deadline = deadline.min(Instant::now() + LEFTOVER_GRACE);
        }
        match reap_adopted(server) {
            Ok(0) if server_ended => return,
            Ok(_) => {}
            // Without `/proc` nobody can be counted, and there is nothing to wait for but the server.
            Err(_) if server_ended => return,
            Err(_) => {}
        }
        let _ = timeout_at(deadline, signals.child_or_look()).await;
    }
}

fn ended(status: WaitStatus) -> Report {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => Report::Exited { code },
        (None, Some(signal)) => Report::Killed { signal },
        (None, None) => Report::Survived,
    }
}
