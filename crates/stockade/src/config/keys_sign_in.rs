//! The keys of the embedded authorization server. Part of the table in `keys.rs`.

use super::key::{Key, Shape, Table};
use super::keys::{of_profile, optional, word};
use super::value::Sort;

const SWITCH: &[&str] = &["on", "off"];

pub(super) static SIGN_IN_ENABLED: Key = of_profile(
    "enabled",
    Sort::Choice { words: SWITCH },
    ["on", "on", "off", "off"],
    "Whether the gateway is its own authorization server. `stockade up --sign-in` goes before it.",
);
pub(super) static SIGN_IN_REGISTRATION: Key = word(
    "registration",
    Sort::Choice { words: SWITCH },
    "on",
    "Whether clients may register themselves (RFC 7591). Those that have a metadata document of their own (CIMD) need not.",
);
pub(super) static SIGN_IN_ORIGINS: Key = optional(
    "origins",
    Sort::Texts { example: "[\"https://inspector.example.com\"]" },
    "none",
    "Sites whose scripts may read the metadata and ask for tokens (CORS).",
);

pub(super) static SIGN_IN: Table = Table {
    name: "sign_in",
    shape: Shape::One,
    text: "The embedded authorization server, for development and small teams: clients sign their people in at the gateway \
           itself. The people are those of `stockade users`; rules call them `local:NAME`.",
    keys: &[&SIGN_IN_ENABLED, &SIGN_IN_REGISTRATION, &SIGN_IN_ORIGINS],
    tables: &[],
};
