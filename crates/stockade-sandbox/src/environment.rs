//! The part of the gateway's environment that servers may see.
//!
//! **For:** `npx`, `uvx`, `python` and `node` need a few variables to find themselves and their caches.
//!
//! **Never:** lets a variable through because it looks harmless. The list is exact; what is not on it is dropped, with
//! every token, key and agent socket among it. Reads no environment itself: the caller hands it in.
//!
//! **On the road:** before it, when the configuration becomes a [`LaunchSpec`](crate::LaunchSpec).

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// How the value of an allowed variable is treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Keep {
    /// As it is.
    Whole,
    /// A search path: only its absolute entries, because an empty or relative one means the working directory.
    AbsoluteEntries,
    /// An address: only if it holds no user name, password or query, which is where tokens hide.
    WithoutCredentials,
}

/// Everything that a server may inherit. An exact list, no prefixes: `LC_*` would also admit `LC_MY_TOKEN`.
///
/// Left out on purpose: what changes the code that runs (`NODE_OPTIONS`, `PYTHONPATH`, `PYTHONSTARTUP`, `LD_*`,
/// `BASH_ENV`, `npm_config_script_shell`), what leads to other powers (`SSH_AUTH_SOCK`, `DBUS_SESSION_BUS_ADDRESS`,
/// `XDG_RUNTIME_DIR`, `DISPLAY`, `DOCKER_HOST`, `KUBECONFIG`), and everything that carries a secret.
const ALLOWED: &[(&str, Keep)] = &[
    // Who and where.
    ("PATH", Keep::AbsoluteEntries),
    ("HOME", Keep::Whole),
    ("USER", Keep::Whole),
    ("LOGNAME", Keep::Whole),
    ("TMPDIR", Keep::Whole),
    ("TERM", Keep::Whole),
    ("TZ", Keep::Whole),
    ("XDG_CACHE_HOME", Keep::Whole),
    ("XDG_CONFIG_HOME", Keep::Whole),
    ("XDG_DATA_HOME", Keep::Whole),
    ("XDG_STATE_HOME", Keep::Whole),
    // Language: the categories of locale(7).
    ("LANG", Keep::Whole),
    ("LANGUAGE", Keep::Whole),
    ("LC_ALL", Keep::Whole),
    ("LC_ADDRESS", Keep::Whole),
    ("LC_COLLATE", Keep::Whole),
    ("LC_CTYPE", Keep::Whole),
    ("LC_IDENTIFICATION", Keep::Whole),
    ("LC_MEASUREMENT", Keep::Whole),
    ("LC_MESSAGES", Keep::Whole),
    ("LC_MONETARY", Keep::Whole),
    ("LC_NAME", Keep::Whole),
    ("LC_NUMERIC", Keep::Whole),
    ("LC_PAPER", Keep::Whole),
    ("LC_TELEPHONE", Keep::Whole),
    ("LC_TIME", Keep::Whole),
    // Where version managers keep their programs: their shims find nothing without it.
    ("PYENV_ROOT", Keep::Whole),
    ("NVM_DIR", Keep::Whole),
    ("VOLTA_HOME", Keep::Whole),
    ("ASDF_DIR", Keep::Whole),
    ("ASDF_DATA_DIR", Keep::Whole),
    ("MISE_DATA_DIR", Keep::Whole),
    // Where packages come from and are kept. Tokens for a registry belong into the server's own configuration.
    ("npm_config_cache", Keep::Whole),
    ("NPM_CONFIG_CACHE", Keep::Whole),
    ("npm_config_prefix", Keep::Whole),
    ("NPM_CONFIG_PREFIX", Keep::Whole),
    ("npm_config_registry", Keep::WithoutCredentials),
    ("NPM_CONFIG_REGISTRY", Keep::WithoutCredentials),
    ("PIP_CACHE_DIR", Keep::Whole),
    ("PIP_INDEX_URL", Keep::WithoutCredentials),
    ("UV_CACHE_DIR", Keep::Whole),
    ("UV_PYTHON_INSTALL_DIR", Keep::Whole),
    ("UV_TOOL_DIR", Keep::Whole),
    ("UV_INDEX_URL", Keep::WithoutCredentials),
    ("UV_DEFAULT_INDEX", Keep::WithoutCredentials),
    // How to get out of a company's network: proxies and the certificates that they need.
    ("http_proxy", Keep::WithoutCredentials),
    ("HTTP_PROXY", Keep::WithoutCredentials),
    ("https_proxy", Keep::WithoutCredentials),
    ("HTTPS_PROXY", Keep::WithoutCredentials),
    ("no_proxy", Keep::Whole),
    ("NO_PROXY", Keep::Whole),
    ("SSL_CERT_FILE", Keep::Whole),
    ("SSL_CERT_DIR", Keep::Whole),
    ("NODE_EXTRA_CA_CERTS", Keep::Whole),
    ("REQUESTS_CA_BUNDLE", Keep::Whole),
    ("PIP_CERT", Keep::Whole),
];

