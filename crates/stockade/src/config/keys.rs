//! The table of every key. Reading, `config show`, the JSON Schema and `docs/configuration.md` are made from it.
//!
//! Must never: hold a default that weakens; a key that weakens one says in its name or text what is lost.

use super::key::{Default, Key, Shape, Table};
use super::keys_identity::{CERTIFICATES, IDENTITY, ISSUERS};
use super::keys_life::API_KEYS;
use super::keys_sign_in::SIGN_IN;
use super::keys_transport::{ADMISSION, SERVER_TLS, TLS};
use super::value::Sort;
use std::time::Duration;

const MILLISECOND: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);
const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);

/// A key of text or of pairs or of a list, by what its absence means.
pub(super) const fn optional(name: &'static str, sort: Sort, meaning: &'static str, text: &'static str) -> Key {
    Key { name, sort, default: Default::Absent { meaning }, text }
}

/// A key whose default is what the profile asks for.
pub(super) const fn of_profile(name: &'static str, sort: Sort, values: [&'static str; 4], text: &'static str) -> Key {
    Key { name, sort, default: Default::Profile(values), text }
}

pub(super) const fn required(name: &'static str, sort: Sort, text: &'static str) -> Key {
    Key { name, sort, default: Default::Required, text }
}

pub(super) const fn word(name: &'static str, sort: Sort, default: &'static str, text: &'static str) -> Key {
    Key { name, sort, default: Default::Text(default), text }
}

pub(super) const fn count(name: &'static str, default: u64, most: u64, text: &'static str) -> Key {
    Key { name, sort: Sort::Count { least: 1, most }, default: Default::Number(default), text }
}

const fn bytes(name: &'static str, default: u64, most: u64, text: &'static str) -> Key {
    Key { name, sort: Sort::Bytes { least: 1 << 10, most }, default: Default::Number(default), text }
}

pub(super) const fn time(name: &'static str, default: Duration, most: Duration, text: &'static str) -> Key {
    Key { name, sort: Sort::Time { least: MILLISECOND, most }, default: Default::Time(default), text }
}

pub(super) const PROFILES: &[&str] = &["sandbox", "internal", "production", "regulated"];
pub(super) const ERAS: &[&str] = &["auto", "legacy", "modern"];
pub(super) const EFFECTS: &[&str] = &["read", "write", "destructive"];
const REVISIONS: &[&str] = &["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28"];

pub(super) static LISTEN: Key = word(
    "listen",
    Sort::Text { example: "127.0.0.1:8443" },
    "127.0.0.1:8443",
    "The address and port of the gateway. Without `[tls]` loopback only: keys would travel in the clear to any other \
     address. Port 0 takes a free one.",
);
pub(super) static RESOURCE: Key = optional(
    "resource",
    Sort::Text { example: "https://mcp.example.com/mcp" },
    "the address that the gateway listens on",
    "The canonical URI of the gateway, as clients know it (RFC 8707 §2).",
);
pub(super) static PROFILE: Key = word(
    "profile",
    Sort::Choice { words: PROFILES },
    "production",
    "How strict the gateway is; the four stand for the CoSAI levels 1 to 4.",
);
pub(super) static ENVIRONMENT_NAME: Key = of_profile(
    "environment",
    Sort::Text { example: "staging-eu" },
    ["sandbox", "internal", "production", "regulated"],
    "What this gateway belongs to. API keys are made for one environment and refused in every other; so are tokens that \
     name one.",
);
pub(super) static LOG: Key = optional(
    "log",
    Sort::Text { example: "info,stockade_gateway=debug" },
    "`info` for `stockade up`, `warn` for `stockade wrap`",
    "What is logged on standard error: `error`, `warn`, `info`, `debug`, `trace`, or a filter by parts. More than `info` only \
     in the profiles `sandbox` and `internal`. `STOCKADE_LOG` and `--log` go before it.",
);
pub(super) static DATA: Key = optional(
    "data",
    Sort::Text { example: "/var/lib/stockade" },
    "`$XDG_DATA_HOME/stockade`, or `~/.local/share/stockade`",
    "The folder for keys, state and the audit log; relative to the configuration's own folder. `--data` and \
     `STOCKADE_DATA` go before it.",
);
pub(super) static HOSTS: Key = optional(
    "hosts",
    Sort::Texts { example: "[\"mcp.example.com\"]" },
    "only `127.0.0.1`, `localhost` and `[::1]` with the gateway's port",
    "Further values of the `Host` header that are accepted. They are compared whole, with the port if clients send one.",
);
pub(super) static ORIGINS: Key = optional(
    "origins",
    Sort::Texts { example: "[\"https://app.example.com\"]" },
    "only `http://` before each of those",
    "Further values of the `Origin` header that are accepted: pages of these sites may use the gateway.",
);
pub(super) static OLDEST_REVISION: Key = word(
    "oldest_revision",
    Sort::Choice { words: REVISIONS },
    "2024-11-05",
    "The oldest revision of the protocol that is spoken.",
);

