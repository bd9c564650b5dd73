//! TLS for tests: a client that says what was agreed on, and a front that puts TLS before a plain server.

use std::io::{Error, ErrorKind, Read, Result, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, StreamOwned};

use crate::certificates::Issued;
use crate::http_text::Head;

/// Longest wait for anything on a connection.
const LIMIT: Duration = Duration::from_secs(20);
/// Longest message.
const MESSAGE_BYTES: usize = 16 << 20;

/// How a client connects.
#[derive(Debug, Clone)]
pub struct TlsOptions {
    /// The authority that it believes, as PEM.
    pub authority: String,
    /// The name that it asks for and expects in the certificate.
    pub name: String,
    /// What it shows.
    pub identity: Option<Issued>,
    /// True to speak TLS 1.2 only.
    pub only_1_2: bool,
    /// Protocols that it offers (ALPN).
    pub protocols: Vec<String>,
}

impl TlsOptions {
    /// Believes this authority and asks for 127.0.0.1.
    #[must_use]
    pub fn new(authority: &str) -> Self {
        Self {
            authority: authority.to_owned(),
            name: "127.0.0.1".to_owned(),
            identity: None,
            only_1_2: false,
            protocols: Vec::new(),
        }
    }

    /// Shows this certificate.
    #[must_use]
    pub fn showing(mut self, identity: &Issued) -> Self {
        self.identity = Some(identity.clone());
        self
    }

    /// Speaks TLS 1.2 only.
    #[must_use]
    pub fn only_1_2(mut self) -> Self {
        self.only_1_2 = true;
        self
    }

    /// Offers these protocols.
    #[must_use]
    pub fn protocols(mut self, names: &[&str]) -> Self {
        self.protocols = names.iter().map(|name| (*name).to_owned()).collect();
        self
    }

    fn config(&self) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.authority.as_bytes()).expect("an authority")).expect("a root");
        let versions: &[_] = if self.only_1_2 { &[&TLS12] } else { &[&TLS13, &TLS12] };
        let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()));
        let builder = builder.with_protocol_versions(versions).expect("versions").with_root_certificates(roots);
        let mut config = match &self.identity {
            Some(identity) => {
                let chain = CertificateDer::pem_slice_iter(identity.certificate.as_bytes());
                let chain = chain.collect::<std::result::Result<Vec<_>, _>>().expect("a chain");
                let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).expect("a key");
                builder.with_client_auth_cert(chain, key).expect("an identity")
            }
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = self.protocols.iter().map(|name| name.clone().into_bytes()).collect();
        config
    }
}

/// One connection over TLS.
#[derive(Debug)]
pub struct TlsClient {
    stream: StreamOwned<ClientConnection, TcpStream>,
    buffer: Vec<u8>,
}

impl TlsClient {
    /// Connects and performs the handshake. With TLS 1.3 a server that refuses the client's certificate says so only
    /// afterwards: at the first exchange.
    ///
    /// # Errors
    /// When either side refuses.
    pub fn connect(address: &str, options: &TlsOptions) -> Result<Self> {
        Self::over(TcpStream::connect(address)?, options)
    }

