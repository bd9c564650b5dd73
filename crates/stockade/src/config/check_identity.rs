//! Who is recognised by tokens and certificates.
//!
//! Must never: take an empty list for "everybody"; read a file; let a token in that no audience of ours is in.

use super::address;
use super::checked::Profile;
use super::identity::{IdentityConfig, IntrospectionConfig, IssuerConfig};
use super::key::Key;
use super::keys::{GATEWAY, RESOURCE};
use super::keys_identity::{
    CERTIFICATE_CALLER, CERTIFICATE_NAME, CERTIFICATES, DPOP, DPOP_NONCE, DPOP_WINDOW, IDENTITY, IMPLIED_SCOPES,
    INTROSPECTION_CLIENT_ID, INTROSPECTION_REMEMBER, INTROSPECTION_SECRET_FILE, INTROSPECTION_URL, ISSUER,
    ISSUER_ACCEPT_TYP_JWT, ISSUER_ALGORITHMS, ISSUER_ALLOW_PRIVATE, ISSUER_AUDIENCES, ISSUER_CA, ISSUER_CALLER,
    ISSUER_JWKS_URI, ISSUER_KEYS, ISSUER_MAX_STALE, ISSUER_NAME, ISSUER_PRESET, ISSUER_REFRESH_INTERVAL,
    ISSUER_REFRESH_PERIOD, ISSUER_SCOPES, ISSUERS, MAX_LIFETIME, REMEMBERED_TOKENS, SKEW, WRONG_PER_MINUTE,
};
use super::place::Place;
use super::problem::{Problem, quoted};
use super::raw::RawTable;
use crate::authentication::LOCAL;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::path::Path;
use std::time::Duration;
use stockade_core::identity::CertificateName;
use stockade_core::words::{CallerName, Secret};
use stockade_identity::{
    Algorithm, CallerClaim, DpopMode, DpopSettings, IssuerName, KeyLocation, Preset, SettingsError, ThrottleSettings,
};

/// Certificates in the list at most.
const CERTIFICATES_LIMIT: usize = 10_000;

/// `[identity]`, `[[issuers]]` and `[[certificates]]`.
pub(super) fn identity(
    root: &RawTable,
    base: &Path,
    profile: Profile,
    problems: &mut Vec<Problem>,
) -> Option<IdentityConfig> {
    let before = problems.len();
    let nothing = RawTable::empty();
    let table = root.one(&IDENTITY).unwrap_or(&nothing);
    let time = |key| table.time(key).unwrap_or(Duration::ZERO);
    let mode = match table.text(&DPOP).as_deref() {
        Some("off") => DpopMode::Off,
        Some("require") => DpopMode::Require,
        _ => DpopMode::Accept,
    };
    let dpop = DpopSettings {
        mode,
        window: time(&DPOP_WINDOW),
        nonce_life: table.time(&DPOP_NONCE),
        ..DpopSettings::default()
    };
    let wrong_per_minute = u32::try_from(table.number(&WRONG_PER_MINUTE)).unwrap_or(u32::MAX);
    let issuers = issuers(root, base, profile, problems);
    let config = IdentityConfig {
        skew: time(&SKEW),
        max_lifetime: time(&MAX_LIFETIME),
        dpop,
        throttle: ThrottleSettings { wrong_per_minute, ..ThrottleSettings::default() },
        remembered_tokens: usize::try_from(table.number(&REMEMBERED_TOKENS)).unwrap_or(usize::MAX),
        implied_scopes: scope_map(table, &IMPLIED_SCOPES, problems),
        issuers,
        certificates: certificates(root, problems),
    };
    together(&config, root, problems);
    (problems.len() == before).then_some(config)
}

