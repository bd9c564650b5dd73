//! The correct client against the correct server over HTTP.

use std::time::Duration;

use serde_json::{Value, json};
use testkit::{Caller, Era, HttpClient, Outgoing, Received, Reply, Tool, Upstream, WellBehaved, text};

use crate::LONG;

fn everything() -> WellBehaved {
    WellBehaved::files()
        .resource("file:///a", "a", "content of a")
        .template("file:///{path}", "any")
        .prompt("greet", "hello")
        .instructions("be kind")
}

#[test]
fn every_method_works_in_every_era() {
    for era in Era::OVER_HTTP {
        for script in [everything(), everything().by_event_stream()] {
            let upstream = Upstream::http(script);
            let client = HttpClient::connect(upstream.url(), "key", era);
            let result = |method: &str, params: Value| client.request(method, params).result().clone();
            assert_eq!(result("tools/list", json!({}))["tools"].as_array().expect("tools").len(), 4);
            assert_eq!(result("resources/list", json!({}))["resources"][0]["uri"], "file:///a");
            assert_eq!(result("resources/templates/list", json!({}))["resourceTemplates"][0]["name"], "any");
            assert_eq!(result("prompts/list", json!({}))["prompts"][0]["name"], "greet");
            assert_eq!(result("resources/read", json!({ "uri": "file:///a" }))["contents"][0]["text"], "content of a");
            assert_eq!(result("prompts/get", json!({ "name": "greet" }))["messages"][0]["content"]["text"], "hello");
            assert_eq!(client.call("read_file", json!({ "path": "x" })).text(), "read_file x");
            if era.is_modern() {
                let discovered = result("server/discover", json!({}));
                assert_eq!(discovered["instructions"], "be kind");
                assert_eq!((&discovered["resultType"], &discovered["ttlMs"]), (&json!("complete"), &json!(0)));
                assert_eq!(client.request("ping", json!({})).status(), 404);
            } else {
                assert_eq!(result("ping", json!({})), json!({}));
                assert_eq!(client.request("nonsense", json!({})).error_code(), -32601);
            }
            client.request("tools/call", json!({ "name": "nothing" })).assert_error(-32602, "Unknown tool");
        }
    }
}

#[test]
fn the_recorder_holds_the_very_bytes_and_headers() {
    let upstream = Upstream::http(WellBehaved::files());
    let client = HttpClient::connect(upstream.url(), "sesame", Era::Modern);
    upstream.recorder().assert_nothing();
    let outgoing = client.prepare_call("delete_file", json!({ "path": "ä" })).add("X-Twice", "1").add("X-Twice", "2");
    let sent = outgoing.to_bytes();
    assert_eq!(client.send(outgoing).text(), "delete_file ä");

    let recorder = upstream.recorder();
    assert_eq!((recorder.count(), recorder.links(), recorder.raw()), (1, 1, sent));
    let call = &recorder.calls("delete_file")[0];
    assert_eq!(call.header("authorization"), Some("Bearer sesame"));
    assert_eq!(call.header("mcp-name"), Some("delete_file"));
    assert_eq!(call.http.as_ref().expect("HTTP").head.all("x-twice"), ["1", "2"]);
    assert!(recorder.saw("sesame") && !recorder.saw("open"));
    assert!(call.is_act() && recorder.calls("read_file").is_empty());
    let complaint = std::panic::catch_unwind(|| recorder.assert_no_act()).expect_err("an act was there");
    assert!(complaint.downcast_ref::<String>().is_some_and(|text| text.contains("delete_file")));
    recorder.clear();
    recorder.assert_nothing();
}

/// Bends a right request and expects the strict server to refuse it.
fn check(era: Era, bend: impl Fn(Outgoing) -> Outgoing, status: u16, code: i64) {
    let upstream = Upstream::http(WellBehaved::files());
    let client = HttpClient::connect(upstream.url(), "key", era);
    let answer = client.send(bend(client.prepare_call("read_file", json!({ "path": "löschen" }))));
    assert_eq!((answer.status(), answer.error_code()), (status, code), "{answer}");
}

