//! An authorization server on a store, with a clock, a fetcher and a witness that tests can move and read.

use crate::memory::Memory;
use bytes::Bytes;
use std::collections::HashMap;
use std::future::Future;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use stockade_core::ports::{Clock, Moment, PortFuture, Timestamp};
use stockade_core::wire::{Document, WireLimits};
use stockade_core::words::{CallerName, Secret};
use stockade_issuer::{
    DocumentUrl, Fetch, FetchError, FetchedDocument, Happening, Issuer, IssuerEvent, IssuerHeaders, IssuerPorts,
    IssuerRequest, IssuerResponse, IssuerSettings, IssuerStore, RawSettings, Users, Witness,
};
use stockade_store::{DataFolder, IssuerDatabase, KeyRing, OsEntropy};

pub(crate) const ISSUER: &str = "http://127.0.0.1:8443";
pub(crate) const RESOURCE: &str = "http://127.0.0.1:8443/mcp";
pub(crate) const PASSWORD: &str = "correct horse battery staple";
/// 2026-11-22T00:00:00Z.
const START: i64 = 1_795_305_600_000_000_000;

/// A clock that stands until it is moved.
#[derive(Default)]
pub(crate) struct Hands(AtomicU64);

impl Hands {
    pub(crate) fn pass(&self, span: Duration) {
        self.0.fetch_add(u64::try_from(span.as_nanos()).unwrap(), Ordering::Relaxed);
    }
}

impl Clock for Hands {
    fn wall(&self) -> Timestamp {
        Timestamp(START + i64::try_from(self.0.load(Ordering::Relaxed)).unwrap())
    }

    fn moment(&self) -> Moment {
        Moment(Duration::from_nanos(self.0.load(Ordering::Relaxed)))
    }

    fn sleep_until(&self, _: Moment) -> PortFuture<'static, ()> {
        Box::pin(std::future::pending())
    }
}

/// Documents by URL; everything else is not there.
#[derive(Default)]
pub(crate) struct Web(pub(crate) Mutex<HashMap<String, String>>);

impl Fetch for Web {
    fn fetch<'a>(&'a self, url: &'a DocumentUrl, limit: usize) -> PortFuture<'a, Result<FetchedDocument, FetchError>> {
        let found = self.0.lock().unwrap().get(url.as_str()).cloned();
        let answer = match found {
            None => Err(FetchError::Unavailable { reason: "status 404".to_owned() }),
            Some(body) if body.len() > limit => Err(FetchError::TooLarge),
            Some(body) => Ok(FetchedDocument {
                body: Bytes::from(body),
                content_type: Some("application/json".to_owned()),
                max_age: None,
            }),
        };
        Box::pin(std::future::ready(answer))
    }
}

/// Everything that was told.
#[derive(Default)]
pub(crate) struct Told(pub(crate) Mutex<Vec<IssuerEvent>>);

impl Witness for Told {
    fn see(&self, event: IssuerEvent) {
        self.0.lock().unwrap().push(event);
    }
}

/// A folder that goes when it is dropped.
pub(crate) struct Scratch(pub(crate) PathBuf);