/// What no key shows by itself.
fn together(config: &IdentityConfig, root: &RawTable, problems: &mut Vec<Problem>) {
    let tables = root.all(&ISSUERS);
    let Some((_, first)) = tables.first() else { return };
    let gateway = root.one(&GATEWAY);
    if gateway.is_none_or(|gateway| !gateway.mentions(&RESOURCE)) {
        problems.push(Problem::at(
            first.place,
            "`[[issuers]]` needs `resource` in `[gateway]`",
            "tokens name the gateway by its canonical URI; without one no token could be told from those for others",
            "add `resource = \"https://NAME/mcp\"` to `[gateway]`, as clients know it",
        ));
    }
    // One table that has a problem of its own is missing, so places and issuers would not fit.
    if config.issuers.len() != tables.len() {
        return;
    }
    let settings =
        config.settings("https://gateway.invalid/", "any", |_| Ok::<_, Infallible>(Secret::new(String::new())));
    let Ok(settings) = settings;
    let mut is_explained = false;
    for (issuer, (_, table)) in settings.issuers.iter().zip(tables) {
        if let Err(error) = issuer.check() {
            is_explained = true;
            problems.push(explain(table.place, &error));
        }
    }
    if let Err(error) = settings.check()
        && !is_explained
    {
        let place = tables.last().map_or(first.place, |(_, table)| table.place);
        problems.push(explain(place, &error));
    }
}

fn explain(place: Place, error: &SettingsError) -> Problem {
    let (why, fix) = match error {
        SettingsError::Issuer { .. } => ("tokens name it in `iss`, letter for letter", "write it as its metadata does"),
        SettingsError::Preset { .. } => ("the preset would read its tokens wrongly", "correct `issuer` or `preset`"),
        SettingsError::NoMeans { .. } => (
            "a token that nothing vouches for proves nobody",
            "add `introspection_url`, or take `keys = \"none\"` away",
        ),
        SettingsError::NoAlgorithms { .. } => ("an empty list allows nothing", "name at least one, or remove the key"),
        SettingsError::Twice { .. } => ("whose token it is would not be certain", "rename or remove one of them"),
        SettingsError::TwoIntrospections => {
            ("a token that is shown to a stranger is stolen", "leave `introspection_url` to one of them")
        }
        SettingsError::TooMany { .. } => ("each has its limit", "take some away"),
        SettingsError::OutOfRange { .. } => {
            ("`refresh_interval`, `refresh_period` and `max_stale` grow from one to the next", "correct them")
        }
        SettingsError::NoResource | SettingsError::Name { .. } | SettingsError::NoFetcher { .. } => {
            ("the settings do not go together", "correct them")
        }
    };
    Problem::at(place, error.to_string(), why, fix)
}

fn issuers(root: &RawTable, base: &Path, profile: Profile, problems: &mut Vec<Problem>) -> Vec<IssuerConfig> {
    let tables = root.all(&ISSUERS).iter();
    tables.filter_map(|(_, table)| issuer(table, base, profile, problems)).collect()
}

