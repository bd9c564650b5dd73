//! `[identity]`, `[[issuers]]` and `[[certificates]]` once they were checked, and the settings that are made of them.
//!
//! Must never: hold a secret; the files of secrets are read when the gateway starts.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;
use stockade_core::identity::CertificateName;
use stockade_core::words::{CallerName, Secret};
use stockade_gateway::{FetchSettings, ListedHost};
use stockade_identity::{
    Algorithm, CallerClaim, DpopSettings, IntrospectionSettings, IssuerName, IssuerSettings, KeyLocation, Preset,
    Settings, ThrottleSettings,
};

/// Who is recognised by tokens and certificates.
#[derive(Debug, Clone)]
pub struct IdentityConfig {
    /// `skew`.
    pub skew: Duration,
    /// `max_lifetime`.
    pub max_lifetime: Duration,
    /// `dpop`, `dpop_window` and `dpop_nonce`.
    pub dpop: DpopSettings,
    /// `wrong_per_minute`.
    pub throttle: ThrottleSettings,
    /// `remembered_tokens`.
    pub remembered_tokens: usize,
    /// `implied_scopes`.
    pub implied_scopes: BTreeMap<String, Vec<String>>,
    /// `[[issuers]]`, in the order of the file.
    pub issuers: Vec<IssuerConfig>,
    /// `[[certificates]]`.
    pub certificates: BTreeMap<CertificateName, CallerName>,
}

/// One of `[[issuers]]`.
#[derive(Debug, Clone)]
pub struct IssuerConfig {
    /// `name`.
    pub name: IssuerName,
    /// `issuer`.
    pub issuer: String,
    /// `preset`.
    pub preset: Preset,
    /// `keys` and `jwks_uri`.
    pub keys: Option<KeyLocation>,
    /// `algorithms`.
    pub algorithms: Vec<Algorithm>,
    /// `audiences`.
    pub audiences: Vec<String>,
    /// `accept_typ_jwt`.
    pub accept_typ_jwt: bool,
    /// `caller`.
    pub caller_claim: CallerClaim,
    /// `scopes`.
    pub scopes: BTreeMap<String, Vec<String>>,
    /// `refresh_interval`, `refresh_period` and `max_stale`.
    pub refresh: [Duration; 3],
    /// Where opaque tokens are asked about.
    pub introspection: Option<IntrospectionConfig>,
    /// `ca`, absolute.
    pub authorities: Option<PathBuf>,
    /// `allow_private`.
    pub allow_private: bool,
}

/// Where opaque tokens are asked about.
#[derive(Debug, Clone)]
pub struct IntrospectionConfig {
    /// `introspection_url`.
    pub url: String,
    /// `introspection_client_id`.
    pub client_id: String,
    /// `introspection_secret_file`, absolute.
    pub secret_file: PathBuf,
    /// `introspection_remember`.
    pub remember: Duration,
}

impl IdentityConfig {
    /// The settings of the authenticator. `resource` is the gateway's canonical URI; `read_secret` reads a file of a secret.
    ///
    /// # Errors
    /// Those of `read_secret`.
    pub fn settings<E>(
        &self,
        resource: &str,
        environment: &str,
        mut read_secret: impl FnMut(&Path) -> Result<Secret, E>,
    ) -> Result<Settings, E> {
        let issuers = self.issuers.iter().map(|issuer| issuer.settings(&mut read_secret));
        Ok(Settings {
            skew: self.skew,
            max_lifetime: self.max_lifetime,
            dpop: self.dpop.clone(),
            issuers: issuers.collect::<Result<_, _>>()?,
            certificates: self.certificates.clone(),
            implied_scopes: self.implied_scopes.clone(),
            throttle: self.throttle,
            remembered_tokens: self.remembered_tokens,
            ..Settings::nobody(resource, environment)
        })
    }
}

impl IssuerConfig {
    fn settings<E>(&self, read_secret: &mut impl FnMut(&Path) -> Result<Secret, E>) -> Result<IssuerSettings, E> {
        let introspection = match &self.introspection {
            None => None,
            Some(introspection) => Some(IntrospectionSettings {
                url: introspection.url.clone(),
                client_id: introspection.client_id.clone(),
                client_secret: read_secret(&introspection.secret_file)?,
                remember: introspection.remember,
            }),
        };
        let [refresh_interval, refresh_period, max_stale] = self.refresh;
        Ok(IssuerSettings {
            name: self.name.clone(),
            issuer: self.issuer.clone(),
            preset: self.preset,
            keys: self.keys.clone(),
            introspection,
            algorithms: self.algorithms.clone(),
            audiences: self.audiences.clone(),
            accept_typ_jwt: self.accept_typ_jwt,
            caller_claim: self.caller_claim,
            scopes: self.scopes.clone(),
            refresh_interval,
            refresh_period,
            max_stale,
        })
    }

    /// How its documents are fetched. Hosts are listed only if the operator wrote them and allowed them to be private.
    #[must_use]
    pub fn fetch_settings(&self) -> FetchSettings {
        let address = match &self.keys {
            Some(KeyLocation::Address(address)) => Some(address),
            Some(KeyLocation::Discovery) | None => None,
        };
        let written = [Some(&self.issuer), address, self.introspection.as_ref().map(|asked| &asked.url)];
        let listed = written.into_iter().flatten().filter(|_| self.allow_private);
        let listed: BTreeSet<ListedHost> = listed.filter_map(|url| ListedHost::of_url(url)).collect();
        FetchSettings { authorities: self.authorities.clone(), listed }
    }
}
