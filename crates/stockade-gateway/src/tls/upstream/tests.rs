//! Whom the verifier believes, and files that cannot be used.

use super::*;
use testkit::TempFolder;
use testkit::certificates::{Authority, Leaf, replace};

/// What the verifier says of a certificate of `names` where `asked` is expected.
fn verify(names: &[&str], asked: &str) -> Result<(), String> {
    let (folder, root) = (TempFolder::new(), Authority::new("root"));
    let file = folder.path().join("root.pem");
    replace(&file, &root.pem(), 0o644);
    let tls = UpstreamTls { authorities: Some(file), ..UpstreamTls::default() };
    let inner = tls.verifier(&Arc::new(aws_lc_rs::default_provider())).unwrap();
    let leaf = CertificateDer::from(root.issue(Leaf::server(names)).der);
    let name = ServerName::try_from(asked).unwrap();
    let verifier = Pinned { inner, pins: Vec::new() };
    let verified = verifier.verify_server_cert(&leaf, &[], &name, &[], UnixTime::now());
    verified.map(drop).map_err(|error| error.to_string())
}

#[test]
fn a_wildcard_stands_for_one_label() {
    for (names, asked, is_right) in [
        (&["db.test.example"][..], "db.test.example", true),
        (&["*.test.example"], "db.test.example", true),
        (&["*.test.example"], "a.db.test.example", false),
        (&["*.test.example"], "test.example", false),
        (&["*.example"], "db.test.example", false),
        (&["db.*.example"], "db.test.example", false),
        (&["d*.test.example"], "db.test.example", false),
        (&["evil.example"], "db.test.example", false),
        (&["db.test.example.evil.example"], "db.test.example", false),
    ] {
        let verified = verify(names, asked);
        assert_eq!(verified.is_ok(), is_right, "{names:?} {asked}: {verified:?}");
    }
}

#[test]
fn files_that_cannot_be_used_are_refused_and_named() {
    let (folder, root) = (TempFolder::new(), Authority::new("root"));
    let own = root.issue(Leaf::client());
    let (certificate, key) = own.write(folder.path(), "own");
    let file = folder.path().join("root.pem");
    let check = |expected: &str| {
        let identity = Some(ClientIdentity { certificate: certificate.clone(), key: key.clone() });
        let tls = UpstreamTls { authorities: Some(file.clone()), identity, ..UpstreamTls::default() };
        let said = tls.check().err().map(|error| error.to_string()).unwrap_or_default();
        let said = said.replace(&folder.path().display().to_string(), "FOLDER");
        assert!(if expected.is_empty() { said.is_empty() } else { said.contains(expected) }, "{expected}: {said}");
    };
    check("`FOLDER/root.pem` cannot be read");
    replace(&file, &own.key, 0o644);
    check("`FOLDER/root.pem` holds no certificate");
    replace(&file, &root.pem(), 0o644);
    check("");
    replace(&key, &own.key, 0o640);
    check("the private key `FOLDER/own.key` is open to others");
    replace(&key, &root.issue(Leaf::client()).key, 0o600);
    check("the certificate `FOLDER/own.pem` and the key `FOLDER/own.key` cannot be used together");
}
