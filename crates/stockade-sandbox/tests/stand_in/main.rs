//! Stands in for the gateway in the tests of this crate: the executable that supervisors are made of, and a process that
//! starts a server and can be ended from outside.

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use stockade_sandbox::{LaunchSpec, Launcher, SUPERVISE_COMMAND, base_environment, supervise_main};
use tokio::io::AsyncReadExt;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().is_some_and(|first| first == SUPERVISE_COMMAND) {
        return ExitCode::from(u8::try_from(supervise_main()).unwrap_or(u8::MAX));
    }
    let Some(program) = arguments.next() else { return ExitCode::from(2) };
    let result = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .and_then(|runtime| runtime.block_on(start_and_relay(program, arguments.collect())));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "{error}");
            ExitCode::FAILURE
        }
    }
}

/// Starts the server with its standard output going to ours, until one of us ends.
async fn start_and_relay(program: OsString, args: Vec<OsString>) -> std::io::Result<()> {
    let environment = base_environment(std::env::vars_os());
    let base_directory = PathBuf::from("/");
    let spec = LaunchSpec { program, args, environment, working_directory: None, base_directory };
    let mut child = Launcher::own_executable().start(&spec).await.map_err(std::io::Error::other)?;
    let mut output = child.stdout.take().ok_or(std::io::ErrorKind::BrokenPipe)?;
    let mut buffer = [0; 4096];
    loop {
        let count = output.read(&mut buffer).await?;
        let Some(read) = buffer.get(..count).filter(|read| !read.is_empty()) else { break };
        let mut stdout = std::io::stdout();
        stdout.write_all(read)?;
        stdout.flush()?;
    }
    let exit = child.wait().await;
    writeln!(std::io::stdout(), "{exit}")
}
