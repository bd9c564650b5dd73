//! The token endpoint: a code or a refresh token becomes tokens (RFC 6749 §4.1.3, §6; OAuth 2.1; RFC 9700).
//!
//! Must never: say which part was wrong; give tokens for a code or refresh token that was seen before, not even a moment before:
//! there is no grace for retries, because a thief's retry looks the same.

use crate::access_token::{ACCESS_LIFE, mint};
use crate::authorize::reason_of;
use crate::client::ClientAuthentication;
use crate::event::{Happening, IssuerEvent};
use crate::form::{Form, decode};
use crate::http::{IssuerRequest, IssuerResponse};
use crate::issuer::Issuer;
use crate::signing_key::SigningKeyError;
use crate::store::{CodeTaken, FamilyRecord, IssuerStoreError, RefreshDigests, RefreshUsed};
use crate::words::{ClientId, Purpose, Renewal, Scopes, TokenId, random_128, random_256};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use zeroize::Zeroizing;

/// What refresh tokens begin with.
const REFRESH: &str = "str_";

/// Why there are no tokens. The code and description go out; the reason is the operator's.
pub(crate) struct TokenError {
    status: u16,
    error: &'static str,
    description: &'static str,
    event: Box<IssuerEvent>,
    challenge: Challenge,
}

/// Whether the client is told how to authenticate (RFC 6749 §5.2).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Challenge {
    Basic,
    None,
}

impl TokenError {
    fn new(error: &'static str, description: &'static str, reason: impl Into<String>) -> Self {
        let event = Box::new(IssuerEvent::new(Happening::Refused, format!("{error}: {}", reason.into())));
        Self { status: 400, error, description, event, challenge: Challenge::None }
    }

    pub(crate) fn request(reason: &'static str) -> Self {
        Self::new("invalid_request", reason, reason)
    }

    fn client(reason: impl Into<String>, challenge: Challenge) -> Self {
        let error = Self::new("invalid_client", "the client is not known or did not authenticate", reason);
        Self { status: 401, challenge, ..error }
    }

    /// One text for everything that can be wrong with a grant.
    fn grant(reason: impl Into<String>) -> Self {
        Self::new("invalid_grant", "the grant is not valid, has ended, or is not this client's", reason)
    }

    /// A grant that somebody has stolen.
    fn stolen(what: Happening, reason: &str, family: &crate::words::FamilyId) -> Self {
        let event = Box::new(IssuerEvent::new(what, reason).of(family));
        Self { event, ..Self::grant(reason) }
    }

    pub(crate) fn store(error: &IssuerStoreError) -> Self {
        Self::down(reason_of(error))
    }

    fn key(error: &SigningKeyError) -> Self {
        Self::down(reason_of(error))
    }

    fn down(reason: String) -> Self {
        let event = Box::new(IssuerEvent::new(Happening::Failed, reason));
        let base = Self::new("temporarily_unavailable", "tokens cannot be given at the moment", "");
        Self { status: 503, event, ..base }
    }

    fn by(self, client: &ClientId) -> Self {
        Self { event: Box::new(self.event.to(client)), ..self }
    }
}

impl Issuer {
    /// The client's answer to a refusal, and the operator's line.
    pub(crate) fn token_refused(&self, error: TokenError) -> IssuerResponse {
        let TokenError { status, error, description, event, challenge } = error;
        self.tell(*event);
        let response = IssuerResponse::json(status, &json!({ "error": error, "error_description": description }));
        match challenge {
            Challenge::Basic => response.with("www-authenticate", "Basic realm=\"token\""),
            Challenge::None => response,
        }
    }

    /// `POST /token`.
    pub(crate) fn token(&self, request: &IssuerRequest) -> IssuerResponse {
        let given = self.known_client(request).and_then(|(client, form)| {
            let given = match form.value("grant_type") {
                Some("authorization_code") => self.redeem_code(&client, &form),
                Some("refresh_token") => self.renew(&client, &form),
                Some(_) => Err(TokenError::new("unsupported_grant_type", "the grant type is not supported", "")),
                None => Err(TokenError::request("grant_type is missing")),
            };
            given.map_err(|error| error.by(&client))
        });
        given.unwrap_or_else(|error| self.token_refused(error))
    }

