//! The guarded fetcher against peers that lie, stall and lead astray.

use super::*;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use stockade_core::ports::PortFuture;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// What one connection of the server is answered with: bytes, and whether the connection then stays open.
type Script = fn(&str) -> (Vec<u8>, bool);

/// A server on loopback that answers by a script and counts.
struct Server {
    port: u16,
    requests: Arc<Mutex<Vec<String>>>,
    _serving: tokio::task::JoinHandle<()>,
}

impl Server {
    async fn start(script: Script) -> Self {
        let listener = TcpListener::bind((IpAddr::from([127, 0, 0, 1]), 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&requests);
        let serving = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let heard = Arc::clone(&heard);
                tokio::spawn(async move {
                    let mut bytes = vec![0; 16 << 10];
                    let mut length = 0;
                    // A form comes in head and body, which are sent together; a TLS handshake begins with 22.
                    while bytes[0] != 22 && !bytes[..length].windows(4).any(|window| window == b"\r\n\r\n") {
                        match stream.read(&mut bytes[length..]).await {
                            Ok(0) | Err(_) => return,
                            Ok(more) => length += more,
                        }
                    }
                    let request = String::from_utf8_lossy(&bytes[..length]).into_owned();
                    let (answer, stays_open) = script(&request);
                    heard.lock().unwrap().push(request);
                    stream.write_all(&answer).await.ok();
                    if stays_open {
                        std::future::pending::<()>().await;
                    }
                });
            }
        });
        Self { port, requests, _serving: serving }
    }

    fn url(&self, path: &str) -> String {
        format!("http://as.test:{}{path}", self.port)
    }

    fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }

    /// A fetcher for which this server is listed.
    fn fetcher(&self) -> GuardedFetcher {
        fetcher(&[&self.url("/")], &["127.0.0.1"]).0
    }
}

