//! What the environment and the command line say of the configuration, over what the file says: defaults, file, environment,
//! flags, each before the one before it.
//!
//! Only single values are set that way. Lists and tables of names stand in the file, where they are read as a whole.
//!
//! Must never: make the gateway laxer than its file says; take a variable that sets nothing for one that was meant to.

use super::key::{Key, Shape, Table};
use super::keys::{DATA, GATEWAY, LISTEN, LOG, PROFILE, PROFILES, ROOT};
use super::keys_sign_in::{SIGN_IN, SIGN_IN_ENABLED};
use super::place::Place;
use super::problem::{Problem, quoted};
use super::raw::RawConfig;
use super::suggest::nearest;
use super::value::{Mismatch, Sort, Value};
use std::ffi::OsString;
use std::sync::LazyLock;
use toml::de::DeValue;

/// What every variable of ours begins with.
pub const VARIABLE_PREFIX: &str = "STOCKADE_";
/// What stands between the table and the key in a variable.
const SEPARATOR: &str = "__";
/// Variables of ours that are looked at.
const VARIABLES_LIMIT: usize = 1000;

/// A value that a flag of the command line gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlagValue {
    /// The flag.
    pub flag: Flag,
    /// What it was given.
    pub text: String,
}

/// A flag that sets a key of the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flag {
    /// `--listen`.
    Listen,
    /// `--profile`.
    Profile,
    /// `--log`.
    Log,
    /// `--sign-in`.
    SignIn,
}

impl Flag {
    const fn name(self) -> &'static str {
        match self {
            Self::Listen => "--listen",
            Self::Profile => "--profile",
            Self::Log => "--log",
            Self::SignIn => "--sign-in",
        }
    }

    const fn key(self) -> &'static Key {
        match self {
            Self::Listen => &LISTEN,
            Self::Profile => &PROFILE,
            Self::Log => &LOG,
            Self::SignIn => &SIGN_IN_ENABLED,
        }
    }

    const fn table(self) -> &'static Table {
        match self {
            Self::Listen | Self::Profile | Self::Log => &GATEWAY,
            Self::SignIn => &SIGN_IN,
        }
    }
}

/// One key that a variable can set.
pub(super) struct Setting {
    /// The tables from the outermost to the one that holds the key.
    pub(super) path: Vec<&'static Table>,
    pub(super) key: &'static Key,
    pub(super) variable: String,
}

/// Every key that a variable can set, in the order of the reference.
pub(super) static SETTINGS: LazyLock<Vec<Setting>> = LazyLock::new(|| {
    let mut settings = Vec::new();
    collect(&ROOT, &[], &mut settings);
    settings
});

fn collect(table: &'static Table, path: &[&'static Table], settings: &mut Vec<Setting>) {
    for key in table.keys {
        let is_single = !matches!(key.sort, Sort::Texts { .. } | Sort::Pairs { .. });
        // The data folder is named before the configuration is read, by a variable and a flag of its own.
        if is_single && !std::ptr::eq(*key, &DATA) {
            settings.push(Setting { path: path.to_vec(), key, variable: variable_of(path, key) });
        }
    }
    for inner in table.tables.iter().filter(|inner| inner.shape == Shape::One) {
        let path: Vec<&'static Table> = path.iter().copied().chain([*inner]).collect();
        collect(inner, &path, settings);
    }
}

