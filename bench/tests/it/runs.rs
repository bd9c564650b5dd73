//! Whole runs, short ones.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use serde_json::{Value, json};
use stockade_bench::plan::{Scenario, Target};

use crate::{Part, program};

/// A folder for one test, removed afterwards.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    /// A program that stands in for the gateway.
    fn program(&self, script: &str) -> PathBuf {
        let path = self.0.join("stockade");
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

fn run(arguments: &[&str]) -> Output {
    program().args(arguments).stdin(Stdio::null()).output().unwrap()
}

fn words(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Every cell of the report has numbers that can be true.
fn check_report(output: &Output, targets: &[Target]) {
    assert_eq!(output.status.code(), Some(0), "{}", words(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let cells = report["cells"].as_array().unwrap();
    assert_eq!(cells.len(), Scenario::all().len() * targets.len());
    for cell in cells {
        assert_eq!(cell["status"], "ok", "{cell}");
        let number = |name: &str| cell[name].as_f64().unwrap();
        assert!(number("requests_per_second") > 10.0 && number("resident_mib") > 1.0, "{cell}");
        assert!(0.0 < number("p50_us") && number("p50_us") <= number("p99_us"), "{cell}");
    }
    let rate = |cell: &&Value| cell["scenario"]["pace"]["open"]["rate"] == 1000;
    let open: Vec<_> = cells.iter().filter(rate).map(|cell| cell["requests_per_second"].as_f64().unwrap()).collect();
    assert_eq!(open.len(), targets.len());
    // An upper limit only: a busy machine may fall behind the rate, but nothing may make the generator exceed it by much.
    assert!(open.iter().all(|rate| *rate < 1700.0), "{open:?}");
    assert_eq!(report["memory"].as_array().unwrap().len(), targets.len());
    assert!(report["memory"].as_array().unwrap().iter().all(|cell| cell["connections"] == 50), "{}", report["memory"]);
}

#[test]
fn a_quick_run_has_numbers_for_the_upstream_and_the_proxy() {
    let output = run(&["--quick", "--only", "direct,proxy", "--json"]);
    check_report(&output, &[Target::Direct, Target::Proxy]);
}

#[test]
fn the_gateway_is_started_with_its_configuration_and_its_folder_is_removed() {
    let folder = Folder::new("stand-in");
    let bench = env!("CARGO_BIN_EXE_stockade-bench");
    // Stands in for `stockade up --config FILE --data DIR --json`: notes its arguments and becomes the bare proxy.
    let script = format!(
        "echo \"$@\" >> '{0}/arguments'\ncp \"$3\" '{0}/configuration'\n\
         exec '{bench}' proxy --upstream \"$(sed -n 's|^url = \"http://\\(.*\\)/mcp\"$|\\1|p' \"$3\")\"",
        folder.0.display()
    );
    let stand_in = folder.program(&script);
    let stockade = ["--stockade", stand_in.to_str().unwrap()];
    let arguments = ["--quick", "--only", "stockade", "--era", "legacy", "--json"];
    check_report(&run(&[&arguments[..], &stockade].concat()), &[Target::Stockade]);

    let started = fs::read_to_string(folder.0.join("arguments")).unwrap();
    let first: Vec<_> = started.lines().next().unwrap().split(' ').collect();
    let ["up", "--config", config, "--data", data, "--json"] = first[..] else { panic!("{started}") };
    assert!(!Path::new(config).exists() && !Path::new(data).parent().unwrap().exists());
    let configuration = fs::read_to_string(folder.0.join("configuration")).unwrap();
    assert!(configuration.contains("profile = \"internal\""), "{configuration}");
}

#[test]
fn a_gateway_that_does_not_start_is_reported_with_its_log() {
    let folder = Folder::new("broken");
    let stand_in = folder.program("echo 'unknown key `servres`' >&2\nexit 2");
    let output = run(&["--quick", "--only", "stockade", "--stockade", stand_in.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2));
    let said = words(&output.stderr);
    assert!(said.contains("could not start `stockade`") && said.contains("unknown key `servres`"), "{said}");
}

#[test]
fn a_gateway_that_refuses_is_a_failed_cell_and_not_a_fast_one() {
    let folder = Folder::new("refusing");
    let bench = env!("CARGO_BIN_EXE_stockade-bench");
    // A proxy before nothing: every answer is 502, quickly.
    let stand_in = folder.program(&format!("exec '{bench}' proxy --upstream 127.0.0.1:1"));
    let document = folder.0.join("benchmarks.md");
    fs::write(&document, "before\n<!-- results:begin -->\n<!-- results:end -->\nafter\n").unwrap();
    let arguments = ["--quick", "--only", "stockade", "--label", "refused", "--markdown", document.to_str().unwrap()];
    let output = run(&[&arguments[..], &["--stockade", stand_in.to_str().unwrap()]].concat());
    assert_eq!(output.status.code(), Some(1), "{}", words(&output.stderr));
    assert!(
        words(&output.stdout)
            .contains("stockade  FAILED: 1 errors; the first: tools/call was answered with status 502")
    );
    let document = fs::read_to_string(document).unwrap();
    assert!(document.starts_with("before\n") && document.ends_with("after\n"), "{document}");
    assert!(document.contains("`refused`") && document.contains("**stockade failed**"), "{document}");
}

#[test]
fn what_cannot_be_measured_is_said_at_once() {
    let folder = Folder::new("refused");
    let document = folder.0.join("page.md");
    fs::write(&document, "no markers").unwrap();
    let cases: [(&[&str], &str); 3] = [
        (&["--stockade", "no-such-program"], "there is no program `no-such-program`"),
        (&["--only", "direct", "--markdown", document.to_str().unwrap()], "results:begin"),
        (&["--only", "direct", "--markdown", "no-such-page"], "could not read `no-such-page`"),
    ];
    for (arguments, expected) in cases {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(2));
        assert!(words(&output.stderr).contains(expected), "{}", words(&output.stderr));
    }
}

#[test]
fn a_generator_whose_target_dies_counts_the_error() {
    let upstream = Part::start(&["upstream"]);
    let authority = upstream.authority.clone();
    drop(upstream);
    let scenario = json!({"work": "echo_1k", "connections": 4, "pace": "closed"});
    let endpoint = json!({"authority": authority, "path": "/mcp", "key": "k"});
    let order = json!({"load": {"endpoint": endpoint, "scenario": scenario, "era": "modern", "warm_up_ms": 1,
                                "measure_ms": 1, "watched": std::process::id()}});
    let mut child = program().arg("load").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    writeln!(child.stdin.take().unwrap(), "{order}").unwrap();
    let output = child.wait_with_output().unwrap();
    let sample: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&sample["requests"], &sample["errors"]), (&json!(0), &json!(1)));
    assert!(sample["first_error"].as_str().unwrap().contains("connection broke"), "{sample}");
}
