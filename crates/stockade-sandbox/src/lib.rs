//! Starts, supervises and reaps child processes (MCP servers that speak over stdio).
//!
//! **For:** the one place of Stockade with `Command`. A child gets exactly the program, arguments, environment and
//! three descriptors that it was given, and when it ends, is stopped, or the gateway dies in whatever way, every process
//! that came from it ends too.
//!
//! **Never:** runs a shell, reads the environment of this process, searches a working directory for a program, or lets
//! a process outlive its owner.
//!
//! **On the road:** beside it. The `forward` step of the gateway writes to the pipes of a [`Child`] and reads from them;
//! nothing in here looks at what goes through.
//!
//! # How
//!
//! ```text
//! gateway ──socket──► supervisor ──► server ──► whatever it starts
//!    └───────── stdin, stdout, stderr ──┘
//! ```
//!
//! [`Launcher::start`] runs the gateway's own executable again as a *supervisor* ([`supervise_main`]): a process with
//! one thread, an empty environment, no terminal, and one socket to the gateway. It is a child subreaper
//! (`PR_SET_CHILD_SUBREAPER`, prctl(2)): a process that daemonises becomes the supervisor's child instead of
//! init's, so nothing gets out of its sight. When the server ends, the gateway asks for it, or the socket closes (which
//! it also does after `kill -9` of the gateway), it ends all of them and goes. The server's pipes go straight to the
//! gateway; the supervisor copies no byte.
//!
//! # What this is not
//!
//! Nothing here confines a server: it can read, write and connect like the user who runs it. In particular it can
//! send signals to its own supervisor. Stopping the supervisor (`SIGSTOP`) or killing it (`SIGKILL`) is an attack that
//! only confinement can forbid; here the gateway notices, kills what is left of the server's process group, and says
//! [`Exit::SupervisorLost`]. The same holds for processes that others start on the server's behalf (cron, systemd,
//! a container engine) and for those that changed to another user by a set-user-id program.
//!
//! # Systems
//!
//! Linux only (5.3 or newer for the pidfd that makes the last resort above safe; without it that resort is left out).
//! Other Unixes have process groups, but no subreaper and no `/proc`: a server that calls `setsid` would escape. Rather
//! than promise less in silence, the crate does not compile there.

#[cfg(not(target_os = "linux"))]
compile_error!("stockade-sandbox needs Linux: other systems cannot find the daemonised children of a server");

mod child;
mod control;
mod descendants;
mod descriptors;
mod environment;
mod launch;
mod program;
mod supervise;

pub use child::{Child, Exit};
pub use environment::base_environment;
pub use launch::{LaunchError, LaunchSpec, Launcher};
pub use program::{ProgramError, resolve_program};
pub use supervise::{SUPERVISE_COMMAND, supervise_main};
