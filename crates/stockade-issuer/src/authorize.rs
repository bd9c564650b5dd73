//! The authorization endpoint: judges a request, and begins a sign-in (RFC 6749 §4.1.1, OAuth 2.1, RFC 7636, RFC 8707).
//!
//! Must never: send a browser anywhere before client and redirect URI are known to belong together; send it to a web address
//! at all before its user has done something here (RFC 9700 §4.11.2).

use crate::client::{ClientMetadata, has_usable_scheme};
use crate::documents::DocumentError;
use crate::event::{Happening, IssuerEvent};
use crate::form::Form;
use crate::http::{IssuerRequest, IssuerResponse};
use crate::issuer::Issuer;
use crate::pages::{self, Refused};
use crate::settings::Offer;
use crate::store::IssuerStoreError;
use crate::throttle::Sender;
use crate::uri::{RedirectKind, RedirectUri, Resource};
use crate::words::{Challenge, ClientId, Scopes};
use std::sync::Arc;

/// Bytes of `state`, decoded.
pub const STATE_BYTES: usize = 2_048;

/// Having one tells you: a client that we know asks, the answer may go to this redirect URI, there is an S256 challenge, the
/// resource is one of ours, and the scopes are among ours.
#[derive(Debug)]
pub(crate) struct AuthorizeRequest {
    pub(crate) client: ClientId,
    /// What the client says of itself.
    pub(crate) said: ClientMetadata,
    pub(crate) redirect: RedirectUri,
    pub(crate) state: Option<String>,
    pub(crate) challenge: Challenge,
    pub(crate) resource: Resource,
    pub(crate) scopes: Scopes,
    pub(crate) consent: AskConsent,
}

/// Whether a remembered consent is enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AskConsent {
    /// The answer goes to a web address, which only its owner can read: a remembered consent is enough.
    Unless,
    /// The answer goes to whatever program listens or has claimed the scheme (RFC 8252 §8.6), or the client wants it.
    Always,
}

/// Why a request is not answered with a page to sign in on.
enum AuthorizeError {
    /// Nobody to send an answer to, or nobody who should get one.
    Page(Refused, String),
    /// The client gets to know.
    Client(Box<ClientsFault>),
}

/// A mistake of a client that we know, in a request whose answer may go to its redirect URI.
struct ClientsFault {
    client: ClientId,
    redirect: RedirectUri,
    state: Option<String>,
    error: &'static str,
    description: &'static str,
}

impl Issuer {
    /// `GET /authorize`.
    pub(crate) async fn authorize(&self, request: &IssuerRequest) -> IssuerResponse {
        let asked = match self.judge(request).await {
            Ok(asked) => Arc::new(asked),
            Err(AuthorizeError::Page(refused, reason)) => {
                self.tell(IssuerEvent::new(Happening::Refused, reason));
                return pages::refused(refused);
            }
            Err(AuthorizeError::Client(fault)) => return self.send_fault(&fault),
        };
        let cookie = request.cookie(self.cookie_name());
        let sender = Sender::of(request.peer);
        let now = self.clock().moment();
        let started = self.sign_ins().begin(Arc::clone(&asked), sender, cookie, self.entropy(), now);
        let Some(started) = started else {
            self.tell(IssuerEvent::new(Happening::LimitMet, "as many people are signing in as may"));
            return pages::refused(Refused::Busy);
        };
        let page = pages::sign_in(&asked, &started.secrets, None, 200);
        page.with("set-cookie", self.cookie(&started.cookie))
    }

