//! Stands for a stdio MCP server: passes standard input to a test and does what the test orders.
//!
//! `testkit-relay PORT [ANYTHING…]`: connects to 127.0.0.1:PORT. Everything it needs comes by arguments, because the
//! gateway gives its children no environment. Leaves when the test is gone.

use std::fs::File;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::fd::AsFd;
use std::process::{Command, ExitCode, Stdio, exit};
use std::time::Duration;

use serde_json::{Value, json};
use testkit::relay::{Order, Report, VERSION, read_frame, report};

/// The first argument of a grandchild, which only sleeps.
const SLEEP: &str = "--sleep";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.get(1).map(String::as_str) {
        Some(SLEEP) => {
            let seconds = arguments.get(2).and_then(|seconds| seconds.parse().ok()).unwrap_or(1);
            std::thread::sleep(Duration::from_secs(seconds));
            ExitCode::SUCCESS
        }
        Some(port) => {
            // Before the control socket is opened, so that the list of descriptors is what was inherited.
            let hello = hello();
            match port.parse().map(|port: u16| TcpStream::connect(("127.0.0.1", port))) {
                Ok(Ok(control)) => serve(control, &hello),
                Ok(Err(cause)) => usage(&format!("no test listens on port {port}: {cause}")),
                Err(_) => usage("the first argument must be a port"),
            }
        }
        None => usage("give a port"),
    }
}

fn usage(problem: &str) -> ExitCode {
    eprintln!("testkit-relay: {problem}");
    ExitCode::from(2)
}

fn serve(mut control: TcpStream, hello: &Value) -> ExitCode {
    let mut sender = control.try_clone().expect("clone the control socket");
    sender.set_nodelay(true).expect("no delay");
    sender.write_all(&report(Report::Hello, hello.to_string().as_bytes())).expect("say hello");
    let mut input_sender = control.try_clone().expect("clone the control socket");
    std::thread::spawn(move || pass_input(&mut input_sender));

    let mut output = Some(File::from(std::io::stdout().as_fd().try_clone_to_owned().expect("own stdout")));
    while let Ok((kind, payload)) = read_frame(&mut control) {
        match Order::parse(kind) {
            Some(Order::Output) => write_output(&mut output, &payload),
            Some(Order::Diagnostics) => drop(std::io::stderr().write_all(&payload)),
            Some(Order::CloseOutput) => {
                output = None;
                close_stdout();
            }
            Some(Order::Exit) => exit(payload.first().copied().map_or(0, i32::from)),
            Some(Order::StartGrandchild) => {
                let pid = start_grandchild(payload.first().copied().unwrap_or(1));
                let said = json!({ "version": VERSION, "grandchild": pid }).to_string();
                drop(sender.write_all(&report(Report::Hello, said.as_bytes())));
            }
            None => return usage("an unknown order: run `cargo build -p testkit`"),
        }
    }
    ExitCode::SUCCESS
}

fn pass_input(sender: &mut TcpStream) {
    let mut piece = vec![0; 64 << 10];
    let mut input = std::io::stdin().lock();
    while let Ok(count @ 1..) = input.read(&mut piece) {
        if sender.write_all(&report(Report::Input, &piece[..count])).is_err() {
            return;
        }
    }
    drop(sender.write_all(&report(Report::EndOfInput, b"")));
}

fn write_output(output: &mut Option<File>, payload: &[u8]) {
    // The gateway may have closed its end; the test sees that by the end of input.
    if output.as_mut().is_some_and(|file| file.write_all(payload).is_err()) {
        *output = None;
    }
}

/// Descriptor 1 must go too, or the pipe stays open.
fn close_stdout() {
    let nowhere = File::options().write(true).open("/dev/null").expect("open /dev/null");
    rustix::stdio::dup2_stdout(&nowhere).expect("replace stdout");
}

fn start_grandchild(seconds: u8) -> u32 {
    let own_path = std::env::current_exe().expect("own path");
    let mut command = Command::new(own_path);
    command.arg(SLEEP).arg(seconds.to_string());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().expect("start a grandchild").id()
}

fn hello() -> Value {
    let environment: serde_json::Map<String, Value> = std::env::vars_os()
        .map(|(name, value)| (name.to_string_lossy().into_owned(), json!(value.to_string_lossy())))
        .collect();
    // The handle of the listing itself is ours, not inherited.
    let inherited: Vec<u32> = std::fs::read_dir("/proc/self/fd")
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok())
        .filter(|entry| std::fs::read_link(entry.path()).is_ok_and(|target| !target.to_string_lossy().ends_with("/fd")))
        .filter_map(|entry| entry.file_name().to_string_lossy().parse().ok())
        .collect();
    json!({
        "version": VERSION,
        "pid": std::process::id(),
        "arguments": std::env::args().collect::<Vec<_>>(),
        "environment": environment,
        "folder": std::env::current_dir().map(|folder| folder.display().to_string()).unwrap_or_default(),
        "descriptors": inherited,
    })
}
