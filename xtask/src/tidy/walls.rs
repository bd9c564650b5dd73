//! The claims of the crates that show in their source: who may open files, sockets and processes, who reads clocks.

use super::Finding;
use super::files::RustFile;
use super::mask::closing;

/// Crates that compute and do nothing else.
const PURE: &[&str] = &["stockade-core", "stockade-inspect", "stockade-policy", "stockade-identity", "stockade-issuer"];
/// What a pure crate may not name.
const IMPURE: &[&str] = &[
    "std::fs",
    "std::process",
    "std::env",
    "thread::spawn",
    "thread::sleep",
    "tokio",
    "hyper",
    "rusqlite",
    "SystemTime",
    "Instant::now",
];
/// What a pure crate may not take out of a `use std::{…}` group.
const IMPURE_MODULES: &[&str] = &["fs", "process", "env"];
/// Addresses are values; everything else in `std::net` opens something or asks a resolver.
const NET_VALUES: &[&str] =
    &["IpAddr", "Ipv4Addr", "Ipv6Addr", "SocketAddr", "SocketAddrV4", "SocketAddrV6", "AddrParseError"];
/// Names of sockets and resolvers, whichever crate they come from.
const SOCKETS: &[&str] = &[
    "TcpListener",
    "TcpStream",
    "TcpSocket",
    "UdpSocket",
    "UnixListener",
    "UnixStream",
    "UnixDatagram",
    "ToSocketAddrs",
    "lookup_host",
];
const SOCKET_CRATE: &str = "stockade-gateway";
const PROCESS_CRATE: &str = "stockade-sandbox";
/// What the process crate may have all the same: a pair has no address, and the child at its other end is its own.
const PAIRED_SOCKET: &str = "UnixStream";
/// What would give such a pair an address.
const ADDRESSED: &[&str] = &["UnixStream::connect", "UnixStream::connect_addr"];

pub(super) fn check(file: &RustFile<'_>) -> Vec<Finding> {
    let Some(name) = file.product_source() else { return Vec::new() };
    let mut findings = Vec::new();
    if PURE.contains(&name) {
        findings.extend(impure(file, name));
    }
    if name != PROCESS_CRATE {
        findings.extend(grouped(file, "process::", &["Command"]).into_iter().map(|(at, _)| {
            let problem = format!("`{name}` names `process::Command`; only {PROCESS_CRATE} starts processes");
            file.finding(at, problem, "ask stockade-sandbox to start it")
        }));
    }
    if name != SOCKET_CRATE {
        let paired = |word: &str| name == PROCESS_CRATE && word == PAIRED_SOCKET;
        let addressed = ADDRESSED.iter().filter(|_| name == PROCESS_CRATE);
        for word in SOCKETS.iter().filter(|word| !paired(word)).chain(addressed) {
            findings.extend(file.uses(word).into_iter().map(|at| {
                let problem = format!("`{name}` names `{word}`; only {SOCKET_CRATE} has sockets");
                file.finding(at, problem, "move it into stockade-gateway, or put a port of stockade-core between")
            }));
        }
    }
    findings
}

fn impure(file: &RustFile<'_>, name: &str) -> Vec<Finding> {
    const FIX: &str = "ask for it through a trait in stockade-core's ports.rs; the binary plugs it in";
    let mut places: Vec<(usize, String)> = Vec::new();
    for word in IMPURE {
        places.extend(file.uses(word).into_iter().map(|at| (at, (*word).to_owned())));
    }
    places.extend(
        grouped(file, "std::", IMPURE_MODULES)
            .into_iter()
            .filter(|(at, _)| file.code.get(*at..).is_some_and(|rest| rest.starts_with("std::{")))
            .map(|(at, module)| (at, format!("std::{module}"))),
    );
    for at in file.uses("std::net") {
        let names = named_after(file, at, "std::net::");
        if names.iter().any(|name| !NET_VALUES.contains(&name.as_str())) {
            places.push((at, format!("std::net::{{{}}}", names.join(", "))));
        }
    }
    places.into_iter().map(|(at, word)| file.finding(at, format!("`{name}` is pure and names `{word}`"), FIX)).collect()
}

