//! Starting, and the reasons why not.

use std::path::PathBuf;
use std::time::Duration;

use stockade_sandbox::{Exit, LaunchError, Launcher};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{Folder, launcher, spec, start, whole_output};

async fn refusal(program: &str, working_directory: Option<PathBuf>) -> LaunchError {
    let mut spec = spec(program, &[]);
    spec.working_directory = working_directory;
    launcher().start(&spec).await.expect_err("it started")
}

#[tokio::test]
async fn what_goes_in_comes_out() {
    let mut child = start(&spec("/bin/sh", &["-c", "cat; echo problem >&2"])).await;
    let mut input = child.stdin.take().unwrap();
    input.write_all(b"{\"jsonrpc\":\"2.0\"}\n").await.unwrap();
    drop(input);
    let (mut output, mut complaints) = (String::new(), String::new());
    child.stdout.take().unwrap().read_to_string(&mut output).await.unwrap();
    child.stderr.take().unwrap().read_to_string(&mut complaints).await.unwrap();
    assert_eq!((output.as_str(), complaints.as_str()), ("{\"jsonrpc\":\"2.0\"}\n", "problem\n"));
    assert_eq!(child.wait().await, Exit::Code(0));
}

#[tokio::test]
async fn the_working_directory_is_the_given_one() {
    let folder = Folder::new();
    let mut spec = spec("/bin/pwd", &[]);
    spec.working_directory = Some(folder.0.clone());
    assert_eq!(whole_output(&spec).await.trim_end(), folder.0.to_str().unwrap());
    spec.working_directory = Some(folder.0.file_name().unwrap().into());
    spec.base_directory = folder.0.parent().unwrap().into();
    assert_eq!(whole_output(&spec).await.trim_end(), folder.0.to_str().unwrap());
}

#[tokio::test]
async fn a_script_without_its_interpreter_is_a_clear_error() {
    let folder = Folder::new();
    let script = folder.file("server", "#!/nowhere/python9\n", 0o755);
    let error = refusal(script.to_str().unwrap(), None).await;
    assert!(matches!(error, LaunchError::NotExecuted { .. }), "{error:?}");
    let expected = format!(
        "could not execute `{}`; the interpreter in its first line, or its loader, does not exist",
        script.display()
    );
    assert_eq!(error.to_string(), expected);
}

#[tokio::test]
async fn a_text_file_is_not_given_to_a_shell() {
    // `execvp` of the C library hands what it cannot execute to `/bin/sh`.
    let folder = Folder::new();
    let text = folder.file("server", "touch touched\n", 0o755);
    for working_directory in [None, Some(folder.0.clone())] {
        let error = refusal(text.to_str().unwrap(), working_directory).await;
        assert!(error.to_string().contains("neither a program for this machine nor a script"), "{error}");
    }
    assert!(!folder.0.join("touched").exists());
}

#[tokio::test]
async fn too_long_arguments_are_refused() {
    // One argument above the kernel's 128 KiB (MAX_ARG_STRLEN), then a launch above ours.
    let mut spec = spec("/bin/true", &[]);
    spec.args = vec!["x".repeat(200_000).into()];
    let error = launcher().start(&spec).await.unwrap_err();
    assert!(error.to_string().contains("too long for this system"), "{error}");
    spec.args = vec!["x".repeat(3_000_000).into()];
    assert!(matches!(launcher().start(&spec).await, Err(LaunchError::TooLong)));
}

#[tokio::test]
async fn a_large_environment_arrives_whole() {
    // More than a socket's buffer holds, so that the launch goes in pieces.
    let mut spec = spec("/usr/bin/env", &[]);
    spec.environment = (0..10).map(|number| (format!("V{number}").into(), "x".repeat(100_000).into())).collect();
    assert_eq!(whole_output(&spec).await.len(), 10 * (100_000 + "V0=\n".len()));
}

#[tokio::test]
async fn an_executable_that_is_no_supervisor_is_a_clear_error() {
    let wrong = Launcher::with_supervisor(PathBuf::from("/bin/true"));
    assert!(matches!(wrong.start(&spec("/bin/cat", &[])).await, Err(LaunchError::SupervisorFailed(_))));
    let missing = Launcher::with_supervisor(PathBuf::from("/nowhere/stockade"));
    assert!(matches!(missing.start(&spec("/bin/cat", &[])).await, Err(LaunchError::NoSupervisor(_))));
}

#[tokio::test]
async fn a_start_that_nobody_waits_for_leaves_nothing_behind() {
    // Dropped at ever later moments, before, while and after the server starts.
    let folder = Folder::new();
    let program = folder.0.join("server");
    std::os::unix::fs::symlink("/bin/sleep", &program).unwrap();
    let program = program.to_str().unwrap();
    let spec = spec(program, &["600"]);
    let witness = start(&spec).await;
    // What would be found: a supervisor and a server.
    wait_for_processes(program, 2).await;
    drop(witness);
    for step in 0..20 {
        let _ = tokio::time::timeout(Duration::from_micros(step * 300), launcher().start(&spec)).await;
    }
    wait_for_processes(program, 0).await;
}

/// The kernel fills in a command line shortly after the start that it reports, so even the first count is waited for.
async fn wait_for_processes(program: &str, expected: usize) {
    let begun = std::time::Instant::now();
    loop {
        let found = processes_named(program);
        if found == expected {
            return;
        }
        assert!(begun.elapsed() < crate::support::END_LIMIT, "{found} processes instead of {expected}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// How many processes have this text in their command line: the supervisors of a program and the program itself.
fn processes_named(text: &str) -> usize {
    let entries = std::fs::read_dir("/proc").unwrap();
    let lines = entries.filter_map(|entry| std::fs::read(entry.unwrap().path().join("cmdline")).ok());
    lines.filter(|line| line.split(|byte| *byte == 0).any(|argument| argument == text.as_bytes())).count()
}
