//! Starting a server.
//!
//! **For:** from what the configuration says to a running, supervised process, or a reason why not.
//!
//! **Never:** runs a shell, passes on anything of this process's environment, or leaves a half-started server behind.
//!
//! **On the road:** beside it; the gateway starts a server when the first call needs it.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::Pid;
use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;
use tokio::process::{ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use crate::child::{Child, Parts};
use crate::control::{Inbox, LAUNCH_LIMIT_BYTES, Launch, Report, send_with};
use crate::program::{ProgramError, resolve_program};
use crate::supervise::SUPERVISE_COMMAND;

/// Longest wait for a supervisor to say that the server runs. Usual are a few milliseconds; a machine that swaps takes longer.
const START_LIMIT: Duration = Duration::from_secs(10);

/// What to start, and everything that it gets.
///
/// Its `Debug` shows the program and the names of variables, because arguments and values may hold secrets.
#[derive(Clone, PartialEq, Eq)]
pub struct LaunchSpec {
    /// The program: an absolute path, a path with a slash (relative to `base_directory`), or a bare name that is
    /// searched in the `PATH` of `environment`. See [`resolve_program`].
    pub program: OsString,
    /// The arguments, without the program. No shell sees them: each arrives as it is.
    pub args: Vec<OsString>,
    /// The whole environment of the server: it starts from nothing. See [`crate::base_environment`].
    pub environment: Vec<(OsString, OsString)>,
    /// The folder that the server starts in, absolute or relative to `base_directory`; without one, the gateway's own.
    pub working_directory: Option<PathBuf>,
    /// What relative paths in this value are relative to. Must be absolute if there are any.
    pub base_directory: PathBuf,
}

impl fmt::Debug for LaunchSpec {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&OsString> = self.environment.iter().map(|(name, _)| name).collect();
        formatter
            .debug_struct("LaunchSpec")
            .field("program", &self.program)
            .field("args", &format_args!("{} not shown", self.args.len()))
            .field("environment", &names)
            .field("working_directory", &self.working_directory)
            .field("base_directory", &self.base_directory)
            .finish()
    }
}