    /// Who asks, by the way they registered (RFC 6749 §2.3): by id alone if public, by its secret in one place if not.
    pub(crate) fn known_client(&self, request: &IssuerRequest) -> Result<(ClientId, Form), TokenError> {
        let form = Form::parse(&request.body).map_err(|_| TokenError::request("the body is not a well-formed form"))?;
        let basic = match &request.headers.authorization {
            None => None,
            Some(header) => {
                let pair = basic_pair(header.expose());
                Some(pair.ok_or_else(|| TokenError::client("the Authorization header is not Basic", Challenge::Basic))?)
            }
        };
        let challenge = if basic.is_some() { Challenge::Basic } else { Challenge::None };
        let in_body = form.value("client_id");
        let (id, secret) = match &basic {
            Some(_) if form.value("client_secret").is_some() => {
                return Err(TokenError::request("the client authenticates in two ways"));
            }
            Some((id, _)) if in_body.is_some_and(|in_body| in_body != id.as_str()) => {
                return Err(TokenError::request("client_id differs from the Authorization header"));
            }
            Some((id, secret)) => (id.as_str(), Some(secret.as_str())),
            None => (in_body.unwrap_or_default(), form.value("client_secret")),
        };
        let refused = |reason: String| TokenError::client(reason, challenge);
        let id = ClientId::parse(id).ok_or_else(|| refused("client_id is missing or no client's".to_owned()))?;
        self.authenticate(&id, secret).map_err(|reason| match reason {
            Ok(reason) => refused(reason).by(&id),
            Err(error) => TokenError::store(&error),
        })?;
        Ok((id, form))
    }

    /// Compares a client's secret, if it has one.
    fn authenticate(&self, id: &ClientId, secret: Option<&str>) -> Result<(), Result<String, IssuerStoreError>> {
        let ClientId::Registered(text) = id else {
            // What is public in a document cannot prove anybody; the grant is bound by PKCE and the redirect URI.
            return if secret.is_some() { Err(Ok("a client of a document has no secret".to_owned())) } else { Ok(()) };
        };
        let client = self.store().client(text).map_err(Err)?;
        let client =
            client.ok_or_else(|| Ok("no client is registered under this id; it may have expired".to_owned()))?;
        match (client.metadata.authentication, client.secret, secret) {
            (ClientAuthentication::None, _, None) => Ok(()),
            (ClientAuthentication::None, _, Some(_)) => Err(Ok("a public client has no secret".to_owned())),
            (_, Some(kept), Some(secret)) => {
                let said = self.store().digest(Purpose::ClientSecret, secret);
                let same = verify_slices_are_equal(&said.0, &kept.0);
                same.map_err(|_| Ok("the client's secret is wrong".to_owned()))
            }
            _ => Err(Ok("the client's secret is missing".to_owned())),
        }
    }

    fn redeem_code(&self, client: &ClientId, form: &Form) -> Result<IssuerResponse, TokenError> {
        let needed = |name: &str, reason: &'static str| form.value(name).ok_or(TokenError::request(reason));
        let code = needed("code", "code is missing")?;
        let redirect = needed("redirect_uri", "redirect_uri is missing")?;
        let verifier = needed("code_verifier", "code_verifier is missing")?;
        let now = self.clock().wall();
        let digest = self.store().digest(Purpose::Code, code);
        let taken = self.store().take_code(&digest, now).map_err(|error| TokenError::store(&error))?;
        let (code, family) = match taken {
            CodeTaken::Fresh(fresh) => *fresh,
            CodeTaken::Replayed(family) => {
                return Err(TokenError::stolen(Happening::CodeReplayed, "the code was used before", &family));
            }
            CodeTaken::Ended => return Err(TokenError::grant("the code has expired, or its family has ended")),
            CodeTaken::Unknown => return Err(TokenError::grant("there is no such code")),
        };
        let wrong = if family.grant.client != *client {
            Some(TokenError::stolen(Happening::CodeReplayed, "the code is another client's", &family.id))
        } else if code.redirect.as_str() != redirect {
            Some(TokenError::grant("redirect_uri is not the one the code was sent to"))
        } else if !code.challenge.is_met_by(verifier) {
            Some(TokenError::grant("code_verifier does not meet the challenge"))
        } else {
            check_resource(form, &family).err()
        };
        if let Some(wrong) = wrong {
            // The code is spent; nothing is left of the family that could be of use.
            self.store().end_family(&family.id, now).map_err(|error| TokenError::store(&error))?;
            return Err(wrong);
        }
        let refresh = (family.grant.renewal == Renewal::Refresh).then(|| self.new_refresh());
        let digests = refresh.as_ref().map(|refresh| self.digests_of(refresh));
        let started = self.store().start_family(&family.id, digests.as_ref(), now);
        if !started.map_err(|error| TokenError::store(&error))? {
            return Err(TokenError::grant("the family has ended"));
        }
        let scopes = family.grant.scopes.clone();
        let response = self.give(&family, &scopes, refresh.map(|refresh| refresh.text()))?;
        self.tell(IssuerEvent::new(Happening::TokensIssued, "").by(&family.grant.user).to(client).of(&family.id));
        Ok(response)
    }

