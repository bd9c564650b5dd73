//! Transport: what the configuration may say, and what `stockade certs` says of the files behind it.

use crate::program::Program;
use serde_json::Value;
use stockade::config::parse_for_fuzz;
use testkit::certificates::{Authority, Leaf, replace};

/// Line, a part of what is said, a part of the fix.
type Expected = (u32, &'static str, &'static str);

#[track_caller]
fn check(text: &str, expected: &[Expected]) {
    let problems = parse_for_fuzz(text).err().map(|errors| errors.problems().to_vec()).unwrap_or_default();
    let line = |problem: &stockade::config::Problem| problem.place.as_ref().map(|place| place.line);
    let said: Vec<_> = problems.iter().map(|p| format!("{:?} {} | {} | {}", line(p), p.what, p.why, p.fix)).collect();
    assert_eq!(said.len(), expected.len(), "{text}\n{said:#?}");
    for (problem, (at, what, fix)) in problems.iter().zip(expected) {
        let whole = format!("{} | {}", problem.what, problem.why);
        assert_eq!(line(problem), Some(*at), "{text}\n{said:#?}");
        assert!(whole.contains(what) && problem.fix.contains(fix), "{text}\n{said:#?}\nexpected {what:?} {fix:?}");
    }
}

const TLS: &str = "[tls]\ncertificate = \"a.pem\"\nkey = \"a.key\"\n";
const SERVER: &str = "[servers.db]\nurl = \"https://db.test/mcp\"\n[servers.db.tls]\n";

#[test]
fn an_address_of_the_network_needs_tls_and_a_name() {
    let gateway = |listen: &str, more: &str| format!("[gateway]\nlisten = \"{listen}\"\n{more}");
    check(&gateway("127.0.0.1:8443", ""), &[]);
    check(&gateway("[::1]:8443", TLS), &[]);
    check(&gateway("10.0.0.1:8443", ""), &[(2, "there is no `[tls]`", "add `[tls]`")]);
    check(&gateway("10.0.0.1:8443", TLS), &[(2, "by which name", "set `resource")]);
    check(&gateway("10.0.0.1:8443", &format!("hosts = [\"gw.test\"]\n{TLS}")), &[]);
    check(&gateway("10.0.0.1:8443", &format!("resource = \"https://gw.test/mcp\"\n{TLS}")), &[]);
    // One problem, not two: what is wrong with `[tls]` is said where it stands.
    check(
        &gateway("10.0.0.1:8443", "hosts = [\"gw.test\"]\n[tls]\nkey = \"a.key\"\n"),
        &[(4, "`[tls]` has no `certificate`", "add `certificate")],
    );
}

#[test]
fn client_certificates_are_asked_for_whole_or_not_at_all() {
    let tls = |more: &str| format!("{TLS}{more}");
    check(&tls(""), &[]);
    check(&tls("client_certificates = \"off\"\n"), &[]);
    check(&tls("client_certificates = \"required\"\nclient_ca = [\"c.pem\"]\ncrl = [\"c.crl\"]\n"), &[]);
    check(&tls("client_certificates = \"optional\"\nclient_ca = [\"c.pem\"]\n"), &[]);
    check(&tls("client_certificates = \"required\"\n"), &[(4, "there is no `client_ca`", "add `client_ca")]);
    check(&tls("client_ca = [\"c.pem\"]\n"), &[(4, "`client_ca` has no use", "client_certificates")]);
    check(&tls("crl = [\"c.crl\"]\n"), &[(4, "`crl` has no use", "client_certificates")]);
    let empty = "client_certificates = \"required\"\nclient_ca = [\"c.pem\"]\ncrl = []\n";
    check(&tls(empty), &[(6, "`crl` in `[tls]` is an empty list", "leave the key out")]);
    check(&tls("minimum = \"1.1\"\n"), &[(4, "`minimum` in `[tls]` is `\"1.1\"`", "minimum = \"1.3\"")]);
    check("[tls]\ncertificate = \"\"\nkey = \"a.key\"\n", &[(2, "`certificate` names no file", "name a file")]);
}

