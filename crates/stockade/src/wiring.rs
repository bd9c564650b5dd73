//! Puts the parts together: the one place that knows them all. Decides nothing.

use crate::authentication::{self, AuthenticationError, AuthenticationPlan};
use crate::identities::KeysOnly;
use crate::operator_record::{OperatorRecord, open_for_gateway};
use crate::sign_in::SignInSite;
use crate::upkeep::Upkeep;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use stockade_audit::{AuditLog, AuditOptions, OpenReport};
use stockade_core::guard::LimitSettings;
use stockade_core::mcp::Revision;
use stockade_core::pipeline::{Ports, Road, Settings};
use stockade_core::ports::{Clock, Identities, Policy, Seals};
use stockade_core::wire::WireLimits;
use stockade_core::words::{Caller, ServerName};
use stockade_gateway::{
    ChildLimits, HttpDoor, HttpSettings, Hub, ResourceMetadata, ResourceSite, ServerSpec, Servers, SessionLimits,
    SessionTable, Site, SystemClock,
};
use stockade_policy::{CedarPolicy, PolicyErrors, ReloadablePolicy, Sources};
use stockade_store::{ApiKeys, DataFolder, KeyRing, KeyRules, OperatorEvents, OsEntropy, RevocationList, State};
use tokio::task::JoinHandle;

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
    /// What is asked of API keys.
    pub(crate) keys: KeyRules,
    /// Who is recognised by tokens and certificates, and who issues; nothing where no door takes either.
    pub(crate) authentication: Option<AuthenticationPlan>,
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
    /// The state cannot be used.
    #[error("the state in the data folder cannot be used")]
    State(#[source] stockade_store::StateError),
    /// The API keys cannot be used.
    #[error("the API keys in the data folder cannot be used")]
    ApiKeys(#[source] stockade_store::ApiKeysError),
    /// Recognising by tokens and certificates cannot be put together.
    #[error("callers cannot be recognised")]
    Authentication(#[source] AuthenticationError),
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
    upkeep: Arc<Upkeep>,
    keeping: JoinHandle<()>,
    /// Fetches the keys of issuers.
    fetching: Option<JoinHandle<()>>,
    /// The embedded authorization server's pages.
    sign_in: Option<Arc<dyn Site>>,
    /// The issuers that clients may be sent to.
    pub(crate) authorization_servers: Vec<String>,
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
        let state = State::open(&folder, clock.clone()).map_err(WiringError::State)?;
        let api_keys = Arc::new(ApiKeys::open(&state, &keys, plan.keys).map_err(WiringError::ApiKeys)?);
        let revocations = Arc::new(RevocationList::open(&state).map_err(WiringError::State)?);
        let options = AuditOptions::new(folder.audit(), clock.wall());
        let (audit, opened) = open_for_gateway(&options).map_err(WiringError::Audit)?;
        let audit = Arc::new(audit);
        let events = Arc::new(OperatorEvents::open(&state).map_err(WiringError::State)?);
        let record = OperatorRecord::new(events, Arc::clone(&audit), folder.audit());
        let upkeep = Arc::new(Upkeep { keys: Arc::clone(&api_keys), record });
        let entropy = Arc::new(OsEntropy);
        let seals: Arc<dyn Seals> = Arc::new(keys.sealing_key());
        let sessions = Arc::new(SessionTable::new(entropy.clone(), Arc::clone(&seals), clock.clone(), plan.sessions));
        let hub = Hub::new(Arc::clone(&sessions));
        let servers = Servers::new(&hub, plan.servers, Arc::clone(&seals), plan.wire.within_ceilings(), plan.children);
        let (mut sign_in, mut fetching) = (None, None);
        let mut authorization_servers = Vec::new();
        let identities: Arc<dyn Identities> = match &plan.authentication {
            None => Arc::new(KeysOnly::new(Arc::clone(&api_keys), revocations)),
            Some(plan) => {
                let clock: Arc<dyn Clock> = clock.clone();
                let built = authentication::build(plan, &folder, &keys, &clock, &api_keys, &revocations)
                    .map_err(WiringError::Authentication)?;
                sign_in = built.issuer.map(|issuer| Arc::new(SignInSite::new(issuer)) as Arc<dyn Site>);
                authorization_servers = built.authorization_servers;
                let authenticator = Arc::clone(&built.authenticator);
                fetching = Some(tokio::spawn(async move { authenticator.keep().await }));
                built.authenticator
            }
        };
        let ports = Ports {
            clock: clock.clone(),
            entropy,
            identities,
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
        let keeping = tokio::spawn(Arc::clone(&upkeep).run());
        Ok(Self {
            road,
            hub,
            api_keys,
            upkeep,
            keeping,
            fetching,
            sign_in,
            authorization_servers,
            audit,
            opened,
            clock,
            folder,
        })
    }

    /// A door for `port`.
    pub(crate) fn http_door(&self, port: u16, settings: HttpSettings, servers: &[ServerName]) -> Arc<HttpDoor> {
        let metadata = ResourceMetadata {
            resource: settings.resource.clone(),
            authorization_servers: self.authorization_servers.clone(),
            scopes: settings.scopes.clone(),
            requires_dpop: settings.requires_dpop,
            servers: servers.to_vec(),
        };
        let metadata = ResourceSite::new(metadata).map(|site| Arc::new(site) as Arc<dyn Site>);
        let sites: Vec<_> = metadata.into_iter().chain(self.sign_in.clone()).collect();
        HttpDoor::new(Arc::clone(&self.road), Arc::clone(&self.hub), port, settings, sites)
    }

    /// Ends sessions, children and the record, in this order, so that every outcome is written.
    pub(crate) async fn close(self) {
        self.hub.close().await;
        self.keeping.abort();
        if let Some(fetching) = &self.fetching {
            fetching.abort();
        }
        self.upkeep.close().await;
        // Tickets that were dropped by the end of their sessions have handed over their outcomes by now.
        tokio::time::sleep(Duration::from_millis(1)).await;
        if let Err(error) = self.audit.close() {
            tracing::error!(%error, "the last records could not be written");
        }
    }
}
