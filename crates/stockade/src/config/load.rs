//! From a file to a checked configuration.
//!
//! Must never: read more than [`CONFIG_BYTES`]; search a working directory for a configuration, because its servers' commands
//! would run.

use super::check::{Around, PolicyPattern, check, policy_patterns};
use super::checked::Config;
use super::layers::{FlagValue, lay_over};
use super::place::Place;
use super::problem::{ConfigErrors, Problem, quoted};
use super::raw::RawConfig;
use super::show::{EffectiveValue, effective};
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Bytes of a configuration file at most: 1 MiB.
pub const CONFIG_BYTES: usize = 1 << 20;
/// Policy files at most.
const POLICY_FILES_LIMIT: usize = 1000;
/// Entries of a folder that are looked at for policy files.
const FOLDER_ENTRIES_LIMIT: usize = 100_000;

/// What the command line and the environment say about the configuration.
#[derive(Debug, Clone, Default)]
pub struct LoadOptions {
    /// The file; nothing for the defaults alone.
    pub file: Option<PathBuf>,
    /// The data folder that goes before the file's.
    pub data: Option<DataFolderChoice>,
    /// The data folder if nobody names one.
    pub default_data: Option<PathBuf>,
    /// Variables whose names begin with [`VARIABLE_PREFIX`](super::VARIABLE_PREFIX), but for those that are read before.
    pub variables: Vec<(OsString, OsString)>,
    /// What flags say.
    pub flags: Vec<FlagValue>,
}

/// A data folder that was named outside the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataFolderChoice {
    /// The folder.
    pub folder: PathBuf,
    /// Where it was named, such as `--data`.
    pub named_by: &'static str,
}

/// A checked configuration, and where each value of it comes from.
#[derive(Debug)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// Every value that holds, in the order of the reference.
    pub values: Vec<EffectiveValue>,
}

/// Reads and checks the configuration.
///
/// # Errors
/// Everything that is wrong with it, at once.
pub fn load(options: &LoadOptions) -> Result<Loaded, ConfigErrors> {
    let mut problems = Vec::new();
    let called = options.file.as_deref().map(|file| file.display().to_string());
    let loaded = load_into(options, called.as_deref(), &mut problems);
    match (ConfigErrors::of(called.as_deref(), problems), loaded) {
        (None, Some(loaded)) => Ok(loaded),
        (Some(errors), _) => Err(errors),
        (None, None) => Err(ConfigErrors::unexplained()),
    }
}

fn load_into(options: &LoadOptions, called: Option<&str>, problems: &mut Vec<Problem>) -> Option<Loaded> {
    let mut absolute =
        |path: &Path| std::path::absolute(path).map_err(|error| problems.push(unusable(path, &error))).ok();
    let file = match &options.file {
        Some(file) => Some(absolute(file)?),
        None => None,
    };
    let data = match &options.data {
        Some(choice) => Some(absolute(&choice.folder)?),
        None => None,
    };
    let here = absolute(Path::new("."))?;
    let base = file.as_deref().and_then(Path::parent).map_or(here, Path::to_owned);
    let text = match &file {
        Some(file) => read(file).map_err(|problem| problems.push(problem)).ok()?,
        None => String::new(),
    };
    let around =
        Around { file, called: called.map(str::to_owned), base, data, default_data: options.default_data.clone() };
    let mut raw = RawConfig::read(&text, problems);
    lay_over(&mut raw, &options.variables, &options.flags, problems);
    // Each step goes on after problems of the one before: all of them are wanted.
    let checked = check(&raw, &around, problems);
    let policy_files = policy_files(&policy_patterns(&raw, &around.base), problems);
    let config = Config { policy_files, ..checked? };
    let values = effective(&raw, &config, options, called);
    Some(Loaded { config, values })
}

/// Reads and checks a text without touching files, for fuzzing: it must end, and never panic.
///
/// # Errors
/// Everything that is wrong with it.
pub fn parse_for_fuzz(text: &str) -> Result<Config, ConfigErrors> {
    let mut problems = Vec::new();
    let folder = PathBuf::from("/");
    let around = Around { file: None, called: None, base: folder.clone(), data: None, default_data: Some(folder) };
    let raw = RawConfig::read(text, &mut problems);
    let checked = check(&raw, &around, &mut problems);
    match (ConfigErrors::of(None, problems), checked) {
        (None, Some(config)) => Ok(config),
        (Some(errors), _) => Err(errors),
        (None, None) => Err(ConfigErrors::unexplained()),
    }
}

fn read(file: &Path) -> Result<String, Problem> {
    let mut bytes = Vec::new();
    let most = CONFIG_BYTES as u64 + 1;
    let opened = File::open(file).and_then(|opened| opened.take(most).read_to_end(&mut bytes));
    opened.map_err(|error| unusable(file, &error))?;
    if bytes.len() > CONFIG_BYTES {
        let why = format!("it is larger than {CONFIG_BYTES} bytes");
        return Err(Problem::nowhere("the file cannot be a configuration", why, "name the right file"));
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let line = 1 + error.as_bytes().iter().take(at).filter(|byte| **byte == b'\n').count();
        let place = Place::of_file(u32::try_from(line).unwrap_or(u32::MAX), 1);
        Problem::at(
            place,
            "this line is not UTF-8",
            "TOML files are UTF-8 (TOML 1.0 \"Spec\")",
            "save the file as UTF-8",
        )
    })
}

fn unusable(path: &Path, error: &io::Error) -> Problem {
    let what = format!("`{}` cannot be read", quoted(&path.display().to_string()));
    Problem::nowhere(what, error.to_string(), "name a file that is there and that this user may read")
}

/// The files that the patterns stand for. A pattern that somebody wrote must stand for one at least.
fn policy_files(patterns: &[PolicyPattern], problems: &mut Vec<Problem>) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for (pattern, place) in patterns {
        let found = match expand(pattern) {
            Ok(found) => found,
            Err(error) if place.is_none() && error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => {
                let what = format!("the policy files `{}` cannot be read", quoted(&pattern.display().to_string()));
                let place = place.unwrap_or(Place::START);
                problems.push(Problem::at(place, what, error.to_string(), "correct the path, or make the folder"));
                continue;
            }
        };
        if let (Some(place), true) = (place, found.is_empty()) {
            problems.push(Problem::at(
                *place,
                format!("no file matches `{}`", quoted(&pattern.display().to_string())),
                "rules that are not read allow and forbid nothing",
                "correct the path, or remove it",
            ));
        }
        files.extend(found);
    }
    if files.len() > POLICY_FILES_LIMIT {
        let why = format!("{} were found; the limit is {POLICY_FILES_LIMIT}", files.len());
        problems.push(Problem::nowhere(
            "there are too many policy files",
            why,
            "put rules that belong together into one",
        ));
    }
    let mut seen = std::collections::HashSet::new();
    files.retain(|file| seen.insert(file.clone()));
    files
}

/// The files whose name fits; a pattern without `*` is one file, which must be there.
fn expand(pattern: &Path) -> io::Result<Vec<PathBuf>> {
    let name = pattern.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let (Some(folder), true) = (pattern.parent(), name.contains('*')) else {
        return if pattern.is_file() { Ok(vec![pattern.to_owned()]) } else { Ok(Vec::new()) };
    };
    let Ok(glob) = stockade_policy::Glob::parse(name) else { return Ok(Vec::new()) };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)?.take(FOLDER_ENTRIES_LIMIT) {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        // As in a shell: files that begin with a dot are asked for by name.
        if !name.starts_with('.') && glob.matches(name) && path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
