//! The `stockade` command. Everything is in the library, so that tests and fuzz targets reach it.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // First, and before anything reads the environment or starts a thread: the supervisor of a server's process is this
    // very executable, called by itself.
    if std::env::args_os().nth(1).is_some_and(|argument| argument == stockade_sandbox::SUPERVISE_COMMAND) {
        std::process::exit(stockade_sandbox::supervise_main());
    }
    stockade::main()
}