pub(super) static GATEWAY: Table = Table {
    name: "gateway",
    shape: Shape::One,
    text: "Where the gateway listens, and as what.",
    keys: &[&LISTEN, &RESOURCE, &PROFILE, &ENVIRONMENT_NAME, &LOG, &DATA, &HOSTS, &ORIGINS, &OLDEST_REVISION],
    tables: &[],
};

pub(super) static ANONYMOUS_CALLER: Key = required(
    "caller",
    Sort::Text { example: "tester" },
    "The name that rules and records use for whoever comes without a key.",
);

pub(super) static ANONYMOUS: Table = Table {
    name: "anonymous",
    shape: Shape::One,
    text: "Lets callers in who show no key. Only in profile `sandbox`, only on loopback; without this table nobody \
           comes in unrecognised.",
    keys: &[&ANONYMOUS_CALLER],
    tables: &[],
};

pub(super) static CALLS_PER_MINUTE: Key =
    count("calls_per_minute", 100, 1_000_000, "Calls of one caller in any 60 seconds.");
pub(super) static MESSAGES_PER_MINUTE: Key = count(
    "messages_per_minute",
    600,
    1_000_000,
    "Other messages of one caller in any 60 seconds: handshakes, lists, notifications, answers.",
);
pub(super) static IN_FLIGHT: Key = count("in_flight", 64, 10_000, "Requests of one caller at the same time.");
pub(super) static STREAMS: Key = count(
    "streams",
    16,
    10_000,
    "Streams of one caller that live on, such as `subscriptions/listen`, at the same time.",
);
pub(super) static MESSAGE_BYTES: Key = bytes("message_bytes", 4 << 20, 1 << 30, "One whole message.");
pub(super) static DEPTH: Key = count("depth", 64, 128, "Objects and arrays inside each other in one message.");
pub(super) static MEMBERS: Key = count("members", 1 << 16, 1 << 24, "Members of one object, or elements of one array.");
pub(super) static VALUES: Key =
    count("values", 1 << 17, 1 << 26, "Values in one message, names of members counted as values.");
pub(super) static STRING_BYTES: Key =
    bytes("string_bytes", 4 << 20, 1 << 30, "One string between its quotes, as written.");
pub(super) static HEADER_DEADLINE: Key =
    time("header_deadline", Duration::from_secs(10), HOUR, "For a client to send the whole head of a request.");
pub(super) static BODY_DEADLINE: Key =
    time("body_deadline", Duration::from_secs(30), HOUR, "For a client to send the whole body of a request.");
pub(super) static IDLE: Key =
    time("idle", Duration::from_secs(75), HOUR, "How long a connection may wait for its next request.");
pub(super) static SESSIONS_PER_CALLER: Key = count("sessions_per_caller", 32, 10_000, "Sessions of one caller.");
pub(super) static CHILDREN_PER_CALLER: Key =
    count("children_per_caller", 16, 1000, "Server processes that run for one caller.");
pub(super) static SESSION_LIFE: Key =
    time("session_life", DAY, WEEK, "How long a session lives at all, whatever goes on in it.");
pub(super) static SESSION_IDLE: Key =
    time("session_idle", Duration::from_secs(1800), DAY, "How long a session lives without a message.");
pub(super) static CONNECTIONS: Key = count("connections", 1024, 100_000, "Connections of all clients together.");

pub(super) static LIMITS: Table = Table {
    name: "limits",
    shape: Shape::One,
    text: "What a caller, a connection and a message may cost. What goes beyond is refused.",
    keys: &[
        &CALLS_PER_MINUTE,
        &MESSAGES_PER_MINUTE,
        &IN_FLIGHT,
        &STREAMS,
        &MESSAGE_BYTES,
        &DEPTH,
        &MEMBERS,
        &VALUES,
        &STRING_BYTES,
        &HEADER_DEADLINE,
        &BODY_DEADLINE,
        &IDLE,
        &SESSIONS_PER_CALLER,
        &CHILDREN_PER_CALLER,
        &SESSION_IDLE,
        &SESSION_LIFE,
        &CONNECTIONS,
    ],
    tables: &[],
};

