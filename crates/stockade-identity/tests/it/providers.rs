//! Tokens as well-known providers make them, each held by the preset of its provider.

use crate::world::{Key, RESOURCE, START, Says, World, authenticator, by_token, check_of};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use stockade_core::identity::{Identity, IdentityError};
use stockade_identity::{CallerClaim, IssuerName, IssuerSettings, Preset, Settings};

/// What a provider's tokens look like, and what is read out of one.
struct Provider {
    preset: Preset,
    issuer: &'static str,
    /// The header without algorithm and key.
    header: Value,
    access: Value,
    /// An ID token for a client whose id the operator has, wrongly, made an audience of ours.
    id: Value,
    client: &'static str,
    scopes: &'static [&'static str],
    groups: &'static [&'static str],
}

const TENANT: &str = "https://login.microsoftonline.com/9f1c0000-0000-0000-0000-000000000000/v2.0";
const CLIENT_ID: &str = "11111111-2222-3333-4444-555555555555";

fn providers() -> Vec<Provider> {
    let (iat, exp) = (START, START + 3600);
    let object = "aaaa0000-0000-0000-0000-000000000000";
    vec![
        Provider {
            preset: Preset::Entra,
            issuer: TENANT,
            header: json!({ "typ": "JWT" }),
            access: json!({ "aud": CLIENT_ID, "iss": TENANT, "iat": iat, "nbf": iat, "exp": exp, "aio": "x", "azp": "cli",
                "azpacr": "0", "name": "Alice", "oid": object, "preferred_username": "alice@corp.test", "rh": "x",
                "roles": ["Operator"], "scp": "Files.Read Files.Write", "sub": "pairwise", "uti": "x", "ver": "2.0",
                "tid": "9f1c0000-0000-0000-0000-000000000000" }),
            id: json!({ "aud": CLIENT_ID, "iss": TENANT, "iat": iat, "nbf": iat, "exp": exp, "sub": "pairwise", "oid": object,
                "roles": ["Operator"], "ver": "2.0" }),
            client: "cli",
            scopes: &["Files.Read", "Files.Write"],
            groups: &["Operator"],
        },
        Provider {
            preset: Preset::Okta,
            issuer: "https://corp.okta.com/oauth2/default",
            header: json!({}),
            access: json!({ "ver": 1, "jti": "AT.x", "iss": "https://corp.okta.com/oauth2/default", "aud": RESOURCE,
                "sub": "alice@corp.test", "iat": iat, "exp": exp, "cid": "cli", "uid": "00u1", "scp": ["files:read", "openid"],
                "groups": ["Everyone", "Ops"], "auth_time": iat }),
            id: json!({ "ver": 1, "jti": "ID.x", "iss": "https://corp.okta.com/oauth2/default", "aud": CLIENT_ID, "sub": "00u1",
                "iat": iat, "exp": exp, "amr": ["pwd"], "at_hash": "x" }),
            client: "cli",
            scopes: &["files:read", "openid"],
            groups: &["Everyone", "Ops"],
        },
        Provider {
            preset: Preset::Keycloak,
            issuer: "https://id.test/realms/corp",
            header: json!({ "typ": "JWT" }),
            access: json!({ "exp": exp, "iat": iat, "auth_time": iat, "jti": "k1", "iss": "https://id.test/realms/corp",
                "aud": [RESOURCE, "account"], "sub": "f0f0", "typ": "Bearer", "azp": "cli", "nonce": "n", "sid": "s",
                "realm_access": { "roles": ["offline_access", "ops"] }, "scope": "openid files:read",
                "preferred_username": "alice" }),
            id: json!({ "exp": exp, "iat": iat, "jti": "k2", "iss": "https://id.test/realms/corp", "aud": CLIENT_ID,
                "sub": "f0f0", "typ": "ID", "azp": CLIENT_ID }),
            client: "cli",
            scopes: &["files:read", "openid"],
            groups: &["offline_access", "ops"],
        },
        Provider {
            preset: Preset::Auth0,
            issuer: "https://corp.auth0.com/",
            header: json!({ "typ": "JWT" }),
            access: json!({ "iss": "https://corp.auth0.com/", "sub": "auth0|1", "aud": [RESOURCE, "https://corp.auth0.com/userinfo"],
                "azp": "cli", "iat": iat, "exp": exp, "scope": "openid files:read", "permissions": ["files:write"] }),
            id: json!({ "iss": "https://corp.auth0.com/", "sub": "auth0|1", "aud": CLIENT_ID, "iat": iat, "exp": exp,
                "nickname": "alice", "sid": "s" }),
            client: "cli",
            scopes: &["files:read", "files:write", "openid"],
            groups: &[],
        },
    ]
}

