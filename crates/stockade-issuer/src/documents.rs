//! Clients that describe themselves by a document at their own URL (draft-ietf-oauth-client-id-metadata-document).
//!
//! For: fetching each document rarely, through the one guarded fetcher, and keeping what it says for a while.
//! Must never: believe a document that does not name itself; keep a failure (§4.2 of the draft); fetch without a limit.

use crate::client::{
    ClientAuthentication, ClientError, ClientMetadata, METADATA_BYTES, METADATA_LIMITS, PrivateSchemes,
};
use crate::throttle::{Throttle, TooOften};
use crate::uri::DocumentUrl;
use bytes::Bytes;
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use stockade_core::ports::{Moment, PortFuture};
use stockade_core::wire::{Digest, Document, ReadError, Value};

/// Documents that are kept. One more pushes out the one that was unused for the longest.
pub const DOCUMENTS: usize = 256;
/// Fetches at one time.
pub const FETCHES: usize = 8;
/// Fetches from one host in a minute.
pub const FETCHES_PER_HOST: u32 = 10;
/// Fetches of all hosts in a minute.
pub const FETCHES_OVERALL: u32 = 60;
/// How long a document is kept at most, and where its server says nothing.
pub const DOCUMENT_LIFE: Duration = Duration::from_secs(3_600);
/// How long a document is kept at least: one sign-in needs it twice at most.
pub const DOCUMENT_LIFE_FLOOR: Duration = Duration::from_secs(60);

/// A document as it was fetched, with status 200 and without a redirect.
#[derive(Debug, Clone)]
pub struct FetchedDocument {
    /// The body, at most the limit that was asked for.
    pub body: Bytes,
    /// `Content-Type`.
    pub content_type: Option<String>,
    /// `max-age` of `Cache-Control`; zero for `no-store` and `no-cache`.
    pub max_age: Option<Duration>,
}

/// Why a document could not be fetched. No text of the peer is in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// The address is one that may not be fetched.
    #[error("the address may not be fetched: {reason}")]
    Forbidden {
        /// Why.
        reason: String,
    },
    /// Nothing came, not in time, or not with status 200.
    #[error("it could not be fetched: {reason}")]
    Unavailable {
        /// What was seen.
        reason: String,
    },
    /// More came than may.
    #[error("it is larger than the limit")]
    TooLarge,
}

/// The guarded fetcher: https only, public addresses only, no redirect followed, no cookie or credential sent, a deadline of
/// its own.
pub trait Fetch: Send + Sync {
    /// Fetches one document of at most `limit` bytes.
    ///
    /// # Errors
    /// When it is not there, not in time, too large, or at a place that may not be asked.
    fn fetch<'a>(&'a self, url: &'a DocumentUrl, limit: usize) -> PortFuture<'a, Result<FetchedDocument, FetchError>>;
}

/// Why a document makes no client.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// It could not be fetched.
    #[error("the client's document cannot be had")]
    Fetch {
        /// What the fetcher said.
        #[source]
        cause: FetchError,
    },
    /// Too many fetches.
    #[error("documents are fetched too often")]
    TooOften {
        /// When there is room again.
        wait: Duration,
    },
    /// It is not JSON by its content type.
    #[error("the client's document is not served as JSON")]
    NotServedAsJson,
    /// It is not strict JSON.
    #[error("the client's document is not strict JSON")]
    NotJson {
        /// What is wrong.
        #[source]
        cause: ReadError,
    },
    /// It names another client than its URL.
    #[error("the client's document does not name its own URL as client_id")]
    OtherClient,
    /// What it says cannot be used.
    #[error("the client's document cannot be used")]
    Metadata {
        /// What is wrong.
        #[source]
        cause: ClientError,
    },
}

struct Kept {
    client: Arc<ClientMetadata>,
    until: Moment,
    used: Moment,
}

struct Shelf {
    kept: HashMap<DocumentUrl, Kept>,
    per_host: Throttle<Digest>,
    overall: Throttle<()>,
}

/// The documents of clients.
pub(crate) struct Documents {
    fetch: Arc<dyn Fetch>,
    shelf: Mutex<Shelf>,
    running: AtomicUsize,
}

impl Documents {
    pub(crate) fn new(fetch: Arc<dyn Fetch>) -> Self {
        let minute = Duration::from_secs(60);
        let shelf = Shelf {
            kept: HashMap::new(),
            per_host: Throttle::new(FETCHES_PER_HOST, minute),
            overall: Throttle::new(FETCHES_OVERALL, minute),
        };
        Self { fetch, shelf: Mutex::new(shelf), running: AtomicUsize::new(0) }
    }

