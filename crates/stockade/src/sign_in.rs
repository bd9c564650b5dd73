//! The embedded authorization server as a site of the HTTP door: its requests and answers in the door's words.
//!
//! Must never: judge anything; the issuer does.

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, HeaderMap, HeaderName, HeaderValue, ORIGIN};
use http::{Method, StatusCode};
use std::sync::Arc;
use stockade_core::ports::PortFuture;
use stockade_core::words::Secret;
use stockade_gateway::{Site, SiteAccess, SiteAnswer, SiteRequest, SiteRoute};
use stockade_issuer::{Authentication, Issuer, IssuerHeaders, IssuerRequest, IssuerResponse, ROUTES};

/// Serves the sign-in pages and the OAuth endpoints.
pub(crate) struct SignInSite {
    issuer: Arc<Issuer>,
    routes: Vec<SiteRoute>,
}

impl SignInSite {
    /// The site of an authorization server.
    pub(crate) fn new(issuer: Arc<Issuer>) -> Self {
        let routes = ROUTES.iter().flat_map(|route| {
            let access = match route.authentication {
                Authentication::Public { reason } => SiteAccess::Public(reason),
                Authentication::Browser => SiteAccess::Checked("the cookie and the form token of this sign-in"),
                Authentication::Client => SiteAccess::Checked("the client and the code or token that it holds"),
            };
            let site_route = |method: Method, access| SiteRoute {
                method,
                path: route.path.to_owned(),
                access,
                per_minute: route.limit.per_sender,
            };
            let preflight = SiteAccess::Public("a browser asks first whether a script may ask (CORS)");
            let own = Method::from_bytes(route.method.as_bytes()).ok().map(|method| site_route(method, access));
            own.into_iter().chain([site_route(Method::OPTIONS, preflight)])
        });
        Self { routes: routes.collect(), issuer }
    }
}

impl Site for SignInSite {
    fn routes(&self) -> &[SiteRoute] {
        &self.routes
    }

    fn answer(&self, request: SiteRequest) -> PortFuture<'_, SiteAnswer> {
        let issuer = Arc::clone(&self.issuer);
        Box::pin(async move {
            let request = request_of(request);
            let event = event_of(&request.path);
            // It waits for the disk, and for passwords: on a thread that may.
            let runtime = tokio::runtime::Handle::current();
            let answered = tokio::task::spawn_blocking(move || runtime.block_on(issuer.handle(&request))).await;
            answered.map_or_else(|_| failed(event), |response| answer_of(response, event))
        })
    }
}

fn request_of(request: SiteRequest) -> IssuerRequest {
    let mut headers = request.headers;
    let text = |headers: &HeaderMap, name: &HeaderName| {
        headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    let cookies: Vec<_> =
        headers.get_all(COOKIE).iter().map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).collect();
    let authorization = headers.remove(AUTHORIZATION);
    IssuerRequest {
        method: request.method.as_str().to_owned(),
        path: request.path,
        query: request.query,
        headers: IssuerHeaders {
            cookie: (!cookies.is_empty()).then(|| cookies.join("; ")),
            content_type: text(&headers, &CONTENT_TYPE),
            authorization: authorization
                .map(|value| Secret::new(String::from_utf8_lossy(value.as_bytes()).into_owned())),
            origin: text(&headers, &ORIGIN),
            wanted_method: text(&headers, &HeaderName::from_static("access-control-request-method")),
        },
        body: request.body,
        peer: Some(request.address),
    }
}

/// The word of the record for a path; strangers' paths have come no further than the door.
fn event_of(path: &str) -> &'static str {
    match path {
        "/authorize" => "sign-in-begun",
        "/sign-in" => "sign-in",
        "/consent" => "sign-in-consent",
        "/token" => "token",
        "/register" => "client-registration",
        "/revoke" => "token-revocation",
        _ => "issuer-metadata",
    }
}

fn answer_of(response: IssuerResponse, event: &'static str) -> SiteAnswer {
    let mut headers = HeaderMap::with_capacity(response.headers.len());
    for (name, value) in response.headers {
        let Ok(value) = HeaderValue::from_str(&value) else { return failed(event) };
        headers.append(HeaderName::from_static(name), value);
    }
    let status = StatusCode::from_u16(response.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    SiteAnswer { status, headers, body: response.body, event }
}

fn failed(event: &'static str) -> SiteAnswer {
    SiteAnswer { status: StatusCode::INTERNAL_SERVER_ERROR, headers: HeaderMap::new(), body: Bytes::new(), event }
}