    fn renew(&self, client: &ClientId, form: &Form) -> Result<IssuerResponse, TokenError> {
        let text = form.value("refresh_token").ok_or(TokenError::request("refresh_token is missing"))?;
        let presented = Refresh::parse(text).ok_or_else(|| TokenError::grant("it is no refresh token of ours"))?;
        let digests = self.digests_of(&presented);
        let now = self.clock().wall();
        let failed = |error: IssuerStoreError| TokenError::store(&error);
        let family = self.store().family_of(&digests.handle, now).map_err(failed)?;
        let family = family.ok_or_else(|| TokenError::grant("there is no such family, or it has ended"))?;
        if family.grant.client != *client {
            self.store().end_family(&family.id, now).map_err(failed)?;
            let reason = "the refresh token is another client's";
            return Err(TokenError::stolen(Happening::RefreshReplayed, reason, &family.id));
        }
        // Before the token is used: a mistake in the rest must not cost the client its token.
        let scopes = narrowed(form, &family)?;
        check_resource(form, &family)?;
        let next = Refresh { handle: presented.handle, secret: random_256(self.entropy()) };
        let next_digest = self.store().digest(Purpose::RefreshSecret, &next.secret);
        let family = match self.store().use_refresh(&digests, &next_digest, now).map_err(failed)? {
            RefreshUsed::Renewed(family) => *family,
            RefreshUsed::Replayed(family) => {
                let reason = "the refresh token was used before";
                return Err(TokenError::stolen(Happening::RefreshReplayed, reason, &family));
            }
            RefreshUsed::Ended => return Err(TokenError::grant("the family has ended")),
        };
        let response = self.give(&family, &scopes, Some(next.text()))?;
        self.tell(IssuerEvent::new(Happening::TokensRenewed, "").by(&family.grant.user).to(client).of(&family.id));
        Ok(response)
    }

    /// RFC 6749 §5.1.
    fn give(
        &self,
        family: &FamilyRecord,
        scopes: &Scopes,
        refresh: Option<Zeroizing<String>>,
    ) -> Result<IssuerResponse, TokenError> {
        let now = self.clock().wall();
        let keys = self.keys().map_err(|error| TokenError::key(&error))?;
        let key = keys.in_use(now).map_err(|error| TokenError::key(&error))?;
        let id = TokenId::random(self.entropy());
        let token = mint(self.settings(), key, family, scopes, (&id, now)).map_err(|error| TokenError::key(&error))?;
        let mut body = json!({
            "access_token": token.expose(),
            "token_type": "Bearer",
            "expires_in": ACCESS_LIFE.as_secs(),
            "scope": scopes.to_string(),
        });
        if let (Some(refresh), Some(members)) = (refresh, body.as_object_mut()) {
            members.insert("refresh_token".to_owned(), json!(refresh.as_str()));
        }
        Ok(IssuerResponse::json(200, &body))
    }

    fn new_refresh(&self) -> Refresh {
        Refresh { handle: Zeroizing::new(random_128(self.entropy())), secret: random_256(self.entropy()) }
    }

