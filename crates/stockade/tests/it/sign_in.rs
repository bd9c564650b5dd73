//! Signing in at the gateway itself: the official clients' own OAuth code, real pages, and what ends it.

use crate::program::Program;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use testkit::{Config, Era, Gateway, GatewayOptions, HttpClient, Permit, Upstream, WellBehaved};

const PASSWORD: &str = "correct horse battery staple";

/// A gateway without a configuration, on a port of its own.
fn start(more: &[&str]) -> Gateway {
    let arguments = ["--listen", "127.0.0.1:0"].iter().chain(more).map(|word| (*word).to_owned()).collect();
    Gateway::start(env!("CARGO_BIN_EXE_stockade"), GatewayOptions { arguments, ..GatewayOptions::default() })
}

/// A gateway with the embedded authorization server, and one user.
fn gateway() -> Gateway {
    let gateway = start(&["--sign-in"]);
    let data = gateway.data().display().to_string();
    let made = Program::new()
        .run_with(&["users", "add", "alice", "--password-stdin", "--data", &data], format!("{PASSWORD}\n").as_bytes());
    assert_eq!(made.code, Some(0), "{made:?}");
    gateway
}

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Runs the driver and reads its lines.
fn sign_in(gateway: &Gateway, sdk: &str, route: &str, tool: &str, password: &str) -> (Option<i32>, Vec<Value>) {
    let machine = if cfg!(target_arch = "aarch64") { "arm64" } else { "x64" };
    let node = workspace().join(format!(".test-deps/node22/node_modules/node-linux-{machine}/bin/node"));
    assert!(node.exists(), "run `cargo xtask deps` first");
    let output = Command::new(node)
        .arg(workspace().join("fixtures/node/sign-in-client.mjs"))
        .args(["--sdk", sdk, "--url", route, "--user", "alice", "--tool", tool])
        .args(["--arguments", r#"{"query":"SELECT 1"}"#])
        .env_clear()
        .env("SIGN_IN_PASSWORD", password)
        .stdin(Stdio::null())
        .output()
        .expect("start the client");
    let lines = String::from_utf8_lossy(&output.stdout).into_owned();
    let lines = lines.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    assert!(gateway.is_alive(), "{}", gateway.stderr());
    (output.status.code(), lines)
}

fn result<'l>(lines: &'l [Value], op: &str) -> &'l Value {
    lines.iter().find(|line| line["op"] == op).unwrap_or_else(|| panic!("no `{op}` in {lines:#?}"))
}

#[test]
fn the_official_clients_sign_in_call_and_refresh() {
    let gateway = gateway();
    let sample = gateway.url_of("sample");
    for sdk in ["1", "2"] {
        for (route, tool) in [(gateway.url(), "sample__secure_query"), (sample.as_str(), "secure_query")] {
            let (code, lines) = sign_in(&gateway, sdk, route, tool, PASSWORD);
            assert_eq!(code, Some(0), "{sdk} {route}: {lines:#?}\n{}", gateway.stderr());
            assert_eq!(result(&lines, "list_tools")["result"], json!([tool]));
            assert_eq!(result(&lines, "call_tool")["result"]["isError"], false);
            let after = result(&lines, "after_refresh");
            assert_eq!((&after["result"]["isError"], &after["rotated"]), (&json!(false), &json!(true)), "{after}");
        }
    }
    let records = gateway.audit();
    assert!(records.iter().any(|record| record.caller() == "local:alice"));
    assert!(!gateway.stderr().contains(PASSWORD));
}

#[test]
fn a_wrong_password_gives_no_token() {
    let gateway = gateway();
    let (code, lines) = sign_in(&gateway, "2", gateway.url(), "sample__secure_query", "wrong");
    assert_eq!(code, Some(1), "{lines:#?}");
    assert!(lines.iter().all(|line| line["op"] == "failed"), "{lines:#?}");
    assert!(gateway.stderr().contains("sign-in-failed"));
}

#[test]
fn without_being_chosen_nobody_signs_in() {
    let gateway = start(&[]);
    for path in ["/authorize", "/token", "/jwks.json", "/.well-known/oauth-protected-resource/mcp"] {
        assert_eq!(status_of(&gateway, path), 404, "{path}");
    }
}

fn status_of(gateway: &Gateway, path: &str) -> u16 {
    let address = gateway.address();
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    let mut stream = std::net::TcpStream::connect(address).expect("connect");
    std::io::Write::write_all(&mut stream, request.as_bytes()).expect("write");
    let mut answer = String::new();
    std::io::Read::read_to_string(&mut stream, &mut answer).expect("read");
    answer.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status")
}

#[test]
fn a_refused_credential_is_explained_without_being_shown() {
    let gateway = gateway();
    let data = gateway.data().display().to_string();
    let explain = |credential: &str| {
        let words = ["auth", "explain", "--json", "--url", gateway.url(), "--data", &data];
        Program::new().run_with(&words, format!("{credential}\n").as_bytes())
    };
    let right = explain(gateway.api_key());
    assert_eq!(right.code, Some(0), "{right:?}");
    assert!(right.stdout.contains(r#""caller":"owner""#), "{right:?}");
    let wrong = explain("eyJhbGciOiJub25lIn0.eyJpc3MiOiJodHRwczovL2FzLnRlc3QifQ.");
    assert_eq!(wrong.code, Some(1), "{wrong:?}");
    assert!(wrong.stdout.contains(r#""passed":false"#) && wrong.stdout.contains("refused"), "{wrong:?}");
    for said in [&right, &wrong] {
        assert!(!said.stdout.contains(gateway.api_key()) && !said.stdout.contains("eyJhbGciOiJub25lIn0"), "{said:?}");
    }
}

/// R-06: a session of the legacy era outlives the process that opened it, for its own caller and nobody else.
#[test]
fn a_session_goes_on_after_a_restart_for_its_own_caller() {
    let server = Upstream::http(WellBehaved::files());
    let config =
        Config::new().server("files", server.entry()).permit(Permit::everything_on("files").callers(&["alice", "bob"]));
    let mut gateway = Gateway::start(env!("CARGO_BIN_EXE_stockade"), config);
    let (alice, bob) = (gateway.key_for("alice"), gateway.key_for("bob"));
    let before = HttpClient::connect(&gateway.url_of("files"), &alice, Era::OVER_HTTP[2]);
    let session = before.session().expect("a session");
    gateway.restart();
    let call = |key: &str, route: &str| {
        let client = HttpClient::unopened(route, Some(key), Era::OVER_HTTP[2]);
        let call = client.prepare_call("read_file", json!({ "path": "a" }));
        client.send(call.header("Mcp-Session-Id", &session).header("MCP-Protocol-Version", "2025-11-25"))
    };
    let (files, merged) = (gateway.url_of("files"), gateway.url().to_owned());
    assert_eq!(call(&bob, &files).status(), 404);
    assert_eq!(call(&alice, &merged).status(), 404);
    let answer = call(&alice, &files);
    assert_eq!(answer.status(), 200, "{answer:?}\n{}", gateway.stderr());
    assert_eq!(answer.text(), "read_file a");
    // Ended is ended, here too.
    let client = HttpClient::unopened(&files, Some(&alice), Era::OVER_HTTP[2]);
    let delete = client.prepare_bodiless("DELETE").header("Mcp-Session-Id", &session);
    assert_eq!(client.send(delete.header("MCP-Protocol-Version", "2025-11-25")).status(), 200);
    assert_eq!(call(&alice, &files).status(), 404);
}