fn issuer(table: &RawTable, base: &Path, profile: Profile, problems: &mut Vec<Problem>) -> Option<IssuerConfig> {
    let name = needed(table, &ISSUER_NAME, problems).and_then(|text| {
        if text == LOCAL {
            let what = format!("an issuer is called `{LOCAL}`");
            let why =
                "that is what the gateway's own authorization server is called, whose callers must not be mistaken";
            problems.push(Problem::at(table.place_of(&ISSUER_NAME), what, why, "choose another name"));
        }
        let parsed = IssuerName::parse(&text).map_err(|error| {
            let why = "it is the first part of its callers' names";
            problems.push(Problem::at(table.place_of(&ISSUER_NAME), error.to_string(), why, "choose a plain name"));
        });
        parsed.ok()
    });
    let issuer = needed(table, &ISSUER, problems).and_then(|text| url(table, &ISSUER, &text, problems));
    let time = |key| table.time(key).unwrap_or(Duration::ZERO);
    let keys = keys(table, problems);
    let introspection = introspection(table, base, problems);
    let allow_private = is_yes(table, &ISSUER_ALLOW_PRIVATE);
    let is_plain = issuer.as_deref().is_some_and(|issuer| issuer.starts_with("http://"));
    if is_plain && !allow_private {
        problems.push(Problem::at(
            table.place_of(&ISSUER),
            "`issuer` is `http`",
            "an issuer on this machine has no public address, and others need TLS",
            "use `https`; for one on this machine set `allow_private = \"yes\"`",
        ));
    }
    if is_plain && matches!(profile, Profile::Production | Profile::Regulated) {
        problems.push(Problem::at(
            table.place_of(&ISSUER),
            format!("`issuer` is `http` in the profile `{}`", profile.as_str()),
            "everybody on this machine could answer in its place",
            "use `https`, or another profile for a test",
        ));
    }
    let config = IssuerConfig {
        name: name?,
        issuer: issuer?,
        preset: table.text(&ISSUER_PRESET).and_then(|word| Preset::parse(&word)).unwrap_or(Preset::Standard),
        keys: keys?,
        algorithms: algorithms(table, problems),
        audiences: table.texts(&ISSUER_AUDIENCES).into_iter().map(|(text, _)| text).collect(),
        accept_typ_jwt: is_yes(table, &ISSUER_ACCEPT_TYP_JWT),
        caller_claim: table
            .text(&ISSUER_CALLER)
            .and_then(|word| CallerClaim::parse(&word))
            .unwrap_or(CallerClaim::Subject),
        scopes: scope_map(table, &ISSUER_SCOPES, problems),
        refresh: [time(&ISSUER_REFRESH_INTERVAL), time(&ISSUER_REFRESH_PERIOD), time(&ISSUER_MAX_STALE)],
        introspection: introspection?,
        authorities: table.text(&ISSUER_CA).map(|text| base.join(text)),
        allow_private,
    };
    Some(config)
}

/// A key without which the table means nothing.
fn needed(table: &RawTable, key: &Key, problems: &mut Vec<Problem>) -> Option<String> {
    let text = table.text(key);
    if text.is_none() && !table.mentions(key) {
        let fix = format!("add `{} = {}`", key.name, key.sort.example());
        problems.push(Problem::at(
            table.place,
            format!("`{}` is missing", key.name),
            "the table means nothing without it",
            fix,
        ));
    }
    text
}

fn url(table: &RawTable, key: &Key, text: &str, problems: &mut Vec<Problem>) -> Option<String> {
    let read = address::url(text).map_err(|error| super::check::refuse(problems, table.place_of(key), key, error));
    read.ok()
}

fn is_yes(table: &RawTable, key: &Key) -> bool {
    table.text(key).as_deref() == Some("yes")
}

/// Nothing if there is a problem; inside of it nothing if the issuer publishes no keys.
fn keys(table: &RawTable, problems: &mut Vec<Problem>) -> Option<Option<KeyLocation>> {
    let given = table.text(&ISSUER_JWKS_URI);
    match (table.text(&ISSUER_KEYS).as_deref(), given) {
        (Some("address"), Some(text)) => {
            url(table, &ISSUER_JWKS_URI, &text, problems).map(|url| Some(KeyLocation::Address(url)))
        }
        (Some("address"), None) => {
            let fix = format!("add `jwks_uri = {}`", ISSUER_JWKS_URI.sort.example());
            let what = "`keys = \"address\"` needs `jwks_uri`";
            problems.push(Problem::at(table.place_of(&ISSUER_KEYS), what, "no address of keys is known", fix));
            None
        }
        (_, Some(_)) => {
            let what = "`jwks_uri` has no use without `keys = \"address\"`";
            let why = "the keys are looked for elsewhere";
            let place = table.place_of(&ISSUER_JWKS_URI);
            problems.push(Problem::at(place, what, why, "add `keys = \"address\"`, or remove it"));
            None
        }
        (Some("none"), None) => Some(None),
        (_, None) => Some(Some(KeyLocation::Discovery)),
    }
}

