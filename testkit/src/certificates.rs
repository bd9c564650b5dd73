//! Certificates for tests: authorities, what they issue, what they revoke. All made anew, with keys on P-256.

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use rcgen::string::Ia5String;
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertificateRevocationListParams, CustomExtension, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, PublicKeyData, RevocationReason,
    RevokedCertParams, SanType, SerialNumber,
};

const DAY: Duration = Duration::from_secs(24 * 3600);
/// `subjectAltName` (RFC 5280 §4.2.1.6).
const SUBJECT_ALT_NAME: &[u64] = &[2, 5, 29, 17];

/// A certificate authority of its own.
pub struct Authority {
    certificate: Certificate,
    issuer: Issuer<'static, KeyPair>,
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Authority")
    }
}

/// What a certificate is to say.
#[derive(Debug, Clone)]
pub struct Leaf {
    params: CertificateParams,
}

/// A certificate with its key.
#[derive(Debug, Clone)]
pub struct Issued {
    /// The certificate alone, as PEM.
    pub certificate: String,
    /// The key, as PEM (PKCS #8).
    pub key: String,
    /// The certificate in DER.
    pub der: Vec<u8>,
    /// Its serial number.
    pub serial: Vec<u8>,
    /// Its SubjectPublicKeyInfo in DER.
    pub public_key: Vec<u8>,
}

impl Leaf {
    /// For a server of these names (host names or addresses), valid for a year.
    ///
    /// # Panics
    /// When a name is not ASCII.
    #[must_use]
    pub fn server(names: &[&str]) -> Self {
        let mut leaf = Self::bare();
        leaf.params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        leaf.params.subject_alt_names = names.iter().map(|name| host(name)).collect();
        leaf
    }

    /// For a client without any name, valid for a year.
    #[must_use]
    pub fn client() -> Self {
        let mut leaf = Self::bare();
        leaf.params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        leaf
    }

    fn bare() -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, "somebody");
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.not_before = (SystemTime::now() - DAY).into();
        params.not_after = (SystemTime::now() + 365 * DAY).into();
        params.serial_number = Some(SerialNumber::from(next_serial()));
        Self { params }
    }

    /// With this common name, which is nobody's identity.
    #[must_use]
    pub fn common_name(mut self, name: &str) -> Self {
        self.params.distinguished_name.push(DnType::CommonName, name);
        self
    }

    /// With a URI among its names.
    #[must_use]
    pub fn uri(self, text: &str) -> Self {
        self.name(SanType::URI(ascii(text)))
    }

    /// With a DNS name among its names.
    #[must_use]
    pub fn dns(self, text: &str) -> Self {
        self.name(SanType::DnsName(ascii(text)))
    }

    /// With a mail address among its names.
    #[must_use]
    pub fn mail(self, text: &str) -> Self {
        self.name(SanType::Rfc822Name(ascii(text)))
    }

    fn name(mut self, name: SanType) -> Self {
        self.params.subject_alt_names.push(name);
        self
    }

    /// With these names, byte for byte: each with the number of its kind (1 mail, 2 DNS, 6 URI) and its bytes, which may be
    /// anything. In place of all others.
    #[must_use]
    pub fn raw_names(mut self, names: &[(u8, &[u8])]) -> Self {
        let inside: Vec<u8> = names.iter().flat_map(|(kind, bytes)| der(0x80 | kind, bytes)).collect();
        self.params.subject_alt_names.clear();
        self.params.custom_extensions.push(CustomExtension::from_oid_content(SUBJECT_ALT_NAME, der(0x30, &inside)));
        self
    }

    /// Without any word of what it may be used for.
    #[must_use]
    pub fn without_usage(mut self) -> Self {
        self.params.extended_key_usages.clear();
        self
    }

    /// For clients, whatever it was for before.
    #[must_use]
    pub fn client_use(mut self) -> Self {
        self.params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self
    }

    /// Valid from and until so many days from now.
    #[must_use]
    pub fn days(mut self, from: i32, until: i32) -> Self {
        let now = SystemTime::now();
        let at = |days: i32| {
            let span = DAY * days.unsigned_abs();
            if days < 0 { now - span } else { now + span }
        };
        self.params.not_before = at(from).into();
        self.params.not_after = at(until).into();
        self
    }

    /// Valid until so long from now, to the second.
    #[must_use]
    pub fn for_only(mut self, time: Duration) -> Self {
        self.params.not_after = (SystemTime::now() + time).into();
        self
    }
}

