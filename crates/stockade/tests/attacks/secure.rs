//! The ground of the cases about transport: a gateway that speaks TLS, whoever may connect to it, and what it answers.

use std::io::Result;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use testkit::certificates::{Authority, Leaf, replace};
use testkit::{
    Config, Era, Gateway, Head, HttpClient, Outgoing, TempFolder, TlsClient, TlsOptions, Transport, Upstream,
    WellBehaved,
};

use crate::ground::{STOCKADE, everything};

/// The eras, each by its newest revision.
pub(crate) const ERAS: [Era; 2] = [Era::Modern, Era::Legacy("2025-11-25")];

/// A gateway before the server `files`, on loopback and over TLS. Everybody with a key may do everything.
pub(crate) struct Secure {
    pub(crate) files: Files,
    pub(crate) upstream: Upstream,
    pub(crate) gateway: Gateway,
    key: String,
}

/// Two authorities, and what they have issued: `gateway.pem`, `gateway.key`, `clients.pem`, and `clients.crl`.
pub(crate) struct Files {
    folder: TempFolder,
    /// Issues the gateway's own certificate.
    pub(crate) root: Authority,
    /// Issues those of clients.
    pub(crate) clients: Authority,
}

impl Files {
    pub(crate) fn new() -> Self {
        let (root, clients) = (Authority::new("gateway's root"), Authority::new("clients' root"));
        let files = Self { folder: TempFolder::new(), root, clients };
        files.root.issue(Leaf::server(&["127.0.0.1"])).write(files.path(), "gateway");
        replace(&files.at("clients.pem"), &files.clients.pem(), 0o644);
        replace(&files.at("clients.crl"), &files.clients.revocation_list(&[], 30), 0o644);
        files
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    /// A file's path as a value of the configuration.
    pub(crate) fn value(&self, name: &str) -> Value {
        json!(self.at(name))
    }

    /// `[tls]` with the gateway's certificate.
    pub(crate) fn with_tls(&self, config: Config) -> Config {
        let tls = ["tls"];
        config.set(&tls, "certificate", self.value("gateway.pem")).set(&tls, "key", self.value("gateway.key"))
    }

    /// And clients must show a certificate that is not revoked.
    pub(crate) fn with_client_certificates(&self, config: Config, demand: &str) -> Config {
        let tls = ["tls"];
        self.with_tls(config)
            .set(&tls, "client_certificates", json!(demand))
            .set(&tls, "client_ca", json!([self.at("clients.pem")]))
            .set(&tls, "crl", json!([self.at("clients.crl")]))
    }
}

impl Secure {
    /// Starts it; `change` completes the configuration.
    pub(crate) fn open(change: impl FnOnce(&Files, Config) -> Config) -> Self {
        let files = Files::new();
        let upstream = Upstream::over(Transport::Http, WellBehaved::files());
        let config = change(&files, everything().server("files", upstream.entry()));
        let gateway = Gateway::start(STOCKADE, config);
        assert!(gateway.url().starts_with("https://127.0.0.1:"), "{}", gateway.url());
        let key = gateway.key_for("alice");
        Self { files, upstream, gateway, key }
    }

    /// A client that believes the gateway's authority.
    pub(crate) fn options(&self) -> TlsOptions {
        TlsOptions::new(&self.files.root.pem())
    }

    /// The first thing that a client of the era says: a call, or a handshake.
    pub(crate) fn first(&self, era: Era) -> Outgoing {
        let client = HttpClient::unopened(&self.gateway.url_of("files"), Some(&self.key), era);
        match era {
            Era::Modern => client.prepare_call("read_file", json!({ "path": "a" })),
            Era::Legacy(revision) => {
                let about = json!({ "name": "testkit", "version": "1" });
                let params = json!({ "protocolVersion": revision, "capabilities": {}, "clientInfo": about });
                client.prepare("initialize", params)
            }
        }
    }

    /// Sends one request over a connection of its own.
    pub(crate) fn ask(&self, options: &TlsOptions, outgoing: &Outgoing) -> Result<(Head, Value)> {
        let mut client = TlsClient::connect(self.gateway.address(), options)?;
        ask(&mut client, outgoing)
    }
}

/// Sends one request over a connection that is there.
pub(crate) fn ask(client: &mut TlsClient, outgoing: &Outgoing) -> Result<(Head, Value)> {
    let (head, body) = client.exchange(outgoing.to_bytes())?;
    Ok((head, serde_json::from_slice(&body).unwrap_or_default()))
}
