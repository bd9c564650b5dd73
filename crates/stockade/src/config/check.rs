//! From what the file says to a configuration that can be used: the one function between the two, and every problem it finds.
//!
//! Must never: return a configuration beside a problem; do input or output.

use super::address;
use super::check_identity::identity;
use super::check_life::key_rules;
use super::check_log::log;
use super::check_permits::permits;
use super::check_servers::servers;
use super::check_transport::{self, admission, tls};
use super::checked::{Config, Gateway, Limits, Profile, SignIn, Timeouts};
use super::key::Key;
use super::keys::{
    ANONYMOUS, ANONYMOUS_CALLER, BODY_DEADLINE, CALLS_PER_MINUTE, CHILDREN_PER_CALLER, CONNECTIONS, DATA, DEPTH,
    GATEWAY, HEADER_DEADLINE, HOSTS, IDLE, IN_FLIGHT, LIMITS, LISTEN, MEMBERS, MESSAGE_BYTES, MESSAGES_PER_MINUTE,
    OLDEST_REVISION, ORIGINS, POLICY, POLICY_FILES, PROFILE, RESOURCE, SESSION_IDLE, SESSION_LIFE, SESSIONS_PER_CALLER,
    STREAMS, STRING_BYTES, VALUES,
};
use super::keys_sign_in::{SIGN_IN, SIGN_IN_ENABLED, SIGN_IN_ORIGINS, SIGN_IN_REGISTRATION};
use super::keys_transport::TLS;
use super::place::Place;
use super::problem::{Problem, quoted};
use super::raw::{RawConfig, RawTable};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use stockade_core::guard::LimitSettings;
use stockade_core::mcp::Revision;
use stockade_core::wire::WireLimits;
use stockade_core::words::CallerName;

/// What is around the file.
#[derive(Debug, Clone)]
pub(super) struct Around {
    /// The file, absolute.
    pub(super) file: Option<PathBuf>,
    /// What the operator called it.
    pub(super) called: Option<String>,
    /// The folder that relative paths belong to, absolute.
    pub(super) base: PathBuf,
    /// The data folder that goes before the file's, absolute.
    pub(super) data: Option<PathBuf>,
    /// The data folder if nobody names one, absolute.
    pub(super) default_data: Option<PathBuf>,
}

/// A pattern for policy files, with its place in the file; none for the default pattern.
pub(super) type PolicyPattern = (PathBuf, Option<Place>);

/// Checks everything but the policy files, which are still patterns ([`policy_patterns`]). The value is there exactly if
/// `problems` did not grow.
pub(super) fn check(raw: &RawConfig, around: &Around, problems: &mut Vec<Problem>) -> Option<Config> {
    let before = problems.len();
    let nothing = RawTable::empty();
    let root = &raw.root;
    let has_tls = root.one(&TLS).is_some();
    let gateway = gateway(root.one(&GATEWAY).unwrap_or(&nothing), has_tls, around, problems);
    let tls = tls(root, &around.base, problems);
    let admission = admission(root, problems);
    let anonymous = root.one(&ANONYMOUS).and_then(|table| {
        let profile = profile(root.one(&GATEWAY).unwrap_or(&nothing));
        anonymous(table, profile, problems)
    });
    let gateway_table = root.one(&GATEWAY).unwrap_or(&nothing);
    let keys = key_rules(root, gateway_table, profile(gateway_table), problems);
    let identity = identity(root, &around.base, profile(gateway_table), problems);
    let sign_in = sign_in(root.one(&SIGN_IN).unwrap_or(&nothing), profile(gateway_table), problems);
    let limits = limits(root.one(&LIMITS).unwrap_or(&nothing));
    let servers = servers(root, &around.base, problems);
    let source = around.called.as_deref().unwrap_or("configuration");
    let permits = permits(root, &servers, source, problems);
    let gateway = gateway.filter(|_| problems.len() == before)?;
    let base = around.base.clone();
    let servers = servers.servers;
    Some(Config {
        file: around.file.clone(),
        base,
        gateway,
        anonymous,
        tls,
        admission,
        keys: keys?,
        identity: identity?,
        sign_in,
        limits,
        servers,
        permits,
        policy_files: Vec::new(),
    })
}