fn variable_of(path: &[&'static Table], key: &'static Key) -> String {
    if std::ptr::eq(key, &LOG) {
        return "STOCKADE_LOG".to_owned();
    }
    let words = path.iter().map(|table| table.name).chain([key.name]);
    let name = words.map(str::to_ascii_uppercase).collect::<Vec<_>>().join(SEPARATOR);
    format!("{VARIABLE_PREFIX}{name}")
}

/// Lays the variables and then the flags over what the file says.
pub(super) fn lay_over(
    raw: &mut RawConfig,
    variables: &[(OsString, OsString)],
    flags: &[FlagValue],
    problems: &mut Vec<Problem>,
) {
    let in_file = raw.root.one(&GATEWAY).and_then(|table| table.given(&PROFILE)?.value.as_word());
    for (name, text) in variables.iter().take(VARIABLES_LIMIT) {
        lay_variable(raw, name, text, problems);
    }
    for FlagValue { flag, text } in flags {
        lay(raw, &[flag.table()], flag.key(), Some(text), flag.name(), problems);
    }
    check_profile(raw, in_file.as_deref(), problems);
}

fn lay_variable(raw: &mut RawConfig, name: &OsString, text: &OsString, problems: &mut Vec<Problem>) {
    let Some(name) = name.to_str() else { return };
    if let Some(setting) = SETTINGS.iter().find(|setting| setting.variable == name) {
        return lay(raw, &setting.path, setting.key, text.to_str(), &setting.variable, problems);
    }
    let shown = quoted(name);
    let why = "a variable that sets nothing is refused, because what it was meant to set would stay as it is";
    if name == "STOCKADE_GATEWAY__DATA" {
        let fix = "the data folder is named by `STOCKADE_DATA`";
        return problems.push(Problem::nowhere(format!("`{shown}` sets nothing"), why, fix));
    }
    let flat = |name: &str| name.replace(SEPARATOR, "_");
    let meant = SETTINGS.iter().find(|setting| flat(&setting.variable) == flat(name));
    // Other programs may put variables with our name into the environment, as Kubernetes does for each service; those have no
    // two `_` together.
    if meant.is_none() && !name.contains(SEPARATOR) {
        return;
    }
    let known = SETTINGS.iter().map(|setting| setting.variable.as_str());
    let fix = match meant.map(|setting| setting.variable.as_str()).or_else(|| nearest(name, known)) {
        Some(variable) => format!("did you mean `{variable}`?"),
        None => "unset it; lists and tables of names stand in the file, other keys in docs/configuration.md".to_owned(),
    };
    problems.push(Problem::nowhere(format!("the variable `{shown}` sets nothing"), why, fix));
}

/// Sets one key. `said_by` is the variable or the flag.
fn lay(
    raw: &mut RawConfig,
    path: &[&'static Table],
    key: &'static Key,
    text: Option<&str>,
    said_by: &'static str,
    problems: &mut Vec<Problem>,
) {
    let place = Place::outside(said_by);
    match text.ok_or_else(Mismatch::no_text).and_then(|text| read(key.sort, text)) {
        Ok(value) => raw.say(path, key, value, place),
        Err(mismatch) => problems.push(Problem::at(
            place,
            format!("`{}` is {}", key.name, mismatch.found),
            format!("it takes {}", key.sort.describe()),
            format!("write it like `{}`", key.example().trim_matches('"')),
        )),
    }
}

/// Reads a value as the file would, but for the quotes.
fn read(sort: Sort, text: &str) -> Result<Value, Mismatch> {
    let as_text = sort.read(&DeValue::String(text.into()));
    let (Err(_), Ok(plain)) = (&as_text, DeValue::parse(text)) else { return as_text };
    // A number, or whatever else needs no quotes.
    match plain.get_ref() {
        DeValue::Integer(_) | DeValue::Boolean(_) => sort.read(plain.get_ref()),
        _ => as_text,
    }
}

/// Refuses a profile that is laxer than the file's: whoever can set a variable must not be able to switch off what the
/// file asks for.
fn check_profile(raw: &RawConfig, in_file: Option<&str>, problems: &mut Vec<Problem>) {
    let rank = |profile: &str| PROFILES.iter().position(|known| *known == profile);
    let Some(given) = raw.root.one(&GATEWAY).and_then(|table| table.given(&PROFILE)) else { return };
    let (Some(in_file), Some(now)) = (in_file.and_then(rank), given.value.as_word().as_deref().and_then(rank)) else {
        return;
    };
    let word = |rank: usize| format!("`{}`", PROFILES.get(rank).copied().unwrap_or_default());
    if now < in_file {
        problems.push(Problem::at(
            given.place,
            format!("`profile` would be {}, and the file says {}", word(now), word(in_file)),
            "the environment and the command line can make a gateway stricter than its file, never laxer",
            "change `profile` in the file, or use another file",
        ));
    }
}
