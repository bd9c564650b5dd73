//! The environment of the process: read here, once, at the start, and nowhere else.
//!
//! Must never: hand a server more of it than the base set of `stockade-sandbox`.

use crate::config::{DataFolderChoice, VARIABLE_PREFIX};
use std::ffi::OsString;
use std::path::PathBuf;

/// Names the configuration file.
pub(crate) const CONFIG_VARIABLE: &str = "STOCKADE_CONFIG";
/// Names the data folder.
pub(crate) const DATA_VARIABLE: &str = "STOCKADE_DATA";

/// What the environment says.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    /// The configuration file.
    pub config: Option<PathBuf>,
    /// The data folder.
    pub data: Option<DataFolderChoice>,
    /// The data folder if nobody names one: `$XDG_DATA_HOME/stockade`, or `~/.local/share/stockade` (XDG Base Directory
    /// Specification).
    pub default_data: Option<PathBuf>,
    /// What it says of keys of the configuration: variables whose names begin with ours, but for those above.
    pub settings: Vec<(OsString, OsString)>,
    /// What servers' processes inherit ([`stockade_sandbox::base_environment`]).
    pub for_servers: Vec<(OsString, OsString)>,
    /// What the user of this process is called, for the caller of `stockade wrap`. Their own word, as everything of theirs.
    pub user: Option<String>,
}

impl Environment {
    /// Reads the environment of this process.
    #[must_use]
    pub fn of_process() -> Self {
        Self::of(std::env::vars_os())
    }

    /// An empty variable is one that is not set.
    fn of(variables: impl Iterator<Item = (OsString, OsString)>) -> Self {
        let variables: Vec<(OsString, OsString)> = variables.filter(|(_, value)| !value.is_empty()).collect();
        let get = |wanted: &str| variables.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.clone());
        // Relative paths in XDG variables are invalid and to be ignored, says the specification.
        let absolute = |name: &str| get(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let share =
            absolute("XDG_DATA_HOME").or_else(|| absolute("HOME").map(|home| home.join(".local").join("share")));
        let named = |folder: OsString| DataFolderChoice { folder: folder.into(), named_by: DATA_VARIABLE };
        Self {
            config: get(CONFIG_VARIABLE).map(PathBuf::from),
            data: get(DATA_VARIABLE).map(named),
            default_data: share.map(|share| share.join("stockade")),
            settings: settings(&variables),
            for_servers: stockade_sandbox::base_environment(variables.iter().cloned()),
            user: get("USER").or_else(|| get("LOGNAME")).and_then(|text| text.into_string().ok()),
        }
    }
}

/// Sorted by name, so that the same environment always says the same.
fn settings(variables: &[(OsString, OsString)]) -> Vec<(OsString, OsString)> {
    let is_ours = |name: &OsString| name.as_encoded_bytes().starts_with(VARIABLE_PREFIX.as_bytes());
    let is_read_before = |name: &OsString| name == CONFIG_VARIABLE || name == DATA_VARIABLE;
    let ours = variables.iter().filter(|(name, _)| is_ours(name) && !is_read_before(name));
    let mut settings: Vec<_> = ours.cloned().collect();
    settings.sort();
    settings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(variables: &[(&str, &str)]) -> Environment {
        Environment::of(variables.iter().map(|(name, value)| (OsString::from(name), OsString::from(value))))
    }

    #[test]
    fn the_data_folder_is_where_the_specification_says() {
        for (variables, expected) in [
            (&[("HOME", "/home/a")][..], Some("/home/a/.local/share/stockade")),
            (&[("HOME", "/home/a"), ("XDG_DATA_HOME", "/data")], Some("/data/stockade")),
            (&[("HOME", "/home/a"), ("XDG_DATA_HOME", "relative")], Some("/home/a/.local/share/stockade")),
            (&[("HOME", "/home/a"), ("XDG_DATA_HOME", "")], Some("/home/a/.local/share/stockade")),
            (&[("HOME", "relative")], None),
            (&[], None),
        ] {
            assert_eq!(of(variables).default_data, expected.map(PathBuf::from), "{variables:?}");
        }
    }

    #[test]
    fn servers_inherit_nothing_of_ours() {
        let read = of(&[("STOCKADE_DATA", "/d"), ("STOCKADE_CONFIG", "c"), ("PATH", "/bin"), ("API_TOKEN", "CANARY")]);
        assert_eq!(read.for_servers, [(OsString::from("PATH"), OsString::from("/bin"))]);
        assert_eq!(read.data.unwrap().folder, PathBuf::from("/d"));
        assert_eq!(read.config.unwrap(), PathBuf::from("c"));
    }
}
