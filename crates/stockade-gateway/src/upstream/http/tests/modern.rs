//! The modern era: the probe, the mirrored headers, the statuses.

use super::bench::{Bench, META, request};
use super::fake::{Fake, Got, Script, data};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use stockade_core::guard::Mirrored;
use stockade_core::mcp::Era;

const DISCOVERED: &str = r#"{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{"tools":{}},"serverInfo":{"name":"s","version":"1"},"ttlMs":0,"cacheScope":"private"}"#;
const RESULT: &str = r#"{"resultType":"complete","content":[{"type":"text","text":"done"}]}"#;

fn tools(tools: &str, more: &str) -> String {
    format!(r#"{{"resultType":"complete","tools":[{tools}],"ttlMs":0,"cacheScope":"private"{more}}}"#)
}

const PLAIN: &str = r#"{"name":"plain","inputSchema":{"type":"object"}}"#;
const QUERY: &str = r#"{"name":"query","inputSchema":{"type":"object","properties":{"region":{"type":"string","x-mcp-header":"Region"},"limit":{"type":"integer","x-mcp-header":"Limit"}}}}"#;

/// An upstream with two pages of tools that answers calls as `on_call` says.
async fn bench(era: Option<Era>, on_call: impl Fn(&Got, usize) -> Script + Send + Sync + 'static) -> Arc<Bench> {
    let calls = AtomicUsize::new(0);
    let handler = move |got: &Got, _| match got.header("mcp-method") {
        Some("server/discover") => Script::json(got.answer(DISCOVERED)),
        Some("tools/list") if got.body.contains(r#""cursor":"p\"2""#) => Script::json(got.answer(&tools(QUERY, ""))),
        Some("tools/list") => Script::json(got.answer(&tools(PLAIN, r#","nextCursor":"p\"2""#))),
        _ => on_call(got, calls.fetch_add(1, Ordering::Relaxed)),
    };
    Bench::new(Fake::start(handler).await, era)
}

async fn call(bench: &Bench, tool: &str, arguments: &str, params: &[(&str, &str)]) -> String {
    let body = request("\"m\"", "tools/call", &format!(r#"{{"name":"{tool}","arguments":{arguments},{META}}}"#));
    let params = params.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let name = stockade_core::mcp::encode_header_value(tool).into_owned();
    let mirrored = Mirrored { method: Some("tools/call".to_owned()), name: Some(name), params };
    bench.carry(body, None, Some(mirrored)).await.0
}

#[tokio::test]
async fn a_call_is_mirrored_and_the_era_asked_for_once() {
    let bench = bench(None, |got, _| Script::json(got.answer(RESULT))).await;
    for tool in ["plain", "gr\u{f6}\u{df}e"] {
        let answer = call(&bench, tool, "{}", &[]).await;
        assert_eq!(answer, format!(r#"{{"jsonrpc":"2.0","id":"m","result":{RESULT}}}"#), "{:?}", bench.reasons());
    }
    assert_eq!(bench.fake.about("server/discover").len(), 1);
    let calls = bench.fake.about("tools/call");
    for (call, name) in calls.iter().zip(["plain", "=?base64?Z3LDtsOfZQ==?="]) {
        assert_eq!(call.header("mcp-protocol-version"), Some("2026-07-28"));
        assert_eq!(call.header("mcp-method"), Some("tools/call"));
        assert_eq!(call.header("mcp-name"), Some(name));
        assert_eq!(call.header("mcp-session-id"), None);
    }
    assert_eq!(
        bench.fake.about("tools/list").len(),
        2,
        "a tool that is not on the list does not have it read again at once"
    );
}

#[tokio::test]
async fn a_legacy_upstream_is_told_from_a_dead_one() {
    let legacy = Fake::start(|_, _| {
        Script::json(r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32000,"message":"no session"}}"#).and_status(400)
    });
    let bench = Bench::new(legacy.await, None);
    for _ in 0..2 {
        let answer = call(&bench, "plain", "{}", &[]).await;
        assert!(answer.contains("-32022") && answer.contains(r#""2025-11-25""#), "{answer}");
    }
    assert_eq!(bench.fake.got().len(), 1, "the answer holds for a while");

    let tired = Fake::start(|got, nth| match nth {
        0 => Script::status(503),
        _ if got.is_about("server/discover") => Script::json(got.answer(DISCOVERED)),
        _ if got.is_about("tools/list") => Script::json(got.answer(&tools(PLAIN, ""))),
        _ => Script::json(got.answer(RESULT)),
    });
    let bench = Bench::new(tired.await, None);
    assert!(call(&bench, "plain", "{}", &[]).await.contains("Server unavailable"));
    bench.assert_reason("not available: HTTP status 503");
    assert!(call(&bench, "plain", "{}", &[]).await.contains("done"));
}

#[tokio::test]
async fn ev_02_parameter_headers_are_compared_with_the_body_and_written_from_it() {
    let bench = bench(Some(Era::Modern), |got, _| Script::json(got.answer(RESULT))).await;
    let (region, limit) = ("mcp-param-region", "mcp-param-limit");
    for (arguments, params, is_sent) in [
        (r#"{"region":"eu","limit":7}"#, &[(region, "eu"), (limit, "7")][..], true),
        (
            r#"{"region":"eu","limit":7}"#,
            &[(region, "=?base64?ZXU=?="), (limit, "7.0"), ("mcp-param-other", "x")],
            true,
        ),
        (r#"{"region":null}"#, &[], true),
        (r#"{"region":"eu"}"#, &[(region, "us")], false),
        (r#"{"region":"eu"}"#, &[], false),
        (r#"{}"#, &[(region, "eu")], false),
        (r#"{"region":null}"#, &[(region, "")], false),
        (r#"{"region":"eu"}"#, &[(region, "eu"), (region, "us")], false),
        (r#"{"limit":7}"#, &[(limit, "8")], false),
        (r#"{"region":"eu"}"#, &[(region, "=?base64?!?=")], false),
    ] {
        let before = bench.fake.about("tools/call").len();
        let answer = call(&bench, "query", arguments, params).await;
        let sent = bench.fake.about("tools/call");
        assert_eq!(answer.contains("done"), is_sent, "{arguments} {params:?}: {answer}");
        assert_eq!(answer.contains("-32020"), !is_sent, "{arguments} {params:?}: {answer}");
        assert_eq!(sent.len(), before + usize::from(is_sent), "{arguments} {params:?}");
    }
    let sent = bench.fake.about("tools/call");
    let params = |got: &Got| {
        ["region", "limit", "other"].map(|name| got.header(&format!("mcp-param-{name}")).map(str::to_owned))
    };
    assert_eq!(params(&sent[0]), [Some("eu".into()), Some("7".into()), None]);
    assert_eq!(params(&sent[1]), [Some("eu".into()), Some("7".into()), Some("x".into())]);
    assert_eq!(params(&sent[2]), [None, None, None]);
    assert_eq!(bench.fake.about("tools/list").len(), 2, "one list of two pages for all");
    assert!(bench.fake.about("server/discover").is_empty(), "the configuration has said which era");
}

#[tokio::test]
async fn without_a_list_the_clients_parameter_headers_go_on() {
    let handler = |got: &Got, _| match got.header("mcp-method") {
        Some("tools/list") => Script::status(500),
        _ => Script::json(got.answer(RESULT)),
    };
    let bench = Bench::new(Fake::start(handler).await, Some(Era::Modern));
    for _ in 0..2 {
        assert!(call(&bench, "query", r#"{"region":"eu"}"#, &[("mcp-param-region", "us")]).await.contains("done"));
    }
    assert!(bench.fake.about("tools/call").iter().all(|call| call.header("mcp-param-region") == Some("us")));
    assert_eq!(bench.fake.about("tools/list").len(), 1, "a failure is not repeated at once");
}

#[tokio::test]
async fn errors_with_a_status_reach_the_client_as_errors() {
    let bench = bench(Some(Era::Modern), |got, nth| {
        let error = |code: i32, id: &str, data: &str| {
            Script::json(format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":{code},"message":"no"{data}}}}}"#))
        };
        let number = got.number().to_string();
        match nth {
            0 => error(-32601, &number, "").and_status(404),
            1 => error(-32602, "null", "").and_status(400),
            2 => error(-32602, "99", "").and_status(400),
            _ => Script::status(404),
        }
    })
    .await;
    for expected in [
        r#""code":-32601,"message":"no""#,
        r#""code":-32602,"message":"no""#,
        "Server unavailable",
        "Server unavailable",
    ] {
        let answer = call(&bench, "plain", "{}", &[]).await;
        assert!(answer.contains(expected) && answer.contains(r#""id":"m""#), "{expected}: {answer}");
    }
    assert_eq!(bench.fake.about("tools/call").len(), 4, "404 means nothing else in this era");
}

#[tokio::test]
async fn who_stops_waiting_closes_the_connection_and_says_nothing() {
    let bench = bench(Some(Era::Modern), |_, _| Script::events([]).held()).await;
    let running = tokio::spawn({
        let bench = Arc::clone(&bench);
        async move { call(&bench, "plain", "{}", &[]).await }
    });
    bench.fake.wait_for(|got| got.is_about("tools/call")).await;
    running.abort();
    bench.fake.wait_for_abandoned().await;
    assert!(bench.fake.about("notifications/cancelled").is_empty());
}

#[tokio::test]
async fn a_subscription_brings_only_what_is_marked_as_its_own() {
    let bench = bench(Some(Era::Modern), |got, _| {
        let number = got.number();
        let changed = |id: u32, method: &str, more: &str| {
            data(format!(r#"{{"jsonrpc":"2.0","method":"notifications/{method}","params":{{"_meta":{{"io.modelcontextprotocol/subscriptionId":{id}}}{more}}}}}"#))
        };
        Script::events([
            changed(number, "subscriptions/acknowledged", r#","notifications":{"toolsListChanged":true}"#),
            changed(number + 1, "tools/list_changed", ""),
            data(r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#),
            changed(number, "tools/list_changed", ""),
            data(format!(r#"{{"jsonrpc":"2.0","method":"notifications/cancelled","params":{{"requestId":{number}}}}}"#)),
        ])
        .held()
    })
    .await;
    let body =
        request("\"s\"", "subscriptions/listen", &format!(r#"{{"notifications":{{"toolsListChanged":true}},{META}}}"#));
    let mirrored = Mirrored { method: Some("subscriptions/listen".to_owned()), name: None, params: Vec::new() };
    let (answer, shown) = bench.carry(body, None, Some(mirrored)).await;
    assert!(answer.contains("Server unavailable"), "{answer}");
    bench.assert_reason("it has ended the subscription");
    assert_eq!(shown.messages.len(), 2, "{:?}", shown.messages);
    assert!(shown.messages.iter().all(|message| message.contains(r#""io.modelcontextprotocol/subscriptionId":"s""#)));
    assert_eq!(bench.reasons().iter().filter(|reason| reason.contains("of another subscription")).count(), 2);
}