#[test]
fn the_server_refuses_what_a_strict_server_refuses() {
    let modern = |bend: fn(Outgoing) -> Outgoing, code| check(Era::Modern, bend, 400, code);
    modern(|request| request.header("Mcp-Method", "tools/list"), -32020);
    modern(|request| request.header("Mcp-Name", "delete_file"), -32020);
    modern(|request| request.without("Mcp-Name"), -32020);
    modern(|request| request.without("MCP-Protocol-Version"), -32020);
    modern(|request| request.edit(|message| message["params"]["_meta"] = json!([])), -32020);
    let capabilities = "io.modelcontextprotocol/clientCapabilities";
    check(
        Era::Modern,
        |request| request.edit(|message| message["params"]["_meta"][capabilities] = json!(7)),
        400,
        -32602,
    );
    modern(|request| request.body("{\"jsonrpc\""), -32700);
    let legacy = Era::Legacy("2025-11-25");
    check(legacy, |request| request.without("Mcp-Session-Id"), 400, -32600);
    check(legacy, |request| request.header("Mcp-Session-Id", "made-up"), 404, -32600);
    check(legacy, |request| request.header("MCP-Protocol-Version", "1999-01-01"), 400, -32600);
}

#[test]
fn a_server_of_one_era_refuses_the_other() {
    let old = Upstream::http(WellBehaved::files().revisions(&["2025-06-18"]));
    let answer = HttpClient::unopened(old.url(), None, Era::Modern).call("read_file", json!({ "path": "a" }));
    assert_eq!((answer.status(), answer.error_code()), (400, -32022));
    let client = HttpClient::unopened(old.url(), None, Era::Legacy("2025-11-25"));
    assert_eq!(client.open_session().result()["protocolVersion"], "2025-06-18");
    let new = Upstream::http(WellBehaved::files().revisions(&[testkit::MODERN]));
    let client = HttpClient::unopened(new.url(), None, Era::Legacy("2025-11-25"));
    assert_eq!(client.open_session().error_code(), -32601);
}

#[test]
fn notifications_reach_who_listens() {
    let server = WellBehaved::files();
    let control = server.control();
    let upstream = Upstream::http(server);

    let legacy = HttpClient::connect(upstream.url(), "key", Era::Legacy("2025-06-18"));
    let mut stream = legacy.start(&legacy.prepare_bodiless("GET")).expect("a stream");
    let modern = HttpClient::connect(upstream.url(), "key", Era::Modern);
    let wanted = json!({ "toolsListChanged": true });
    let listen = modern.prepare("subscriptions/listen", json!({ "notifications": wanted }));
    let mut subscription = modern.start(&listen).expect("a stream");
    let acknowledged = subscription.message(LONG);
    assert_eq!(acknowledged["method"], "notifications/subscriptions/acknowledged");
    assert_eq!(acknowledged["params"]["notifications"], wanted);
    assert!(testkit::wait_until(LONG, || control.listening() == 2));

    control.notify("notifications/prompts/list_changed", &json!({}));
    control.notify("notifications/tools/list_changed", &json!({}));
    assert_eq!(stream.message(LONG)["method"], "notifications/prompts/list_changed");
    assert_eq!(stream.message(LONG)["method"], "notifications/tools/list_changed");
    let told = subscription.message(LONG);
    assert_eq!(told["method"], "notifications/tools/list_changed");
    assert_eq!(told["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"], listen.id);

    assert_eq!(legacy.send(legacy.prepare_bodiless("DELETE")).status(), 200);
    assert_eq!(stream.event(LONG).expect("an end"), None);
    assert_eq!(legacy.call("read_file", json!({ "path": "a" })).status(), 404);
    drop(subscription);
    let link = upstream.recorder().of_method("subscriptions/listen")[0].link;
    assert!(upstream.recorder().wait_for_disconnect(link, LONG).is_some());
}

#[test]
fn progress_comes_before_the_result_and_only_when_asked_for() {
    let upstream = Upstream::http(WellBehaved::files().progress(3));
    let client = HttpClient::connect(upstream.url(), "key", Era::Modern);
    let plain = client.call("read_file", json!({ "path": "a" }));
    assert_eq!(plain.messages.len(), 1);
    let params = json!({ "name": "read_file", "arguments": { "path": "a" }, "_meta": { "progressToken": "p" } });
    let answer = client.request("tools/call", params);
    assert_eq!((answer.notifications("notifications/progress").len(), answer.messages.len()), (3, 4));
    assert_eq!(answer.text(), "read_file a");
}