#[test]
fn lists_of_addresses_are_written_without_doubt() {
    let admission = |line: &str| format!("[admission]\n{line}\n");
    check(&admission("allow = [\"10.0.0.0/8\", \"192.0.2.7\", \"2001:db8::/32\"]"), &[]);
    check(&admission("allow = []"), &[(2, "`allow` in `[admission]` is an empty list", "leave the key out")]);
    check(&admission("deny = [\"10.0.0.1/8\"]"), &[(2, "has bits after its prefix; write `10.0.0.0/8`", "deny = ")]);
    for key in ["allow", "deny", "proxy_protocol_from", "trusted_proxies"] {
        let text = admission(&format!("{key} = [\"localhost\"]"));
        let problems = parse_for_fuzz(&text).unwrap_err().to_string();
        assert!(problems.contains(&format!("`localhost` in `{key}` cannot be used")), "{problems}");
    }
    check(&admission("connections_per_address = 0"), &[(2, "`connections_per_address`", "256")]);
    check(&admission("forwarded_header = \"x-real-ip\""), &[(2, "`forwarded_header`", "x-forwarded-for")]);
}

#[test]
fn tls_to_a_server_is_for_https_and_has_no_half_pairs() {
    let server = |more: &str| format!("{SERVER}{more}");
    let pin = "sha256/47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
    check(&server(&format!("ca = \"c.pem\"\npin = [\"{pin}\"]\nminimum = \"1.3\"\n")), &[]);
    check(&server("certificate = \"a.pem\"\nkey = \"a.key\"\n"), &[]);
    check(&server("certificate = \"a.pem\"\n"), &[(4, "`certificate` stands without `key`", "add `key")]);
    check(&server("key = \"a.key\"\n"), &[(4, "`key` stands without `certificate`", "add `certificate")]);
    check(&server("pin = []\n"), &[(4, "`pin` in `[servers.db.tls]` is an empty list", "leave the key out")]);
    check(&server(&format!("pin = [\"{}\"]\n", pin.replace("sha256", "sha1"))), &[(4, "is no pin", "certs status")]);
    for target in ["url = \"http://127.0.0.1:1/mcp\"", "command = [\"x\"]"] {
        let text = format!("[servers.db]\n{target}\n[servers.db.tls]\nca = \"c.pem\"\n");
        check(&text, &[(3, "has no use", "use `https`")]);
    }
}

/// A folder with a configuration that names certificates of every sort.
fn program(listener: Leaf, list_days: i32) -> Program {
    let program = Program::new();
    let (root, clients) = (Authority::new("root"), Authority::new("clients"));
    let folder = program.folder.path();
    root.issue(listener).write(folder, "gateway");
    root.issue(Leaf::client().dns("gateway.test")).write(folder, "own");
    replace(&folder.join("root.pem"), &root.pem(), 0o644);
    replace(&folder.join("clients.pem"), &clients.pem(), 0o644);
    let revoked = clients.issue(Leaf::client());
    replace(&folder.join("clients.crl"), &clients.revocation_list(&[&revoked], list_days), 0o644);
    let text = "[tls]\ncertificate = \"gateway.pem\"\nkey = \"gateway.key\"\nclient_certificates = \"required\"\n\
                client_ca = [\"clients.pem\"]\ncrl = [\"clients.crl\"]\n\n\
                [servers.db]\nurl = \"https://db.test/mcp\"\n\n\
                [servers.db.tls]\nca = \"root.pem\"\ncertificate = \"own.pem\"\nkey = \"own.key\"\n";
    program.folder.write("stockade.toml", text);
    program
}

const STATUS: [&str; 5] = ["certs", "status", "--json", "--config", "stockade.toml"];

