//! Puts together who recognises callers: keys, tokens and certificates, and the embedded authorization server where one is
//! wanted.
//!
//! Must never: decide about a credential; the authenticator does.

use crate::config::IdentityConfig;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use stockade_core::identity::IdentityError;
use stockade_core::ports::{Clock, Entropy, PortFuture};
use stockade_core::words::{ServerName, Untrusted};
use stockade_gateway::{FetchSettings, FetchedAnswer, GuardedFetchError, GuardedFetcher};
use stockade_identity::{
    Authenticator, Fetch, FetchError, Fetched, Form, IssuerName, KeyLocation, Parts, Revocations, Revoked,
};
use stockade_issuer::{
    DocumentUrl, FamilyId, FetchedDocument, Happening, Issuer, IssuerEvent, IssuerPorts, IssuerSettings, KEY_SET_LIFE,
    Offer, RawSettings, TokenId, TokenReference, Witness,
};
use stockade_store::{
    ApiKeys, DataFolder, IssuerDatabase, KeyRing, LiveRevocations, OsEntropy, ReplayDatabase, RevocationList,
    SecretUse, read_secret_file,
};

/// What the embedded authorization server is called among the issuers, and the first part of its callers' names.
pub(crate) const LOCAL: &str = "local";
/// Where it publishes its keys.
const KEYS_PATH: &str = "/jwks.json";

/// What the operator has settled about recognising callers.
#[derive(Debug, Clone)]
pub(crate) struct AuthenticationPlan {
    /// `[identity]`, `[[issuers]]`, `[[certificates]]`.
    pub(crate) identity: IdentityConfig,
    /// The canonical URI of the gateway.
    pub(crate) resource: String,
    /// What keys and tokens are made for.
    pub(crate) environment: String,
    /// The embedded authorization server, where it is wanted.
    pub(crate) sign_in: Option<SignInPlan>,
}

/// What the operator has settled about signing in.
#[derive(Debug, Clone)]
pub(crate) struct SignInPlan {
    /// Whether clients may register themselves (RFC 7591).
    pub(crate) registers: bool,
    /// Origins whose scripts may ask for tokens.
    pub(crate) origins: Vec<String>,
    /// The servers that have a resource of their own.
    pub(crate) servers: Vec<ServerName>,
}

