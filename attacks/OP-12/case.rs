//! OP-12: certificates are replaced while everybody works.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{Scope, ScopedJoinHandle, scope};

use serde_json::json;
use testkit::certificates::{Authority, Issued, Leaf, replace};
use testkit::{TlsClient, TlsFront, TlsFrontOptions, TlsOptions, wait_until};

use crate::ground::LONG;
use crate::secure::{ERAS, Files, Secure, ask};

/// How often each thing is replaced.
const ROUNDS: usize = 3;

/// Clients that work until they are told to stop.
#[derive(Default)]
struct Work {
    is_over: AtomicBool,
    answered: AtomicUsize,
}

impl Work {
    /// One client that keeps its connection and one that connects anew each time. The first failure ends the test.
    fn start<'scope>(
        &'scope self,
        scope: &'scope Scope<'scope, '_>,
        secure: &'scope Secure,
        options: TlsOptions,
    ) -> Vec<ScopedJoinHandle<'scope, ()>> {
        [true, false]
            .map(|keeps| {
                let options = options.clone();
                scope.spawn(move || {
                    let connect = || TlsClient::connect(secure.gateway.address(), &options).expect("a connection");
                    let mut client = connect();
                    while !self.is_over.load(Ordering::Relaxed) {
                        if !keeps {
                            client = connect();
                        }
                        let (head, body) = ask(&mut client, &secure.first(ERAS[0])).expect("an answer");
                        assert_eq!(head.status(), Some(200), "{body}");
                        assert!(body.get("result").is_some(), "{body}");
                        self.answered.fetch_add(1, Ordering::Relaxed);
                    }
                })
            })
            .into()
    }

    /// Waits until much has been answered since.
    fn goes_on(&self) {
        let before = self.answered.load(Ordering::Relaxed);
        assert!(wait_until(LONG, || self.answered.load(Ordering::Relaxed) > before + 50), "the work goes on");
    }
}

/// The certificate that the gateway shows now.
fn shown(secure: &Secure, options: &TlsOptions) -> Vec<u8> {
    TlsClient::connect(secure.gateway.address(), options).expect("a connection").server_certificate()
}

fn client_of(authority: &Authority) -> Issued {
    authority.issue(Leaf::client().dns("ci.test"))
}

#[test]
fn no_request_fails_while_certificates_are_replaced() {
    let secure = Secure::open(|files, config| {
        let config = files.with_tls(config);
        let config = config.set(&["tls"], "client_certificates", json!("required"));
        config.set(&["tls"], "client_ca", json!([files.at("clients.pem")])).limit("in_flight", json!(1000))
    });
    let options = secure.options().showing(&client_of(&secure.files.clients));
    let work = Work::default();
    scope(|scope| {
        let workers = work.start(scope, &secure, options.clone());
        for round in 0..ROUNDS {
            let next = secure.files.root.issue(Leaf::server(&["127.0.0.1"]));
            next.write(secure.files.path(), "gateway");
            assert!(wait_until(LONG, || shown(&secure, &options) == next.der), "round {round}: the new one is shown");
            work.goes_on();
        }
        work.is_over.store(true, Ordering::Relaxed);
        workers.into_iter().for_each(|worker| worker.join().expect("no failure"));
    });
    assert!(!secure.gateway.stderr().contains("cannot be used"), "{}", secure.gateway.stderr());
}