/// Nothing if there is a problem; inside of it nothing if nothing is introspected.
fn introspection(table: &RawTable, base: &Path, problems: &mut Vec<Problem>) -> Option<Option<IntrospectionConfig>> {
    let parts = [&INTROSPECTION_CLIENT_ID, &INTROSPECTION_SECRET_FILE];
    let Some(text) = table.text(&INTROSPECTION_URL) else {
        let stray = parts.into_iter().chain([&INTROSPECTION_REMEMBER]).find(|key| table.mentions(key));
        let Some(stray) = stray else { return (!table.mentions(&INTROSPECTION_URL)).then_some(None) };
        let what = format!("`{}` has no use without `introspection_url`", stray.name);
        problems.push(Problem::at(table.place_of(stray), what, "nothing is introspected", "add it, or remove this"));
        return None;
    };
    let url = url(table, &INTROSPECTION_URL, &text, problems);
    for key in parts.into_iter().filter(|key| !table.mentions(key)) {
        let what = format!("`introspection_url` needs `{}`", key.name);
        let why = "the endpoint answers only who it knows (RFC 7662 §2.1)";
        let fix = format!("add `{} = {}`", key.name, key.sort.example());
        problems.push(Problem::at(table.place_of(&INTROSPECTION_URL), what, why, fix));
    }
    Some(Some(IntrospectionConfig {
        url: url?,
        client_id: table.text(&INTROSPECTION_CLIENT_ID)?,
        secret_file: base.join(table.text(&INTROSPECTION_SECRET_FILE)?),
        remember: table.time(&INTROSPECTION_REMEMBER).unwrap_or(Duration::ZERO),
    }))
}

fn algorithms(table: &RawTable, problems: &mut Vec<Problem>) -> Vec<Algorithm> {
    // An empty list was refused where it was read.
    if table.given(&ISSUER_ALGORITHMS).is_none() {
        return Algorithm::DEFAULT.to_vec();
    }
    let mut algorithms = Vec::new();
    for (text, place) in table.texts(&ISSUER_ALGORITHMS) {
        match Algorithm::parse(&text) {
            Some(algorithm) => algorithms.push(algorithm),
            None => {
                let known: Vec<_> = Algorithm::ALL.iter().map(|known| known.as_str()).collect();
                problems.push(Problem::at(
                    place,
                    format!("`{}` in `algorithms` is no algorithm that is taken", quoted(&text)),
                    "only signatures by a private key prove who issued a token; shared secrets and `none` do not",
                    format!("use some of {}", known.join(", ")),
                ));
            }
        }
    }
    algorithms
}

/// Scopes by the scope that brings them.
fn scope_map(table: &RawTable, key: &Key, problems: &mut Vec<Problem>) -> BTreeMap<String, Vec<String>> {
    let is_scope = |text: &str| {
        !text.is_empty()
            && text.bytes().all(|byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e))
            && text.len() <= 256
    };
    let mut map = BTreeMap::new();
    for (scope, text, place) in table.pairs(key) {
        let more: Vec<String> = text.split(' ').filter(|part| !part.is_empty()).map(str::to_owned).collect();
        if !is_scope(&scope) || more.is_empty() || !more.iter().all(|one| is_scope(one)) {
            let what = format!("`{}` in `{}` does not map a scope to scopes", quoted(&scope), key.name);
            let why = "scopes have no quotes or backslashes, and spaces stand between them (RFC 6749 §3.3)";
            problems.push(Problem::at(
                place,
                what,
                why,
                format!("write it like `{} = {}`", key.name, key.sort.example()),
            ));
            continue;
        }
        map.insert(scope, more);
    }
    map
}

