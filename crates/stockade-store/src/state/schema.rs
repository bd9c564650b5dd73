//! The tables of `state.db`, and the way from each schema to the next.
//!
//! Must never: change what an older version has made but by adding to it: an older process may still be reading.

/// The schema that this version reads and writes.
pub(super) const SCHEMA: i64 = 2;

/// Everything, for a new database. Ends with `PRAGMA user_version`.
pub(super) fn make() -> String {
    format!(
        "PRAGMA synchronous = FULL;
        BEGIN IMMEDIATE;
        CREATE TABLE api_keys (
            id TEXT PRIMARY KEY, caller TEXT NOT NULL, digest BLOB NOT NULL,
            created INTEGER NOT NULL, expires INTEGER, revoked INTEGER,
            {}
        ) STRICT;
        {BESIDE_KEYS}
        PRAGMA user_version = {SCHEMA};
        COMMIT;",
        SINCE_2.join(", ")
    )
}

/// From schema 1, which had keys alone. Runs inside a transaction.
pub(super) fn from_1() -> String {
    let columns: String = SINCE_2.iter().map(|column| format!("ALTER TABLE api_keys ADD COLUMN {column};\n")).collect();
    format!("{columns} {BESIDE_KEYS} PRAGMA user_version = 2;")
}

/// What schema 2 has added to keys. A key without environment was made by schema 1; the next gateway takes it over.
/// `scopes` are separated by spaces; none at all (NULL) means that scopes do not limit the key.
const SINCE_2: [&str; 6] = [
    "scopes TEXT",
    "environment TEXT",
    "last_used INTEGER",
    "rotated_from TEXT",
    "rotated_to TEXT",
    "overlap_ends INTEGER",
];

/// What schema 2 has beside keys. An issuer that was not named is the empty text, which no issuer is.
const BESIDE_KEYS: &str = "
        CREATE TABLE revocations (
            number INTEGER PRIMARY KEY AUTOINCREMENT,
            kind TEXT NOT NULL, value TEXT NOT NULL, issuer TEXT NOT NULL,
            at INTEGER NOT NULL, until INTEGER, revoked_by TEXT NOT NULL, reason TEXT NOT NULL,
            lifted INTEGER, lifted_by TEXT
        ) STRICT;
        CREATE UNIQUE INDEX revocations_in_force ON revocations (kind, value, issuer) WHERE lifted IS NULL;
        CREATE TABLE operator_events (
            number INTEGER PRIMARY KEY AUTOINCREMENT,
            at INTEGER NOT NULL, ticket_random BLOB NOT NULL, operator TEXT NOT NULL,
            kind TEXT NOT NULL, target TEXT NOT NULL, reason TEXT NOT NULL,
            handed INTEGER, recorded INTEGER
        ) STRICT;
        CREATE INDEX operator_events_waiting ON operator_events (number) WHERE recorded IS NULL;";
