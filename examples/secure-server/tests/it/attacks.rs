//! Statements that want more than to read.

use secure_server::{Answer, Budget, Cancel, Database, QueryError};
use std::time::{Duration, Instant};
use testkit::TempFolder;

/// Generous: this machine may be busy. What is shown is an end, not a speed.
const SOON: Duration = Duration::from_secs(20);
const SHORT: Budget = Budget { time: Duration::from_millis(200), ..Budget::DEFAULT };

fn ask(text: &str, budget: Budget) -> Result<Answer, QueryError> {
    let folder = TempFolder::new();
    let database = Database::open(folder.path()).unwrap();
    let before = std::fs::read(folder.path().join("sample.sqlite")).unwrap();
    let start = Instant::now();
    let result = database.query(text, budget, &Cancel::default());
    assert!(start.elapsed() < SOON, "{text}");
    assert_eq!(std::fs::read(folder.path().join("sample.sqlite")).unwrap(), before, "{text}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "a new file after {text}");
    result
}

fn check(text: &str, expected: &str) {
    let said = match ask(text, SHORT) {
        Ok(answer) => format!("{} rows", answer.rows.len()),
        Err(error) => error.to_string(),
    };
    assert!(said.starts_with(expected), "{text}\nsaid     {said}\nexpected {expected}");
}

const FORBIDDEN: &str = "Permission denied: only SELECT over the sample tables is allowed";

#[test]
fn nothing_is_written() {
    for text in [
        "INSERT INTO planets VALUES (9, 'Pluto', 'ice', 2377, 5906.4, 90560)",
        "UPDATE planets SET name = 'X'",
        "DELETE FROM moons",
        "DROP TABLE moons",
        "CREATE TABLE t (a)",
        "CREATE TEMP TABLE t (a)",
        "CREATE TEMP VIEW v AS SELECT 1",
        "CREATE VIRTUAL TABLE t USING fts5(a)",
        "ALTER TABLE moons RENAME TO x",
        "WITH x AS (SELECT 1) INSERT INTO planets SELECT * FROM planets",
        "DELETE FROM moons RETURNING name",
        "REINDEX",
        "ANALYZE",
        "BEGIN IMMEDIATE",
        "SAVEPOINT s",
    ] {
        check(text, FORBIDDEN);
    }
    check("UPDATE sqlite_schema SET sql = ''", "Query failed: table sqlite_master may not be modified");
}

#[test]
fn no_other_file_is_reached() {
    let folder = TempFolder::new();
    let other = folder.path().join("other.sqlite");
    check(&format!("ATTACH DATABASE '{}' AS other", other.display()), FORBIDDEN);
    check("ATTACH ':memory:' AS m", FORBIDDEN);
    check("DETACH main", FORBIDDEN);
    for text in ["VACUUM".to_owned(), format!("VACUUM INTO '{}'", other.display())] {
        let error = ask(&text, SHORT).unwrap_err();
        assert!(matches!(error, QueryError::Forbidden | QueryError::NotOneSelect), "{text}: {error}");
    }
    check("SELECT readfile('/etc/passwd')", "Query failed: no such function: readfile");
    check("SELECT writefile('x', 'y')", "Query failed: no such function: writefile");
    assert!(!other.exists());
}

#[test]
fn settings_cannot_be_read_or_changed() {
    for text in [
        "PRAGMA writable_schema = ON",
        "PRAGMA query_only = OFF",
        "PRAGMA database_list",
        "PRAGMA table_info(planets)",
        "PRAGMA temp_store_directory = '/tmp'",
        "SELECT * FROM pragma_database_list",
        "SELECT count(*) FROM pragma_database_list",
        "SELECT * FROM pragma_table_info('planets')",
    ] {
        let error = ask(text, SHORT).unwrap_err();
        assert!(
            matches!(&error, QueryError::Forbidden) || error.to_string().contains("not authorized"),
            "{text}: {error}"
        );
    }
}

#[test]
fn no_code_is_loaded_and_no_secret_is_told() {
    for text in [
        "SELECT load_extension('/tmp/evil.so')",
        "SELECT fts3_tokenizer('simple', x'00')",
        "SELECT sqlite_compileoption_get(0)",
        "SELECT sqlite_version()",
        "SELECT randomblob(1000000000)",
        "SELECT * FROM dbstat",
    ] {
        check(text, FORBIDDEN);
    }
}

#[test]
fn one_statement_is_one() {
    check("SELECT 1; SELECT 2", "Query failed: write one SELECT statement");
    check("SELECT 1; DROP TABLE moons", FORBIDDEN);
    check("", "Query failed: write one SELECT statement");
    check("-- nothing", "Query failed: write one SELECT statement");
    check("SELECT 1;", "1 rows");
    check("EXPLAIN DELETE FROM moons", FORBIDDEN);
    check("SELECT nobody FROM planets", "Query failed: no such column: nobody");
    check("SELECT \"Earth\"", "Query failed: no such column: \\\"Earth\\\"");
    check("SELEKT", "Query failed: near");
}

#[test]
fn a_query_without_end_is_interrupted() {
    check("WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c", "Timeout");
    check(
        "SELECT count(*) FROM moons a, moons b, moons c, moons d, moons e, moons f, moons g, moons h, moons i, moons j",
        "Timeout",
    );
    // Each instruction of this one is as dear as one can be.
    let dear = "instr(printf('%.*c', 65000, 'a'), printf('%.*c', 32000, 'a') || 'b')";
    check(
        &format!("WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + {dear} FROM c) SELECT count(*) FROM c"),
        "Timeout",
    );
}

#[test]
fn a_cancelled_query_ends() {
    let folder = TempFolder::new();
    let database = Database::open(folder.path()).unwrap();
    let cancel = Cancel::default();
    let budget = Budget { time: Duration::from_secs(600), ..Budget::DEFAULT };
    let endless = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c";
    let running = {
        let (database, cancel) = (database, cancel.clone());
        std::thread::spawn(move || database.query(endless, budget, &cancel))
    };
    cancel.cancel();
    let result = running.join().unwrap();
    assert!(matches!(result, Err(QueryError::Cancelled)), "{result:?}");
}

#[test]
fn memory_is_bounded() {
    let patient = Budget { time: Duration::from_secs(15), ..Budget::DEFAULT };
    let text = "WITH RECURSIVE c(x) AS (SELECT 1 UNION SELECT x + 1 FROM c) \
                SELECT count(*) FROM (SELECT printf('%.*c', 60000, 'a') || x FROM c ORDER BY 1)";
    let error = ask(text, patient).unwrap_err();
    assert!(matches!(error, QueryError::TooMuchMemory), "{error}");
    check("SELECT printf('%.*c', 1000000000, 'a')", "Query failed: string or blob too big");
    check("SELECT group_concat(printf('%.*c', 60000, 'a')) FROM moons", "Query failed: string or blob too big");
}

#[test]
fn rows_and_bytes_are_bounded() {
    let numbers = |count: usize| {
        format!("WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT {count}) SELECT x FROM c")
    };
    let hundred = ask(&numbers(100), Budget::DEFAULT).unwrap();
    assert_eq!((hundred.rows.len(), hundred.truncated), (100, false));
    let more = ask(&numbers(101), Budget::DEFAULT).unwrap();
    assert_eq!((more.rows.len(), more.truncated), (100, true));
    let wide = ask("SELECT printf('%.*c', 30000, 'a') FROM moons", Budget::DEFAULT).unwrap();
    assert_eq!((wide.rows.len(), wide.truncated), (2, true));
    assert!(serde_json::to_vec(&wide.rows).unwrap().len() <= Budget::DEFAULT.bytes);
    let one = ask("SELECT printf('%.*c', 60000, char(10))", Budget::DEFAULT).unwrap();
    assert_eq!((one.rows.len(), one.truncated), (0, true));
}
