//! Puts the parts together: the one place that knows them all. Decides nothing.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use stockade_audit::{AuditLog, AuditOptions, OpenReport};
use stockade_core::guard::LimitSettings;
use stockade_core::mcp::Revision;
use stockade_core::pipeline::{Ports, Road, Settings};
use stockade_core::ports::{Clock, Identities, Policy, Seals};
use stockade_core::wire::WireLimits;
use stockade_core::words::Caller;
use stockade_gateway::{
    ChildLimits, HttpDoor, HttpSettings, Hub, ServerSpec, Servers, SessionLimits, SessionTable, SystemClock,
};
use stockade_policy::{CedarPolicy, PolicyErrors, ReloadablePolicy, Sources};
use stockade_store::{ApiKeys, DataFolder, KeyRing, OsEntropy};

/// Everything that the operator has settled, ready to be built.
pub(crate) struct Plan {
    /// The data folder.
    pub(crate) data: PathBuf,
    /// The servers.
    pub(crate) servers: Vec<ServerSpec>,
    /// The rules.
    pub(crate) rules: Sources,
    /// The strict reader's limits.
    pub(crate) wire: WireLimits,
    /// A caller's budgets.
    pub(crate) limits: LimitSettings,
    /// The oldest revision that is spoken.
    pub(crate) floor: Revision,
    /// The caller that shows nothing, in a sandbox.
    pub(crate) anonymous: Option<Caller>,
    /// The limits of sessions.
    pub(crate) sessions: SessionLimits,
    /// The limits of children.
    pub(crate) children: ChildLimits,
}

/// Why it could not be built. Each text says what to do, or has a cause that does.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WiringError {
    /// The data folder cannot be used.
    #[error("the data folder cannot be used")]
    Data(#[source] stockade_store::DataFolderError),
    /// The keys cannot be used.
    #[error("the keys in the data folder cannot be used")]
    Keys(#[source] stockade_store::KeyRingError),
    /// The API keys cannot be used.
    #[error("the API keys in the data folder cannot be used")]
    ApiKeys(#[source] stockade_store::ApiKeysError),
    /// The record cannot be opened. No audit, no action.
    #[error("the record cannot be opened, and nothing is done without it")]
    Audit(#[source] stockade_audit::OpenError),
    /// The rules are wrong.
    #[error("the rules cannot be used")]
    Rules(PolicyErrors),
}

/// A built gateway.
pub(crate) struct Gateway {
    /// The road.
    pub(crate) road: Arc<Road>,
    /// What doors and upstreams share.
    pub(crate) hub: Arc<Hub>,
    /// The API keys.
    pub(crate) api_keys: Arc<ApiKeys>,
    /// The record.
    pub(crate) audit: Arc<AuditLog>,
    /// What opening the record found.
    pub(crate) opened: OpenReport,
    /// The clock.
    pub(crate) clock: Arc<SystemClock>,
    /// The folder, locked while this lives.
    pub(crate) folder: DataFolder,
}

impl Gateway {
    /// Builds everything and connects it.
    ///
    /// # Errors
    /// The first part that cannot be built. Nothing listens then.
    pub(crate) fn build(plan: Plan) -> Result<Self, WiringError> {
        // The rules first: they need nothing, and what is wrong in them is the operator's to mend.
        let policy = CedarPolicy::load(&plan.rules).map_err(WiringError::Rules)?;
        let folder = DataFolder::open(&plan.data).map_err(WiringError::Data)?;
        let keys = KeyRing::open(&folder).map_err(WiringError::Keys)?;
        let clock = Arc::new(SystemClock::new());
        let api_keys = Arc::new(ApiKeys::open(&folder, &keys).map_err(WiringError::ApiKeys)?);
        let options = AuditOptions::new(folder.audit(), clock.wall());
        let (audit, opened) = AuditLog::open(options).map_err(WiringError::Audit)?;
        let audit = Arc::new(audit);
        let entropy = Arc::new(OsEntropy);
        let sessions = Arc::new(SessionTable::new(entropy.clone(), plan.sessions));
        let hub = Hub::new(Arc::clone(&sessions));
        let seals: Arc<dyn Seals> = Arc::new(keys.sealing_key());
        let servers = Servers::new(&hub, plan.servers, Arc::clone(&seals), plan.wire.within_ceilings(), plan.children);
        let ports = Ports {
            clock: clock.clone(),
            entropy,
            identities: Arc::clone(&api_keys) as Arc<dyn Identities>,
            policy: Arc::new(ReloadablePolicy::new(policy)) as Arc<dyn Policy>,
            record: audit.clone(),
            sessions,
            seals,
            catalogue: servers.clone(),
            upstreams: servers,
        };
        let settings = Settings { wire: plan.wire, limits: plan.limits, floor: plan.floor, anonymous: plan.anonymous };
        let road = Arc::new(Road::new(ports, settings));
        hub.connect(&road);
        Ok(Self { road, hub, api_keys, audit, opened, clock, folder })
    }

    /// A door for `port`.
    pub(crate) fn http_door(&self, port: u16, settings: HttpSettings) -> Arc<HttpDoor> {
        HttpDoor::new(Arc::clone(&self.road), Arc::clone(&self.hub), port, settings)
    }

    /// Ends sessions, children and the record, in this order, so that every outcome is written.
    pub(crate) async fn close(self) {
        self.hub.close().await;
        // Tickets that were dropped by the end of their sessions have handed over their outcomes by now.
        tokio::time::sleep(Duration::from_millis(1)).await;
        if let Err(error) = self.audit.close() {
            tracing::error!(%error, "the last records could not be written");
        }
    }
}
