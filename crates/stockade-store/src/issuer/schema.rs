//! The tables of `issuer.db`.
//!
//! Times are nanoseconds since 1970. A secret is a digest (`code`, `handle`, `secret`) or sealed (`sealed`).

/// The schema that this version reads and writes.
pub(super) const SCHEMA: i64 = 1;

/// Makes it.
pub(super) const MAKE: &str = "PRAGMA synchronous = FULL;
    BEGIN IMMEDIATE;
    CREATE TABLE users (
        name TEXT PRIMARY KEY, password TEXT NOT NULL, stamp TEXT NOT NULL,
        created INTEGER NOT NULL, changed INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE clients (
        id TEXT PRIMARY KEY, name TEXT, redirects TEXT NOT NULL, authentication TEXT NOT NULL, renewal TEXT NOT NULL,
        secret BLOB, created INTEGER NOT NULL, used INTEGER
    ) STRICT;
    CREATE INDEX clients_unused ON clients (created) WHERE used IS NULL;
    CREATE TABLE consents (
        user TEXT NOT NULL, client TEXT NOT NULL, redirect TEXT NOT NULL, resource TEXT NOT NULL, scopes TEXT NOT NULL,
        at INTEGER NOT NULL, PRIMARY KEY (user, client, redirect, resource, scopes)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE families (
        id TEXT PRIMARY KEY, user TEXT NOT NULL, client TEXT NOT NULL, redirect TEXT NOT NULL, resource TEXT NOT NULL,
        scopes TEXT NOT NULL, renewal TEXT NOT NULL,
        created INTEGER NOT NULL, used INTEGER NOT NULL, ends INTEGER NOT NULL, handle BLOB UNIQUE, secret BLOB
    ) STRICT;
    CREATE INDEX families_of_user ON families (user, used);
    CREATE TABLE codes (
        code BLOB PRIMARY KEY, family TEXT NOT NULL, challenge BLOB NOT NULL, redirect TEXT NOT NULL,
        ends INTEGER NOT NULL, taken INTEGER
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE ended_tokens (id TEXT PRIMARY KEY, ends INTEGER NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE signing_keys (id TEXT PRIMARY KEY, sealed TEXT NOT NULL, signs_from INTEGER NOT NULL) STRICT;
    PRAGMA user_version = 1;
    COMMIT;";