#[test]
fn certificates_are_listed_with_what_an_operator_needs() {
    let program = program(Leaf::server(&["gw.test", "127.0.0.1"]).days(-1, 60), 30);
    let said = program.run(&STATUS);
    assert_eq!((said.code, said.stderr.as_str()), (Some(0), ""));
    let rows: Vec<Value> = said.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let told = |row: &Value| format!("{} {}", row["purpose"].as_str().unwrap(), row["kind"].as_str().unwrap());
    let expected = [
        "listener certificate",
        "client authority certificate",
        "client revocation list revocation-list",
        "authority of server `db` certificate",
        "client certificate for server `db` certificate",
    ];
    assert_eq!(rows.iter().map(told).collect::<Vec<_>>(), expected);
    assert_eq!(rows[0]["names"][0], "gw.test");
    assert!([59, 60].contains(&rows[0]["days_left"].as_i64().unwrap()), "{}", rows[0]);
    assert!(rows[0]["pin"].as_str().unwrap().parse::<stockade_gateway::KeyPin>().is_ok());
    assert_eq!(rows[0]["problem"], Value::Null);
    let shown = program.run(&["certs", "status", "--config", "stockade.toml"]);
    assert_eq!((shown.code, shown.stdout.lines().count()), (Some(0), 5), "{shown:?}");
    assert!(shown.stdout.contains("gw.test") && shown.stdout.contains("days  sha256/"), "{}", shown.stdout);
    assert_eq!(program.run(&["config", "check", "--config", "stockade.toml"]).code, Some(0));
}

#[test]
fn what_runs_out_is_found_and_said() {
    let check = |program: &Program, code: i32, expected: &str| {
        let said = program.run(&STATUS);
        assert_eq!(said.code, Some(code), "{expected}: {said:?}");
        assert!(said.stderr.contains(expected), "{expected}: {said:?}");
    };
    check(&program(Leaf::server(&["gw.test"]).days(-1, 15), 30), 0, "");
    let soon = program(Leaf::server(&["gw.test"]).days(-1, 13), 30);
    check(&soon, 1, "(listener) expires in 12 days");
    assert_eq!(soon.run(&["config", "check", "--config", "stockade.toml"]).code, Some(0), "it can still be used");
    check(&program(Leaf::server(&["gw.test"]).days(-9, -1), 30), 1, "(listener) has expired");
    check(&program(Leaf::server(&["gw.test"]).days(1, 60), 30), 1, "(listener) is not valid before");
    check(&program(Leaf::server(&["gw.test"]), -1), 1, "has run out, so nobody of its authority can connect");
    let broken = program(Leaf::server(&["gw.test"]), 30);
    broken.folder.write("clients.pem", "nothing");
    check(&broken, 1, "(client authority) cannot be used: `FOLDER/clients.pem` holds no certificate");
    let nothing = Program::new();
    nothing.folder.write("stockade.toml", "");
    check(&nothing, 0, "names no certificate");
}

#[test]
fn a_check_of_the_configuration_looks_at_the_files() {
    let program = program(Leaf::server(&["gw.test"]), 30);
    let folder = program.folder.path();
    let check = |expected: &[&str]| {
        let said = program.run(&["config", "check", "--config", "stockade.toml"]);
        assert_eq!(said.code, Some(2), "{said:?}");
        expected.iter().for_each(|expected| assert!(said.stderr.contains(expected), "{expected}: {said:?}"));
    };
    let key = std::fs::read_to_string(folder.join("own.key")).unwrap();
    replace(&folder.join("own.key"), &key, 0o644);
    std::fs::remove_file(folder.join("gateway.pem")).unwrap();
    check(&[
        "`FOLDER/gateway.pem` cannot be read",
        "what `[tls]` says of it",
        "the private key `FOLDER/own.key` is open to others (mode 644)",
        "what `[servers.db.tls]` says of it",
    ]);
}

/// A gateway with this `[admission]`, before a server that nobody asks.
fn admitting(admission: &str, tls: Option<&Program>) -> testkit::Gateway {
    let config = testkit::Config::new().server("db", &testkit::ServerEntry::Url("http://127.0.0.1:9/mcp".into()));
    let config = match tls {
        Some(program) => {
            let file = |name: &str| serde_json::json!(program.folder.path().join(name));
            config.set(&["tls"], "certificate", file("gateway.pem")).set(&["tls"], "key", file("gateway.key"))
        }
        None => config,
    };
    let text = format!("[admission]\n{admission}\n");
    testkit::Gateway::start(env!("CARGO_BIN_EXE_stockade"), config.append(&text))
}

/// What a connection gets before it has sent a byte: whether it ends, and what came.
fn silently(address: &str) -> (bool, usize) {
    use std::io::Read;
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(std::time::Duration::from_millis(500))).unwrap();
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        Ok(_) => (true, bytes.len()),
        Err(cause) => (cause.kind() == std::io::ErrorKind::ConnectionReset, bytes.len()),
    }
}

