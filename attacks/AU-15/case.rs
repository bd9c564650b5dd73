//! AU-15: upstreams that are not who they should be.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::scope;
use std::time::Duration;

use serde_json::json;
use testkit::certificates::{Authority, Issued, Leaf};
use testkit::{Caller, Config, Gateway, TlsFront, TlsFrontOptions, Transport, Upstream, WellBehaved, wait_until};

use crate::ground::{LONG, STOCKADE, everything};
use crate::secure::{ERAS, Files};

const CREDENTIAL: &str = "Bearer CANARY-9d3e";

/// A gateway before whoever is at `url`, which is to be proved by the files' root.
fn gateway(files: &Files, url: &str, pin: Option<&Issued>) -> Gateway {
    std::fs::write(files.at("root.pem"), files.root.pem()).expect("write");
    let config: Config = everything()
        .server_setting("files", "url", json!(url))
        .server_setting("files", "headers", json!({ "Authorization": CREDENTIAL }))
        .set(&["servers", "files", "tls"], "ca", files.value("root.pem"));
    let config = match pin {
        Some(issued) => config.set(&["servers", "files", "tls"], "pin", json!([pin_of(issued)])),
        None => config,
    };
    Gateway::start(STOCKADE, config)
}

/// The pin as an operator computes it by hand: the digest of the public key.
fn pin_of(issued: &Issued) -> String {
    let mut command = Command::new("sh");
    command.args(["-c", "openssl dgst -sha256 -binary | openssl base64 -A"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("openssl is installed");
    child.stdin.take().expect("stdin").write_all(&issued.public_key).expect("write");
    let digest = child.wait_with_output().expect("a digest").stdout;
    format!("sha256/{}", String::from_utf8(digest).expect("base64"))
}

/// Every era gets the fixed refusal, and the record says why.
fn assert_unavailable(what: &str, gateway: &Gateway, reason: &str) {
    for era in ERAS {
        let client = testkit::HttpClient::unopened(&gateway.url_of("files"), Some(&gateway.key_for("alice")), era);
        let answer = if era.is_modern() {
            client.call("read_file", json!({ "path": "a" }))
        } else {
            let about = json!({ "name": "testkit", "version": "1" });
            let params = json!({ "protocolVersion": era.revision(), "capabilities": {}, "clientInfo": about });
            client.request("initialize", params)
        };
        let said = answer.responses()[0]["error"]["message"].clone();
        assert_eq!(said, "Server unavailable", "{what}: {answer}");
    }
    let told = || gateway.audit().iter().filter(|record| record.reason().contains(reason)).count() >= ERAS.len();
    assert!(wait_until(LONG, told), "{what}: no {reason:?} in {:#?}", gateway.audit());
    let records = format!("{:?}{}", gateway.audit(), gateway.stderr());
    assert!(!records.contains("CANARY-9d3e"), "{what}");
}

fn front(upstream: &Upstream, identity: Issued) -> TlsFront {
    let target: SocketAddr = testkit::endpoint(upstream.url()).0.parse().expect("an address");
    TlsFront::start(target, &TlsFrontOptions { identity, clients: None, only_1_2: false })
}

fn url(address: SocketAddr) -> String {
    format!("https://{address}/mcp")
}

#[test]
fn nothing_leaves_before_the_upstream_is_proved() {
    let files = Files::new();
    let upstream = Upstream::over(Transport::Http, WellBehaved::files());
    let leaf = || Leaf::server(&["127.0.0.1"]);
    let pinned = files.root.issue(leaf());
    for (what, identity, pin, reason) in [
        ("another name", files.root.issue(Leaf::server(&["db.test"])), None, "not valid for name"),
        ("common name", files.root.issue(Leaf::server(&[]).common_name("127.0.0.1")), None, "not valid for name"),
        ("expired", files.root.issue(leaf().days(-9, -1)), None, "expired"),
        ("not valid yet", files.root.issue(leaf().days(1, 9)), None, "not valid yet"),
        ("another authority", Authority::new("gateway's root").issue(leaf()), None, "invalid peer certificate"),
        ("another use", files.root.issue(leaf().client_use()), None, "invalid peer certificate"),
        ("another key", files.root.issue(leaf()), Some(&pinned), "the pin differs"),
    ] {
        let front = front(&upstream, identity);
        let gateway = gateway(&files, &url(front.address()), pin);
        assert_unavailable(what, &gateway, reason);
        assert!(front.connections() > 0, "{what}: it was tried");
        assert!(front.bytes().is_empty(), "{what}: {:?}", String::from_utf8_lossy(&front.bytes()));
    }
    upstream.recorder().assert_nothing();
    let front = front(&upstream, pinned.clone());
    let gateway = gateway(&files, &url(front.address()), Some(&pinned));
    let client = gateway.client("files", "alice", ERAS[0]);
    assert_eq!(client.call("read_file", json!({ "path": "a" })).text(), "read_file a");
    assert!(String::from_utf8_lossy(&front.bytes()).contains(CREDENTIAL), "then it is sent");
}

#[test]
fn a_server_without_tls_gets_no_request() {
    let files = Files::new();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address");
    listener.set_nonblocking(true).expect("a listener that can be left");
    let (is_over, came) = (AtomicBool::new(false), Mutex::new(Vec::new()));
    scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                let Ok((mut stream, _)) = listener.accept() else {
                    std::thread::sleep(Duration::from_millis(5));
                    continue;
                };
                let mut bytes = [0; 4096];
                drop(stream.set_nonblocking(false));
                let count = stream.read(&mut bytes).unwrap_or(0);
                came.lock().expect("bytes").extend_from_slice(&bytes[..count]);
                drop(stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"));
            }
        });
        let gateway = gateway(&files, &url(address), None);
        assert_unavailable("no TLS", &gateway, "client error (Connect)");
        is_over.store(true, Ordering::Relaxed);
    });
    let came = came.into_inner().expect("bytes");
    assert_eq!(came.first(), Some(&0x16), "a handshake was tried");
    let text = String::from_utf8_lossy(&came);
    assert!(!text.contains("POST") && !text.contains("CANARY"), "{text:?}");
}

#[test]
fn tls_1_1_is_not_spoken() {
    let files = Files::new();
    files.root.issue(Leaf::server(&["127.0.0.1"])).write(files.path(), "old");
    let port = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("its number").port();
    let mut command = Command::new("openssl");
    command.current_dir(files.path()).args(["s_server", "-accept", &format!("127.0.0.1:{port}"), "-tls1_1"]);
    command.args(["-cipher", "ALL:@SECLEVEL=0", "-cert", "old.pem", "-key", "old.key", "-quiet"]);
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
    let mut server = Ended(child.expect("openssl is installed"));
    assert!(wait_until(LONG, || TcpStream::connect(("127.0.0.1", port)).is_ok()), "openssl listens");
    let gateway = gateway(&files, &format!("https://127.0.0.1:{port}/mcp"), None);
    assert_unavailable("TLS 1.1", &gateway, "client error");
    drop(server.0.kill());
    let mut said = String::new();
    drop(server.0.stdout.take().expect("stdout").read_to_string(&mut said));
    assert_eq!(said, "", "what came out of TLS");
}

/// A process that ends with the test.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}