impl Authority {
    /// A root of its own.
    ///
    /// # Panics
    /// When it cannot be made.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let (params, key) = (Self::params(name), new_key());
        let certificate = params.self_signed(&key).expect("a root");
        Self { certificate, issuer: Issuer::new(params, key) }
    }

    /// An authority below this one.
    ///
    /// # Panics
    /// When it cannot be made.
    #[must_use]
    pub fn below(&self, name: &str) -> Self {
        let (params, key) = (Self::params(name), new_key());
        let certificate = params.signed_by(&key, &self.issuer).expect("an authority");
        Self { certificate, issuer: Issuer::new(params, key) }
    }

    fn params(name: &str) -> CertificateParams {
        let mut params = Leaf::bare().common_name(name).params;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params
    }

    /// Its certificate as PEM.
    #[must_use]
    pub fn pem(&self) -> String {
        self.certificate.pem()
    }

    /// Its certificate in DER.
    #[must_use]
    pub fn der(&self) -> Vec<u8> {
        self.certificate.der().to_vec()
    }

    /// Issues a certificate with a new key.
    ///
    /// # Panics
    /// When it cannot be made.
    #[must_use]
    pub fn issue(&self, leaf: Leaf) -> Issued {
        self.issue_for(leaf, &new_key())
    }

    /// Issues a certificate for the key of another one, as at a renewal.
    ///
    /// # Panics
    /// When it cannot be made.
    #[must_use]
    pub fn renew(&self, leaf: Leaf, old: &Issued) -> Issued {
        self.issue_for(leaf, &KeyPair::from_pem(&old.key).expect("its key"))
    }

    fn issue_for(&self, leaf: Leaf, key: &KeyPair) -> Issued {
        let serial = leaf.params.serial_number.clone().expect("a serial number").to_bytes();
        let certificate = leaf.params.signed_by(key, &self.issuer).expect("a certificate");
        Issued {
            certificate: certificate.pem(),
            key: key.serialize_pem(),
            der: certificate.der().to_vec(),
            serial,
            public_key: key.subject_public_key_info(),
        }
    }

    /// A list of what it has revoked, as PEM, which runs out so many days from now.
    ///
    /// # Panics
    /// When it cannot be made.
    #[must_use]
    pub fn revocation_list(&self, revoked: &[&Issued], days: i32) -> String {
        let now = SystemTime::now();
        let span = DAY * days.unsigned_abs();
        let until = if days < 0 { now - span } else { now + span };
        let entry = |issued: &&Issued| RevokedCertParams {
            serial_number: SerialNumber::from(issued.serial.clone()),
            revocation_time: (now - DAY).into(),
            reason_code: Some(RevocationReason::KeyCompromise),
            invalidity_date: None,
        };
        let params = CertificateRevocationListParams {
            this_update: (now - 30 * DAY).into(),
            next_update: until.into(),
            crl_number: SerialNumber::from(1_u64),
            issuing_distribution_point: None,
            revoked_certs: revoked.iter().map(entry).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        params.signed_by(&self.issuer).expect("a revocation list").pem().expect("PEM")
    }
}

impl Issued {
    /// Writes `NAME.pem` and `NAME.key`, the key for its owner only, each by replacing what was there whole.
    ///
    /// # Panics
    /// When the folder cannot be written.
    pub fn write(&self, folder: &Path, name: &str) -> (PathBuf, PathBuf) {
        let (certificate, key) = (folder.join(format!("{name}.pem")), folder.join(format!("{name}.key")));
        replace(&certificate, &self.certificate, 0o644);
        replace(&key, &self.key, 0o600);
        (certificate, key)
    }
}

/// Puts a file in the place of another at once, with these permissions.
///
/// # Panics
/// When the folder cannot be written.
pub fn replace(path: &Path, text: &str, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    let fresh = path.with_extension("fresh");
    std::fs::write(&fresh, text).expect("write");
    std::fs::set_permissions(&fresh, std::fs::Permissions::from_mode(mode)).expect("set permissions");
    std::fs::rename(&fresh, path).expect("replace");
}

/// Sixteen bytes that no other certificate of this process has; positive, and of full length.
fn next_serial() -> Vec<u8> {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let number = NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes();
    [&[0x5a, 0, 0, 0][..], &std::process::id().to_be_bytes(), &number].concat()
}

fn new_key() -> KeyPair {
    KeyPair::generate().expect("a key")
}

fn host(name: &str) -> SanType {
    match name.parse::<IpAddr>() {
        Ok(address) => SanType::IpAddress(address),
        Err(_) => SanType::DnsName(ascii(name)),
    }
}

fn ascii(text: &str) -> Ia5String {
    text.try_into().expect("ASCII")
}

/// A value in DER (ITU-T X.690 §8.1) of at most 64 KiB.
fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).expect("at most 64 KiB");
    let [high, low] = length.to_be_bytes();
    let head = match length {
        0..=0x7f => vec![tag, low],
        0x80..=0xff => vec![tag, 0x81, low],
        _ => vec![tag, 0x82, high, low],
    };
    [head, content.to_vec()].concat()
}
