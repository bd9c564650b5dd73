//! The keys of transport: TLS at the door, who may connect, TLS to servers. Part of the table in `keys.rs`.

use super::key::{Key, Shape, Table};
use super::keys::{count, optional, required, word};
use super::value::Sort;
use stockade_gateway::AdmissionSettings;

/// Connections of one address at most; more would be more than there are.
const CONNECTIONS_MOST: u64 = 100_000;
pub(super) const TLS_VERSIONS: &[&str] = &["1.3", "1.2"];
pub(super) const CLIENT_CERTIFICATES: &[&str] = &["off", "optional", "required"];
pub(super) const FORWARDED_HEADERS: &[&str] = &["x-forwarded-for", "forwarded"];

pub(super) static TLS_CERTIFICATE: Key = required(
    "certificate",
    Sort::Text { example: "tls/gateway.pem" },
    "The file of the certificate chain, leaf first, as PEM. It is looked at every second; a new one is used for new \
     connections at once.",
);
pub(super) static TLS_KEY: Key = required(
    "key",
    Sort::Text { example: "tls/gateway.key" },
    "The file of its private key, as PEM and not encrypted. Nobody but its owner may be allowed to read it.",
);
pub(super) static TLS_MINIMUM: Key = word(
    "minimum",
    Sort::Choice { words: TLS_VERSIONS },
    "1.3",
    "The oldest version of TLS that is spoken. With `1.2` client certificates and the server's own travel in the clear, and no \
     key exchange withstands quantum computers.",
);
pub(super) static TLS_CLIENT_CERTIFICATES: Key = word(
    "client_certificates",
    Sort::Choice { words: CLIENT_CERTIFICATES },
    "off",
    "Whether clients show certificates (mutual TLS): they are not asked, or may have none, or must have one. One that is \
     shown and wrong ends the connection.",
);
pub(super) static TLS_CLIENT_CA: Key = optional(
    "client_ca",
    Sort::Texts { example: "[\"tls/clients-ca.pem\"]" },
    "nobody's certificates are believed",
    "Files of the authorities whose client certificates are believed, as PEM. The system's own are never asked.",
);
pub(super) static TLS_CRL: Key = optional(
    "crl",
    Sort::Texts { example: "[\"tls/clients-ca.crl\"]" },
    "revocation is not checked",
    "Files of revocation lists, as PEM. With any, a client certificate that none of them covers is refused, and so is every \
     one whose list has run out; open connections of a revoked one end.",
);

pub(super) static TLS: Table = Table {
    name: "tls",
    shape: Shape::One,
    text: "Speaks TLS, and nothing else, on the gateway's address; without this table the gateway listens on loopback only. \
           See [transport.md](transport.md).",
    keys: &[&TLS_CERTIFICATE, &TLS_KEY, &TLS_MINIMUM, &TLS_CLIENT_CERTIFICATES, &TLS_CLIENT_CA, &TLS_CRL],
    tables: &[],
};

pub(super) static ADMISSION_ALLOW: Key = optional(
    "allow",
    Sort::Texts { example: "[\"10.0.0.0/8\", \"2001:db8::/32\"]" },
    "everybody",
    "Addresses and prefixes that may connect.",
);
pub(super) static ADMISSION_DENY: Key = optional(
    "deny",
    Sort::Texts { example: "[\"10.66.0.0/16\"]" },
    "nobody",
    "Addresses and prefixes that may not connect, even if `allow` names them.",
);
pub(super) static ADMISSION_CONNECTIONS: Key = count(
    "connections_per_address",
    AdmissionSettings::CONNECTIONS_PER_ADDRESS as u64,
    CONNECTIONS_MOST,
    "Connections of one IPv4 address, or of one /64 of IPv6, at the same time. Trusted proxies have only the limit of all.",
);
pub(super) static ADMISSION_PROXY_PROTOCOL: Key = optional(
    "proxy_protocol_from",
    Sort::Texts { example: "[\"10.0.0.2\"]" },
    "nobody",
    "Proxies whose connections begin with a PROXY protocol header, version 1 or 2. From these it must be there; from anybody \
     else it is garbage.",
);
pub(super) static ADMISSION_TRUSTED_PROXIES: Key = optional(
    "trusted_proxies",
    Sort::Texts { example: "[\"10.0.0.3\"]" },
    "nobody",
    "Proxies whose word in `forwarded_header` says where a request came from: its rightmost address that is not one of these. \
     From anybody else such headers mean nothing.",
);
pub(super) static ADMISSION_FORWARDED_HEADER: Key = word(
    "forwarded_header",
    Sort::Choice { words: FORWARDED_HEADERS },
    "x-forwarded-for",
    "The header that the trusted proxies set themselves. The other one would be a client's own word, so it is never read.",
);

pub(super) static ADMISSION: Table = Table {
    name: "admission",
    shape: Shape::One,
    text: "Who may connect, judged by address before the first byte of TLS. Whoever may not gets a reset.",
    keys: &[
        &ADMISSION_ALLOW,
        &ADMISSION_DENY,
        &ADMISSION_CONNECTIONS,
        &ADMISSION_PROXY_PROTOCOL,
        &ADMISSION_TRUSTED_PROXIES,
        &ADMISSION_FORWARDED_HEADER,
    ],
    tables: &[],
};

pub(super) static SERVER_TLS_CA: Key = optional(
    "ca",
    Sort::Text { example: "tls/db-ca.pem" },
    "the system's authorities",
    "The file of the authorities that this server's certificate may come from, as PEM, in place of the system's.",
);
pub(super) static SERVER_TLS_PIN: Key = optional(
    "pin",
    Sort::Texts { example: "[\"sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"]" },
    "any key",
    "Keys of which the server's certificate must have one, beside being verified; `stockade certs status` shows the pins of \
     files. Name the next key too before it is used.",
);
pub(super) static SERVER_TLS_CERTIFICATE: Key = optional(
    "certificate",
    Sort::Text { example: "tls/to-db.pem" },
    "none is shown",
    "The file of the certificate chain that the gateway shows to this server, leaf first, as PEM.",
);
pub(super) static SERVER_TLS_KEY: Key = optional(
    "key",
    Sort::Text { example: "tls/to-db.key" },
    "none is shown",
    "The file of its private key, as PEM and not encrypted. Nobody but its owner may be allowed to read it.",
);
pub(super) static SERVER_TLS_MINIMUM: Key = optional(
    "minimum",
    Sort::Choice { words: TLS_VERSIONS },
    "`\"1.2\"`",
    "The oldest version of TLS that is spoken to this server.",
);

pub(super) static SERVER_TLS: Table = Table {
    name: "tls",
    shape: Shape::One,
    text: "TLS to this server, where its `url` is `https`. Files are looked at every second.",
    keys: &[&SERVER_TLS_CA, &SERVER_TLS_PIN, &SERVER_TLS_CERTIFICATE, &SERVER_TLS_KEY, &SERVER_TLS_MINIMUM],
    tables: &[],
};
