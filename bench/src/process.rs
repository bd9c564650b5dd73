//! Child processes of a run, and what the kernel says about them.
//!
//! What it must never do: leave a process behind, or touch one that it did not start.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};
use std::{fs, thread};

use rustix::process::{Pid, Signal, kill_process};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Clock ticks per second in `/proc/PID/stat`: a fixed part of Linux's interface to programs (`USER_HZ`), whatever the
/// kernel's own tick is.
pub const TICKS_PER_SECOND: u64 = 100;
/// How long a process may take to end after it was asked to.
const STOP_WAIT: Duration = Duration::from_secs(5);
/// How often an ending process is looked at.
const STOP_POLL: Duration = Duration::from_millis(10);
/// The longest line that a child may print, in bytes.
const MAX_LINE_BYTES: u64 = 1024 * 1024;

/// Why a child or its numbers could not be had.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// The program could not be started.
    #[error("`{program}` could not be started")]
    NotStarted {
        /// The program.
        program: String,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// The child ended or was silent instead of printing its line.
    #[error("`{program}` printed no line of JSON within {seconds} s: {what}")]
    NoLine {
        /// The program.
        program: String,
        /// How long it was waited for.
        seconds: u64,
        /// What came instead.
        what: String,
    },
    /// The kernel's account of the process could not be read.
    #[error("the kernel's account of process {pid} could not be read")]
    NoAccount {
        /// The process.
        pid: u32,
    },
}

/// What the kernel accounts to a process, all threads together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// User and system time in ticks of 1/100 s since the start.
    pub cpu_ticks: u64,
    /// Resident memory in KiB.
    pub resident_kib: u64,
}

impl Account {
    /// Reads the account of a process (proc(5), `stat` and `status`).
    ///
    /// # Errors
    /// When the process is gone.
    pub fn of(pid: u32) -> Result<Self, ProcessError> {
        let read = |file: &str| fs::read_to_string(format!("/proc/{pid}/{file}")).ok();
        let cpu_ticks = read("stat").as_deref().and_then(cpu_ticks);
        let resident_kib = read("status").as_deref().and_then(resident_kib);
        match (cpu_ticks, resident_kib) {
            (Some(cpu_ticks), Some(resident_kib)) => Ok(Self { cpu_ticks, resident_kib }),
            _ => Err(ProcessError::NoAccount { pid }),
        }
    }
}

/// `utime + stime` are fields 14 and 15; the name before them may hold blanks and brackets, so count from its end.
fn cpu_ticks(stat: &str) -> Option<u64> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_ascii_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

fn resident_kib(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

/// A child that is stopped when this value goes.
#[derive(Debug)]
pub struct Running {
    child: Child,
    name: String,
    stdin: Option<ChildStdin>,
    stdout: Option<BufReader<ChildStdout>>,
}

impl Running {
    /// Starts a program with its standard input and output held by this value, its standard error in `log` or shared.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(program: &Path, arguments: &[&str], log: Option<&Path>) -> Result<Self, ProcessError> {
        let name = format!("{} {}", program.display(), arguments.first().unwrap_or(&""));
        let failed = |cause| ProcessError::NotStarted { program: name.clone(), cause };
        let stderr = match log {
            Some(path) => Stdio::from(fs::File::create(path).map_err(failed)?),
            None => Stdio::inherit(),
        };
        let started =
            Command::new(program).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(stderr).spawn();
        let mut child = started.map_err(failed)?;
        let stdin = child.stdin.take();
        let stdout = child.stdout.take().map(BufReader::new);
        Ok(Self { child, name, stdin, stdout })
    }

    /// The process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Writes one line of JSON to the child's standard input.
    ///
    /// # Errors
    /// When the child does not read it.
    pub fn send(&mut self, message: &impl Serialize) -> io::Result<()> {
        let mut line = serde_json::to_vec(message)?;
        line.push(b'\n');
        match &mut self.stdin {
            Some(stdin) => stdin.write_all(&line),
            None => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    /// Waits for the next line on standard output and reads it as JSON.
    ///
    /// # Errors
    /// When no such line comes within `deadline`; the child should then be given up.
    pub fn line<T: DeserializeOwned>(&mut self, deadline: Duration) -> Result<T, ProcessError> {
        let no_line =
            |what: String| ProcessError::NoLine { program: self.name.clone(), seconds: deadline.as_secs(), what };
        let Some(stdout) = self.stdout.take() else { return Err(no_line(String::from("it was given up before"))) };
        let (sender, receiver) = mpsc::sync_channel(1);
        // The thread ends with the line, or with the child when this value goes.
        thread::spawn(move || {
            let mut stdout = stdout;
            let mut line = String::new();
            let read = (&mut stdout).take(MAX_LINE_BYTES).read_line(&mut line);
            drop(sender.send((stdout, read.map(|_| line))));
        });
        let (stdout, line) = receiver.recv_timeout(deadline).map_err(|_| no_line(String::from("it was silent")))?;
        let line = line.map_err(|error| no_line(error.to_string()))?;
        let value = serde_json::from_str(&line).map_err(|_| no_line(format!("`{}`", line.trim().escape_debug())))?;
        self.stdout = Some(stdout);
        Ok(value)
    }

    /// Closes the child's input, asks it to end, and ends it if it does not.
    ///
    /// # Errors
    /// When the system does not let us.
    pub fn stop(&mut self) -> io::Result<ExitStatus> {
        drop(self.stdin.take());
        if let Some(status) = self.child.try_wait()? {
            return Ok(status);
        }
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        if let Some(pid) = pid {
            kill_process(pid, Signal::TERM)?;
        }
        let deadline = Instant::now() + STOP_WAIT;
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            thread::sleep(STOP_POLL);
        }
        self.child.kill()?;
        self.child.wait()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Nobody is left to hear of a failure, and the child has already lost its standard input.
        drop(self.stop());
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use super::{Account, ProcessError, Running, cpu_ticks, resident_kib};

    #[test]
    fn a_name_with_brackets_does_not_shift_the_fields() {
        let stat = "42 (a) (b) 7) S 1 42 42 0 -1 4194560 100 0 0 0 250 31 0 0 20 0 4 0 99 1000 200 1";
        assert_eq!(cpu_ticks(stat), Some(281));
        assert_eq!(cpu_ticks("42 (a"), None);
        assert_eq!(resident_kib("Name:\ta\nVmRSS:\t    1234 kB\n"), Some(1234));
    }

    #[test]
    fn this_process_has_an_account_and_a_missing_one_has_none() {
        assert!(Account::of(std::process::id()).unwrap().resident_kib > 0);
        assert!(matches!(Account::of(u32::MAX), Err(ProcessError::NoAccount { .. })));
    }

    #[test]
    fn a_child_that_says_something_else_is_reported_with_its_words() {
        let mut child = Running::start(Path::new("/bin/echo"), &["not json"], None).unwrap();
        let error = child.line::<serde_json::Value>(Duration::from_secs(10)).unwrap_err().to_string();
        assert!(error.contains("not json"), "{error}");
    }

    #[test]
    fn a_silent_child_is_given_up_and_stopped() {
        let mut child = Running::start(Path::new("/bin/sleep"), &["600"], None).unwrap();
        let error = child.line::<serde_json::Value>(Duration::from_millis(50)).unwrap_err().to_string();
        assert!(error.contains("silent"), "{error}");
        assert!(!child.stop().unwrap().success());
    }
}
