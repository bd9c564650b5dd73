//! The pages that people see: sign in, consent, going back, and what went wrong.
//!
//! For: plain HTML, without script, without anything from elsewhere, under a policy that allows no more.
//! Must never: show a peer's text but through `Untrusted::for_html`; be framed; be kept; tell a browser where it came from.

use crate::authorize::AuthorizeRequest;
use crate::http::IssuerResponse;
use crate::pending::Secrets;
use crate::routes::{CONSENT, SIGN_IN};
use crate::settings::IssuerSettings;
use crate::uri::{RedirectKind, RedirectUri};
use crate::words::ClientId;
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use std::time::Duration;
use stockade_core::words::{CallerName, Untrusted};

/// All that the pages look like. Its digest is in their policy.
const STYLE: &str = ":root{color-scheme:light dark}\
body{font:16px/1.5 system-ui,sans-serif;max-width:34rem;margin:3rem auto;padding:0 1rem}\
h1{font-size:1.4rem}dt{font-weight:600;margin-top:.6rem}dd{margin:0;overflow-wrap:anywhere}\
label{display:block;margin-top:.8rem}input{font:inherit;width:100%;padding:.4rem;box-sizing:border-box}\
button{font:inherit;padding:.5rem 1.2rem;margin:1.2rem .6rem 0 0}\
.warning,.error{border-left:.3rem solid #b45309;padding:.2rem .8rem}.error{border-color:#b91c1c}";

/// Why a page says no. Fixed texts: a person can do something about each, and none says more than that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    Malformed,
    UnknownClient,
    ClientDocument,
    Redirect,
    Over,
    Busy,
    Unavailable,
    TooOften { wait: Duration },
    OtherOrigin,
}

impl Refused {
    const fn words(self) -> (u16, &'static str) {
        match self {
            Self::Malformed => (400, "The request is not well formed."),
            Self::UnknownClient => {
                (400, "The application is not known here. Remove this server from the application and add it again.")
            }
            Self::ClientDocument => (400, "The application's description cannot be fetched or used."),
            Self::Redirect => (400, "The application asks to be answered at an address that it has not registered."),
            Self::Over => (400, "This sign-in is over. Begin again in the application, and keep cookies allowed here."),
            Self::Busy => (503, "Too many people are signing in. Try again in a minute."),
            Self::Unavailable => (503, "Signing in does not work at the moment. Nothing was done."),
            Self::TooOften { .. } => (429, "There were too many attempts. Wait before you try again."),
            Self::OtherOrigin => (403, "This form was sent from another site."),
        }
    }
}

/// A page that says no.
pub(crate) fn refused(refused: Refused) -> IssuerResponse {
    let (status, words) = refused.words();
    let response = page(status, "Cannot sign in", &format!("<p class=\"error\">{words}</p>"), "no-referrer");
    match refused {
        Refused::TooOften { wait } => response.retry_after(wait),
        Refused::Busy | Refused::Unavailable => response.retry_after(Duration::from_secs(9)),
        _ => response,
    }
}

/// The sign-in page. `problem` is a text of ours.
pub(crate) fn sign_in(
    request: &AuthorizeRequest,
    secrets: &Secrets,
    problem: Option<&'static str>,
    status: u16,
) -> IssuerResponse {
    let problem = problem.map(|words| format!("<p class=\"error\" role=\"alert\">{words}</p>")).unwrap_or_default();
    let body = format!(
        "{problem}<p>{client} wants to use <strong>{resource}</strong> as you.</p>\
         <form method=\"post\" action=\"{SIGN_IN}\">{hidden}\
         <label>User<input name=\"user\" autocomplete=\"username\" autocapitalize=\"none\" required autofocus></label>\
         <label>Password<input name=\"password\" type=\"password\" autocomplete=\"current-password\" required></label>\
         <button>Sign in</button></form>\
         <p>Nothing is given to the application yet: you are asked on the next page.</p>",
        client = client_name(request),
        resource = escaped(request.resource.as_str()),
        hidden = hidden(secrets),
    );
    page(status, "Sign in", &body, "same-origin")
}

/// Whether the user has agreed to the same before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Before {
    Agreed,
    No,
}

