//! Durable state: the data folder, the keys in it, the callers' API keys, and what was revoked. The only crate with database
//! clients.
//!
//! For: making, locking and guarding the folder; deriving every key from one root; knowing who holds which API key, what no
//! longer holds, and what operators have done.
//! Must never: show a key or the path of one; start empty where something is damaged; find a key by anything but its digest;
//! say that something holds when that cannot be known.

mod api_keys;
mod data_folder;
mod dates;
mod environment;
mod issuer;
mod key_ring;
mod mirror;
mod operator_events;
mod replay;
mod revocations;
mod secret_file;
mod state;

pub use api_keys::{
    ApiKeys, ApiKeysError, KEY_PREFIX, KEYS_LIMIT, KeyId, KeyRow, KeyRules, KeyState, NewKey, OVERLAP_LIMIT,
    Replacement, SCOPE_CHARACTERS, SCOPES_LIMIT, Scopes, ScopesError,
};
pub use data_folder::{DataFolder, DataFolderError};
pub use environment::{EnvironmentName, EnvironmentNameError};
pub use issuer::{IssuerDatabase, IssuerDatabaseError};
pub use key_ring::{KeyRing, KeyRingError, OsEntropy, SealingKey};
pub use operator_events::{Act, OperatorEvent, OperatorEventKind, OperatorEvents, WAITING_LIMIT};
pub use replay::{PROOFS_LIMIT, ReplayDatabase, ReplayError};
pub use revocations::{
    LiveRevocations, REVOCATIONS_LIMIT, Revocation, RevocationList, RevocationTarget, RevocationTargetError,
    RevocationsError, VALUE_BYTES,
};
pub use secret_file::{SECRET_BYTES, SecretFileError, SecretUse, WeakSecret, check_secret, read_secret_file};
pub use state::{State, StateError};
