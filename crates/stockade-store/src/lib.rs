//! Durable state: the data folder, API keys, sealing keys, counters. The only crate with database clients.