    async fn judge(&self, request: &IssuerRequest) -> Result<AuthorizeRequest, AuthorizeError> {
        let page = |refused, reason: &str| AuthorizeError::Page(refused, reason.to_owned());
        let query = request.query.as_deref().unwrap_or_default();
        let form = Form::parse(query.as_bytes()).map_err(|error| page(Refused::Malformed, &error.to_string()))?;
        let client = form.value("client_id").and_then(ClientId::parse);
        let client = client.ok_or_else(|| page(Refused::UnknownClient, "client_id is missing or no client's"))?;
        let said = self.client_metadata(&client).await?;
        let redirect = form.value("redirect_uri").map(RedirectUri::parse);
        let redirect = match redirect {
            Some(Ok(redirect)) if said.takes_answers_at(&redirect) => redirect,
            _ => return Err(page(Refused::Redirect, "redirect_uri is missing or not one of this client's")),
        };
        if !has_usable_scheme(&redirect, &self.settings().schemes) {
            return Err(page(Refused::Redirect, "the scheme of redirect_uri is no longer listed"));
        }
        let state = form.value("state").map(str::to_owned);
        if state.as_ref().is_some_and(|state| state.len() > STATE_BYTES) {
            return Err(page(Refused::Malformed, "state is too long"));
        }
        let judged = self.judge_rest(&form);
        let (challenge, resource, scopes) = judged.map_err(|(error, description)| {
            let (client, redirect, state) = (client.clone(), redirect.clone(), state.clone());
            AuthorizeError::Client(Box::new(ClientsFault { client, redirect, state, error, description }))
        })?;
        let is_asked = form.value("prompt").is_some_and(|prompt| prompt.split(' ').any(|word| word == "consent"));
        let consent = match redirect.kind() {
            RedirectKind::Web { .. } if !is_asked => AskConsent::Unless,
            _ => AskConsent::Always,
        };
        Ok(AuthorizeRequest { client, said, redirect, state, challenge, resource, scopes, consent })
    }

    /// What a client that is known may be told: error code and description.
    fn judge_rest(&self, form: &Form) -> Result<(Challenge, Resource, Scopes), (&'static str, &'static str)> {
        let invalid = |description| ("invalid_request", description);
        match form.value("response_type") {
            Some("code") => {}
            Some(_) => return Err(("unsupported_response_type", "response_type must be code")),
            None => return Err(invalid("response_type is missing")),
        }
        if form.value("request").is_some() {
            return Err(("request_not_supported", "request objects are not supported"));
        }
        if form.value("request_uri").is_some() {
            return Err(("request_uri_not_supported", "request_uri is not supported"));
        }
        if form.value("response_mode").is_some_and(|mode| mode != "query") {
            return Err(invalid("response_mode must be query"));
        }
        // Without a method the standard means plain, which is refused like any other (RFC 7636 §4.3).
        if form.value("code_challenge_method") != Some("S256") {
            return Err(invalid("code_challenge_method must be S256"));
        }
        let challenge = form.value("code_challenge").and_then(Challenge::parse);
        let challenge = challenge.ok_or(invalid("code_challenge must be 32 bytes in base64url"))?;
        let resource = form.value("resource").and_then(|text| Resource::parse(text).ok());
        let resource = resource.filter(|resource| self.settings().resources.contains(resource));
        let resource = resource.ok_or(("invalid_target", "resource must be a resource of this server"))?;
        let scopes = self.scopes_for(form.value("scope"));
        let scopes = scopes.ok_or(("invalid_scope", "none of the scopes is known"))?;
        Ok((challenge, resource, scopes))
    }

    /// The scopes that a client asks for, as far as there are such (RFC 6749 §3.3: the rest is ignored, and the answer says
    /// what was granted); the default where it names none; nothing if it names only others.
    fn scopes_for(&self, asked: Option<&str>) -> Option<Scopes> {
        let Some(asked) = asked else { return Some(self.settings().default_scopes.clone()) };
        let known = Scopes::parse(asked)?.shared_with(&self.settings().supported);
        (!known.is_empty()).then_some(known)
    }

