//! The merged route from end to end: the real road and servers that play by a script.

mod fixture;

use fixture::{Bench, Line, modern, own_tools};
use stockade_core::mcp::Revision;
use stockade_core::ports::Upstreams;
use stockade_core::wire::Value;

const LEGACY: Revision = Revision::V2025_11_25;

fn names(answer: &stockade_core::wire::Document, list: &str, key: &str) -> Vec<String> {
    let entries = answer.root().at(&["result", list]).and_then(Value::as_array).expect("a list");
    entries.elements().map(|entry| entry.get(key).unwrap().as_str().unwrap().into_owned()).collect()
}

fn code(answer: &stockade_core::wire::Document) -> Option<i64> {
    answer.root().at(&["error", "code"]).and_then(Value::as_i64)
}

#[tokio::test(start_paused = true)]
async fn a_server_that_hangs_or_is_dead_or_lies_is_left_out_and_fails_nobody() {
    let bench = Bench::new(&["alpha", "dead", "hangs", "lies", "zeta"], LEGACY);
    bench.script("zeta", "tools/list", &[Line::Answer(own_tools(&["b", "a"]))]);
    bench.script("alpha", "tools/list", &[Line::Answer(own_tools(&["x", "forbidden"]))]);
    bench.script("hangs", "tools/list", &[Line::Hang]);
    bench.script("dead", "tools/list", &[Line::Break]);
    bench.script("lies", "tools/list", &[Line::Answer(r#"{"tools":[{"name":"t"}]}"#.to_owned())]);
    let before = tokio::time::Instant::now();
    let answer = bench.ask("tools/list", "{}").await;
    assert_eq!(names(&answer, "tools", "name"), ["alpha__x", "zeta__b", "zeta__a"]);
    assert_eq!(answer.root().get("id").unwrap().raw(), r#""q""#);
    assert_eq!(before.elapsed().as_secs(), 10);
}

#[tokio::test(start_paused = true)]
async fn when_no_server_answers_the_caller_hears_so() {
    let bench = Bench::new(&["alpha", "zeta"], LEGACY);
    bench.script("alpha", "tools/list", &[Line::Break]);
    bench.script("zeta", "tools/list", &[Line::Hang]);
    assert_eq!(code(&bench.ask("tools/list", "{}").await), Some(-32603));
    for server in ["alpha", "zeta"] {
        bench.script(server, "prompts/list", &[Line::Error(-32601)]);
    }
    assert_eq!(names(&bench.ask("prompts/list", "{}").await, "prompts", "name"), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_page_that_follows_asks_only_the_servers_whose_lists_go_on() {
    let bench = Bench::new(&["alpha", "zeta"], LEGACY);
    let more = own_tools(&["x"]).replace("\"tools\"", "\"nextCursor\":\"\",\"tools\"");
    bench.script("alpha", "tools/list", &[Line::Answer(more)]);
    bench.script("zeta", "tools/list", &[Line::Answer(own_tools(&["y"]))]);
    let first = bench.ask("tools/list", "{}").await;
    assert_eq!(names(&first, "tools", "name"), ["alpha__x", "zeta__y"]);
    let cursor = first.root().at(&["result", "nextCursor"]).unwrap().raw().to_owned();
    bench.script("alpha", "tools/list", &[Line::Answer(own_tools(&["z"]))]);
    let second = bench.ask("tools/list", &format!(r#"{{"cursor":{cursor}}}"#)).await;
    assert_eq!(names(&second, "tools", "name"), ["alpha__z"]);
    assert!(second.root().at(&["result", "nextCursor"]).is_none());
    assert!(bench.received("alpha").last().unwrap().contains(r#""cursor":"""#));
    assert_eq!((bench.received("alpha").len(), bench.received("zeta").len()), (2, 1));
    for (method, cursor) in [("prompts/list", cursor.as_str()), ("tools/list", r#""""#), ("tools/list", r#""made-up""#)]
    {
        let refused = bench.ask(method, &format!(r#"{{"cursor":{cursor}}}"#)).await;
        assert_eq!(code(&refused), Some(-32602), "{method} {cursor}");
    }
    assert_eq!((bench.received("alpha").len(), bench.received("zeta").len()), (2, 1), "a bad cursor reaches nobody");
    bench.script("alpha", "tools/list", &[Line::Error(-32602)]);
    assert_eq!(code(&bench.ask("tools/list", &format!(r#"{{"cursor":{cursor}}}"#)).await), Some(-32602));
    bench.pass(std::time::Duration::from_secs(3600)).await;
    assert_eq!(code(&bench.ask("tools/list", &format!(r#"{{"cursor":{cursor}}}"#)).await), Some(-32602));
    assert_eq!(bench.received("alpha").len(), 3, "an old cursor reaches nobody");
}

#[tokio::test(start_paused = true)]
async fn a_resource_is_shown_once_and_belongs_to_who_showed_it_first() {
    let bench = Bench::new(&["files", "shadow"], LEGACY);
    let list = |uris: &[&str]| {
        let entries: Vec<_> = uris.iter().map(|uri| format!(r#"{{"uri":"{uri}","name":"n"}}"#)).collect();
        Line::Answer(format!(r#"{{"resources":[{}]}}"#, entries.join(",")))
    };
    bench.script("files", "resources/list", &[list(&["file:///a"])]);
    bench.script("shadow", "resources/list", &[list(&["file:///a", "file:///b"])]);
    let answer = bench.ask("resources/list", "{}").await;
    assert_eq!(names(&answer, "resources", "uri"), ["file:///a", "file:///b"]);
    let owner = |uri| bench.servers.owner_of(&bench.session.caller, uri).map(|server| server.to_string());
    assert_eq!(owner("file:///a").as_deref(), Some("files"));
    assert_eq!(owner("file:///b").as_deref(), Some("shadow"));
    assert_eq!(owner("file:///c"), None);
}

#[tokio::test(start_paused = true)]
async fn a_server_may_ask_the_client_while_it_lists() {
    let bench = Bench::new(&["alpha", "zeta"], LEGACY);
    let ask = r#"{"jsonrpc":"2.0","id":1,"method":"roots/list"}"#.to_owned();
    let progress = r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":7,"progress":1}}"#;
    bench.script(
        "alpha",
        "tools/list",
        &[Line::Message(progress.to_owned()), Line::Request(ask), Line::Answer(own_tools(&["x"]))],
    );
    bench.script("zeta", "tools/list", &[Line::Answer(own_tools(&["y"]))]);
    let answer = bench.ask("tools/list", r#"{"_meta":{"progressToken":"p"}}"#).await;
    assert_eq!(names(&answer, "tools", "name"), ["alpha__x", "zeta__y"]);
    let told = bench.told();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("roots/list"), "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn a_request_that_the_road_refuses_is_answered_to_its_server() {
    let bench = Bench::new(&["alpha", "zeta"], LEGACY);
    let ask =
        r#"{"jsonrpc":"2.0","id":"own","method":"sampling/createMessage","params":{"messages":[],"maxTokens":1}}"#;
    bench.script("alpha", "tools/list", &[Line::Request(ask.to_owned()), Line::Answer(own_tools(&["x"]))]);
    bench.script("zeta", "tools/list", &[Line::Answer(own_tools(&[]))]);
    bench.ask("tools/list", "{}").await;
    let back = bench.received("alpha");
    assert!(back.last().unwrap().contains(r#""id":"own""#) && back.last().unwrap().contains("1001"), "{back:?}");
    assert_eq!(bench.told().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_handshake_is_answered_in_our_own_name() {
    let bench = Bench::new(&["alpha", "asks", "evil", "hangs", "odd"], LEGACY);
    let hello = |capabilities: &str, revision: &str| {
        Line::Answer(format!(
            r#"{{"protocolVersion":"{revision}","capabilities":{capabilities},"serverInfo":{{"name":"obey","version":"1"}},"instructions":"obey"}}"#
        ))
    };
    bench.script("alpha", "initialize", &[hello(r#"{"tools":{}}"#, "2025-11-25")]);
    let ping = Line::Request(r#"{"jsonrpc":"2.0","id":5,"method":"ping"}"#.to_owned());
    let roots = Line::Request(r#"{"jsonrpc":"2.0","id":6,"method":"roots/list"}"#.to_owned());
    bench.script("asks", "initialize", &[ping, roots, hello(r#"{"resources":{"subscribe":true}}"#, "2025-06-18")]);
    bench.script("evil", "initialize", &[hello(r#"{"tools":{"listChanged":true},"tasks":{}}"#, "2025-11-25")]);
    bench.script("hangs", "initialize", &[Line::Hang]);
    bench.script("odd", "initialize", &[hello(r#"{"prompts":{}}"#, "2031-01-01")]);
    let params = r#"{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"c","version":"1"}}"#;
    let answer = bench.ask("initialize", params).await;
    let result = answer.root().get("result").unwrap();
    assert_eq!(result.get("protocolVersion").unwrap().raw(), r#""2025-11-25""#);
    assert_eq!(
        result.get("capabilities").unwrap().raw(),
        r#"{"resources":{"subscribe":true},"tools":{"listChanged":true}}"#
    );
    assert!(result.at(&["serverInfo", "name"]).unwrap().raw() == r#""stockade""# && !result.raw().contains("obey"));
    let back = bench.received("asks");
    assert!(back.iter().any(|line| line.contains(r#""id":5,"result":{}"#)), "{back:?}");
    assert!(back.iter().any(|line| line.contains(r#""id":6,"error""#)), "{back:?}");
    assert_eq!(bench.told().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_ping_is_ours_and_a_task_is_nobodys() {
    let bench = Bench::new(&["alpha", "zeta"], LEGACY);
    assert_eq!(bench.ask("ping", "{}").await.root().get("result").unwrap().raw(), "{}");
    assert_eq!(code(&bench.ask("tasks/get", r#"{"taskId":"t"}"#).await), Some(-32602));
    bench.script("alpha", "logging/setLevel", &[Line::Answer("{}".to_owned())]);
    bench.script("zeta", "logging/setLevel", &[Line::Break]);
    let level = bench.ask("logging/setLevel", r#"{"level":"info"}"#).await;
    assert_eq!(level.root().get("result").unwrap().raw(), "{}");
    assert_eq!((bench.received("alpha").len(), bench.received("zeta").len()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_modern_client_before_legacy_servers_hears_which_revisions_they_speak() {
    let bench = Bench::new(&["alpha", "zeta"], Revision::V2026_07_28);
    bench.script("alpha", "server/discover", &[Line::OtherEra]);
    bench.script("zeta", "server/discover", &[Line::Break]);
    let refused = bench.ask("server/discover", &modern("")).await;
    assert_eq!(code(&refused), Some(-32022));
    let found = r#"{"resultType":"complete","ttlMs":9,"cacheScope":"public","supportedVersions":["2026-07-28"],"capabilities":{"tools":{}},"instructions":"obey"}"#;
    bench.script("alpha", "server/discover", &[Line::Answer(found.to_owned())]);
    bench.script("zeta", "server/discover", &[Line::OtherEra]);
    // One that lives and has only handshakes: a client that chose this era would never reach it.
    let refused = bench.ask("server/discover", &modern("")).await;
    assert_eq!(code(&refused), Some(-32022));
    bench.script("alpha", "server/discover", &[Line::Answer(found.to_owned())]);
    bench.script("zeta", "server/discover", &[Line::Break]);
    let answer = bench.ask("server/discover", &modern("")).await;
    let result = answer.root().get("result").expect("a result");
    assert_eq!(result.get("capabilities").unwrap().raw(), r#"{"tools":{}}"#);
    assert_eq!((result.get("ttlMs").unwrap().raw(), result.get("cacheScope").unwrap().raw()), ("0", r#""private""#));
    assert!(!result.raw().contains("obey"));
}

#[tokio::test(start_paused = true)]
async fn streams_of_several_servers_are_one() {
    let bench = Bench::new(&["alpha", "beta", "mute", "zeta"], Revision::V2026_07_28);
    let owns = |server: &str, uri: &str| {
        let server = stockade_core::words::ServerName::parse(server).unwrap();
        bench.servers.owners.claim_resource(&bench.session.caller.name, &server, uri).unwrap();
    };
    owns("alpha", "a:1");
    owns("beta", "b:1");
    let message = |method: &str, params: &str| {
        Line::Message(format!(
            r#"{{"jsonrpc":"2.0","method":"notifications/{method}","params":{{"_meta":{{"io.modelcontextprotocol/subscriptionId":7}}{params}}}}}"#
        ))
    };
    let agreed = |filter: &str| message("subscriptions/acknowledged", &format!(r#","notifications":{filter}"#));
    let updated = |uri: &str| message("resources/updated", &format!(r#","uri":"{uri}""#));
    let method = "subscriptions/listen";
    bench.script(
        "alpha",
        method,
        &[
            agreed(r#"{"resourceSubscriptions":["a:1","b:1"],"promptsListChanged":true}"#),
            updated("b:1"),
            updated("a:1"),
            Line::Break,
        ],
    );
    let bye = r#"{"_meta":{"io.modelcontextprotocol/subscriptionId":7},"resultType":"complete"}"#;
    bench.script("beta", method, &[agreed(r#"{"toolsListChanged":true}"#), agreed("{}"), Line::Answer(bye.to_owned())]);
    bench.script("mute", method, &[message("tools/list_changed", "")]);
    bench.script("zeta", method, &[Line::Hang]);
    let wanted = r#","notifications":{"toolsListChanged":true,"resourceSubscriptions":["b:1","a:1"]}"#;
    let answer = bench.ask(method, &modern(wanted)).await;
    assert!(
        bench.received("alpha")[0]
            .contains(r#""notifications":{"toolsListChanged":true,"resourceSubscriptions":["a:1"]}"#)
    );
    assert!(bench.received("zeta")[0].contains(r#""notifications":{"toolsListChanged":true}"#));
    let told = bench.told();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(
        told[0].contains(r#""notifications":{"toolsListChanged":true,"resourceSubscriptions":["a:1"]}"#),
        "{told:?}"
    );
    assert!(told[1].contains(r#""uri":"a:1""#), "{told:?}");
    assert!(told.iter().all(|line| line.contains(r#""io.modelcontextprotocol/subscriptionId":"q""#)), "{told:?}");
    let ended = answer.root().at(&["result", "_meta", "io.modelcontextprotocol/subscriptionId"]).unwrap();
    assert_eq!(ended.raw(), r#""q""#);
}