#[test]
fn who_may_not_connect_gets_a_reset_before_any_byte() {
    let program = program(Leaf::server(&["127.0.0.1"]), 30);
    for tls in [None, Some(&program)] {
        for denied in ["deny = [\"127.0.0.0/8\"]", "allow = [\"192.0.2.0/24\"]"] {
            let gateway = admitting(denied, tls);
            assert_eq!(silently(gateway.address()), (true, 0), "{denied}");
            let told = || gateway.stderr().contains("127.0.0.1 may not connect");
            assert!(testkit::wait_until(std::time::Duration::from_secs(5), told), "{}", gateway.stderr());
        }
        let gateway = admitting("allow = [\"127.0.0.0/8\"]", tls);
        assert_eq!(silently(gateway.address()), (false, 0), "who may connect is waited for");
    }
}

#[test]
fn one_address_has_only_its_connections() {
    let gateway = admitting("connections_per_address = 3", None);
    let request = format!("GET /mcp HTTP/1.1\r\nHost: {}\r\n\r\n", gateway.address());
    let served = |_| {
        // The kernel connects before the gateway does: whoever is answered has a place.
        let mut connection = testkit::RawHttp::connect(gateway.address()).unwrap();
        assert_eq!(connection.exchange(&request, std::time::Duration::from_secs(5)).unwrap().status(), 405);
        connection
    };
    let held: Vec<_> = (0..3).map(served).collect();
    assert_eq!(silently(gateway.address()), (true, 0));
    drop(held);
    let is_free = || silently(gateway.address()) == (false, 0);
    assert!(testkit::wait_until(std::time::Duration::from_secs(5), is_free), "places come back");
}

#[test]
fn a_listed_proxy_says_for_whom_it_connects() {
    use std::io::Write;
    use testkit::{TlsClient, TlsOptions};
    let program = program(Leaf::server(&["127.0.0.1"]), 30);
    let gateway = admitting("proxy_protocol_from = [\"127.0.0.1\"]\ndeny = [\"203.0.113.0/24\"]", Some(&program));
    let options = TlsOptions::new(&std::fs::read_to_string(program.folder.path().join("root.pem")).unwrap());
    let connect = |header: &[u8]| {
        let mut stream = std::net::TcpStream::connect(gateway.address()).unwrap();
        stream.write_all(header).unwrap();
        TlsClient::over(stream, &options)
    };
    let request = format!("GET /mcp HTTP/1.1\r\nHost: {}\r\n\r\n", gateway.address());
    for header in [
        &b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n"[..],
        b"PROXY UNKNOWN\r\n",
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x01\xc0\0\x02\x02\0\x01\0\x02",
    ] {
        let (head, _) = connect(header).unwrap().exchange(&request).unwrap();
        assert_eq!(head.status(), Some(405), "the door is reached");
    }
    for header in [&b""[..], b"PROXY TCP4 203.0.113.7 192.0.2.2 1 2\r\n", b"PROXY TCP4 x y 1 2\r\n"] {
        assert!(connect(header).is_err(), "{:?}", String::from_utf8_lossy(header));
    }
}

#[test]
fn curl_reaches_the_gateway_by_tls_1_3_alone() {
    let program = program(Leaf::server(&["127.0.0.1", "localhost"]), 30);
    let gateway = admitting("", Some(&program));
    let curl = |more: &[&str]| {
        let mut command = std::process::Command::new("curl");
        command.current_dir(program.folder.path()).args([
            "--silent",
            "--show-error",
            "--noproxy",
            "*",
            "--max-time",
            "10",
        ]);
        let output = command.args(["--output", "/dev/null", "--write-out", "%{http_code} %{exitcode}"]).args(more);
        let output = output.arg(gateway.url()).output().expect("curl is installed");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    assert_eq!(curl(&["--cacert", "root.pem"]), "405 0");
    assert_eq!(curl(&["--cacert", "root.pem", "--tls-max", "1.2"]), "000 35", "no connection by an older version");
    assert_eq!(curl(&["--cacert", "clients.pem"]), "000 60", "curl does not believe every authority");
}
