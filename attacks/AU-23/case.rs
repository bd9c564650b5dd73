//! AU-23: headers that only a trusted proxy may write.

use crate::ground::{NO_ROUTE, STOCKADE, UNIDENTIFIED, everything, http_lanes, on_each};
use serde_json::json;
use testkit::{Caller, Gateway, Transport, Upstream, WellBehaved};

/// What stands before a server is said to write, and would mean everything if it were believed.
const SPOOFED: [(&str, &str); 18] = [
    ("User-Agent", "GoogleHC/1.0"),
    ("User-Agent", "kube-probe/1.30"),
    ("X-Forwarded-For", "127.0.0.1"),
    ("X-Forwarded-For", "127.0.0.1, 127.0.0.1"),
    ("X-Forwarded-Host", "127.0.0.1"),
    ("X-Forwarded-Proto", "https"),
    ("X-Original-URL", "/healthz"),
    ("X-Rewrite-URL", "/healthz"),
    ("X-User", "carol"),
    ("X-Remote-User", "carol"),
    ("X-Auth-Request-User", "carol"),
    ("X-Goog-Authenticated-User-Email", "accounts.google.com:carol@example.com"),
    ("X-Amzn-Oidc-Identity", "carol"),
    ("X-Forwarded-Client-Cert", "By=spiffe://test/gw;URI=spiffe://test/carol"),
    ("X-SSL-Client-S-DN", "CN=carol"),
    ("X-Real-Ip", "127.0.0.1"),
    ("Forwarded", "for=127.0.0.1;proto=https"),
    ("True-Client-IP", "127.0.0.1"),
];
/// Where others answer without asking who is there.
const HEALTH: [&str; 6] = ["/healthz", "/health", "/livez", "/readyz", "/metrics", "/debug/pprof/"];

#[test]
fn no_header_stands_for_a_key() {
    on_each(http_lanes(), WellBehaved::files, everything, |scene| {
        for (name, value) in SPOOFED {
            let message = scene.call().without_header("Authorization").header(name, value);
            let answer = scene.send(&message);
            scene.assert_blocked(&message, &answer, UNIDENTIFIED, "identify", "");
        }
        let mut everything_at_once = scene.call().without_header("Authorization");
        for (name, value) in SPOOFED {
            everything_at_once = everything_at_once.header(name, value);
        }
        let answer = scene.send(&everything_at_once);
        scene.assert_blocked(&everything_at_once, &answer, UNIDENTIFIED, "identify", "");
    });
}

#[test]
fn there_is_nothing_at_the_paths_of_health_checks() {
    on_each(http_lanes(), WellBehaved::files, everything, |scene| {
        for path in HEALTH {
            let mut outgoing = scene.bob.http().prepare_bodiless("GET").without("Authorization");
            outgoing.path = path.to_owned();
            let message = crate::ground::Message::of(outgoing.header("User-Agent", "GoogleHC/1.0"));
            let answer = scene.send(&message);
            scene.assert_blocked(&message, &answer, NO_ROUTE, "door", "");
        }
    });
}

#[test]
fn a_proxy_header_of_a_stranger_is_garbage() {
    on_each(http_lanes(), WellBehaved::files, everything, |scene| {
        let request = scene.call().outgoing().to_bytes();
        for header in [
            &b"PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\n"[..],
            b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x7f\0\0\x01\x7f\0\0\x01\0\x01\0\x02",
        ] {
            scene.assert_cut_off([header, &request].concat(), 400, "");
        }
    });
}

#[test]
fn a_trusted_proxy_is_believed_on_the_address_alone() {
    let upstream = Upstream::over(Transport::Http, WellBehaved::files());
    let admission = ["admission"];
    let config = everything().server("files", upstream.entry());
    let config = config.set(&admission, "trusted_proxies", json!(["127.0.0.0/8"]));
    let gateway = Gateway::start(STOCKADE, config.set(&admission, "deny", json!(["203.0.113.0/24"])));
    for era in crate::secure::ERAS {
        let client = gateway.client("files", "alice", era);
        assert_eq!(client.call("read_file", json!({ "path": "a" })).text(), "read_file a");
        let call = || client.prepare_call("read_file", json!({ "path": "a" }));
        upstream.recorder().clear();
        let asked = |forwarded: &str| client.send(call().header("X-Forwarded-For", forwarded));
        assert_eq!(asked("203.0.113.7, 192.0.2.1").text(), "read_file a", "what stands before is a client's word");
        let before = upstream.recorder().calls("read_file").len();
        for forwarded in ["203.0.113.7", "192.0.2.1, 203.0.113.7", "127.0.0.1, 203.0.113.7, 127.0.0.1", "nobody"] {
            let answer = asked(forwarded);
            assert_eq!(answer.status(), 403, "{forwarded}: {answer}");
        }
        let keyless = client.send(call().without("Authorization").header("X-Forwarded-For", "127.0.0.1"));
        assert_eq!(keyless.status(), 401, "{keyless}");
        assert_eq!(upstream.recorder().calls("read_file").len(), before);
    }
}
