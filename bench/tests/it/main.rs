//! The benchmark's program as a whole: its parts answer what the protocol wants, its runs end with numbers or with the
//! reason why there are none.

mod conformity;
mod runs;

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

/// A part of the benchmark; it ends when its standard input is dropped with this value.
struct Part {
    child: Child,
    authority: String,
}

impl Part {
    fn start(arguments: &[&str]) -> Self {
        let mut child = program().args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ready: serde_json::Value = serde_json::from_str(&line).unwrap();
        let authority = ready["url"].as_str().unwrap().strip_prefix("http://").unwrap().to_owned();
        Self { child, authority }
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        self.child.wait().unwrap();
    }
}

fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_stockade-bench"))
}
