//! The legacy era: sessions, streams, what the upstream asks, what it says beside requests.

use super::bench::{Bench, MESSAGE_BYTES, PATIENCE, request};
use super::fake::{Fake, Got, Script, data};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use stockade_core::ports::UpstreamError;

const HELLO: &str =
    r#"{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"s","version":"1"}}"#;
const RESULT: &str = r#"{"content":[{"type":"text","text":"done"}]}"#;

fn call(id: &str) -> String {
    request(id, "tools/call", r#"{"name":"t","arguments":{},"_meta":{"progressToken":"mine"}}"#)
}

fn hello(got: &Got) -> Script {
    Script::json(got.answer(HELLO)).with("mcp-session-id", "theirs-1")
}

/// An upstream whose session is `theirs-1` and that answers calls as `on_call` says.
async fn bench(on_call: impl Fn(&Got, usize) -> Script + Send + Sync + 'static) -> Arc<Bench> {
    let calls = AtomicUsize::new(0);
    let handler = move |got: &Got, _| match got.method.as_str() {
        "POST" if got.is_about("initialize") => hello(got),
        "POST" if got.is_about("tools/call") => on_call(got, calls.fetch_add(1, Ordering::Relaxed)),
        "GET" if got.header("last-event-id").is_some() => on_call(got, calls.fetch_add(1, Ordering::Relaxed)),
        "GET" => Script::status(405),
        _ => Script::status(202),
    };
    Bench::new(Fake::start(handler).await, None)
}

#[tokio::test]
async fn a_call_goes_out_in_the_upstreams_session_and_comes_back_under_the_clients_id() {
    let bench = bench(|got, _| Script::json(got.answer(RESULT))).await;
    let session = bench.shake_hands().await;
    let (answer, _) = bench.carry(call(r#""a""#), Some(&session), None).await;
    assert_eq!(answer, format!(r#"{{"jsonrpc":"2.0","id":"a","result":{RESULT}}}"#));

    let got = bench.fake.got();
    let (hello, call) = (&got[0], &got[1]);
    assert_eq!((hello.header("mcp-session-id"), hello.header("mcp-protocol-version")), (None, None));
    assert_eq!(call.header("mcp-session-id"), Some("theirs-1"));
    assert_eq!(call.header("mcp-protocol-version"), Some("2025-11-25"));
    for got in [hello, call] {
        assert_eq!(got.header("accept"), Some("application/json, text/event-stream"));
        assert_eq!(got.header("accept-encoding"), Some("identity"));
        assert_eq!(got.header("content-type"), Some("application/json"));
        assert_eq!(got.header("authorization"), Some("Bearer ours"));
        assert_eq!(got.headers.get_all("accept").iter().count(), 1);
    }
    assert!(call.body.contains(&format!(r#""progressToken":{}"#, call.number())));
    assert_ne!(hello.number(), call.number());

    bench.close().await;
    let farewell = bench.fake.wait_for(|got| got.method == "DELETE").await;
    assert_eq!(farewell.header("mcp-session-id"), Some("theirs-1"));
}

#[tokio::test]
async fn pa_21_a_stream_brings_its_own_progress_and_answer_and_nothing_else() {
    let bench = bench(|got, _| {
        let number = got.number();
        let progress = |token: u32| {
            data(format!(r#"{{"jsonrpc":"2.0","method":"notifications/progress","params":{{"progressToken":{token},"progress":1}}}}"#))
        };
        Script::events([
            "id: 1\ndata:".to_owned(),
            progress(number + 1),
            progress(number),
            "event: other\ndata: no message".to_owned(),
            data(format!(r#"{{"jsonrpc":"2.0","id":{},"result":{{"content":[]}}}}"#, number + 1)),
            data(format!(r#"{{"jsonrpc":"2.0","id":"{number}","result":{{"content":[]}}}}"#)),
            data(got.answer(RESULT)),
        ])
    })
    .await;
    let session = bench.shake_hands().await;
    let (answer, shown) = bench.carry(call("7"), Some(&session), None).await;
    assert_eq!(answer, format!(r#"{{"jsonrpc":"2.0","id":7,"result":{RESULT}}}"#));
    assert_eq!(shown.messages.len(), 1, "{:?}", shown.messages);
    assert!(shown.messages[0].contains(r#""progressToken":"mine""#));
    bench.assert_reason("progress of another request");
    assert_eq!(bench.reasons().iter().filter(|reason| reason.contains("answer to another request")).count(), 2);
}

#[tokio::test]
async fn what_is_no_answer_is_refused_and_the_next_call_works() {
    let bench = bench(|got, nth| match nth {
        0 => Script::json(format!(r#"{{"jsonrpc":"2.0","id":{},"result":{RESULT}}}"#, got.number() + 1)),
        1 => Script::json(
            got.answer(&format!(r#"{{"content":[{{"type":"text","text":"{}"}}]}}"#, "x".repeat(MESSAGE_BYTES))),
        ),
        2 => Script::events([data(got.answer(&format!(r#"{{"a":"{}"}}"#, "x".repeat(2 * MESSAGE_BYTES))))]).held(),
        3 => Script::json(got.answer(RESULT)).with("content-encoding", "gzip"),
        4 => Script::status(202),
        5 => Script::status(302).with("location", "/elsewhere"),
        6 => Script::status(500),
        7 => Script::events([data("{")]),
        8 => Script::events([]),
        _ => Script::json(got.answer(RESULT)),
    })
    .await;
    let session = bench.shake_hands().await;
    for (said, reason) in [
        ("Server unavailable", "its answer is not to this request"),
        ("Result withheld", "sent more than 65536 bytes"),
        ("Result withheld", "sent more than 65536 bytes"),
        ("Server unavailable", "a compressed body"),
        ("Server unavailable", "does not answer it"),
        ("Server unavailable", "HTTP status 302"),
        ("Server unavailable", "HTTP status 500"),
        ("Server unavailable", "no message"),
        ("Server unavailable", "the stream ended without an answer"),
    ] {
        let (answer, _) = bench.carry(call("1"), Some(&session), None).await;
        assert!(answer.contains(said), "{reason}: {answer}");
        bench.assert_reason(reason);
    }
    assert!(bench.carry(call("1"), Some(&session), None).await.0.contains("done"));
    // Nothing was sent twice: nine that failed and one that did not.
    assert_eq!(bench.fake.about("tools/call").len(), 10);
}

#[tokio::test]
async fn an_expired_session_is_opened_again_once_and_each_request_repeated_once() {
    let sessions = AtomicUsize::new(0);
    let handler = move |got: &Got, _| {
        if got.is_about("initialize") {
            let number = sessions.fetch_add(1, Ordering::Relaxed) + 1;
            return Script::json(got.answer(HELLO)).with("mcp-session-id", format!("theirs-{number}"));
        }
        match got.header("mcp-session-id") {
            Some("theirs-1") => Script::status(404),
            _ if got.is_about("tools/call") => Script::json(got.answer(RESULT)),
            _ => Script::status(202),
        }
    };
    let bench = Bench::new(Fake::start(handler).await, None);
    let session = bench.shake_hands().await;
    let answers = futures_util::future::join_all((0..8).map(|id| {
        let (bench, session) = (&bench, &session);
        async move { bench.carry(call(&id.to_string()), Some(session), None).await }
    }))
    .await;
    for (id, (answer, _)) in answers.iter().enumerate() {
        assert_eq!(*answer, format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{RESULT}}}"#));
    }
    let handshakes = bench.fake.about("initialize");
    assert_eq!(handshakes.len(), 2);
    assert_ne!(handshakes[0].number(), handshakes[1].number());
    assert!(handshakes[1].header("mcp-session-id").is_none());
    let initialized = bench.fake.about("notifications/initialized");
    assert_eq!(initialized.len(), 1);
    assert_eq!(initialized[0].header("mcp-session-id"), Some("theirs-2"));
    let calls = bench.fake.about("tools/call");
    assert!(calls.iter().filter(|call| call.header("mcp-session-id") == Some("theirs-2")).count() == 8);
}

#[tokio::test]
async fn a_session_that_is_gone_again_ends_the_request() {
    let bench = bench(|_, _| Script::status(404)).await;
    let session = bench.shake_hands().await;
    let (answer, _) = bench.carry(call("1"), Some(&session), None).await;
    assert!(answer.contains("Server unavailable"), "{answer}");
    assert_eq!((bench.fake.about("initialize").len(), bench.fake.about("tools/call").len()), (2, 2));
}

#[tokio::test]
async fn a_stream_that_breaks_off_is_taken_up_where_it_was() {
    let number = Arc::new(AtomicUsize::new(0));
    let bench = bench(move |got, nth| match nth {
        0 => {
            number.store(got.number() as usize, Ordering::Relaxed);
            Script::events(["id: first\nretry: 0\ndata:".to_owned()])
        }
        1 => Script::status(503),
        2 => Script::events(["id: second\ndata:".to_owned()]),
        _ => Script::events([data(format!(
            r#"{{"jsonrpc":"2.0","id":{},"result":{RESULT}}}"#,
            number.load(Ordering::Relaxed)
        ))]),
    })
    .await;
    let session = bench.shake_hands().await;
    let (answer, shown) = bench.carry(call("1"), Some(&session), None).await;
    assert!(answer.contains("done"), "{answer} {:?}", bench.reasons());
    // One pause for each gap, not for each attempt.
    assert_eq!(shown.pauses, [Some(Duration::ZERO), Some(Duration::ZERO)]);
    let resumed: Vec<_> = bench.fake.got().into_iter().filter(|got| got.method == "GET").collect();
    let ids: Vec<_> = resumed.iter().map(|got| got.header("last-event-id").unwrap()).collect();
    assert_eq!(ids, ["first", "first", "second"]);
    assert!(resumed.iter().all(|got| got.header("mcp-session-id") == Some("theirs-1")));
    assert_eq!(bench.fake.about("tools/call").len(), 1);
}

#[tokio::test]
async fn who_stops_waiting_cancels_by_the_number_the_upstream_knows() {
    let bench = bench(|_, _| Script::events([]).held()).await;
    let session = bench.shake_hands().await;
    let running = tokio::spawn({
        let (bench, session) = (Arc::clone(&bench), session.clone());
        async move { bench.carry(call(r#""a""#), Some(&session), None).await }
    });
    let call = bench.fake.wait_for(|got| got.is_about("tools/call")).await;
    running.abort();
    let cancelled = bench.fake.wait_for(|got| got.is_about("notifications/cancelled")).await;
    assert!(cancelled.body.contains(&format!(r#""requestId":{},"#, call.number())), "{}", cancelled.body);
    assert_eq!(cancelled.header("mcp-session-id"), Some("theirs-1"));
    bench.fake.wait_for_abandoned().await;
}

#[tokio::test]
async fn a_handshake_is_never_cancelled() {
    let fake = Fake::start(|_, _| Script::events([]).held()).await;
    let bench = Bench::new(fake, None);
    let running = tokio::spawn({
        let bench = Arc::clone(&bench);
        async move { bench.shake_hands().await }
    });
    bench.fake.wait_for(|got| got.is_about("initialize")).await;
    running.abort();
    bench.fake.wait_for_abandoned().await;
    assert_eq!(bench.fake.got().len(), 1);
}

#[tokio::test]
async fn what_the_upstream_asks_is_answered_under_its_own_id() {
    let bench = bench(|_, _| {
        let question = r#"{"jsonrpc":"2.0","id":"theirs","method":"elicitation/create","params":{"message":"?","requestedSchema":{"type":"object","properties":{}}}}"#;
        // The second is none that a server may make.
        let calling = r#"{"jsonrpc":"2.0","id":5,"method":"tools/call","params":{"name":"t"}}"#;
        Script::events([data(question), data(calling)]).held()
    })
    .await;
    let session = bench.shake_hands().await;
    let (live, mut shown) = tokio::sync::mpsc::unbounded_channel();
    let running = tokio::spawn({
        let (bench, session) = (Arc::clone(&bench), session.clone());
        async move { bench.carry_live(call("1"), &session, live).await }
    });
    let asked = tokio::time::timeout(PATIENCE, shown.recv()).await.unwrap().unwrap();
    assert!(asked.contains("elicitation/create") && !asked.contains("theirs"), "{asked}");
    let (_, rest) = asked.split_once(r#""id":"#).unwrap();
    let id: String = rest.chars().take_while(char::is_ascii_digit).collect();
    let said = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"action":"decline"}}}}"#);
    bench.carry(said.clone(), Some(&session), None).await;
    let answer = bench.fake.wait_for(|got| got.body.contains("decline")).await;
    assert_eq!(answer.body, said.replace(&format!(r#""id":{id}"#), r#""id":"theirs""#));

    let refusal = bench.fake.wait_for(|got| got.body.contains("-32603")).await;
    assert!(refusal.body.contains(r#""id":5,"#), "{}", refusal.body);
    for got in [answer, refusal] {
        assert_eq!(got.header("mcp-session-id"), Some("theirs-1"));
    }
    running.abort();
}

#[tokio::test]
async fn what_is_said_beside_requests_reaches_the_session_and_the_stream_is_taken_up() {
    let streams = AtomicUsize::new(0);
    let handler = move |got: &Got, _| match got.method.as_str() {
        "POST" if got.is_about("initialize") => hello(got),
        "GET" => match streams.fetch_add(1, Ordering::Relaxed) {
            0 => Script::events([
                "retry: 0".to_owned(),
                format!("id: e1\n{}", data(r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#)),
                data(r#"{"jsonrpc":"2.0","id":1,"result":{}}"#),
            ]),
            1 => Script::events([data(r#"{"jsonrpc":"2.0","method":"notifications/prompts/list_changed"}"#)]),
            _ => Script::status(405),
        },
        _ => Script::status(202),
    };
    let bench = Bench::new(Fake::start(handler).await, None);
    let session = bench.shake_hands().await;
    let (outbox, mut delivered) = tokio::sync::mpsc::channel(8);
    bench.session(&session).set_outbox(outbox);
    bench.carry(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#, Some(&session), None).await;
    for expected in ["notifications/tools/list_changed", "notifications/prompts/list_changed"] {
        let message = tokio::time::timeout(PATIENCE, delivered.recv()).await.unwrap().unwrap();
        assert!(String::from_utf8_lossy(message.bytes()).contains(expected));
    }
    let resumed = bench.fake.wait_for(|got| got.method == "GET" && got.header("last-event-id").is_some()).await;
    assert_eq!(resumed.header("last-event-id"), Some("e1"));
    bench.assert_reason("an answer beside requests");
    bench.close().await;
}

#[tokio::test]
async fn an_upstream_without_that_stream_is_not_asked_again_and_keeps_its_session() {
    for status in [405, 404] {
        let handler = move |got: &Got, _| match got.method.as_str() {
            "POST" if got.is_about("initialize") => hello(got),
            "POST" if got.is_about("tools/call") => Script::json(got.answer(RESULT)),
            "GET" => Script::status(status),
            _ => Script::status(202),
        };
        let bench = Bench::new(Fake::start(handler).await, None);
        let session = bench.shake_hands().await;
        for _ in 0..2 {
            bench.carry(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#, Some(&session), None).await;
            bench.fake.wait_for(|got| got.method == "GET").await;
        }
        assert!(bench.carry(call("1"), Some(&session), None).await.0.contains("done"));
        let got = bench.fake.got();
        assert_eq!(got.iter().filter(|got| got.method == "GET").count(), 1, "{status}");
        assert_eq!(bench.fake.about("initialize").len(), 1, "{status}");
    }
}

#[tokio::test]
async fn a_secure_upstream_is_never_spoken_to_in_the_clear() {
    let fake = Fake::start(|_, _| Script::status(200)).await;
    let request = |scheme: &str| {
        let url = format!("{scheme}://{}/", fake.address);
        http::Request::post(url).body(http_body_util::Full::new(bytes::Bytes::new())).unwrap()
    };
    let client = super::super::HttpClient::new(crate::tls::UpstreamTls::default());
    let error = client.send(request("https")).await.err();
    assert!(matches!(error, Some(UpstreamError::Unavailable { .. })), "{error:?}");
    assert!(fake.got().is_empty());
    assert_eq!(client.send(request("http")).await.unwrap().status(), 200);
}