/// Why a server did not start. Nothing of it is left running.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LaunchError {
    /// The program was not found.
    #[error("could not find the program of the server")]
    Program(#[source] ProgramError),
    /// The working directory is not an existing folder.
    #[error("the working directory `{}` is not a folder; create it or correct the path",
        .path.display().to_string().escape_debug())]
    WorkingDirectory {
        /// The path that was looked at.
        path: PathBuf,
    },
    /// A variable's name is empty or holds `=`.
    #[error("`{}` cannot be the name of an environment variable; use a name without `=`", .name.escape_debug())]
    VariableName {
        /// The name.
        name: String,
    },
    /// A variable is given twice: which one counts would depend on the reader.
    #[error("the environment variable `{}` is given twice; remove one", .name.escape_debug())]
    VariableTwice {
        /// The name.
        name: String,
    },
    /// A NUL byte, which ends a text for the kernel and would cut off the rest.
    #[error("{what} holds a NUL byte; remove it")]
    NulByte {
        /// Which part of the launch.
        what: &'static str,
    },
    /// Program, arguments and environment together are too long.
    #[error("the arguments and environment are more than {LAUNCH_LIMIT_BYTES} bytes; shorten them")]
    TooLong,
    /// The kernel gave no pipe, socket or process.
    #[error("could not start a supervisor process; check the limits of processes and open files")]
    NoSupervisor(#[source] io::Error),
    /// The supervisor ended, or said something else than it should, before the server ran.
    #[error("the supervisor process failed before the server started; check that the executable was not replaced")]
    SupervisorFailed(#[source] io::Error),
    /// The supervisor did not answer within ten seconds.
    #[error("the server was not started within {} s; the machine may be overloaded", START_LIMIT.as_secs())]
    TimedOut,
    /// The kernel refused to execute the program.
    #[error("could not execute `{}`; {}", .program.display().to_string().escape_debug(), advice(.cause))]
    NotExecuted {
        /// The absolute path of the program.
        program: PathBuf,
        /// What the kernel said.
        #[source]
        cause: io::Error,
    },
}

/// Starts servers, each under a supervisor of its own.
#[derive(Debug, Clone)]
pub struct Launcher {
    supervisor: PathBuf,
}

impl Launcher {
    /// A launcher that runs this process's own executable as the supervisor, with [`SUPERVISE_COMMAND`] as its first
    /// argument. `main` must hand that to [`crate::supervise_main`] before it does anything else.
    ///
    /// The executable is named by `/proc/self/exe`, which stays right when the file is replaced by an update.
    pub fn own_executable() -> Self {
        Self { supervisor: PathBuf::from("/proc/self/exe") }
    }

    /// A launcher with another executable, which treats [`SUPERVISE_COMMAND`] the same way.
    pub fn with_supervisor(executable: PathBuf) -> Self {
        Self { supervisor: executable }
    }

    /// Starts the server and waits until the kernel has executed its program.
    ///
    /// Needs a Tokio runtime with I/O and time. If the future is dropped, nothing stays behind.
    ///
    /// # Errors
    /// See [`LaunchError`]; `TimedOut` after ten seconds.
    pub async fn start(&self, spec: &LaunchSpec) -> Result<Child, LaunchError> {
        let launch = resolve(spec)?;
        let bytes = launch.encode().ok_or(LaunchError::TooLong)?;
        // Nothing has to be killed when the time is up: a supervisor whose socket closes ends itself and its server.
        timeout(START_LIMIT, self.start_supervised(&launch.program, &bytes)).await.unwrap_or(Err(LaunchError::TimedOut))
    }

    async fn start_supervised(&self, program: &Path, launch: &[u8]) -> Result<Child, LaunchError> {
        let (near, far) = StdUnixStream::pair().map_err(LaunchError::NoSupervisor)?;
        near.set_nonblocking(true).map_err(LaunchError::NoSupervisor)?;
        let pipes = Pipes::open().map_err(LaunchError::NoSupervisor)?;
        let supervisor = Command::new(&self.supervisor)
            .arg0("stockade")
            // The program is there for those who read `ps`; the supervisor does not look at it.
            .args([OsStr::new(SUPERVISE_COMMAND), OsStr::new("--"), program.as_os_str()])
            .env_clear()
            .stdin(Stdio::from(OwnedFd::from(far)))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(LaunchError::NoSupervisor)?;
        let (control, pipes) = hand_over(near, pipes, launch).await.map_err(LaunchError::SupervisorFailed)?;
        let mut inbox = Inbox::default();
        let Some((note, mut descriptors)) = inbox.next(&control).await.map_err(LaunchError::SupervisorFailed)? else {
            return Err(LaunchError::SupervisorFailed(io::ErrorKind::UnexpectedEof.into()));
        };
        match Report::decode(note).map_err(LaunchError::SupervisorFailed)? {
            Report::Started { server } => {
                let server = Pid::from_raw(server)
                    .ok_or_else(|| LaunchError::SupervisorFailed(io::ErrorKind::InvalidData.into()))?;
                let (stdin, stdout, stderr) = pipes;
                let server_handle = descriptors.pop();
                let parts = Parts { server, server_handle, supervisor, control, inbox, stdin, stdout, stderr };
                Ok(Child::new(parts))
            }
            Report::NotStarted { errno } => Err(LaunchError::NotExecuted {
                program: program.to_owned(),
                cause: io::Error::from_raw_os_error(errno),
            }),
            Report::Exited { .. } | Report::Killed { .. } | Report::Survived => {
                Err(LaunchError::SupervisorFailed(io::ErrorKind::InvalidData.into()))
            }
        }
    }
}

type Ends = (ChildStdin, ChildStdout, ChildStderr);

/// The three pipes: the gateway's ends, and the server's in the order stdin, stdout, stderr. All close-on-exec.
struct Pipes {
    near: Ends,
    far: [OwnedFd; 3],
}

impl Pipes {
    fn open() -> io::Result<Self> {
        let (server_stdin, stdin) = io::pipe()?;
        let (stdout, server_stdout) = io::pipe()?;
        let (stderr, server_stderr) = io::pipe()?;
        let near = (
            ChildStdin::from_std(OwnedFd::from(stdin).into())?,
            ChildStdout::from_std(OwnedFd::from(stdout).into())?,
            ChildStderr::from_std(OwnedFd::from(stderr).into())?,
        );
        Ok(Self { near, far: [server_stdin.into(), server_stdout.into(), server_stderr.into()] })
    }
}

/// Sends the launch and the server's ends of the pipes, whose copies in this process are closed by that.
async fn hand_over(control: StdUnixStream, pipes: Pipes, launch: &[u8]) -> io::Result<(UnixStream, Ends)> {
    let length = u32::try_from(launch.len()).map_err(|_| io::ErrorKind::InvalidInput)?.to_le_bytes();
    let [stdin, stdout, stderr] = &pipes.far;
    // Four bytes go at once: the socket is new and empty.
    let sent = send_with(control.as_fd(), &length, &[stdin.as_fd(), stdout.as_fd(), stderr.as_fd()])?;
    if sent != length.len() {
        return Err(io::ErrorKind::WriteZero.into());
    }
    drop(pipes.far);
    let mut control = UnixStream::from_std(control)?;
    control.write_all(launch).await?;
    Ok((control, pipes.near))
}

fn resolve(spec: &LaunchSpec) -> Result<Launch, LaunchError> {
    check_texts(spec)?;
    let search_path = spec.environment.iter().find(|(name, _)| name == "PATH").map(|(_, value)| value.as_os_str());
    let program = resolve_program(&spec.program, &spec.base_directory, search_path).map_err(LaunchError::Program)?;
    let working_directory = match &spec.working_directory {
        None => None,
        Some(path) => {
            let path = spec.base_directory.join(path);
            if !path.is_absolute() || !path.is_dir() {
                return Err(LaunchError::WorkingDirectory { path });
            }
            Some(path)
        }
    };
    Ok(Launch { program, arguments: spec.args.clone(), environment: spec.environment.clone(), working_directory })
}

fn check_texts(spec: &LaunchSpec) -> Result<(), LaunchError> {
    let has_nul = |text: &OsStr| text.as_bytes().contains(&0);
    if has_nul(&spec.program) {
        return Err(LaunchError::NulByte { what: "the command" });
    }
    if spec.args.iter().any(|argument| has_nul(argument)) {
        return Err(LaunchError::NulByte { what: "an argument" });
    }
    if spec.working_directory.as_ref().is_some_and(|path| has_nul(path.as_os_str())) {
        return Err(LaunchError::NulByte { what: "the working directory" });
    }
    let mut names = std::collections::HashSet::new();
    for (name, value) in &spec.environment {
        let shown = || name.to_string_lossy().into_owned();
        if has_nul(name) || has_nul(value) {
            return Err(LaunchError::NulByte { what: "an environment variable" });
        }
        if name.is_empty() || name.as_bytes().contains(&b'=') {
            return Err(LaunchError::VariableName { name: shown() });
        }
        if !names.insert(name) {
            return Err(LaunchError::VariableTwice { name: shown() });
        }
    }
    Ok(())
}

fn advice(cause: &io::Error) -> &'static str {
    match cause.kind() {
        // The program itself was found before, so what is missing is what it needs to run.
        io::ErrorKind::NotFound => "the interpreter in its first line, or its loader, does not exist",
        io::ErrorKind::PermissionDenied => "this user may not execute it, or its file system forbids it",
        io::ErrorKind::ArgumentListTooLong => "its arguments and environment are too long for this system",
        _ if cause.raw_os_error() == Some(rustix::io::Errno::NOEXEC.raw_os_error()) => {
            "it is neither a program for this machine nor a script with an interpreter in its first line"
        }
        _ => "see the cause",
    }
}

