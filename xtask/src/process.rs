//! Starting a program and waiting for its end, with a limit and with words a person can use when it fails.
//!
//! Must never leave a program running after its limit, or lose what it said.

use std::fs::File;
use std::io;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// Lines of a log that an error repeats.
const TAIL_LINES: usize = 20;
/// Pause between two looks at a program that has not ended.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Why a program did not do what it was started for.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// It is not on this machine, or may not be run.
    #[error("could not start `{program}`")]
    NotStarted {
        /// What was to be run.
        program: String,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// It ended with an exit code that means failure, or by a signal.
    #[error("`{command}` failed ({status}){said}")]
    Failed {
        /// The whole command.
        command: String,
        /// How it ended.
        status: ExitStatus,
        /// The end of what it said, or nothing when it said it on the terminal.
        said: String,
    },
    /// It was stopped at its limit.
    #[error("`{command}` was stopped after {} s without an end{said}", limit.as_secs())]
    TimedOut {
        /// The whole command.
        command: String,
        /// The limit.
        limit: Duration,
        /// The end of what it said.
        said: String,
    },
    /// Its log could not be written or its end not be awaited.
    #[error("lost sight of `{command}`")]
    Lost {
        /// The whole command.
        command: String,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
}

/// A program to run, with its arguments and surroundings.
#[derive(Debug)]
pub(crate) struct Program {
    command: Command,
    words: String,
}

impl Program {
    pub(crate) fn new(program: impl AsRef<Path>, arguments: &[&str]) -> Self {
        let program = program.as_ref();
        let mut command = Command::new(program);
        command.args(arguments);
        let name = program.file_name().unwrap_or(program.as_os_str()).to_string_lossy();
        Self { command, words: format!("{name} {}", arguments.join(" ")).trim_end().to_owned() }
    }

    pub(crate) fn inside(mut self, folder: &Path) -> Self {
        self.command.current_dir(folder);
        self
    }

    /// Runs it with our own terminal. Unlimited: it is the person's to interrupt.
    pub(crate) fn show(mut self) -> Result<(), ProcessError> {
        let status = self.command.status().map_err(|cause| self.not_started(cause))?;
        if status.success() { Ok(()) } else { Err(self.failed(status, String::new())) }
    }

    /// Runs it in silence and gives its standard output. For programs that end by themselves.
    pub(crate) fn read(mut self) -> Result<String, ProcessError> {
        let output = self.command.stdin(Stdio::null()).output().map_err(|cause| self.not_started(cause))?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        Err(self.failed(output.status, tail(&String::from_utf8_lossy(&output.stderr))))
    }

    /// Runs it with everything it says in `log`, and stops it after `limit`.
    pub(crate) fn log(mut self, log: &Path, limit: Duration) -> Result<(), ProcessError> {
        let status = self.log_status(log, limit)?;
        if status.success() { Ok(()) } else { Err(self.failed(status, tail_of(log))) }
    }

    /// The same for a program whose exit code is an answer.
    pub(crate) fn log_status(&mut self, log: &Path, limit: Duration) -> Result<ExitStatus, ProcessError> {
        let (standard, error) = writers(log).map_err(|cause| self.lost(cause))?;
        let started = self.command.stdin(Stdio::null()).stdout(standard).stderr(error).spawn();
        let mut child = started.map_err(|cause| self.not_started(cause))?;
        match wait(&mut child, limit).map_err(|cause| self.lost(cause))? {
            Some(status) => Ok(status),
            None => Err(ProcessError::TimedOut { command: self.words.clone(), limit, said: tail_of(log) }),
        }
    }

    /// Starts it with pipes on standard input and output and its errors in `log`; the caller keeps the child.
    pub(crate) fn start(mut self, log: &Path) -> Result<Child, ProcessError> {
        let (error, _) = writers(log).map_err(|cause| self.lost(cause))?;
        self.command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(error);
        self.command.spawn().map_err(|cause| self.not_started(cause))
    }

    /// Can it be started at all?
    pub(crate) fn succeeds(mut self) -> bool {
        let quiet = self.command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        quiet.status().is_ok_and(|status| status.success())
    }

    fn not_started(&self, cause: io::Error) -> ProcessError {
        ProcessError::NotStarted { program: self.command.get_program().to_string_lossy().into_owned(), cause }
    }

    fn failed(&self, status: ExitStatus, said: String) -> ProcessError {
        ProcessError::Failed { command: self.words.clone(), status, said }
    }

    fn lost(&self, cause: io::Error) -> ProcessError {
        ProcessError::Lost { command: self.words.clone(), cause }
    }
}

/// Waits for the end until `limit`, then kills. `None`: it had to be killed.
pub(crate) fn wait(child: &mut Child, limit: Duration) -> io::Result<Option<ExitStatus>> {
    let until = Instant::now() + limit;
    while Instant::now() < until {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        std::thread::sleep(LOOK_EVERY);
    }
    child.kill()?;
    child.wait()?;
    Ok(None)
}

fn writers(log: &Path) -> io::Result<(File, File)> {
    if let Some(folder) = log.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let file = File::create(log)?;
    let second = file.try_clone()?;
    Ok((file, second))
}

/// The end of what a log file holds, ready to follow an error's first line.
pub(crate) fn tail_of(log: &Path) -> String {
    match std::fs::read(log) {
        Ok(bytes) => tail(&String::from_utf8_lossy(&bytes)),
        Err(_) => String::new(),
    }
}

fn tail(said: &str) -> String {
    let lines: Vec<&str> = said.lines().filter(|line| !line.trim().is_empty()).collect();
    let skipped = lines.len().saturating_sub(TAIL_LINES);
    lines.into_iter().skip(skipped).fold(String::new(), |all, line| all + "\n    | " + line)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn log_file(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("xtask-process-{}-{name}", std::process::id()))
    }

    #[test]
    fn a_failure_repeats_the_end_of_the_log() {
        let log = log_file("failure");
        let said = Program::new("sh", &["-c", "echo first; echo last >&2; exit 3"]).log(&log, Duration::from_secs(20));
        let text = said.unwrap_err().to_string();
        std::fs::remove_file(&log).unwrap();
        assert!(text.contains("| first") && text.contains("| last") && text.contains("exit status: 3"), "{text}");
    }

    #[test]
    fn a_program_past_its_limit_is_stopped() {
        let log = log_file("limit");
        let started = Instant::now();
        let said = Program::new("sleep", &["60"]).log(&log, Duration::from_millis(100));
        std::fs::remove_file(&log).unwrap();
        assert!(matches!(said, Err(ProcessError::TimedOut { .. })), "{said:?}");
        assert!(started.elapsed() < Duration::from_secs(30));
    }

    #[test]
    fn a_missing_program_is_named() {
        let text = Program::new("no-such-program-here", &[]).read().unwrap_err().to_string();
        assert_eq!(text, "could not start `no-such-program-here`");
    }
}
