//! The configuration: one TOML file, read strictly, checked whole, shown with where each value came from.
//!
//! For: turning what an operator wrote into values that need no further checking, or into every problem at once.
//! Must never: start with a configuration that has a problem; print the value of a header or a variable; read the
//! environment (see `environment.rs`).
//! On the road: before it. Nothing here decides about a message.
//!
//! Every key is declared once, in `keys.rs`: reading, showing, the JSON Schema and `docs/configuration.md` all come from
//! that table.

mod address;
mod check;
mod check_identity;
mod check_life;
mod check_log;
mod check_permits;
mod check_servers;
mod check_transport;
mod checked;
mod identity;
mod key;
mod keys;
mod keys_identity;
mod keys_life;
mod keys_sign_in;
mod keys_transport;
mod layers;
mod load;
mod place;
mod problem;
mod raw;
mod reference;
mod schema;
mod show;
mod suggest;
mod value;

pub use checked::{
    Config, Gateway, Limits, Profile, Server, ServerEra, SignIn, Target, Timeouts, ToolSettings, Upstream,
};
pub use identity::{IdentityConfig, IntrospectionConfig, IssuerConfig};
pub use layers::{Flag, FlagValue, VARIABLE_PREFIX};
pub use load::{CONFIG_BYTES, DataFolderChoice, LoadOptions, Loaded, load, parse_for_fuzz};
pub use place::Place;
pub use problem::{ConfigErrors, PROBLEMS_LIMIT, Problem};
pub use reference::markdown;
pub use schema::json_schema;
pub use show::{EffectiveValue, Source};
pub(crate) use value::{Span, span};