pub(super) static COMMAND: Key = optional(
    "command",
    Sort::Texts { example: "[\"npx\", \"-y\", \"@modelcontextprotocol/server-filesystem\", \"/srv/data\"]" },
    "the server has a `url`",
    "The program of a server that speaks over stdio, and its arguments. No shell reads it. Either this or `url`.",
);
pub(super) static URL: Key = optional(
    "url",
    Sort::Text { example: "https://db.internal/mcp" },
    "the server has a `command`",
    "The address of a server that speaks Streamable HTTP: `https`, or `http` on loopback. Either this or `command`.",
);
pub(super) static ENVIRONMENT: Key = optional(
    "environment",
    Sort::Pairs { example: "{ LOG_LEVEL = \"warn\" }" },
    "only the base set",
    "Variables for the server's process, beside the base set (`PATH`, `HOME`, language, caches, proxies). Nothing else \
     of the gateway's own environment is passed on. Values are never shown.",
);
pub(super) static WORKING_DIRECTORY: Key = optional(
    "working_directory",
    Sort::Text { example: "/srv/data" },
    "the folder that the gateway was started in",
    "The folder that the server's process starts in; relative to the configuration's own folder.",
);
pub(super) static HEADERS: Key = optional(
    "headers",
    Sort::Pairs { example: "{ X-Team = \"data\" }" },
    "none",
    "Headers for each request to `url`. Those of the protocol and of the connection cannot be set. Values are never \
     shown.",
);
pub(super) static ERA: Key = word(
    "era",
    Sort::Choice { words: ERAS },
    "auto",
    "What the server speaks: `legacy` (revisions with a handshake, up to 2025-11-25), `modern` (2026-07-28), or `auto` \
     to find out.",
);
pub(super) static SERVER_DEADLINE: Key =
    time("deadline", Duration::from_secs(60), HOUR, "For one request, from forwarding it to the end of the answer.");
pub(super) static SERVER_EFFECT: Key = word(
    "effect",
    Sort::Choice { words: EFFECTS },
    "destructive",
    "What the server's tools do to the world, where a tool does not say otherwise.",
);
pub(super) static TOOL_EFFECT: Key = optional(
    "effect",
    Sort::Choice { words: EFFECTS },
    "the server's",
    "What the tool does to the world, by your word; what the server itself says about it is not believed.",
);
pub(super) static TOOL_DEADLINE: Key = optional(
    "deadline",
    Sort::Time { least: MILLISECOND, most: HOUR },
    "the server's",
    "For one call, from forwarding it to the end of the answer.",
);

pub(super) static SERVER_SCOPES: Key = optional(
    "scopes",
    Sort::Texts { example: "[\"files:read\"]" },
    "none",
    "Scopes that callers who are limited by scopes need for anything on this server, all of them; where a tool does not say \
     otherwise. Whoever lacks one is told which (`insufficient_scope`).",
);
pub(super) static TOOL_SCOPES: Key = optional(
    "scopes",
    Sort::Texts { example: "[\"files:read\", \"files:write\"]" },
    "the server's",
    "Scopes that callers who are limited by scopes need for a call, all of them, in place of the server's.",
);

pub(super) static TOOLS: Table = Table {
    name: "tools",
    shape: Shape::Named { placeholder: "TOOL" },
    text: "One tool of the server, by the name that the server gives it.",
    keys: &[&TOOL_EFFECT, &TOOL_DEADLINE, &TOOL_SCOPES],
    tables: &[],
};

pub(super) static SERVERS: Table = Table {
    name: "servers",
    shape: Shape::Named { placeholder: "NAME" },
    text: "One server behind the gateway. Its name is 1 to 40 lower-case letters, digits, `-` or single `_`; clients \
           reach it at `/mcp/NAME`, and at `/mcp` with its tools called `NAME__tool`.",
    keys: &[
        &COMMAND,
        &URL,
        &ENVIRONMENT,
        &WORKING_DIRECTORY,
        &HEADERS,
        &ERA,
        &SERVER_DEADLINE,
        &SERVER_EFFECT,
        &SERVER_SCOPES,
    ],
    tables: &[&TOOLS, &SERVER_TLS],
};