#[cfg(test)]
mod tests {
    use super::{LaunchError, LaunchSpec, resolve};
    use std::ffi::OsString;
    use std::path::PathBuf;

    fn spec() -> LaunchSpec {
        LaunchSpec {
            program: "/bin/sh".into(),
            args: vec!["--token=CANARY".into()],
            environment: vec![("A".into(), "CANARY".into())],
            working_directory: None,
            base_directory: "/".into(),
        }
    }

    fn check(change: impl FnOnce(&mut LaunchSpec), expected: &str) {
        let mut spec = spec();
        change(&mut spec);
        let error = resolve(&spec).err().map(|error| error.to_string());
        assert_eq!(error.as_deref(), Some(expected));
    }

    #[test]
    fn what_the_kernel_would_misread_is_refused() {
        check(|spec| spec.args.push("a\0b".into()), "an argument holds a NUL byte; remove it");
        check(|spec| spec.program = "/bin/sh\0x".into(), "the command holds a NUL byte; remove it");
        let folder = "the working directory holds a NUL byte; remove it";
        check(|spec| spec.working_directory = Some("/\0".into()), folder);
        let variable = |name: &str, value: &str| (OsString::from(name), OsString::from(value));
        let nul = "an environment variable holds a NUL byte; remove it";
        check(|spec| spec.environment.push(variable("B", "x\0")), nul);
        let twice = "the environment variable `A` is given twice; remove one";
        check(|spec| spec.environment.push(variable("A", "")), twice);
        for (name, shown) in [("", ""), ("B=C", "B=C"), ("=\n", "=\\n")] {
            let expected = format!("`{shown}` cannot be the name of an environment variable; use a name without `=`");
            check(|spec| spec.environment.push(variable(name, "")), &expected);
        }
    }

    #[test]
    fn a_missing_working_directory_is_refused() {
        let missing = "the working directory `/nowhere/at/all` is not a folder; create it or correct the path";
        check(|spec| spec.working_directory = Some("nowhere/at/all".into()), missing);
        let mut relative = spec();
        relative.base_directory = PathBuf::from("relative");
        relative.working_directory = Some(PathBuf::from("src"));
        assert!(matches!(resolve(&relative), Err(LaunchError::WorkingDirectory { .. })));
    }

    #[test]
    fn debug_output_shows_no_values() {
        let shown = format!("{:?}", spec());
        assert!(shown.contains("/bin/sh") && shown.contains("\"A\"") && !shown.contains("CANARY"), "{shown}");
    }
}
