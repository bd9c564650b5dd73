//! Handshakes over real sockets with certificates that are made for each test.

use super::*;
use crate::hub::SystemClock;
use rustls::HandshakeKind;
use rustls::pki_types::pem::PemObject;
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use stockade_core::ports::{Moment, PortFuture};
use testkit::certificates::{Authority, Issued, Leaf, replace};
use testkit::{TempFolder, TlsClient, TlsOptions};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

const LONG: Duration = Duration::from_secs(10);

/// Files, TLS made of them, and a server that answers each request with whom it takes the client for.
struct Bench {
    folder: TempFolder,
    root: Authority,
    clients: Authority,
    tls: Arc<ServerTls>,
    address: String,
    serving: JoinHandle<()>,
}

/// A clock that can be put forward.
struct Shifted {
    inner: SystemClock,
    by_seconds: AtomicI64,
}

impl Clock for Shifted {
    fn wall(&self) -> Timestamp {
        Timestamp(self.inner.wall().0 + self.by_seconds.load(Ordering::Relaxed) * 1_000_000_000)
    }

    fn moment(&self) -> Moment {
        self.inner.moment()
    }

    fn sleep_until(&self, moment: Moment) -> PortFuture<'static, ()> {
        self.inner.sleep_until(moment)
    }
}

fn settings(folder: &Path, minimum: TlsVersion, clients: ClientCertificates) -> ServerTlsSettings {
    ServerTlsSettings { certificate: folder.join("gateway.pem"), key: folder.join("gateway.key"), minimum, clients }
}

fn trust(folder: &Path, has_list: bool) -> ClientTrust {
    let lists = if has_list { vec![folder.join("clients.crl")] } else { Vec::new() };
    ClientTrust { authorities: vec![folder.join("clients.pem")], revocation_lists: lists }
}

impl Bench {
    async fn start(minimum: TlsVersion, clients: impl FnOnce(&Path) -> ClientCertificates) -> Self {
        Self::start_by(Arc::new(SystemClock::new()), minimum, clients).await
    }

