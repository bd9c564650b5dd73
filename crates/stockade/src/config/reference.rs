//! The reference page, `docs/configuration.md`.
//!
//! Must never: say anything of a key that is not declared with it.

use super::key::{Default, Key, Shape, Table};
use super::keys::ROOT;
use super::value::Sort;
use std::fmt::Write;

const INTRODUCTION: &str = "\
# Configuration

<!-- Made from the table of keys in `crates/stockade/src/config/keys.rs`; change it there, then run the tests of the
package `stockade` with `UPDATE_GOLDEN=1`. -->

Stockade reads one TOML file, which `--config FILE` or `STOCKADE_CONFIG` names. Without one it runs with the defaults and
the built-in sample server. A file is never searched for: its servers' commands run, so it must be one that you named.

- A key that is not listed here is an error, and so is a value that cannot be meant. All problems are reported at once,
  each with line, column and what to do: `stockade config check`.
- `stockade config show` prints every value that holds and where it comes from; values of headers and variables are
  shown as `…`.
- `stockade config schema` prints a JSON Schema for editors.

The smallest useful file:

```toml
[servers.files]
command = [\"npx\", \"-y\", \"@modelcontextprotocol/server-filesystem\", \"/srv/data\"]

[servers.files.tools.write_file]
effect = \"write\"

[[permit]]
callers = [\"alice\"]
servers = [\"files\"]
tools = [\"read_*\", \"list_*\"]
```

## Layers

What holds is said by the first of these that says anything:

| layer | how |
|---|---|
| flags | `--listen`, `--profile`, `--log`, `--data` |
| environment | `STOCKADE_TABLE__KEY` with two `_` between, such as `STOCKADE_GATEWAY__LISTEN=127.0.0.1:9000` or `STOCKADE_LIMITS__IDLE=90s`; also `STOCKADE_LOG` for `gateway.log`, and `STOCKADE_DATA` |
| file | the file, as below |
| profile | what `gateway.profile` asks for, see [Profiles](#profiles) |
| default | what stands below under \"without it\" |

- Variables set single values of tables that stand in the file once. Lists, `[servers.…]` and other tables of names stand in the
  file alone.
- A variable of this form that sets nothing is an error, as an unknown key is.
- Flags and variables make the profile stricter than the file says, never laxer. What a profile refuses it refuses from every
  layer.
- An empty list is an error wherever a list may stand: it would be nobody, and somebody would take it for everybody.
";

const PROFILES: &str = "
## Profiles

`gateway.profile` says how strict the gateway is. A profile sets what nobody else has set, and refuses what is meant for tests.

| | `sandbox` | `internal` | `production` | `regulated` |
|---|---|---|---|---|
";

/// What profiles refuse, by the checks that do so.
const REFUSALS: &str = "\
| callers who show no key (`[anonymous]`) | allowed on loopback | refused | refused | refused |
| a log with more than `info` (`gateway.log`) | allowed | allowed | refused | refused |
| an issuer of tokens over plain HTTP on this machine | allowed | allowed | refused | refused |
| plain HTTP that other machines can reach | refused | refused | refused | refused |
";

/// The page in Markdown.
#[must_use]
pub fn markdown() -> String {
    let mut page = String::from(INTRODUCTION);
    page.push_str(PROFILES);
    profile_rows(&mut page, &ROOT, "");
    page.push_str(REFUSALS);
    for table in ROOT.tables {
        section(&mut page, table, "", 2);
    }
    page
}

/// One row for each key whose default is the profile's.
fn profile_rows(page: &mut String, table: &Table, path: &str) {
    for key in table.keys {
        let Default::Profile(values) = key.default else { continue };
        let cells = values.map(|value| if value.is_empty() { "–".to_owned() } else { format!("`{value}`") });
        // Writing to a `String` cannot fail, here and below.
        let _ = writeln!(page, "| `{path}.{}` | {} |", key.name, cells.join(" | "));
    }
    for inner in table.tables {
        let path = if path.is_empty() { inner.name.to_owned() } else { format!("{path}.{}", inner.name) };
        profile_rows(page, inner, &path);
    }
}

fn section(page: &mut String, table: &Table, outer: &str, level: usize) {
    let path = if outer.is_empty() { table.name.to_owned() } else { format!("{outer}.{}", table.name) };
    let (path, heading) = match table.shape {
        Shape::One => (path.clone(), format!("[{path}]")),
        Shape::Named { placeholder } => (format!("{path}.{placeholder}"), format!("[{path}.{placeholder}]")),
        Shape::List => (path.clone(), format!("[[{path}]]")),
    };
    let _ = write!(page, "\n{} `{heading}`\n\n{}\n\n", "#".repeat(level), table.text);
    page.push_str("| key | takes | without it | |\n|---|---|---|---|\n");
    for key in table.keys {
        row(page, key);
    }
    for inner in table.tables {
        section(page, inner, &path, level + 1);
    }
}

fn row(page: &mut String, key: &Key) {
    let default = match (key.default, key.default_value()) {
        (Default::Absent { meaning }, _) => meaning.to_owned(),
        (Default::Required, _) => "an error".to_owned(),
        (Default::Profile(_), _) => "by [profile](#profiles)".to_owned(),
        (_, Some(value)) => format!("`{}`", value.to_toml()),
        (_, None) => String::new(),
    };
    let takes = match key.sort {
        Sort::Text { example } => format!("text, such as `\"{example}\"`"),
        Sort::Texts { example } | Sort::Pairs { example } => format!("{}, such as `{example}`", key.sort.describe()),
        Sort::Choice { .. } | Sort::Count { .. } | Sort::Bytes { .. } | Sort::Time { .. } => key.sort.describe(),
    };
    let _ = writeln!(page, "| `{}` | {takes} | {default} | {} |", key.name, key.text);
}