impl Scratch {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let name = format!("stockade-issuer-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    pub(crate) fn database(&self) -> IssuerDatabase {
        let folder = DataFolder::beside(&self.0.join("data")).unwrap();
        IssuerDatabase::open(&folder, &KeyRing::open(&folder).unwrap()).unwrap()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The server and everything round it.
pub(crate) struct Ground {
    pub(crate) issuer: Issuer,
    pub(crate) store: Arc<dyn IssuerStore>,
    pub(crate) memory: Option<Arc<Memory>>,
    pub(crate) clock: Arc<Hands>,
    pub(crate) web: Arc<Web>,
    pub(crate) told: Arc<Told>,
    scratch: Option<Scratch>,
}

impl Ground {
    /// Over a store in memory, with the user `alice`.
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(crate) fn with(change: impl FnOnce(&mut RawSettings)) -> Self {
        let memory = Arc::new(Memory::default());
        Self { memory: Some(Arc::clone(&memory)), ..Self::over(memory, None, change) }
    }

    /// Over the database, with the user `alice`.
    pub(crate) fn with_database() -> Self {
        let scratch = Scratch::new();
        let database = Arc::new(scratch.database());
        Self::over(database, Some(scratch), |_| {})
    }

    fn over(store: Arc<dyn IssuerStore>, scratch: Option<Scratch>, change: impl FnOnce(&mut RawSettings)) -> Self {
        let (clock, web, told) = (Arc::new(Hands::default()), Arc::new(Web::default()), Arc::new(Told::default()));
        let mut raw = RawSettings::new(ISSUER, "sandbox", RESOURCE);
        raw.resources.push(format!("{RESOURCE}/files"));
        change(&mut raw);
        let ports = IssuerPorts {
            store: Arc::clone(&store),
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            entropy: Arc::new(OsEntropy),
            fetch: Arc::clone(&web) as Arc<dyn Fetch>,
            witness: Arc::clone(&told) as Arc<dyn Witness>,
        };
        let issuer = Issuer::new(IssuerSettings::check(raw).unwrap(), ports).unwrap();
        let ground = Self { issuer, store, memory: None, clock, web, told, scratch };
        ground.users().add(&name("alice"), Some(&Secret::new(PASSWORD.to_owned())), ground.clock.wall()).unwrap();
        ground
    }

    /// The data folder of the database.
    pub(crate) fn folder(&self) -> PathBuf {
        self.scratch.as_ref().unwrap().0.join("data")
    }

    pub(crate) fn users(&self) -> Users<'_> {
        Users::new(self.store.as_ref(), &OsEntropy)
    }

    pub(crate) fn handle(&self, request: &IssuerRequest) -> IssuerResponse {
        ready(self.issuer.handle(request))
    }

    pub(crate) fn get(&self, path: &str, query: Option<&str>) -> IssuerResponse {
        let query = query.map(str::to_owned);
        self.handle(&IssuerRequest { method: "GET".into(), path: path.into(), query, ..IssuerRequest::default() })
    }

    /// Posts a form, as a client does.
    pub(crate) fn post(&self, path: &str, parameters: &[(&str, &str)]) -> IssuerResponse {
        self.handle(&form_request(path, parameters))
    }

    /// Posts JSON to the registration endpoint.
    pub(crate) fn register(&self, body: &str) -> IssuerResponse {
        self.handle(&IssuerRequest {
            method: "POST".into(),
            path: "/register".into(),
            headers: IssuerHeaders { content_type: Some("application/json".into()), ..IssuerHeaders::default() },
            body: Bytes::from(body.to_owned()),
            ..IssuerRequest::default()
        })
    }

    /// Registers a public client that may refresh; returns its id.
    pub(crate) fn client(&self, redirects: &[&str]) -> String {
        let list = redirects.iter().map(|uri| format!("\"{uri}\"")).collect::<Vec<_>>().join(",");
        let response = self.register(&format!(
            r#"{{"redirect_uris":[{list}],"client_name":"Test client","token_endpoint_auth_method":"none",
                "grant_types":["authorization_code","refresh_token"],"response_types":["code"]}}"#
        ));
        assert_eq!(response.status, 201, "{response:?}");
        member(&response, "client_id")
    }

    /// How often something was told.
    pub(crate) fn count(&self, what: Happening) -> usize {
        self.told.0.lock().unwrap().iter().filter(|event| event.what == what).count()
    }

    /// The reason of the last thing that was told.
    pub(crate) fn last_reason(&self) -> String {
        self.told.0.lock().unwrap().last().map(|event| event.reason.clone()).unwrap_or_default()
    }
}

pub(crate) fn form_request(path: &str, parameters: &[(&str, &str)]) -> IssuerRequest {
    let content_type = Some("application/x-www-form-urlencoded".into());
    IssuerRequest {
        method: "POST".into(),
        path: path.into(),
        headers: IssuerHeaders { content_type, ..IssuerHeaders::default() },
        body: Bytes::from(encode(parameters)),
        ..IssuerRequest::default()
    }
}

pub(crate) fn encode(parameters: &[(&str, &str)]) -> String {
    let escape = |text: &str| -> String {
        text.bytes()
            .map(
                |byte| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02x}") },
            )
            .collect()
    };
    let pairs: Vec<_> = parameters.iter().map(|(name, value)| format!("{}={}", escape(name), escape(value))).collect();
    pairs.join("&")
}

pub(crate) fn name(text: &str) -> CallerName {
    CallerName::parse(text).unwrap()
}

pub(crate) fn ready<T>(future: impl Future<Output = T>) -> T {
    let mut context = Context::from_waker(Waker::noop());
    match pin!(future).poll(&mut context) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("nothing here waits"),
    }
}

/// A text, number or object of a JSON answer, as text.
pub(crate) fn member(response: &IssuerResponse, name: &str) -> String {
    let found = find(response, name);
    found.unwrap_or_else(|| panic!("no `{name}` in {}", String::from_utf8_lossy(&response.body)))
}

pub(crate) fn find(response: &IssuerResponse, name: &str) -> Option<String> {
    let document = Document::read(response.body.clone(), &WireLimits::DEFAULT).ok()?;
    let value = document.root().get(name)?;
    Some(value.as_str().map_or_else(|| value.raw().to_owned(), std::borrow::Cow::into_owned))
}
