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

Other settings come from the environment: `STOCKADE_DATA` names the data folder, `STOCKADE_LOG` what is logged
(`error`, `warn`, `info`, `debug`, or a filter such as `info,stockade_gateway=debug`).
";

/// The page in Markdown.
#[must_use]
pub fn markdown() -> String {
    let mut page = String::from(INTRODUCTION);
    for table in ROOT.tables {
        section(&mut page, table, "", 2);
    }
    page
}

fn section(page: &mut String, table: &Table, outer: &str, level: usize) {
    let path = if outer.is_empty() { table.name.to_owned() } else { format!("{outer}.{}", table.name) };
    let (path, heading) = match table.shape {
        Shape::One => (path.clone(), format!("[{path}]")),
        Shape::Named { placeholder } => (format!("{path}.{placeholder}"), format!("[{path}.{placeholder}]")),
        Shape::List => (path.clone(), format!("[[{path}]]")),
    };
    // Writing to a `String` cannot fail, here and below.
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
