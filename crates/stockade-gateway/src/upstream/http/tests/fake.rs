//! An HTTP server that records what it gets and answers as its script says.

use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt};
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// A request as it arrived.
#[derive(Debug, Clone)]
pub(super) struct Got {
    pub(super) method: String,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
}

impl Got {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// The number of a request of ours.
    pub(super) fn number(&self) -> u32 {
        let (_, rest) = self.body.split_once(r#""id":"#).unwrap_or_else(|| panic!("no id in {}", self.body));
        rest.chars().take_while(char::is_ascii_digit).collect::<String>().parse().unwrap()
    }

    pub(super) fn is_about(&self, method: &str) -> bool {
        self.body.contains(&format!(r#""method":"{method}""#))
    }

    pub(super) fn answer(&self, result: &str) -> String {
        format!(r#"{{"jsonrpc":"2.0","id":{},"result":{result}}}"#, self.number())
    }
}

/// What the script says.
pub(super) struct Script {
    status: u16,
    headers: Vec<(&'static str, String)>,
    pieces: Vec<String>,
    /// The body goes on for ever after its pieces.
    is_held: bool,
}

impl Script {
    pub(super) fn status(status: u16) -> Self {
        Self { status, headers: Vec::new(), pieces: Vec::new(), is_held: false }
    }

    pub(super) fn json(body: impl Into<String>) -> Self {
        Self { pieces: vec![body.into()], ..Self::status(200) }.with("content-type", "application/json")
    }

    /// Each event is `fields` without the line ends after it.
    pub(super) fn events(events: impl IntoIterator<Item = String>) -> Self {
        let pieces = events.into_iter().map(|event| format!("{event}\n\n")).collect();
        Self { pieces, ..Self::status(200) }.with("content-type", "text/event-stream")
    }

    pub(super) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(super) fn and_status(self, status: u16) -> Self {
        Self { status, ..self }
    }

    pub(super) fn held(self) -> Self {
        Self { is_held: true, ..self }
    }
}

pub(super) fn data(message: impl std::fmt::Display) -> String {
    format!("data: {message}")
}

type Handler = Arc<dyn Fn(&Got, usize) -> Script + Send + Sync>;

/// The server. It ends when it is dropped.
pub(super) struct Fake {
    pub(super) address: SocketAddr,
    got: watch::Receiver<Vec<Got>>,
    /// Bodies that were held and given up by us.
    abandoned: watch::Receiver<usize>,
    _tasks: JoinSet<()>,
}

#[derive(Clone)]
struct State {
    handler: Handler,
    got: Arc<Mutex<watch::Sender<Vec<Got>>>>,
    abandoned: Arc<watch::Sender<usize>>,
}

impl Fake {
    /// `handler` gets each request and how many came before it.
    pub(super) async fn start(handler: impl Fn(&Got, usize) -> Script + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (got_sender, got) = watch::channel(Vec::new());
        let (abandoned_sender, abandoned) = watch::channel(0);
        let state = State {
            handler: Arc::new(handler),
            got: Arc::new(Mutex::new(got_sender)),
            abandoned: Arc::new(abandoned_sender),
        };
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                let state = state.clone();
                connections.spawn(async move {
                    let service = service_fn(move |request| answer(request, state.clone()));
                    // How a connection ends is the client's choice.
                    let _ = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(socket), service)
                        .await;
                });
            }
        });
        Self { address, got, abandoned, _tasks: tasks }
    }

    pub(super) fn got(&self) -> Vec<Got> {
        self.got.borrow().clone()
    }

    pub(super) fn about(&self, method: &str) -> Vec<Got> {
        self.got().into_iter().filter(|got| got.is_about(method)).collect()
    }

    /// Waits until some request fulfils the condition.
    pub(super) async fn wait_for(&self, condition: impl Fn(&Got) -> bool) -> Got {
        let mut got = self.got.clone();
        let found = got.wait_for(|all| all.iter().any(&condition));
        let all = tokio::time::timeout(super::bench::PATIENCE, found).await.expect("the request never came").unwrap();
        all.iter().find(|got| condition(got)).cloned().unwrap()
    }

    /// Waits until a held body was given up.
    pub(super) async fn wait_for_abandoned(&self) {
        let mut abandoned = self.abandoned.clone();
        tokio::time::timeout(super::bench::PATIENCE, abandoned.wait_for(|count| *count > 0)).await.unwrap().unwrap();
    }
}

/// Tells when the body that holds it is dropped.
struct Held(Arc<watch::Sender<usize>>);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count += 1);
    }
}

async fn answer(
    request: Request<Incoming>,
    state: State,
) -> Result<Response<StreamBody<BoxStream<'static, Result<Frame<Bytes>, Infallible>>>>, Infallible> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let got =
        Got { method: head.method.to_string(), headers: head.headers, body: String::from_utf8(body.to_vec()).unwrap() };
    let before = {
        let sender = state.got.lock().unwrap();
        let before = sender.borrow().len();
        sender.send_modify(|all| all.push(got.clone()));
        before
    };
    let script = (state.handler)(&got, before);
    let mut response = Response::builder().status(script.status);
    for (name, value) in script.headers {
        response = response.header(name, value);
    }
    let pieces = stream::iter(script.pieces).map(|piece| Ok(Frame::data(Bytes::from(piece))));
    let body = if script.is_held {
        let held = Held(state.abandoned);
        let forever = stream::once(async move {
            let _held = held;
            std::future::pending::<Result<Frame<Bytes>, Infallible>>().await
        });
        pieces.chain(forever).boxed()
    } else {
        pieces.boxed()
    };
    Ok(response.body(StreamBody::new(body)).unwrap())
}