    pub(crate) fn digests_of(&self, refresh: &Refresh) -> RefreshDigests {
        RefreshDigests {
            handle: self.store().digest(Purpose::RefreshHandle, &refresh.handle),
            secret: self.store().digest(Purpose::RefreshSecret, &refresh.secret),
        }
    }
}

/// A refresh token: a handle that stays and names the family, and 256 bits that change with each use. So an old token is known
/// for what it is, however old, without any of them being kept.
pub(crate) struct Refresh {
    handle: Zeroizing<String>,
    secret: Zeroizing<String>,
}

impl Refresh {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        /// Of the handle, the dot and the secret.
        const CHARACTERS: usize = 22 + 1 + 43;
        let rest = text.strip_prefix(REFRESH).filter(|rest| rest.len() == CHARACTERS)?;
        let (handle, secret) = rest.split_once('.').filter(|(handle, _)| handle.len() == 22)?;
        Some(Self { handle: Zeroizing::new(handle.to_owned()), secret: Zeroizing::new(secret.to_owned()) })
    }

    fn text(&self) -> Zeroizing<String> {
        let Self { handle, secret } = self;
        Zeroizing::new(format!("{REFRESH}{}.{}", handle.as_str(), secret.as_str()))
    }
}

/// A token request may name the resource again; then it is the same one (RFC 8707 §2.2).
fn check_resource(form: &Form, family: &FamilyRecord) -> Result<(), TokenError> {
    match form.value("resource") {
        Some(resource) if resource != family.grant.resource.as_str() => {
            let description = "resource is not the one that was consented to";
            Err(TokenError::new("invalid_target", description, description))
        }
        _ => Ok(()),
    }
}

/// A renewal may ask for less, never for more (RFC 6749 §6).
fn narrowed(form: &Form, family: &FamilyRecord) -> Result<Scopes, TokenError> {
    let Some(asked) = form.value("scope") else { return Ok(family.grant.scopes.clone()) };
    let asked = Scopes::parse(asked).filter(|asked| !asked.is_empty() && asked.is_within(&family.grant.scopes));
    let description = "scope is more than was consented to";
    asked.ok_or_else(|| TokenError::new("invalid_scope", description, description))
}

/// Id and secret of an `Authorization: Basic` header, each form-encoded inside (RFC 6749 §2.3.1).
fn basic_pair(header: &str) -> Option<(Zeroizing<String>, Zeroizing<String>)> {
    let (scheme, value) = header.split_once(' ')?;
    let decoded = Zeroizing::new(STANDARD.decode(value).ok().filter(|_| scheme.eq_ignore_ascii_case("basic"))?);
    let at = decoded.iter().position(|byte| *byte == b':')?;
    let (id, secret) = decoded.split_at_checked(at)?;
    let secret = decode(secret.strip_prefix(b":")?).ok().filter(|secret| !secret.is_empty())?;
    Some((decode(id).ok()?, secret))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_basic_header_is_read_as_the_standard_says() {
        let read = |text: &str| {
            let pair = basic_pair(&format!("Basic {}", STANDARD.encode(text)));
            pair.map(|(id, secret)| (id.to_string(), secret.to_string()))
        };
        let pair = |id: &str, secret: &str| Some((id.to_owned(), secret.to_owned()));
        assert_eq!(read("id:secret"), pair("id", "secret"));
        assert_eq!(read("https%3A%2F%2Fa.example%2Fc:a%2Bb"), pair("https://a.example/c", "a+b"));
        assert_eq!(read("id:"), None);
        assert_eq!(read("id"), None);
        assert_eq!(read("id:%zz"), None);
        assert!(basic_pair("Bearer aWQ6c2VjcmV0").is_none());
        assert!(basic_pair("Basic !").is_none());
        assert!(basic_pair("Basic").is_none());
    }

    #[test]
    fn a_refresh_token_has_one_form() {
        let text = format!("{REFRESH}{}.{}", "h".repeat(22), "s".repeat(43));
        assert_eq!(Refresh::parse(&text).unwrap().text().as_str(), text);
        for wrong in [
            "",
            "str_",
            &text.replace("str_", "stc_"),
            &text.replace('.', "-"),
            &format!("{text}s"),
            &text.replace("h.", ".h"),
        ] {
            assert!(Refresh::parse(wrong).is_none(), "{wrong}");
        }
    }
}