    /// As `connect`, on a connection that has already carried something else.
    ///
    /// # Errors
    /// When either side refuses.
    ///
    /// # Panics
    /// When the options make no sense.
    pub fn over(stream: TcpStream, options: &TlsOptions) -> Result<Self> {
        stream.set_read_timeout(Some(LIMIT))?;
        stream.set_write_timeout(Some(LIMIT))?;
        stream.set_nodelay(true)?;
        let name = ServerName::try_from(options.name.clone()).expect("a name");
        let connection = ClientConnection::new(Arc::new(options.config()), name).map_err(Error::other)?;
        let mut stream = StreamOwned::new(connection, stream);
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock)?;
        }
        Ok(Self { stream, buffer: Vec::new() })
    }

    /// The version and key exchange that were agreed on, such as `TLSv1_3 X25519MLKEM768`.
    #[must_use]
    pub fn agreed(&self) -> String {
        let version = self.stream.conn.protocol_version();
        let group = self.stream.conn.negotiated_key_exchange_group();
        format!("{:?} {:?}", version.expect("a version"), group.expect("a group").name())
    }

    /// The protocol that was agreed on (ALPN).
    #[must_use]
    pub fn protocol(&self) -> Option<String> {
        self.stream.conn.alpn_protocol().map(|name| String::from_utf8_lossy(name).into_owned())
    }

    /// The certificate that the server showed, in DER.
    #[must_use]
    pub fn server_certificate(&self) -> Vec<u8> {
        let chain = self.stream.conn.peer_certificates().unwrap_or_default();
        chain.first().map(|leaf| leaf.to_vec()).unwrap_or_default()
    }

    /// Sends a request and reads its answer, whose body must have a length.
    ///
    /// # Errors
    /// When the connection ends before the end of the answer.
    pub fn exchange(&mut self, request: impl AsRef<[u8]>) -> Result<(Head, Vec<u8>)> {
        self.stream.write_all(request.as_ref())?;
        self.stream.flush()?;
        read_message(&mut self.stream, &mut self.buffer)
    }

    /// Waits for the peer to end the connection, however it does.
    #[must_use]
    pub fn is_ended_within(&mut self, limit: Duration) -> bool {
        drop(self.stream.sock.set_read_timeout(Some(limit)));
        let ended = match self.stream.read(&mut [0; 1]) {
            Ok(count) => count == 0,
            Err(cause) => !matches!(cause.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
        };
        drop(self.stream.sock.set_read_timeout(Some(LIMIT)));
        ended
    }
}

/// Reads a head and as much body as its length says.
fn read_message(stream: &mut impl Read, buffer: &mut Vec<u8>) -> Result<(Head, Vec<u8>)> {
    let mut more = |buffer: &mut Vec<u8>| -> Result<()> {
        let mut piece = [0; 16 << 10];
        let count = stream.read(&mut piece)?;
        buffer.extend_from_slice(&piece[..count]);
        match count {
            0 => Err(Error::new(ErrorKind::UnexpectedEof, "the peer closed")),
            _ if buffer.len() > MESSAGE_BYTES => Err(Error::new(ErrorKind::InvalidData, "longer than the limit")),
            _ => Ok(()),
        }
    };
    let end = loop {
        match buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            Some(at) => break at + 4,
            None => more(buffer)?,
        }
    };
    let head = Head::parse(&buffer[..end]);
    let length = end + head.content_length().unwrap_or(0);
    while buffer.len() < length {
        more(buffer)?;
    }
    let message: Vec<u8> = buffer.drain(..length).collect();
    Ok((head, message[end..].to_vec()))
}

/// How a front shows itself.
#[derive(Debug, Clone)]
pub struct TlsFrontOptions {
    /// Its certificate.
    pub identity: Issued,
    /// The authority whose client certificates it demands, as PEM; none is asked for without.
    pub clients: Option<String>,
    /// True to speak TLS 1.2 only.
    pub only_1_2: bool,
}

