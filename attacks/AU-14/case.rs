//! AU-14: client certificates.

use std::io::{Read, Write};
use std::process::{Command, Stdio};

use crate::ground::LONG;
use crate::secure::{ERAS, Secure, ask};
use testkit::certificates::{Authority, Issued, Leaf, replace};
use testkit::{Era, Outgoing, TlsClient, wait_until};

fn open() -> Secure {
    Secure::open(|files, config| files.with_client_certificates(config, "required"))
}

/// Everything that the enemy tries, each with its name.
fn wrong_ones(secure: &Secure) -> Vec<(&'static str, Issued)> {
    let clients = &secure.files.clients;
    let ci = || Leaf::client().uri("spiffe://test/ci").dns("ci.test");
    let revoked = clients.issue(ci());
    replace(&secure.files.at("clients.crl"), &clients.revocation_list(&[&revoked], 30), 0o644);
    let below = clients.below("an authority below");
    let mut of_below = below.issue(ci());
    of_below.certificate.push_str(&below.pem());
    vec![
        ("self-signed", Authority::new("clients' root").issue(ci())),
        ("of another authority", secure.files.root.issue(ci())),
        ("expired", clients.issue(ci().days(-9, -1))),
        ("not valid yet", clients.issue(ci().days(1, 9))),
        ("for servers only", clients.issue(Leaf::server(&["ci.test"]))),
        ("for nothing in particular", clients.issue(ci().without_usage())),
        ("of unknown standing", of_below),
        ("revoked", revoked),
    ]
}

#[test]
fn a_wrong_certificate_opens_no_connection() {
    let secure = open();
    let wrong = wrong_ones(&secure);
    let revoked = secure.options().showing(&wrong.last().expect("one").1);
    let call = |options| secure.ask(options, &secure.first(ERAS[0]));
    assert!(wait_until(LONG, || call(&revoked).is_err()), "the gateway sees the list within seconds");
    for era in ERAS {
        for (what, identity) in &wrong {
            let said = secure.ask(&secure.options().showing(identity), &marked(&secure, era));
            assert!(said.is_err(), "{what}: {said:?}");
        }
        assert!(secure.ask(&secure.options(), &marked(&secure, era)).is_err(), "no certificate at all");
    }
    assert!(!secure.upstream.recorder().saw(MARK));
    assert!(!format!("{:?}", secure.gateway.audit()).contains(MARK), "what never was a request is none in the record");
    let right = secure.files.clients.issue(Leaf::client().dns("ci.test"));
    for era in ERAS {
        let (head, body) = secure.ask(&secure.options().showing(&right), &marked(&secure, era)).expect("an answer");
        assert_eq!(head.status(), Some(200), "{body}");
    }
    assert!(secure.upstream.recorder().saw(MARK), "the mark would have been seen");
    assert!(format!("{:?}", secure.gateway.audit()).contains(MARK));
}

/// What the requests of strangers are known by, wherever they turn up.
const MARK: &str = "strange";

/// The first thing that a client says, under the name of [`MARK`].
fn marked(secure: &Secure, era: Era) -> Outgoing {
    let outgoing = secure.first(era);
    let body = String::from_utf8(outgoing.body.clone()).expect("text");
    assert!(body.contains("testkit"), "the client's own name: {body}");
    outgoing.body(body.replace("testkit", MARK))
}

#[test]
fn a_common_name_is_nobody() {
    let secure = open();
    let claims = secure.files.clients.issue(Leaf::client().common_name("alice"));
    secure.upstream.recorder().clear();
    for era in ERAS {
        let without_key = secure.first(era).without("Authorization");
        let (head, body) = secure.ask(&secure.options().showing(&claims), &without_key).expect("an answer");
        assert_eq!((head.status(), body["error"]["message"].as_str()), (Some(401), Some("Authentication required")));
    }
    secure.upstream.recorder().assert_nothing();
}

#[test]
fn a_revoked_certificate_loses_its_open_connection_and_no_other_does() {
    let secure = open();
    let (evil, good) = (Leaf::client().dns("evil.test"), Leaf::client().dns("good.test"));
    let (evil, good) = (secure.files.clients.issue(evil), secure.files.clients.issue(good));
    let connect = |identity| TlsClient::connect(secure.gateway.address(), &secure.options().showing(identity));
    let (mut of_evil, mut of_good) = (connect(&evil).expect("a connection"), connect(&good).expect("a connection"));
    for client in [&mut of_evil, &mut of_good] {
        assert_eq!(ask(client, &secure.first(ERAS[0])).expect("an answer").0.status(), Some(200));
    }
    let list = secure.files.clients.revocation_list(&[&evil], 30);
    replace(&secure.files.at("clients.crl"), &list, 0o644);
    assert!(of_evil.is_ended_within(LONG));
    assert_eq!(ask(&mut of_good, &secure.first(ERAS[0])).expect("an answer").0.status(), Some(200));
}

#[test]
fn openssl_is_refused_and_let_in_like_anybody() {
    let secure = open();
    let folder = secure.files.path();
    std::fs::write(folder.join("root.pem"), secure.files.root.pem()).expect("write");
    let run = |name: Option<&str>| {
        let mut command = Command::new("openssl");
        command.current_dir(folder).args(["s_client", "-connect", secure.gateway.address(), "-CAfile", "root.pem"]);
        command.args(["-verify_return_error", "-tls1_3", "-brief", "-ign_eof"]);
        if let Some(name) = name {
            command.args(["-cert", &format!("{name}.pem"), "-key", &format!("{name}.key")]);
        }
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let child = child.as_mut().expect("openssl is installed");
        let request = secure.first(ERAS[0]).header("Connection", "close").to_bytes();
        drop(child.stdin.take().expect("stdin").write_all(&request));
        assert!(wait_until(LONG, || child.try_wait().is_ok_and(|status| status.is_some())), "openssl ends");
        let mut said = String::new();
        drop(child.stdout.take().expect("stdout").read_to_string(&mut said));
        said
    };
    secure.files.clients.issue(Leaf::client().dns("ci.test")).write(folder, "right");
    secure.files.root.issue(Leaf::client().dns("ci.test")).write(folder, "wrong");
    assert!(run(Some("right")).starts_with("HTTP/1.1 200 OK\r\n"));
    assert_eq!(run(Some("wrong")), "");
    assert_eq!(run(None), "");
}