impl Provider {
    fn show(
        &self,
        claims: &Value,
        preset: Preset,
        change: impl FnOnce(&mut IssuerSettings),
    ) -> Result<Identity, IdentityError> {
        let (world, key) = (World::new(), Key::rsa("k", "RS256"));
        let mut settings = Settings::nobody(RESOURCE, "test");
        let mut issuer = IssuerSettings::new(IssuerName::parse("corp").unwrap(), self.issuer);
        (issuer.preset, issuer.audiences) = (preset, vec![CLIENT_ID.to_owned()]);
        change(&mut issuer);
        settings.issuers = vec![issuer];
        let metadata = json!({ "issuer": self.issuer, "jwks_uri": "https://keys.test/jwks" });
        let place = format!("{}/.well-known/openid-configuration", self.issuer.trim_end_matches('/'));
        world.says(&place, Says::Json(metadata));
        world.says("https://keys.test/jwks", Says::Json(json!({ "keys": [key.public] })));
        let mut header = self.header.clone();
        (header["alg"], header["kid"]) = (json!("RS256"), json!("k"));
        by_token(&authenticator(&world, settings), &key.token_with(&header, claims))
    }
}

#[test]
fn access_tokens_of_each_provider_are_read_by_its_preset() {
    for provider in providers() {
        let identity = provider.show(&provider.access, provider.preset, |_| {}).unwrap();
        let word = provider.preset.as_str();
        assert_eq!(identity.caller.origin.as_ref().unwrap().client, provider.client, "{word}");
        let scopes: BTreeSet<String> = provider.scopes.iter().map(|scope| (*scope).to_owned()).collect();
        assert_eq!(identity.standing.scopes, Some(scopes), "{word}");
        assert_eq!(identity.standing.groups, provider.groups, "{word}");
    }
}

#[test]
fn id_tokens_of_each_provider_are_refused() {
    for provider in providers() {
        let refused = check_of(provider.show(&provider.id, provider.preset, |_| {}));
        assert!(["type", "client"].contains(&refused), "{}: {refused}", provider.preset.as_str());
    }
}

#[test]
fn no_token_is_taken_by_the_standard_without_its_preset() {
    for provider in providers() {
        assert_eq!(check_of(provider.show(&provider.access, Preset::Standard, |_| {})), "type");
    }
}

#[test]
fn names_of_callers_are_whole_and_chosen_by_the_operator() {
    let providers = providers();
    let named = |at: usize, claim: CallerClaim| {
        let provider: &Provider = &providers[at];
        let shown = provider.show(&provider.access, provider.preset, |issuer| issuer.caller_claim = claim);
        shown.map(|identity| identity.caller.name.to_string())
    };
    assert_eq!(named(0, CallerClaim::Subject).unwrap(), "corp:pairwise");
    assert_eq!(named(0, CallerClaim::ObjectId).unwrap(), "corp:aaaa0000-0000-0000-0000-000000000000");
    assert_eq!(named(1, CallerClaim::Subject).unwrap(), "corp:alice@corp.test");
    assert_eq!(named(3, CallerClaim::Subject).unwrap(), "corp:auth0|1");
    assert_eq!(named(3, CallerClaim::Client).unwrap(), "corp:cli");
    // No provider here has verified the address.
    assert!(matches!(named(0, CallerClaim::VerifiedEmail), Err(IdentityError::Rejected { check: "caller", .. })));
}

#[test]
fn tokens_of_auth0s_standard_profile_are_taken_too() {
    let provider = providers().remove(3);
    let mut claims = provider.access.clone();
    let members = claims.as_object_mut().unwrap();
    members.remove("azp");
    members.insert("client_id".to_owned(), json!("cli"));
    members.insert("jti".to_owned(), json!("1"));
    let provider = Provider { header: json!({ "typ": "at+jwt" }), ..provider };
    assert!(provider.show(&claims, Preset::Auth0, |_| {}).is_ok());
}
