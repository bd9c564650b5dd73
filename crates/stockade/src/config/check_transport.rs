//! Transport: TLS at the door, who may connect, TLS to servers.
//!
//! Must never: read a file (its content is looked at when the gateway starts, and by `config check`); take half of a pair.

use super::address;
use super::key::Key;
use super::keys_transport::{
    ADMISSION, ADMISSION_ALLOW, ADMISSION_CONNECTIONS, ADMISSION_DENY, ADMISSION_FORWARDED_HEADER,
    ADMISSION_PROXY_PROTOCOL, ADMISSION_TRUSTED_PROXIES, SERVER_TLS, SERVER_TLS_CA, SERVER_TLS_CERTIFICATE,
    SERVER_TLS_KEY, SERVER_TLS_MINIMUM, SERVER_TLS_PIN, TLS, TLS_CERTIFICATE, TLS_CLIENT_CA, TLS_CLIENT_CERTIFICATES,
    TLS_CRL, TLS_KEY, TLS_MINIMUM,
};
use super::place::Place;
use super::problem::{Problem, quoted};
use super::raw::RawTable;
use std::fmt::Display;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use stockade_gateway::{
    AddressRange, AdmissionSettings, ClientCertificates, ClientIdentity, ClientTrust, ForwardedHeader, KeyPin,
    ServerTlsSettings, TlsVersion, UpstreamTls,
};

/// Ranges in one list at most: each connection is compared with all of them.
const RANGES_LIMIT: usize = 10_000;
/// Files in one list at most.
const FILES_LIMIT: usize = 64;
/// Pins of one server at most.
const PINS_LIMIT: usize = 32;

/// Whether the gateway may listen there. `names` are the hosts that clients may call it by, beside those of loopback.
pub(super) fn listen(
    address: SocketAddr,
    has_tls: bool,
    names: &[String],
    place: Place,
    problems: &mut Vec<Problem>,
) -> Option<SocketAddr> {
    if address.ip().is_loopback() {
        return Some(address);
    }
    if !has_tls {
        problems.push(Problem::at(
            place,
            format!("`listen` is `{address}`, which other machines can reach, and there is no `[tls]`"),
            "keys and messages would travel in the clear",
            "add `[tls]` with `certificate` and `key`, or listen on `127.0.0.1:8443`",
        ));
        return None;
    }
    if names.is_empty() {
        problems.push(Problem::at(
            place,
            format!("`listen` is `{address}`, and nothing says by which name clients reach it there"),
            "a request whose `Host` is not on the list is refused, which stops DNS rebinding",
            "set `resource = \"https://NAME/mcp\"`, or `hosts = [\"NAME:PORT\"]`, in `[gateway]`",
        ));
        return None;
    }
    Some(address)
}

/// `[tls]`; nothing without it.
pub(super) fn tls(root: &RawTable, base: &Path, problems: &mut Vec<Problem>) -> Option<ServerTlsSettings> {
    let table = root.one(&TLS)?;
    let certificate = needed_file(table, &TLS_CERTIFICATE, base, problems);
    let key = needed_file(table, &TLS_KEY, base, problems);
    let clients = clients(table, base, problems);
    let minimum = version(table.text(&TLS_MINIMUM).as_deref(), TlsVersion::V1_3);
    Some(ServerTlsSettings { certificate: certificate?, key: key?, minimum, clients: clients? })
}

fn clients(table: &RawTable, base: &Path, problems: &mut Vec<Problem>) -> Option<ClientCertificates> {
    let authorities = files(table, &TLS_CLIENT_CA, base, problems);
    let revocation_lists = files(table, &TLS_CRL, base, problems);
    let word = table.text(&TLS_CLIENT_CERTIFICATES);
    let demand: fn(ClientTrust) -> ClientCertificates = match word.as_deref() {
        Some("optional") => ClientCertificates::Optional,
        Some("required") => ClientCertificates::Required,
        _ => {
            for key in [&TLS_CLIENT_CA, &TLS_CRL].into_iter().filter(|key| table.mentions(key)) {
                problems.push(Problem::at(
                    table.place_of(key),
                    format!("`{}` has no use", key.name),
                    "clients are not asked for certificates",
                    "set `client_certificates = \"required\"` (or `\"optional\"`), or remove it",
                ));
            }
            return Some(ClientCertificates::Off);
        }
    };
    if !table.mentions(&TLS_CLIENT_CA) {
        problems.push(Problem::at(
            table.place_of(&TLS_CLIENT_CERTIFICATES),
            "clients are asked for certificates, and there is no `client_ca`",
            "no authority is believed by itself, so nobody could connect",
            format!("add `client_ca = {}`", TLS_CLIENT_CA.sort.example()),
        ));
        return None;
    }
    Some(demand(ClientTrust { authorities: authorities?, revocation_lists: revocation_lists? }))
}

/// `[admission]`; the defaults without it.
pub(super) fn admission(root: &RawTable, problems: &mut Vec<Problem>) -> AdmissionSettings {
    let Some(table) = root.one(&ADMISSION) else { return AdmissionSettings::default() };
    AdmissionSettings {
        allow: table.mentions(&ADMISSION_ALLOW).then(|| ranges(table, &ADMISSION_ALLOW, problems)),
        deny: ranges(table, &ADMISSION_DENY, problems),
        connections_per_address: usize::try_from(table.number(&ADMISSION_CONNECTIONS)).unwrap_or(usize::MAX),
        proxy_protocol_from: ranges(table, &ADMISSION_PROXY_PROTOCOL, problems),
        trusted_proxies: ranges(table, &ADMISSION_TRUSTED_PROXIES, problems),
        forwarded_header: match table.text(&ADMISSION_FORWARDED_HEADER).as_deref() {
            Some("forwarded") => ForwardedHeader::Forwarded,
            _ => ForwardedHeader::XForwardedFor,
        },
    }
}