    /// What the document at `url` says, from memory or from its server.
    pub(crate) async fn client(
        &self,
        url: &DocumentUrl,
        schemes: &PrivateSchemes,
        now: Moment,
    ) -> Result<Arc<ClientMetadata>, DocumentError> {
        if let Some(client) = self.recall_or_admit(url, now)? {
            return Ok(client);
        }
        let _running = Running::start(&self.running).ok_or(DocumentError::TooOften { wait: Duration::ZERO })?;
        let fetched = self.fetch.fetch(url, METADATA_BYTES).await.map_err(|cause| DocumentError::Fetch { cause })?;
        let client = Arc::new(read(url, &fetched, schemes)?);
        self.keep(url, &client, fetched.max_age, now);
        Ok(client)
    }

    /// The client that is kept; or the permission to fetch it.
    fn recall_or_admit(&self, url: &DocumentUrl, now: Moment) -> Result<Option<Arc<ClientMetadata>>, DocumentError> {
        let mut shelf = self.shelf.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kept) = shelf.kept.get_mut(url).filter(|kept| kept.until > now) {
            kept.used = now;
            return Ok(Some(Arc::clone(&kept.client)));
        }
        let too_often = |TooOften { wait }| DocumentError::TooOften { wait };
        shelf.per_host.take(Digest::of(url.host().as_bytes()), now).map_err(too_often)?;
        shelf.overall.take((), now).map_err(too_often)?;
        Ok(None)
    }

    fn keep(&self, url: &DocumentUrl, client: &Arc<ClientMetadata>, max_age: Option<Duration>, now: Moment) {
        let life = max_age.unwrap_or(DOCUMENT_LIFE).clamp(DOCUMENT_LIFE_FLOOR, DOCUMENT_LIFE);
        let mut shelf = self.shelf.lock().unwrap_or_else(PoisonError::into_inner);
        shelf.kept.retain(|_, kept| kept.until > now);
        if shelf.kept.len() >= DOCUMENTS && !shelf.kept.contains_key(url) {
            let oldest = shelf.kept.iter().min_by_key(|(_, kept)| kept.used).map(|(url, _)| url.clone());
            oldest.and_then(|oldest| shelf.kept.remove(&oldest));
        }
        let until = Moment(now.0.saturating_add(life));
        shelf.kept.insert(url.clone(), Kept { client: Arc::clone(client), until, used: now });
    }
}

fn read(
    url: &DocumentUrl,
    fetched: &FetchedDocument,
    schemes: &PrivateSchemes,
) -> Result<ClientMetadata, DocumentError> {
    let essence = fetched.content_type.as_deref().and_then(|said| said.split(';').next()).unwrap_or_default().trim();
    let lower = essence.to_ascii_lowercase();
    if lower != "application/json" && !(lower.starts_with("application/") && lower.ends_with("+json")) {
        return Err(DocumentError::NotServedAsJson);
    }
    let document =
        Document::read(fetched.body.clone(), &METADATA_LIMITS).map_err(|cause| DocumentError::NotJson { cause })?;
    let root = document.root();
    if root.get("client_id").and_then(Value::as_str).as_deref() != Some(url.as_str()) {
        return Err(DocumentError::OtherClient);
    }
    let metadata = |cause| DocumentError::Metadata { cause };
    let client = ClientMetadata::read(root, ClientAuthentication::None, schemes).map_err(metadata)?;
    // A secret in a public document would be none (§4.1 of the draft).
    if client.authentication != ClientAuthentication::None {
        return Err(metadata(ClientError::Metadata("token_endpoint_auth_method of a document is none here")));
    }
    Ok(client)
}

/// A place among the running fetches; given back also when the fetch is dropped.
struct Running<'r>(&'r AtomicUsize);