    /// What a client has said of itself, at its registration or in its document.
    async fn client_metadata(&self, client: &ClientId) -> Result<ClientMetadata, AuthorizeError> {
        match client {
            ClientId::Registered(id) => match self.store().client(id) {
                Ok(Some(registered)) => Ok(registered.metadata),
                Ok(None) => {
                    let reason = format!("no client is registered as `{id}`; it may have expired");
                    Err(AuthorizeError::Page(Refused::UnknownClient, reason))
                }
                Err(error) => Err(AuthorizeError::Page(Refused::Unavailable, reason_of(&error))),
            },
            ClientId::Document(_) if self.settings().documents == Offer::Closed => {
                Err(AuthorizeError::Page(Refused::UnknownClient, "client documents are not taken here".to_owned()))
            }
            ClientId::Document(url) => {
                let now = self.clock().moment();
                let client = self.documents().client(url, &self.settings().schemes, now).await;
                client.map(Arc::unwrap_or_clone).map_err(|error| {
                    let refused = match error {
                        DocumentError::TooOften { .. } => Refused::Busy,
                        _ => Refused::ClientDocument,
                    };
                    AuthorizeError::Page(refused, format!("`{}`: {}", url.as_str(), reason_of(&error)))
                })
            }
        }
    }

    /// Tells a client of its mistake. Only a port on the user's own computer gets it without the user's doing.
    fn send_fault(&self, fault: &ClientsFault) -> IssuerResponse {
        let ClientsFault { client, redirect, state, error, description } = fault;
        self.tell(IssuerEvent::new(Happening::Refused, format!("{error}: {description}")).to(client));
        let parameters = [("error", *error), ("error_description", description)];
        let to = self.answer(redirect, &parameters, state.as_deref());
        match redirect.kind() {
            RedirectKind::Loopback { .. } => IssuerResponse::redirect(to),
            RedirectKind::Web { .. } | RedirectKind::Private { .. } => pages::fault(redirect, &to, description),
        }
    }

    /// The address of an answer: `parameters`, the client's `state` as it was, and who answers (RFC 9207).
    pub(crate) fn answer(&self, to: &RedirectUri, parameters: &[(&str, &str)], state: Option<&str>) -> String {
        let mut all = parameters.to_vec();
        all.extend(state.map(|state| ("state", state)));
        all.push(("iss", self.settings().issuer.as_str()));
        to.with(&all)
    }
}

/// An error with what caused it, in one line.
pub(crate) fn reason_of(error: &dyn std::error::Error) -> String {
    /// Causes that are told.
    const CAUSES: usize = 4;
    let mut reason = error.to_string();
    let mut cause = error.source();
    for _ in 0..CAUSES {
        let Some(inner) = cause else { break };
        reason.push_str(": ");
        reason.push_str(&inner.to_string());
        cause = inner.source();
    }
    reason
}

impl Issuer {
    /// A page for when the store is down. Nothing was done.
    pub(crate) fn page_for(&self, error: &IssuerStoreError) -> IssuerResponse {
        self.tell(IssuerEvent::new(Happening::Failed, reason_of(error)));
        pages::refused(Refused::Unavailable)
    }
}

#[cfg(test)]
impl AuthorizeRequest {
    /// Any request, for tests of what does not look into it.
    pub(crate) fn sample() -> Arc<Self> {
        use crate::client::ClientAuthentication;
        use crate::words::Renewal;
        let redirect = RedirectUri::parse("http://127.0.0.1:1/cb").unwrap();
        Arc::new(Self {
            client: ClientId::parse("https://app.example/client.json").unwrap(),
            said: ClientMetadata {
                name: None,
                redirects: vec![redirect.clone()],
                authentication: ClientAuthentication::None,
                renewal: Renewal::Refresh,
            },
            redirect,
            state: None,
            challenge: Challenge::from_bytes([0; 32]),
            resource: Resource::parse("http://127.0.0.1:8443/mcp").unwrap(),
            scopes: Scopes::parse("mcp").unwrap(),
            consent: AskConsent::Always,
        })
    }
}