    async fn start_by(
        clock: Arc<dyn Clock>,
        minimum: TlsVersion,
        clients: impl FnOnce(&Path) -> ClientCertificates,
    ) -> Self {
        let folder = TempFolder::new();
        let (root, of_clients) = (Authority::new("root"), Authority::new("clients"));
        root.issue(Leaf::server(&["127.0.0.1"])).write(folder.path(), "gateway");
        replace(&folder.path().join("clients.pem"), &of_clients.pem(), 0o644);
        replace(&folder.path().join("clients.crl"), &of_clients.revocation_list(&[], 30), 0o644);
        let tls = ServerTls::open(settings(folder.path(), minimum, clients(folder.path())), clock).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let serving = tokio::spawn(serve(listener, Arc::clone(&tls)));
        Self { folder, root, clients: of_clients, tls, address, serving }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn options(&self) -> TlsOptions {
        TlsOptions::new(&self.root.pem())
    }

    async fn connect(&self, options: TlsOptions) -> std::io::Result<TlsClient> {
        let address = self.address.clone();
        tokio::task::spawn_blocking(move || TlsClient::connect(&address, &options)).await.unwrap()
    }

    /// Whom the server takes a client for; an error when there is no connection.
    async fn ask(&self, options: TlsOptions) -> Result<String, String> {
        let mut client = self.connect(options).await.map_err(|error| error.to_string())?;
        tokio::task::spawn_blocking(move || ask(&mut client)).await.unwrap()
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

fn ask(client: &mut TlsClient) -> Result<String, String> {
    let answer = client.exchange("GET / HTTP/1.1\r\n\r\n").map_err(|error| error.to_string())?;
    Ok(String::from_utf8(answer.1).unwrap())
}

async fn serve(listener: TcpListener, tls: Arc<ServerTls>) {
    while let Ok((stream, _)) = listener.accept().await {
        let tls = Arc::clone(&tls);
        tokio::spawn(async move {
            let Ok(Secured { mut stream, certificate }) = tls.accept(stream).await else { return };
            let names = certificate.as_ref().map(|open| format!("{:?}", open.certificate().names));
            let names = names.unwrap_or_else(|| "nobody".to_owned());
            let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{names}", names.len());
            let talking = async {
                let mut request = [0; 1024];
                while stream.read(&mut request).await.is_ok_and(|count| count > 0) {
                    let _ = stream.write_all(answer.as_bytes()).await;
                    let _ = stream.flush().await;
                }
            };
            let lost = async {
                match &certificate {
                    Some(certificate) => certificate.lost().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! { () = talking => {}, () = lost => {} }
        });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_1_3_with_a_post_quantum_key_exchange_is_what_is_spoken() {
    let bench = Bench::start(TlsVersion::V1_3, |_| ClientCertificates::Off).await;
    let client = bench.connect(bench.options()).await.unwrap();
    assert_eq!(client.agreed(), "TLSv1_3 X25519MLKEM768");
    assert!(bench.connect(bench.options().only_1_2()).await.is_err());
    let older = Bench::start(TlsVersion::V1_2, |_| ClientCertificates::Off).await;
    assert!(older.connect(older.options().only_1_2()).await.unwrap().agreed().starts_with("TLSv1_2"));
    assert_eq!(older.connect(older.options()).await.unwrap().agreed(), "TLSv1_3 X25519MLKEM768");
}

#[tokio::test(flavor = "multi_thread")]
async fn http_1_1_is_all_that_is_spoken_inside() {
    let bench = Bench::start(TlsVersion::V1_3, |_| ClientCertificates::Off).await;
    let client = bench.connect(bench.options().protocols(&["h2", "http/1.1"])).await.unwrap();
    assert_eq!(client.protocol().as_deref(), Some("http/1.1"));
    assert!(bench.connect(bench.options().protocols(&["h2"])).await.is_err());
    assert_eq!(bench.connect(bench.options()).await.unwrap().protocol(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_certificate_is_believed_whole_or_not_at_all() {
    let bench = Bench::start(TlsVersion::V1_3, |folder| ClientCertificates::Required(trust(folder, true))).await;
    let ci = || Leaf::client().uri("spiffe://test/ci");
    let revoked = bench.clients.issue(ci());
    replace(&bench.path().join("clients.crl"), &bench.clients.revocation_list(&[&revoked], 30), 0o644);
    assert_eq!(bench.tls.reload().unwrap(), Reloaded::Replaced);
    let below = bench.clients.below("below");
    let mut of_below = below.issue(ci());
    of_below.certificate.push_str(&below.pem());
    let cases = [
        ("right", bench.clients.issue(ci()), Some("[Spiffe(\"spiffe://test/ci\")]")),
        ("common name only", bench.clients.issue(Leaf::client().common_name("spiffe://test/ci")), Some("[]")),
        ("self-signed", Authority::new("clients").issue(ci()), None),
        ("of another authority", bench.root.issue(ci()), None),
        ("expired", bench.clients.issue(ci().days(-9, -1)), None),
        ("not yet valid", bench.clients.issue(ci().days(1, 9)), None),
        ("for servers only", bench.clients.issue(Leaf::server(&[]).uri("spiffe://test/ci")), None),
        ("for nothing in particular", bench.clients.issue(ci().without_usage()), None),
        ("revoked", revoked, None),
        // The list of the root says nothing of what the authority below it has issued.
        ("of unknown standing", of_below, None),
    ];
    for (what, identity, expected) in cases {
        let said = bench.ask(bench.options().showing(&identity)).await;
        assert_eq!(said.as_deref().ok(), expected, "{what}: {said:?}");
    }
    assert!(bench.ask(bench.options()).await.is_err(), "no certificate");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_list_that_has_run_out_says_nothing_of_anybody() {
    let bench = Bench::start(TlsVersion::V1_3, |folder| ClientCertificates::Required(trust(folder, true))).await;
    let identity = bench.clients.issue(Leaf::client().dns("ci.test"));
    assert!(bench.ask(bench.options().showing(&identity)).await.is_ok());
    replace(&bench.path().join("clients.crl"), &bench.clients.revocation_list(&[], -1), 0o644);
    assert_eq!(bench.tls.reload().unwrap(), Reloaded::Replaced);
    assert!(bench.ask(bench.options().showing(&identity)).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_optional_certificate_may_be_missing_and_not_be_wrong() {
    let bench = Bench::start(TlsVersion::V1_3, |folder| ClientCertificates::Optional(trust(folder, false))).await;
    assert_eq!(bench.ask(bench.options()).await.as_deref(), Ok("nobody"));
    let right = bench.clients.issue(Leaf::client().mail("ci@test.example"));
    let said = bench.ask(bench.options().showing(&right)).await;
    assert_eq!(said.as_deref(), Ok("[Mail(\"ci@test.example\")]"));
    let wrong = bench.root.issue(Leaf::client().mail("ci@test.example"));
    assert!(bench.ask(bench.options().showing(&wrong)).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_shown_anew_by_every_connection() {
    async fn kinds(bench: &Bench, identity: Option<&Issued>) -> Vec<Option<HandshakeKind>> {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from(bench.root.der())).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let builder = builder.unwrap().with_root_certificates(roots);
        let config = match identity {
            Some(issued) => {
                let key = rustls::pki_types::PrivateKeyDer::from_pem_slice(issued.key.as_bytes()).unwrap();
                builder.with_client_auth_cert(vec![CertificateDer::from(issued.der.clone())], key).unwrap()
            }
            None => builder.with_no_client_auth(),
        };
        let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
        let mut kinds = Vec::new();
        for _ in 0..3 {
            let stream = tokio::net::TcpStream::connect(&bench.address).await.unwrap();
            let mut stream = connector.connect("127.0.0.1".try_into().unwrap(), stream).await.unwrap();
            stream.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
            // Tickets, if there are any, come before the answer.
            assert!(stream.read(&mut [0; 1024]).await.unwrap() > 0);
            kinds.push(stream.get_ref().1.handshake_kind());
        }
        kinds
    }
    let bench = Bench::start(TlsVersion::V1_3, |folder| ClientCertificates::Required(trust(folder, false))).await;
    let identity = bench.clients.issue(Leaf::client().dns("ci.test"));
    assert_eq!(kinds(&bench, Some(&identity)).await, [Some(HandshakeKind::Full); 3]);
    let without = Bench::start(TlsVersion::V1_3, |_| ClientCertificates::Off).await;
    assert_eq!(kinds(&without, None).await[2], Some(HandshakeKind::Resumed), "where there is nothing to show");
}

#[tokio::test(flavor = "multi_thread")]
async fn new_certificates_are_used_and_bad_ones_are_not() {
    let bench = Bench::start(TlsVersion::V1_3, |_| ClientCertificates::Off).await;
    let shown = async || bench.connect(bench.options()).await.unwrap().server_certificate();
    let first = shown().await;
    assert_eq!(bench.tls.reload().unwrap(), Reloaded::Unchanged);
    let second = bench.root.issue(Leaf::server(&["127.0.0.1"]));
    // The two files are replaced one after the other; between the two nothing changes.
    let (certificate, key) = (bench.path().join("gateway.pem"), bench.path().join("gateway.key"));
    replace(&certificate, &second.certificate, 0o644);
    assert!(matches!(bench.tls.reload(), Err(ServerTlsError::KeyMismatch { .. })));
    assert_eq!(shown().await, first);
    replace(&key, &second.key, 0o600);
    assert_eq!(bench.tls.reload().unwrap(), Reloaded::Replaced);
    assert_eq!(shown().await, second.der);
    let expired = bench.root.issue(Leaf::server(&["127.0.0.1"]).days(-9, -1));
    expired.write(bench.path(), "gateway");
    assert!(matches!(bench.tls.reload(), Err(ServerTlsError::NotValidNow { what: "has expired", .. })));
    replace(&certificate, "nothing", 0o644);
    assert!(matches!(bench.tls.reload(), Err(ServerTlsError::File(_))));
    std::fs::remove_file(&certificate).unwrap();
    assert!(matches!(bench.tls.reload(), Err(ServerTlsError::File(_))));
    assert_eq!(shown().await, second.der);
    second.write(bench.path(), "gateway");
    assert_eq!(bench.tls.reload().unwrap(), Reloaded::Unchanged);
}

#[tokio::test(flavor = "multi_thread")]
async fn revocation_ends_the_open_connections_of_that_certificate_alone() {
    let bench = Bench::start(TlsVersion::V1_3, |folder| ClientCertificates::Required(trust(folder, true))).await;
    let (evil, good) = (bench.clients.issue(Leaf::client().dns("evil.test")), bench.clients.issue(Leaf::client()));
    let mut of_evil = bench.connect(bench.options().showing(&evil)).await.unwrap();
    let mut of_good = bench.connect(bench.options().showing(&good)).await.unwrap();
    let (mut of_evil, mut of_good) = tokio::task::spawn_blocking(move || {
        assert!(ask(&mut of_evil).is_ok() && ask(&mut of_good).is_ok());
        (of_evil, of_good)
    })
    .await
    .unwrap();
    let certificate = peer_certificate(&evil.der).unwrap();
    assert!(!bench.tls.is_revoked(&certificate));
    replace(&bench.path().join("clients.crl"), &bench.clients.revocation_list(&[&evil], 30), 0o644);
    assert_eq!(bench.tls.reload().unwrap(), Reloaded::Replaced);
    tokio::task::spawn_blocking(move || {
        assert!(of_evil.is_ended_within(LONG));
        assert!(ask(&mut of_good).is_ok());
    })
    .await
    .unwrap();
    assert!(bench.tls.is_revoked(&certificate), "and nobody comes in with it again");
    assert!(bench.ask(bench.options().showing(&evil)).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_runs_out_ends_its_connection() {
    let clock = Arc::new(Shifted { inner: SystemClock::new(), by_seconds: AtomicI64::new(0) });
    let clients = |folder: &Path| ClientCertificates::Required(trust(folder, false));
    let bench = Bench::start_by(Arc::clone(&clock) as Arc<dyn Clock>, TlsVersion::V1_3, clients).await;
    let identity = bench.clients.issue(Leaf::client().dns("ci.test").days(-1, 1));
    let mut client = bench.connect(bench.options().showing(&identity)).await.unwrap();
    let mut client = tokio::task::spawn_blocking(move || {
        assert!(ask(&mut client).is_ok());
        client
    })
    .await
    .unwrap();
    let watching = tokio::spawn(Arc::clone(&bench.tls).watch());
    clock.by_seconds.store(2 * 24 * 3600, Ordering::Relaxed);
    assert!(tokio::task::spawn_blocking(move || client.is_ended_within(LONG)).await.unwrap());
    assert!(bench.ask(bench.options().showing(&identity)).await.is_err(), "the handshake has the same clock");
    watching.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_runs_out_ends_what_it_vouched_for() {
    let clock = Arc::new(Shifted { inner: SystemClock::new(), by_seconds: AtomicI64::new(0) });
    let clients = |folder: &Path| ClientCertificates::Required(trust(folder, true));
    let bench = Bench::start_by(Arc::clone(&clock) as Arc<dyn Clock>, TlsVersion::V1_3, clients).await;
    let identity = bench.clients.issue(Leaf::client().dns("ci.test"));
    let mut client = bench.connect(bench.options().showing(&identity)).await.unwrap();
    let mut client = tokio::task::spawn_blocking(move || {
        assert!(ask(&mut client).is_ok());
        client
    })
    .await
    .unwrap();
    bench.tls.judge_open();
    assert!(!bench.tls.is_revoked(&peer_certificate(&identity.der).unwrap()));
    clock.by_seconds.store(31 * 24 * 3600, Ordering::Relaxed);
    bench.tls.judge_open();
    assert!(tokio::task::spawn_blocking(move || client.is_ended_within(LONG)).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_kept_of_connections_that_are_over() {
    let bench = Bench::start(TlsVersion::V1_3, |folder| ClientCertificates::Required(trust(folder, false))).await;
    let identity = bench.clients.issue(Leaf::client().dns("ci.test"));
    for _ in 0..3 {
        assert!(bench.ask(bench.options().showing(&identity)).await.is_ok());
    }
    let is_empty = async {
        while !bench.tls.open_certificates.is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(LONG, is_empty).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_handshake_has_its_time() {
    let folder = TempFolder::new();
    Authority::new("root").issue(Leaf::server(&["127.0.0.1"])).write(folder.path(), "gateway");
    let settings = settings(folder.path(), TlsVersion::V1_3, ClientCertificates::Off);
    let tls = ServerTls::open(settings, Arc::new(SystemClock::new())).unwrap();
    let (_silent, ours) = tokio::io::duplex(64);
    let began = tokio::time::Instant::now();
    assert!(matches!(tls.accept(ours).await.err(), Some(HandshakeError::TooSlow)));
    assert_eq!(began.elapsed(), HANDSHAKE_LIMIT);
    // Also when it does not get its turn.
    let turns = tls.handshakes.acquire_many(u32::try_from(HANDSHAKES_LIMIT).unwrap()).await.unwrap();
    let (_silent, ours) = tokio::io::duplex(64);
    assert!(matches!(tls.accept(ours).await.err(), Some(HandshakeError::TooSlow)));
    drop(turns);
}

#[test]
fn files_that_cannot_be_used_are_refused_and_named() {
    let folder = TempFolder::new();
    let root = Authority::new("root");
    let right = root.issue(Leaf::server(&["127.0.0.1"]));
    let other = root.issue(Leaf::server(&["127.0.0.1"]));
    let (certificate, key) = right.write(folder.path(), "gateway");
    let check = |expected: &str| {
        let settings = settings(folder.path(), TlsVersion::V1_3, ClientCertificates::Off);
        let error = ServerTls::open(settings, Arc::new(SystemClock::new())).err().map(|error| describe(&error));
        let folder = folder.path().display().to_string();
        let said = error.unwrap_or_default().replace(&folder, "FOLDER");
        assert!(if expected.is_empty() { said.is_empty() } else { said.contains(expected) }, "{expected}: {said}");
        assert!(!said.contains("BEGIN") && !said.contains("MII"), "nothing of a file is told: {said}");
    };
    check("");
    for mode in [0o640, 0o604, 0o620, 0o601] {
        replace(&key, &right.key, mode);
        check("the private key `FOLDER/gateway.key` is open to others");
    }
    replace(&key, &right.key, 0o400);
    check("");
    replace(&key, &other.key, 0o600);
    check("the certificate `FOLDER/gateway.pem` and the key `FOLDER/gateway.key` cannot be used together");
    replace(&key, &[right.key.as_str(), &other.key].concat(), 0o600);
    check("`FOLDER/gateway.key` holds more than 1 unencrypted private key");
    replace(&key, &right.key.replace("PRIVATE", "ENCRYPTED PRIVATE"), 0o600);
    check("`FOLDER/gateway.key` holds no unencrypted private key");
    replace(&key, &right.key.replace("-----END", "-----"), 0o600);
    check("`FOLDER/gateway.key` is not PEM");
    replace(&key, "", 0o600);
    check("`FOLDER/gateway.key` holds no");
    std::fs::remove_file(&key).unwrap();
    check("`FOLDER/gateway.key` cannot be read");
    std::fs::create_dir(&key).unwrap();
    check("`FOLDER/gateway.key` is no regular file");
    std::fs::remove_dir(&key).unwrap();
    replace(&key, &right.key, 0o600);
    replace(&certificate, &root.issue(Leaf::server(&[]).days(-2, -1)).certificate, 0o644);
    check("the certificate `FOLDER/gateway.pem` has expired");
    replace(&certificate, &root.issue(Leaf::server(&[]).days(1, 2)).certificate, 0o644);
    check("the certificate `FOLDER/gateway.pem` is not valid yet");
    replace(&certificate, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", 0o644);
    check("the first section of `FOLDER/gateway.pem` is no certificate");
    replace(&certificate, &"x".repeat(crate::tls::FILE_BYTES + 1), 0o644);
    check("`FOLDER/gateway.pem` is larger than");
}