impl<'r> Running<'r> {
    fn start(running: &'r AtomicUsize) -> Option<Self> {
        let place = Self(running);
        (running.fetch_add(1, Ordering::AcqRel) < FETCHES).then_some(place)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    /// Counts fetches and serves one body.
    struct Server {
        asked: AtomicUsize,
        body: String,
        content_type: &'static str,
        max_age: Option<Duration>,
    }

    impl Fetch for Server {
        fn fetch<'a>(&'a self, _: &'a DocumentUrl, _: usize) -> PortFuture<'a, Result<FetchedDocument, FetchError>> {
            self.asked.fetch_add(1, Ordering::Relaxed);
            let content_type = Some(self.content_type.to_owned()).filter(|said| !said.is_empty());
            let body = Bytes::from(self.body.clone());
            Box::pin(std::future::ready(Ok(FetchedDocument { body, content_type, max_age: self.max_age })))
        }
    }

    fn ready<T>(future: impl Future<Output = T>) -> T {
        let mut context = Context::from_waker(Waker::noop());
        match pin!(future).poll(&mut context) {
            Poll::Ready(value) => value,
            Poll::Pending => panic!("nothing here waits"),
        }
    }

    fn url(text: &str) -> DocumentUrl {
        DocumentUrl::parse(text).unwrap()
    }

    fn at(seconds: u64) -> Moment {
        Moment(Duration::from_secs(seconds))
    }

    fn body(id: &str) -> String {
        format!(r#"{{"client_id":"{id}","client_name":"A","redirect_uris":["http://127.0.0.1/cb"]}}"#)
    }

    fn server(body: &str, content_type: &'static str, max_age: Option<u64>) -> (Arc<Server>, Documents) {
        let max_age = max_age.map(Duration::from_secs);
        let server = Server { asked: AtomicUsize::new(0), body: body.to_owned(), content_type, max_age };
        let server = Arc::new(server);
        (Arc::clone(&server), Documents::new(server))
    }

    const ID: &str = "https://app.example/client.json";

    fn ask(documents: &Documents, id: &str, now: Moment) -> Result<Arc<ClientMetadata>, DocumentError> {
        ready(documents.client(&url(id), &PrivateSchemes::new(), now))
    }

    #[test]
    fn a_document_is_kept_as_long_as_it_may_be() {
        let times = |max_age, later| {
            let (server, documents) = server(&body(ID), "application/json; charset=utf-8", max_age);
            ask(&documents, ID, at(0)).unwrap();
            ask(&documents, ID, at(later)).unwrap();
            server.asked.load(Ordering::Relaxed)
        };
        assert_eq!(times(None, 3_599), 1);
        assert_eq!(times(None, 3_600), 2);
        assert_eq!(times(Some(999_999), 3_600), 2);
        assert_eq!(times(Some(0), 59), 1);
        assert_eq!(times(Some(0), 60), 2);
        assert_eq!(times(Some(600), 600), 2);
    }

    #[test]
    fn a_document_that_is_not_this_clients_is_none() {
        let refused = |body: &str, content_type: &'static str, reason: &str| {
            let (_, documents) = server(body, content_type, None);
            let error = ask(&documents, ID, at(0)).unwrap_err();
            assert!(error.to_string().contains(reason), "{error} for {body}");
        };
        let json = "application/json";
        refused(&body("https://app.example/other.json"), json, "does not name its own URL");
        refused(&body("https://APP.example/client.json"), json, "does not name its own URL");
        refused(r#"{"redirect_uris":["http://127.0.0.1/cb"]}"#, json, "does not name its own URL");
        refused(&body(ID), "text/html", "not served as JSON");
        refused(&body(ID), "", "not served as JSON");
        refused("<html>", json, "not strict JSON");
        refused(&body(ID).replace("\"client_name\"", "\"client_id\""), json, "not strict JSON");
        let with = |member: &str| body(ID).replacen('{', &format!("{{{member},"), 1);
        refused(&with(r#""token_endpoint_auth_method":"client_secret_basic""#), json, "cannot be used");
        refused(&with(r#""token_endpoint_auth_method":"private_key_jwt""#), json, "cannot be used");
        refused(&with(&format!(r#""x":"{}""#, "y".repeat(METADATA_BYTES))), json, "not strict JSON");
        let (_, documents) = server(&body(ID), "application/vnd.client+json", None);
        assert!(ask(&documents, ID, at(0)).is_ok());
    }

    #[test]
    fn failures_are_not_kept_and_one_host_is_not_hammered() {
        let (server, documents) = server("{}", "application/json", None);
        for number in 0..FETCHES_PER_HOST {
            let error = ask(&documents, &format!("https://app.example/{number}"), at(0)).unwrap_err();
            assert!(matches!(error, DocumentError::OtherClient), "{error}");
        }
        let error = ask(&documents, "https://app.example/more", at(0)).unwrap_err();
        assert!(matches!(error, DocumentError::TooOften { .. }), "{error}");
        assert!(matches!(ask(&documents, ID.replace("app", "b").as_str(), at(0)), Err(DocumentError::OtherClient)));
        assert_eq!(server.asked.load(Ordering::Relaxed), FETCHES_PER_HOST as usize + 1);
    }

    #[test]
    fn the_shelf_and_the_fetches_have_an_end() {
        let (_, documents) = server("", "", None);
        let client = ClientMetadata {
            name: None,
            redirects: Vec::new(),
            authentication: ClientAuthentication::None,
            renewal: crate::words::Renewal::Refresh,
        };
        let client = Arc::new(client);
        for number in 0..DOCUMENTS + 5 {
            documents.keep(&url(&format!("https://h{number}.example/c")), &client, None, at(number as u64));
        }
        let shelf = documents.shelf.lock().unwrap();
        assert_eq!(shelf.kept.len(), DOCUMENTS);
        assert!(!shelf.kept.contains_key(&url("https://h0.example/c")), "the oldest has gone");
        let count = AtomicUsize::new(0);
        let all: Vec<_> = (0..FETCHES).map(|_| Running::start(&count).unwrap()).collect();
        assert!(Running::start(&count).is_none());
        drop(all);
        assert_eq!(count.load(Ordering::Relaxed), 0);
    }
}