/// Where `prefix` is followed by one of `wanted`, alone or in a group of braces.
fn grouped(file: &RustFile<'_>, prefix: &str, wanted: &[&str]) -> Vec<(usize, String)> {
    let places = file.code.match_indices(prefix).map(|(at, _)| at).filter(|at| !file.is_test(*at));
    places
        .flat_map(|at| named_after(file, at, prefix).into_iter().map(move |name| (at, name)))
        .filter(|(_, name)| wanted.contains(&name.as_str()))
        .collect()
}

/// The names that a path beginning with `prefix` at `at` goes on with: one, or all of a group's first words.
fn named_after(file: &RustFile<'_>, at: usize, prefix: &str) -> Vec<String> {
    let from = at + prefix.len();
    let Some(rest) = file.code.get(from..) else { return Vec::new() };
    let first_word = |text: &str| -> String {
        text.trim_start().chars().take_while(|character| character.is_alphanumeric() || *character == '_').collect()
    };
    if !rest.starts_with('{') {
        return vec![first_word(rest)];
    }
    let inside = closing(&file.code, from).and_then(|end| file.code.get(from + 1..end - 1)).unwrap_or_default();
    top_level_parts(inside).map(first_word).filter(|name| !name.is_empty()).collect()
}

/// Splits at the commas that are in no inner group.
fn top_level_parts(inside: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0_i32;
    inside.split(move |character| {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        character == ',' && depth == 0
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_text(path: &str, text: &str, expected: &[&str]) {
        let file = RustFile::read(path, text);
        let mut said: Vec<String> = check(&file).into_iter().map(|f| format!("{}: {}", f.line, f.problem)).collect();
        said.sort();
        assert_eq!(said, expected, "{text}");
    }

    #[test]
    fn a_pure_crate_names_nothing_that_touches_the_world() {
        let core = "crates/stockade-core/src/x.rs";
        check_text(core, "use std::fs::File;", &["1: `stockade-core` is pure and names `std::fs`"]);
        check_text(core, "use std::{fmt, fs};", &["1: `stockade-core` is pure and names `std::fs`"]);
        check_text(core, "\nlet x = tokio::spawn(y);", &["2: `stockade-core` is pure and names `tokio`"]);
        check_text(core, "use std::net::{IpAddr, SocketAddr};", &[]);
        check_text(core, "use std::net::UdpThing;", &["1: `stockade-core` is pure and names `std::net::{UdpThing}`"]);
        check_text(core, "// std::fs\nlet tokio_like = \"std::fs\";", &[]);
        check_text(core, "#[cfg(test)]\nmod tests { use std::fs; }", &[]);
        check_text("crates/stockade-audit/src/x.rs", "use std::fs::File;", &[]);
    }

    #[test]
    fn only_the_sandbox_names_command() {
        let problem = "1: `stockade` names `process::Command`; only stockade-sandbox starts processes";
        check_text("crates/stockade/src/x.rs", "use std::process::Command;", &[problem]);
        check_text("crates/stockade/src/x.rs", "use std::process::{ExitCode, Command};", &[problem]);
        check_text("crates/stockade/src/x.rs", "use clap::Command; use std::process::ExitCode;", &[]);
        check_text("crates/stockade-sandbox/src/x.rs", "use tokio::process::Command;", &[]);
        check_text("xtask/src/x.rs", "use std::process::Command;", &[]);
    }

    #[test]
    fn only_the_gateway_has_sockets() {
        let problem = "1: `stockade` names `TcpListener`; only stockade-gateway has sockets";
        check_text("crates/stockade/src/x.rs", "use tokio::net::TcpListener;", &[problem]);
        check_text("crates/stockade-gateway/src/x.rs", "use tokio::net::TcpListener;", &[]);
        let sandbox = "crates/stockade-sandbox/src/x.rs";
        check_text(sandbox, "let ends = UnixStream::pair();", &[]);
        let problem = "1: `stockade-sandbox` names `UnixStream::connect`; only stockade-gateway has sockets";
        check_text(sandbox, "UnixStream::connect(path)", &[problem]);
    }
}
