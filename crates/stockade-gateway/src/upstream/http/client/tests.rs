//! Upstreams that are not who they should be, behind real TLS.

use super::*;
use crate::tls::{ClientIdentity, KeyPin, TlsVersion};
use http_body_util::BodyExt;
use std::net::SocketAddr;
use std::path::Path;
use stockade_core::wire::Digest;
use testkit::certificates::{Authority, Issued, Leaf, replace};
use testkit::{TempFolder, TlsFront, TlsFrontOptions};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// What must not leave before the other end is known.
const CREDENTIAL: &str = "Bearer CANARY-4f1c";

/// Answers everything, in the clear, behind the fronts.
async fn target() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                while stream.read(&mut [0; 4096]).await.is_ok_and(|count| count > 0) {
                    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
                }
            });
        }
    });
    address
}

async fn front(identity: Issued) -> TlsFront {
    TlsFront::start(target().await, &TlsFrontOptions { identity, clients: None, only_1_2: false })
}

async fn ask(client: &HttpClient, front: &TlsFront) -> Result<String, String> {
    let request = Request::post(format!("https://{}/mcp", front.address())).header("authorization", CREDENTIAL);
    let response = client.send(request.body(Full::new(Bytes::new())).unwrap()).await;
    let body = response.map_err(|error| match error {
        UpstreamError::Unavailable { reason } => reason,
        other => format!("not unavailable: {other:?}"),
    })?;
    Ok(String::from_utf8(body.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap())
}

/// What is believed: this authority, which stands in a file of the folder.
fn believing(folder: &Path, authority: &Authority) -> UpstreamTls {
    let file = folder.join("authority.pem");
    replace(&file, &authority.pem(), 0o644);
    UpstreamTls { authorities: Some(file), ..UpstreamTls::default() }
}

fn pin(issued: &Issued) -> KeyPin {
    use base64::Engine;
    let digest = Digest::of(&issued.public_key);
    format!("sha256/{}", base64::engine::general_purpose::STANDARD.encode(digest.as_bytes())).parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_sent_to_whom_the_certificate_does_not_prove() {
    let (folder, root) = (TempFolder::new(), Authority::new("root"));
    let leaf = || Leaf::server(&["127.0.0.1"]);
    let right = root.issue(leaf());
    let cases = [
        ("another name", root.issue(Leaf::server(&["10.0.0.1", "db.test"])), "not valid for name"),
        ("common name only", root.issue(Leaf::server(&[]).common_name("127.0.0.1")), "not valid for name"),
        ("expired", root.issue(leaf().days(-9, -1)), "expired"),
        ("not yet valid", root.issue(leaf().days(1, 9)), "not valid yet"),
        ("of another authority", Authority::new("root").issue(leaf()), "invalid peer certificate"),
        ("for clients only", root.issue(Leaf::client().dns("localhost")), "invalid peer certificate"),
    ];
    let client = HttpClient::new(believing(folder.path(), &root));
    for (what, identity, reason) in cases {
        let front = front(identity).await;
        let said = ask(&client, &front).await;
        assert!(said.as_ref().is_err_and(|said| said.contains(reason)), "{what}: {said:?}");
        assert_eq!((front.connections(), front.bytes().len()), (1, 0), "{what}");
    }
    let front = front(right).await;
    assert_eq!(ask(&client, &front).await.as_deref(), Ok("ok"));
    assert!(String::from_utf8_lossy(&front.bytes()).contains(CREDENTIAL));
    // The system's authorities do not know ours, and ours are none of the system's.
    let said = ask(&HttpClient::new(UpstreamTls::default()), &front).await;
    assert!(said.as_ref().is_err_and(|said| said.contains("invalid peer certificate")), "{said:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pin_is_demanded_beside_the_certificate_and_never_in_its_place() {
    let (folder, root) = (TempFolder::new(), Authority::new("root"));
    let right = root.issue(Leaf::server(&["127.0.0.1"]));
    let next = root.issue(Leaf::server(&["127.0.0.1"]));
    let with = |pins: Vec<KeyPin>| HttpClient::new(UpstreamTls { pins, ..believing(folder.path(), &root) });
    let shown = front(right.clone()).await;
    assert_eq!(ask(&with(vec![pin(&next), pin(&right)]), &shown).await.as_deref(), Ok("ok"));
    let renewed = front(root.renew(Leaf::server(&["127.0.0.1"]), &right)).await;
    assert_eq!(ask(&with(vec![pin(&right)]), &renewed).await.as_deref(), Ok("ok"), "the same key");
    let other = front(next.clone()).await;
    let said = ask(&with(vec![pin(&right)]), &other).await.unwrap_err();
    assert!(said.contains("the pin differs") && said.contains(&pin(&next).to_string()), "{said}");
    assert!(other.bytes().is_empty());
    let unproved = front(Authority::new("root").renew(Leaf::server(&["127.0.0.1"]), &right)).await;
    assert!(ask(&with(vec![pin(&right)]), &unproved).await.is_err(), "the right key and a wrong certificate");
    let expired = front(root.renew(Leaf::server(&["127.0.0.1"]).days(-9, -1), &right)).await;
    assert!(ask(&with(vec![pin(&right)]), &expired).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_certificate_is_shown_and_taken_anew_when_it_is_replaced() {
    let (folder, root) = (TempFolder::new(), Authority::new("root"));
    let own = root.issue(Leaf::client().dns("gateway.test"));
    let (certificate, key) = own.write(folder.path(), "own");
    let identity = Some(ClientIdentity { certificate, key });
    let options = TlsFrontOptions {
        identity: root.issue(Leaf::server(&["127.0.0.1"])),
        clients: Some(root.pem()),
        only_1_2: false,
    };
    let front = TlsFront::start(target().await, &options);
    let without = HttpClient::new(believing(folder.path(), &root));
    assert!(ask_whatever(&without, &front).await.is_err(), "it is demanded");
    let client = HttpClient::new(UpstreamTls { identity, ..believing(folder.path(), &root) });
    assert_eq!(ask(&client, &front).await.as_deref(), Ok("ok"));
    assert_eq!(front.clients(), [own.der]);
    let next = root.issue(Leaf::client().dns("gateway.test"));
    next.write(folder.path(), "own");
    let is_taken = async {
        // Kept connections go on with the old one; they end when nobody uses them.
        while front.clients().last() != Some(&next.der) {
            assert_eq!(ask(&client, &front).await.as_deref(), Ok("ok"));
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), is_taken).await.expect("the new one within seconds");
}

/// As [`ask`], whatever the error: with TLS 1.3 a refusal of our certificate may come after our request.
async fn ask_whatever(client: &HttpClient, front: &TlsFront) -> Result<(), ()> {
    let request = Request::post(format!("https://{}/mcp", front.address())).body(Full::new(Bytes::new())).unwrap();
    client.send(request).await.map(drop).map_err(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn old_versions_are_not_spoken() {
    let (folder, root) = (TempFolder::new(), Authority::new("root"));
    let identity = root.issue(Leaf::server(&["127.0.0.1"]));
    let front = TlsFront::start(target().await, &TlsFrontOptions { identity, clients: None, only_1_2: true });
    let by_default = HttpClient::new(believing(folder.path(), &root));
    assert_eq!(ask(&by_default, &front).await.as_deref(), Ok("ok"));
    let tls = UpstreamTls { minimum: TlsVersion::V1_3, ..believing(folder.path(), &root) };
    let said = ask(&HttpClient::new(tls), &front).await;
    assert!(said.as_ref().is_err_and(|said| said.contains("ProtocolVersion")), "{said:?}");
}