/// Keeps of an inherited environment what servers need to start, and drops everything else.
///
/// Kept are: who and where (`PATH`, `HOME`, `USER`, `LOGNAME`, `TMPDIR`, `TERM`, `TZ`, the four `XDG_…_HOME`), the
/// language (`LANG`, `LANGUAGE`, the `LC_` categories of locale(7)), the folders of version managers (`PYENV_ROOT`,
/// `NVM_DIR`, `VOLTA_HOME`, `ASDF_DIR`, `ASDF_DATA_DIR`, `MISE_DATA_DIR`), caches and registries of npm, pip and uv,
/// proxies, and certificate files. Names are compared exactly.
///
/// Two values are looked at: of `PATH` only absolute entries stay (an empty entry means the working directory), and
/// an address with a user name, a password or a query is dropped whole. If a name comes twice, the first one stays.
pub fn base_environment(inherited: impl Iterator<Item = (OsString, OsString)>) -> Vec<(OsString, OsString)> {
    let mut kept: Vec<(OsString, OsString)> = Vec::new();
    for (name, value) in inherited {
        let Some((_, keep)) = ALLOWED.iter().find(|(allowed, _)| name.as_os_str() == OsStr::new(allowed)) else {
            continue;
        };
        if kept.iter().any(|(known, _)| *known == name) {
            continue;
        }
        if let Some(value) = keep.apply(value) {
            kept.push((name, value));
        }
    }
    kept
}

impl Keep {
    fn apply(self, value: OsString) -> Option<OsString> {
        match self {
            Self::Whole => Some(value),
            Self::AbsoluteEntries => {
                let entries: Vec<&[u8]> =
                    value.as_bytes().split(|byte| *byte == b':').filter(|entry| entry.starts_with(b"/")).collect();
                (!entries.is_empty()).then(|| OsString::from_vec(entries.join(&b':')))
            }
            Self::WithoutCredentials => {
                let suspicious = value.as_bytes().iter().any(|byte| matches!(byte, b'@' | b'?'));
                (!suspicious).then_some(value)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{ALLOWED, base_environment};
    use std::ffi::OsString;

    fn check(inherited: &[(&str, &str)], expected: &[(&str, &str)]) {
        let pairs = |list: &[(&str, &str)]| -> Vec<(OsString, OsString)> {
            list.iter().map(|(name, value)| (OsString::from(name), OsString::from(value))).collect()
        };
        assert_eq!(base_environment(pairs(inherited).into_iter()), pairs(expected));
    }

    #[test]
    fn only_listed_variables_are_kept() {
        check(
            &[
                ("HOME", "/home/a"),
                ("GITHUB_TOKEN", "CANARY"),
                ("AWS_SECRET_ACCESS_KEY", "CANARY"),
                ("LC_TIME", "C"),
                ("LC_MY_TOKEN", "CANARY"),
                ("SSH_AUTH_SOCK", "/run/agent"),
                ("NODE_OPTIONS", "--require=/tmp/evil.js"),
                ("LD_PRELOAD", "/tmp/evil.so"),
                ("npm_config__authToken", "CANARY"),
                ("npm_config_cache", "/c"),
                ("home", "/other"),
            ],
            &[("HOME", "/home/a"), ("LC_TIME", "C"), ("npm_config_cache", "/c")],
        );
    }

    #[test]
    fn path_entries_that_mean_the_working_directory_are_dropped() {
        check(&[("PATH", ":/usr/bin::.:bin:/bin:")], &[("PATH", "/usr/bin:/bin")]);
        check(&[("PATH", ".:")], &[]);
        check(&[("PATH", "")], &[]);
    }

    #[test]
    fn addresses_with_credentials_are_dropped() {
        check(
            &[
                ("npm_config_registry", "https://registry.test/npm/"),
                ("PIP_INDEX_URL", "https://user:CANARY@registry.test/simple"),
                ("UV_INDEX_URL", "https://registry.test/simple?token=CANARY"),
                ("HTTPS_PROXY", "http://proxy.test:3128"),
                ("https_proxy", "user:CANARY@proxy.test:3128"),
            ],
            &[("npm_config_registry", "https://registry.test/npm/"), ("HTTPS_PROXY", "http://proxy.test:3128")],
        );
    }

    #[test]
    fn the_first_of_two_equal_names_is_kept() {
        check(&[("HOME", "/first"), ("HOME", "/second")], &[("HOME", "/first")]);
    }

    #[test]
    fn no_allowed_name_looks_like_a_secret() {
        const SUSPICIOUS: [&str; 9] =
            ["TOKEN", "SECRET", "KEY", "PASS", "AUTH", "CREDENTIAL", "SESSION", "COOKIE", "PRIVATE"];
        for (name, _) in ALLOWED {
            let upper = name.to_ascii_uppercase();
            assert!(!SUSPICIOUS.iter().any(|word| upper.contains(word)), "{name}");
        }
    }
}