#[test]
fn the_authority_of_clients_is_replaced_by_way_of_both() {
    let secure = Secure::open(|files, config| {
        let config = files.with_tls(config).set(&["tls"], "client_certificates", json!("required"));
        config.set(&["tls"], "client_ca", json!([files.at("clients.pem")])).limit("in_flight", json!(1000))
    });
    let next = Authority::new("the next authority of clients");
    let old_options = secure.options().showing(&client_of(&secure.files.clients));
    let new_options = secure.options().showing(&client_of(&next));
    let is_let_in = |options: &TlsOptions| secure.ask(options, &secure.first(ERAS[0])).is_ok();
    let work = Work::default();
    scope(|scope| {
        let old = work.start(scope, &secure, old_options.clone());
        assert!(!is_let_in(&new_options));
        let both = [secure.files.clients.pem(), next.pem()].concat();
        replace(&secure.files.at("clients.pem"), &both, 0o644);
        assert!(wait_until(LONG, || is_let_in(&new_options)), "both are believed");
        work.goes_on();
        work.is_over.store(true, Ordering::Relaxed);
        old.into_iter().for_each(|worker| worker.join().expect("no failure"));
    });
    let mut kept = TlsClient::connect(secure.gateway.address(), &old_options).expect("a connection");
    assert!(ask(&mut kept, &secure.first(ERAS[0])).is_ok());
    let work = Work::default();
    scope(|scope| {
        let new = work.start(scope, &secure, new_options);
        replace(&secure.files.at("clients.pem"), &next.pem(), 0o644);
        assert!(kept.is_ended_within(LONG), "who is not believed any more is not kept");
        assert!(!is_let_in(&old_options));
        work.goes_on();
        work.is_over.store(true, Ordering::Relaxed);
        new.into_iter().for_each(|worker| worker.join().expect("no failure"));
    });
}

#[test]
fn a_bad_replacement_changes_nothing_and_is_told() {
    let secure = Secure::open(|files, config| files.with_tls(config));
    let options = secure.options();
    let before = shown(&secure, &options);
    let other = Files::new();
    std::fs::copy(other.at("gateway.pem"), secure.files.at("gateway.pem")).expect("copy");
    let told = || secure.gateway.stderr().contains("the new certificates cannot be used; the old ones go on");
    assert!(wait_until(LONG, told), "{}", secure.gateway.stderr());
    assert!(secure.gateway.stderr().contains("cannot be used together"), "{}", secure.gateway.stderr());
    assert_eq!(shown(&secure, &options), before);
    let right = secure.files.root.issue(Leaf::server(&["127.0.0.1"]));
    right.write(secure.files.path(), "gateway");
    assert!(wait_until(LONG, || shown(&secure, &options) == right.der), "a good one is taken after a bad one");
}

#[test]
fn the_certificate_for_an_upstream_is_replaced_under_load() {
    let front = std::cell::OnceCell::new();
    let secure = Secure::open(|files, config| {
        std::fs::write(files.at("root.pem"), files.root.pem()).expect("write");
        files.root.issue(Leaf::client().dns("gateway.test")).write(files.path(), "own");
        // The entry that is there already says where the server is behind the front.
        let toml = config.to_toml();
        let inner = toml.lines().find_map(|line| line.strip_prefix("url = \"http://")?.strip_suffix("/mcp\""));
        let target: SocketAddr = inner.expect("a server").parse().expect("an address");
        let identity = files.root.issue(Leaf::server(&["127.0.0.1"]));
        let options = TlsFrontOptions { identity, clients: Some(files.root.pem()), only_1_2: false };
        let front = front.get_or_init(|| TlsFront::start(target, &options));
        let tls = ["servers", "files", "tls"];
        let config = files.with_tls(config).limit("in_flight", json!(1000));
        let config = config.server_setting("files", "url", json!(format!("https://{}/mcp", front.address())));
        let config = config.set(&tls, "ca", files.value("root.pem"));
        config.set(&tls, "certificate", files.value("own.pem")).set(&tls, "key", files.value("own.key"))
    });
    let front = front.get().expect("a front");
    let work = Work::default();
    scope(|scope| {
        let workers = work.start(scope, &secure, secure.options());
        work.goes_on();
        let next = secure.files.root.issue(Leaf::client().dns("gateway.test"));
        next.write(secure.files.path(), "own");
        assert!(wait_until(LONG, || front.clients().contains(&next.der)), "the new one is shown");
        work.goes_on();
        work.is_over.store(true, Ordering::Relaxed);
        workers.into_iter().for_each(|worker| worker.join().expect("no failure"));
    });
}