fn certificates(root: &RawTable, problems: &mut Vec<Problem>) -> BTreeMap<CertificateName, CallerName> {
    let mut listed = BTreeMap::new();
    let tables = root.all(&CERTIFICATES);
    for (_, table) in tables.iter().take(CERTIFICATES_LIMIT) {
        let name = needed(table, &CERTIFICATE_NAME, problems);
        let caller = needed(table, &CERTIFICATE_CALLER, problems);
        let (Some(text), Some(caller)) = (name, caller) else { continue };
        let Some(name) = certificate_name(&text) else {
            let what = format!("`{}` is no name that a certificate is recognised by", quoted(&text));
            let why = "names are compared whole: no patterns, and never the common name";
            let fix = "write `spiffe://DOMAIN/PATH`, `dns:HOST` or `mail:ADDRESS`";
            problems.push(Problem::at(table.place_of(&CERTIFICATE_NAME), what, why, fix));
            continue;
        };
        let Ok(caller) = CallerName::parse(&caller) else {
            let what = format!("`caller` is `{}`, which is no name for a caller", quoted(&caller));
            let fix = "use 1 to 128 letters, digits or any of `-_.@:/|%`";
            problems.push(Problem::at(
                table.place_of(&CERTIFICATE_CALLER),
                what,
                "names stand in rules and records",
                fix,
            ));
            continue;
        };
        if listed.insert(name, caller).is_some() {
            let what = format!("`{}` stands twice in `[[certificates]]`", quoted(&text));
            problems.push(Problem::at(table.place, what, "whom it names would not be certain", "remove one of them"));
        }
    }
    if let Some((_, table)) = tables.get(CERTIFICATES_LIMIT) {
        let what = format!("there are more than {CERTIFICATES_LIMIT} `[[certificates]]`");
        problems.push(Problem::at(table.place, what, "each list has its limit", "take some away"));
    }
    listed
}

fn certificate_name(text: &str) -> Option<CertificateName> {
    let is_plain = text.len() <= 2048 && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'*');
    if !is_plain {
        return None;
    }
    if let Some(rest) = text.strip_prefix("spiffe://") {
        // A trust domain is in lower case (SPIFFE-ID §2.1); another could never be met.
        let (domain, _) = rest.split_once('/').unwrap_or((rest, ""));
        let is_domain = !domain.is_empty() && !domain.bytes().any(|byte| byte.is_ascii_uppercase());
        return is_domain.then(|| CertificateName::Spiffe(text.to_owned()));
    }
    if let Some(host) = text.strip_prefix("dns:") {
        let fine = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        return (!host.is_empty() && host.bytes().all(fine)).then(|| CertificateName::Dns(host.to_ascii_lowercase()));
    }
    let (local, host) = text.strip_prefix("mail:")?.split_once('@')?;
    let is_address = !local.is_empty() && !host.is_empty() && !host.contains('@');
    // The host of an address has no case (RFC 5280 §7.5).
    is_address.then(|| CertificateName::Mail(format!("{local}@{}", host.to_ascii_lowercase())))
}

#[cfg(test)]
mod tests {
    use super::super::Config;
    use super::super::load::parse_for_fuzz;
    use super::*;
    use std::path::PathBuf;
    use stockade_identity::{IssuerSettings, Settings};

    const GATEWAY: &str = "[gateway]\nprofile = \"sandbox\"\nresource = \"https://gw.example.com/mcp\"\n";

    fn read(text: &str) -> Result<Config, String> {
        parse_for_fuzz(&format!("{GATEWAY}{text}")).map_err(|errors| errors.to_string())
    }

    fn check(text: &str, expected: &str) {
        let said = read(text).err().unwrap_or_default();
        assert!(said.contains(expected) && !expected.is_empty(), "{text}\n{said}");
    }

    /// One right issuer, and more lines in its table.
    fn issuer(lines: &str) -> String {
        format!("[[issuers]]\nname = \"corp\"\nissuer = \"https://id.example.com\"\n{lines}\n")
    }

    #[test]
    fn nothing_said_means_the_defaults_and_nobody() {
        let config = read("").unwrap().identity;
        let settings = config.settings("https://gw.example.com/mcp", "sandbox", |_| Err("a secret")).unwrap();
        let nobody = Settings::nobody("https://gw.example.com/mcp", "sandbox");
        assert_eq!(format!("{settings:?}"), format!("{nobody:?}"));
        let config = read(&issuer("")).unwrap().identity;
        let settings = config.settings("https://gw.example.com/mcp", "sandbox", |_| Err("a secret")).unwrap();
        let default = IssuerSettings::new(IssuerName::parse("corp").unwrap(), "https://id.example.com");
        assert_eq!(format!("{:?}", settings.issuers), format!("{:?}", [default]));
        assert!(config.issuers.iter().all(|issuer| issuer.fetch_settings().listed.is_empty()));
    }

