//! OP-05: the headers of everything that is answered.

use testkit::{Gateway, Head, HttpClient, Outgoing, RawHttp, TlsClient, Transport, Upstream, WellBehaved};

use crate::ground::{LONG, STOCKADE, everything};
use crate::secure::{ERAS, Secure};

const EXPECTED: [(&str, &str); 7] = [
    ("cache-control", "no-store"),
    ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("referrer-policy", "no-referrer"),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
];
const HSTS: &str = "strict-transport-security";
/// Names of headers that tell what stands here, or open it to pages of others.
const BANNERS: [&str; 5] = ["server", "via", "x-powered-by", "access-control-allow-origin", "x-aspnet-version"];

#[track_caller]
fn check(what: &str, head: &Head, status: u16, is_tls: bool) {
    assert_eq!(head.status(), Some(status), "{what}: {head:?}");
    for (name, value) in EXPECTED {
        assert_eq!(head.all(name), [value], "{what}: {name}");
    }
    let hsts = head.header(HSTS).unwrap_or_default();
    assert_eq!(hsts.starts_with("max-age=63072000"), is_tls, "{what}: {hsts:?}");
    for name in BANNERS {
        assert_eq!(head.header(name), None, "{what}");
    }
    let text = String::from_utf8_lossy(&head.bytes).to_lowercase();
    assert!(
        !text.contains("stockade") && !text.contains("hyper") && !text.contains(env!("CARGO_PKG_VERSION")),
        "{text}"
    );
}

/// Requests with the status of their answers, one for each way in which an answer comes about.
fn requests(client: &HttpClient, right: &Outgoing) -> Vec<(&'static str, u16, Vec<u8>)> {
    let bodiless = |method: &str| client.prepare_bodiless(method);
    let at = |path: &str| Outgoing { path: path.to_owned(), ..right.clone() };
    let long = "x".repeat(40_000);
    vec![
        ("an answer", 200, right.to_bytes()),
        ("no key", 401, right.clone().without("Authorization").to_bytes()),
        ("another host", 403, right.clone().header("Host", "evil.example").to_bytes()),
        ("another origin", 403, right.clone().header("Origin", "https://evil.example").to_bytes()),
        ("no such path", 404, at("/").to_bytes()),
        ("no such server", 404, at("/mcp/Files").to_bytes()),
        ("a query", 404, at("/mcp/files?x=1").to_bytes()),
        ("another method", 405, bodiless("PUT").to_bytes()),
        ("options", 405, bodiless("OPTIONS").to_bytes()),
        ("not acceptable", 406, right.clone().header("Accept", "text/html").to_bytes()),
        ("not a media type", 415, right.clone().header("Content-Type", "text/plain").to_bytes()),
        ("not JSON", 400, right.clone().body("{").to_bytes()),
        ("two lengths", 400, right.clone().add("Content-Length", "1").add("Content-Length", "2").to_bytes()),
        ("too long a body", 413, right.clone().body("").header("Content-Length", "99999999999").to_bytes()),
        ("too long a line", 414, at(&format!("/{long}")).to_bytes()),
        ("too large a head", 431, right.clone().header("X-Long", &long).to_bytes()),
        ("expectations", 417, right.clone().header("Expect", "something").to_bytes()),
        ("an old version", 505, String::from_utf8_lossy(&right.to_bytes()).replace("HTTP/1.1", "HTTP/1.0").into()),
        ("no HTTP", 400, b"\x01\x02\x03\r\n\r\n".to_vec()),
    ]
}

#[test]
fn every_answer_in_the_clear_has_its_headers() {
    let upstream = Upstream::over(Transport::Http, WellBehaved::files());
    let gateway = Gateway::start(STOCKADE, everything().server("files", upstream.entry()));
    let key = gateway.key_for("alice");
    for era in ERAS {
        let client = HttpClient::connect(&gateway.url_of("files"), &key, era);
        let right = client.prepare_call("read_file", serde_json::json!({ "path": "a" }));
        for (what, status, bytes) in requests(&client, &right) {
            let mut connection = RawHttp::connect(gateway.address()).expect("it listens");
            let response = connection.exchange(bytes, LONG).unwrap_or_else(|cause| panic!("{what}: {cause}"));
            check(what, &response.head, status, false);
        }
    }
}

#[test]
fn every_answer_over_tls_has_its_headers() {
    let secure = Secure::open(|files, config| files.with_tls(config));
    for era in ERAS {
        let right = secure.first(era);
        let client = HttpClient::unopened(&secure.gateway.url_of("files"), Some("none"), era);
        for (what, status, bytes) in requests(&client, &right) {
            let mut connection = TlsClient::connect(secure.gateway.address(), &secure.options()).expect("it listens");
            let (head, _) = connection.exchange(bytes).unwrap_or_else(|cause| panic!("{what}: {cause}"));
            check(what, &head, status, true);
        }
    }
}
