//! OP-03: where the gateway listens, and what it speaks there.

use serde_json::{Value, json};
use testkit::certificates::replace;
use testkit::{Config, Gateway, RawHttp, ServerEntry};

use crate::ground::{LONG, STOCKADE, everything};
use crate::secure::{ERAS, Files, Secure};

fn with_server() -> Config {
    everything().server("files", &ServerEntry::Url("http://127.0.0.1:9/mcp".to_owned()))
}

/// The gateway does not start and says this.
#[track_caller]
fn assert_refused(config: Config, expected: &[&str]) {
    let shown = config.to_toml();
    let Err((status, said)) = Gateway::try_start(STOCKADE, config) else { panic!("it has started with\n{shown}") };
    assert_eq!(status.and_then(|status| status.code()), Some(2), "{shown}\n{said}");
    for expected in expected {
        assert!(said.contains(expected), "no {expected:?} in\n{said}");
    }
}

#[test]
fn without_a_configuration_only_this_machine_reaches_it() {
    // What holds if nobody says anything; then the same with a port that is free.
    let gateway = Gateway::start(STOCKADE, with_server());
    let shown = gateway.command(&["config", "schema"]);
    let schema: Value = serde_json::from_slice(&shown.stdout).expect("JSON");
    assert_eq!(schema["properties"]["gateway"]["properties"]["listen"]["default"], "127.0.0.1:8443");
    let listening = listening_addresses(gateway.pid());
    assert_eq!(listening, ["0100007F"], "127.0.0.1 and nothing else");
}

/// Addresses that a process listens on, as the kernel writes them (proc_net(5): hexadecimal, lowest byte first).
fn listening_addresses(pid: u32) -> Vec<String> {
    const LISTEN: &str = "0A";
    let own: Vec<String> = std::fs::read_dir(format!("/proc/{pid}/fd"))
        .expect("its descriptors")
        .filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok())
        .filter_map(|target| Some(target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned()))
        .collect();
    let table = |name: &str| std::fs::read_to_string(format!("/proc/{pid}/net/{name}")).unwrap_or_default();
    let lines = [table("tcp"), table("tcp6")].concat();
    let rows = lines.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    rows.filter(|row| row.get(3) == Some(&LISTEN) && row.get(9).is_some_and(|node| own.iter().any(|own| own == node)))
        .map(|row| row[1].split(':').next().unwrap_or_default().to_owned())
        .collect()
}

#[test]
fn an_address_of_the_network_needs_tls_and_a_name() {
    let files = Files::new();
    for listen in ["0.0.0.0:0", "[::]:0", "192.0.2.1:8443", "[2001:db8::1]:8443"] {
        let open = || with_server().gateway("listen", json!(listen));
        assert_refused(open(), &["stockade.toml:2:", "which other machines can reach", "fix:", "add `[tls]`"]);
        assert_refused(files.with_tls(open()), &["stockade.toml:2:", "by which name", "fix:", "set `resource"]);
    }
}

#[test]
fn a_key_that_others_can_read_is_no_key() {
    let files = Files::new();
    let key = std::fs::read_to_string(files.at("gateway.key")).expect("the key");
    replace(&files.at("gateway.key"), &key, 0o644);
    assert_refused(
        files.with_tls(with_server()),
        &["gateway.key` is open to others (mode 644)", "`chmod 600`", "fix:"],
    );
    replace(&files.at("gateway.key"), &key, 0o600);
    let other = Files::new();
    std::fs::copy(other.at("gateway.pem"), files.at("gateway.pem")).expect("copy");
    assert_refused(files.with_tls(with_server()), &["cannot be used together"]);
    std::fs::remove_file(files.at("gateway.pem")).expect("remove");
    assert_refused(files.with_tls(with_server()), &["gateway.pem` cannot be read"]);
}

#[test]
fn a_server_elsewhere_is_reached_over_tls_only() {
    for (url, expected) in [
        ("http://192.0.2.1/mcp", "is `http` to another machine"),
        ("ws://127.0.0.1/mcp", "is neither `https` nor `http`"),
        ("wss://192.0.2.1/mcp", "is neither `https` nor `http`"),
    ] {
        assert_refused(everything().server_setting("files", "url", json!(url)), &[expected, "fix:"]);
    }
}

#[test]
fn http_in_the_clear_is_not_spoken_where_tls_is() {
    let secure = Secure::open(|files, config| files.with_tls(config));
    let before = secure.gateway.audit().len();
    secure.upstream.recorder().clear();
    for era in ERAS {
        let mut connection = RawHttp::connect(secure.gateway.address()).expect("it listens");
        drop(connection.send(secure.first(era).to_bytes()));
        let said = connection.bytes(LONG).unwrap_or_default();
        assert!(!said.starts_with(b"HTTP"), "{:?}", String::from_utf8_lossy(&said));
        assert!(connection.closes_within(LONG));
    }
    secure.upstream.recorder().assert_nothing();
    assert_eq!(secure.gateway.audit().len(), before);
    let options = secure.options();
    assert!(secure.ask(&options.clone().only_1_2(), &secure.first(ERAS[0])).is_err(), "TLS 1.2 by choice only");
    let (head, body): (_, Value) = secure.ask(&options, &secure.first(ERAS[0])).expect("an answer");
    assert_eq!(head.status(), Some(200), "{body}");
}
