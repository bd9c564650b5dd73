//! A server gets what it was given and nothing else (LO-01, LO-08, LO-09).

use std::ffi::OsString;
use std::os::fd::AsRawFd;

use rustix::io::{FdFlags, dup, fcntl_getfd};
use stockade_sandbox::Exit;

use crate::support::{Folder, parent_of, session_of, spec, start, start_python, whole_output};

#[tokio::test]
async fn the_environment_is_the_given_list_and_nothing_else() {
    let mut spec = spec("/usr/bin/env", &[]);
    spec.environment = vec![("ONLY".into(), "this one".into()), ("EMPTY".into(), "".into())];
    let mut lines: Vec<String> = whole_output(&spec).await.lines().map(str::to_owned).collect();
    lines.sort();
    assert_eq!(lines, ["EMPTY=", "ONLY=this one"]);
    spec.environment.clear();
    assert_eq!(whole_output(&spec).await, "");
    assert!(std::env::vars_os().count() > 0, "there was nothing to leak, so nothing was shown");
}

#[tokio::test]
async fn the_parent_of_a_server_has_no_environment_to_read() {
    let mut spec = spec("/bin/cat", &[]);
    spec.environment.push((OsString::from("SERVER_SECRET"), OsString::from("CANARY")));
    let child = start(&spec).await;
    let supervisor = parent_of(child.id());
    assert_eq!(Some(supervisor), child.supervisor_id());
    // Read as root in many test runs: for others the file is closed altogether, which is as good.
    match std::fs::read(format!("/proc/{supervisor}/environ")) {
        Ok(bytes) => assert_eq!(bytes, b""),
        Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::PermissionDenied),
    }
    assert_eq!(child.stop(std::time::Duration::from_secs(10)).await, Exit::Code(0));
}

const LIST_DESCRIPTORS: &str = r"
import os
for number in sorted(int(name) for name in os.listdir('/proc/self/fd')):
    try:
        print(number, os.readlink(f'/proc/self/fd/{number}').split(':')[0])
    except FileNotFoundError:
        pass
";

#[tokio::test]
async fn only_three_descriptors_are_inherited_even_if_somebody_forgot_close_on_exec() {
    let folder = Folder::new();
    let file = std::fs::File::open(folder.file("secret", "CANARY", 0o600)).unwrap();
    // `dup` clears close-on-exec, which is what careless code looks like.
    let leaks = [dup(&file).unwrap(), dup(&file).unwrap()];
    for leak in &leaks {
        assert_eq!(fcntl_getfd(leak).unwrap(), FdFlags::empty());
    }
    // Without the supervisor the descriptor does arrive: the test can fail.
    let path = format!("/proc/self/fd/{}", leaks[0].as_raw_fd());
    assert!(std::process::Command::new("/bin/cat").arg(&path).output().unwrap().status.success());
    let output = whole_output(&spec("python3", &["-c", LIST_DESCRIPTORS])).await;
    assert_eq!(output, "0 pipe\n1 pipe\n2 pipe\n");
}

#[tokio::test]
async fn one_servers_pipes_are_not_held_open_by_another() {
    let mut first = start(&spec("/bin/cat", &[])).await;
    let second = start(&spec("/bin/cat", &[])).await;
    drop(first.stdin.take());
    assert_eq!(first.wait().await, Exit::Code(0));
    assert_eq!(second.stop(std::time::Duration::from_secs(10)).await, Exit::Code(0));
}

#[tokio::test]
async fn arguments_reach_the_program_as_they_are() {
    let folder = Folder::new();
    let touched = folder.0.join("touched");
    let hostile: Vec<String> =
        [";touch FILE", "$(touch FILE)", "`touch FILE`", "a\ntouch FILE", "", "*", "-x", "\u{1b}[2J"]
            .iter()
            .map(|text| text.replace("FILE", touched.to_str().unwrap()))
            .collect();
    let script = "import sys; sys.stdout.write('\\0'.join(sys.argv[1:]))";
    let mut args = vec!["-c", script];
    args.extend(hostile.iter().map(String::as_str));
    assert_eq!(whole_output(&spec("python3", &args)).await.split('\0').collect::<Vec<_>>(), hostile);
    assert!(!touched.exists());
}

#[tokio::test]
async fn a_server_is_in_another_session_than_the_gateway() {
    let child = start_python("input()").await;
    let supervisor = child.supervisor_id().unwrap();
    assert_eq!(session_of(child.id()), supervisor);
    assert_ne!(session_of(child.id()), session_of(std::process::id()));
    child.stop(std::time::Duration::from_secs(10)).await;
}

#[tokio::test]
async fn signals_are_as_a_program_expects_them() {
    // 32 and 33 belong to the C library, which leaves them ignored in what it spawns (signal(7)).
    const LIBRARY_SIGNALS: u64 = 0b11 << 31;
    // Blocked, ignored, and caught. Rust ignores SIGPIPE in this process; the supervisor catches four signals.
    let status = whole_output(&spec("/bin/cat", &["/proc/self/status"])).await;
    for name in ["SigBlk", "SigIgn", "SigCgt"] {
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        let signals = u64::from_str_radix(line.split_whitespace().nth(1).unwrap(), 16).unwrap();
        assert_eq!(signals & !LIBRARY_SIGNALS, 0, "{name} {signals:x}");
    }
}
