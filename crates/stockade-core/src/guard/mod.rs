//! The guards, in the order of the road. Each is one file of one shape: what it proves, when it refuses, its evidence.

mod read;
mod identify;
mod validate;
mod authorise;
mod consent;
mod limit;
mod record;
mod forward;
mod state;
mod inspect;
mod listing;
mod release;

pub use authorise::{Authorised, Permit, authorise};
pub use consent::{Consented, consent};
pub use forward::{Flight, Outbound, Reply, forward};
pub use identify::{Identified, identify};
pub use inspect::{Inspected, inspect};
pub use limit::{Admitted, LimitSettings, Limiter, admit};
pub use read::{Arrival, Mirrored, Seen, Turn, read};
pub use record::{Recorded, record};
pub use release::{Released, release};
pub use validate::{Message, Target, Validated, client_of, validate};

pub(crate) use forward::{Arrived, send};
pub(crate) use identify::{recognise, stands, still_stands};
pub(crate) use inspect::{Interim, inspect_interim};
pub(crate) use limit::Notes;
pub(crate) use record::record_event;
pub(crate) use release::{release_interim, release_nothing, release_refusal};
pub(crate) use state::UsedStates;
pub(crate) use validate::no_session;