/// Something that speaks TLS before a server that does not. It passes requests on one by one; answers must have a length.
#[derive(Debug)]
pub struct TlsFront {
    address: SocketAddr,
    seen: Arc<Seen>,
    accepting: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Seen {
    stopping: AtomicBool,
    connections: AtomicUsize,
    handshakes: AtomicUsize,
    /// What came out of TLS.
    bytes: Mutex<Vec<u8>>,
    /// The certificates that clients showed, in DER.
    clients: Mutex<Vec<Vec<u8>>>,
}

impl TlsFront {
    /// Listens on a free port of 127.0.0.1 and passes on to `target`.
    ///
    /// # Panics
    /// When the options make no sense.
    #[must_use]
    pub fn start(target: SocketAddr, options: &TlsFrontOptions) -> Self {
        let config = Arc::new(server_config(options));
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("listen on loopback");
        let address = listener.local_addr().expect("own address");
        let seen = Arc::new(Seen::default());
        let for_thread = Arc::clone(&seen);
        let accepting = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if for_thread.stopping.load(Ordering::Relaxed) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                let (config, seen) = (Arc::clone(&config), Arc::clone(&for_thread));
                seen.connections.fetch_add(1, Ordering::Relaxed);
                std::thread::spawn(move || drop(carry(stream, config, target, &seen)));
            }
        });
        Self { address, seen, accepting: Some(accepting) }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many connections were made to it.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.seen.connections.load(Ordering::Relaxed)
    }

    /// How many handshakes were finished.
    #[must_use]
    pub fn handshakes(&self) -> usize {
        self.seen.handshakes.load(Ordering::Relaxed)
    }

    /// Everything that clients have sent inside TLS.
    ///
    /// # Panics
    /// Never in practice.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        self.seen.bytes.lock().expect("bytes").clone()
    }

    /// The certificates that clients have shown, in DER.
    ///
    /// # Panics
    /// Never in practice.
    #[must_use]
    pub fn clients(&self) -> Vec<Vec<u8>> {
        self.seen.clients.lock().expect("clients").clone()
    }
}

impl Drop for TlsFront {
    fn drop(&mut self) {
        self.seen.stopping.store(true, Ordering::Relaxed);
        drop(TcpStream::connect(self.address));
        if let Some(accepting) = self.accepting.take() {
            drop(accepting.join());
        }
    }
}

fn server_config(options: &TlsFrontOptions) -> ServerConfig {
    let provider = Arc::new(default_provider());
    let versions: &[_] = if options.only_1_2 { &[&TLS12] } else { &[&TLS13, &TLS12] };
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
    let builder = builder.with_protocol_versions(versions).expect("versions");
    let builder = match &options.clients {
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            roots.add(CertificateDer::from_pem_slice(authority.as_bytes()).expect("an authority")).expect("a root");
            let verifier = rustls::server::WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            builder.with_client_cert_verifier(verifier.build().expect("a verifier"))
        }
        None => builder.with_no_client_auth(),
    };
    let chain = vec![CertificateDer::from(options.identity.der.clone())];
    let key = PrivateKeyDer::from_pem_slice(options.identity.key.as_bytes()).expect("a key");
    builder.with_single_cert(chain, key).expect("an identity")
}

fn carry(stream: TcpStream, config: Arc<ServerConfig>, target: SocketAddr, seen: &Seen) -> Result<()> {
    stream.set_read_timeout(Some(LIMIT))?;
    stream.set_write_timeout(Some(LIMIT))?;
    let connection = ServerConnection::new(config).map_err(Error::other)?;
    let mut outer = StreamOwned::new(connection, stream);
    while outer.conn.is_handshaking() {
        outer.conn.complete_io(&mut outer.sock)?;
    }
    seen.handshakes.fetch_add(1, Ordering::Relaxed);
    if let Some(leaf) = outer.conn.peer_certificates().and_then(|chain| chain.first()) {
        seen.clients.lock().expect("clients").push(leaf.to_vec());
    }
    let mut inner = TcpStream::connect(target)?;
    inner.set_read_timeout(Some(LIMIT))?;
    let (mut requests, mut answers) = (Vec::new(), Vec::new());
    loop {
        let (head, body) = read_message(&mut outer, &mut requests)?;
        let request = [&head.bytes[..], &body].concat();
        seen.bytes.lock().expect("bytes").extend_from_slice(&request);
        inner.write_all(&request)?;
        let (head, body) = read_message(&mut inner, &mut answers)?;
        outer.write_all(&[&head.bytes[..], &body].concat())?;
        outer.flush()?;
    }
}
