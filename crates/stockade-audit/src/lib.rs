//! The append-only record: hash chain, group commit, verify. No network; never changes a row.