fn answer(status: &str, headers: &str, body: &str) -> (Vec<u8>, bool) {
    (format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\n\r\n{body}", body.len()).into_bytes(), false)
}

/// Names have the addresses that the test gives them, one set after the other.
struct Scripted {
    addresses: Vec<Vec<IpAddr>>,
    asked: Arc<AtomicUsize>,
}

impl Resolve for Scripted {
    fn resolve<'a>(&'a self, host: &'a str, port: u16) -> PortFuture<'a, std::io::Result<Vec<SocketAddr>>> {
        let turn = self.asked.fetch_add(1, Ordering::Relaxed);
        let literal = host.parse().map(|address| vec![address]);
        let found = literal.unwrap_or_else(|_| self.addresses[turn.min(self.addresses.len() - 1)].clone());
        Box::pin(std::future::ready(Ok(found.into_iter().map(|ip| SocketAddr::new(ip, port)).collect())))
    }
}

fn fetcher(listed: &[&str], addresses: &[&str]) -> (GuardedFetcher, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let addresses = addresses.iter().map(|one| one.split(' ').map(|ip| ip.parse().unwrap()).collect()).collect();
    let resolver = Scripted { addresses, asked: Arc::clone(&asked) };
    let listed = listed.iter().map(|url| ListedHost::of_url(url).unwrap()).collect();
    (GuardedFetcher::with_resolver(FetchSettings { authorities: None, listed }, Box::new(resolver)), asked)
}

#[track_caller]
fn refusal(fetched: Result<FetchedAnswer, GuardedFetchError>, part: &str) {
    let Err(error) = fetched else { panic!("it was fetched: {fetched:?}") };
    assert!(error.to_string().contains(part), "{error}");
}

#[tokio::test]
async fn a_listed_host_on_loopback_is_asked_by_its_name() {
    let server = Server::start(|_| {
        answer("200 OK", "Content-Type: application/json\r\nCache-Control: max-age=60\r\nSet-Cookie: a=b\r\n", "{}")
    })
    .await;
    let fetcher = server.fetcher();
    for _ in 0..2 {
        let fetched = fetcher.get(&server.url("/jwks?a=b"), 2).await.unwrap();
        assert_eq!((fetched.status, fetched.body.as_ref()), (200, b"{}".as_slice()));
        assert_eq!(fetched.content_type.as_deref(), Some("application/json"));
        assert_eq!(fetched.max_age, Some(Duration::from_secs(60)));
    }
    let requests = server.requests();
    assert_eq!(requests.len(), 2);
    for request in &requests {
        let lower = request.to_ascii_lowercase();
        assert!(request.starts_with("GET /jwks?a=b HTTP/1.1\r\n"), "{request}");
        assert!(lower.contains(&format!("host: as.test:{}\r\n", server.port)), "{request}");
        assert!(!lower.contains("cookie") && !lower.contains("authorization"), "{request}");
    }
}

#[tokio::test]
async fn addresses_that_are_not_public_are_refused_whatever_the_name() {
    for address in [
        "127.0.0.1",
        "10.0.0.1",
        "192.168.1.1",
        "172.16.0.1",
        "100.64.0.1",
        "169.254.169.254",
        "0.0.0.0",
        "::1",
        "fd00::1",
        "fe80::1",
        "::ffff:127.0.0.1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::1",
        "224.0.0.1",
        "10.0.0.1 127.0.0.1",
    ] {
        let (fetcher, _) = fetcher(&[], &[address]);
        refusal(fetcher.get("https://as.test/jwks", 100).await, "only public addresses");
    }
    let (fetcher, _) = fetcher(&[], &["8.8.8.8"]);
    for url in
        ["https://127.0.0.1/", "https://[::1]/", "https://169.254.169.254/latest/meta-data", "https://[fd00::1]/"]
    {
        refusal(fetcher.get(url, 100).await, "only public addresses");
    }
    // Odd ways to write an address are understood by the system's resolver, and judged by what they mean.
    let system = GuardedFetcher::new(FetchSettings::default());
    for url in ["https://0x7f.1/", "https://2130706433/", "https://0177.0.0.1/", "https://127.1/", "https://localhost/"]
    {
        let fetched = system.get(url, 100).await;
        let Err(error) = fetched else { panic!("{url} was fetched") };
        let text = error.to_string();
        assert!(text.contains("only public addresses") || text.contains("not found"), "{url}: {text}");
    }
}

#[tokio::test]
async fn a_listed_host_reaches_no_further_than_private_addresses() {
    for address in ["169.254.169.254", "0.0.0.0", "fe80::1", "224.0.0.1", "255.255.255.255"] {
        let (fetcher, _) = fetcher(&["https://as.test/"], &[address]);
        refusal(fetcher.get("https://as.test/jwks", 100).await, "never reached");
    }
    // Plain HTTP is for loopback, and for that very host and port.
    let (fetcher, _) = fetcher(&["http://as.test:8080/"], &["10.0.0.1"]);
    refusal(fetcher.get("http://as.test:8080/jwks", 100).await, "on loopback only");
    for url in ["http://as.test/", "http://as.test:8081/", "http://other.test:8080/", "http://as.test.evil.test:8080/"]
    {
        refusal(fetcher.get(url, 100).await, "it is not `https`");
    }
}

#[tokio::test]
async fn a_name_is_resolved_once_and_what_it_was_then_is_connected_to() {
    let server = Server::start(|_| answer("200 OK", "", "{}")).await;
    // The first answer is judged; a second one, which would lead elsewhere, is never asked for.
    let (fetcher, asked) = fetcher(&[&server.url("/")], &["127.0.0.1", "169.254.169.254"]);
    assert!(fetcher.get(&server.url("/"), 100).await.is_ok());
    assert_eq!(asked.load(Ordering::Relaxed), 1);
    // Of several addresses only those are used that may be.
    let (fetcher, _) = super::tests::fetcher(&[&server.url("/")], &["169.254.169.254 10.0.0.1 127.0.0.1"]);
    assert!(fetcher.get(&server.url("/"), 100).await.is_ok());
}

#[tokio::test]
async fn redirects_are_few_and_held_against_the_same_rules() {
    let server = Server::start(|request| match request.split(' ').nth(1) {
        Some("/a") => answer("302 Found", "Location: /b\r\n", ""),
        Some("/b") => answer("307 Temporary Redirect", "Location: /c\r\n", ""),
        Some("/c") => answer("301 Moved Permanently", "Location: /end\r\n", ""),
        Some("/round") => answer("302 Found", "Location: /round\r\n", ""),
        Some("/metadata") => answer("302 Found", "Location: https://169.254.169.254/latest\r\n", ""),
        Some("/inside") => answer("302 Found", "Location: http://127.0.0.1:1/\r\n", ""),
        Some("/file") => answer("302 Found", "Location: file:///etc/passwd\r\n", ""),
        Some("/nowhere") => answer("302 Found", "", ""),
        _ => answer("200 OK", "", "end"),
    })
    .await;
    let fetcher = server.fetcher();
    assert_eq!(fetcher.get(&server.url("/a"), 100).await.unwrap().body.as_ref(), b"end");
    refusal(fetcher.get(&server.url("/round"), 100).await, "more than 3 redirects");
    assert_eq!(server.requests().len(), 8);
    refusal(fetcher.get(&server.url("/metadata"), 100).await, "only public addresses");
    refusal(fetcher.get(&server.url("/inside"), 100).await, "it is not `https`");
    refusal(fetcher.get(&server.url("/file"), 100).await, "no whole URL");
    assert_eq!(fetcher.get(&server.url("/nowhere"), 100).await.unwrap().status, 302);
    // Without redirects they come back as they are.
    assert_eq!(fetcher.get_directly(&server.url("/a"), 100).await.unwrap().status, 302);
}

#[tokio::test]
async fn a_form_goes_where_it_was_sent_and_nowhere_else() {
    let server = Server::start(|_| answer("307 Temporary Redirect", "Location: /other\r\n", "")).await;
    let (authorization, body) = (Secret::new("Basic eDp5".to_owned()), Secret::new("token=secret".to_owned()));
    let fetched = server.fetcher().post_form(&server.url("/introspect"), &authorization, &body, 100).await.unwrap();
    assert_eq!(fetched.status, 307);
    let requests = server.requests();
    assert_eq!(requests.len(), 1);
    let request = requests[0].to_ascii_lowercase();
    assert!(request.starts_with("post /introspect http/1.1\r\n"), "{request}");
    assert!(request.contains("authorization: basic edp5\r\n"), "{request}");
    assert!(request.contains("content-type: application/x-www-form-urlencoded\r\n"), "{request}");
}

#[tokio::test]
async fn an_answer_that_is_too_large_is_not_read() {
    let server = Server::start(|request| match request.split(' ').nth(1) {
        Some("/said") => answer("200 OK", "", &"x".repeat(101)),
        Some("/unsaid") => {
            let chunk = format!("65\r\n{}\r\n", "x".repeat(101));
            (format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{chunk}").into_bytes(), true)
        }
        Some("/head") => (format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(1 << 20)).into_bytes(), true),
        Some("/lines") => (format!("HTTP/1.1 200 OK\r\n{}\r\n", "X: y\r\n".repeat(65)).into_bytes(), true),
        _ => answer("200 OK", "", &"x".repeat(100)),
    })
    .await;
    let fetcher = server.fetcher();
    assert_eq!(fetcher.get(&server.url("/"), 100).await.unwrap().body.len(), 100);
    for path in ["/said", "/unsaid"] {
        refusal(fetcher.get(&server.url(path), 100).await, "larger than 100 bytes");
    }
    for path in ["/head", "/lines"] {
        refusal(fetcher.get(&server.url(path), 100).await, "does not answer");
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_does_not_come_is_not_waited_for() {
    let server = Server::start(|request| match request.split(' ').nth(1) {
        Some("/silent") => (Vec::new(), true),
        Some("/half") => (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf".to_vec(), true),
        Some("/cut") => (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf".to_vec(), false),
        _ => (b"not HTTP at all\r\n\r\n".to_vec(), false),
    })
    .await;
    let fetcher = server.fetcher();
    for path in ["/silent", "/half"] {
        let begun = Instant::now();
        refusal(fetcher.get(&server.url(path), 100).await, "no whole answer within 10 s");
        assert!(begun.elapsed() < Duration::from_secs(11));
    }
    for path in ["/cut", "/else"] {
        refusal(fetcher.get(&server.url(path), 100).await, "does not answer");
    }
}

#[tokio::test]
async fn a_peer_without_a_right_certificate_gets_no_request() {
    let server = Server::start(|_| answer("200 OK", "", "{}")).await;
    let url = format!("https://as.test:{}/", server.port);
    let (fetcher, _) = fetcher(&[&url], &["127.0.0.1"]);
    let fetched = fetcher.get(&url, 100).await;
    refusal(fetched, "does not answer");
    let heard = server.requests();
    assert!(heard.len() == 1 && !heard[0].contains("HTTP/1.1"), "nothing but a handshake: {heard:?}");
}
