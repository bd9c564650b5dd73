//! How the tokens of well-known providers differ from RFC 9068.
//!
//! For: one table that says where each provider puts what. Each row is held by a fixture in the tests.
//! Must never: weaken a check of signature, issuer, audience or time.

/// A provider whose tokens are not those of RFC 9068 to the letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preset {
    /// RFC 9068.
    Standard,
    /// Microsoft Entra ID, issuer of one tenant, tokens of version 2.
    Entra,
    /// Okta, custom authorization server.
    Okta,
    /// Keycloak.
    Keycloak,
    /// Auth0, both profiles of access tokens.
    Auth0,
}

/// Where a provider puts what.
#[derive(Debug)]
pub(crate) struct Quirks {
    /// Claims that name the client, in this order.
    pub(crate) client: &'static [&'static str],
    /// True if a token without a client is no access token of this provider.
    pub(crate) needs_client: bool,
    /// Claims with scopes: a text with spaces between them, or a list.
    pub(crate) scopes: &'static [&'static str],
    /// Claims with groups and roles, by their path.
    pub(crate) groups: &'static [&'static [&'static str]],
    /// Values of the header `typ` beside `at+jwt`; the empty one stands for none.
    pub(crate) types: &'static [&'static str],
    /// What the claim `typ` must say in tokens whose header does not say `at+jwt`.
    pub(crate) typ_claim: Option<&'static [&'static str]>,
    /// Claims that only tokens for other purposes have, in tokens whose header does not say `at+jwt`.
    pub(crate) foreign: &'static [&'static str],
}

/// What ID tokens (OpenID Connect Core 1.0 §2) and logout tokens have and access tokens have not.
const OF_OTHERS: &[&str] = &["nonce", "at_hash", "c_hash", "s_hash", "events"];

const STANDARD: Quirks = Quirks {
    client: &["client_id"],
    needs_client: false,
    scopes: &["scope"],
    groups: &[&["groups"], &["roles"]],
    types: &[],
    typ_claim: None,
    foreign: OF_OTHERS,
};
const ENTRA: Quirks = Quirks {
    client: &["azp", "appid"],
    needs_client: true,
    scopes: &["scp"],
    groups: &[&["roles"], &["groups"]],
    types: &["jwt"],
    ..STANDARD
};
const OKTA: Quirks = Quirks {
    client: &["cid"],
    needs_client: true,
    scopes: &["scp"],
    groups: &[&["groups"]],
    // Custom authorization servers send no `typ`.
    types: &["jwt", ""],
    ..STANDARD
};
const KEYCLOAK: Quirks = Quirks {
    client: &["azp", "client_id"],
    needs_client: true,
    groups: &[&["realm_access", "roles"], &["groups"]],
    types: &["jwt"],
    // It says in the claims what a token is for; older ones have `nonce` in access tokens too.
    typ_claim: Some(&["Bearer", "DPoP"]),
    foreign: &["at_hash", "c_hash", "s_hash", "events"],
    ..STANDARD
};
const AUTH0: Quirks = Quirks {
    client: &["azp", "client_id"],
    needs_client: true,
    scopes: &["scope", "permissions"],
    groups: &[],
    types: &["jwt"],
    ..STANDARD
};

impl Preset {
    /// All of them, for generated tables.
    pub const ALL: [Self; 5] = [Self::Standard, Self::Entra, Self::Okta, Self::Keycloak, Self::Auth0];

    /// The word for configurations.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::Entra => "entra",
            Self::Okta => "okta",
            Self::Keycloak => "keycloak",
            Self::Auth0 => "auth0",
        }
    }

    /// Finds one by its word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|preset| preset.as_str() == word)
    }

    pub(crate) const fn quirks(self) -> &'static Quirks {
        match self {
            Self::Standard => &STANDARD,
            Self::Entra => &ENTRA,
            Self::Okta => &OKTA,
            Self::Keycloak => &KEYCLOAK,
            Self::Auth0 => &AUTH0,
        }
    }

    /// Says what is wrong with an issuer of this provider.
    pub(crate) fn check(self, issuer: &str) -> Result<(), &'static str> {
        let parts: Vec<&str> = issuer.split('/').collect();
        match self {
            Self::Entra => {
                // For these the metadata names a template instead of an issuer, and every tenant would be let in.
                let of_all = ["common", "organizations", "consumers", "{tenantid}"];
                if parts.iter().any(|part| of_all.contains(part)) {
                    return Err("name your own tenant: `https://login.microsoftonline.com/TENANT-ID/v2.0`");
                }
                if parts.last() != Some(&"v2.0") {
                    return Err("it is the issuer of version 2 that ends in `/v2.0`");
                }
                Ok(())
            }
            Self::Auth0 if !issuer.ends_with('/') => Err("Auth0's issuers end in `/`, and tokens say it so"),
            Self::Keycloak if !parts.contains(&"realms") => Err("Keycloak's issuers end in `/realms/REALM`"),
            Self::Standard | Self::Okta | Self::Auth0 | Self::Keycloak => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issuer_that_cannot_be_the_providers_is_refused() {
        for (preset, issuer, is_right) in [
            (Preset::Entra, "https://login.microsoftonline.com/9f1c0000-0000-0000-0000-000000000000/v2.0", true),
            (Preset::Entra, "https://login.microsoftonline.com/common/v2.0", false),
            (Preset::Entra, "https://login.microsoftonline.com/{tenantid}/v2.0", false),
            (Preset::Entra, "https://sts.windows.net/9f1c0000-0000-0000-0000-000000000000/", false),
            (Preset::Auth0, "https://corp.auth0.com/", true),
            (Preset::Auth0, "https://corp.auth0.com", false),
            (Preset::Keycloak, "https://id.test/realms/corp", true),
            (Preset::Keycloak, "https://id.test/corp", false),
            (Preset::Okta, "https://corp.okta.com/oauth2/default", true),
        ] {
            assert_eq!(preset.check(issuer).is_ok(), is_right, "{preset:?} {issuer}");
        }
        for preset in Preset::ALL {
            assert_eq!(Preset::parse(preset.as_str()), Some(preset));
        }
    }
}