#[test]
fn a_tool_can_ask_the_client_in_both_eras() {
    let asking = || {
        let then = |_: &testkit::Call, said: &Value| text(said["content"]["name"].as_str().unwrap_or("nobody"));
        let params = json!({ "message": "who?", "requestedSchema": { "type": "object", "properties": {} } });
        WellBehaved::new("shy").tool(Tool::asking("greet", "elicitation/create", params, then))
    };
    let upstream = Upstream::http(asking());
    let accept = json!({ "action": "accept", "content": { "name": "alice" } });

    let legacy = HttpClient::connect(upstream.url(), "key", Era::Legacy("2025-11-25"));
    let mut stream = legacy.start(&legacy.prepare_call("greet", json!({}))).expect("a stream");
    let question = stream.message(LONG);
    assert_eq!(question["method"], "elicitation/create");
    let reply = json!({ "jsonrpc": "2.0", "id": question["id"], "result": accept });
    assert_eq!(legacy.send(legacy.prepare("", json!({})).body(reply.to_string())).status(), 202);
    assert_eq!(stream.message(LONG)["result"]["content"][0]["text"], "alice");
    assert_eq!(stream.event(LONG).expect("an end"), None);

    let modern = HttpClient::connect(upstream.url(), "key", Era::Modern);
    let asked = modern.call("greet", json!({})).result().clone();
    assert_eq!(asked["resultType"], "input_required");
    let again = json!({ "name": "greet", "arguments": {}, "requestState": asked["requestState"],
        "inputResponses": { "ask": accept } });
    assert_eq!(modern.request("tools/call", again.clone()).text(), "alice");
    modern.request("tools/call", again).assert_error(-32602, "requestState");
}

#[test]
fn lists_come_in_pages_and_results_can_be_edited() {
    let server = WellBehaved::files()
        .pages_of(3)
        .edit("tools/list", |result, _| result["cacheScope"] = json!("public"))
        .on("prompts/list", |received, reply| reply.message(format!(r#"{{"id":{},"oops":1}}"#, received.id())));
    let upstream = Upstream::http(server);
    let client = HttpClient::connect(upstream.url(), "key", Era::Modern);
    let first = client.request("tools/list", json!({})).result().clone();
    assert_eq!((first["tools"].as_array().expect("tools").len(), &first["cacheScope"]), (3, &json!("public")));
    let second = client.request("tools/list", json!({ "cursor": first["nextCursor"] })).result().clone();
    assert_eq!((second["tools"].as_array().expect("tools").len(), second.get("nextCursor")), (1, None));
    assert_eq!(client.request("prompts/list", json!({})).messages[0]["oops"], 1);
}

#[test]
fn answers_in_any_order_reach_their_own_caller() {
    const CALLERS: usize = 8;
    const CALLS: usize = 50;
    let upstream = Upstream::http(WellBehaved::files().delays(Duration::from_millis(5)));
    let client = HttpClient::connect(upstream.url(), "key", Era::Modern);
    std::thread::scope(|scope| {
        for caller in 0..CALLERS {
            let client = &client;
            scope.spawn(move || {
                for call in 0..CALLS {
                    let path = format!("{caller}/{call}");
                    let answer = client.call("read_file", json!({ "path": path }));
                    assert_eq!(answer.text(), format!("read_file {path}"));
                }
            });
        }
    });
    assert_eq!(upstream.recorder().calls("read_file").len(), CALLERS * CALLS);
    assert!(upstream.recorder().links() <= CALLERS, "connections are kept: {}", upstream.recorder().links());
}

#[test]
fn a_closure_is_a_script_and_may_do_anything() {
    let script = |received: &Received, reply: Reply| match received.method() {
        "silent" => {}
        "late" => reply.later(Duration::from_millis(20), |reply| reply.message("{\"late\":1}")),
        "forged" => {
            reply.stream_raw("data: {\"id\":0,\ndata: \"result\":{}}\n\ndata: {\"id\":0}\r\r");
            reply.stream_raw("event: x\nretry: 0\n\n");
            reply.finish();
        }
        "strange" => reply.http(418, &[("X-Odd", "1"), ("Content-Type", "text/html")], "<p>"),
        "cut" => {
            reply.open_stream();
            reply.close();
        }
        _ => reply.raw("HTTP/1.1 200 OK\nbroken\n\n"),
    };
    let upstream = Upstream::http(script);
    let mut client = HttpClient::unopened(upstream.url(), None, Era::Legacy("2025-11-25"));
    client.patience = Duration::from_millis(300);
    let send = |method: &str| client.try_send(&client.prepare(method, json!({})));
    assert_eq!(send("late").expect("an answer").messages, [json!({ "late": 1 })]);
    assert_eq!(send("forged").expect("an answer").messages, [json!({ "id": 0, "result": {} }), json!({ "id": 0 })]);
    let strange = send("strange").expect("an answer");
    assert_eq!((strange.status(), strange.header("x-odd"), strange.raw.as_slice()), (418, Some("1"), &b"<p>"[..]));
    assert_eq!(send("silent").expect_err("silence").kind(), std::io::ErrorKind::TimedOut);
    assert!(send("cut").is_err() && send("garbage").is_err());
}