fn gateway(table: &RawTable, has_tls: bool, around: &Around, problems: &mut Vec<Problem>) -> Option<Gateway> {
    let resource = table
        .text(&RESOURCE)
        .map(|text| address::url(&text).map_err(|error| refuse(problems, table.place_of(&RESOURCE), &RESOURCE, error)));
    let mut list = |key: &Key, read: fn(&str) -> Result<String, address::AddressError>| -> Vec<String> {
        let texts = table.texts(key).into_iter();
        texts
            .filter_map(|(text, place)| read(&text).map_err(|error| refuse(problems, place, key, error)).ok())
            .collect()
    };
    let mut hosts = list(&HOSTS, address::host);
    let origins = list(&ORIGINS, address::origin);
    let resource = resource.and_then(Result::ok);
    // Clients that know the gateway by its URI call it by that name.
    hosts.extend(resource.as_deref().and_then(address::host_of));
    let listen = listen(table, has_tls, &hosts, problems);
    let data = data(table, around, problems);
    let log = log(table, profile(table), problems);
    Some(Gateway {
        listen: listen?,
        resource,
        profile: profile(table),
        log,
        data_is_named: around.data.is_some() || table.text(&DATA).is_some(),
        data: data?,
        hosts,
        origins,
        oldest_revision: table
            .text(&OLDEST_REVISION)
            .and_then(|text| Revision::parse(&text))
            .unwrap_or(Revision::V2024_11_05),
    })
}

fn listen(table: &RawTable, has_tls: bool, names: &[String], problems: &mut Vec<Problem>) -> Option<SocketAddr> {
    let text = table.text(&LISTEN)?;
    let place = table.place_of(&LISTEN);
    match text.parse::<SocketAddr>() {
        Ok(address) => check_transport::listen(address, has_tls, names, place, problems),
        Err(_) => {
            problems.push(Problem::at(
                place,
                format!("`listen` is `{}`, which is no address", quoted(&text)),
                "it takes an IP address and a port; names are not looked up",
                "write it like `listen = \"127.0.0.1:8443\"`",
            ));
            None
        }
    }
}

fn data(table: &RawTable, around: &Around, problems: &mut Vec<Problem>) -> Option<PathBuf> {
    if table.text(&DATA).is_some_and(|text| text.is_empty()) {
        let (place, fix) = (table.place_of(&DATA), "name a folder, or leave the key out");
        problems.push(Problem::at(place, "`data` is empty", "it takes a folder", fix));
        return None;
    }
    let named = around.data.clone().or_else(|| table.text(&DATA).map(|text| around.base.join(text)));
    let data = named.or_else(|| around.default_data.clone());
    if data.is_none() {
        problems.push(Problem::nowhere(
            "no data folder is named",
            "neither `XDG_DATA_HOME` nor `HOME` is set, so there is no default",
            "give `--data DIR`, or set `data` in `[gateway]`",
        ));
    }
    data
}

fn profile(table: &RawTable) -> Profile {
    match table.text(&PROFILE).as_deref() {
        Some("sandbox") => Profile::Sandbox,
        Some("internal") => Profile::Internal,
        Some("regulated") => Profile::Regulated,
        _ => Profile::Production,
    }
}