    #[test]
    fn everything_that_can_be_said_is_heard() {
        let text = "[identity]\nskew = \"10s\"\nmax_lifetime = \"1h\"\ndpop = \"require\"\ndpop_window = \"30s\"\n\
             dpop_nonce = \"5m\"\nwrong_per_minute = 5\nremembered_tokens = 7\nimplied_scopes = { admin = \"a b\" }\n\
             [[issuers]]\nname = \"corp\"\nissuer = \"https://id.test/realms/corp\"\npreset = \"keycloak\"\n\
             keys = \"address\"\njwks_uri = \"https://id.test/jwks\"\nalgorithms = [\"ES256\"]\naudiences = [\"api://x\"]\n\
             accept_typ_jwt = \"yes\"\ncaller = \"client_id\"\nscopes = { R = \"files:read\" }\nca = \"ca.pem\"\n\
             allow_private = \"yes\"\nrefresh_interval = \"10s\"\nrefresh_period = \"1m\"\nmax_stale = \"10m\"\n\
             introspection_url = \"https://id.test/introspect\"\nintrospection_client_id = \"gw\"\n\
             introspection_secret_file = \"secret\"\nintrospection_remember = \"2s\"\n\
             [[certificates]]\nname = \"spiffe://corp.test/ci\"\ncaller = \"ci\"\n\
             [[certificates]]\nname = \"dns:CI.corp.test\"\ncaller = \"ci\"\n\
             [[certificates]]\nname = \"mail:ci@Corp.test\"\ncaller = \"ci\"\n";
        let config = read(text).unwrap().identity;
        let mut files = Vec::new();
        let settings = config.settings("https://gw.example.com/mcp", "test", |path| {
            files.push(path.to_owned());
            Ok::<_, String>(Secret::new("secret".to_owned()))
        });
        let settings = settings.unwrap();
        assert_eq!(files, [PathBuf::from("/secret")]);
        let seconds = Duration::from_secs;
        assert_eq!((settings.skew, settings.max_lifetime), (seconds(10), seconds(3600)));
        assert_eq!((settings.dpop.mode, settings.dpop.window), (DpopMode::Require, seconds(30)));
        assert_eq!(settings.dpop.nonce_life, Some(seconds(300)));
        assert_eq!((settings.throttle.wrong_per_minute, settings.remembered_tokens), (5, 7));
        assert_eq!(settings.implied_scopes["admin"], ["a", "b"]);
        let names: Vec<_> = settings.certificates.keys().cloned().collect();
        let expected = [
            CertificateName::Spiffe("spiffe://corp.test/ci".to_owned()),
            CertificateName::Dns("ci.corp.test".to_owned()),
            CertificateName::Mail("ci@corp.test".to_owned()),
        ];
        assert_eq!(names, expected);
        let issuer = &settings.issuers[0];
        assert_eq!((issuer.preset, issuer.caller_claim), (Preset::Keycloak, CallerClaim::Client));
        assert_eq!(issuer.keys, Some(KeyLocation::Address("https://id.test/jwks".to_owned())));
        assert_eq!((issuer.algorithms.as_slice(), issuer.accept_typ_jwt), ([Algorithm::Es256].as_slice(), true));
        assert_eq!(
            (issuer.audiences.as_slice(), &issuer.scopes["R"]),
            (["api://x".to_owned()].as_slice(), &vec!["files:read".to_owned()])
        );
        let pace = (issuer.refresh_interval, issuer.refresh_period, issuer.max_stale);
        assert_eq!(pace, (seconds(10), seconds(60), seconds(600)));
        assert_eq!(issuer.introspection.as_ref().unwrap().remember, seconds(2));
        let fetch = config.issuers[0].fetch_settings();
        assert_eq!((fetch.authorities, fetch.listed.len()), (Some(PathBuf::from("/ca.pem")), 1));
    }

