//! Durable state: the data folder, the keys in it, and the callers' API keys. The only crate with database clients.
//!
//! For: making, locking and guarding the folder; deriving every key from one root; knowing who holds which API key.
//! Must never: show a key or the path of one; start empty where something is damaged; find a key by anything but its digest.

mod api_keys;
mod data_folder;
mod key_ring;

pub use api_keys::{ApiKeys, ApiKeysError, KeyId, KeyRow};
pub use data_folder::{DataFolder, DataFolderError};
pub use key_ring::{KeyRing, KeyRingError, OsEntropy, SealingKey};