pub(super) static PERMIT_CALLERS: Key = required(
    "callers",
    Sort::Texts { example: "[\"alice\", \"ci-*\"]" },
    "Who: names or patterns with `*`. `*` alone is every caller who was recognised; an anonymous one must be named.",
);
pub(super) static PERMIT_SERVERS: Key = required(
    "servers",
    Sort::Texts { example: "[\"files\"]" },
    "On which servers: names or patterns. These may be connected to and listed.",
);
pub(super) static PERMIT_TOOLS: Key = optional(
    "tools",
    Sort::Texts { example: "[\"read_*\"]" },
    "no tool",
    "Tools that may be called: names or patterns.",
);
pub(super) static PERMIT_RESOURCES: Key = optional(
    "resources",
    Sort::Texts { example: "[\"file:///srv/data/*\"]" },
    "no resource",
    "Resources that may be read: URIs or patterns.",
);
pub(super) static PERMIT_PROMPTS: Key =
    optional("prompts", Sort::Texts { example: "[\"*\"]" }, "no prompt", "Prompts that may be got: names or patterns.");
pub(super) static PERMIT_FROM_SERVER: Key = optional(
    "from_server",
    Sort::Texts { example: "[\"elicitation\"]" },
    "nothing",
    "What the servers may ask of the callers: `sampling`, `elicitation`, `roots`.",
);

pub(super) static PERMIT: Table = Table {
    name: "permit",
    shape: Shape::List,
    text: "Allows something; everything in one table together. Nothing is allowed that no table and no policy file \
           allows.",
    keys: &[&PERMIT_CALLERS, &PERMIT_SERVERS, &PERMIT_TOOLS, &PERMIT_RESOURCES, &PERMIT_PROMPTS, &PERMIT_FROM_SERVER],
    tables: &[],
};

pub(super) static POLICY_FILES: Key = optional(
    "files",
    Sort::Texts { example: "[\"policies/*.cedar\"]" },
    "`policies/*.cedar` beside the configuration, if that folder is there",
    "Cedar files, relative to the configuration's own folder. `*` stands for any part of a file's name, not of a \
     folder's.",
);

pub(super) static POLICY: Table = Table {
    name: "policy",
    shape: Shape::One,
    text: "Rules in Cedar, for what `[[permit]]` cannot say.",
    keys: &[&POLICY_FILES],
    tables: &[],
};

/// The whole file.
pub(super) static ROOT: Table = Table {
    name: "",
    shape: Shape::One,
    text: "",
    keys: &[],
    tables: &[
        &GATEWAY,
        &TLS,
        &ADMISSION,
        &API_KEYS,
        &IDENTITY,
        &ISSUERS,
        &CERTIFICATES,
        &SIGN_IN,
        &ANONYMOUS,
        &LIMITS,
        &SERVERS,
        &PERMIT,
        &POLICY,
    ],
};

#[cfg(test)]
mod tests {
    use super::super::checked::Profile;
    use super::*;
    use toml::de::DeValue;

    fn each(table: &'static Table, visit: &mut impl FnMut(&'static Table, &'static Key)) {
        table.keys.iter().for_each(|key| visit(table, key));
        table.tables.iter().for_each(|table| each(table, visit));
    }

    #[test]
    fn every_default_and_every_example_is_a_right_value() {
        each(&ROOT, &mut |table, key| {
            let examples = std::iter::once(key.sort.example()).chain(key.default_value().map(|value| value.to_toml()));
            for text in examples {
                let parsed = DeValue::parse(&text).unwrap_or_else(|error| panic!("{}: {text}: {error}", key.name));
                let read = key.sort.read(parsed.get_ref());
                assert!(read.is_ok(), "[{}] {} = {text}: {read:?}", table.name, key.name);
            }
            if let Default::Profile(texts) = key.default {
                for (profile, text) in Profile::ALL.into_iter().zip(texts) {
                    assert_eq!(key.of_profile(profile).is_some(), !text.is_empty(), "{}: {text}", key.name);
                }
            }
            if let Some(default) = key.default_value() {
                let text = default.to_toml();
                let parsed = DeValue::parse(&text).unwrap();
                assert_eq!(key.sort.read(parsed.get_ref()).unwrap(), default, "{}", key.name);
            }
        });
    }

    #[test]
    fn no_word_stands_twice_in_a_table_and_every_text_is_a_sentence() {
        each(&ROOT, &mut |table, key| {
            assert_eq!(table.words().filter(|word| *word == key.name).count(), 1, "{}", key.name);
            assert!(key.text.ends_with('.') && !key.text.contains("  "), "{}: {}", key.name, key.text);
        });
    }

    #[test]
    fn revisions_are_those_of_the_protocol() {
        let known: Vec<&str> = stockade_core::mcp::Revision::ALL.iter().map(|revision| revision.as_str()).collect();
        assert_eq!(REVISIONS, known);
    }
}