fn ranges(table: &RawTable, key: &Key, problems: &mut Vec<Problem>) -> Vec<AddressRange> {
    let example = key.sort.example();
    list(table, key, RANGES_LIMIT, &format!("write it like `{} = {example}`", key.name), problems)
}

/// `[servers.NAME.tls]`; nothing without it.
pub(super) fn server_tls(
    server: &RawTable,
    url: Option<&str>,
    base: &Path,
    problems: &mut Vec<Problem>,
) -> Option<UpstreamTls> {
    let table = server.one(&SERVER_TLS)?;
    if !url.is_some_and(address::is_https) {
        problems.push(Problem::at(
            table.place,
            "`tls` of this server has no use",
            "it belongs to a server whose `url` is `https`",
            "remove it, or use `https`",
        ));
        return None;
    }
    let authorities = file(table, &SERVER_TLS_CA, base, problems);
    let fix = "write `sha256/` and the digest in base64, as `stockade certs status` shows it";
    let pins: Vec<KeyPin> = list(table, &SERVER_TLS_PIN, PINS_LIMIT, fix, problems);
    let identity = identity(table, base, problems);
    let minimum = version(table.text(&SERVER_TLS_MINIMUM).as_deref(), TlsVersion::V1_2);
    Some(UpstreamTls { authorities, pins, identity, minimum })
}

fn identity(table: &RawTable, base: &Path, problems: &mut Vec<Problem>) -> Option<ClientIdentity> {
    let half = match (table.mentions(&SERVER_TLS_CERTIFICATE), table.mentions(&SERVER_TLS_KEY)) {
        (true, false) => Some((&SERVER_TLS_CERTIFICATE, &SERVER_TLS_KEY)),
        (false, true) => Some((&SERVER_TLS_KEY, &SERVER_TLS_CERTIFICATE)),
        _ => None,
    };
    if let Some((there, missing)) = half {
        problems.push(Problem::at(
            table.place_of(there),
            format!("`{}` stands without `{}`", there.name, missing.name),
            "a certificate is shown by proving that one has its key",
            format!("add `{} = {}`, or remove it", missing.name, missing.sort.example()),
        ));
    }
    let certificate = file(table, &SERVER_TLS_CERTIFICATE, base, problems);
    let key = file(table, &SERVER_TLS_KEY, base, problems);
    Some(ClientIdentity { certificate: certificate?, key: key? })
}

fn version(word: Option<&str>, default: TlsVersion) -> TlsVersion {
    match word {
        Some("1.2") => TlsVersion::V1_2,
        Some("1.3") => TlsVersion::V1_3,
        _ => default,
    }
}

fn needed_file(table: &RawTable, key: &Key, base: &Path, problems: &mut Vec<Problem>) -> Option<PathBuf> {
    if !table.mentions(key) {
        problems.push(Problem::at(
            table.place,
            format!("`[tls]` has no `{}`", key.name),
            "TLS needs a certificate and its key",
            format!("add `{} = {}`", key.name, key.sort.example()),
        ));
    }
    file(table, key, base, problems)
}

fn file(table: &RawTable, key: &Key, base: &Path, problems: &mut Vec<Problem>) -> Option<PathBuf> {
    let text = table.text(key)?;
    path(&text, table.place_of(key), key, base, problems)
}

fn files(table: &RawTable, key: &Key, base: &Path, problems: &mut Vec<Problem>) -> Option<Vec<PathBuf>> {
    let texts = table.texts(key);
    if texts.len() > FILES_LIMIT {
        let what = format!("`{}` has more than {FILES_LIMIT} files", key.name);
        let (why, fix) = ("they are read every second", "put several into one file");
        problems.push(Problem::at(table.place_of(key), what, why, fix));
        return None;
    }
    texts.into_iter().map(|(text, place)| path(&text, place, key, base, problems)).collect()
}

fn path(text: &str, place: Place, key: &Key, base: &Path, problems: &mut Vec<Problem>) -> Option<PathBuf> {
    if text.is_empty() {
        problems.push(Problem::at(place, format!("`{}` names no file", key.name), "it is empty", "name a file"));
        return None;
    }
    Some(base.join(text))
}

/// The elements of a list that are what they should be; the others are problems.
fn list<T>(table: &RawTable, key: &Key, most: usize, fix: &str, problems: &mut Vec<Problem>) -> Vec<T>
where
    T: FromStr,
    T::Err: Display,
{
    let texts = table.texts(key);
    if texts.len() > most {
        let what = format!("`{}` has more than {most} entries", key.name);
        problems.push(Problem::at(table.place_of(key), what, "each is compared every time", "use wider ones"));
        return Vec::new();
    }
    let mut values = Vec::new();
    for (text, place) in texts {
        match text.parse() {
            Ok(value) => values.push(value),
            Err(error) => {
                let what = format!("`{}` in `{}` cannot be used", quoted(&text), key.name);
                problems.push(Problem::at(place, what, format!("it {error}"), fix));
            }
        }
    }
    values
}