/// Why it could not be put together.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AuthenticationError {
    /// A secret's file cannot be used.
    #[error("a secret of `[[issuers]]` cannot be used")]
    Secret(#[source] stockade_store::SecretFileError),
    /// The settings do not go together.
    #[error("the settings of `[identity]` and `[[issuers]]` cannot be used")]
    Settings(#[source] stockade_identity::SettingsError),
    /// The register of proofs cannot be opened.
    #[error("the register of proofs in the data folder cannot be used")]
    Replay(#[source] stockade_store::ReplayError),
    /// The authorization server's database cannot be opened.
    #[error("the database of the authorization server cannot be used")]
    IssuerStore(#[source] stockade_store::IssuerDatabaseError),
    /// Its settings do not go together.
    #[error("`[sign_in]` cannot be used with this `gateway.resource`")]
    Issuer(#[source] stockade_issuer::SettingsError),
    /// Its signing keys cannot be used.
    #[error("the signing keys of the authorization server cannot be used")]
    SigningKeys(#[source] stockade_issuer::SigningKeyError),
}

/// Who recognises, and who issues.
pub(crate) struct Authentication {
    /// Recognises callers.
    pub(crate) authenticator: Arc<Authenticator>,
    /// The embedded authorization server.
    pub(crate) issuer: Option<Arc<Issuer>>,
    /// The issuers that clients may be sent to.
    pub(crate) authorization_servers: Vec<String>,
}

/// Puts it together.
///
/// # Errors
/// The first part that cannot be used.
pub(crate) fn build(
    plan: &AuthenticationPlan,
    folder: &DataFolder,
    ring: &KeyRing,
    clock: &Arc<dyn Clock>,
    keys: &Arc<ApiKeys>,
    revocations: &Arc<RevocationList>,
) -> Result<Authentication, AuthenticationError> {
    let read = |path: &Path| read_secret_file(path, SecretUse::Given).map_err(AuthenticationError::Secret);
    let mut settings = plan.identity.settings(&plan.resource, &plan.environment, read)?;
    let mut fetchers: BTreeMap<IssuerName, Arc<dyn Fetch>> = BTreeMap::new();
    for issuer in &plan.identity.issuers {
        fetchers.insert(issuer.name.clone(), Arc::new(Documents(GuardedFetcher::new(issuer.fetch_settings()))));
    }
    let mut authorization_servers: Vec<_> = settings.issuers.iter().map(|issuer| issuer.issuer.clone()).collect();
    let issuer = match &plan.sign_in {
        None => None,
        Some(sign_in) => {
            let issuer = Arc::new(own_issuer(plan, sign_in, folder, ring, clock)?);
            let name = IssuerName::parse(LOCAL).map_err(AuthenticationError::Settings)?;
            let address = origin_of(&plan.resource);
            let mut own = stockade_identity::IssuerSettings::new(name.clone(), address.clone());
            own.keys = Some(KeyLocation::Address(format!("{address}{KEYS_PATH}")));
            settings.issuers.push(own);
            fetchers.insert(name, Arc::new(OwnKeys(Arc::clone(&issuer))));
            authorization_servers.push(address);
            Some(issuer)
        }
    };
    let parts = Parts {
        clock: Arc::clone(clock),
        keys: Arc::clone(keys) as _,
        revocations: Arc::new(AllRevocations {
            listed: LiveRevocations::new(Arc::clone(keys), Arc::clone(revocations)),
            own: issuer.clone().map(|issuer| (origin_of(&plan.resource), issuer)),
        }),
        replays: Arc::new(ReplayDatabase::open(folder, Arc::clone(clock)).map_err(AuthenticationError::Replay)?),
        fetchers,
        nonce_key: ring.nonce_key(),
    };
    let authenticator = Authenticator::new(settings, parts).map_err(AuthenticationError::Settings)?;
    Ok(Authentication { authenticator: Arc::new(authenticator), issuer, authorization_servers })
}

fn own_issuer(
    plan: &AuthenticationPlan,
    sign_in: &SignInPlan,
    folder: &DataFolder,
    ring: &KeyRing,
    clock: &Arc<dyn Clock>,
) -> Result<Issuer, AuthenticationError> {
    let mut raw = RawSettings::new(&origin_of(&plan.resource), &plan.environment, &plan.resource);
    raw.resources.extend(sign_in.servers.iter().map(|server| format!("{}/{server}", plan.resource)));
    raw.origins.clone_from(&sign_in.origins);
    raw.registration = if sign_in.registers { Offer::Open } else { Offer::Closed };
    let settings = IssuerSettings::check(raw).map_err(AuthenticationError::Issuer)?;
    let store = IssuerDatabase::open(folder, ring).map_err(AuthenticationError::IssuerStore)?;
    let ports = IssuerPorts {
        store: Arc::new(store),
        clock: Arc::clone(clock),
        entropy: Arc::new(OsEntropy) as Arc<dyn Entropy>,
        fetch: Arc::new(Documents(GuardedFetcher::new(FetchSettings::default()))),
        witness: Arc::new(Journal),
    };
    Issuer::new(settings, ports).map_err(AuthenticationError::SigningKeys)
}

/// Scheme and authority of a URI.
pub(crate) fn origin_of(uri: &str) -> String {
    let start = uri.find("://").map_or(0, |at| at + 3);
    let end = uri.get(start..).and_then(|rest| rest.find('/')).map_or(uri.len(), |at| start + at);
    uri.get(..end).unwrap_or(uri).to_owned()
}

/// The guarded fetcher, in the words of those who ask it.
struct Documents(GuardedFetcher);

impl Fetch for Documents {
    fn get<'a>(&'a self, url: &'a str, body_bytes: usize) -> PortFuture<'a, Result<Fetched, FetchError>> {
        Box::pin(async move { self.0.get(url, body_bytes).await.map(fetched).map_err(refused) })
    }

    fn post_form<'a>(
        &'a self,
        url: &'a str,
        form: Form,
        body_bytes: usize,
    ) -> PortFuture<'a, Result<Fetched, FetchError>> {
        Box::pin(async move {
            let Form { authorization, body } = form;
            self.0.post_form(url, &authorization, &body, body_bytes).await.map(fetched).map_err(refused)
        })
    }
}

fn fetched(answer: FetchedAnswer) -> Fetched {
    let FetchedAnswer { status, content_type, body, max_age } = answer;
    Fetched { status, content_type, body, max_age }
}

fn refused(error: GuardedFetchError) -> FetchError {
    match error {
        GuardedFetchError::Refused { .. } => FetchError::Refused { reason: error.to_string() },
        GuardedFetchError::TimedOut { limit, .. } => FetchError::TimedOut { limit },
        GuardedFetchError::TooLarge { limit, .. } => FetchError::TooLarge { limit },
        GuardedFetchError::Unreachable { .. } => FetchError::Unreachable { reason: error.to_string() },
    }
}

impl stockade_issuer::Fetch for Documents {
    fn fetch<'a>(
        &'a self,
        url: &'a DocumentUrl,
        limit: usize,
    ) -> PortFuture<'a, Result<FetchedDocument, stockade_issuer::FetchError>> {
        use stockade_issuer::FetchError as Refusal;
        Box::pin(async move {
            let answer = self.0.get_directly(url.as_str(), limit).await.map_err(|error| match error {
                GuardedFetchError::Refused { .. } => Refusal::Forbidden { reason: error.to_string() },
                GuardedFetchError::TooLarge { .. } => Refusal::TooLarge,
                other => Refusal::Unavailable { reason: other.to_string() },
            })?;
            if answer.status != 200 {
                return Err(Refusal::Unavailable { reason: format!("HTTP status {}", answer.status) });
            }
            let FetchedAnswer { content_type, body, max_age, .. } = answer;
            Ok(FetchedDocument { body, content_type, max_age })
        })
    }
}

/// The keys of the authorization server in this very process, without a way over the network.
struct OwnKeys(Arc<Issuer>);

impl Fetch for OwnKeys {
    fn get<'a>(&'a self, url: &'a str, _: usize) -> PortFuture<'a, Result<Fetched, FetchError>> {
        let keys = self.0.key_set().map_err(|error| FetchError::Unreachable { reason: error.to_string() });
        let found = match keys {
            Ok(keys) if url.ends_with(KEYS_PATH) => Ok(Fetched {
                status: 200,
                content_type: Some("application/json".to_owned()),
                body: Bytes::from(keys.to_string()),
                max_age: Some(KEY_SET_LIFE),
            }),
            Ok(_) => Err(FetchError::Refused { reason: "only its keys are asked for".to_owned() }),
            Err(error) => Err(error),
        };
        Box::pin(std::future::ready(found))
    }

    fn post_form<'a>(&'a self, _: &'a str, _: Form, _: usize) -> PortFuture<'a, Result<Fetched, FetchError>> {
        let reason = "the embedded authorization server is not asked about its tokens".to_owned();
        Box::pin(std::future::ready(Err(FetchError::Refused { reason })))
    }
}

/// What operators have revoked, and the sign-ins that the embedded authorization server has ended.
struct AllRevocations {
    listed: LiveRevocations,
    own: Option<(String, Arc<Issuer>)>,
}

impl Revocations for AllRevocations {
    fn is_revoked(&self, what: Revoked<'_>) -> Result<bool, IdentityError> {
        if let (Revoked::SignIn { issuer, subject, sign_in, jti }, Some((own, server))) = (what, &self.own)
            && issuer == own
        {
            let (token, family) = (jti.and_then(TokenId::parse), sign_in.and_then(FamilyId::parse));
            // Each of our tokens names both; one that does not is none of ours.
            let (Some(token), Some(family)) = (token, family) else { return Ok(true) };
            let reference = TokenReference { token: &token, family: &family, subject };
            return server
                .is_revoked(reference)
                .map_err(|error| IdentityError::Unavailable { reason: error.to_string() });
        }
        self.listed.is_revoked(what)
    }
}

/// Tells the operator what the authorization server does.
struct Journal;

impl Witness for Journal {
    fn see(&self, event: IssuerEvent) {
        let IssuerEvent { what, user, client, family: _, reason } = event;
        let user = user.as_ref().map(ToString::to_string);
        let client = client.map(|client| Untrusted::new(client.as_str().to_owned()).for_log());
        let words = what.as_str();
        match what {
            Happening::SignInFailed
            | Happening::SignInThrottled
            | Happening::CodeReplayed
            | Happening::RefreshReplayed
            | Happening::Failed => tracing::warn!(target: "stockade::sign_in", user, client, reason, "{words}"),
            _ => tracing::info!(target: "stockade::sign_in", user, client, reason, "{words}"),
        }
    }
}