    #[test]
    fn what_could_let_strangers_in_is_refused() {
        for (lines, expected) in [
            ("algorithms = []", "`algorithms` in `[issuers]` is an empty list"),
            ("algorithms = [\"HS256\"]", "`HS256` in `algorithms` is no algorithm"),
            ("algorithms = [\"none\"]", "`none` in `algorithms` is no algorithm"),
            ("audiences = []", "`audiences` in `[issuers]` is an empty list"),
            ("audiences = [\"\"]", "an audience"),
            ("keys = \"none\"", "neither keys nor introspection"),
            ("keys = \"address\"", "needs `jwks_uri`"),
            ("jwks_uri = \"https://id.test/jwks\"", "has no use without `keys"),
            ("keys = \"address\"\njwks_uri = \"http://id.test/jwks\"", "`http` to another machine"),
            ("introspection_url = \"https://id.test/i\"", "needs `introspection_client_id`"),
            ("introspection_client_id = \"gw\"", "has no use without `introspection_url`"),
            ("preset = \"entra\"", "does not fit its preset"),
            ("max_stale = \"1s\"", "max_stale"),
            ("scopes = { \"a b\" = \"c\" }", "does not map a scope to scopes"),
            ("scopes = { a = \"\" }", "does not map a scope to scopes"),
            ("caller = \"name\"", "`caller` in `[issuers]`"),
            ("token = \"x\"", "unknown key `token`"),
        ] {
            check(&issuer(lines), expected);
        }
        check("[[issuers]]\nname = \"corp\"\n", "`issuer` is missing");
        check("[[issuers]]\nissuer = \"https://id.test\"\n", "`name` is missing");
        check("[[issuers]]\nname = \"local\"\nissuer = \"https://id.test\"\n", "an issuer is called `local`");
        check("[[issuers]]\nname = \"Corp\"\nissuer = \"https://id.test\"\n", "no name for an issuer");
        check("[[issuers]]\nname = \"corp\"\nissuer = \"http://127.0.0.1:1\"\n", "`issuer` is `http`");
        check(&format!("{}{}", issuer(""), issuer("")), "stands twice");
    }

    #[test]
    fn issuers_need_to_know_whose_tokens_are_ours() {
        let said = parse_for_fuzz(&issuer("")).unwrap_err().to_string();
        assert!(said.contains("`[[issuers]]` needs `resource` in `[gateway]`"), "{said}");
        // Plain HTTP to an issuer is for tests.
        let text = "[[issuers]]\nname = \"corp\"\nissuer = \"http://127.0.0.1:1\"\nallow_private = \"yes\"\n";
        assert_eq!(read(text).unwrap().identity.issuers[0].fetch_settings().listed.len(), 1);
        let strict = format!("[gateway]\nresource = \"https://gw.example.com/mcp\"\n{text}");
        let said = parse_for_fuzz(&strict).unwrap_err().to_string();
        assert!(said.contains("`issuer` is `http` in the profile `production`"), "{said}");
    }

    #[test]
    fn certificates_are_recognised_by_whole_names() {
        for name in
            ["cn:ci", "ci", "*", "dns:*.corp.test", "spiffe://", "spiffe://Corp/ci", "mail:ci", "dns:", "dns:a b"]
        {
            let text = format!("[[certificates]]\nname = \"{name}\"\ncaller = \"ci\"\n");
            check(&text, "is no name that a certificate is recognised by");
        }
        check("[[certificates]]\nname = \"dns:a.test\"\ncaller = \"a b\"\n", "no name for a caller");
        check("[[certificates]]\nname = \"dns:a.test\"\n", "`caller` is missing");
        let twice = "[[certificates]]\nname = \"dns:a.test\"\ncaller = \"a\"\n[[certificates]]\nname = \"dns:A.test\"\ncaller = \"b\"\n";
        check(twice, "stands twice");
    }
}