/// That the gateway listens on loopback only, or over TLS, is checked by [`listen`] for everybody.
fn anonymous(table: &RawTable, profile: Profile, problems: &mut Vec<Problem>) -> Option<CallerName> {
    if profile != Profile::Sandbox {
        problems.push(Problem::at(
            table.place,
            "`[anonymous]` stands outside profile `sandbox`",
            "it lets callers in who show no key; elsewhere everybody is recognised or refused",
            "remove the table, or set `profile = \"sandbox\"` in `[gateway]` for a test on this machine",
        ));
    }
    let Some(text) = table.text(&ANONYMOUS_CALLER) else {
        if !table.mentions(&ANONYMOUS_CALLER) {
            problems.push(Problem::at(
                table.place,
                "`[anonymous]` names no caller",
                "rules and records need a name for whoever comes without a key",
                format!("add `caller = {}`", ANONYMOUS_CALLER.sort.example()),
            ));
        }
        return None;
    };
    let place = table.place_of(&ANONYMOUS_CALLER);
    let parsed = CallerName::parse(&text).map_err(|_| {
        problems.push(Problem::at(
            place,
            format!("`caller` is `{}`, which is no name for a caller", quoted(&text)),
            "names stand in rules and records",
            "use 1 to 128 letters, digits or any of `-_.@:/`",
        ));
    });
    parsed.ok()
}

/// The embedded authorization server is off where it was not chosen, but for profiles of development and trusted networks.
fn sign_in(table: &RawTable, profile: Profile, problems: &mut Vec<Problem>) -> Option<SignIn> {
    let said = table.text(&SIGN_IN_ENABLED).or_else(|| SIGN_IN_ENABLED.of_profile(profile)?.as_word());
    let is_on = said.as_deref() == Some("on");
    let origins = table.texts(&SIGN_IN_ORIGINS).into_iter().filter_map(|(text, place)| {
        address::origin(&text).map_err(|error| refuse(problems, place, &SIGN_IN_ORIGINS, error)).ok()
    });
    let sign_in =
        SignIn { origins: origins.collect(), registers: table.text(&SIGN_IN_REGISTRATION).as_deref() != Some("off") };
    is_on.then_some(sign_in)
}

fn limits(table: &RawTable) -> Limits {
    let small = |key| u32::try_from(table.number(key)).unwrap_or(u32::MAX);
    let size = |key| usize::try_from(table.number(key)).unwrap_or(usize::MAX);
    let time = |key| table.time(key).unwrap_or(Duration::ZERO);
    Limits {
        caller: LimitSettings {
            calls_per_minute: small(&CALLS_PER_MINUTE),
            messages_per_minute: small(&MESSAGES_PER_MINUTE),
            in_flight: small(&IN_FLIGHT),
            streams: small(&STREAMS),
        },
        wire: WireLimits {
            message_bytes: size(&MESSAGE_BYTES),
            depth: size(&DEPTH),
            members: size(&MEMBERS),
            values: size(&VALUES),
            string_bytes: size(&STRING_BYTES),
            ..WireLimits::DEFAULT
        }
        .within_ceilings(),
        timeouts: Timeouts { header: time(&HEADER_DEADLINE), body: time(&BODY_DEADLINE), idle: time(&IDLE) },
        sessions_per_caller: size(&SESSIONS_PER_CALLER),
        children_per_caller: size(&CHILDREN_PER_CALLER),
        session_idle: time(&SESSION_IDLE),
        session_life: time(&SESSION_LIFE),
        connections: size(&CONNECTIONS),
    }
}

/// The patterns for policy files; the default one has no place.
pub(super) fn policy_patterns(raw: &RawConfig, base: &Path) -> Vec<PolicyPattern> {
    match raw.root.one(&POLICY).filter(|table| table.mentions(&POLICY_FILES)) {
        Some(table) => {
            table.texts(&POLICY_FILES).into_iter().map(|(text, place)| (base.join(text), Some(place))).collect()
        }
        None => vec![(base.join("policies").join("*.cedar"), None)],
    }
}

/// Adds the problem of an address.
pub(super) fn refuse(problems: &mut Vec<Problem>, place: Place, key: &Key, error: address::AddressError) {
    problems.push(Problem::at(place, format!("`{}` {}", key.name, error.what), error.why, error.fix));
}