/// The consent page.
pub(crate) fn consent(
    settings: &IssuerSettings,
    request: &AuthorizeRequest,
    secrets: &Secrets,
    user: &CallerName,
    before: Before,
) -> IssuerResponse {
    let scopes: String = settings
        .scopes
        .iter()
        .filter(|(scope, _)| request.scopes.0.contains(scope))
        .map(|(scope, spec)| match spec.description.as_str() {
            "" => format!("<dd>{}</dd>", escaped(scope.as_str())),
            words => format!("<dd>{} ({})</dd>", escaped(words), escaped(scope.as_str())),
        })
        .collect();
    let (who, certainty) = match &request.client {
        ClientId::Document(url) => (
            format!("published by {}", escaped(url.host())),
            "The name is the application's own word; the address above is where it is published.",
        ),
        ClientId::Registered(_) => (
            "registered by itself".to_owned(),
            "Anybody can register under any name. Go on only if you have just begun this in that application.",
        ),
    };
    let seen = match before {
        Before::Agreed => "<p>You have agreed to exactly this before.</p>",
        Before::No => "",
    };
    let body = format!(
        "<p>You are signed in as <strong>{user}</strong>.</p><dl>\
         <dt>Application</dt><dd>{client}, {who}</dd>\
         <dt>Answer goes to</dt><dd>{place}</dd>\
         <dt>May use</dt><dd>{resource}</dd>\
         <dt>In order to</dt>{scopes}</dl>\
         <p class=\"warning\">{certainty}</p>{seen}\
         <form method=\"post\" action=\"{CONSENT}\">{hidden}\
         <button name=\"decision\" value=\"allow\">Allow</button>\
         <button name=\"decision\" value=\"deny\">Do not allow</button></form>",
        user = escaped(user.as_str()),
        client = client_name(request),
        place = place_of(&request.redirect),
        resource = escaped(request.resource.as_str()),
        hidden = hidden(secrets),
    );
    page(200, "Allow this application?", &body, "same-origin")
}

/// The way back after a form: a page that goes on by itself. A redirect would be held to the form's own policy by some
/// browsers (`form-action`), with every further redirect of the client's.
pub(crate) fn going_back(redirect: &RedirectUri, to: &str, words: &'static str) -> IssuerResponse {
    let to = escaped(to);
    let head = format!("<meta http-equiv=\"refresh\" content=\"0;url={to}\">");
    let body = format!(
        "<p>{words}</p><p><a id=\"continue\" href=\"{to}\">Back to the application</a> at {}</p>",
        place_of(redirect)
    );
    framed_page(200, "Back to the application", &head, &body, "no-referrer")
}

/// A mistake of a client's, whose answer the user may follow or not.
pub(crate) fn fault(redirect: &RedirectUri, to: &str, description: &'static str) -> IssuerResponse {
    let body = format!(
        "<p class=\"error\">The application made a mistake: {description}.</p>\
         <p><a id=\"continue\" href=\"{}\">Tell the application</a> at {}</p>",
        escaped(to),
        place_of(redirect)
    );
    page(400, "Cannot sign in", &body, "no-referrer")
}

/// What the client calls itself, in quotation marks that it cannot close.
fn client_name(request: &AuthorizeRequest) -> String {
    match &request.said.name {
        Some(name) => format!("<q>{}</q>", name.for_html()),
        None => "An application without a name".to_owned(),
    }
}

fn place_of(redirect: &RedirectUri) -> String {
    match redirect.kind() {
        RedirectKind::Web { host } => format!("<strong>{}</strong>", escaped(&host)),
        RedirectKind::Loopback { host } => format!(
            "<strong>{}</strong>: a program on the computer of this browser, whichever listens there",
            escaped(&host)
        ),
        RedirectKind::Private { scheme } => {
            format!("<strong>the program that opens <code>{}:</code> links</strong>", escaped(&scheme))
        }
    }
}

fn hidden(secrets: &Secrets) -> String {
    let Secrets { id, token } = secrets;
    let (id, token) = (escaped(id), escaped(token));
    format!(
        "<input type=\"hidden\" name=\"sign_in\" value=\"{id}\"><input type=\"hidden\" name=\"form\" value=\"{token}\">"
    )
}

/// Even what cannot hold anything dangerous is escaped: nothing here has to be believed.
fn escaped(text: &str) -> String {
    Untrusted::new(text).for_html()
}

fn page(status: u16, title: &str, body: &str, referrer: &'static str) -> IssuerResponse {
    framed_page(status, title, "", body, referrer)
}

/// `referrer`: forms are sent with `same-origin`, because under `no-referrer` browsers say `Origin: null`.
fn framed_page(status: u16, title: &str, head: &str, body: &str, referrer: &'static str) -> IssuerResponse {
    let html = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title} – Stockade</title>\
         <meta name=\"viewport\" content=\"width=device-width\"><meta name=\"robots\" content=\"noindex\">{head}\
         <style>{STYLE}</style></head><body><main><h1>{title}</h1>{body}</main></body></html>"
    );
    let style = STANDARD.encode(digest(&SHA256, STYLE.as_bytes()));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{style}'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    );
    let response = IssuerResponse { body: Bytes::from(html), ..IssuerResponse::bare(status) };
    response
        .with("content-type", "text/html; charset=utf-8")
        .with("cache-control", "no-store")
        .with("content-security-policy", policy)
        .with("x-frame-options", "DENY")
        .with("referrer-policy", referrer)
}
