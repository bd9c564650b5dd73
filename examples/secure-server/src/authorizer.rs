//! What a statement may do: read the sample tables and compute. SQLite asks before a statement is ready to run.
//!
//! Must never: allow what is not named here. Whatever a later SQLite adds is refused until somebody lists it.

use rusqlite::hooks::{AuthAction, AuthContext, Authorization};

/// Functions that compute from their arguments alone. Not here, among others: `load_extension`, `fts3_tokenizer`,
/// `randomblob` and `zeroblob` (memory for nothing), `sqlite_compileoption_get` (what this build can do).
const FUNCTIONS: &[&str] = &[
    // Aggregates and windows.
    "avg",
    "count",
    "group_concat",
    "max",
    "median",
    "min",
    "string_agg",
    "sum",
    "total",
    "row_number",
    "rank",
    "dense_rank",
    "percent_rank",
    "cume_dist",
    "ntile",
    "lag",
    "lead",
    "first_value",
    "last_value",
    "nth_value",
    // Numbers.
    "abs",
    "round",
    "sign",
    "random",
    "ceil",
    "ceiling",
    "floor",
    "trunc",
    "mod",
    "exp",
    "ln",
    "log",
    "log10",
    "log2",
    "pi",
    "pow",
    "power",
    "sqrt",
    "sin",
    "cos",
    "tan",
    "asin",
    "acos",
    "atan",
    "atan2",
    "degrees",
    "radians",
    // Text.
    "char",
    "concat",
    "concat_ws",
    "format",
    "glob",
    "hex",
    "instr",
    "length",
    "like",
    "lower",
    "ltrim",
    "octet_length",
    "printf",
    "quote",
    "replace",
    "rtrim",
    "soundex",
    "substr",
    "substring",
    "trim",
    "unhex",
    "unicode",
    "upper",
    // Choosing.
    "coalesce",
    "if",
    "ifnull",
    "iif",
    "likelihood",
    "likely",
    "nullif",
    "typeof",
    "unlikely",
    // Time.
    "date",
    "datetime",
    "julianday",
    "strftime",
    "time",
    "timediff",
    "unixepoch",
    // JSON.
    "->",
    "->>",
    "json",
    "json_array",
    "json_array_length",
    "json_each",
    "json_extract",
    "json_group_array",
    "json_group_object",
    "json_object",
    "json_quote",
    "json_type",
    "json_valid",
];
/// The schema under both its names, so that a client can find out what there is, and the two tables that JSON becomes.
const TABLES_OF_SQLITE: &[&str] = &["sqlite_master", "sqlite_schema", "json_each", "json_tree"];

/// Judges one action. `tables` are those of the sample database.
pub(crate) fn judge(context: &AuthContext<'_>, tables: &[String]) -> Authorization {
    let allowed = match context.action {
        AuthAction::Select | AuthAction::Recursive => true,
        AuthAction::Function { function_name } => {
            FUNCTIONS.iter().any(|function| function.eq_ignore_ascii_case(function_name))
        }
        // A read of no column counts rows; SQLite asks it also for common table expressions, whose names are free.
        AuthAction::Read { column_name: "", .. } => true,
        AuthAction::Read { table_name, .. } => {
            let known = |table: &str| table.eq_ignore_ascii_case(table_name);
            matches!(context.database_name, None | Some("main"))
                && (tables.iter().any(|table| known(table)) || TABLES_OF_SQLITE.iter().any(|table| known(table)))
        }
        _ => false,
    };
    if allowed { Authorization::Allow } else { Authorization::Deny }
}
