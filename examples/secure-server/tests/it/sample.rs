//! The database: made once, shared, never changed.

use secure_server::{Budget, Cancel, Database};
use serde_json::json;
use std::os::unix::fs::PermissionsExt;
use testkit::TempFolder;

#[test]
fn a_query_is_answered_with_columns_and_rows() {
    let folder = TempFolder::new();
    let database = Database::open(folder.path()).unwrap();
    let text = "SELECT p.name AS planet, count(*) AS moons, x'00ff', 9e999, NULL, 'a\u{e9}' FROM planets p \
                JOIN moons m ON m.planet_id = p.id GROUP BY p.id HAVING moons > 3 ORDER BY planet";
    let answer = database.query(text, Budget::DEFAULT, &Cancel::default()).unwrap();
    assert_eq!(answer.columns, ["planet", "moons", "x'00ff'", "9e999", "NULL", "'a\u{e9}'"]);
    assert_eq!(
        serde_json::to_value(answer.rows).unwrap(),
        json!([["Jupiter", 4, "x'00ff'", "inf", null, "a\u{e9}"], ["Saturn", 4, "x'00ff'", "inf", null, "a\u{e9}"]])
    );
    assert!(!answer.truncated);
}

#[test]
fn a_client_can_find_out_what_there_is() {
    let folder = TempFolder::new();
    let database = Database::open(folder.path()).unwrap();
    let text = "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name";
    let answer = database.query(text, Budget::DEFAULT, &Cancel::default()).unwrap();
    assert_eq!(serde_json::to_value(answer.rows).unwrap(), json!([["moons"], ["planets"]]));
}

#[test]
fn the_file_is_made_once_and_nobody_may_write_to_it() {
    let folder = TempFolder::new();
    let data = folder.path().join("new");
    Database::open(&data).unwrap();
    let file = data.join("sample.sqlite");
    let first = std::fs::read(&file).unwrap();
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o400);
    assert_eq!(std::fs::metadata(&data).unwrap().permissions().mode() & 0o777, 0o700);
    Database::open(&data).unwrap();
    assert_eq!(std::fs::read(&file).unwrap(), first);
    assert_eq!(std::fs::read_dir(&data).unwrap().count(), 1, "nothing is left of making it");
}

#[test]
fn a_file_that_is_no_database_is_an_error_and_stays() {
    let folder = TempFolder::new();
    let file = folder.write("sample.sqlite", "something of somebody else");
    let error = Database::open(folder.path()).unwrap_err();
    assert!(error.to_string().starts_with("could not read the sample database"), "{error}");
    assert_eq!(std::fs::read(file).unwrap(), b"something of somebody else");
}
